//! Queries of people, as Arrow: values come as texts, which every type has, and are read as what Arrow has for the type.
//! A column that Arrow cannot hold (an interval, an array, an infinite moment) stays text.

use crate::session::Session;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int16Array,
    Int32Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{DECIMAL128_MAX_PRECISION, Field, Schema};
use longshore_core::answer::as_json;
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_sql::identifier;
use std::str::FromStr;
use std::sync::Arc;
use tokio_postgres::types::Type;

/// Runs one statement in a transaction that only reads, with the dataset's tables first.
pub(crate) async fn query(session: &Session, dataset: &str, sql: &str) -> Result<Vec<RecordBatch>> {
    let path = format!("SET search_path = {}, public; BEGIN READ ONLY", identifier(dataset));
    session.batch(&path).await?;
    // Preparing tells the types, and refuses several statements in one text.
    let statement = session.wait(session.client.prepare(sql)).await.map_err(refused)?;
    let rows = session.rows(sql).await.map_err(refused)?;
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (i, column) in statement.columns().iter().enumerate() {
        let texts: Vec<Option<&str>> = rows.iter().map(|r| r.get(i)).collect();
        let array = typed(column.type_(), column.type_modifier(), &texts).unwrap_or_else(|| text(&texts));
        let field = Field::new(column.name(), array.data_type().clone(), true);
        let is_json = [Type::JSON, Type::JSONB].contains(column.type_());
        fields.push(if is_json { as_json(field) } else { field });
        columns.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options);
    Ok(vec![batch.map_err(|e| Error::internal("an answer does not fit its columns").source(e))?])
}

/// A query is the user's own text: the cause says what is wrong with it, and no retry helps.
fn refused(error: Error) -> Error {
    match std::error::Error::source(&error).map(ToString::to_string) {
        Some(cause) if !error.is_retryable() || cause.contains("does not exist") => {
            Error::new(ErrorKind::Destination, "the query was refused").source(cause)
        }
        _ => error,
    }
}

fn text(texts: &[Option<&str>]) -> ArrayRef {
    Arc::new(texts.iter().copied().collect::<StringArray>())
}

/// Returns the column as the Arrow type that stands for the type, or `None` where there is none or a value does not fit.
fn typed(data_type: &Type, modifier: i32, texts: &[Option<&str>]) -> Option<ArrayRef> {
    Some(match *data_type {
        Type::BOOL => Arc::new(BooleanArray::from(parsed(texts, |v| Some(v == "t"))?)),
        Type::INT2 => Arc::new(Int16Array::from(parsed(texts, number)?)),
        Type::INT4 => Arc::new(Int32Array::from(parsed(texts, number)?)),
        Type::INT8 => Arc::new(Int64Array::from(parsed(texts, number)?)),
        Type::FLOAT4 => Arc::new(Float32Array::from(parsed(texts, number)?)),
        Type::FLOAT8 => Arc::new(Float64Array::from(parsed(texts, number)?)),
        Type::NUMERIC => return decimals(modifier, texts),
        Type::BYTEA => {
            let values = parsed(texts, bytes)?;
            Arc::new(BinaryArray::from_iter(values))
        }
        Type::DATE => Arc::new(Date32Array::from(parsed(texts, date)?)),
        Type::TIME => Arc::new(Time64MicrosecondArray::from(parsed(texts, time)?)),
        Type::TIMESTAMP => Arc::new(TimestampMicrosecondArray::from(parsed(texts, moment)?)),
        Type::TIMESTAMPTZ => {
            let utc = |v: &str| moment(&v.replacen("+00", "", 1));
            Arc::new(TimestampMicrosecondArray::from(parsed(texts, utc)?).with_timezone("UTC"))
        }
        _ => return None,
    })
}

