//! Texts with placeholders: `{resources.parent.field}`, `{incremental.start_value}` and, in paths, `{param}`.

use crate::depend::Parent;
use crate::incremental::Range;
use longshore_core::error::{Error, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// What stays as it is in a path segment (RFC 3986, unreserved).
pub(crate) const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text in pieces.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template(pub(crate) Vec<Piece>);

/// One piece.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    Text(String),
    /// A value captured from the record of an ancestor: which resource, which of its captures.
    Field {
        resource: usize,
        slot: usize,
        /// As the configuration has them: resource and field.
        name: (Box<str>, Box<str>),
    },
    Incremental(Word),
}

/// A value of the incremental range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Start,
    Initial,
    Last,
    End,
}

impl Word {
    pub(crate) fn parse(name: &str) -> Option<Word> {
        match name {
            "start_value" => Some(Word::Start),
            "initial_value" => Some(Word::Initial),
            "last_value" => Some(Word::Last),
            "end_value" => Some(Word::End),
            _ => None,
        }
    }
}

/// What placeholders are filled from.
#[derive(Clone, Copy, Default)]
pub(crate) struct Scope<'a> {
    pub(crate) parent: Option<&'a Parent>,
    pub(crate) range: Option<&'a Range>,
}

/// A part of a text before its meaning is known: literal text, or what stands between braces.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part<'t> {
    Text(String),
    Braces(&'t str),
}

/// Cuts a text at its placeholders. `{{` and `}}` are braces where the text has a `{{`, so that texts with braces
/// of their own (GraphQL) need no escaping. Braces around something else than a placeholder are text.
pub(crate) fn cut<'t>(text: &'t str, is_placeholder: &dyn Fn(&str) -> bool) -> Vec<Part<'t>> {
    let escaped = text.contains("{{");
    let (mut parts, mut literal, mut rest) = (Vec::new(), String::new(), text);
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let (brace, doubled) = (&rest[at..=at], rest[at + 1..].starts_with(&rest[at..=at]));
        rest = &rest[at + 1..];
        if escaped && doubled {
            literal.push_str(brace);
            rest = &rest[1..];
        } else if let Some(end) = rest.find('}').filter(|end| brace == "{" && is_placeholder(&rest[..*end])) {
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(Part::Braces(&rest[..end]));
            rest = &rest[end + 1..];
        } else {
            literal.push_str(brace);
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    parts
}

impl Template {
    pub(crate) fn text(text: impl Into<String>) -> Template {
        Template(vec![Piece::Text(text.into())])
    }

    /// Fills it in; `None` when a value is null, missing or has no start yet.
    pub(crate) fn fill(&self, scope: Scope<'_>) -> Option<String> {
        self.0.iter().map(|piece| piece.plain(scope)).collect()
    }

    /// Fills it in as a part of a URL's path: values are percent-encoded and must be there. A placeholder alone may be
    /// a whole address that the API named, as a link is.
    pub(crate) fn fill_path(&self, scope: Scope<'_>) -> Result<String> {
        if let [piece @ Piece::Field { .. }] = self.0.as_slice()
            && let Some(url) = piece.plain(scope).filter(|v| v.starts_with("http://") || v.starts_with("https://"))
        {
            return Ok(url);
        }
        let mut path = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => path.push_str(text),
                _ => {
                    let value = piece.plain(scope).filter(|v| !v.is_empty());
                    let value = value.ok_or_else(|| missing(piece))?;
                    path.extend(utf8_percent_encode(&value, SEGMENT));
                }
            }
        }
        Ok(path)
    }
}

fn missing(piece: &Piece) -> Error {
    match piece {
        Piece::Incremental(_) => Error::input("the path needs the incremental's value, and there is none yet")
            .hint("set incremental.initial_value"),
        Piece::Field { name: (resource, field), .. } => Error::input(format!(
            "a record of '{resource}' has no value, or an empty one, in its field '{field}', which the path needs"
        ))
        .hint("leave such records out with a filter in the processing_steps of that resource"),
        Piece::Text(_) => Error::internal("a text is always there"),
    }
}

impl Piece {
    fn raw<'a>(&self, scope: Scope<'a>) -> Option<std::borrow::Cow<'a, str>> {
        match self {
            Piece::Text(text) => Some(crate::tree::quoted(text).into()),
            Piece::Field { resource, slot, .. } => scope.parent?.value(*resource, *slot).map(Into::into),
            Piece::Incremental(word) => scope.range?.word(*word).map(Into::into),
        }
    }

    /// The value as a text: Python's spelling of truth values, no quotes.
    fn plain(&self, scope: Scope<'_>) -> Option<String> {
        if let Piece::Text(text) = self {
            return Some(text.clone());
        }
        let raw = self.raw(scope)?;
        match &*raw {
            "null" => None,
            "true" => Some("True".to_owned()),
            "false" => Some("False".to_owned()),
            text if text.starts_with('"') => serde_json::from_str(text).ok(),
            other => Some(other.to_owned()),
        }
    }
}

/// A JSON body with placeholders.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum JsonTemplate {
    /// As it is.
    Literal(Value),
    /// A text.
    Text(Template),
    /// A placeholder alone: keeps the value's type.
    Value(Piece),
    List(Vec<JsonTemplate>),
    /// Names may have placeholders, too.
    Object(Vec<(Template, JsonTemplate)>),
}

impl JsonTemplate {
    /// Fills it in; what has no value is null.
    pub(crate) fn fill(&self, scope: Scope<'_>) -> Value {
        match self {
            JsonTemplate::Literal(value) => value.clone(),
            JsonTemplate::Text(text) => text.fill(scope).map_or(Value::Null, Value::from),
            JsonTemplate::Value(piece) => {
                piece.raw(scope).and_then(|raw| serde_json::from_str(&raw).ok()).unwrap_or(Value::Null)
            }
            JsonTemplate::List(list) => list.iter().map(|t| t.fill(scope)).collect(),
            JsonTemplate::Object(table) => {
                table.iter().map(|(k, t)| (k.fill(scope).unwrap_or_default(), t.fill(scope))).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_placeholders_text_or_escaped() {
        let known = |s: &str| s.starts_with("resources.");
        let braces = |t| Part::Braces(t);
        let text = |t: &str| Part::Text(t.to_owned());
        assert_eq!(cut("a/{resources.x.id}/b", &known), [text("a/"), braces("resources.x.id"), text("/b")]);
        assert_eq!(cut("query { users { id }}", &known), [text("query { users { id }}")]);
        assert_eq!(cut("{{x}} {resources.x.id}", &known), [text("{x} "), braces("resources.x.id")]);
        assert_eq!(cut("{open", &known), [text("{open")]);
    }
}
