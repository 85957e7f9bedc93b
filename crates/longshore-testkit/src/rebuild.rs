//! Records put back together from the tables they became, and compared with what they were.
//!
//! The way back is for tests: it holds in native mode for keys that are their own names (small
//! letters, no `__`) and are neither `value` nor `list`, which lists of scalars and of lists use.
//! What the tables cannot tell apart counts as equal, and nothing else:
//!
//! * a key that is null, an empty dict or an empty list, and a key that is absent; in a list these
//!   three are one another's equal, and keep their place;
//! * numbers of the same value: `2.0` and `2`; `0.10000000000000001` and the double it means;
//! * a text that says a timestamp and the same instant in UTC;
//! * a number or truth value and its text, where it came into a column of texts, and the text of a
//!   number or truth value, exactly as it is printed, where it came into a column of these.

use crate::rows::{self, Rows};
use longshore_core::json::{Kind, Tape};
use longshore_core::normalize::TableBatch;
use longshore_core::schema::{AliasKind, Column, ColumnRole, Schema, Table};
use longshore_core::values::{iso_timestamp, python_text};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

/// Returns the records of the root tables, each table's in the order of its rows, values in the
/// canonical form of [`rows`]. `batches` may be in any order and come from any number of blocks.
///
/// # Panics
/// When the tables contradict themselves: a row without its parent, a list with a hole, two values
/// in one place, a wrong root. The message says which.
#[must_use]
pub fn rebuild(schema: &Schema, batches: &[TableBatch]) -> Vec<Value> {
    let tables: HashMap<&str, TableRows> =
        schema.tables.iter().map(|t| (t.name.as_str(), TableRows::read(t, batches))).collect();
    let rebuilder = Rebuilder { schema, tables };
    rebuilder.check_links();
    let roots = schema.tables.iter().filter(|t| t.is_root());
    roots
        .flat_map(|t| {
            rebuilder.tables[t.name.as_str()].rows.values().map(|row| Value::Object(rebuilder.record(t, row, row.id)))
        })
        .collect()
}

/// Keys from the row down to a value.
type KeyPath = Vec<String>;

/// Rows of one table by id.
struct TableRows {
    rows: BTreeMap<i64, Row>,
    /// Row ids by parent row.
    of_parent: HashMap<i64, Vec<i64>>,
}

struct Row {
    id: i64,
    parent: Option<i64>,
    root: Option<i64>,
    position: Option<i64>,
    values: Vec<(KeyPath, Value)>,
}

impl TableRows {
    fn read(table: &Table, batches: &[TableBatch]) -> Self {
        let mut out = TableRows { rows: BTreeMap::new(), of_parent: HashMap::new() };
        for batch in batches.iter().filter(|b| b.table.name == table.name) {
            let rows =
                Rows::from_batches(std::slice::from_ref(&batch.rows)).expect("batches of the normaliser can be read");
            for values in rows.rows {
                let row = Row::read(table, &rows.columns, values);
                if let Some(parent) = row.parent {
                    out.of_parent.entry(parent).or_default().push(row.id);
                }
                let twin = out.rows.insert(row.id, row);
                assert!(twin.is_none(), "two rows of '{}' have one id", table.name);
            }
        }
        out
    }
}

impl Row {
    fn read(table: &Table, columns: &[String], values: Vec<Value>) -> Self {
        let mut row = Row { id: -1, parent: None, root: None, position: None, values: Vec::new() };
        for (name, value) in columns.iter().zip(values) {
            let column = table.column(name).unwrap_or_else(|| panic!("the schema lacks '{name}' of '{}'", table.name));
            match column.role {
                Some(ColumnRole::RowId) => row.id = value.as_i64().expect("row ids are whole numbers"),
                Some(ColumnRole::ParentId) => row.parent = value.as_i64(),
                Some(ColumnRole::RootId) => row.root = value.as_i64(),
                Some(ColumnRole::ListIndex) => row.position = value.as_i64(),
                Some(ColumnRole::LoadId | ColumnRole::RowHash) => {}
                None if value.is_null() => {}
                None => row.values.push((column_path(table, column), value)),
            }
        }
        row
    }
}

/// Returns the keys a column's values stood under.
fn column_path(table: &Table, column: &Column) -> KeyPath {
    if column.variant {
        let (of, _) = column.name.rsplit_once("__v_").expect("a variant is named after its column");
        return column_path(table, table.column(of).expect("a variant's column is in its table"));
    }
    path(table, &column.name, AliasKind::Column, &column.name)
}

