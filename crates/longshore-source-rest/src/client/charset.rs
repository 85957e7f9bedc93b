//! Answers in another encoding than UTF-8, as far as APIs still use one.

/// Turns a body into UTF-8 where it is UTF-16, or where its content type says Latin-1 and it is no UTF-8. Whatever else
/// it is stays as it is.
pub(super) fn to_utf8(body: Vec<u8>, content_type: &str) -> Vec<u8> {
    let wide = match body.get(..2) {
        // A byte order mark, or the other half of the first character, which is an ASCII one in JSON.
        Some([0xff, 0xfe] | [1..=255, 0]) => Some(u16::from_le_bytes as fn([u8; 2]) -> u16),
        Some([0xfe, 0xff] | [0, 1..=255]) => Some(u16::from_be_bytes as fn([u8; 2]) -> u16),
        _ => None,
    };
    if let Some(unit) = wide.filter(|_| body.len().is_multiple_of(2)) {
        let units = body.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).skip_while(|unit| *unit == 0xfeff);
        let text: Option<String> = char::decode_utf16(units).map(Result::ok).collect();
        return text.map_or(body, String::into_bytes);
    }
    if is_latin(content_type) && std::str::from_utf8(&body).is_err() {
        return body.into_iter().map(latin).collect::<String>().into_bytes();
    }
    body
}

fn is_latin(content_type: &str) -> bool {
    let charset = content_type
        .split(';')
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    charset.is_some_and(|(_, value)| {
        let value = value.trim().trim_matches(['"', '\'']).to_lowercase();
        matches!(value.as_str(), "iso-8859-1" | "iso8859-1" | "latin1" | "latin-1" | "windows-1252" | "cp1252")
    })
}

/// As browsers read it: Latin-1 is windows-1252, which has signs where Latin-1 has control characters.
fn latin(byte: u8) -> char {
    const SIGNS: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..0xa0 => SIGNS[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_encodings_become_utf_8_where_they_are_known() {
        let text = "[\"ä€\"]";
        let units: Vec<u16> = text.encode_utf16().collect();
        let le: Vec<u8> = units.iter().flat_map(|u| u.to_le_bytes()).collect();
        let be: Vec<u8> = units.iter().flat_map(|u| u.to_be_bytes()).collect();
        let marked = [&[0xff, 0xfe][..], &le].concat();
        for (body, kind) in [
            (text.as_bytes().to_vec(), "application/json"),
            // What says Latin-1 and is UTF-8 after all is UTF-8.
            (text.as_bytes().to_vec(), "application/json; charset=ISO-8859-1"),
            (b"[\"\xe4\x80\"]".to_vec(), "application/json; charset=\"iso-8859-1\""),
            (b"[\"\xe4\x80\"]".to_vec(), "text/json;Charset=Windows-1252"),
            (le, "application/json"),
            (be, "application/json; charset=utf-16"),
            (marked, "application/json; charset=utf-16"),
        ] {
            assert_eq!(String::from_utf8(to_utf8(body, kind)).unwrap(), text, "{kind}");
        }
        assert_eq!(to_utf8(b"\xe4".to_vec(), "application/json"), b"\xe4");
        assert_eq!(to_utf8(b"7".to_vec(), ""), b"7");
    }
}
