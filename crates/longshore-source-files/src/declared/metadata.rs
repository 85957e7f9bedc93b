//! Fields put into each record of a block: the file it comes from.

use super::find::File;
use longshore_core::values::iso_timestamp;
use std::ops::Range;

/// Returns the text of the fields, `"_file_name":"a.json","_file_size":12,"_file_modified":"2024-05-01T10:00:00+00:00"`.
pub(super) fn fields(file: &File) -> String {
    let name = serde_json::Value::from(file.name.as_str());
    let size = file.size.map(|s| format!(",\"_file_size\":{s}")).unwrap_or_default();
    let changed = match file.changed {
        0 => String::new(),
        millis => format!(",\"_file_modified\":\"{}\"", moment(millis)),
    };
    format!("\"_file_name\":{name}{size}{changed}")
}

/// Milliseconds since 1970 as ISO 8601.
fn moment(millis: u64) -> String {
    let micros = i64::try_from(millis).ok().and_then(|m| m.checked_mul(1000)).unwrap_or(0);
    iso_timestamp::format_iso(micros)
}

/// Puts the fields into each record of a block: into every object at the top level and in arrays there. Returns the
/// new bytes, and the records' new ranges where they were told apart.
pub(super) fn put_in(
    bytes: &[u8],
    records: Option<&[Range<usize>]>,
    fields: &str,
) -> (Vec<u8>, Option<Vec<Range<usize>>>) {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 8 + fields.len());
    let Some(records) = records else {
        sequence(bytes, fields, &mut out);
        return (out, None);
    };
    let mut ranges = Vec::with_capacity(records.len());
    for record in records {
        let start = out.len();
        sequence(bytes.get(record.clone()).unwrap_or_default(), fields, &mut out);
        ranges.push(start..out.len());
        out.push(b'\n');
    }
    (out, Some(ranges))
}

fn sequence(bytes: &[u8], fields: &str, out: &mut Vec<u8>) {
    let start = out.len();
    if !whole_values(bytes, fields, out) {
        // Something in it is malformed, so brackets mean little: each line that begins an object is a record.
        out.truncate(start);
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            let space = line.iter().take_while(|b| b.is_ascii_whitespace()).count();
            if line.get(space) == Some(&b'{') {
                out.extend_from_slice(&line[..=space]); // just looked at
                enter(&line[space + 1..], fields, out);
                out.extend_from_slice(&line[space + 1..]);
            } else {
                out.extend_from_slice(line);
            }
        }
    }
}

/// Returns false when strings or brackets do not end.
fn whole_values(bytes: &[u8], fields: &str, out: &mut Vec<u8>) -> bool {
    let (mut depth, mut in_array, mut in_string, mut escaped) = (0usize, false, false, false);
    for (i, &byte) in bytes.iter().enumerate() {
        out.push(byte);
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                b'\n' => return false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                if byte == b'{' && (depth == 0 || depth == 1 && in_array) {
                    enter(&bytes[i + 1..], fields, out); // i is in bounds
                }
                if depth == 0 {
                    in_array = byte == b'[';
                }
                depth += 1;
            }
            b'}' | b']' if depth == 0 => return false,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    depth == 0 && !in_string
}

/// Behind the brace of a record.
fn enter(rest: &[u8], fields: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(fields.as_bytes());
    if rest.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'}') {
        out.push(b',');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(text: &str) -> String {
        String::from_utf8(put_in(text.as_bytes(), None, "\"f\":1").0).unwrap()
    }

    #[test]
    fn every_record_gets_the_fields() {
        assert_eq!(put("{\"a\":{\"b\":[{}]}}\n{ }"), "{\"f\":1,\"a\":{\"b\":[{}]}}\n{\"f\":1 }");
        assert_eq!(
            put("[{\"a\":\"}{\"}, {\"a\":\"\\\"[\"}, 5]"),
            "[{\"f\":1,\"a\":\"}{\"}, {\"f\":1,\"a\":\"\\\"[\"}, 5]"
        );
        assert_eq!(put("1 [[{}]]"), "1 [[{}]]");
    }

    #[test]
    fn a_malformed_record_keeps_the_others() {
        assert_eq!(put("{\"a\":\"x\n{\"b\":2}\n"), "{\"f\":1,\"a\":\"x\n{\"f\":1,\"b\":2}\n");
        assert_eq!(put("{\"a\":1}}\n{\"b\":2}"), "{\"f\":1,\"a\":1}}\n{\"f\":1,\"b\":2}");
    }

    #[test]
    fn ranges_follow() {
        let (bytes, ranges) = put_in(b"[{\"a\":1},{}]", Some(&[1..8, 9..11]), "\"f\":1");
        let texts: Vec<&[u8]> = ranges.unwrap().into_iter().map(|r| &bytes[r]).collect();
        assert_eq!(texts, [&b"{\"f\":1,\"a\":1}"[..], b"{\"f\":1}"]);
    }
}
