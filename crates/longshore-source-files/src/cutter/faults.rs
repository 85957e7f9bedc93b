//! Turns what is wrong at a place of the buffer into an error with its place in the input.

use memchr::memchr_iter;

use super::{Cutter, Mode};
use crate::error::Error;
use crate::hint::{describe, large_array};
use crate::walk::{Fault, FaultKind, MOST_LEVELS};

impl Cutter {
    /// Offset and line of a byte of the buffer.
    pub(super) fn place(&self, at: usize) -> (u64, u64) {
        let at = at.min(self.filled);
        let lines = memchr_iter(b'\n', &self.buf[..at]).count() as u64;
        (self.offset + at as u64, self.line + lines)
    }

    pub(super) fn too_large(&self, start: usize, base: &str) -> Error {
        let (offset, line) = self.place(start);
        Error::TooLarge {
            name: self.name.clone(),
            offset,
            line,
            limit: self.max_record_bytes,
            hint: large_array(base, &self.buf[start..self.filled]),
        }
    }

    pub(super) fn fault(&self, fault: Fault) -> Error {
        let name = self.name.clone();
        let (offset, line) = self.place(fault.at);
        match fault.kind {
            FaultKind::Stray(expected) => {
                Error::Stray { name, offset, line, found: describe(&self.buf[..self.filled], fault.at), expected }
            }
            FaultKind::BrokenString => Error::BrokenString { name, offset, line },
            FaultKind::TooDeep => Error::TooDeep { name, offset, line, limit: MOST_LEVELS },
            FaultKind::Ended => self.unterminated(),
        }
    }

    /// Names the record under way, or else the top-level value.
    fn unterminated(&self) -> Error {
        let walker = match &self.mode {
            Mode::Walk(walker) => Some(walker),
            _ => None,
        };
        let record = walker.and_then(|walker| walker.record());
        let top = walker.and_then(|walker| walker.top());
        let (offset, line) = match (record.or(top), self.top) {
            (Some(at), _) => self.place(at),
            (None, Some(place)) => place,
            (None, None) => self.place(0),
        };
        let what = match (record, walker) {
            (Some(_), _) => "record",
            (None, Some(walker)) => walker.top_kind(),
            (None, None) => "value",
        };
        Error::Unterminated { name: self.name.clone(), what, offset, line }
    }
}
