//! How records stand in a file: one a line, in a list, in a list inside an answer, or spread over lines.

/// The layouts a loader meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One record a line.
    Ndjson,
    /// One list of all records.
    Array,
    /// An object such as a REST API answers, the records under `data`.
    Wrapped,
    /// One list of all records, indented by two spaces a level.
    Pretty,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 4] = [Format::Ndjson, Format::Array, Format::Wrapped, Format::Pretty];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::Ndjson => "ndjson",
            Format::Array => "array",
            Format::Wrapped => "wrapped",
            Format::Pretty => "pretty",
        }
    }

    /// The format of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// Writes what stands around the records.
pub(crate) struct Frame {
    format: Format,
    shape: &'static str,
    n: u64,
    compact: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(format: Format, shape: &'static str, n: u64) -> Frame {
        Frame { format, shape, n, compact: Vec::new() }
    }

    pub(crate) fn open(&self, out: &mut Vec<u8>) {
        match self.format {
            Format::Ndjson => {}
            Format::Array | Format::Pretty => out.push(b'['),
            Format::Wrapped => {
                let head = format!(r#"{{"status":"ok","object":"{}","data":["#, self.shape);
                out.extend_from_slice(head.as_bytes());
            }
        }
    }

    pub(crate) fn before_record(&self, i: u64, out: &mut Vec<u8>) {
        if self.format == Format::Ndjson {
            return;
        }
        if i > 0 {
            out.push(b',');
        }
        out.push(b'\n');
    }

    /// `start` is where the record begins in `out`.
    pub(crate) fn after_record(&mut self, start: usize, out: &mut Vec<u8>) {
        match self.format {
            Format::Ndjson => out.push(b'\n'),
            Format::Array | Format::Wrapped => {}
            Format::Pretty => {
                self.compact.clear();
                self.compact.extend_from_slice(&out[start..]);
                out.truncate(start);
                indent(&self.compact, 1, out);
            }
        }
    }

    pub(crate) fn close(&self, out: &mut Vec<u8>) {
        match self.format {
            Format::Ndjson => {}
            Format::Array | Format::Pretty => out.extend_from_slice(b"\n]\n"),
            Format::Wrapped => {
                let tail = format!("\n],\"paging\":{{\"count\":{},\"next\":null}}}}\n", self.n);
                out.extend_from_slice(tail.as_bytes());
            }
        }
    }
}

/// Spreads compact JSON over lines, `level` levels in.
fn indent(compact: &[u8], mut level: usize, out: &mut Vec<u8>) {
    pad(level, out);
    let mut at = 0;
    while at < compact.len() {
        let byte = compact[at];
        match byte {
            b'"' => {
                let end = string_end(compact, at);
                out.extend_from_slice(&compact[at..end]);
                at = end;
                continue;
            }
            b'{' | b'[' if matches!(compact.get(at + 1), Some(b'}' | b']')) => {
                out.extend_from_slice(&compact[at..at + 2]);
                at += 2;
                continue;
            }
            b'{' | b'[' => {
                level += 1;
                out.extend_from_slice(&[byte, b'\n']);
                pad(level, out);
            }
            b'}' | b']' => {
                level -= 1;
                out.push(b'\n');
                pad(level, out);
                out.push(byte);
            }
            b',' => {
                out.extend_from_slice(b",\n");
                pad(level, out);
            }
            b':' => out.extend_from_slice(b": "),
            other => out.push(other),
        }
        at += 1;
    }
}

/// The end of the string whose opening quote is at `start`.
fn string_end(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while json[at] != b'"' {
        at += if json[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

fn pad(level: usize, out: &mut Vec<u8>) {
    out.resize(out.len() + level * 2, b' ');
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a panic is how a test fails
mod tests {
    use super::indent;

    #[test]
    fn indents_outside_strings_only() {
        let mut out = Vec::new();
        indent(br#"{"a":[1,{}],"b":"x,\"{:"}"#, 1, &mut out);
        let expected = "  {\n    \"a\": [\n      1,\n      {}\n    ],\n    \"b\": \"x,\\\"{:\"\n  }";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
