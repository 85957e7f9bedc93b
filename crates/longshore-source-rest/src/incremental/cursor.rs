//! Values of a cursor field and their order: numbers as numbers, timestamps as moments whatever their spelling,
//! everything else as text.

use crate::doc::Doc;
use longshore_core::json::Kind;
use longshore_core::values::iso_timestamp::{detect_iso_timestamp, format_iso, parse_date};
use std::cmp::Ordering;

/// A value as the API wrote it, and what it means.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cursor {
    /// JSON text.
    pub(crate) raw: String,
    meaning: Meaning,
}

#[derive(Debug, Clone, PartialEq)]
enum Meaning {
    Whole(i128),
    Number(f64),
    /// Microseconds since 1970.
    Moment(i64),
    Text(String),
}

const MICROS: i128 = 1_000_000;

impl Cursor {
    /// Reads a JSON text; `None` for null, truth values, lists and objects.
    pub(crate) fn parse(raw: &str) -> Option<Cursor> {
        let doc = Doc::parse(raw.as_bytes().to_vec()).ok()?;
        let root = doc.root();
        let meaning = match root.kind() {
            Kind::Integer => match raw.trim().parse() {
                Ok(whole) => Meaning::Whole(whole),
                Err(_) => Meaning::Number(raw.trim().parse().ok()?),
            },
            Kind::Float => Meaning::Number(raw.trim().parse().ok()?),
            Kind::Text | Kind::EscapedText => {
                let text = root.text()?.into_owned();
                match moment(&text) {
                    Some(micros) => Meaning::Moment(micros),
                    None => Meaning::Text(text),
                }
            }
            _ => return None,
        };
        Some(Cursor { raw: raw.to_owned(), meaning })
    }

    pub(crate) fn at(micros: i64) -> Cursor {
        let text = format_iso(micros).replace("+00:00", "Z");
        Cursor { raw: crate::tree::quoted(&text), meaning: Meaning::Moment(micros) }
    }

    /// Compares two values; `None` where they are of kinds that have no order.
    pub(crate) fn compare(&self, other: &Cursor) -> Option<Ordering> {
        use Meaning::*;
        match (&self.meaning, &other.meaning) {
            (Whole(a), Whole(b)) => Some(a.cmp(b)),
            (Moment(a), Moment(b)) => Some(a.cmp(b)),
            (Text(_) | Moment(_), Text(_) | Moment(_)) => {
                let (a, b) = (self.plain(), other.plain());
                // Numbers that are written as texts have the order of numbers: "9" comes before "10".
                match (a.parse::<i128>(), b.parse::<i128>()) {
                    (Ok(a), Ok(b)) => Some(a.cmp(&b)),
                    _ => Some(a.cmp(&b)),
                }
            }
            // Numbers beside times are times since 1970.
            (Moment(a), Whole(b)) => Some(i128::from(*a).cmp(&epoch_micros(*b))),
            (Whole(a), Moment(b)) => Some(epoch_micros(*a).cmp(&i128::from(*b))),
            (Moment(a), Number(b)) => (*a as f64).partial_cmp(&(b * 1e6)),
            (Number(a), Moment(b)) => (a * 1e6).partial_cmp(&(*b as f64)),
            (Text(text), _) => text.trim().parse::<f64>().ok()?.partial_cmp(&other.number()?),
            (_, Text(text)) => self.number()?.partial_cmp(&text.trim().parse::<f64>().ok()?),
            _ => self.number()?.partial_cmp(&other.number()?),
        }
    }

    fn number(&self) -> Option<f64> {
        match self.meaning {
            Meaning::Whole(whole) => Some(whole as f64),
            Meaning::Number(number) => Some(number),
            Meaning::Moment(_) | Meaning::Text(_) => None,
        }
    }

    /// As a text without quotes.
    pub(crate) fn plain(&self) -> String {
        match &self.meaning {
            Meaning::Text(text) => text.clone(),
            _ => serde_json::from_str(&self.raw).unwrap_or_else(|_| self.raw.trim().to_owned()),
        }
    }

    /// Microseconds since 1970, of times and of numbers taken for such.
    pub(crate) fn micros(&self) -> Option<i64> {
        match self.meaning {
            Meaning::Moment(micros) => Some(micros),
            Meaning::Whole(whole) => i64::try_from(epoch_micros(whole)).ok(),
            Meaning::Number(seconds) => Some((seconds * 1e6) as i64),
            Meaning::Text(_) => None,
        }
    }

