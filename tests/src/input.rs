//! Records to load, made by rule.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// One record: objects, a list of texts, and a list of objects with a list of numbers.
/// Its `id` is `id`, and everything else follows from it.
fn record(out: &mut String, id: u64) {
    let _ = write!(
        out,
        r#"{{"id":{id},"name":"customer {id}","at":"2024-05-01T10:{:02}:{:02}Z","total":{}.25"#,
        id / 60 % 60,
        id % 60,
        id * 7 % 1000
    );
    let _ = write!(out, r#","who":{{"mail":"u{id}@example.org","tags":["a","tag {}"]}},"lines":["#, id % 97);
    for line in 0..id % 4 {
        let comma = if line > 0 { "," } else { "" };
        let _ =
            write!(out, r#"{comma}{{"sku":"sku-{}","n":{line},"sizes":[{},{}]}}"#, id * 31 % 1009, id % 13, line + id);
    }
    out.push_str("]}\n"); // writing to a String cannot fail
}

/// Returns `records` records, a line each, with the ids `0..records`.
pub fn nested_records(records: u64) -> String {
    let mut text = String::new();
    for id in 0..records {
        record(&mut text, id);
    }
    text
}

/// Writes the same to a file.
///
/// # Panics
/// When it cannot be written.
pub fn write_nested(path: &Path, records: u64) {
    let mut file = BufWriter::new(File::create(path).expect("the input can be written"));
    let mut text = String::new();
    for id in 0..records {
        text.clear();
        record(&mut text, id);
        file.write_all(text.as_bytes()).expect("the input can be written");
    }
    file.flush().expect("the input can be written");
}
