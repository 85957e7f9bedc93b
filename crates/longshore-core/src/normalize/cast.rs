//! Columns that became wider: arrays made before, as the column is now. Every value keeps its exact value.

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{ColumnType, DECIMAL_PRECISION, DataType, Table};
use crate::values::{iso_timestamp, python_text};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, Decimal128Array, Float64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::{DataType as ArrowType, Field, Schema};
use std::sync::Arc;

/// Returns a batch with the types that the table's columns of the same names have now; one that has them already is
/// not copied. Columns that the table does not have stay as they are.
///
/// # Errors
/// When a column's type does not widen to the one it should have, or a value would not be the same.
pub fn cast_batch(batch: &RecordBatch, table: &Table) -> Result<RecordBatch> {
    let known = batch.schema();
    let wanted = |field: &Field| table.column(field.name()).map(|c| c.column_type());
    let differs = |field: &Arc<Field>| wanted(field).is_some_and(|t| t.arrow() != *field.data_type());
    if !known.fields().iter().any(differs) {
        return Ok(batch.clone());
    }
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut arrays = Vec::with_capacity(batch.num_columns());
    for (field, array) in known.fields().iter().zip(batch.columns()) {
        let array = match wanted(field) {
            Some(to) => cast_array(array, to).map_err(|e| e.with("table", &table.name).with("column", field.name()))?,
            None => Arc::clone(array),
        };
        fields.push(Field::new(field.name(), array.data_type().clone(), field.is_nullable()));
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|e| Error::internal("a wider column is not as long as its batch").with("table", &table.name).source(e))
}

/// Returns an array as a column of that type has it.
///
/// # Errors
/// As [`cast_batch`].
pub fn cast_array(array: &ArrayRef, to: impl Into<ColumnType>) -> Result<ArrayRef> {
    let to = to.into();
    if *array.data_type() == to.arrow() {
        return Ok(Arc::clone(array));
    }
    Ok(match (array.data_type(), to.data_type) {
        (ArrowType::Int64, DataType::Double) => {
            let values = array.as_primitive::<Int64Type>();
            if values.iter().flatten().any(|v| v.unsigned_abs() > 1 << 53) {
                return Err(Error::new(ErrorKind::Data, "a whole number beyond 2^53 has no place in a double column")
                    .hint(
                        "the column was made double by another pipeline or package: load into another table or dataset",
                    ));
            }
            Arc::new(values.iter().map(|v| v.map(|v| v as f64)).collect::<Float64Array>())
        }
        (ArrowType::Int64, DataType::Decimal) => {
            decimals(array.as_primitive::<Int64Type>().iter().map(|v| v.map(i128::from)), 0, to)?
        }
        (ArrowType::Decimal128(_, scale), DataType::Decimal) => {
            decimals(array.as_primitive::<Decimal128Type>().iter(), *scale, to)?
        }
        // With or without a time zone, moments are counted in UTC.
        (ArrowType::Timestamp(..), DataType::Timestamp) => {
            let moments = array.as_primitive::<TimestampMicrosecondType>().clone();
            Arc::new(moments.with_timezone_opt(to.is_zoned().then_some("UTC")))
        }
        (_, DataType::Text | DataType::Json) => Arc::new(texts(array, to.data_type == DataType::Json)?),
        (from, to) => return Err(Error::internal(format!("a column of {from} cannot become {to}"))),
    })
}

/// Gives decimals another scale.
fn decimals(values: impl Iterator<Item = Option<i128>>, scale: i8, to: ColumnType) -> Result<ArrayRef> {
    let (precision, wanted) = to.decimal_size();
    let lost = || {
        Error::new(ErrorKind::Data, format!("a number has no place in a {to} column"))
            .hint("the column was made by another pipeline or package: load into another table or dataset")
    };
    let more = u32::try_from(i32::from(wanted) - i32::from(scale)).map_err(|_| lost())?;
    let limit = 10i128.checked_pow(u32::from(precision)).unwrap_or(i128::MAX);
    let scaled = |v: i128| {
        let fitting = 10i128.checked_pow(more).and_then(|by| v.checked_mul(by));
        fitting.filter(|v| v.unsigned_abs() < limit.unsigned_abs()).ok_or_else(lost)
    };
    let values: Vec<Option<i128>> = values.map(|v| v.map(scaled).transpose()).collect::<Result<_>>()?;
    let decimals = Decimal128Array::from(values).with_precision_and_scale(precision, wanted as i8);
    Ok(Arc::new(decimals.map_err(|e| Error::internal("numbers are no decimals").source(e))?))
}

