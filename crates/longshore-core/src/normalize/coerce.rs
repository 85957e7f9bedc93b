//! Fitting a value into a column: dlt's coercions, and which of them we hold to be lossless.
//!
//! The table is dlt's (`dlt/common/data_types/type_helpers.py`). In dlt mode it is followed to the
//! letter as long as no number changes its value. In native mode a value is coerced only when it
//! can be told back from what is stored: `"7"` fits a bigint column, `"007"` does not.

use super::decimal::parse_decimal;
use crate::schema::{ColumnType, DataType, FRACTION_DIGITS, SystemColumns};
use crate::values::{iso_timestamp, python_text};

/// A value of a record that did not take the fast way into its column.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Bool(bool),
    /// A number without fraction and exponent, as written.
    Integer(&'a str),
    /// A number with fraction or exponent, as written.
    Float(&'a str),
    Text(&'a str),
    /// Compact JSON of a dict or list.
    Json(&'a str),
}

/// A value as its column stores it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Typed {
    Int(i64),
    Double(f64),
    Bool(bool),
    Bytes(Vec<u8>),
    Decimal(i128),
    Date(i32),
}

impl Value<'_> {
    /// The type the value has by itself; also the name of its variant.
    pub(super) fn own_type(self) -> DataType {
        match self {
            Value::Bool(_) => DataType::Bool,
            Value::Integer(raw) if raw.parse::<i64>().is_ok() => DataType::Bigint,
            Value::Integer(raw) if parse_decimal(raw, WHOLE).is_some() => DataType::Decimal,
            Value::Integer(_) => DataType::Text,
            Value::Float(raw) if held_by_double(raw).is_some() => DataType::Double,
            Value::Float(_) | Value::Text(_) => DataType::Text,
            Value::Json(_) => DataType::Json,
        }
    }

    /// The type a new column gets from its first value. A number that a double cannot hold makes a
    /// double column all the same, and goes to its text variant: its neighbours are numbers.
    pub(super) fn column_type(self, detect: bool) -> DataType {
        match self {
            Value::Float(_) => DataType::Double,
            Value::Text(text) if detect && iso_timestamp::detect_iso_timestamp(text).is_some() => DataType::Timestamp,
            other => other.own_type(),
        }
    }
}

/// Size of decimals that nobody gave one.
const WHOLE: (u8, u8) = (crate::schema::DECIMAL_PRECISION, 0);

/// Returns the value as the column stores it, or `None` when it needs a variant.
pub(super) fn coerce(target: impl Into<ColumnType>, value: Value<'_>, mode: SystemColumns) -> Option<Typed> {
    let target = target.into();
    typed(target, value, mode).filter(|typed| has_room(target, typed))
}

/// True when a value is within the size of its column.
fn has_room(target: ColumnType, typed: &Typed) -> bool {
    let Some(precision) = target.precision() else { return true };
    match (target.data_type, typed) {
        (DataType::Bigint, Typed::Int(v)) => (-1i64 << (precision - 1)..1 << (precision - 1)).contains(v), // 8, 16 or 32
        (DataType::Timestamp | DataType::Time, Typed::Int(v)) => {
            v % 10i64.pow(FRACTION_DIGITS.saturating_sub(precision)) == 0
        }
        (DataType::Text, Typed::Bytes(bytes)) => {
            let most = precision as usize;
            bytes.len() <= most || std::str::from_utf8(bytes).is_ok_and(|text| text.chars().count() <= most)
        }
        (DataType::Binary, Typed::Bytes(bytes)) => bytes.len() <= precision as usize,
        _ => true,
    }
}

fn typed(target: ColumnType, value: Value<'_>, mode: SystemColumns) -> Option<Typed> {
    let native = mode == SystemColumns::Native;
    match (target.data_type, value) {
        (DataType::Text, value) => Some(Typed::Bytes(as_text(value).into_bytes())),
        (DataType::Bigint, Value::Integer(raw)) => raw.parse().ok().map(Typed::Int),
        (DataType::Bigint, Value::Float(raw)) => whole(held_by_double(raw)?).map(Typed::Int),
        (DataType::Bigint, Value::Text(text)) => text_to_bigint(text, native).map(Typed::Int),
        (DataType::Double, Value::Float(raw)) => held_by_double(raw).map(Typed::Double),
        (DataType::Double, Value::Integer(raw)) => exact_double(raw).map(Typed::Double),
        (DataType::Double, Value::Text(text)) => text_to_double(text, native).map(Typed::Double),
        (DataType::Bool, Value::Bool(v)) => Some(Typed::Bool(v)),
        (DataType::Bool, value) => to_bool(value, native).map(Typed::Bool),
        (DataType::Decimal, Value::Integer(raw) | Value::Float(raw)) => {
            parse_decimal(raw, target.decimal_size()).map(Typed::Decimal)
        }
        // Who names a size wants the number; a column that was only inferred keeps texts that would not come back.
        (DataType::Decimal, Value::Text(text)) if target.is_plain() => {
            parse_decimal(text, WHOLE).filter(|d| d.to_string() == text).map(Typed::Decimal)
        }
        (DataType::Decimal, Value::Text(text)) => parse_decimal(text, target.decimal_size()).map(Typed::Decimal),
        (DataType::Timestamp, value) => to_timestamp(value, native).map(Typed::Int),
        (DataType::Date, Value::Text(text)) if native => iso_timestamp::parse_date_alone(text).map(Typed::Date),
        (DataType::Date, Value::Text(text)) => iso_timestamp::parse_date(text).map(Typed::Date),
        (DataType::Time, Value::Text(text)) => iso_timestamp::parse_time(text).map(Typed::Int),
        (DataType::Binary, Value::Text(text)) => text_to_binary(text).map(Typed::Bytes),
        (DataType::Json, value) => to_json(value, native).map(|t| Typed::Bytes(t.into_bytes())),
        _ => None,
    }
}

/// Returns the double a literal means, if the double printed with as many digits as the literal
/// has gives the literal back: then nothing of it is lost.
///
/// `0.1` and `0.10000000000000001` pass, `0.1234567890123456789012` and `1e400` do not.
pub(super) fn held_by_double(raw: &str) -> Option<f64> {
    let value: f64 = raw.parse().ok()?;
    if !value.is_finite() {
        return None;
    }
    let (digits, count) = significant_digits(raw);
    if count == 0 || (count <= 15 && value.abs() >= f64::MIN_POSITIVE) {
        // Any decimal of up to 15 digits survives the way to a double in the normal range and back.
        return Some(value);
    }
    let printed = format!("{value:.*e}", count - 1);
    let (printed, _) = printed.split_once('e')?;
    let same = printed.bytes().filter(u8::is_ascii_digit).eq(digits.bytes().filter(u8::is_ascii_digit).take(count));
    same.then_some(value)
}

/// Returns the mantissa from its first non-zero digit on, and how many digits it has without
/// trailing zeros.
fn significant_digits(raw: &str) -> (&str, usize) {
    let mantissa = raw.split(['e', 'E']).next().unwrap_or(raw);
    let start = mantissa.find(|c: char| ('1'..='9').contains(&c)).unwrap_or(mantissa.len());
    let digits = &mantissa[start..];
    let last = digits.rfind(|c: char| ('1'..='9').contains(&c)).map_or(0, |i| i + 1);
    (digits, digits[..last].bytes().filter(u8::is_ascii_digit).count())
}

fn whole(value: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0; // 2^63
    (value.fract() == 0.0 && (-LIMIT..LIMIT).contains(&value)).then_some(value as i64)
}

fn exact_double(raw: &str) -> Option<f64> {
    let value: i64 = raw.parse().ok()?;
    let double = value as f64;
    (whole(double) == Some(value)).then_some(double)
}

fn as_text(value: Value<'_>) -> String {
    match value {
        Value::Bool(v) => if v { "True" } else { "False" }.to_owned(), // as Python prints it, as dlt
        Value::Integer(raw) => raw.to_owned(),
        Value::Float(raw) if is_float_repr(raw) => raw.to_owned(),
        Value::Float(raw) => held_by_double(raw).map_or_else(|| raw.to_owned(), python_text::float_repr),
        Value::Text(text) | Value::Json(text) => text.to_owned(),
    }
}

/// True when Python prints the number just as it is written: up to 15 digits always come back, so
/// there is no shorter text, and from 0.1 on it has no exponent.
fn is_float_repr(raw: &str) -> bool {
    let Some((whole, fraction)) = raw.strip_prefix('-').unwrap_or(raw).split_once('.') else { return false };
    let short = whole.len() + fraction.len() <= 15 && fraction.bytes().all(|b| b.is_ascii_digit());
    let large = whole != "0" || !fraction.starts_with('0');
    short && (fraction == "0" || (large && !fraction.ends_with('0')))
}

fn text_to_bigint(text: &str, native: bool) -> Option<i64> {
    if native {
        return text.parse::<i64>().ok().filter(|v| v.to_string() == text);
    }
    match python_text::parse_int(text)? {
        python_text::PyInt::Small(v) => Some(v),
        python_text::PyInt::Big(_) => None,
    }
}

fn text_to_double(text: &str, native: bool) -> Option<f64> {
    let value = python_text::parse_float(text)?;
    if native {
        return (value.is_finite() && python_text::float_repr(value) == text).then_some(value);
    }
    Some(value)
}

fn to_bool(value: Value<'_>, native: bool) -> Option<bool> {
    match value {
        Value::Text(text) if native => match text {
            "true" | "True" => Some(true),
            "false" | "False" => Some(false),
            _ => None,
        },
        Value::Text(text) => python_text::str2bool(text),
        Value::Integer(raw) => match raw.parse::<i64>().ok()? {
            _ if native => None,
            v => Some(v != 0),
        },
        Value::Float(raw) => (!native).then(|| held_by_double(raw).map(|v| v != 0.0)).flatten(),
        _ => None,
    }
}

fn to_timestamp(value: Value<'_>, native: bool) -> Option<i64> {
    match value {
        Value::Text(text) if native => iso_timestamp::detect_iso_timestamp(text),
        Value::Text(text) => iso_timestamp::parse_timestamp(text),
        Value::Integer(raw) | Value::Float(raw) if !native => iso_timestamp::from_epoch_seconds(held_by_double(raw)?),
        _ => None,
    }
}

fn text_to_binary(text: &str) -> Option<Vec<u8>> {
    match text.strip_prefix("0x") {
        Some(hex) => decode_hex(hex),
        None => decode_base64(text),
    }
}

fn decode_hex(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = hex.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits?;
    (digits.len() % 2 == 0).then(|| digits.chunks(2).map(|p| (p[0] * 16 + p[1]) as u8).collect())
}

/// Strict base64 as Python's `b64decode(validate=True)`: the standard alphabet with its padding.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.decode(text).ok()
}

