//! The data is valid, reproducible, as varied as promised, and its row counts are those that its content has.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use std::collections::BTreeSet;

use longshore_bench_data::{Format, RowCounts, Shape, Summary, generate};
use serde_json::Value;

fn made(shape: Shape, n: u64, seed: u64, format: Format) -> (Vec<u8>, Summary) {
    let mut bytes = Vec::new();
    let summary = generate(shape, n, seed, format, &mut bytes).unwrap();
    assert_eq!(summary.bytes, bytes.len() as u64);
    (bytes, summary)
}

fn records(shape: Shape, n: u64) -> Vec<Value> {
    let (bytes, _) = made(shape, n, 7, Format::Ndjson);
    let text = String::from_utf8(bytes).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Counts the rows of `value` in the table `table` and below, as a relational loader splits it.
fn count(value: &Value, table: &str, rows: &mut RowCounts) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                count(value, &format!("{table}__{}", snake(key)), rows);
            }
        }
        Value::Array(items) => {
            for item in items {
                *rows.entry(table.to_owned()).or_default() += 1;
                match item {
                    Value::Array(_) => count(item, &format!("{table}__list"), rows),
                    _ => count(item, table, rows),
                }
            }
        }
        _ => {}
    }
}

fn snake(key: &str) -> String {
    let mut name = String::new();
    for (i, c) in key.chars().enumerate() {
        match c {
            'A'..='Z' if i > 0 => name.extend(['_', c.to_ascii_lowercase()]),
            '-' | '.' => name.push('_'),
            _ => name.extend(c.to_lowercase()),
        }
    }
    name
}

fn levels(value: &Value) -> usize {
    match value {
        Value::Object(fields) => 1 + fields.values().map(levels).max().unwrap_or(0),
        Value::Array(items) => 1 + items.iter().map(levels).max().unwrap_or(0),
        _ => 0,
    }
}

#[test]
fn every_format_holds_the_same_records() {
    for shape in Shape::ALL {
        let expected = Value::Array(records(shape, 300));
        for (format, place) in [(Format::Array, ""), (Format::Pretty, ""), (Format::Wrapped, "/data")] {
            let (bytes, _) = made(shape, 300, 7, format);
            let whole: Value = serde_json::from_slice(&bytes).unwrap();
            assert!(whole.pointer(place) == Some(&expected), "{shape:?} {format:?}");
        }
    }
}

#[test]
fn no_records_are_valid_too() {
    for shape in Shape::ALL {
        assert!(made(shape, 0, 7, Format::Ndjson).0.is_empty());
        for format in [Format::Array, Format::Pretty, Format::Wrapped] {
            serde_json::from_slice::<Value>(&made(shape, 0, 7, format).0).unwrap();
        }
    }
}

#[test]
fn a_seed_gives_the_same_bytes_and_another_seed_gives_others() {
    for shape in Shape::ALL {
        let first = made(shape, 200, 7, Format::Ndjson);
        assert!(first == made(shape, 200, 7, Format::Ndjson));
        assert!(first.0 != made(shape, 200, 8, Format::Ndjson).0);
    }
}

#[test]
fn the_row_counts_are_those_of_the_content() {
    for shape in Shape::ALL {
        let (bytes, summary) = made(shape, 2000, 7, Format::Array);
        let mut rows = RowCounts::new();
        count(&serde_json::from_slice(&bytes).unwrap(), shape.name(), &mut rows);
        assert_eq!(summary.rows, rows, "{shape:?}");
    }
}

#[test]
fn orders_have_the_promised_variety() {
    let orders = records(Shape::Orders, 5010);
    let bytes = made(Shape::Orders, 5010, 7, Format::Ndjson).0.len() as f64 / 5010.0;
    assert!((900.0..980.0).contains(&bytes), "{bytes} bytes a record");
    for (i, order) in orders.iter().enumerate() {
        assert_eq!(order.get("discount").is_some(), i % 11 == 0);
        assert_eq!(order["total"] == "n/a", i % 501 == 0);
        assert!((1..=5).contains(&order["lineItems"].as_array().unwrap().len()));
    }
    let rate = |pointer: &str, wanted: fn(&Value) -> bool| {
        orders.iter().filter(|o| o.pointer(pointer).is_some_and(wanted)).count() as f64 / orders.len() as f64
    };
    assert!((0.67..0.73).contains(&rate("/note", Value::is_null)));
    assert!((0.01..0.03).contains(&rate("/test", |v| v == true)));
    assert!((0.22..0.28).contains(&rate("/tags", |v| v == &Value::Array(vec![]))));
    assert!((0.45..0.55).contains(&rate("/customer/address/city", |v| !v.as_str().unwrap().is_ascii())));
}

#[test]
fn events_are_wide_and_sparse() {
    let events = records(Shape::Events, 5000);
    let keys: BTreeSet<&String> = events.iter().flat_map(|e| e.as_object().unwrap().keys()).collect();
    let mean = events.iter().map(|e| e.as_object().unwrap().len()).sum::<usize>() as f64 / 5000.0;
    assert_eq!(keys.len(), 156);
    assert_eq!(keys.iter().map(|key| snake(key)).collect::<BTreeSet<_>>().len(), 156);
    assert!((23.0..27.0).contains(&mean), "{mean} keys a record");
    assert_eq!(events.iter().map(levels).max(), Some(7), "the record and six levels below");
}

#[test]
fn trees_nest_twelve_levels() {
    assert!(records(Shape::Tree, 500).iter().all(|tree| levels(tree) == 12));
}
