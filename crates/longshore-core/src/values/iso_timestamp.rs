//! Text as a timestamp, a date or a time, by the rules of dlt.
//!
//! Source of the rules: `parse_iso_like_datetime`, `ensure_datetime_in_tz`, `ensure_pendulum_date`
//! and `ensure_pendulum_time` in `dlt/common/time.py` (1.31.0), which try ISO 8601 first, then a
//! few common forms. Values without offset are in UTC, fractions are cut at the microsecond, and
//! only what falls in the years 1..=9999 of UTC is a value.

use super::calendar::{self, DAY, FIRST, LAST, SECOND};
use super::common_datetime::parse_common;
use super::iso_parser::{Clock, Moment, parse_iso};
use super::python_chars::digit_value;
use super::python_text;

/// Microseconds since the Unix epoch if dlt's detection `iso_timestamp` takes `text` for a
/// timestamp (`is_iso_timestamp` in `dlt/common/schema/detections.py`), else `None`.
///
/// dlt also detects timestamps it then fails to convert, ending the load: those outside of the
/// years 1..=9999 in UTC and those with an offset of a day or more. They are `None` here, so they
/// stay text.
#[must_use]
pub fn detect_iso_timestamp(text: &str) -> Option<i64> {
    // The shortest timestamp is `20241:2`, and all begin with a digit of some script.
    let first = *text.as_bytes().first()?;
    if text.len() < 7 || !(first.is_ascii_digit() || first >= 0x80) {
        return None;
    }
    match parse_moment(text)? {
        Moment::DateTime { days, clock } => instant(days, clock),
        Moment::Date(_) | Moment::Time(_) => None,
    }
}

/// Microseconds since the Unix epoch of a text that goes into a timestamp column
/// (`ensure_datetime`), `None` where dlt cannot convert it.
///
/// Takes what [`detect_iso_timestamp`] takes, dates (midnight) and numbers (seconds since the
/// epoch in `float()` syntax, rounded half to even). A date wins over a number: `20240101` and
/// the ordinal date `2024001` are days, `2024` is a new year.
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<i64> {
    match parse_moment(text) {
        Some(Moment::DateTime { days, clock }) => instant(days, clock),
        Some(Moment::Date(days)) => Some(i64::from(days) * DAY),
        Some(Moment::Time(_)) => None,
        None => from_epoch_seconds(python_text::float_syntax(text)?),
    }
}

/// Days since 1970-01-01 of a text that goes into a date column (`_text_to_date_fast` in
/// `dlt/common/data_types/type_helpers.py`): the day in UTC of what [`parse_timestamp`] reads.
///
/// Under Python 3.11 dlt differs for texts of ten bytes, where `date.fromisoformat` ignores what
/// follows a compact date: it takes `20240101xx`, and the epoch seconds `1712011200` for a day
/// of 1712. That bug is not repeated here.
#[must_use]
pub fn parse_date(text: &str) -> Option<i32> {
    // The cast cannot fail: timestamps end with the year 9999.
    i32::try_from(parse_timestamp(text)?.div_euclid(DAY)).ok()
}

/// As [`parse_date`], only of texts that say a day and nothing more: a date, or its midnight in UTC.
#[must_use]
pub fn parse_date_alone(text: &str) -> Option<i32> {
    match parse_moment(text)? {
        Moment::Date(days) => Some(days),
        Moment::DateTime { days, clock } => {
            let midnight = instant(days, clock).filter(|micros| micros.rem_euclid(DAY) == 0)?;
            i32::try_from(midnight / DAY).ok()
        }
        Moment::Time(_) => None,
    }
}

/// Microseconds since midnight, UTC, of a text that goes into a time column
/// (`ensure_pendulum_time`). Only times are taken, no timestamps; an offset is taken off.
#[must_use]
pub fn parse_time(text: &str) -> Option<i64> {
    match parse_moment(text)? {
        Moment::Time(clock) => Some(to_utc(clock)?.rem_euclid(DAY)),
        Moment::DateTime { .. } | Moment::Date(_) => None,
    }
}

/// The timestamp of a number of seconds since the Unix epoch, in microseconds rounded half to
/// even (`pendulum.from_timestamp`); `None` outside of the years 1..=9999 and for NaN.
#[must_use]
pub fn from_epoch_seconds(seconds: f64) -> Option<i64> {
    // Far beyond the range, so that the numbers below stay exact.
    if seconds.is_nan() || seconds.abs() > 1e12 {
        return None;
    }
    // As CPython: the whole seconds and the fraction apart, each exact before the rounding.
    let whole = seconds.trunc();
    let fraction = (seconds - whole) * 1e6;
    // The casts are exact: both are whole numbers, below 1e12 and 1e6.
    in_range(whole as i64 * SECOND + fraction.round_ties_even() as i64)
}

/// `datetime.isoformat()` of a timestamp in UTC: `2024-01-01T00:00:00+00:00`, with six digits of
/// fraction before the offset unless the fraction is zero.
///
/// `micros` is microseconds since the Unix epoch; outside of the years 1..=9999, which Python
/// does not have, the year has as many digits (and the sign) it needs.
#[must_use]
pub fn format_iso(micros: i64) -> String {
    let (year, month, day) = calendar::civil_from_days(micros.div_euclid(DAY));
    let of_day = micros.rem_euclid(DAY);
    let (seconds, fraction) = (of_day / SECOND, of_day % SECOND);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if fraction != 0 {
        text.push_str(&format!(".{fraction:06}"));
    }
    text.push_str("+00:00");
    text
}

