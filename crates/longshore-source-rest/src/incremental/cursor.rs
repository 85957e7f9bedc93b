//! Values of a cursor field and their order: numbers as numbers, timestamps as moments whatever their spelling,
//! everything else as text.

use super::moment::{epoch_micros, epoch_micros_of, is_ambiguous, moment};
use crate::doc::Doc;
use longshore_core::json::Kind;
use longshore_core::values::iso_timestamp::format_iso;
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
            (Whole(a), Whole(b)) => return Some(a.cmp(b)),
            (Moment(a), Moment(b)) => return Some(a.cmp(b)),
            // Numbers beside times are times since 1970, also those that are written as texts.
            (Moment(_), _) | (_, Moment(_)) => {
                if let (Some(a), Some(b)) = (self.micros(), other.micros()) {
                    return Some(a.cmp(&b));
                }
                return compare_texts(self, other);
            }
            _ => {}
        }
        // Numbers that are written as texts have the order of numbers: "9" comes before "10", and "9.5" before "10.25".
        if let (Some(a), Some(b)) = (self.decimal(), other.decimal()) {
            return Some(a.compare(&b));
        }
        match (self.number(), other.number()) {
            (Some(a), Some(b)) if !(self.is_text() && other.is_text()) => a.partial_cmp(&b),
            _ => compare_texts(self, other),
        }
    }

    fn is_text(&self) -> bool {
        matches!(self.meaning, Meaning::Text(_))
    }

    /// A number digit by digit; `None` for those that have passed through a double.
    fn decimal(&self) -> Option<Decimal<'_>> {
        match &self.meaning {
            Meaning::Text(text) => Decimal::of(text),
            Meaning::Whole(_) => Decimal::of(&self.raw),
            Meaning::Number(_) | Meaning::Moment(_) => None,
        }
    }

    fn number(&self) -> Option<f64> {
        match &self.meaning {
            Meaning::Whole(whole) => Some(*whole as f64),
            Meaning::Number(number) => Some(*number),
            Meaning::Text(text) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()),
            Meaning::Moment(_) => None,
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
        match &self.meaning {
            Meaning::Moment(micros) => Some(*micros),
            Meaning::Whole(whole) => i64::try_from(epoch_micros(*whole)).ok(),
            Meaning::Number(number) => Some(epoch_micros_of(*number)),
            Meaning::Text(text) => match text.trim().parse() {
                Ok(whole) => i64::try_from(epoch_micros(whole)).ok(),
                Err(_) => Decimal::of(text).and(self.number()).map(epoch_micros_of),
            },
        }
    }

    /// Moved by a lag: seconds of timestamps, days of dates, units of numbers, also of those that are texts; in the same spelling. Other
    /// texts stay.
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
                let has_offset = text.get(10..).is_some_and(|t| t.contains(['Z', 'z', '+', '-', 'U', 'G']));
                let unit = if is_date { 86_400e6 } else { 1e6 };
                let moved = micros.saturating_add((lag * unit) as i64);
                let iso = format_iso(moved);
                let iso = match (is_date, text.ends_with('Z'), has_offset) {
                    (true, ..) => iso[..10].to_owned(),
                    (_, true, _) => iso.replace("+00:00", "Z"),
                    (_, _, false) => iso.replace("+00:00", ""),
                    _ => iso,
                };
                let iso = if text.get(10..11) == Some(" ") { iso.replace('T', " ") } else { iso };
                let spelled = match text.get(4..5) {
                    Some("/") => iso.replacen('-', "/", 2),
                    _ if text.starts_with("/Date(") => format!("/Date({})/", moved.div_euclid(1000)),
                    _ => iso,
                };
                Cursor { raw: crate::tree::quoted(&spelled), meaning: Meaning::Moment(moved) }
            }
            Meaning::Text(text) => {
                let moved = match (text.trim().parse::<i128>(), Decimal::of(text)) {
                    (Ok(whole), _) if lag.fract() == 0.0 => {
                        let width = if text.starts_with('0') { text.len() } else { 0 };
                        format!("{:0width$}", whole.saturating_add(lag as i128))
                    }
                    (_, Some(_)) => {
                        let digits = text.split_once('.').map_or(0, |(_, part)| part.trim_end().len());
                        format!("{:.digits$}", self.number().unwrap_or_default() + lag)
                    }
                    _ => return self.clone(),
                };
                Cursor { raw: crate::tree::quoted(&moved), meaning: Meaning::Text(moved) }
            }
        }
    }
}

/// A number as a text writes it, digit by digit: its sign, and its digits before and behind the point, without zeros that say nothing.
#[derive(Debug, PartialEq, Eq)]
struct Decimal<'a> {
    negative: bool,
    whole: &'a str,
    part: &'a str,
}

