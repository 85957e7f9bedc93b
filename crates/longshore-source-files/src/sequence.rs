//! Finds a place between records in values that follow one another, nearly for free.
//!
//! In valid JSON a line feed never stands inside a string, and inside an object or array it
//! stands next to a bracket, comma or colon. So a line feed with the end of a value before it
//! and the begin of one behind it separates records, and nothing else needs to be looked at.
//! Only where a block holds no such line feed the values are walked. Malformed content never
//! fails here: it is cut at a line feed as well, and the parser says what is wrong with it.

use memchr::{memchr, memchr_iter, memrchr};

use crate::skim::Skimmed;
use crate::value::{Value, is_space, skip_space};

/// Where a buffer that begins between two records can be cut.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Split {
    /// Before this byte.
    At(usize),
    /// The buffer begins with an array that does not end in it: take its elements instead.
    Array,
    /// The record that begins at this byte does not end in the buffer.
    More { start: usize },
}

/// Remembers what has been looked at while one long record arrives.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    searched: usize,
    walked: usize,
    value: Option<Value>,
    /// Begin of the first value.
    start: Option<usize>,
    /// Begin of the last line that starts between values, and end of the last value.
    line: usize,
    end: usize,
}

impl Splitter {
    /// Looks for the last place to cut. After [`Split::More`] it must be called with the same
    /// bytes and more; after [`Split::At`] with the bytes behind the cut.
    pub(crate) fn find(&mut self, buf: &[u8], eof: bool) -> Split {
        let split = self.look(buf, eof);
        if !matches!(split, Split::More { .. }) {
            *self = Splitter::default();
        }
        split
    }

    fn look(&mut self, buf: &[u8], eof: bool) -> Split {
        if eof {
            return Split::At(buf.len());
        }
        if let Some(at) = last_boundary(buf, self.searched) {
            return Split::At(at);
        }
        // All line feeds before the last byte that is no white space are decided now.
        self.searched = buf.iter().rposition(|&b| !is_space(b)).unwrap_or(0);
        if let Some(at) = self.walk(buf) {
            return Split::At(at);
        }
        match self.start {
            None => Split::At(buf.len()),
            Some(_) if self.line > 0 => Split::At(self.line),
            Some(_) if self.end > 0 => Split::At(self.end),
            Some(start) if buf[start] == b'[' => Split::Array,
            Some(start) => Split::More { start },
        }
    }

    /// Walks the values; returns at once the begin of the line after a string left open.
    fn walk(&mut self, buf: &[u8]) -> Option<usize> {
        while self.walked < buf.len() {
            if let Some(value) = &mut self.value {
                match value.run::<true>(buf, self.walked, false) {
                    Skimmed::End(end) => {
                        self.end = end;
                        self.walked = end;
                        self.value = None;
                    }
                    Skimmed::BrokenString(at) => return Some(at + 1),
                    Skimmed::More => self.walked = buf.len(),
                }
                continue;
            }
            let byte = buf[self.walked];
            if !is_space(byte) {
                self.start.get_or_insert(self.walked);
            }
            match byte {
                b'\n' if self.start.is_some() => self.line = self.walked + 1,
                b' ' | b'\n' | b'\r' | b'\t' => {}
                // These cannot begin a value; the parser will complain.
                b',' | b':' | b']' | b'}' => {}
                _ => {
                    self.value = Some(Value::begin(byte));
                    continue;
                }
            }
            self.walked += 1;
        }
        None
    }
}

/// The begin of the last line of `buf` that surely begins a record. Line feeds before `from`
/// are known to be none.
pub(crate) fn last_boundary(buf: &[u8], from: usize) -> Option<usize> {
    let mut end = buf.len();
    loop {
        let feed = from + memrchr(b'\n', buf.get(from..end)?)?;
        if is_boundary(buf, feed) {
            return Some(feed + 1);
        }
        // Line feeds that share the white space with this one are none either.
        end = buf[..feed].iter().rposition(|&b| !is_space(b))?;
    }
}

/// Whether the line feed at `feed` has a value's end before it and a value's begin behind it.
#[inline]
pub(crate) fn is_boundary(buf: &[u8], feed: usize) -> bool {
    let before = buf[..feed].iter().rev().find(|b| !is_space(**b));
    let behind = buf.get(skip_space(buf, feed + 1));
    let (Some(before), Some(behind)) = (before, behind) else {
        return false;
    };
    !matches!(before, b'{' | b'[' | b',' | b':') && !matches!(behind, b'}' | b']' | b',' | b':')
}

/// The last resort for a record that outgrows all limits: it may be a line cut off after a
/// colon or bracket that has swallowed the lines behind it. The first line that begins with the
/// same key as the record ends the damage.
pub(crate) fn same_key_line(buf: &[u8], start: usize) -> Option<usize> {
    let record = &buf[start..];
    let colon = memchr(b':', &record[..record.len().min(256)])?;
    let opening = &record[..=colon];
    if !opening.starts_with(b"{\"") || opening.contains(&b'\n') {
        return None;
    }
    memchr_iter(b'\n', record).find(|feed| record[feed + 1..].starts_with(opening)).map(|feed| start + feed + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str) -> Split {
        Splitter::default().find(text.as_bytes(), false)
    }

    #[test]
    fn cuts_between_records_only() {
        for (text, expected) in [
            ("{\"a\":1}\n{\"a\":2}\n{\"a", Split::At(16)),
            ("{}\r\n\r\n {}", Split::At(6)),
            ("{\n\"a\":\n1}\n{\n \"b\":[1\n,2\n]", Split::At(10)),
            ("1\n2\n33", Split::At(4)),
            ("{}{\"a\"", Split::At(2)),
            ("{} {\"a\":\"}\"}{", Split::At(12)),
            ("1 2", Split::At(1)),
            (" \n ", Split::At(3)),
            ("\n{\"a\":\n[1,\n2]", Split::More { start: 1 }),
            ("[1,\n{}", Split::Array),
            ("\"a\\\"", Split::More { start: 0 }),
        ] {
            assert_eq!(find(text), expected, "{text}");
        }
    }

    #[test]
    fn malformed_lines_end_at_a_line_feed() {
        for (text, expected) in [
            ("{\"a\":\n{\"b\":1}\n{\"b\":2}", Split::At(14)),
            ("{\"a\":\"x,\n{\"b\":1},\n", Split::At(9)),
            ("{\"a\":1},\n{\"a\":2},\n{\"a\"", Split::At(18)),
            ("}}}\n,", Split::At(4)),
        ] {
            assert_eq!(find(text), expected, "{text}");
        }
        let text = b" {\"id\":[\n{\"x\":1},\n{\"id\":[";
        assert_eq!(same_key_line(text, 1), Some(18));
        assert_eq!(same_key_line(b"{\"data\":[\n{\"x\":1}]}", 0), None);
    }

    #[test]
    fn goes_on_where_it_stopped() {
        let text = format!("{{\"a\":[{}\n1]}}\n{{}}", "1,\n".repeat(100));
        let mut splitter = Splitter::default();
        for end in 1..text.len() {
            match splitter.find(&text.as_bytes()[..end], false) {
                Split::At(at) => assert!(at >= text.len() - 3, "{at}"),
                found => assert_eq!(found, Split::More { start: 0 }),
            }
        }
    }
}
