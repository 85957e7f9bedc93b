//! Which characters Python counts as white space and as decimal digits.
//!
//! The digits are those of Unicode 14.0, the version inside Python 3.11. Later versions of Python
//! know a few more scripts; texts in those scripts are not worth a second table.

/// True where Python's `str.isspace` is true, which is also the set `str.strip` removes.
///
/// Wider than [`char::is_whitespace`]: Python also counts the four ASCII separators
/// U+001C..U+001F.
#[must_use]
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// `text` without Python's white space at both ends, as `str.strip`.
#[must_use]
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// True if `text` is empty or only white space, as `not text.strip()`.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    text.chars().all(is_space)
}

/// The value 0..=9 of a decimal digit of any script (category Nd, `\d` in Python's `re`).
#[must_use]
pub fn digit_value(c: char) -> Option<u8> {
    if c.is_ascii() {
        // The cast is exact: an ASCII character is one byte.
        return c.is_ascii_digit().then(|| c as u8 - b'0');
    }
    let code = u32::from(c);
    let after = ZEROS.partition_point(|&zero| zero <= code);
    let zero = *ZEROS.get(after.checked_sub(1)?)?;
    let value = code - zero;
    // The cast is exact: the value is below ten.
    (value < 10).then_some(value as u8)
}

/// The digit zero of every script except ASCII, ascending; the other nine follow each one.
const ZEROS: [u32; 65] = [
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0, 0xF20,
    0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0,
    0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0,
    0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16AC0,
    0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0,
];

#[cfg(test)]
mod tests {
    use super::{ZEROS, digit_value, is_blank, strip};

    #[test]
    fn strip_removes_what_python_removes() {
        assert_eq!(strip("\u{1c}\u{a0} a b\u{3000}\n"), "a b");
        // Zero width space is no white space for Python.
        assert_eq!(strip("\u{200b}a"), "\u{200b}a");
        assert!(is_blank("") && is_blank(" \t\u{1f}"));
        assert!(!is_blank(" x "));
    }

    #[test]
    fn digits_of_all_scripts_have_values() {
        assert_eq!(digit_value('7'), Some(7));
        assert_eq!(digit_value('٣'), Some(3));
        assert_eq!(digit_value('９'), Some(9));
        assert_eq!(digit_value('\u{1fbf9}'), Some(9));
    }

    #[test]
    fn other_numbers_are_no_digits() {
        for c in ['a', '²', '½', 'Ⅷ', '/', ':', '\u{65f}', '\u{66a}', '\u{1fbfa}', '\u{10ffff}'] {
            assert_eq!(digit_value(c), None, "{c:?}");
        }
    }

    #[test]
    fn the_table_is_ascending_without_overlaps() {
        assert!(ZEROS.windows(2).all(|pair| pair[0] + 10 <= pair[1]));
    }
}
