//! Times as APIs spell them, and numbers that stand for times.

use longshore_core::values::iso_timestamp::{detect_iso_timestamp, parse_date};

const DAY: i64 = 86_400_000_000;
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Microseconds since 1970 of ISO date-times, dates of the forms `2024-01-31` and `2024/01/31`, times with the month as a word
/// (mail, HTTP, `asctime`, RFC 850) and .NET's `/Date(1706695200000)/`. The day 0000-00-00, as some databases have it, is before all.
pub(super) fn moment(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(micros) = detect_iso_timestamp(text) {
        return Some(micros);
    }
    let bytes = text.as_bytes();
    if bytes.len() < 10 {
        return None;
    }
    if bytes[0].is_ascii_digit() {
        if let Some(micros) = detect_iso_timestamp(&nearly_iso(text)) {
            return Some(micros);
        }
        if text.starts_with("0000-00-00") {
            return detect_iso_timestamp("0001-01-01T00:00:00Z");
        }
        if bytes[4] == b'/' && bytes[7] == b'/' {
            return moment(&text.replacen('/', "-", 2));
        }
        if bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-' {
            return Some(i64::from(parse_date(text)?) * DAY);
        }
    }
    if let Some(inner) = text.strip_prefix("/Date(").and_then(|t| t.strip_suffix(")/")) {
        // An offset says where it was written down, not when.
        let end = inner.char_indices().skip(1).find(|(_, c)| !c.is_ascii_digit()).map_or(inner.len(), |(at, _)| at);
        return inner[..end].parse::<i64>().ok()?.checked_mul(1000);
    }
    detect_iso_timestamp(&in_numbers(text)?)
}

/// What many APIs write instead of ISO: `2024-01-31 10:00:00 UTC`, a space before the offset, small letters, a zone's name in brackets.
fn nearly_iso(text: &str) -> String {
    let upper = text.to_ascii_uppercase();
    let core = upper.split('[').next().unwrap_or_default().trim_end();
    let (core, is_utc) = match core.strip_suffix("UTC").or_else(|| core.strip_suffix("GMT")) {
        Some(rest) => (rest.trim_end(), true),
        None => (core, false),
    };
    let joined = core.replace(" +", "+").replace(" -", "-").replace(" Z", "Z");
    let has_offset = joined.ends_with('Z') || joined.get(11..).is_some_and(|clock| clock.contains(['+', '-']));
    if is_utc && !has_offset { joined + "Z" } else { joined }
}

/// A time whose month is a word, as ISO has it: `Tue, 02 Jan 2024 03:04:05 GMT`, `Wed Jan 31 20:19:24 +0000 2024`, `Jan 31, 2024`.
fn in_numbers(text: &str) -> Option<String> {
    let (mut year, mut month, mut day, mut clock, mut zone, mut noon) = (None, None, None, None, String::new(), None);
    for part in text.split([' ', ',', '\t']).filter(|p| !p.is_empty()) {
        let is_zone = part.starts_with(['+', '-']);
        // RFC 850 has dashes in its date: 31-Jan-24.
        let words: Vec<&str> = if is_zone { vec![part] } else { part.split('-').collect() };
        for word in words {
            let lower = word.to_lowercase();
            let is_number = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
            let short = lower.trim_end_matches('.');
            let name = |names: &[&str]| names.iter().position(|n| short.len() >= 3 && n.starts_with(short));
            if is_number && word.len() == 4 {
                year = year.or(Some(word.parse::<u32>().ok()?));
            } else if is_number && word.len() <= 2 {
                let number = word.parse::<u32>().ok()?;
                match (day, year) {
                    (None, _) => day = Some(number),
                    (_, None) => year = Some(if number < 70 { 2000 } else { 1900 } + number),
                    _ => return None,
                }
            } else if word.contains(':') && !is_zone {
                clock = Some(word.to_owned());
            } else if matches!(lower.as_str(), "am" | "pm") {
                noon = Some(lower == "pm");
            } else if is_zone {
                zone = word.to_owned();
            } else if matches!(lower.as_str(), "gmt" | "utc" | "ut" | "z") {
                zone = if zone.is_empty() { "Z".to_owned() } else { zone };
            } else if let Some(at) = name(&MONTHS) {
                month = Some(at + 1);
            } else {
                name(&WEEKDAYS)?;
            }
        }
    }
    let clock = clock.unwrap_or_else(|| "00:00".to_owned());
    let (hour, rest) = clock.split_once(':')?;
    let hour = match (hour.parse::<u32>().ok()?, noon) {
        (12, Some(false)) => 0,
        (hour, Some(true)) if hour < 12 => hour + 12,
        (hour, _) => hour,
    };
    Some(format!("{:04}-{:02}-{:02}T{hour:02}:{rest}{zone}", year?, month?, day?))
}