/// Prints values as a text column gets them, or as JSON.
fn texts(array: &ArrayRef, json: bool) -> Result<StringArray> {
    let quoted = |text: String| if json { format!("\"{text}\"") } else { text };
    let print: Box<dyn Fn(usize) -> String + '_> = match array.data_type() {
        ArrowType::Int64 => Box::new(|i| array.as_primitive::<Int64Type>().value(i).to_string()),
        ArrowType::Decimal128(..) => Box::new(|i| array.as_primitive::<Decimal128Type>().value_as_string(i)),
        ArrowType::Float64 => Box::new(move |i| match array.as_primitive::<Float64Type>().value(i) {
            v if json && !v.is_finite() => quoted(v.to_string()),
            v => python_text::float_repr(v),
        }),
        ArrowType::Boolean if json => Box::new(|i| array.as_boolean().value(i).to_string()),
        // As Python prints it, as dlt does.
        ArrowType::Boolean => Box::new(|i| if array.as_boolean().value(i) { "True" } else { "False" }.to_owned()),
        ArrowType::Timestamp(..) => Box::new(move |i| {
            quoted(iso_timestamp::format_iso(array.as_primitive::<TimestampMicrosecondType>().value(i)))
        }),
        ArrowType::Date32 => Box::new(move |i| {
            let micros = i64::from(array.as_primitive::<Date32Type>().value(i)) * 86_400_000_000;
            quoted(iso_timestamp::format_iso(micros).chars().take_while(|c| *c != 'T').collect())
        }),
        ArrowType::Time64(_) => Box::new(move |i| {
            let text = iso_timestamp::format_iso(array.as_primitive::<Time64MicrosecondType>().value(i));
            let of_day = text.split_once('T').map_or("", |(_, time)| time);
            quoted(of_day.chars().take_while(|c| c.is_ascii_digit() || matches!(c, ':' | '.')).collect())
        }),
        other => return Err(Error::internal(format!("a column of {other} cannot become text"))),
    };
    Ok((0..array.len()).map(|i| array.is_valid(i).then(|| print(i))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{BooleanArray, Date32Array, Int64Array, Time64MicrosecondArray, TimestampMicrosecondArray};

    #[test]
    fn values_stay_what_they_are() {
        let whole: ArrayRef = Arc::new(Int64Array::from(vec![Some(-7), None, Some(1 << 53)]));
        let doubles = cast_array(&whole, DataType::Double).unwrap();
        assert_eq!(
            doubles.as_primitive::<Float64Type>(),
            &Float64Array::from(vec![Some(-7.0), None, Some(9007199254740992.0)])
        );
        let large: ArrayRef = Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX]));
        assert_eq!(cast_array(&large, DataType::Double).unwrap_err().kind(), ErrorKind::Data);
        let decimals = cast_array(&large, DataType::Decimal).unwrap();
        assert_eq!(decimals.as_primitive::<Decimal128Type>().value(0), i128::from(i64::MIN));
    }

    #[test]
    fn values_are_printed_as_texts_and_as_json() {
        let arrays: [(ArrayRef, &str, &str); 5] = [
            (Arc::new(Float64Array::from(vec![1.0])), "1.0", "1.0"),
            (Arc::new(BooleanArray::from(vec![true])), "True", "true"),
            (Arc::new(Date32Array::from(vec![19_782])), "2024-02-29", "\"2024-02-29\""),
            (Arc::new(Time64MicrosecondArray::from(vec![45_296_000_007])), "12:34:56.000007", "\"12:34:56.000007\""),
            (
                Arc::new(TimestampMicrosecondArray::from(vec![1_706_745_599_000_001]).with_timezone("UTC")),
                "2024-01-31T23:59:59.000001+00:00",
                "\"2024-01-31T23:59:59.000001+00:00\"",
            ),
        ];
        for (array, text, json) in arrays {
            assert_eq!(cast_array(&array, DataType::Text).unwrap().as_string::<i32>().value(0), text);
            assert_eq!(cast_array(&array, DataType::Json).unwrap().as_string::<i32>().value(0), json);
        }
    }
}
