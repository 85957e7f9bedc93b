//! JSONL and CSV, in dlt's forms of values: instants in ISO 8601 with `+00:00`, bytes in base64, large whole
//! numbers as their digits.
//!
//! Two differences from dlt, since nothing may change silently: in CSV nothing stands for null and `""`
//! for an empty text (dlt writes `""` for both); numbers that JSON lacks are texts (dlt writes null).

use super::{Encoded, places};
use crate::config::Compression;
use crate::sink::Sink;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType as ArrowType;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Datelike, Timelike};
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::schema::{DataType, Table};
use std::io::{self, Write};

/// Encodes rows as JSON objects, one a line. Null values are left out where all are null, as dlt
/// leaves out what a record does not have; otherwise they are null.
pub(crate) fn jsonl(table: &Table, batches: &[RecordBatch], compression: Compression) -> Result<Encoded> {
    let keys: Vec<String> = table.columns.iter().map(|c| format!("{}:", quoted(&c.name))).collect();
    lines(batches, compression, |batch, out| {
        let columns: Vec<(&str, Cells<'_>)> = places(table, batch)
            .into_iter()
            .zip(&table.columns)
            .zip(&keys)
            .filter_map(|((place, column), key)| {
                Some((key.as_str(), Cells::of(column.data_type, batch.column(place?))))
            })
            .collect();
        let mut longest = 0;
        for row in 0..batch.num_rows() {
            let begin = out.len();
            out.push(b'{');
            for (i, (key, cells)) in columns.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(key.as_bytes());
                cells.json(row, out);
            }
            out.extend_from_slice(b"}\n");
            longest = longest.max(out.len() - begin);
        }
        Ok(longest)
    })
}

/// Encodes rows as CSV without the header: texts and moments quoted, numbers not.
pub(crate) fn csv(table: &Table, batches: &[RecordBatch], compression: Compression) -> Result<Encoded> {
    lines(batches, compression, |batch, out| {
        let places = places(table, batch).into_iter().zip(&table.columns);
        let columns: Vec<Option<Cells<'_>>> =
            places.map(|(place, column)| place.map(|at| Cells::of(column.data_type, batch.column(at)))).collect();
        let mut longest = 0;
        for row in 0..batch.num_rows() {
            let begin = out.len();
            for (i, cells) in columns.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                if let Some(cells) = cells {
                    cells
                        .csv(row, out)
                        .map_err(|e| e.with("column", &table.columns[i].name).with("table", &table.name))?;
                }
            }
            out.push(b'\n');
            longest = longest.max(out.len() - begin);
        }
        Ok(longest)
    })
}

/// Returns the header line of a CSV file.
pub(crate) fn header(table: &Table, compression: Compression) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    for (i, column) in table.columns.iter().enumerate() {
        if i > 0 {
            line.push(b',');
        }
        quote_csv(column.name.as_bytes(), &mut line);
    }
    line.push(b'\n');
    compressed(line, compression)
}

/// Writes bytes to a file's sink.
pub(crate) fn write(sink: &mut Sink, bytes: &[u8]) -> Result<()> {
    sink.write_all(bytes).map_err(unwritten)
}

/// The sink's error as it was.
pub(crate) fn unwritten(e: io::Error) -> Error {
    match e.into_inner().map(|inner| inner.downcast::<Error>()) {
        Some(Ok(error)) => *error,
        Some(Err(inner)) => Error::destination("the file cannot be written").source(inner),
        None => Error::destination("the file cannot be written"),
    }
}

fn lines(
    batches: &[RecordBatch],
    compression: Compression,
    mut write: impl FnMut(&RecordBatch, &mut Vec<u8>) -> Result<usize>,
) -> Result<Encoded> {
    let (mut bytes, mut rows, mut longest) = (Vec::new(), 0, 0);
    for batch in batches {
        longest = longest.max(write(batch, &mut bytes)?);
        rows += batch.num_rows() as u64;
    }
    Ok(Encoded::Lines { bytes: compressed(bytes, compression)?, rows, longest: longest as u64 })
}

/// A whole gzip member or zstd frame: several behind one another are one file.
fn compressed(bytes: Vec<u8>, compression: Compression) -> Result<Vec<u8>> {
    let failed = |e: io::Error| Error::internal("the lines cannot be compressed").source(e);
    match compression {
        Compression::Gzip => {
            let level = flate2::Compression::new(4);
            let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(bytes.len() / 4), level);
            encoder.write_all(&bytes).map_err(failed)?;
            encoder.finish().map_err(failed)
        }
        Compression::Zstd => zstd::bulk::compress(&bytes, 1).map_err(failed),
        Compression::None | Compression::Snappy => Ok(bytes),
    }
}

/// The values of one column.
struct Cells<'a> {
    data_type: DataType,
    array: &'a ArrayRef,
}

impl<'a> Cells<'a> {
    fn of(data_type: DataType, array: &'a ArrayRef) -> Self {
        Cells { data_type, array }
    }