/// True for `01/02/2024` and its kin: whether the day or the month comes first is not to be known, and as text they have no order of
/// time.
pub(super) fn is_ambiguous(text: &str) -> bool {
    let first = text.trim().split([' ', 'T']).next().unwrap_or_default();
    let parts: Vec<&str> = first.split(['/', '.', '-']).collect();
    let is_number = |part: &str, least: usize, most: usize| {
        (least..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    };
    matches!(parts[..], [a, b, year] if is_number(a, 1, 2) && is_number(b, 1, 2) && is_number(year, 4, 4))
}

/// Microseconds since 1970 of a number: seconds, milliseconds, microseconds or nanoseconds, by its size; 20240131 is a day.
pub(super) fn epoch_micros(number: i128) -> i128 {
    if (19_000_101..=21_001_231).contains(&number)
        && let Some(day) = parse_date(&format!("{}-{:02}-{:02}", number / 10_000, number / 100 % 100, number % 100))
    {
        return i128::from(day) * i128::from(DAY);
    }
    match number.abs() {
        0..100_000_000_000 => number * 1_000_000,
        100_000_000_000..100_000_000_000_000 => number * 1000,
        100_000_000_000_000..100_000_000_000_000_000 => number,
        _ => number.div_euclid(1000),
    }
}

/// As [`epoch_micros`], of a number with a fraction.
pub(super) fn epoch_micros_of(number: f64) -> i64 {
    let scale = match number.abs() {
        n if n < 1e11 => 1e6,
        n if n < 1e14 => 1e3,
        n if n < 1e17 => 1.0,
        _ => 1e-3,
    };
    (number * scale).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_spellings_apis_have() {
        let utc = moment("2024-01-31T20:19:24Z");
        assert!(utc.is_some());
        for text in [
            "2024/01/31 20:19:24",
            "2024-01-31 20:19:24 UTC",
            "2024-01-31 20:19:24 +0000 UTC",
            "2024-01-31 22:19:24 +0200",
            "2024-01-31 15:19:24 -05:00",
            "2024-01-31t20:19:24z",
            "2024-01-31T21:19:24+01:00[Europe/Berlin]",
            "2024/01/31 20:19:24 GMT",
            "Wed Jan 31 20:19:24 +0000 2024",
            "Wed Jan 31 20:19:24 2024",
            "Wed, 31 Jan 2024 20:19:24 GMT",
            "Wed, 31 Jan 2024 22:19:24 +0200",
            "31 Jan 2024 20:19:24 +0000",
            "Wednesday, 31-Jan-24 20:19:24 GMT",
            "31-Jan-2024 20:19:24",
            "January 31, 2024 8:19:24 PM",
            "/Date(1706732364000)/",
            "/Date(1706732364000+0100)/",
        ] {
            assert_eq!(moment(text), utc, "{text}");
        }
        assert_eq!(moment("Feb 1, 2024"), moment("2024-02-01"));
        assert_eq!(moment("2024/02/01"), moment("2024-02-01"));
        assert!(moment("0000-00-00 00:00:00") < moment("0001-01-02"));
        for text in [
            "01/31/2024",
            "March",
            "marketing 12 2024",
            "release 1, 2024",
            "/Date(x)/",
            "\u{fc}/\u{fc}/\u{fc}/\u{fc}/",
            "31-31-Jan-24-24",
            "",
            "-",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_times_by_their_size() {
        let second = i128::from(moment("2024-01-31T20:19:24Z").unwrap_or_default());
        for number in [1_706_732_364, 1_706_732_364_000, 1_706_732_364_000_000, 1_706_732_364_000_000_000] {
            assert_eq!(epoch_micros(number), second);
        }
        assert_eq!(Some(epoch_micros(20_240_131)), moment("2024-01-31").map(i128::from));
        assert_eq!(epoch_micros(20_241_331), 20_241_331_000_000);
        assert_eq!(i128::from(epoch_micros_of(1_706_732_364.000_2)), second + 200);
        assert!(is_ambiguous("1/31/2024 9:00 PM") && is_ambiguous("31.01.2024") && !is_ambiguous("2024/01/31"));
    }
}
