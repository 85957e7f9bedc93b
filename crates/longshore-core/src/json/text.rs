//! Writing a value of a tape back as JSON text.

use super::{Kind, Node, Tape, unescape};
use crate::values::json_text;

/// Appends the value at `index` as compact JSON: no white space, strings and numbers as the source
/// wrote them. Works on any depth.
pub fn write_compact(tape: &Tape, bytes: &[u8], index: usize, out: &mut Vec<u8>) {
    write(tape, index, out, |node, out| match node.kind {
        Kind::Text | Kind::EscapedText => {
            out.push(b'"');
            out.extend_from_slice(&bytes[node.range()]);
            out.push(b'"');
        }
        _ => out.extend_from_slice(&bytes[node.range()]),
    });
}

/// Appends the value at `index` as dlt would write it, which is orjson's form: no white space, only
/// the escapes JSON demands, doubles in their shortest form.
pub fn write_as_dlt(tape: &Tape, bytes: &[u8], index: usize, out: &mut Vec<u8>) {
    let mut text = Vec::new();
    write(tape, index, out, |node, out| {
        let raw = &bytes[node.range()];
        match node.kind {
            Kind::Text => write_text(raw, out),
            Kind::EscapedText => {
                text.clear();
                unescape(raw, &mut text);
                write_text(&text, out);
            }
            Kind::Float => write_double(raw, out),
            Kind::Integer if raw == b"-0" => out.push(b'0'),
            _ => out.extend_from_slice(raw),
        }
    });
}

/// Appends the value at `index` as [`write_as_dlt`] does, with the keys of every object sorted; of keys that come
/// twice the last value counts. At the top, keys that begin with `without` are left out.
pub fn write_sorted_as_dlt(tape: &Tape, bytes: &[u8], index: usize, without: &str, out: &mut Vec<u8>) {
    /// Deeper values keep the order of their keys: recursion must end somewhere.
    const DEEPEST: u32 = 200;
    fn sorted(tape: &Tape, bytes: &[u8], index: usize, without: &str, depth: u32, out: &mut Vec<u8>) {
        let kind = tape.nodes()[index].kind;
        if depth > DEEPEST || !matches!(kind, Kind::Object | Kind::Array) {
            return write_as_dlt(tape, bytes, index, out);
        }
        let (mut next, end) = (index + 1, tape.after(index));
        let mut members: Vec<(Vec<u8>, usize)> = Vec::new();
        while next < end {
            let mut key = Vec::new();
            if kind == Kind::Object {
                write_as_dlt(tape, bytes, next, &mut key);
                next += 1;
            }
            members.push((key, next));
            next = tape.after(next);
        }
        if kind == Kind::Object {
            members.retain(|(key, _)| without.is_empty() || !key[1..].starts_with(without.as_bytes()));
            // A stable sort from the back: of equal keys the last comes first, and stays.
            members.reverse();
            members.sort_by(|a, b| key_text(&a.0).cmp(key_text(&b.0)));
            members.dedup_by(|a, b| a.0 == b.0);
        }
        out.push(if kind == Kind::Object { b'{' } else { b'[' });
        for (i, (key, value)) in members.into_iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            if kind == Kind::Object {
                out.extend_from_slice(&key);
                out.push(b':');
            }
            sorted(tape, bytes, value, "", depth + 1, out);
        }
        out.push(if kind == Kind::Object { b'}' } else { b']' });
    }
    sorted(tape, bytes, index, without, 0, out);
}

/// A written key without its quotes, so that a key sorts before those it begins.
fn key_text(key: &[u8]) -> &[u8] {
    &key[1..key.len().saturating_sub(1).max(1)]
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    let mut escaped = String::from('"');
    json_text::write_escaped(&mut escaped, &String::from_utf8_lossy(text));
    escaped.push('"');
    out.extend_from_slice(escaped.as_bytes());
}

/// orjson writes `0.00001` and `1e-7`, `1000000000000000.0` and `1e+16`.
fn write_double(raw: &[u8], out: &mut Vec<u8>) {
    let value = std::str::from_utf8(raw).ok().and_then(|t| t.parse::<f64>().ok()).filter(|v| v.is_finite());
    let Some(value) = value else { return out.extend_from_slice(raw) };
    let text = format!("{value:e}");
    let exponent: i32 = text.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    let text = match exponent {
        -5..16 => format!("{value:?}"),
        16.. => text.replace('e', "e+"),
        _ => text,
    };
    // Rust's own form of small numbers has an exponent where orjson's has none yet.
    let text = if (-5..0).contains(&exponent) { format!("{value}") } else { text };
    out.extend_from_slice(text.as_bytes());
}

fn write(tape: &Tape, index: usize, out: &mut Vec<u8>, mut scalar: impl FnMut(Node, &mut Vec<u8>)) {
    let nodes = tape.nodes();
    let end = tape.after(index);
    // What is open: where it ends, whether it is an object, and how many of its nodes were written.
    let mut open: Vec<(usize, bool, usize)> = Vec::new();
    let mut at = index;
    while at < end {
        close(&mut open, at, out);
        if let Some((_, is_object, written)) = open.last_mut() {
            let is_value = *is_object && *written % 2 == 1;
            if is_value {
                out.push(b':');
            } else if *written > 0 {
                out.push(b',');
            }
            *written += 1;
        }
        let node = nodes[at];
        match node.kind {
            Kind::Object | Kind::Array => {
                let is_object = node.kind == Kind::Object;
                out.push(if is_object { b'{' } else { b'[' });
                open.push((tape.after(at), is_object, 0));
            }
            _ => scalar(node, out),
        }
        at += 1;
    }
    close(&mut open, end, out);
}

fn close(open: &mut Vec<(usize, bool, usize)>, at: usize, out: &mut Vec<u8>) {
    while let Some(&(end, is_object, _)) = open.last() {
        if end != at {
            break;
        }
        out.push(if is_object { b'}' } else { b']' });
        open.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_keys_in_order() {
        let text = r#"{"b":[{"z":1,"a":{"d":2,"c":3}}],"ab":2,"a":1,"_dlt_id":"x","a":9}"#;
        let mut tape = Tape::default();
        tape.parse(text.as_bytes(), 0).unwrap();
        let mut out = Vec::new();
        write_sorted_as_dlt(&tape, text.as_bytes(), 0, "_dlt", &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), r#"{"a":9,"ab":2,"b":[{"a":{"c":3,"d":2},"z":1}]}"#);
    }

    #[test]
    fn writes_what_was_read_without_white_space() {
        for (text, expect) in [
            (r#" { "a" : [ 1 , 2.50 , { } , [ ] ] , "b\n" : null } "#, r#"{"a":[1,2.50,{},[]],"b\n":null}"#),
            ("[[[]],{\"x\":{\"y\":[true,false]}}]", "[[[]],{\"x\":{\"y\":[true,false]}}]"),
            ("12345678901234567890123", "12345678901234567890123"),
        ] {
            let mut tape = Tape::default();
            tape.parse(text.as_bytes(), 0).unwrap();
            let mut out = Vec::new();
            write_compact(&tape, text.as_bytes(), 0, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expect);
        }
    }
}