/// Returns the keys of an alias, or those the name says.
fn path(table: &Table, name: &str, kind: AliasKind, own: &str) -> KeyPath {
    match table.aliases.iter().find(|a| a.kind == kind && a.name == name) {
        Some(alias) => alias.path.clone(),
        None => own.split("__").map(str::to_owned).collect(),
    }
}

struct Rebuilder<'a> {
    schema: &'a Schema,
    tables: HashMap<&'a str, TableRows>,
}

impl<'a> Rebuilder<'a> {
    /// Every row of a child table must be found from its parent's row.
    fn check_links(&self) {
        for table in &self.schema.tables {
            let Some(parent) = &table.parent else { continue };
            for id in self.tables[table.name.as_str()].of_parent.keys() {
                let found = self.tables[parent.as_str()].rows.contains_key(id);
                assert!(found, "rows of '{}' have no parent row in '{parent}'", table.name);
            }
        }
    }

    /// Returns a row as the dict it was.
    fn record(&self, table: &'a Table, row: &Row, root: i64) -> Map<String, Value> {
        let mut record = Map::new();
        for (path, value) in &row.values {
            put(&mut record, path, value.clone(), &table.name);
        }
        for child in self.schema.tables.iter().filter(|t| t.parent.as_ref() == Some(&table.name)) {
            let rows = &self.tables[child.name.as_str()];
            let Some(ids) = rows.of_parent.get(&row.id) else { continue };
            let mut elements: Vec<&Row> = ids.iter().map(|id| &rows.rows[id]).collect();
            elements.sort_by_key(|e| e.position);
            for (element, position) in elements.iter().zip(0..) {
                assert_eq!(element.position, Some(position), "a list of '{}' has a hole or a double", child.name);
                assert_eq!(element.root, Some(root), "a row of '{}' has another root", child.name);
            }
            let list = elements.into_iter().map(|e| element(self.record(child, e, root))).collect();
            let own = child.name.strip_prefix(&table.name).and_then(|n| n.strip_prefix("__")).unwrap_or(&child.name);
            put(&mut record, &path(table, &child.name, AliasKind::Table, own), Value::Array(list), &child.name);
        }
        record
    }
}

/// Returns the list element a row stands for: a scalar under `value`, a list under `list`, a dict.
fn element(mut row: Map<String, Value>) -> Value {
    if row.is_empty() {
        return Value::Null;
    }
    let only = if row.len() == 1 { row.remove("value").or_else(|| row.remove("list")) } else { None };
    only.unwrap_or(Value::Object(row))
}

fn put(record: &mut Map<String, Value>, path: &[String], value: Value, table: &str) {
    let (last, dicts) = path.split_last().expect("a path has a key");
    let mut at = record;
    for key in dicts {
        let dict = at.entry(key).or_insert_with(|| Value::Object(Map::new()));
        at = dict.as_object_mut().unwrap_or_else(|| panic!("'{table}': both a value and a dict at {path:?}"));
    }
    let before = at.insert(last.clone(), value);
    assert!(before.is_none(), "'{table}': two values at {path:?}");
}

/// A JSON value with its numbers as the source wrote them.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number's literal.
    Number(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Source>),
    /// A dict.
    Dict(Vec<(String, Source)>),
}

impl Source {
    /// Reads a JSON value.
    ///
    /// # Panics
    /// When the text is not JSON.
    #[must_use]
    pub fn parse(json: &str) -> Self {
        let mut tape = Tape::default();
        tape.parse(json.as_bytes(), 0).unwrap_or_else(|e| panic!("not JSON: {e:?} in {json}"));
        read(&tape, json, 0)
    }

    /// Returns how many scalars that are not null and how many list elements the value holds: as
    /// many values and child rows its tables must have.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let sum = |a: (usize, usize), b: (usize, usize)| (a.0 + b.0, a.1 + b.1);
        match self {
            Source::Null => (0, 0),
            Source::Bool(_) | Source::Number(_) | Source::Text(_) => (1, 0),
            Source::List(list) => list.iter().map(Source::counts).fold((0, list.len()), sum),
            Source::Dict(dict) => dict.iter().map(|(_, v)| v.counts()).fold((0, 0), sum),
        }
    }

    /// Returns the value without what counts as absent; `None` when nothing is left.
    fn reduced(self) -> Option<Self> {
        match self {
            Source::Null => None,
            Source::List(list) => {
                let list: Vec<Source> = list.into_iter().map(|v| v.reduced().unwrap_or(Source::Null)).collect();
                (!list.is_empty()).then_some(Source::List(list))
            }
            Source::Dict(dict) => {
                let dict: Vec<(String, Source)> =
                    dict.into_iter().filter_map(|(k, v)| Some((k, v.reduced()?))).collect();
                (!dict.is_empty()).then_some(Source::Dict(dict))
            }
            scalar => Some(scalar),
        }
    }
}