fn parse_moment(text: &str) -> Option<Moment> {
    parse_iso(text.as_bytes()).or_else(|| {
        // Most texts that are no ISO 8601 end here: all the common forms begin with a digit or,
        // before a time, a space.
        let first = text.chars().next()?;
        let may_match = first == ' ' || digit_value(first).is_some();
        may_match.then(|| parse_common(text)).flatten()
    })
}

fn instant(days: i32, clock: Clock) -> Option<i64> {
    in_range(i64::from(days) * DAY + to_utc(clock)?)
}

/// Microseconds since midnight of the written day, in UTC; `None` for an offset Python refuses.
fn to_utc(clock: Clock) -> Option<i64> {
    let usable = clock.offset_minutes.abs() < 24 * 60;
    usable.then(|| clock.micros - i64::from(clock.offset_minutes) * 60 * SECOND)
}

fn in_range(micros: i64) -> Option<i64> {
    (FIRST..=LAST).contains(&micros).then_some(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW_YEAR: i64 = 1_704_067_200_000_000;
    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn what_dlt_detects_is_detected() {
        let texts = [
            ("2024-01-01T00:00:00", 0),
            ("2024-01-01T00:00:00Z", 0),
            ("2024-01-01T00:00:00+02:00", -2 * HOUR),
            ("2024-01-01T00:00:00+0200", -2 * HOUR),
            ("2024-01-01T00:00:00-02", 2 * HOUR),
            ("2024-01-01T00:00:00.1234567", 123_456),
            ("2024-01-01T00:00:00,5Z", 500_000),
            ("2024-01-01 10:00", 10 * HOUR),
            ("2024-01-01 10:00:00", 10 * HOUR),
            ("2024-01-01T10", 10 * HOUR),
            ("20240101T100000Z", 10 * HOUR),
            ("20240101 10:00:00", 10 * HOUR),
            ("2024/01/01 10:00", 10 * HOUR),
            ("2024-W01-1T10:00:00", 10 * HOUR),
            ("2024-001T10", 10 * HOUR),
            ("2024 10:00", 10 * HOUR),
        ];
        for (text, after) in texts {
            assert_eq!(detect_iso_timestamp(text), Some(NEW_YEAR + after), "{text}");
        }
        assert_eq!(detect_iso_timestamp("0001-01-01T00:00:00"), Some(FIRST));
        assert_eq!(detect_iso_timestamp("9999-12-31T23:59:59.9999999"), Some(LAST));
    }

    #[test]
    fn all_else_stays_text() {
        let texts = [
            "",
            "2024-01-01",
            "20240101",
            "2024",
            "2024-01",
            "2024-W05-2",
            "2024-001",
            "2024/01/01",
            "10:10:10",
            "T100000",
            "Mon, 01 Jan 2024 00:00:00 GMT",
            "2024-01-01T24:00:00",
            "2024-01-01T00:00:60",
            "2024-01-01t00:00:00",
            "2024-01-01T00:00:00z",
            " 2024-01-01T00:00:00",
            "2024-01-01T00:00:00 ",
            "2024-1-01T00:00:00",
            "P1D",
            "2024-01-01T00:00/P1D",
            "2024-01-01T00:00:00+25:00",
            "1704067200",
            "2024-02-30T00:00",
            "0000-01-01T00:00",
            "é",
            "日本語日本語",
        ];
        for text in texts {
            assert_eq!(detect_iso_timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn what_dlt_detects_but_cannot_convert_stays_text() {
        for text in [
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "2024-01-01T00:00:00+24:00",
            "2024-01-01T00:00:00-99:99",
        ] {
            assert_eq!(detect_iso_timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn a_timestamp_column_takes_dates_and_numbers() {
        for text in ["2024-01-01", "20240101", "2024001", "2024", "1704067200", " 1_704_067_200.0 "] {
            assert_eq!(parse_timestamp(text), Some(NEW_YEAR), "{text}");
        }
        assert_eq!(parse_timestamp("-0.0000005"), Some(0));
        for text in ["", "x", "nan", "inf", "1e20", "10:00", "P1D"] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn dates_and_times_are_those_of_utc() {
        assert_eq!(parse_date("2024-01-01T00:00:00+02:00"), Some(19_722));
        assert_eq!(parse_date("2024-01-01"), Some(19_723));
        assert_eq!(parse_date("1712011200"), Some(19_814));
        assert_eq!(parse_date("20240101xx"), None);
        assert_eq!(parse_time("01:00:00.5+02:00"), Some(23 * HOUR + 500_000));
        assert_eq!(parse_time("T1010"), Some(10 * HOUR + HOUR / 6));
        assert_eq!(parse_time("2024-01-01T10:00"), None);
    }

    #[test]
    fn timestamps_are_written_as_python_does() {
        assert_eq!(format_iso(NEW_YEAR), "2024-01-01T00:00:00+00:00");
        assert_eq!(format_iso(NEW_YEAR + 1), "2024-01-01T00:00:00.000001+00:00");
        assert_eq!(format_iso(-1), "1969-12-31T23:59:59.999999+00:00");
        assert_eq!(format_iso(FIRST), "0001-01-01T00:00:00+00:00");
        // No panic outside of Python's range.
        assert!(format_iso(i64::MIN).starts_with('-'));
        assert!(format_iso(i64::MAX).starts_with("294247-"));
    }
}
