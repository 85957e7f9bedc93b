//! Normalising: blocks of JSON records become rows of a root table and its child tables.
//!
//! A block is a pure function of its bytes and the [`Shape`] it begins with. Blocks may be normalised
//! at once on copies of a shape; the results are then taken in order, and a block is done again
//! when an earlier one changed the shape after the block had begun *and* the block needed something
//! new itself ([`NormalizedBlock::is_valid_after`]). So the outcome is the one a single thread would
//! have had, whatever the number of threads.

mod assemble;
mod builder;
mod cast;
mod coerce;
mod columnar;
mod decimal;
mod grow;
mod halt;
mod hint;
mod identity;
mod native_id;
pub mod row_id;
mod rows;
mod rules;
mod said;
mod settings;
mod shape;
mod unmet;
mod violation;
mod walk;

pub use assemble::{Offsets, TableBatch, arrow_schema};
pub use cast::{cast_array, cast_batch};
pub use columnar::normalize_columns;
pub use hint::{COLUMN_KEYS, SCHEMA_KEYS};
pub use native_id::native_row_id;
pub use rules::{ColumnHint, DEFAULT_MAX_COLUMNS, DEFAULT_MAX_TABLES, SchemaRules};
pub use settings::{DEFAULT_MAX_NESTING, FieldPath, Settings, Unnest};
pub use shape::Shape;
pub use violation::{BadRecord, Cause, Fault, Violation};

use crate::json::{BYTE_ORDER_MARK, Kind, SyntaxError, Tape};
use crate::package::{DiscardCount, LoadId};
use rows::BlockRows;
use std::ops::Range;
use walk::Walker;

/// Bytes with whole records in them.
#[derive(Debug, Clone, Copy)]
pub struct RecordBytes<'a> {
    /// The bytes; under 2 GiB, so that a block's text fits Arrow's offsets.
    pub bytes: &'a [u8],
    /// The records, where they are known; otherwise values one after the other with white space
    /// between them.
    pub records: Option<&'a [Range<usize>]>,
    /// True when an array is a page: its elements are the records. False when it is one record.
    pub pages: bool,
}

/// What to do with a record that is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// Stop at the first.
    #[default]
    Fail,
    /// Keep it whole, with the reason, and go on.
    Reject,
}

/// The rows of one block and what it did to the shape.
#[derive(Debug)]
pub struct NormalizedBlock {
    rows: BlockRows,
    base: (u64, u64),
    changed: bool,
    /// Records read, rejected and discarded ones included.
    pub read: u64,
    /// Bad records, in order.
    pub rejects: Vec<BadRecord>,
    /// Records that the contract had left out.
    pub discarded: u64,
    /// What the contract had left out, by table.
    pub discards: Vec<DiscardCount>,
    /// In a survey ([`SchemaRules::survey`]): what would have ended the load, in order.
    pub refused: Vec<BadRecord>,
}

/// Normalises a block, adding to the shape what it has that is new.
///
/// # Errors
/// The first record that breaks a contract that freezes, or a limit; with [`OnError::Fail`] the first bad record.
pub fn normalize(
    shape: &mut Shape,
    tape: &mut Tape,
    block: RecordBytes<'_>,
    on_error: OnError,
) -> Result<NormalizedBlock, BadRecord> {
    let base = (shape.version, shape.epoch);
    let mut read = 0;
    let mut rejects = Vec::new();
    let mut walker = Walker::new(shape, block.bytes);
    let mut cursor = Cursor { block, next: 0 };
    while let Some((start, limit)) = cursor.next_record() {
        let parsed = tape.parse(&block.bytes[..limit], start).and_then(|end| cursor.check_end(end, limit));
        match parsed {
            // A `null` on a line of its own is no record, as for dlt; in a list it is one without fields.
            Ok(end) if block.records.is_none() && tape.nodes()[0].kind == Kind::Null => cursor.advance(end),
            Ok(end) => {
                read += walker.records(tape, block.pages, end, on_error)?;
                rejects.append(&mut walker.rejects);
                cursor.advance(end);
            }
            Err(error) => {
                let end = cursor.end_of_damage(start, limit);
                let text = block.bytes[start..end].trim_ascii_end().len().max(1);
                let bad = BadRecord { range: start..start + text, fault: Fault::Syntax(error) };
                if on_error == OnError::Fail {
                    return Err(bad);
                }
                read += 1;
                cursor.advance(end);
                rejects.push(bad);
            }
        }
    }
    let (rows, discarded, discards, refused) = (walker.rows, walker.discarded, walker.discards, walker.refused);
    rows.teach(shape);
    shape.note_large_numbers(&rows);
    let changed = base != (shape.version, shape.epoch);
    Ok(NormalizedBlock { rows, base, changed, read, rejects, discarded, discards, refused })
}

