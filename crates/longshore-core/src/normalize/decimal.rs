//! Decimal numbers as they are written, exactly.

/// Returns a number times ten to the power of `scale`, if it has at most so many digits before the point and none but
/// zeros behind the last that the scale leaves it. It may have a sign, a fraction and an exponent, as in JSON.
pub(super) fn parse_decimal(text: &str, (precision, scale): (u8, u8)) -> Option<i128> {
    let (text, negative) = match text.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    let is_number = !whole.is_empty() && (whole.len() == 1 || !whole.starts_with('0'));
    if !is_number || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Digits that count, and how many of them stand behind the point.
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let behind = i64::try_from(fraction.len()).ok()? - i64::from(exponent);
    let shift = i64::from(scale) - behind;
    let (digits, zeros) = match usize::try_from(-shift) {
        // More behind the point than there is room for: only zeros.
        Ok(surplus) if surplus > 0 => {
            let kept = digits.len().saturating_sub(surplus);
            let (kept, rest) = digits.split_at(kept);
            if rest.bytes().any(|b| b != b'0') {
                return None;
            }
            (kept, 0)
        }
        _ => (digits, usize::try_from(shift).ok()?),
    };
    if digits.is_empty() {
        return Some(0);
    }
    if digits.len() + zeros > usize::from(precision) {
        return None;
    }
    let value = digits.parse::<i128>().ok()? * 10i128.pow(u32::try_from(zeros).ok()?); // at most 38 digits
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::parse_decimal;

    #[test]
    fn every_digit_is_kept_or_the_number_is_none() {
        for (text, size, expect) in [
            ("12.34", (10, 2), Some(1234)),
            ("-12.3", (10, 2), Some(-1230)),
            ("12.345", (10, 2), None),
            ("12.3400", (10, 2), Some(1234)),
            ("0.05", (2, 2), Some(5)),
            ("1", (2, 2), None),
            ("1e3", (4, 0), Some(1000)),
            ("1.5E-1", (38, 9), Some(150_000_000)),
            ("15e-1", (38, 0), None),
            ("100e-2", (38, 0), Some(1)),
            ("0e99", (38, 0), Some(0)),
            ("0.000", (38, 0), Some(0)),
            ("99999999999999999999999999999999999999", (38, 0), Some(10i128.pow(38) - 1)),
            ("100000000000000000000000000000000000000", (38, 0), None),
            ("1e400000000", (38, 0), None),
            ("1e-400000000", (38, 0), None),
            ("", (38, 0), None),
            ("-", (38, 0), None),
            ("1.", (38, 0), None),
            (".5", (38, 1), None),
            ("007", (38, 0), None),
            ("1,5", (38, 0), None),
            ("+1", (38, 0), None),
            ("1e", (38, 0), None),
        ] {
            assert_eq!(parse_decimal(text, size), expect, "{text} {size:?}");
        }
    }
}