/// Reads every value, or says that one cannot be read.
fn parsed<T>(texts: &[Option<&str>], read: impl Fn(&str) -> Option<T>) -> Option<Vec<Option<T>>> {
    texts.iter().map(|t| t.map_or(Some(None), |t| read(t).map(Some))).collect()
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

/// Precision and scale are the column's own; a sum or an expression has none, and gets as many as its values need.
fn decimals(modifier: i32, texts: &[Option<&str>]) -> Option<ArrayRef> {
    let fraction = |t: &str| t.split_once('.').map_or(0, |(_, f)| f.len());
    let scale_needed = texts.iter().flatten().map(|t| fraction(t)).max().unwrap_or(0);
    // numeric(p,s) is stored as p in the upper half and s in the lower eleven bits, plus four.
    let (precision, scale) = match modifier {
        m if m >= 4 => ((((m - 4) >> 16) & 0xffff) as usize, ((m - 4) & 0x7ff) as usize),
        _ => (usize::from(DECIMAL128_MAX_PRECISION), scale_needed),
    };
    if precision > usize::from(DECIMAL128_MAX_PRECISION) || scale > precision || scale_needed > scale {
        return None;
    }
    let read = |t: &str| {
        let zeros = scale - fraction(t);
        let digits: String = t.chars().filter(|c| *c != '.').chain(std::iter::repeat_n('0', zeros)).collect();
        let value: i128 = digits.parse().ok()?;
        (value.unsigned_abs() < 10u128.pow(precision as u32)).then_some(value)
    };
    let array = Decimal128Array::from(parsed(texts, read)?);
    Some(Arc::new(array.with_precision_and_scale(precision as u8, scale as i8).ok()?))
}

/// `\x00ff`
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?;
    (0..digits.len()).step_by(2).map(|i| u8::from_str_radix(digits.get(i..i + 2)?, 16).ok()).collect()
}

/// `2024-02-29`; years before 1 end in ` BC`. Days since 1970.
fn date(text: &str) -> Option<i32> {
    let (text, is_bc) = text.strip_suffix(" BC").map_or((text, false), |t| (t, true));
    let mut parts = text.splitn(3, '-').map(|p| p.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let year = if is_bc { 1 - year } else { year };
    // Howard Hinnant's days_from_civil: eras of 400 years that begin on the first of March.
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    i32::try_from(era * 146_097 + of_era - 719_468).ok()
}

/// `23:59:59.000001`, in microseconds.
fn time(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = clock.splitn(3, ':').map(|p| p.parse::<i64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let micros: i64 = format!("{fraction:0<6}").parse().ok()?;
    Some(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros)
}

/// `2024-02-29 23:59:59.5`, in microseconds since 1970.
fn moment(text: &str) -> Option<i64> {
    let (text, era) = text.strip_suffix(" BC").map_or((text, ""), |t| (t, " BC"));
    let (day, clock) = text.split_once(' ')?;
    i64::from(date(&format!("{day}{era}"))?).checked_mul(86_400_000_000)?.checked_add(time(clock)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_schema::DataType;

    #[test]
    fn texts_are_read_as_what_they_say() {
        assert_eq!(
            (date("1970-01-01"), date("2024-02-29"), date("0001-01-01")),
            (Some(0), Some(19_782), Some(-719_162))
        );
        assert_eq!(date("0001-12-31 BC"), Some(-719_163));
        assert_eq!(moment("1969-12-31 23:59:59.9"), Some(-100_000));
        assert_eq!(
            (moment("infinity"), time("24:00:00"), bytes("\\x00ff")),
            (None, Some(86_400_000_000), Some(vec![0, 255]))
        );
    }

    #[test]
    fn decimals_have_the_scale_they_need() {
        let of = |modifier, texts: &[&str]| {
            let texts: Vec<Option<&str>> = texts.iter().map(|t| Some(*t)).collect();
            decimals(modifier, &texts).map(|a| a.data_type().clone())
        };
        assert_eq!(of(-1, &["1.5", "-2", "0.25"]), Some(DataType::Decimal128(38, 2)));
        assert_eq!(of((10 << 16 | 3) + 4, &["1.500"]), Some(DataType::Decimal128(10, 3)));
        assert!(of(-1, &["NaN"]).is_none() && of(-1, &[&"9".repeat(39)]).is_none());
    }
}
