//! A query's rows as Arrow.

use crate::document::document;
use crate::query::Answer;
use crate::types::modern;
use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Decimal256Builder, Float64Builder, Int64Builder,
    StringBuilder, Time64MicrosecondBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow_buffer::i256;
use arrow_schema::{DataType, Field, Schema};
use base64::{Engine, engine::general_purpose::STANDARD};
use longshore_core::answer::as_json;
use longshore_core::error::{Error, Result};
use serde_json::Value;
use std::sync::Arc;

/// Returns the rows as one batch.
pub(crate) fn to_batch(answer: &Answer) -> Result<RecordBatch> {
    let columns: Result<Vec<(Field, ArrayRef)>> =
        answer.fields.iter().enumerate().map(|(i, field)| column(answer, i, field)).collect();
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns?.into_iter().unzip();
    let options = RecordBatchOptions::new().with_row_count(Some(answer.rows.len()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|e| Error::internal("the answer cannot be read").source(e))
}

fn column(answer: &Answer, at: usize, field: &Value) -> Result<(Field, ArrayRef)> {
    let name = field["name"].as_str().unwrap_or_default();
    let kind = modern(field["type"].as_str().unwrap_or_default());
    let cells = answer.rows.iter().map(|r| r.get(at).unwrap_or(&Value::Null));
    if field["mode"].as_str() == Some("REPEATED") || kind == "STRUCT" {
        let texts = cells.map(|cell| (!cell.is_null()).then(|| document(field, cell).to_string()));
        let array: ArrayRef = Arc::new(StringArray::from_iter(texts));
        return Ok((as_json(Field::new(name, array.data_type().clone(), true)), array));
    }
    let cells: Vec<Cell<'_>> = cells.map(Cell).collect();
    let unreadable =
        || Error::destination(format!("BigQuery's answer has a {kind} that cannot be read")).with("column", name);
    let array = array(kind, &cells).ok_or_else(unreadable)?;
    let field = Field::new(name, array.data_type().clone(), true);
    Ok((if kind == "JSON" { as_json(field) } else { field }, array))
}

/// One value: null or a text.
struct Cell<'a>(&'a Value);

impl Cell<'_> {
    /// The value as `read` reads its text; `None` when it cannot, `Some(None)` for null.
    fn read<T>(&self, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
        match self.0 {
            Value::Null => Some(None),
            Value::String(text) => read(text).map(Some),
            _ => None,
        }
    }
}

macro_rules! build {
    ($builder:expr, $cells:expr, $read:expr) => {{
        let mut builder = $builder;
        for cell in $cells {
            builder.append_option(cell.read($read)?);
        }
        Arc::new(builder.finish())
    }};
}

fn array(kind: &str, cells: &[Cell<'_>]) -> Option<ArrayRef> {
    Some(match kind {
        "INT64" => build!(Int64Builder::new(), cells, |t| t.parse::<i64>().ok()),
        "FLOAT64" => build!(Float64Builder::new(), cells, |t| t.parse::<f64>().ok()),
        "BOOL" => build!(BooleanBuilder::new(), cells, |t| t.parse::<bool>().ok()),
        "BYTES" => build!(BinaryBuilder::new(), cells, |t| STANDARD.decode(t).ok()),
        "TIMESTAMP" => {
            build!(TimestampMicrosecondBuilder::new().with_timezone("UTC"), cells, |t| t.parse::<i64>().ok())
        }
        "DATETIME" => build!(TimestampMicrosecondBuilder::new(), cells, datetime),
        "DATE" => build!(Date32Builder::new(), cells, date),
        "TIME" => build!(Time64MicrosecondBuilder::new(), cells, time),
        "NUMERIC" => build!(Decimal128Builder::new().with_data_type(DataType::Decimal128(38, 9)), cells, |t| {
            digits(t, 9)?.parse::<i128>().ok()
        }),
        "BIGNUMERIC" => build!(Decimal256Builder::new().with_data_type(DataType::Decimal256(76, 38)), cells, |t| {
            i256::from_string(&digits(t, 38)?)
        }),
        _ => {
            let mut builder = StringBuilder::new();
            for cell in cells {
                match cell.0 {
                    Value::Null => builder.append_null(),
                    Value::String(text) => builder.append_value(text),
                    nested => builder.append_value(nested.to_string()),
                }
            }
            Arc::new(builder.finish())
        }
    })
}

/// A decimal number's digits with so many behind the point, which is left out.
fn digits(text: &str, scale: usize) -> Option<String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    (fraction.len() <= scale).then(|| format!("{whole}{fraction}{}", "0".repeat(scale - fraction.len())))
}

/// `2024-01-31` as days since 1970.
fn date(text: &str) -> Option<i32> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (number(parts.next())?, number(parts.next())?, number(parts.next())?);
    // Howard Hinnant's days_from_civil: eras of 400 years that begin on the first of March.
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    i32::try_from(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468).ok()
}

/// `23:59:59.5` as microseconds since midnight.
fn time(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = clock.splitn(3, ':');
    let (hours, minutes, seconds) = (number(parts.next())?, number(parts.next())?, number(parts.next())?);
    let micros: i64 = format!("{fraction:0<6.6}").parse().ok()?;
    Some(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros)
}

/// `2024-01-31T23:59:59.5` as microseconds since 1970.
fn datetime(text: &str) -> Option<i64> {
    let (day, clock) = text.split_once(['T', ' '])?;
    Some(i64::from(date(day)?) * 86_400_000_000 + time(clock)?)
}

fn number(text: Option<&str>) -> Option<i64> {
    text?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Date32Type, Decimal256Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType};
    use serde_json::json;

    #[test]
    fn every_type_of_an_answer_is_read() {
        let cells = [
            ("INTEGER", "-7"),
            ("BIGNUMERIC", "99999999999999999999999999999999999999"),
            ("DATE", "0001-01-01"),
            ("TIME", "23:59:59.999999"),
            ("TIMESTAMP", "-1"),
            ("DATETIME", "1970-01-02T00:00:00.5"),
            ("BYTES", "AP4="),
        ];
        let fields = cells.iter().map(|(kind, _)| json!({"name": kind, "type": kind})).collect();
        let row = cells.iter().map(|(_, v)| json!(v)).collect();
        let batch = to_batch(&Answer { fields, rows: vec![row, vec![Value::Null; 7]] }).unwrap();
        assert_eq!(batch.column(0).as_primitive::<Int64Type>().value(0), -7);
        let big = batch.column(1).as_primitive::<Decimal256Type>();
        assert_eq!(big.value_as_string(0), format!("{}.{}", "9".repeat(38), "0".repeat(38)));
        assert_eq!(batch.column(2).as_primitive::<Date32Type>().value(0), -719_162);
        assert_eq!(batch.column(3).as_primitive::<Time64MicrosecondType>().value(0), 86_399_999_999);
        assert_eq!(batch.column(4).as_primitive::<TimestampMicrosecondType>().value(0), -1);
        assert_eq!(batch.column(5).as_primitive::<TimestampMicrosecondType>().value(0), 86_400_500_000);
        assert_eq!(batch.column(6).as_binary::<i32>().value(0), b"\0\xfe");
        assert!(batch.columns().iter().all(|c| c.null_count() == 1));
    }

    #[test]
    fn lists_and_structs_are_text() {
        let fields = vec![json!({"name": "l", "type": "INTEGER", "mode": "REPEATED"})];
        let batch = to_batch(&Answer { fields, rows: vec![vec![json!([{"v": "1"}])]] }).unwrap();
        assert_eq!(batch.column(0).as_string::<i32>().value(0), "[1]");
    }
}