fn read(tape: &Tape, json: &str, index: usize) -> Source {
    let node = tape.nodes()[index];
    let (start, end) = (node.start as usize, node.start as usize + node.len as usize);
    let text = |start: usize, end: usize| {
        serde_json::from_str(&format!("\"{}\"", &json[start..end])).expect("the tape has checked it")
    };
    let mut next = index + 1;
    match node.kind {
        Kind::Null => Source::Null,
        Kind::True => Source::Bool(true),
        Kind::False => Source::Bool(false),
        Kind::Integer | Kind::Float => Source::Number(json[start..end].to_owned()),
        Kind::Text | Kind::EscapedText => Source::Text(text(start, end)),
        Kind::Array => {
            let mut list = Vec::new();
            while next < tape.after(index) {
                list.push(read(tape, json, next));
                next = tape.after(next);
            }
            Source::List(list)
        }
        Kind::Object => {
            let mut dict = Vec::new();
            while next < tape.after(index) {
                let key = tape.nodes()[next];
                dict.push((text(key.start as usize, (key.start + key.len) as usize), read(tape, json, next + 1)));
                next = tape.after(next + 1);
            }
            Source::Dict(dict)
        }
    }
}

/// Returns where a rebuilt record differs from its source, or `None` when it says the same.
#[must_use]
pub fn difference(record: &str, rebuilt: &Value) -> Option<String> {
    let source = Source::parse(record).reduced().unwrap_or(Source::Dict(Vec::new()));
    differ(&source, rebuilt, "$")
}

fn differ(source: &Source, rebuilt: &Value, at: &str) -> Option<String> {
    match (source, rebuilt) {
        (Source::Dict(dict), Value::Object(map)) => {
            let known = |key: &String| dict.iter().any(|(k, _)| k == key);
            if let Some((key, value)) = map.iter().find(|(k, _)| !known(k)) {
                return Some(format!("{at}.{key}: {value} out of nothing"));
            }
            dict.iter().find_map(|(key, value)| match map.get(key) {
                Some(rebuilt) => differ(value, rebuilt, &format!("{at}.{key}")),
                None => Some(format!("{at}.{key}: {value:?} is lost")),
            })
        }
        (Source::List(list), Value::Array(rebuilt)) if list.len() == rebuilt.len() => list
            .iter()
            .zip(rebuilt)
            .enumerate()
            .find_map(|(i, (value, rebuilt))| differ(value, rebuilt, &format!("{at}[{i}]"))),
        (source, rebuilt) if is_same_scalar(source, rebuilt) => None,
        (source, rebuilt) => Some(format!("{at}: {source:?} became {rebuilt}")),
    }
}

fn is_same_scalar(source: &Source, rebuilt: &Value) -> bool {
    match (source, rebuilt) {
        (Source::Null, Value::Null) => true,
        (Source::Bool(a), Value::Bool(b)) => a == b,
        (Source::Bool(a), Value::String(text)) => text == if *a { "True" } else { "False" },
        (Source::Number(literal), Value::Number(number)) => match number.as_i64() {
            Some(whole) => is_whole(literal, whole.into()),
            None => number.as_f64().is_some_and(|value| is_double(literal, value)),
        },
        (Source::Number(literal), Value::String(text)) => {
            let is_text_of_double =
                || text.parse().is_ok_and(|value| is_double(literal, value) && python_text::float_repr(value) == *text);
            is_same_decimal(literal, text)
                || text.parse().is_ok_and(|whole| is_whole(literal, whole))
                || is_text_of_double()
        }
        (Source::Text(a), Value::String(b)) => a == b || is_same_instant(a, b),
        (Source::Text(text), Value::Number(number)) => match number.as_i64() {
            Some(whole) => whole.to_string() == *text,
            None => number.as_f64().is_some_and(|value| python_text::float_repr(value) == *text),
        },
        (Source::Text(text), Value::Bool(value)) => {
            text.to_lowercase() == value.to_string() && ["true", "false", "True", "False"].contains(&text.as_str())
        }
        _ => false,
    }
}

fn is_same_instant(text: &str, stored: &str) -> bool {
    let instant = iso_timestamp::detect_iso_timestamp(text);
    let fraction = text.rsplit(['.', ',']).next().unwrap_or_default();
    let is_cut = fraction.len() < text.len()
        && fraction.bytes().skip(6).take_while(u8::is_ascii_digit).any(|digit| digit != b'0');
    !is_cut && instant.is_some_and(|micros| rows::timestamp(micros) == stored)
}

