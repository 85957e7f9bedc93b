//! Python's `int()`, `float()` and dlt's `str2bool`: texts as numbers and truth values.
//!
//! Source of the rules: `_text_to_bigint` and `_text_to_double` in
//! `dlt/common/data_types/type_helpers.py`, `str2bool` in `dlt/common/utils.py` (1.31.0), and
//! Python 3.11 below them. The digits of all scripts are digits, as in Python.

pub use super::float_text::float_repr;

use super::python_chars::{digit_value, is_space, strip};

/// An integer of any size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PyInt {
    /// Fits 64 bits with sign, so dlt's `bigint`.
    Small(i64),
    /// Does not fit: its decimal digits without leading zeros, after `-` if negative.
    Big(String),
}

/// The most decimal digits Python converts (`sys.get_int_max_str_digits`).
pub const MAX_INT_DIGITS: usize = 4300;

/// The integer dlt reads from a text for a bigint column; `None` where it raises.
///
/// `int()` syntax: white space around, a sign, digits with single `_` between them, at most
/// [`MAX_INT_DIGITS`] of them. After the prefix `0x` (small `x`, no sign before it) the rest is
/// `int(rest, 16)`, which itself takes white space, a sign and a second `0x`. dlt reads
/// hexadecimal numbers of any length, but fails on writing more than [`MAX_INT_DIGITS`] decimal
/// digits, so such a number is `None` here.
#[must_use]
pub fn parse_int(text: &str) -> Option<PyInt> {
    let text = strip(text);
    let (negative, digits) = match text.strip_prefix("0x") {
        Some(rest) => hexadecimal(rest)?,
        None => decimal(text)?,
    };
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some(PyInt::Small(0));
    }
    let canonical = if negative { format!("-{digits}") } else { digits.to_owned() };
    Some(canonical.parse().map_or(PyInt::Big(canonical), PyInt::Small))
}

/// The number dlt reads from a text for a double column; `None` where it raises.
///
/// `float()` syntax (see [`float_syntax`]), and after the prefix `0x` the integer [`parse_int`]
/// reads, if it is within the range of a double.
#[must_use]
pub fn parse_float(text: &str) -> Option<f64> {
    let text = strip(text);
    if !text.starts_with("0x") {
        return float_syntax(text);
    }
    let number = match parse_int(text)? {
        PyInt::Small(small) => small as f64,
        // Correctly rounded, as Python's conversion of the integer would be.
        PyInt::Big(digits) => digits.parse().ok()?,
    };
    number.is_finite().then_some(number)
}

/// Python's `float(text)`; `None` where it raises.
///
/// White space around, a sign, `inf`, `infinity` or `nan` in any case, or digits with at most one
/// point and an exponent; single `_` between digits. Beyond the range it is infinite, not an error.
#[must_use]
pub fn float_syntax(text: &str) -> Option<f64> {
    let text = strip_around_number(text);
    // Rust reads the same words and numbers as Python once `_` and foreign digits are gone.
    if text.bytes().all(|byte| byte.is_ascii() && byte != b'_') {
        return text.parse().ok();
    }
    let mut plain = String::with_capacity(text.len());
    let mut after_digit = false;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let digit = digit_value(c);
        match digit {
            Some(value) => plain.push(char::from(b'0' + value)),
            None if c == '_' => {
                let before_digit = rest.peek().is_some_and(|&next| digit_value(next).is_some());
                if !after_digit || !before_digit {
                    return None;
                }
            }
            None => plain.push(c),
        }
        after_digit = digit.is_some();
    }
    plain.parse().ok()
}

/// The truth value dlt reads from a text for a bool column; `None` where it raises.
///
/// `yes`, `true`, `t`, `y`, `1` and `no`, `false`, `f`, `n`, `0` in any case, nothing around them.
#[must_use]
pub fn str2bool(text: &str) -> Option<bool> {
    // ASCII case is enough: no other character has one of these letters as its lower case.
    let is = |word: &&str| text.eq_ignore_ascii_case(word);
    if ["yes", "true", "t", "y", "1"].iter().any(is) {
        return Some(true);
    }
    ["no", "false", "f", "n", "0"].iter().any(is).then_some(false)
}

/// `text` without the white space `int()` and `float()` allow around a number: Python's, but not
/// the four ASCII separators, which only `str.strip` counts.
fn strip_around_number(text: &str) -> &str {
    text.trim_matches(|c| is_space(c) && !('\u{1c}'..='\u{1f}').contains(&c))
}

/// Sign and ASCII digits of `int(text)`.
fn decimal(text: &str) -> Option<(bool, String)> {
    let (negative, digits) = split_sign(text);
    let digits = joined_digits(digits, 10)?;
    (digits.len() <= MAX_INT_DIGITS).then_some((negative, digits))
}

