//! Rows of a table as JSON values in one canonical form, whatever client read them.
//!
//! | type | value |
//! |---|---|
//! | any, null | `null` |
//! | text | string |
//! | bigint | number; beyond 64 bits signed: string of its digits |
//! | decimal | string of its digits, with a point only if it has a fraction |
//! | double | number made from an `f64` (`2.0`, not `2`); `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | bool | `true`, `false` |
//! | timestamp | `"2024-01-31T23:59:59.000000Z"`, in UTC, always six digits |
//! | date | `"2024-01-31"` |
//! | time | `"23:59:59.000000"` |
//! | binary | string of small hexadecimal digits |
//! | json | the parsed value, or its text: the suite parses texts of columns it knows to be JSON |

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_cast::display::array_value_to_string;
use arrow_schema::{DataType as ArrowType, TimeUnit};
use longshore_core::{Error, Result};
use serde_json::Value;
use std::fmt::Write;
use std::sync::Arc;

/// Column names and rows, in the order the client gave them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// Names, in column order.
    pub columns: Vec<String>,
    /// A value a column, in canonical form.
    pub rows: Vec<Vec<Value>>,
}

impl Rows {
    /// Returns the rows of Arrow batches. Batches may lack columns that others have: null there.
    ///
    /// # Errors
    /// When a column has a type that no destination type is read as (lists, structs, maps).
    pub fn from_batches(batches: &[RecordBatch]) -> Result<Self> {
        let mut out = Rows::default();
        for batch in batches {
            for field in batch.schema().fields() {
                if !out.columns.contains(field.name()) {
                    out.columns.push(field.name().clone());
                }
            }
        }
        for batch in batches {
            let cells: Vec<Option<Vec<Value>>> = out
                .columns
                .iter()
                .map(|name| batch.column_by_name(name).map(values).transpose())
                .collect::<Result<_>>()?;
            let cell =
                |column: &Option<Vec<Value>>, row: usize| column.as_ref().map_or(Value::Null, |c| c[row].clone());
            out.rows.extend((0..batch.num_rows()).map(|row| cells.iter().map(|c| cell(c, row)).collect()));
        }
        Ok(out)
    }

    /// Returns the values of some columns, rows sorted by their JSON text: tables have no order.
    ///
    /// # Panics
    /// When a column is missing; the message names those that are there.
    #[must_use]
    pub fn select(&self, columns: &[&str]) -> Vec<Vec<Value>> {
        let at: Vec<usize> = columns.iter().map(|c| self.position(c)).collect();
        let mut rows: Vec<Vec<Value>> = self.rows.iter().map(|r| at.iter().map(|&i| r[i].clone()).collect()).collect();
        rows.sort_by_cached_key(|row| json_text(row));
        rows
    }

    /// Returns the values of one column, in row order.
    ///
    /// # Panics
    /// When the column is missing.
    #[must_use]
    pub fn column(&self, name: &str) -> Vec<Value> {
        let at = self.position(name);
        self.rows.iter().map(|r| r[at].clone()).collect()
    }

    /// Replaces texts of a JSON column by the values they say.
    ///
    /// # Panics
    /// When the column is missing.
    pub fn parse_json(&mut self, column: &str) {
        let at = self.position(column);
        for value in self.rows.iter_mut().map(|r| &mut r[at]) {
            let parsed = value.as_str().and_then(|text| serde_json::from_str(text).ok());
            if let Some(parsed) = parsed {
                *value = parsed;
            }
        }
    }

    fn position(&self, name: &str) -> usize {
        let found = self.columns.iter().position(|c| c == name);
        found.unwrap_or_else(|| panic!("no column '{name}' among {:?}", self.columns))
    }
}

/// Returns a row as compact JSON: what rows are sorted and compared by, since `-0.0 == 0.0`.
#[must_use]
pub fn json_text(row: &[Value]) -> String {
    serde_json::to_string(row).expect("JSON values print as JSON")
}

