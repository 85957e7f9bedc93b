//! Walks over one JSON value of any kind, across buffers, to find where it ends.

use memchr::{memchr2, memchr3};

use crate::skim::{Skim, Skimmed};

/// A value that has begun, and how far it has been walked.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Nest(Skim),
    /// A string; `skip` says that the next byte is to be passed over: the opening quote or
    /// whatever follows a backslash.
    Text {
        skip: bool,
    },
    Scalar,
}

impl Value {
    pub(crate) fn begin(first: u8) -> Value {
        match first {
            b'{' | b'[' => Value::Nest(Skim::default()),
            b'"' => Value::Text { skip: true },
            _ => Value::Scalar,
        }
    }

    /// Walks `buf[from..]`; the first call must start at the value's first byte. `LINES` turns
    /// on the check for line feeds in strings. With `eof` the buffer's end is the input's end.
    #[inline]
    pub(crate) fn run<const LINES: bool>(&mut self, buf: &[u8], from: usize, eof: bool) -> Skimmed {
        match self {
            Value::Nest(skim) => skim.run::<LINES>(buf, from),
            Value::Text { skip } => run_text::<LINES>(skip, buf, from),
            Value::Scalar => match buf[from..].iter().position(|&b| ends_scalar(b)) {
                Some(n) => Skimmed::End(from + n),
                None if eof => Skimmed::End(buf.len()),
                None => Skimmed::More,
            },
        }
    }
}

#[inline]
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// The first byte at or after `from` that is no white space.
#[inline]
pub(crate) fn skip_space(buf: &[u8], mut from: usize) -> usize {
    while buf.get(from).is_some_and(|&b| is_space(b)) {
        from += 1;
    }
    from
}

fn ends_scalar(byte: u8) -> bool {
    is_space(byte) || matches!(byte, b',' | b':' | b'[' | b']' | b'{' | b'}' | b'"')
}

fn run_text<const LINES: bool>(skip: &mut bool, buf: &[u8], mut at: usize) -> Skimmed {
    loop {
        if *skip {
            if at >= buf.len() {
                return Skimmed::More;
            }
            *skip = false;
            at += 1;
        }
        let rest = &buf[at..];
        let hit = if LINES { memchr3(b'"', b'\\', b'\n', rest) } else { memchr2(b'"', b'\\', rest) };
        let Some(n) = hit else {
            return Skimmed::More;
        };
        at += n + 1;
        match rest[n] {
            b'"' => return Skimmed::End(at),
            b'\\' => *skip = true,
            _ => return Skimmed::BrokenString(at - 1),
        }
    }
}
