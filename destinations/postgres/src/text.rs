//! Characters that PostgreSQL cannot hold: NUL in text, and in JSON also halves of surrogate pairs.
//!
//! A NUL is written as the six characters `\u0000`, so that the row and all of its other characters are kept. dlt drops
//! the character.

use memchr::{memchr, memmem};
use std::borrow::Cow;

/// Returns true when none of the texts in these bytes needs [`text`].
pub(crate) fn is_clean_text(bytes: &[u8]) -> bool {
    memchr(0, bytes).is_none()
}

/// Returns true when none of the JSON texts in these bytes needs [`json`].
pub(crate) fn is_clean_json(bytes: &[u8]) -> bool {
    memmem::find(bytes, b"\\u").is_none() && memchr(0, bytes).is_none()
}

/// Returns the text with every NUL written as `\u0000`.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, [u8]> {
    if is_clean_text(bytes) {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len() + 16);
    for &byte in bytes {
        match byte {
            0 => out.extend_from_slice(b"\\u0000"),
            _ => out.push(byte),
        }
    }
    Cow::Owned(out)
}

/// Returns the JSON text with an escaped NUL as the six characters `\u0000` in its string, and half a surrogate pair as
/// U+FFFD: `jsonb` refuses both.
pub(crate) fn json(bytes: &[u8]) -> Cow<'_, [u8]> {
    if is_clean_json(bytes) {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len() + 16);
    let mut rest = bytes;
    while let Some(at) = memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let (written, taken): (&[u8], usize) = match unit(rest) {
            None => (&rest[..rest.len().min(2)], rest.len().min(2)),
            Some(0) => (b"\\\\u0000", 6),
            Some(0xD800..=0xDBFF) if matches!(unit(&rest[6..]), Some(0xDC00..=0xDFFF)) => (&rest[..12], 12),
            Some(0xD800..=0xDFFF) => (b"\\ufffd", 6),
            Some(_) => (&rest[..6], 6),
        };
        out.extend_from_slice(written);
        rest = &rest[taken..];
    }
    out.extend_from_slice(rest);
    match memchr(0, &out) {
        // Not JSON, strictly; but a row must not be lost for it.
        Some(_) => Cow::Owned(out.split(|b| *b == 0).collect::<Vec<_>>().join(&b"\\\\u0000"[..])),
        None => Cow::Owned(out),
    }
}

/// The UTF-16 unit of an escape such as `\u00e9` at the beginning.
fn unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_is_written_as_six_characters() {
        assert_eq!(&*text(b"a\0b\0"), b"a\\u0000b\\u0000");
        assert_eq!(&*text(b"plain"), b"plain");
    }

    #[test]
    fn json_is_made_acceptable_and_otherwise_left_alone() {
        let of = |s: &str| String::from_utf8(json(s.as_bytes()).into_owned()).unwrap();
        assert_eq!(of(r#"{"a\u0000b":"\u0000"}"#), r#"{"a\\u0000b":"\\u0000"}"#);
        assert_eq!(of(r#""\\u0000 \u00e9 \n""#), r#""\\u0000 \u00e9 \n""#);
        assert_eq!(
            of(r#""\ud83d\ude00 \ud83d x \ude00 \uD83D\u0041""#),
            r#""\ud83d\ude00 \ufffd x \ufffd \ufffd\u0041""#
        );
        assert_eq!(of(r#""\u12""#), r#""\u12""#);
        assert_eq!(of("\"\\u0041\0\""), r#""\u0041\\u0000""#);
    }
}
