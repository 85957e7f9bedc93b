//! Values of Arrow arrays as JSON, where the usual way would change them.
//!
//! `arrow-json` writes NaN as null, binary without a mark, 32-bit floats as the shortest text for 32 bits, and
//! times in forms of its own; these encoders take their place at any depth.

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrowPrimitiveType, PrimitiveArray};
use arrow_json::writer::NullableEncoder;
use arrow_json::{Encoder, EncoderFactory, EncoderOptions};
use arrow_schema::{ArrowError, DataType, FieldRef, TimeUnit};
use longshore_core::error::{Error, ErrorKind};
use longshore_core::values::iso_timestamp::format_iso;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

const DAY_MS: i64 = 86_400_000;
const TOO_FAR: &str = "a time is too far from 1970 for microseconds";

/// Makes the encoders and notes the first value that one of them could not write unchanged.
#[derive(Debug, Clone, Default)]
pub(super) struct Encoders(Arc<Mutex<Option<(String, &'static str)>>>);

impl Encoders {
    /// Returns the first value that would have changed.
    pub(super) fn first_fault(&self) -> Option<Error> {
        let fault = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        fault.map(|(column, what)| {
            Error::new(ErrorKind::Data, what)
                .with("column", column)
                .hint("nothing was loaded; cast the column to microseconds, a timestamp or text")
        })
    }

    /// An encoder of whole numbers that `write` may refuse with a reason.
    fn whole<'a, T>(
        &self,
        field: &FieldRef,
        array: &'a dyn Array,
        write: impl Fn(i64, &mut Vec<u8>) -> Result<(), &'static str> + 'a,
    ) -> Box<dyn Encoder + 'a>
    where
        T: ArrowPrimitiveType,
        T::Native: Into<i64>,
    {
        let (values, faults, column): (&PrimitiveArray<T>, _, _) =
            (array.as_primitive(), self.clone(), field.name().clone());
        by_index(move |i, out| {
            if let Err(what) = write(values.value(i).into(), out) {
                out.extend_from_slice(b"null"); // the load fails: see `first_fault`
                faults.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| (column.clone(), what));
            }
        })
    }
}

impl EncoderFactory for Encoders {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        use DataType::*;
        let encoder = match array.data_type() {
            Float16 => floats::<Float16Type>(array, |v| v.to_f64()),
            Float32 => floats::<Float32Type>(array, f64::from),
            Float64 => floats::<Float64Type>(array, |v| v),
            Binary => binary(move |i| array.as_binary::<i32>().value(i)),
            LargeBinary => binary(move |i| array.as_binary::<i64>().value(i)),
            BinaryView => binary(move |i| array.as_binary_view().value(i)),
            FixedSizeBinary(_) => binary(move |i| array.as_fixed_size_binary().value(i)),
            Date32 => self.whole::<Date32Type>(field, array, write_date),
            Date64 => self.whole::<Date64Type>(field, array, |ms, out| {
                if ms % DAY_MS != 0 {
                    return Err("a Date64 value is no whole day");
                }
                write_date(ms.div_euclid(DAY_MS), out)
            }),
            Time32(TimeUnit::Second) => {
                self.whole::<Time32SecondType>(field, array, |v, out| write_time(v, TimeUnit::Second, out))
            }
            Time32(_) => {
                self.whole::<Time32MillisecondType>(field, array, |v, out| write_time(v, TimeUnit::Millisecond, out))
            }
            Time64(TimeUnit::Microsecond) => {
                self.whole::<Time64MicrosecondType>(field, array, |v, out| write_time(v, TimeUnit::Microsecond, out))
            }
            Time64(_) => {
                self.whole::<Time64NanosecondType>(field, array, |v, out| write_time(v, TimeUnit::Nanosecond, out))
            }
            Timestamp(TimeUnit::Second, _) => {
                self.whole::<TimestampSecondType>(field, array, |v, out| write_timestamp(v, TimeUnit::Second, out))
            }
            Timestamp(TimeUnit::Millisecond, _) => self.whole::<TimestampMillisecondType>(field, array, |v, out| {
                write_timestamp(v, TimeUnit::Millisecond, out)
            }),
            Timestamp(TimeUnit::Microsecond, _) => self.whole::<TimestampMicrosecondType>(field, array, |v, out| {
                write_timestamp(v, TimeUnit::Microsecond, out)
            }),
            Timestamp(TimeUnit::Nanosecond, _) => self
                .whole::<TimestampNanosecondType>(field, array, |v, out| write_timestamp(v, TimeUnit::Nanosecond, out)),
            _ => return Ok(None),
        };
        Ok(Some(NullableEncoder::new(encoder, array.nulls().cloned())))
    }
}

fn floats<'a, T: ArrowPrimitiveType>(
    array: &'a dyn Array,
    widen: impl Fn(T::Native) -> f64 + 'a,
) -> Box<dyn Encoder + 'a> {
    let values = array.as_primitive::<T>();
    by_index(move |i, out| {
        let value = widen(values.value(i));
        // Writing to a vector cannot fail.
        let _ = match value {
            v if v.is_nan() => out.write_all(b"\"NaN\""),
            v if v.is_infinite() => out.write_all(if v > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" }),
            v => write!(out, "{v:?}"),
        };
    })
}

fn binary<'a>(value: impl Fn(usize) -> &'a [u8] + 'a) -> Box<dyn Encoder + 'a> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    by_index(move |i, out| {
        out.extend_from_slice(b"\"0x");
        out.extend(value(i).iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]));
        out.push(b'"');
    })
}

fn write_date(days: i64, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let text = format_iso(days.checked_mul(DAY_MS * 1000).ok_or(TOO_FAR)?);
    let date = text.split('T').next().unwrap_or_default();
    let _ = write!(out, "\"{date}\""); // to a vector: cannot fail
    Ok(())
}

fn write_time(value: i64, unit: TimeUnit, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let text = format_iso(micros(value, unit)?);
    let time = text.split_once('T').map_or("", |(_, time)| time.trim_end_matches("+00:00"));
    let _ = write!(out, "\"{time}\""); // as above
    Ok(())
}

fn write_timestamp(value: i64, unit: TimeUnit, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let _ = write!(out, "\"{}\"", format_iso(micros(value, unit)?)); // as above
    Ok(())
}

fn micros(value: i64, unit: TimeUnit) -> Result<i64, &'static str> {
    match unit {
        TimeUnit::Second => value.checked_mul(1_000_000).ok_or(TOO_FAR),
        TimeUnit::Millisecond => value.checked_mul(1000).ok_or(TOO_FAR),
        TimeUnit::Microsecond => Ok(value),
        TimeUnit::Nanosecond if value % 1000 != 0 => Err("a value has nanoseconds, tables keep microseconds"),
        TimeUnit::Nanosecond => Ok(value / 1000),
    }
}

fn by_index<'a>(write: impl Fn(usize, &mut Vec<u8>) + 'a) -> Box<dyn Encoder + 'a> {
    Box::new(ByIndex(write))
}

struct ByIndex<F>(F);

impl<F: Fn(usize, &mut Vec<u8>)> Encoder for ByIndex<F> {
    fn encode(&mut self, index: usize, out: &mut Vec<u8>) {
        (self.0)(index, out);
    }
}
