//! The escaping of texts in JSON.

/// Appends `text` to `out` as the inside of a JSON string, without the quotes around it.
///
/// Escapes only what JSON demands: `"`, `\` and the controls below U+0020, these as `\b`, `\t`,
/// `\n`, `\f`, `\r` or `\u00xx` (small hexadecimal letters). All else, also U+007F and non-ASCII,
/// stays as it is: what orjson does under `dlt/common/json`, and `serde_json` too.
pub fn write_escaped(out: &mut String, text: &str) {
    let mut clean_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        // `at` and `at + 1` are character boundaries: the byte there is ASCII.
        out.push_str(&text[clean_from..at]);
        clean_from = at + 1;
        push_escape(out, byte);
    }
    out.push_str(&text[clean_from..]);
}

fn push_escape(out: &mut String, byte: u8) {
    match byte {
        b'"' => out.push_str("\\\""),
        b'\\' => out.push_str("\\\\"),
        0x08 => out.push_str("\\b"),
        b'\t' => out.push_str("\\t"),
        b'\n' => out.push_str("\\n"),
        0x0c => out.push_str("\\f"),
        b'\r' => out.push_str("\\r"),
        _ => {
            out.push_str("\\u00");
            for half in [byte >> 4, byte & 0xf] {
                out.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::write_escaped;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        write_escaped(&mut out, text);
        out
    }

    #[test]
    fn plain_text_is_unchanged() {
        for text in ["", "abc", "naïve 日本 😀", "a/b", "\u{7f}\u{2028}"] {
            assert_eq!(escaped(text), text);
        }
    }

    #[test]
    fn only_what_json_demands_is_escaped() {
        assert_eq!(escaped("a\"b\\c"), r#"a\"b\\c"#);
        assert_eq!(escaped("\u{8}\t\n\u{c}\r"), r"\b\t\n\f\r");
        assert_eq!(escaped("\0x\u{1f}é\u{b}"), r"\u0000x\u001fé\u000b");
    }
}