fn to_json(value: Value<'_>, native: bool) -> Option<String> {
    match value {
        Value::Json(text) => Some(text.to_owned()),
        // A JSON column holds any JSON value as it is. dlt parses texts and has no place for others.
        Value::Text(text) if native => {
            let mut out = String::from('"');
            crate::values::json_text::write_escaped(&mut out, text);
            out.push('"');
            Some(out)
        }
        Value::Text(text) => serde_json::from_str::<serde_json::Value>(text).ok().map(|v| v.to_string()),
        Value::Bool(v) if native => Some(v.to_string()),
        Value::Integer(raw) | Value::Float(raw) if native => Some(raw.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SystemColumns::{Dlt, Native};

    #[test]
    fn a_double_holds_what_it_prints_back() {
        for held in [
            "0.1",
            "1.50",
            "0.10000000000000001",
            "1e22",
            "-0.0",
            "0.0000",
            "1632131578.3382933",
            "123456789012345680000.0",
            "5e-324",
            "0.1000000000000000055511151231257827021181583404541015625",
            "1E5",
        ] {
            assert!(held_by_double(held).is_some(), "{held}");
        }
        for lost in ["0.1234567890123456789012", "1e400", "1e-400", "12345678901234567890.12", "0.12345678901234567890"]
        {
            assert!(held_by_double(lost).is_none(), "{lost}");
        }
    }

    #[test]
    fn native_coerces_only_what_can_be_told_back() {
        for (target, text, fits) in [
            (DataType::Bigint, "7", true),
            (DataType::Bigint, "007", false),
            (DataType::Bigint, " 7", false),
            (DataType::Double, "1.5", true),
            (DataType::Double, "1.50", false),
            (DataType::Double, "nan", false),
            (DataType::Bool, "true", true),
            (DataType::Bool, "yes", false),
        ] {
            assert_eq!(coerce(target, Value::Text(text), Native).is_some(), fits, "{target} {text}");
            assert!(coerce(target, Value::Text(text), Dlt).is_some(), "{target} {text}");
        }
    }

    #[test]
    fn floats_that_are_printed_as_written_are_known() {
        for raw in ["0.1", "0.0", "-0.0", "12.5", "-3.0", "1234567890123.25", "0.10", "1.50", "0.01", "1e5", "2.5e0"] {
            let repr = python_text::float_repr(raw.parse().unwrap());
            assert!(!is_float_repr(raw) || repr == raw, "{raw} {repr}");
            assert_eq!(as_text(Value::Float(raw)), repr);
        }
        assert!(is_float_repr("12.5") && is_float_repr("0.0") && !is_float_repr("1.50") && !is_float_repr("1e5"));
    }

    #[test]
    fn a_date_takes_no_more_than_a_day_in_native_mode() {
        for (text, native, dlt) in [
            ("2024-02-03", Some(19756), Some(19756)),
            ("2024-02-03T00:00:00Z", Some(19756), Some(19756)),
            ("2024-02-03T10:30:00Z", None, Some(19756)),
            ("2024-02-03T00:00:00+05:00", None, Some(19755)),
            ("1706918400", None, Some(19756)),
        ] {
            let day = |mode| match coerce(DataType::Date, Value::Text(text), mode) {
                Some(Typed::Date(day)) => Some(day),
                _ => None,
            };
            assert_eq!((day(Native), day(Dlt)), (native, dlt), "{text}");
        }
    }

    #[test]
    fn numbers_never_change_their_value() {
        assert_eq!(coerce(DataType::Double, Value::Integer("9007199254740993"), Dlt), None);
        assert_eq!(
            coerce(DataType::Double, Value::Integer("9007199254740992"), Dlt),
            Some(Typed::Double(9007199254740992.0))
        );
        assert_eq!(coerce(DataType::Bigint, Value::Float("2.0"), Native), Some(Typed::Int(2)));
        assert_eq!(coerce(DataType::Bigint, Value::Float("2.5"), Native), None);
        assert_eq!(coerce(DataType::Bigint, Value::Bool(true), Dlt), None);
        assert_eq!(Value::Integer("18446744073709551616").own_type(), DataType::Decimal);
        assert_eq!(Value::Integer(&"9".repeat(39)).own_type(), DataType::Text);
    }
}
