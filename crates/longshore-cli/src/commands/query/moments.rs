//! Dates and times outside of the calendar that Arrow's texts know: infinite ones, years beyond 262142, a day's end.

use super::plain;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, StringArray};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, TimeUnit};
use longshore_core::values::civil_from_days;
use std::sync::Arc;

/// About 260,000 years; chrono's calendar ends a little later.
const LAST_DAY: i64 = 95_000_000;

/// Returns the moments as texts, or `None` where all of them are usual ones.
pub(super) fn texts(array: &ArrayRef) -> Result<Option<ArrayRef>, ArrowError> {
    let scale = Scale::of(array.data_type());
    let numbers = cast(array, &DataType::Int64)?;
    let numbers = numbers.as_primitive::<Int64Type>();
    if numbers.iter().flatten().all(|n| scale.text(n).is_none()) {
        return Ok(None);
    }
    // The unusual ones are left out first: they have no text of Arrow's.
    let usual = numbers.iter().map(|n| n.filter(|n| scale.text(*n).is_none())).collect::<arrow_array::Int64Array>();
    let usual: ArrayRef = match array.data_type() {
        DataType::Date32 => cast(&cast(&usual, &DataType::Int32)?, &DataType::Date32)?,
        other => cast(&usual, other)?,
    };
    let usual = plain::texts(&usual, |text| text)?;
    let text = |(number, usual): (Option<i64>, Option<&str>)| {
        number.and_then(|n| scale.text(n)).or_else(|| usual.map(str::to_owned))
    };
    Ok(Some(Arc::new(numbers.iter().zip(usual.iter()).map(text).collect::<StringArray>())))
}

#[derive(PartialEq)]
enum Kind {
    Date,
    Timestamp,
    Time,
}

/// What a moment's number counts.
struct Scale {
    kind: Kind,
    /// The number that stands for infinity, and with a minus for the other one.
    infinity: i64,
    a_day: i64,
    zone: &'static str,
}

impl Scale {
    fn of(data_type: &DataType) -> Self {
        let a_second = match data_type {
            DataType::Timestamp(TimeUnit::Millisecond, _) => 1_000,
            DataType::Timestamp(TimeUnit::Microsecond, _) | DataType::Time64(TimeUnit::Microsecond) => 1_000_000,
            DataType::Timestamp(TimeUnit::Nanosecond, _) | DataType::Time64(_) => 1_000_000_000,
            _ => 1,
        };
        let zone = if matches!(data_type, DataType::Timestamp(_, Some(_))) { "Z" } else { "" };
        match data_type {
            DataType::Date32 => Scale { kind: Kind::Date, infinity: i64::from(i32::MAX), a_day: 1, zone },
            DataType::Time64(_) => Scale { kind: Kind::Time, infinity: i64::MAX, a_day: 86_400 * a_second, zone },
            _ => Scale { kind: Kind::Timestamp, infinity: i64::MAX, a_day: 86_400 * a_second, zone },
        }
    }

    /// The text of an unusual moment.
    fn text(&self, number: i64) -> Option<String> {
        if self.kind == Kind::Time {
            return (number >= self.a_day).then(|| "24:00:00".to_owned());
        }
        if number == self.infinity {
            return Some("infinity".to_owned());
        }
        if number == -self.infinity {
            return Some("-infinity".to_owned());
        }
        let (day, of_day) = (number.div_euclid(self.a_day), number.rem_euclid(self.a_day));
        let is_usual = (-LAST_DAY..=LAST_DAY).contains(&day);
        (!is_usual).then(|| {
            let date = date(day);
            if self.kind == Kind::Date { date } else { format!("{date}T{}{}", self.clock(of_day), self.zone) }
        })
    }

    fn clock(&self, of_day: i64) -> String {
        let a_second = self.a_day / 86_400;
        let (second, fraction) = (of_day / a_second, of_day % a_second);
        let clock = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
        let digits = a_second.ilog10() as usize;
        if fraction == 0 { clock } else { format!("{clock}.{fraction:0digits$}") }
    }
}

/// As chrono writes years of more than four digits: with a sign.
fn date(day: i64) -> String {
    let (year, month, day) = civil_from_days(day);
    format!("{year:+}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Date32Array, TimestampMicrosecondArray};

    fn shown(array: impl arrow_array::Array + 'static) -> Vec<Option<String>> {
        let texts = texts(&(Arc::new(array) as ArrayRef)).unwrap().expect("there is an unusual one");
        texts.as_string::<i32>().iter().map(|t| t.map(str::to_owned)).collect()
    }

    fn some(texts: &[&str]) -> Vec<Option<String>> {
        texts.iter().map(|t| Some((*t).to_owned())).collect()
    }

    #[test]
    fn infinite_and_far_moments_have_texts() {
        // DuckDB's last moments are in 294247.
        let moments =
            TimestampMicrosecondArray::from(vec![i64::MAX, -i64::MAX, 0, i64::MAX - 807]).with_timezone("UTC");
        let expected = ["infinity", "-infinity", "1970-01-01T00:00:00Z", "+294247-01-10T04:00:54.775000Z"];
        assert_eq!(shown(moments), some(&expected));
        let dates = Date32Array::from(vec![Some(i32::MAX), None, Some(-719_163), Some(-i32::MAX + 1)]);
        let texts = shown(dates);
        assert_eq!(texts[..3], [some(&["infinity"]), vec![None], some(&["0000-12-31"])].concat());
        // DuckDB says 5877642-06-25 (BC) of its first day; there is no year 0 before Christ.
        assert_eq!(texts[3..], some(&["-5877641-06-25"]));
    }

    #[test]
    fn a_day_has_an_end() {
        let times = arrow_array::Time64MicrosecondArray::from(vec![0, 86_400_000_000]);
        assert_eq!(shown(times), some(&["00:00:00", "24:00:00"]));
    }

    #[test]
    fn usual_moments_stay_as_they_are() {
        let usual: ArrayRef = Arc::new(Date32Array::from(vec![Some(0), None]));
        assert!(texts(&usual).unwrap().is_none());
    }
}
