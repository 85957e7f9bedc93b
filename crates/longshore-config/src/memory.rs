//! Amounts of memory, as `memory` of `[pipeline]` and `--memory` say them.

use longshore_core::error::{Error, Result};

/// With less no load gets far.
pub const LEAST_MEMORY: u64 = 32 << 20;

/// Reads `256M`, `2G` or a number of bytes.
///
/// # Errors
/// When it is none of these, or less than a load needs.
pub fn memory_size(text: &str) -> Result<u64> {
    let hint = format!("write bytes, or 256M, 1.5G or 1T; at least {}M", LEAST_MEMORY >> 20);
    let wrong = || Error::config(format!("'{text}' is no amount of memory")).hint(&hint);
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        _ => return Err(wrong()),
    };
    let amount = times(digits.trim_end(), 1 << shift).ok_or_else(wrong)?;
    if amount < LEAST_MEMORY {
        return Err(Error::config(format!("'{text}' is too little memory")).hint(&hint));
    }
    Ok(amount)
}

/// `1.5` times a unit. Digits alone, since a number may also be `inf` or `1e9`.
fn times(digits: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let fraction: f64 = format!("0.{fraction}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(unit)?.checked_add((fraction * unit as f64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_with_its_unit() {
        assert_eq!(memory_size("64M").unwrap(), 64 << 20);
        assert_eq!(memory_size("2g").unwrap(), 2 << 30);
        assert_eq!(memory_size("1.5G").unwrap(), 3 << 29);
        assert_eq!(memory_size("1T").unwrap(), 1 << 40);
        for wrong in ["lots", "99999999999G", "1.G", ".5G", "1.5.5G", "-1G", "infG", ""] {
            assert!(memory_size(wrong).unwrap_err().message().contains("no amount of memory"), "{wrong}");
        }
        let error = memory_size("1M").unwrap_err();
        assert!(
            error.message().contains("too little") && error.hint_text().unwrap_or_default().ends_with("at least 32M")
        );
    }
}
