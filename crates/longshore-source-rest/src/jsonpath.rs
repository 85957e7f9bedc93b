//! JSONPath over a [`Doc`]: names, positions and `[*]` are followed on the tape; everything else of RFC 9535
//! (filters, slices, `..`) is left to `serde_json_path`, which says where the values are. The spellings of dlt's own
//! parser, jsonpath-ng, are read as well (`jsonpath/spelling.rs`).

mod spelling;

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
    /// With the names it begins with.
    Full(Box<serde_json_path::JsonPath>, Vec<Step>),
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
        let parsed = serde_json_path::JsonPath::parse(&whole).or_else(|e| {
            let standard = spelling::standard(trimmed).and_then(|s| serde_json_path::JsonPath::parse(&s).ok());
            standard.ok_or(e)
        });
        match parsed {
            Ok(path) => Ok(JsonPath { text: text.to_owned(), query: Query::Full(Box::new(path), beginning(trimmed)) }),
            Err(e) => Err(format!("'{text}' is not a JSONPath: {e}")),
        }
    }

    /// Reads a path of keys below one another, `*` for all elements of a list; `None` for any other.
    pub(crate) fn read_keys(text: &str) -> Option<Vec<String>> {
        let key = |step| match step {
            Step::Key(key) => Some(key),
            Step::All => Some("*".to_owned()),
            Step::Position(_) => None,
        };
        plain(text.trim())?.into_iter().map(key).collect()
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
            Query::Full(path, _) => {
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

    /// Returns true where it leads to nothing because a list on its way is empty, or nothing in it fits.
    pub(crate) fn is_of_empty_list(&self, doc: &Doc) -> bool {
        let mut values = vec![doc.root()];
        let (steps, filters) = match &self.query {
            Query::Plain(steps) => (steps, false),
            Query::Full(_, beginning) => (beginning, true),
        };
        for step in steps {
            let next: Vec<Val<'_>> = values.iter().flat_map(|value| follow(*value, step)).collect();
            if next.is_empty() {
                return !matches!(step, Step::Key(_)) && values.iter().any(|v| v.is_list() || v.is_object());
            }
            values = next;
        }
        filters && !steps.is_empty() && values.iter().any(|v| v.is_list())
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

/// The names and positions that a path begins with, before its first filter, slice or `..`.
fn beginning(text: &str) -> Vec<Step> {
    let end = [text.find("[?"), text.find("..")].into_iter().flatten().min();
    plain(text[..end.unwrap_or(0)].trim_end_matches('.')).unwrap_or_default()
}

/// Reads a path of names, positions and `[*]`; `None` for anything else. Names may hold what RFC 9535 wants
/// quoted (`data.some-key`, `@odata.value`) or stand in quotes, and a bracket may follow a dot, as dlt's parser has it.
fn plain(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.strip_prefix('$').unwrap_or(text);
    let mut steps = Vec::new();
    if text.starts_with('$') && !rest.is_empty() && !rest.starts_with(['.', '[']) {
        return None;
    }
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix(".[").or_else(|| rest.strip_prefix('[')) {
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
        let (step, behind) = match spelling::quoted(name) {
            Some((name, behind)) => (Step::Key(name.to_owned()), behind),
            None => bare(name)?,
        };
        if !(behind.is_empty() || behind.starts_with(['.', '['])) {
            return None;
        }
        steps.push(step);
        rest = behind;
    }
    Some(steps)
}

/// A name without quotes, up to the next dot or bracket.
fn bare(text: &str) -> Option<(Step, &str)> {
    let (name, behind) = text.split_at(text.find(['.', '[']).unwrap_or(text.len()));
    match name {
        "*" => Some((Step::All, behind)),
        _ if spelling::is_name(name) => Some((Step::Key(name.to_owned()), behind)),
        _ => None,
    }
}

fn bracket(inner: &str) -> Option<(Step, &str)> {
    if let Some((name, behind)) = spelling::quoted(inner) {
        return behind.strip_prefix(']').map(|behind| (Step::Key(name.to_owned()), behind));
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
        let text = r#"{"a": {"some-key": [{"id": 1, "x": 12345678901234567890}, {"id": 2}]}, "next.page": 7, "l": [[1], [2, 3]],
            "@odata": {"value": "v"}, "@odata.nextLink": "n", "b c": {"d": 8}, "none": []}"#;
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
            // As dlt's parser has it.
            ("a.some-key.[*].id", vec!["1", "2"]),
            ("$.a.['some-key'].[0].id", vec!["1"]),
            ("@odata.value", vec!["\"v\""]),
            ("'@odata.nextLink'", vec!["\"n\""]),
            ("$.\"b c\".d", vec!["8"]),
            ("a.some-key[?id==1].x", vec!["12345678901234567890"]),
            ("a.some-key[?(id = 2)].id", vec!["2"]),
            ("a.some-key[?id>0 & id<2].id", vec!["1"]),
            ("a.some-key.[?(@.id==1)].id", vec!["1"]),
            ("a.some-key[?x].id", vec!["1"]),
            ("a.some-key[?id==1|id==2].id", vec!["1", "2"]),
            ("'next.page'|'b c'", vec!["7", "{\"d\": 8}"]),
            ("a.some-key[1:].id", vec!["2"]),
        ] {
            assert_eq!(found(path), values, "{path}");
        }
        assert_eq!(found("$").len(), 1);
        for wrong in ["a[?", "a b", "a.", "a..", "a[?x in [1]]", "'a", "a.`len`"] {
            assert!(JsonPath::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_empty_list_is_told_from_a_wrong_path() {
        let doc = Doc::parse(r#"{"none": [], "l": [{"id": 1}], "o": {}}"#.into()).unwrap();
        let is_empty = |path: &str| JsonPath::parse(path).unwrap().is_of_empty_list(&doc);
        for path in ["none[*]", "none[0]", "none[*].id", "l[?@.id == 2]", "l[?id==2].x", "o.*"] {
            assert!(is_empty(path), "{path}");
        }
        for path in ["nnoe[*]", "nnoe", "l[*].x", "x[?@.id == 2]", "o.x"] {
            assert!(!is_empty(path), "{path}");
        }
    }
}
