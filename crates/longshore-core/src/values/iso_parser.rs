//! The ISO 8601 texts of pendulum's `parse_iso8601`: dates, times and both together.
//!
//! Source of the rules: `rust/src/parsing.rs` of pendulum 3 (the compiled part dlt runs), and the
//! ranges of Python's `datetime` types its answer goes through. Left out, because dlt takes them
//! for no date or time: durations (`P1D`) and intervals (`a/b`).

use super::calendar;

/// What a text says, in the form Python's `datetime`, `date` and `time` would hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// A date with a time: days since 1970-01-01 and the time of that day.
    DateTime { days: i32, clock: Clock },
    /// Only a date, in days since 1970-01-01.
    Date(i32),
    /// Only a time.
    Time(Clock),
}

/// A time of day, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// Microseconds since midnight.
    pub(super) micros: i64,
    /// Minutes ahead of UTC; 0 also for a time without offset. May be a day and more, which
    /// pendulum reads but nothing in Python can convert.
    pub(super) offset_minutes: i32,
}

/// Reads an ISO 8601 text, `None` where pendulum (or the Python type behind it) raises.
pub(super) fn parse_iso(text: &[u8]) -> Option<Moment> {
    let mut cursor = Cursor { rest: text };
    if cursor.skip(b'T') {
        return only_time(&mut cursor, None);
    }
    let century = cursor.digits(2)?;
    if cursor.peek() == b':' {
        return only_time(&mut cursor, Some(century));
    }
    let year = century * 100 + cursor.digits(2)?;
    let (days, extended) = after_year(&mut cursor, year)?;
    if cursor.at_end() {
        return Some(Moment::Date(days));
    }
    if !cursor.skip(b'T') && !cursor.skip(b' ') {
        return None;
    }
    let hour = cursor.digits(2)?;
    let clock = after_hour(&mut cursor, hour, extended)?;
    cursor.at_end().then_some(Moment::DateTime { days, clock })
}

fn only_time(cursor: &mut Cursor, hour: Option<u32>) -> Option<Moment> {
    // `10:10` counts as extended, `T10:10` does not: so `T10:10:10` is refused below.
    let extended = hour.is_some();
    let hour = match hour {
        Some(hour) => hour,
        None => cursor.digits(2)?,
    };
    let clock = after_hour(cursor, hour, extended)?;
    cursor.at_end().then_some(Moment::Time(clock))
}

/// The rest of a date, and whether it is written in the extended form, with `-`.
fn after_year(cursor: &mut Cursor, year: u32) -> Option<(i32, bool)> {
    let extended = cursor.skip(b'-');
    let days = if cursor.skip(b'W') {
        week(cursor, year, extended)?
    } else if extended {
        extended_month(cursor, year)?
    } else {
        compact_month(cursor, year)?
    };
    Some((days, extended))
}

/// `Www`, `Www-D` or, compact, `WwwD`.
fn week(cursor: &mut Cursor, year: u32, extended: bool) -> Option<i32> {
    let week = cursor.digits(2)?;
    if cursor.at_date_end() {
        return calendar::week_date(year, week, 1);
    }
    if extended && !cursor.skip(b'-') {
        return None;
    }
    let day = cursor.digits(1)?;
    calendar::week_date(year, week, day)
}

/// `MM`, `MM-DD` or the ordinal `DDD`.
fn extended_month(cursor: &mut Cursor, year: u32) -> Option<i32> {
    let month = cursor.digits(2)?;
    if cursor.at_date_end() {
        return calendar::date(year, month, 1);
    }
    if cursor.skip(b'-') {
        let day = cursor.digits(2)?;
        return calendar::date(year, month, day);
    }
    let ordinal = month * 10 + cursor.digits(1)?;
    calendar::ordinal_date(year, ordinal)
}

/// `MMDD` or the ordinal `DDD`; there is no compact `MM`.
fn compact_month(cursor: &mut Cursor, year: u32) -> Option<i32> {
    let ordinal = cursor.digits(3)?;
    if cursor.at_date_end() {
        return calendar::ordinal_date(year, ordinal);
    }
    let (month, tens) = (ordinal / 10, ordinal % 10);
    let day = tens * 10 + cursor.digits(1)?;
    calendar::date(year, month, day)
}

