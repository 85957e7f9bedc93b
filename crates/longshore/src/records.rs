//! Records gathered into blocks: one line of JSON each.

use crate::feed::SpareBuffers;
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::source::JsonBlock;
use serde::Serialize;
use std::sync::Arc;

/// Usual size of a block.
const BLOCK_BYTES: u64 = 1 << 20;
const LEAST_BLOCK_BYTES: u64 = 64 << 10;
/// Size above which a record is refused, whatever the memory.
const LARGEST_RECORD: u64 = 1 << 30;

/// Makes blocks of records; a record is one line, so that messages name it by its number.
#[derive(Debug)]
pub(crate) struct BlockWriter {
    origin: Arc<str>,
    pub(crate) buffer: Vec<u8>,
    spare: SpareBuffers,
    block_bytes: usize,
    record_bytes: usize,
    offset: u64,
    /// Records in earlier blocks, and in this one.
    before: u64,
    records: u64,
}

impl BlockWriter {
    pub(crate) fn new(origin: &str, memory: u64, spare: SpareBuffers) -> Self {
        BlockWriter {
            origin: Arc::from(origin),
            buffer: spare.take(),
            spare,
            block_bytes: (memory / 96).clamp(LEAST_BLOCK_BYTES, BLOCK_BYTES) as usize,
            record_bytes: memory.clamp(64 << 20, LARGEST_RECORD) as usize,
            offset: 0,
            before: 0,
            records: 0,
        }
    }

    /// Adds a record.
    pub(crate) fn push(&mut self, record: &impl Serialize) -> Result<()> {
        let start = self.buffer.len();
        if let Err(e) = serde_json::to_writer(&mut self.buffer, record) {
            return Err(self.refused("a record cannot be written as JSON").source(e));
        }
        if self.buffer.len() - start > self.record_bytes {
            return Err(self.refused("a record is too large").with("limit in bytes", self.record_bytes));
        }
        self.buffer.push(b'\n');
        self.records += 1;
        Ok(())
    }

    fn refused(&self, message: &str) -> Error {
        Error::new(ErrorKind::Data, message)
            .with("input", &self.origin)
            .with("record", self.before + self.records + 1)
            .hint("nothing was loaded")
    }

    /// Notes records that were written to the buffer directly, a line each.
    pub(crate) fn add_records(&mut self, records: u64) {
        self.records += records;
    }

    pub(crate) fn block_bytes(&self) -> usize {
        self.block_bytes
    }

    pub(crate) fn is_full(&self) -> bool {
        self.buffer.len() >= self.block_bytes
    }

    /// Returns what is gathered, if anything is.
    pub(crate) fn take(&mut self) -> Option<JsonBlock> {
        if self.records == 0 {
            return None;
        }
        let bytes = std::mem::replace(&mut self.buffer, self.spare.take());
        let block = JsonBlock {
            resource: 0,
            origin: Arc::clone(&self.origin),
            records: None,
            pages: false,
            offset: self.offset,
            line: self.before + 1,
            bytes,
        };
        self.offset += block.bytes.len() as u64;
        self.before += std::mem::take(&mut self.records);
        Some(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_know_where_they_begin() {
        let mut writer = BlockWriter::new("records", 0, SpareBuffers::default());
        for n in 0..3 {
            writer.push(&n).unwrap();
        }
        let first = writer.take().unwrap();
        assert_eq!((first.bytes.as_slice(), first.line, first.offset), (&b"0\n1\n2\n"[..], 1, 0));
        assert!(writer.take().is_none());
        writer.push(&"x").unwrap();
        let second = writer.take().unwrap();
        assert_eq!((second.line, second.offset), (4, 6));
    }

    #[test]
    fn a_record_that_is_no_json_is_named_by_its_number() {
        let mut writer = BlockWriter::new("records", 0, SpareBuffers::default());
        writer.push(&1).unwrap();
        let keys = std::collections::BTreeMap::from([((1, 2), 3)]);
        let error = writer.push(&keys).unwrap_err();
        assert!(error.to_string().contains("record 2"), "{error}");
    }
}