/// Sign and decimal digits of `int(text, 16)`.
fn hexadecimal(text: &str) -> Option<(bool, String)> {
    let (negative, digits) = split_sign(strip_around_number(text));
    // Both zero and a foreign zero may begin the prefix: Python makes the digits ASCII first.
    let mut prefix = digits.chars();
    let prefixed = prefix.next().is_some_and(|zero| digit_value(zero) == Some(0))
        && prefix.next().is_some_and(|x| x.eq_ignore_ascii_case(&'x'));
    let digits = if prefixed {
        let digits = prefix.as_str();
        digits.strip_prefix('_').unwrap_or(digits)
    } else {
        digits
    };
    let digits = joined_digits(digits, 16)?;
    Some((negative, hexadecimal_to_decimal(digits.trim_start_matches('0'))?))
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// The digits as ASCII without the single `_` between them.
fn joined_digits(text: &str, radix: u32) -> Option<String> {
    let mut joined = String::with_capacity(text.len());
    let mut after_digit = false;
    for c in text.chars() {
        let digit = digit_value(c).map(u32::from).or_else(|| c.to_digit(radix));
        match digit {
            Some(value) => joined.push(char::from_digit(value, radix)?),
            None if c == '_' && after_digit => {}
            None => return None,
        }
        after_digit = digit.is_some();
    }
    after_digit.then_some(joined)
}

/// Decimal digits of a hexadecimal number; `None` if they are more than [`MAX_INT_DIGITS`].
fn hexadecimal_to_decimal(digits: &str) -> Option<String> {
    // Limbs of nine decimal digits, the lowest first. The bound keeps the quadratic work small.
    const LIMB: u64 = 1_000_000_000;
    if digits.len() > MAX_INT_DIGITS {
        return None;
    }
    let mut limbs: Vec<u64> = Vec::new();
    for c in digits.chars() {
        let mut carry = u64::from(c.to_digit(16)?);
        for limb in &mut limbs {
            let value = *limb * 16 + carry;
            *limb = value % LIMB;
            carry = value / LIMB;
        }
        if carry > 0 {
            limbs.push(carry);
        }
    }
    let text: String = limbs.iter().rev().map(|limb| format!("{limb:09}")).collect();
    let text = text.trim_start_matches('0');
    (text.len() <= MAX_INT_DIGITS).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn big(digits: &str) -> Option<PyInt> {
        Some(PyInt::Big(digits.to_owned()))
    }

    #[test]
    fn integers_have_the_syntax_of_int() {
        let small = [
            ("0", 0),
            (" 1_000\n", 1000),
            ("-7", -7),
            ("+7", 7),
            ("007", 7),
            ("-0", 0),
            ("٣٤", 34),
            ("0x1F", 31),
            (" 0x 1f", 31),
            ("0x-1_0", -16),
            ("0x0X_10", 16),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ];
        for (text, number) in small {
            assert_eq!(parse_int(text), Some(PyInt::Small(number)), "{text:?}");
        }
        assert_eq!(parse_int("9223372036854775808"), big("9223372036854775808"));
        assert_eq!(parse_int("-00_9223372036854775809"), big("-9223372036854775809"));
        assert_eq!(parse_int("0xffffffffffffffffffff"), big("1208925819614629174706175"));
    }

    #[test]
    fn other_texts_are_no_integers() {
        let texts = [
            "",
            " ",
            "-",
            "1.0",
            "1e3",
            "1__0",
            "_1",
            "1_",
            "- 1",
            "--1",
            "0x",
            "0x_1",
            "0X1",
            "-0x1",
            "0x1g",
            "0x\u{1c}1",
            "½",
            "²",
            "1\0",
        ];
        for text in texts {
            assert_eq!(parse_int(text), None, "{text:?}");
        }
        assert_eq!(parse_int(&"1".repeat(MAX_INT_DIGITS + 1)), None);
        assert_eq!(parse_int(&format!("0x{}", "f".repeat(100_000))), None);
    }

    #[test]
    fn floats_have_the_syntax_of_float() {
        let numbers = [
            ("1", 1.0),
            (" 1_0.5_0e1_0 ", 1.05e11),
            (".5", 0.5),
            ("5.", 5.0),
            ("-1E-3", -0.001),
            ("٣.٥", 3.5),
            ("1e400", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("0x10", 16.0),
            ("0xffffffffffffffffffff", 1_208_925_819_614_629_174_706_175.0),
        ];
        for (text, number) in numbers {
            assert_eq!(parse_float(text), Some(number), "{text:?}");
        }
        assert!(parse_float("+NaN").is_some_and(f64::is_nan));
        for text in ["", ".", "e5", "1_", "1_.0", "1._0", "1e_5", "inf_", "0x1.8", "1,0", "1 0"] {
            assert_eq!(parse_float(text), None, "{text:?}");
        }
        assert_eq!(parse_float(&format!("0x{}", "f".repeat(300))), None);
    }

    #[test]
    fn truth_has_ten_words() {
        for (yes, no) in [("yes", "no"), ("TRUE", "False"), ("t", "F"), ("Y", "n"), ("1", "0")] {
            assert_eq!((str2bool(yes), str2bool(no)), (Some(true), Some(false)));
        }
        for text in ["", " yes", "on", "2", "1.0", "ye\u{17f}"] {
            assert_eq!(str2bool(text), None, "{text:?}");
        }
    }
}
