//! JSONPath over a [`Doc`]: names, positions and `[*]` are followed on the tape; everything else of RFC 9535
//! (filters, slices, `..`) is left to `serde_json_path`, which says where the values are.

use crate::doc::{Doc, Val};
use serde_json_path::PathElement;
use std::fmt;

/// A path, read.
#[derive(Clone, Debug)]
pub(crate) struct JsonPath {
    text: String,
    query: Query,
}

#[derive(Clone, Debug)]
enum Query {
    Plain(Vec<Step>),
    Full(Box<serde_json_path::JsonPath>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Position(i64),
    All,
}

impl JsonPath {
    /// Reads a path. As in dlt, `$.` may be left out and `$` is the whole.
    pub(crate) fn parse(text: &str) -> Result<JsonPath, String> {
        let trimmed = text.trim();
        if let Some(steps) = plain(trimmed) {
            return Ok(JsonPath { text: text.to_owned(), query: Query::Plain(steps) });
        }
        let whole = match trimmed.as_bytes().first() {
            Some(b'$') => trimmed.to_owned(),
            Some(b'[' | b'.') => format!("${trimmed}"),
            _ => format!("$.{trimmed}"),
        };
        match serde_json_path::JsonPath::parse(&whole) {
            Ok(path) => Ok(JsonPath { text: text.to_owned(), query: Query::Full(Box::new(path)) }),
            Err(e) => Err(format!("'{text}' is not a JSONPath: {e}")),
        }
    }

    /// Returns the path of one key, whatever characters it has.
    pub(crate) fn key(name: &str) -> JsonPath {
        JsonPath { text: format!("['{name}']"), query: Query::Plain(vec![Step::Key(name.to_owned())]) }
    }

    /// Returns the path of keys below one another.
    pub(crate) fn keys(names: &[String]) -> JsonPath {
        let steps = names.iter().map(|n| Step::Key(n.clone())).collect();
        JsonPath { text: names.join("."), query: Query::Plain(steps) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns all values it leads to, in the document's order.
    pub(crate) fn all<'a>(&self, doc: &'a Doc, from: Val<'a>) -> Vec<Val<'a>> {
        match &self.query {
            Query::Plain(steps) => steps
                .iter()
                .fold(vec![from], |values, step| values.into_iter().flat_map(|value| follow(value, step)).collect()),
            Query::Full(path) => {
                let value = from.to_value();
                let located = path.query_located(&value);
                located
                    .locations()
                    .filter_map(|place| {
                        place.iter().try_fold(doc.at(from.index()), |at, part| match part {
                            PathElement::Name(name) => at.get(name),
                            PathElement::Index(i) => at.elements().nth(*i),
                        })
                    })
                    .collect()
            }
        }
    }

    /// Returns the first value it leads to.
    pub(crate) fn first<'a>(&self, doc: &'a Doc, from: Val<'a>) -> Option<Val<'a>> {
        match &self.query {
            Query::Plain(steps) if !steps.contains(&Step::All) => {
                steps.iter().try_fold(from, |value, step| follow(value, step).into_iter().next())
            }
            _ => self.all(doc, from).into_iter().next(),
        }
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn follow<'a>(value: Val<'a>, step: &Step) -> Vec<Val<'a>> {
    match step {
        Step::Key(key) => value.get(key).into_iter().collect(),
        Step::Position(i) if *i >= 0 => value.elements().nth(*i as usize).into_iter().collect(),
        Step::Position(i) => {
            let all: Vec<_> = value.elements().collect();
            all.len().checked_sub(i.unsigned_abs() as usize).map(|at| all[at]).into_iter().collect()
        }
        Step::All if value.is_object() => value.entries().map(|(_, v)| v).collect(),
        Step::All => value.elements().collect(),
    }
}

/// Reads a path of names, positions and `[*]`; `None` for anything else. Names may hold what RFC 9535 wants
/// quoted (`data.some-key`), as dlt's parser takes them.
fn plain(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.strip_prefix('$').unwrap_or(text);
    let mut steps = Vec::new();
    if text.starts_with('$') && !rest.is_empty() && !rest.starts_with(['.', '[']) {
        return None;
    }
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (step, behind) = bracket(inner)?;
            steps.push(step);
            rest = behind;
            continue;
        }
        let name = match rest.strip_prefix('.') {
            Some(name) => name,
            None if steps.is_empty() && !text.starts_with('$') => rest,
            None => return None,
        };
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (name, behind) = name.split_at(end);
        let special = |c: char| {
            matches!(c, '\'' | '"' | '?' | '(' | ')' | ',' | '|' | '&' | '`' | '@' | ']' | '*' | ' ' | '=' | '<' | '>')
        };
        match name {
            "*" => steps.push(Step::All),
            "" => return None,
            _ if name.contains(special) => return None,
            _ => steps.push(Step::Key(name.to_owned())),
        }
        rest = behind;
    }
    Some(steps)
}

fn bracket(inner: &str) -> Option<(Step, &str)> {
    if let quote @ (b'\'' | b'"') = *inner.as_bytes().first()? {
        let end = inner[1..].find(char::from(quote))? + 1;
        let name = &inner[1..end];
        return (!name.contains('\\'))
            .then_some(())
            .and_then(|()| inner[end + 1..].strip_prefix(']'))
            .map(|behind| (Step::Key(name.to_owned()), behind));
    }
    let (text, behind) = inner.split_once(']')?;
    let step = match text.trim() {
        "*" => Step::All,
        number => Step::Position(number.parse().ok()?),
    };
    Some((step, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> Vec<String> {
        let text = r#"{"a": {"some-key": [{"id": 1, "x": 12345678901234567890}, {"id": 2}]}, "next.page": 7, "l": [[1], [2, 3]]}"#;
        let doc = Doc::parse(text.into()).unwrap();
        let path = JsonPath::parse(path).unwrap();
        path.all(&doc, doc.root()).iter().map(|v| v.raw_text().into_owned()).collect()
    }

    #[test]
    fn paths_lead_where_they_should() {
        for (path, values) in [
            ("a.some-key[*].id", vec!["1", "2"]),
            ("$.a['some-key'][0].id", vec!["1"]),
            ("a.some-key[-1].id", vec!["2"]),
            ("['next.page']", vec!["7"]),
            ("l[*][*]", vec!["1", "2", "3"]),
            ("$..id", vec!["1", "2"]),
            ("$.a['some-key'][?@.id == 1].x", vec!["12345678901234567890"]),
            ("l[1:]", vec!["[2, 3]"]),
            ("missing.at.all", vec![]),
        ] {
            assert_eq!(found(path), values, "{path}");
        }
        assert_eq!(found("$").len(), 1);
        assert!(JsonPath::parse("a[?").is_err());
    }
}
