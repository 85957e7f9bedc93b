//! The spellings of jsonpath-ng, dlt's parser, written as RFC 9535 has them: `data.[*]`, names in quotes or with `@` and
//! `-`, filters over bare names (`[?x==1 & y=2]`), and `a|b`.

/// Reads a name in quotes at the beginning; gives what stands behind it.
pub(super) fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (name, behind) = text[1..].split_once(quote)?;
    (!name.contains('\\')).then_some((name, behind))
}

/// True for a name that needs no quotes in jsonpath-ng, or more.
pub(super) fn is_name(name: &str) -> bool {
    let special =
        |c: char| matches!(c, '\'' | '"' | '?' | '(' | ')' | ',' | '|' | '&' | '`' | ']' | '*' | ' ' | '=' | '<' | '>');
    !name.is_empty() && name != "@" && !name.contains(special)
}

/// Writes a path as RFC 9535 has it; `None` where it is something else.
pub(super) fn standard(text: &str) -> Option<String> {
    let mut rest = text.strip_prefix('$').unwrap_or(text);
    let mut path = "$".to_owned();
    if !text.starts_with('$') && !rest.starts_with(['.', '[']) {
        rest = segment(rest, &mut path)?;
    }
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix("..") {
            path.push_str("..");
            rest = behind;
        } else {
            rest = rest.strip_prefix('.').or_else(|| rest.starts_with('[').then_some(rest))?;
        }
        rest = match rest.strip_prefix('[') {
            Some(inner) => bracket(inner, &mut path)?,
            None => segment(rest, &mut path)?,
        };
    }
    Some(path)
}

/// A name, `*`, or several names with `|` or `,` between them.
fn segment<'t>(text: &'t str, path: &mut String) -> Option<&'t str> {
    let (mut names, mut rest) = (Vec::new(), text);
    loop {
        let (name, behind) = match quoted(rest) {
            Some(found) => found,
            None => {
                let end = rest.find(['.', '[', '|', ',']).unwrap_or(rest.len());
                let name = rest[..end].trim();
                (is_name(name) || name == "*").then_some((name, &rest[end..]))?
            }
        };
        let is_all = name == "*" && !rest.starts_with(['\'', '"']);
        names.push(if is_all { name.to_owned() } else { literal(name) });
        match behind.strip_prefix(['|', ',']) {
            Some(more) => rest = more,
            None => {
                path.push_str(&format!("[{}]", names.join(",")));
                return Some(behind);
            }
        }
    }
}

/// What stands in brackets: a filter is written anew, everything else stays.
fn bracket<'t>(text: &'t str, path: &mut String) -> Option<&'t str> {
    let (mut depth, mut quote) = (0_usize, None);
    let end = text.char_indices().find_map(|(i, c)| {
        match (quote, c) {
            (Some(q), _) => quote = quote.filter(|_| c != q),
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some(i),
            (None, ']') => depth -= 1,
            _ => {}
        }
        None
    })?;
    let inner = &text[..end];
    match inner.trim_start().strip_prefix('?') {
        Some(condition) => path.push_str(&format!("[?{}]", filter(condition))),
        None => path.push_str(&format!("[{inner}]")),
    }
    Some(&text[end + 1..])
}

/// `x = 1 & y` as `@.x == 1 && @.y`.
fn filter(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\'' | '"' => rest[1..].find(c).map_or(rest.len(), |end| end + 2),
            '=' | '!' | '<' | '>' | '&' | '|' => {
                let length = rest.find(|o: char| !matches!(o, '=' | '!' | '<' | '>' | '&' | '|')).unwrap_or(rest.len());
                out.push_str(match &rest[..length] {
                    "=" => "==",
                    "&" => "&&",
                    "|" => "||",
                    other => other,
                });
                rest = &rest[length..];
                continue;
            }
            c if c.is_alphanumeric() || c == '_' => {
                rest.find(|o: char| !(o.is_alphanumeric() || matches!(o, '_' | '-'))).unwrap_or(rest.len())
            }
            other => other.len_utf8(),
        };
        let (word, behind) = rest.split_at(length);
        let is_bare = c.is_alphabetic() || c == '_';
        let is_other = matches!(word, "true" | "false" | "null") || behind.starts_with('(') || out.ends_with('.');
        match is_bare && !is_other {
            true => out.push_str(&format!("@[{}]", literal(word))),
            false => out.push_str(word),
        }
        rest = behind;
    }
    out
}

fn literal(name: &str) -> String {
    format!("'{}'", name.replace('\\', "\\\\").replace('\'', "\\'"))
}