impl NormalizedBlock {
    /// Returns true when the block's rows are what they would be had it begun with `current`, the
    /// shape after all earlier blocks. `current` must have grown from the shape the block began with.
    pub fn is_valid_after(&self, current: &Shape) -> bool {
        let (version, epoch) = self.base;
        current.epoch == epoch && (current.version == version || !self.changed)
    }

    /// Returns true when the block added to its shape.
    pub fn changed_shape(&self) -> bool {
        self.changed
    }

    /// Makes batches with ids of the block's rows; `offsets` counts the rows of earlier blocks.
    /// `shape` is the shape the block was normalised with, after it.
    pub fn assemble(self, shape: &Shape, load_id: &LoadId, offsets: &Offsets) -> Vec<TableBatch> {
        assemble::assemble(self.rows, shape, load_id, offsets)
    }

    /// Counts the block's rows in, and returns the offsets the block's own rows begin at.
    pub fn reserve(&self, offsets: &mut Offsets) -> Offsets {
        assemble::reserve(&self.rows, offsets)
    }
}

/// Finds the records of a block, one after the other.
struct Cursor<'a> {
    block: RecordBytes<'a>,
    /// Index of the next range, or offset of the next byte.
    next: usize,
}

impl Cursor<'_> {
    /// Returns where the next record begins and where it must have ended.
    fn next_record(&self) -> Option<(usize, usize)> {
        match self.block.records {
            Some(ranges) => ranges.get(self.next).map(|r| (r.start, r.end)),
            None => {
                let bytes = self.block.bytes;
                let start = skip_between(bytes, self.next);
                (start < bytes.len()).then_some((start, bytes.len()))
            }
        }
    }

    /// A known record must be one value and nothing else; otherwise values need no separator.
    fn check_end(&self, end: usize, limit: usize) -> Result<usize, SyntaxError> {
        let rest = &self.block.bytes[end..limit];
        match rest.iter().position(|b| !b.is_ascii_whitespace()) {
            Some(at) if self.block.records.is_some() => {
                Err(SyntaxError { offset: end + at, message: "unexpected bytes behind the value" })
            }
            _ => Ok(end),
        }
    }

    fn advance(&mut self, end: usize) {
        self.next = if self.block.records.is_some() { self.next + 1 } else { end };
    }

    /// Where reading goes on after a bad record: the next line, unless it looks like a part of printed
    /// JSON, whose nested lines are indented or begin with a closing bracket. A raw line break cannot
    /// stand inside a string, so the damage of one line does not reach further.
    fn end_of_damage(&self, start: usize, limit: usize) -> usize {
        if self.block.records.is_some() {
            return limit;
        }
        let bytes = self.block.bytes;
        let is_part = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'}' | b']' | b',');
        let newline =
            (start..limit).filter(|&at| bytes[at] == b'\n').find(|at| bytes.get(at + 1).is_some_and(|b| !is_part(b)));
        newline.unwrap_or_else(|| start + bytes[start..limit].trim_ascii_end().len().max(1))
    }
}

/// Passes over white space, and over the byte order marks that files which were joined have in the middle.
fn skip_between(bytes: &[u8], mut at: usize) -> usize {
    loop {
        at += bytes[at..].iter().take_while(|b| b.is_ascii_whitespace()).count();
        if !bytes[at..].starts_with(BYTE_ORDER_MARK) {
            return at;
        }
        at += BYTE_ORDER_MARK.len();
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod growth_tests;

#[cfg(test)]
mod key_tests;