    /// Moved by a lag: seconds of timestamps, days of dates, units of numbers; in the same spelling. Texts stay.
    pub(crate) fn moved(&self, lag: f64) -> Cursor {
        match &self.meaning {
            Meaning::Whole(whole) if lag.fract() == 0.0 => {
                let moved = whole + lag as i128;
                Cursor { raw: moved.to_string(), meaning: Meaning::Whole(moved) }
            }
            Meaning::Whole(_) | Meaning::Number(_) => {
                let moved = self.number().unwrap_or_default() + lag;
                Cursor { raw: moved.to_string(), meaning: Meaning::Number(moved) }
            }
            Meaning::Moment(micros) => {
                let text = self.plain();
                let is_date = text.len() == 10;
                let unit = if is_date { 86_400e6 } else { 1e6 };
                let moved = micros.saturating_add((lag * unit) as i64);
                let iso = format_iso(moved);
                let spelled = match (is_date, text.ends_with('Z'), text.contains('T')) {
                    (true, ..) => iso[..10].to_owned(),
                    (_, true, _) => iso.replace("+00:00", "Z"),
                    (_, _, false) => iso.replace('T', " "),
                    _ => iso,
                };
                Cursor { raw: crate::tree::quoted(&spelled), meaning: Meaning::Moment(moved) }
            }
            Meaning::Text(_) => self.clone(),
        }
    }
}

/// ISO date-times, dates of the form 2024-01-31, and times as mail and HTTP write them: Tue, 02 Jan 2024 00:00:00 +0000.
fn moment(text: &str) -> Option<i64> {
    if let Some(micros) = detect_iso_timestamp(text) {
        return Some(micros);
    }
    let bytes = text.as_bytes();
    if bytes.get(3) == Some(&b',') {
        return jiff::fmt::rfc2822::parse(text).ok().map(|time| time.timestamp().as_microsecond());
    }
    let is_date = bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-' && bytes[0].is_ascii_digit();
    Some(i64::from(is_date.then(|| parse_date(text)).flatten()?) * 86_400_000_000)
}

/// Numbers are seconds, milliseconds or microseconds, by their size.
fn epoch_micros(number: i128) -> i128 {
    match number.abs() {
        0..100_000_000_000 => number * MICROS,
        100_000_000_000..100_000_000_000_000 => number * 1000,
        _ => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(a: &str, b: &str) -> Option<Ordering> {
        Cursor::parse(a).unwrap().compare(&Cursor::parse(b).unwrap())
    }

    #[test]
    fn times_are_compared_as_times() {
        assert_eq!(order("\"2024-01-01T00:00:00Z\"", "\"2024-01-01T00:00:00+00:00\""), Some(Ordering::Equal));
        assert_eq!(order("\"2024-01-01T01:00:00+02:00\"", "\"2024-01-01T00:00:00Z\""), Some(Ordering::Less));
        assert_eq!(order("\"2024-01-01\"", "\"2024-01-01T00:00:01Z\""), Some(Ordering::Less));
        assert_eq!(order("1704067200", "\"2024-01-01T00:00:00Z\""), Some(Ordering::Equal));
        assert_eq!(order("1704067200000", "\"2024-01-01\""), Some(Ordering::Equal));
        let mail = "\"Mon, 01 Jan 2024 02:00:00 +0200\"";
        assert_eq!(order(mail, "\"Mon, 01 Jan 2024 00:00:00 GMT\""), Some(Ordering::Equal));
        assert_eq!(order(mail, "\"2024-01-01T00:00:01Z\""), Some(Ordering::Less));
        assert_eq!(order("\"Fri, 05 Jan 2024 00:00:00 GMT\"", mail), Some(Ordering::Greater));
    }

    #[test]
    fn numbers_are_compared_as_numbers_and_texts_as_texts() {
        assert_eq!(order("9", "10"), Some(Ordering::Less));
        assert_eq!(order("123456789012345678901", "123456789012345678902"), Some(Ordering::Less));
        assert_eq!(order("\"9\"", "10"), Some(Ordering::Less));
        assert_eq!(order("\"9\"", "\"10\""), Some(Ordering::Less));
        assert_eq!(order("\"b\"", "\"a\""), Some(Ordering::Greater));
        assert_eq!(order("\"b\"", "1"), None);
    }

    #[test]
    fn a_lag_keeps_the_spelling() {
        let moved = |raw: &str, lag| Cursor::parse(raw).unwrap().moved(lag).raw;
        assert_eq!(moved("\"2024-01-01T00:00:10Z\"", -10.0), "\"2024-01-01T00:00:00Z\"");
        assert_eq!(moved("\"2024-01-03\"", -2.0), "\"2024-01-01\"");
        assert_eq!(moved("10", -3.0), "7");
    }
}