impl<'a> Decimal<'a> {
    fn of(text: &'a str) -> Option<Decimal<'a>> {
        let text = text.trim();
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if !is_number(whole) || !is_number(part) {
            return None;
        }
        let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
        Some(Decimal { negative: negative && !(whole.is_empty() && part.is_empty()), whole, part })
    }

    fn compare(&self, other: &Self) -> Ordering {
        let sizes = (self.whole.len(), self.whole, self.part).cmp(&(other.whole.len(), other.whole, other.part));
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => sizes,
            (true, true) => sizes.reverse(),
        }
    }
}

/// Where not both are numbers, nor times. A text beside times has an order only if it begins as they do, with a year; an empty one is
/// before all.
fn compare_texts(a: &Cursor, b: &Cursor) -> Option<Ordering> {
    let (text_a, text_b) = (a.plain(), b.plain());
    let empty = (text_a.trim().is_empty(), text_b.trim().is_empty());
    if empty.0 || empty.1 {
        return Some(empty.1.cmp(&empty.0));
    }
    let begins_with_year = |text: &str| {
        let bytes = text.as_bytes();
        bytes.len() > 4 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-'
    };
    let has_order = match (&a.meaning, &b.meaning) {
        (Meaning::Text(_), Meaning::Text(_)) => text_a == text_b || !(is_ambiguous(&text_a) || is_ambiguous(&text_b)),
        (Meaning::Text(_), Meaning::Moment(_)) => begins_with_year(&text_a),
        (Meaning::Moment(_), Meaning::Text(_)) => begins_with_year(&text_b),
        _ => false,
    };
    has_order.then(|| text_a.cmp(&text_b))
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
        assert_eq!(order("\"1704067200\"", "\"2024-01-01T00:00:00Z\""), Some(Ordering::Equal));
        assert_eq!(order("\"1704067200.5\"", "\"2024-01-01T00:00:00Z\""), Some(Ordering::Greater));
        assert_eq!(order("20240102", "\"2024-01-01\""), Some(Ordering::Greater));
        assert_eq!(order("\"\"", "\"2024-01-01\""), Some(Ordering::Less));
        assert_eq!(order("\"0000-00-00\"", "\"2024-01-01\""), Some(Ordering::Less));
        assert_eq!(order("\"2024-01-31-b\"", "\"2024-01-31\""), Some(Ordering::Greater));
    }

    #[test]
    fn what_has_no_order_is_not_put_in_one() {
        // Day and month, or month and day; words beside times.
        assert_eq!(order("\"12/31/2023\"", "\"01/01/2024\""), None);
        assert_eq!(order("\"31.12.2023\"", "\"2024-01-01\""), None);
        assert_eq!(order("\"n/a\"", "\"2024-01-01T00:00:00Z\""), None);
    }

    #[test]
    fn numbers_are_compared_as_numbers_and_texts_as_texts() {
        assert_eq!(order("9", "10"), Some(Ordering::Less));
        assert_eq!(order("123456789012345678901", "123456789012345678902"), Some(Ordering::Less));
        assert_eq!(order("\"9\"", "10"), Some(Ordering::Less));
        assert_eq!(order("\"9\"", "\"10\""), Some(Ordering::Less));
        assert_eq!(order("\"b\"", "\"a\""), Some(Ordering::Greater));
        assert_eq!(order("\"b\"", "1"), None);
        assert_eq!(order("\"9.5\"", "\"10.25\""), Some(Ordering::Less));
        assert_eq!(order("\"-9.50\"", "\"-9.5\""), Some(Ordering::Equal));
        assert_eq!(order("\"-10\"", "\"-9.5\""), Some(Ordering::Less));
        assert_eq!(order("\"9007199254740993\"", "9007199254740992"), Some(Ordering::Greater));
        assert_eq!(order("\"1e3\"", "999.5"), Some(Ordering::Greater));
        assert_eq!(order("\"\"", "1"), Some(Ordering::Less));
    }

    #[test]
    fn a_lag_keeps_the_spelling() {
        let moved = |raw: &str, lag| Cursor::parse(raw).unwrap().moved(lag).raw;
        assert_eq!(moved("\"2024-01-01T00:00:10Z\"", -10.0), "\"2024-01-01T00:00:00Z\"");
        assert_eq!(moved("\"2024-01-03\"", -2.0), "\"2024-01-01\"");
        assert_eq!(moved("\"2024/01/03\"", -2.0), "\"2024/01/01\"");
        assert_eq!(moved("\"2024-01-01 00:00:10\"", -10.0), "\"2024-01-01 00:00:00\"");
        assert_eq!(moved("\"2024-01-01 00:00:10 UTC\"", -10.0), "\"2024-01-01 00:00:00+00:00\"");
        assert_eq!(moved("10", -3.0), "7");
        assert_eq!(moved("\"0010\"", -3.0), "\"0007\"");
        assert_eq!(moved("\"10.25\"", -3.0), "\"7.25\"");
        assert_eq!(moved("\"k10\"", -3.0), "\"k10\"");
    }
}
