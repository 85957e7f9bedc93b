//! Writing a value of a tape back as JSON text.

use super::{Kind, Tape};

/// Appends the value at `index` as compact JSON: no white space, strings and numbers as the source
/// wrote them. Works on any depth.
pub fn write_compact(tape: &Tape, bytes: &[u8], index: usize, out: &mut Vec<u8>) {
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
        let range = node.start as usize..node.start as usize + node.len as usize;
        match node.kind {
            Kind::Object | Kind::Array => {
                let is_object = node.kind == Kind::Object;
                out.push(if is_object { b'{' } else { b'[' });
                open.push((tape.after(at), is_object, 0));
            }
            Kind::Text | Kind::EscapedText => {
                out.push(b'"');
                out.extend_from_slice(&bytes[range]);
                out.push(b'"');
            }
            _ => out.extend_from_slice(&bytes[range]),
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