    fn json(&self, row: usize, out: &mut Vec<u8>) {
        let array = self.array;
        if array.is_null(row) {
            return out.extend_from_slice(b"null");
        }
        match self.data_type {
            DataType::Text => quote_json(array.as_string::<i32>().value(row), out),
            DataType::Json => json_line(array.as_string::<i32>().value(row), out),
            DataType::Bigint => put(out, format_args!("{}", array.as_primitive::<Int64Type>().value(row))),
            DataType::Bool => put(out, format_args!("{}", array.as_boolean().value(row))),
            DataType::Double => match array.as_primitive::<Float64Type>().value(row) {
                value if value.is_finite() => put(out, format_args!("{value:?}")),
                value => put(out, format_args!("\"{}\"", not_finite(value))),
            },
            _ => {
                out.push(b'"');
                self.plain(row, 'T', out);
                out.push(b'"');
            }
        }
    }

    fn csv(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        let array = self.array;
        if array.is_null(row) {
            return Ok(());
        }
        match self.data_type {
            DataType::Text | DataType::Json => {
                let text = array.as_string::<i32>().value(row);
                if text.as_bytes().contains(&0) {
                    return Err(Error::new(
                        ErrorKind::Data,
                        "a text has the character NUL, which CSV readers do not take",
                    )
                    .hint("load into Parquet or JSONL"));
                }
                quote_csv(text.as_bytes(), out);
            }
            DataType::Bigint => put(out, format_args!("{}", array.as_primitive::<Int64Type>().value(row))),
            DataType::Bool => out.extend_from_slice(if array.as_boolean().value(row) { b"True" } else { b"False" }),
            DataType::Double => match array.as_primitive::<Float64Type>().value(row) {
                value if value.is_finite() => put(out, format_args!("{value:?}")),
                value => put(out, format_args!("{}", not_finite(value))),
            },
            DataType::Decimal => self.plain(row, ' ', out),
            _ => {
                out.push(b'"');
                self.plain(row, ' ', out);
                out.push(b'"');
            }
        }
        Ok(())
    }

    /// Values that are written the same in both, but for the letter between day and time.
    fn plain(&self, row: usize, between: char, out: &mut Vec<u8>) {
        let array = self.array;
        match self.data_type {
            DataType::Timestamp => {
                let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
                let (days, of_day) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
                put_date(days, out);
                put(out, format_args!("{between}"));
                put_time(of_day, out);
                if matches!(array.data_type(), ArrowType::Timestamp(_, Some(_))) {
                    out.extend_from_slice(b"+00:00");
                }
            }
            DataType::Date => put_date(i64::from(array.as_primitive::<Date32Type>().value(row)), out),
            DataType::Time => put_time(array.as_primitive::<Time64MicrosecondType>().value(row), out),
            DataType::Decimal => {
                put(out, format_args!("{}", array.as_primitive::<Decimal128Type>().value_as_string(row)))
            }
            DataType::Binary => {
                put(out, format_args!("{}", STANDARD.encode(array.as_binary::<i32>().value(row))));
            }
            DataType::Text | DataType::Json | DataType::Bigint | DataType::Double | DataType::Bool => {}
        }
    }
}

const DAY: i64 = 86_400_000_000;

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text); // writing to a Vec cannot fail
}

fn put_date(days: i64, out: &mut Vec<u8>) {
    // Days outside chrono's 262,000 years do not come from the normaliser.
    let day = DateTime::from_timestamp(days.saturating_mul(86_400), 0).unwrap_or_default();
    put(out, format_args!("{:04}-{:02}-{:02}", day.year(), day.month(), day.day()));
}

/// As Python: the fraction only where there is one, and then six digits.
fn put_time(micros: i64, out: &mut Vec<u8>) {
    let time = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    put(out, format_args!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second()));
    if micros % 1_000_000 != 0 {
        put(out, format_args!(".{:06}", micros.rem_euclid(1_000_000)));
    }
}

fn not_finite(value: f64) -> &'static str {
    match value {
        v if v.is_nan() => "NaN",
        v if v > 0.0 => "Infinity",
        _ => "-Infinity",
    }
}

fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    quote_json(text, &mut out);
    String::from_utf8(out).unwrap_or_default() // made of a str and ASCII: is UTF-8
}

fn quote_json(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut done = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=0x1f => b"",
            _ => continue,
        };
        out.extend_from_slice(&text.as_bytes()[done..at]);
        match escape {
            b"" => put(out, format_args!("\\u{byte:04x}")),
            escape => out.extend_from_slice(escape),
        }
        done = at + 1;
    }
    out.extend_from_slice(&text.as_bytes()[done..]);
    out.push(b'"');
}

/// A JSON value in a line: line ends between its parts (never inside its texts) would break the line.
fn json_line(text: &str, out: &mut Vec<u8>) {
    if text.bytes().any(|b| matches!(b, b'\n' | b'\r')) {
        out.extend(text.bytes().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { b }));
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

fn quote_csv(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for (i, piece) in text.split(|b| *b == b'"').enumerate() {
        if i > 0 {
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(piece);
    }
    out.push(b'"');
}
