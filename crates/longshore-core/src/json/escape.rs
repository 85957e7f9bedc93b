//! Undoing JSON escapes.

/// Appends the text that the raw content of a string (between its quotes) stands for.
///
/// A surrogate without its partner is not a character and cannot stand in UTF-8; it is kept as the
/// six characters the source wrote (`\ud83d`), so that nothing is lost and nothing is replaced.
/// The escapes themselves have been checked by [`Tape::parse`](super::Tape::parse).
pub fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(at) = rest.iter().position(|&b| b == b'\\') {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        rest = match rest.get(1) {
            Some(b'u') => unescape_unicode(rest, out),
            Some(&letter) => {
                out.push(simple(letter));
                &rest[2..]
            }
            None => &rest[1..],
        };
    }
    out.extend_from_slice(rest);
}

fn simple(letter: u8) -> u8 {
    match letter {
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        other => other,
    }
}

/// `rest` begins with `\u`; returns what follows the escape, or the pair of escapes.
fn unescape_unicode<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let Some(first) = code_unit(rest) else {
        out.extend_from_slice(&rest[..2]);
        return &rest[2..];
    };
    if let Some(c) = char::from_u32(u32::from(first)) {
        push_char(c, out);
        return &rest[6..];
    }
    if (0xd800..0xdc00).contains(&first)
        && let Some(second) = code_unit(&rest[6..])
        && (0xdc00..0xe000).contains(&second)
    {
        let code = 0x10000 + ((u32::from(first) - 0xd800) << 10) + (u32::from(second) - 0xdc00);
        if let Some(c) = char::from_u32(code) {
            push_char(c, out);
            return &rest[12..];
        }
    }
    out.extend_from_slice(&rest[..6]);
    &rest[6..]
}

fn code_unit(rest: &[u8]) -> Option<u16> {
    let hex = rest.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
}

fn push_char(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    fn check(raw: &str, expect: &str) {
        let mut out = Vec::new();
        super::unescape(raw.as_bytes(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expect, "{raw}");
    }

    #[test]
    fn escapes_become_characters() {
        check(r#"a\"b\\c\/d\b\f\n\r\t"#, "a\"b\\c/d\u{8}\u{c}\n\r\t");
        check(r"\u00e9\u4e2d\u0000x", "é中\0x");
        check(r"\ud83d\ude00!", "😀!");
    }

    #[test]
    fn a_lone_surrogate_stays_as_it_was_written() {
        check(r"\ud83d", r"\ud83d");
        check(r"\ude00\ud83dx", r"\ude00\ud83dx");
        check(r"\ud83d\u0041", r"\ud83dA");
        check(r"\ud83d\ud83d\ude00", "\\ud83d😀");
    }
}