/// What may follow the hour: minutes, seconds, a fraction and an offset.
fn after_hour(cursor: &mut Cursor, hour: u32, extended_date: bool) -> Option<Clock> {
    let (mut minute, mut second, mut micros) = (0, 0, 0);
    if !cursor.at_clock_end() {
        let extended = cursor.skip(b':');
        minute = cursor.digits(2)?;
        let has_second = !cursor.at_clock_end();
        if has_second {
            if extended && !cursor.skip(b':') {
                return None;
            }
            second = cursor.digits(2)?;
            micros = fraction(cursor)?;
        }
        // Only a full extended time is compared with a compact date: `20240101T10:00` is taken.
        if extended != extended_date && (has_second || !extended) {
            return None;
        }
    }
    let offset_minutes = offset(cursor)?;
    let micros = calendar::time(hour, minute, second, micros)?;
    Some(Clock { micros, offset_minutes })
}

/// `.` or `,` and any number of digits, in microseconds: digits after the sixth are dropped.
fn fraction(cursor: &mut Cursor) -> Option<u32> {
    if !cursor.skip(b'.') && !cursor.skip(b',') {
        return Some(0);
    }
    let mut micros = cursor.digits(1)? * 100_000;
    let mut unit = 10_000;
    while cursor.peek().is_ascii_digit() {
        micros += cursor.digits(1)? * unit;
        unit /= 10;
    }
    Some(micros)
}

/// Nothing, `Z`, `+HH`, `+HHMM` or `+HH:MM` (also `+HH:`), in minutes ahead of UTC.
fn offset(cursor: &mut Cursor) -> Option<i32> {
    let sign = match cursor.peek() {
        b'Z' => 0,
        b'+' => 1,
        b'-' => -1,
        _ => return Some(0),
    };
    cursor.advance();
    if sign == 0 {
        return Some(0);
    }
    let hours = cursor.digits(2)?;
    cursor.skip(b':');
    let minutes = if cursor.at_end() { 0 } else { cursor.digits(2)? };
    // The cast is exact: at most 99 hours and 99 minutes.
    Some(sign * (hours * 60 + minutes) as i32)
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte, NUL at the end: no rule asks for a NUL, so the two need no telling apart.
    fn peek(&self) -> u8 {
        self.rest.first().copied().unwrap_or(0)
    }

    fn advance(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    fn skip(&mut self, byte: u8) -> bool {
        let found = self.rest.first() == Some(&byte);
        if found {
            self.advance();
        }
        found
    }

    fn at_date_end(&self) -> bool {
        self.at_end() || matches!(self.peek(), b' ' | b'T')
    }

    fn at_clock_end(&self) -> bool {
        self.at_end() || matches!(self.peek(), b'Z' | b'+' | b'-')
    }

    /// The number of exactly `count` (at most 4) ASCII digits.
    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(count)?;
        let mut number = 0;
        for byte in digits {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            number = number * 10 + u32::from(digit);
        }
        self.rest = rest;
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date_time(text: &str) -> bool {
        matches!(parse_iso(text.as_bytes()), Some(Moment::DateTime { .. }))
    }

    #[test]
    fn compact_and_extended_forms_mix_only_without_seconds() {
        assert!(date_time("20240101T10:00"));
        assert!(!date_time("20240101T10:00:00"));
        assert!(!date_time("2024-01-01T1000"));
        assert!(date_time("2024001T1000"));
        assert_eq!(parse_iso(b"T10:10:10"), None);
        assert!(matches!(parse_iso(b"T10:10"), Some(Moment::Time(_))));
    }

    #[test]
    fn a_date_that_does_not_exist_is_refused() {
        for text in ["2024-02-30", "2024-366x", "2023-366", "2024-W54", "0000-01-01T00:00"] {
            assert_eq!(parse_iso(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn no_prefix_and_no_odd_byte_panics() {
        let text = "2024-01-01T10:00:00.123456789+02:00";
        for end in 0..text.len() {
            let _ = parse_iso(&text.as_bytes()[..end]);
            for byte in [0, b'9', b':', 0xff] {
                let mut changed = text.as_bytes().to_vec();
                changed[end] = byte;
                let _ = parse_iso(&changed);
            }
        }
    }
}
