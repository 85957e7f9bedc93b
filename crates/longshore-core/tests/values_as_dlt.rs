//! Names, row ids and texts of values: the same answers as dlt, for thousands of inputs.
//!
//! The answers are in the JSON document that `tests/differential/values_by_dlt.py` writes by
//! running dlt; `LONGSHORE_DLT_VALUES` is its path. Each section is a list of
//! `[arguments..., answer]`.

use std::fmt::Debug;
use std::sync::LazyLock;

use longshore_core::naming;
use longshore_core::normalize::row_id;
use longshore_core::values::{iso_timestamp, json_text, python_text};
use serde_json::Value;

static ANSWERS: LazyLock<Value> = LazyLock::new(|| {
    let path = std::env::var_os("LONGSHORE_DLT_VALUES").unwrap_or_else(|| {
        panic!("LONGSHORE_DLT_VALUES is not set: run `scripts/test`, which asks dlt for the answers first")
    });
    let document = std::fs::read(&path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()));
    serde_json::from_slice(&document).unwrap_or_else(|e| panic!("{} is no JSON: {e}", path.display()))
});

/// Compares every answer of `section`, then fails with the first few that differ.
fn compare<T: PartialEq + Debug>(section: &str, expected: impl Fn(&Value) -> T, actual: impl Fn(&[Value]) -> T) {
    let rows = ANSWERS[section].as_array().unwrap_or_else(|| panic!("no section {section}"));
    assert!(rows.len() > 100, "section {section} has only {} rows", rows.len());
    let mut differences = Vec::new();
    for row in rows {
        let Some((answer, arguments)) = row.as_array().and_then(|row| row.split_last()) else {
            panic!("{section}: {row} is no row");
        };
        let (expected, actual) = (expected(answer), actual(arguments));
        if expected != actual {
            differences.push(format!("{arguments:?}: dlt {expected:?}, here {actual:?}"));
        }
    }
    let some = differences.iter().take(20).map(String::as_str).collect::<Vec<_>>().join("\n  ");
    assert!(differences.is_empty(), "{section}: {} of {} differ:\n  {some}", differences.len(), rows.len());
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn length(value: &Value) -> usize {
    value.as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or_else(|| panic!("{value} is no length"))
}

fn owned(value: &Value) -> String {
    text(value).to_owned()
}

fn maybe_owned(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// A float the document holds as the decimal text of its 64 bits.
fn float(value: &Value) -> f64 {
    f64::from_bits(text(value).parse().unwrap_or_else(|_| panic!("{value} is no float")))
}

#[test]
fn identifiers_are_the_same() {
    compare("identifiers", maybe_owned, |row| naming::normalize_identifier(text(&row[0])));
}

#[test]
fn paths_keys_and_tables_are_the_same() {
    compare("paths", owned, |row| naming::normalize_path(text(&row[0])));
    compare("keys", owned, |row| naming::normalize_key(text(&row[0])));
    compare("tables", owned, |row| naming::normalize_table_name(text(&row[0])));
    compare("keys_within", owned, |row| naming::normalize_key_within(text(&row[0]), length(&row[1])));
}

#[test]
fn shortened_names_are_the_same() {
    compare("tags", owned, |row| naming::tag(text(&row[0])));
    compare("shortened", owned, |row| naming::shorten(text(&row[0]), text(&row[1]), length(&row[2])));
    compare("variants", owned, |row| naming::variant_name(text(&row[0]), text(&row[1]), length(&row[2])));
    compare("fragments", owned, |row| {
        let fragments: Vec<&str> = row[0].as_array().into_iter().flatten().map(text).collect();
        naming::shorten_fragments(&fragments, length(&row[1]))
    });
}

#[test]
fn nested_row_ids_are_the_same() {
    compare("nested_ids", owned, |row| {
        let index = row[2].as_u64().unwrap_or_else(|| panic!("{} is no index", row[2]));
        row_id::nested_row_id(text(&row[0]), text(&row[1]), index)
    });
}

#[test]
fn timestamps_are_detected_in_the_same_texts() {
    compare("detected", Value::as_i64, |row| iso_timestamp::detect_iso_timestamp(text(&row[0])));
}

#[test]
fn texts_become_the_same_timestamps_dates_and_times() {
    compare("timestamps", Value::as_i64, |row| iso_timestamp::parse_timestamp(text(&row[0])));
    compare("dates", Value::as_i64, |row| iso_timestamp::parse_date(text(&row[0])).map(i64::from));
    compare("times", Value::as_i64, |row| iso_timestamp::parse_time(text(&row[0])));
}

#[test]
fn numbers_become_the_same_timestamps_and_timestamps_the_same_text() {
    compare("epoch_seconds", Value::as_i64, |row| iso_timestamp::from_epoch_seconds(float(&row[0])));
    compare("isoformat", owned, |row| {
        iso_timestamp::format_iso(row[0].as_i64().unwrap_or_else(|| panic!("{} is no timestamp", row[0])))
    });
}

#[test]
fn texts_become_the_same_numbers() {
    compare("integers", maybe_owned, |row| match python_text::parse_int(text(&row[0]))? {
        python_text::PyInt::Small(small) => Some(small.to_string()),
        python_text::PyInt::Big(digits) => Some(digits),
    });
    compare("floats", maybe_owned, |row| {
        let number = python_text::parse_float(text(&row[0]))?;
        Some(if number.is_nan() { "nan".to_owned() } else { number.to_bits().to_string() })
    });
    compare("bools", Value::as_bool, |row| python_text::str2bool(text(&row[0])));
}

#[test]
fn floats_and_json_are_written_the_same() {
    compare("float_reprs", owned, |row| python_text::float_repr(float(&row[0])));
    compare("json_texts", owned, |row| {
        let mut out = String::new();
        json_text::write_escaped(&mut out, text(&row[0]));
        out
    });
}
