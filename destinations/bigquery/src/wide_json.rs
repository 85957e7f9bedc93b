//! JSON that BigQuery would change: its numbers have 64 bits. Such a document is kept as a JSON string instead.

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, StringArray};
use std::sync::Arc;

/// How deep BigQuery's JSON may be nested.
const DEEPEST: usize = 500;
/// Every number with so many digits comes back from a double as it went in.
const SAFE_DIGITS: usize = 15;

/// Returns the documents, those in quotes that `PARSE_JSON` would refuse because it cannot keep them as they are.
pub(crate) fn keep_exact(documents: &ArrayRef) -> ArrayRef {
    let Some(texts) = documents.as_string_opt::<i32>() else { return Arc::clone(documents) };
    if texts.iter().flatten().all(is_kept) {
        return Arc::clone(documents);
    }
    let quoted = |text: &str| match is_kept(text) {
        true => text.to_owned(),
        false => serde_json::Value::from(text).to_string(),
    };
    Arc::new(StringArray::from_iter(texts.iter().map(|t| t.map(quoted))))
}

/// True when all numbers of a document fit, and it is not nested too deeply.
fn is_kept(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at),
            b'{' | b'[' => {
                depth += 1;
                if depth > DEEPEST {
                    return false;
                }
            }
            b'}' | b']' => depth -= 1,
            b'-' | b'0'..=b'9' => {
                let length = bytes[at..]
                    .iter()
                    .take_while(|b| matches!(b, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'))
                    .count();
                if !fits(&text[at..at + length]) {
                    return false;
                }
                at += length;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    true
}

/// Returns the place of the closing quote of the string that begins at `at`.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    loop {
        at += 1;
        match bytes.get(at) {
            Some(b'\\') => at += 1,
            Some(b'"') | None => return at,
            Some(_) => {}
        }
    }
}

/// True when a number survives as a whole number of 64 bits or as a double.
fn fits(number: &str) -> bool {
    let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    if digits <= SAFE_DIGITS && !number.contains(['e', 'E']) {
        return true;
    }
    if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return true;
    }
    number
        .parse::<f64>()
        .is_ok_and(|double| double.is_finite() && scientific(number) == scientific(&format!("{double:e}")))
}

/// A number as its digits without zeros at either end, and the power of ten of the first: equal numbers are equal.
fn scientific(number: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) =
        mantissa.trim_start_matches('-').split_once('.').unwrap_or((mantissa.trim_start_matches('-'), ""));
    let all = format!("{whole}{fraction}");
    let leading = all.bytes().take_while(|b| *b == b'0').count();
    let digits = all.trim_matches('0').to_owned();
    if digits.is_empty() {
        return (false, digits, 0);
    }
    let power = exponent.trim_start_matches('+').parse::<i64>().unwrap_or(i64::MAX / 2);
    (number.starts_with('-'), digits, power + whole.len() as i64 - leading as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_would_change_are_found() {
        for kept in [
            "1",
            "-0.1",
            "1e22",
            "1.50e3",
            "18446744073709551615",
            "-9223372036854775808",
            "0.30000000000000004",
            "5e-324",
            "\"12345678901234567890.5\"",
            "[1,{\"a\":2.5}]",
            "0.000",
            "\"\\\"1e999\"",
        ] {
            assert!(is_kept(kept), "{kept}");
        }
        for changed in [
            "18446744073709551616",
            "0.1234567890123456789",
            "1e999",
            "[1,{\"a\":123456789.123456789123}]",
            &"[".repeat(501),
        ] {
            assert!(!is_kept(changed), "{changed}");
        }
    }

    #[test]
    fn such_a_document_becomes_a_json_string() {
        let column: ArrayRef = Arc::new(StringArray::from(vec![Some("{\"a\":1e999}"), None, Some("[1]")]));
        let kept = keep_exact(&column);
        let texts: Vec<Option<&str>> = kept.as_string::<i32>().iter().collect();
        assert_eq!(texts, [Some(r#""{\"a\":1e999}""#), None, Some("[1]")]);
    }
}
