//! The further date and time texts of pendulum's `_parse_common`, which dlt tries after ISO 8601.
//!
//! Source of the rules: the regular expression `COMMON` in `pendulum/parsing/__init__.py`: a year,
//! `YYYY/MM/DD` (`:` or nothing for `/`), then a time with `:` after an optional space. Its `\d`
//! is any decimal digit of Unicode, so full-width digits are taken.

use super::calendar;
use super::iso_parser::{Clock, Moment};
use super::python_chars::digit_value;

/// Reads a common date, time or both; `None` where pendulum raises.
pub(super) fn parse_common(text: &str) -> Option<Moment> {
    if text.is_ascii() {
        return parse_ascii(text.as_bytes());
    }
    let mut buffer = [0_u8; LONGEST];
    let mut length = 0;
    for c in text.chars() {
        *buffer.get_mut(length)? = ascii_stand_in(c);
        length += 1;
    }
    parse_ascii(&buffer[..length])
}

/// The length of `2024/01/01 10:00:00.123456789`, the longest text there is.
const LONGEST: usize = 29;

fn ascii_stand_in(c: char) -> u8 {
    match digit_value(c) {
        Some(value) => b'0' + value,
        // The cast is exact: an ASCII character is one byte. NUL stands for all that cannot match.
        None => {
            if c.is_ascii() {
                c as u8
            } else {
                0
            }
        }
    }
}

fn parse_ascii(text: &[u8]) -> Option<Moment> {
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    let Some((year, after_year)) = number(text, 4, 4) else {
        return match_time(text)?.clock().map(Moment::Time);
    };
    // The expression takes a month and a day where it can, and otherwise reads on after the year:
    // `202410:10` is the 10th of October, but `202410:10:30` a time in 2024.
    if let Some((month, day, rest)) = match_month_and_day(after_year)
        && let Some(time) = match_rest(rest)
    {
        return build(calendar::date(year, month, day)?, time);
    }
    build(calendar::date(year, 1, 1)?, match_rest(after_year)?)
}

fn build(days: i32, time: Option<TimeFields>) -> Option<Moment> {
    match time {
        None => Some(Moment::Date(days)),
        Some(fields) => Some(Moment::DateTime { days, clock: fields.clock()? }),
    }
}

fn match_month_and_day(text: &[u8]) -> Option<(u32, u32, &[u8])> {
    let (month, rest) = number(skip_any(text, b"/:"), 2, 2)?;
    let (day, rest) = number(skip_any(rest, b"/:"), 2, 2)?;
    Some((month, day, rest))
}

/// The end of the text or a time; the outer `None` is neither.
fn match_rest(text: &[u8]) -> Option<Option<TimeFields>> {
    if text.is_empty() { Some(None) } else { match_time(text).map(Some) }
}

/// A time of the right form, its fields not yet checked.
struct TimeFields {
    hour: u32,
    minute: Option<u32>,
    second: u32,
    micros: u32,
}

impl TimeFields {
    /// `None` for a field out of range, and without a minute (pendulum fails there by accident).
    fn clock(&self) -> Option<Clock> {
        let micros = calendar::time(self.hour, self.minute?, self.second, self.micros)?;
        Some(Clock { micros, offset_minutes: 0 })
    }
}

fn match_time(text: &[u8]) -> Option<TimeFields> {
    let (hour, rest) = number(skip_any(text, b" "), 1, 2)?;
    let rest = rest.strip_prefix(b":")?;
    let (minute, rest) = match number(rest, 1, 2) {
        Some((minute, rest)) => (Some(minute), rest),
        None => (None, rest),
    };
    let (second, rest) = match rest.strip_prefix(b":") {
        Some(rest) => number(rest, 1, 2)?,
        None => (0, rest),
    };
    let micros = match_fraction(rest)?;
    Some(TimeFields { hour, minute, second, micros })
}

/// Nothing, or one of `.|,` and 1 to 9 digits up to the end; in microseconds.
fn match_fraction(text: &[u8]) -> Option<u32> {
    let Some((mark, digits)) = text.split_first() else {
        return Some(0);
    };
    let fits = (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    if !b".|,".contains(mark) || !fits {
        return None;
    }
    let padded = digits.iter().chain(std::iter::repeat(&b'0')).take(6);
    Some(padded.fold(0, |micros, digit| micros * 10 + u32::from(digit - b'0')))
}

fn skip_any<'a>(text: &'a [u8], any: &[u8]) -> &'a [u8] {
    match text.split_first() {
        Some((first, rest)) if any.contains(first) => rest,
        _ => text,
    }
}

/// The number at the start of `text`, of `least` to `most` digits, and what follows it.
fn number(text: &[u8], least: usize, most: usize) -> Option<(u32, &[u8])> {
    let length = text.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
    if length < least {
        return None;
    }
    let (digits, rest) = text.split_at_checked(length)?;
    let value = digits.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date_time(text: &str) -> bool {
        matches!(parse_common(text), Some(Moment::DateTime { .. }))
    }

    #[test]
    fn what_the_expression_matches_is_read() {
        for text in ["2024/01/01 10:00", "2024:01/0110:00", "20240101 1:2", "2024 10:00:00|5"] {
            assert!(date_time(text), "{text}");
        }
        assert!(date_time("２０２４/01/01 10:00"));
        assert!(matches!(parse_common("2024"), Some(Moment::Date(_))));
        assert!(matches!(parse_common(" 1:2"), Some(Moment::Time(_))));
    }

    #[test]
    fn the_year_may_be_followed_by_a_time() {
        assert!(matches!(parse_common("202410:10"), Some(Moment::Date(_))));
        assert!(date_time("202410:10:30"));
        assert!(date_time("202410:1"));
    }

    #[test]
    fn all_else_is_refused() {
        let texts = [
            "",
            " ",
            "202401",
            "2024-01-01 10:00",
            "2024/01/01T10:00",
            "2024/01/01 10:",
            "2024/01/01 10::30",
            "2024/01/01 24:00",
            "2024/13/01 10:00",
            "2024/01/01 10:00Z",
            "2024/01/01 10:00:00.",
            "2024/01/01 10:00:00.1234567890",
            "2024/01/01 10:00\n",
            "é",
        ];
        for text in texts {
            assert_eq!(parse_common(text), None, "{text:?}");
        }
    }
}