/// Returns true when both literals say one number, to the last digit.
fn is_same_decimal(a: &str, b: &str) -> bool {
    digits_and_exponent(a).is_some_and(|a| Some(a) == digits_and_exponent(b))
}

/// Returns sign, digits without zeros around them, and the power of ten of the last one; `None`
/// when the text is not a number.
fn digits_and_exponent(literal: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = literal.split_once(['e', 'E']).unwrap_or((literal, "0"));
    let unsigned = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_end_matches('0');
    let zeros = digits.len() - significant.len();
    let significant = significant.trim_start_matches('0').to_owned();
    match significant.is_empty() {
        true => Some((false, significant, 0)),
        false => {
            let exponent = exponent.parse::<i64>().ok()? - fraction.len() as i64 + zeros as i64;
            Some((mantissa.starts_with('-'), significant, exponent))
        }
    }
}

fn is_whole(literal: &str, value: i128) -> bool {
    match literal.parse::<i128>() {
        Ok(whole) => whole == value,
        Err(_) => {
            value as f64 as i128 == value && is_double(literal, value as f64) && literal.contains(['.', 'e', 'E'])
        }
    }
}

/// Returns true when the literal means that double, and printing it with as many digits as the
/// literal has gives the literal's digits back: then no digit is lost.
fn is_double(literal: &str, value: f64) -> bool {
    if let Ok(whole) = literal.parse::<i128>() {
        return value.fract() == 0.0 && value as i128 == whole;
    }
    let mantissa = literal.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_matches('0');
    let printed = format!("{value:.*e}", digits.len().saturating_sub(1));
    let printed: String = printed.split('e').next().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    literal.parse() == Ok(value) && value.is_finite() && (printed.trim_matches('0') == digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_documented_is_equal() {
        for (record, rebuilt) in [
            (r#"{"a":null,"b":{},"c":[],"d":{"e":[]}}"#, json!({})),
            (r#"{"a":[null,{},[],1]}"#, json!({"a": [null, null, null, 1]})),
            (r#"{"a":2.0,"b":2,"c":1e22,"d":0.10000000000000001}"#, json!({"a": 2, "b": 2.0, "c": 1e22, "d": 0.1})),
            (r#"{"a":"2024-01-01T01:00:00+01:00"}"#, json!({"a": "2024-01-01T00:00:00.000000Z"})),
            (
                r#"{"a":7,"b":true,"c":0.5,"d":18446744073709551616}"#,
                json!({"a": "7", "b": "True", "c": "0.5", "d": "18446744073709551616"}),
            ),
            (r#"{"a":"7","b":"1.5"}"#, json!({"a": 7, "b": 1.5})),
            (
                r#"{"a":9007199254740993.0,"b":1.25e21,"c":-0.50,"d":0.0}"#,
                json!({"a": "9007199254740993", "b": "1250000000000000000000", "c": "-0.5", "d": "0"}),
            ),
        ] {
            assert_eq!(difference(record, &rebuilt), None);
        }
        for (record, rebuilt) in [
            (r#"{"a":1}"#, json!({})),
            ("{}", json!({"a": 1})),
            (r#"{"a":[1]}"#, json!({"a": [1, null]})),
            (r#"{"a":[null]}"#, json!({})),
            (r#"{"a":9007199254740993}"#, json!({"a": 9_007_199_254_740_992.0})),
            (r#"{"a":0.12345678901234567890}"#, json!({"a": 0.123_456_789_012_345_68})),
            (r#"{"a":9007199254740993.0}"#, json!({"a": "9007199254740992"})),
            (r#"{"a":1.5}"#, json!({"a": "15"})),
            (r#"{"a":"007"}"#, json!({"a": 7})),
            (r#"{"a":"1.50"}"#, json!({"a": 1.5})),
            (r#"{"a":1}"#, json!({"a": true})),
            (r#"{"a":true}"#, json!({"a": 1})),
            (r#"{"a":"yes"}"#, json!({"a": true})),
            (r#"{"a":"2024-01-01T00:00:00Z"}"#, json!({"a": "2024-01-01T00:00:01.000000Z"})),
            (r#"{"a":"2024-01-01T00:00:00.1234567Z"}"#, json!({"a": "2024-01-01T00:00:00.123456Z"})),
        ] {
            assert!(difference(record, &rebuilt).is_some(), "{record} is not {rebuilt}");
        }
    }
}