/// Returns the values of an Arrow array in canonical form.
///
/// # Errors
/// For lists, structs, maps and what else no destination type is read as.
pub fn values(array: &ArrayRef) -> Result<Vec<Value>> {
    use ArrowType::*;
    let to = |to: &ArrowType| cast(array, to).map_err(|e| Error::internal("a column cannot be read back").source(e));
    let each = |array: &dyn Array, value: &dyn Fn(usize) -> Value| -> Vec<Value> {
        (0..array.len()).map(|i| if array.is_null(i) { Value::Null } else { value(i) }).collect()
    };
    let whole = |array: &ArrayRef, value: &dyn Fn(i64) -> Value| {
        each(array, &|i| value(array.as_primitive::<Int64Type>().value(i)))
    };
    Ok(match array.data_type() {
        Null => vec![Value::Null; array.len()],
        Boolean => each(array, &|i| array.as_boolean().value(i).into()),
        UInt64 => each(array, &|i| {
            let value = array.as_primitive::<arrow_array::types::UInt64Type>().value(i);
            i64::try_from(value).map_or_else(|_| value.to_string().into(), Value::from)
        }),
        t if t.is_integer() => whole(&to(&Int64)?, &Value::from),
        t if t.is_floating() => {
            let array = to(&Float64)?;
            each(&array, &|i| double(array.as_primitive::<Float64Type>().value(i)))
        }
        Utf8 | LargeUtf8 | Utf8View => {
            let array = to(&Utf8)?;
            each(&array, &|i| array.as_string::<i32>().value(i).into())
        }
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => {
            let array = to(&Binary)?;
            each(&array, &|i| hex(array.as_binary::<i32>().value(i)).into())
        }
        Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..) => {
            let text = |i| array_value_to_string(array, i).expect("a decimal prints");
            each(array, &|i| plain_decimal(&text(i)).into())
        }
        Timestamp(unit, _) => whole(&to(&Int64)?, &|v| timestamp(micros(v, *unit)).into()),
        Date32 => each(array, &|i| date(array.as_primitive::<Date32Type>().value(i)).into()),
        Date64 => whole(&to(&Int64)?, &|v| date(v.div_euclid(86_400_000) as i32).into()),
        Time32(unit) => whole(
            &(cast(&to(&Int32)?, &Int64).map_err(|e| Error::internal("a time cannot be read back").source(e))?),
            &|v| time(micros(v, *unit)).into(),
        ),
        Time64(unit) => whole(&to(&Int64)?, &|v| time(micros(v, *unit)).into()),
        Dictionary(_, of) => values(&to(of)?)?,
        other => return Err(Error::internal("a column of this type cannot be read back").with("type", other)),
    })
}

fn micros(value: i64, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => value * 1_000_000,
        TimeUnit::Millisecond => value * 1000,
        TimeUnit::Microsecond => value,
        TimeUnit::Nanosecond => value.div_euclid(1000),
    }
}

/// Returns the canonical value of a double.
#[must_use]
pub fn double(value: f64) -> Value {
    match serde_json::Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None if value.is_nan() => "NaN".into(),
        None if value > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}

/// Returns bytes as small hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}"); // writing to a String cannot fail
        out
    })
}

/// Returns a decimal's text without zeros behind the point.
fn plain_decimal(text: &str) -> String {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    }
}

/// Returns the canonical text of a timestamp in microseconds since 1970.
#[must_use]
pub fn timestamp(micros: i64) -> String {
    const DAY: i64 = 86_400_000_000;
    format!("{}T{}Z", date(micros.div_euclid(DAY) as i32), time(micros.rem_euclid(DAY)))
}

/// Returns the canonical text of a time of day in microseconds.
#[must_use]
pub fn time(micros: i64) -> String {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    format!("{:02}:{:02}:{:02}.{fraction:06}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Returns the canonical text of a day since 1970.
#[must_use]
pub fn date(days: i32) -> String {
    // Howard Hinnant's civil_from_days: eras of 400 years that begin on the first of March.
    let days = i64::from(days) + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Returns an array as a column of a batch is given: shared.
pub(crate) fn shared(array: impl Array + 'static) -> ArrayRef {
    Arc::new(array)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{BinaryArray, Decimal128Array, Float32Array, TimestampMillisecondArray, UInt64Array};
    use serde_json::json;

    #[test]
    fn arrow_values_have_one_form() {
        let decimals =
            Decimal128Array::from(vec![Some(-120), None]).with_precision_and_scale(38, 2).expect("a valid scale");
        for (array, expect) in [
            (shared(UInt64Array::from(vec![1, u64::MAX])), json!([1, "18446744073709551615"])),
            (shared(decimals), json!(["-1.2", null])),
            (shared(Float32Array::from(vec![2.0, f32::INFINITY])), json!([2.0, "Infinity"])),
            (shared(BinaryArray::from_vec(vec![b"\x00\xff"])), json!(["00ff"])),
            (shared(TimestampMillisecondArray::from(vec![-1])), json!(["1969-12-31T23:59:59.999000Z"])),
        ] {
            assert_eq!(Value::Array(values(&array).expect("a known type")), expect);
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (days, text) in
            [(0, "1970-01-01"), (-719_162, "0001-01-01"), (2_932_896, "9999-12-31"), (19_782, "2024-02-29")]
        {
            assert_eq!(date(days), text);
        }
    }
}
