//! Names the array that makes a record too large, to suggest a path to smaller records.

use memchr::memchr2;

use crate::skim::{Skim, Skimmed};
use crate::value::{is_space, skip_space};

/// The path of the elements of the array in which `record` breaks off, or else of the first
/// array in it, below `base`: `$.data[*]`.
pub(crate) fn large_array(base: &str, record: &[u8]) -> Option<String> {
    let mut first = None;
    let mut path = base.to_owned();
    // Where each object under way begins in `path`.
    let mut objects = Vec::new();
    let mut at = 0;
    loop {
        at = skip_space(record, at);
        let Some(byte) = record.get(at) else {
            return first;
        };
        match byte {
            b'[' => {
                let elements = format!("{path}[*]");
                match Skim::default().run::<false>(record, at) {
                    Skimmed::End(end) => at = end - 1,
                    _ => return Some(elements),
                }
                first.get_or_insert(elements);
            }
            b'{' => objects.push(path.len()),
            b'}' => {
                objects.pop();
            }
            b'"' => {
                let Some(end) = string_end(record, at) else {
                    return first;
                };
                let behind = skip_space(record, end);
                if let (Some(b':'), Some(object)) = (record.get(behind), objects.last()) {
                    path.truncate(*object);
                    push_name(&mut path, &record[at + 1..end - 1]);
                    at = behind;
                } else {
                    at = end - 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
}

fn push_name(path: &mut String, name: &[u8]) {
    let name = String::from_utf8_lossy(name);
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(plain) {
        path.push('.');
        path.push_str(&name);
    } else {
        path.push_str(&format!("['{}']", name.replace('\'', "\\'")));
    }
}

fn string_end(record: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        let rest = record.get(at..)?;
        let n = memchr2(b'"', b'\\', rest)?;
        if rest[n] == b'"' {
            return Some(at + n + 1);
        }
        at += n + 2;
    }
}

/// `byte` and what follows it, for messages.
pub(crate) fn describe(buf: &[u8], at: usize) -> String {
    let Some(rest) = buf.get(at..).filter(|rest| !rest.is_empty()) else {
        return "the end".to_owned();
    };
    let len = rest.iter().take(12).take_while(|b| !is_space(**b)).count().max(1);
    let more = if rest.len() > len && !is_space(rest[len]) { "..." } else { "" };
    format!("'{}{more}'", rest[..len].escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_array_that_is_too_large() {
        for (text, expected) in [
            (r#"{"a":{"b":1},"data":[1"#, Some("$.data[*]")),
            (r#"{"a":{"b":{"c":"[]\"["},"d":[]"#, Some("$.a.d[*]")),
            (r#"{"meta":{"a":[1,2]},"d":[{"x":["#, Some("$.d[*]")),
            (r#"{"meta":{"a":[1,2]},"s":""#, Some("$.meta.a[*]")),
            (r#"{"odd key":["#, Some("$['odd key'][*]")),
            (r#"{"a":"[[["#, None),
            ("[[1]", Some("$[*]")),
            (r#"{"a":{"b":{"c":"[]\"["},"d":[]}}"#, Some("$.a.d[*]")),
        ] {
            assert_eq!(large_array("$", text.as_bytes()).as_deref(), expected, "{text}");
        }
    }
}
