//! What a source gives: blocks of JSON bytes with whole records in them, or of Arrow columns.

use crate::error::Result;
use crate::package::LoadId;
use arrow_array::RecordBatch;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Yields the records of one load, in order.
pub trait Source: Send {
    /// Called once, before the first block.
    ///
    /// # Errors
    /// Anything that keeps the source from beginning; nothing is loaded then.
    fn begin(&mut self, _start: &Start) -> Result<()> {
        Ok(())
    }

    /// True when reading has a price: requests that somebody counts, a pipe that cannot be read twice. Then nothing is
    /// read before every destination has said that it can take it. Files at hand need not wait for that.
    fn waits_for_destinations(&self) -> bool {
        true
    }

    /// Returns the next block, or `None` at the end.
    ///
    /// # Errors
    /// Anything that keeps the source from going on; the load is given up then.
    fn next_block(&mut self) -> Result<Option<Block>>;

    /// Told that no more records of a resource are wanted, as for a sample. A source that can leaves the rest of them out;
    /// one that cannot goes on as before.
    fn skip(&mut self, _resource: usize) {}

    /// Takes back the buffer of a block that is done with, so that memory stays flat.
    fn recycle(&self, _buffer: Vec<u8>) {}

    /// Returns the state after the last block (cursors), or `None` when the source keeps none.
    fn state(&self) -> Option<serde_json::Value> {
        None
    }

    /// Returns what the user should know of how the reading went, whole sentences.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns what stands for everything read so far, for sources that cannot be read again (a pipe):
    /// it tells whether the input is the one an interrupted load had. `None` for all others.
    fn digest(&self) -> Option<String> {
        None
    }

    /// Called when the last block is normalised, before anything is sealed: the last chance to say
    /// that the input was not what it should have been.
    ///
    /// # Errors
    /// The load is given up then.
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What a source is told before its first block.
#[derive(Debug, Clone)]
pub struct Start {
    /// The load.
    pub load_id: LoadId,
    /// The state of the newest committed load that had one: what [`Source::state`] returned then.
    pub state: Option<serde_json::Value>,
    /// A folder, perhaps not there yet, for pages already fetched: it outlives a crash and is given again, with
    /// the same load id, until the load's package is sealed. Then the pipeline removes it. `None`: there is none.
    pub journal: Option<PathBuf>,
}

/// Some records.
#[derive(Debug)]
pub enum Block {
    /// As JSON.
    Json(JsonBlock),
    /// As Arrow columns.
    Columns(ColumnBlock),
}

impl Block {
    /// Returns which of the run's resources (root tables) the records belong to, from 0.
    pub fn resource(&self) -> usize {
        match self {
            Block::Json(block) => block.resource,
            Block::Columns(block) => block.resource,
        }
    }

    /// Moves the records to another resource.
    #[must_use]
    pub fn of_resource(mut self, resource: usize) -> Self {
        match &mut self {
            Block::Json(block) => block.resource = resource,
            Block::Columns(block) => block.resource = resource,
        }
        self
    }

    /// Returns the size in bytes, as it is in memory.
    pub fn size(&self) -> u64 {
        match self {
            Block::Json(block) => block.bytes.len() as u64,
            Block::Columns(block) => block.rows.get_array_memory_size() as u64,
        }
    }
}

impl From<JsonBlock> for Block {
    fn from(block: JsonBlock) -> Self {
        Block::Json(block)
    }
}

/// Rows as Arrow columns, a record each.
#[derive(Debug, Clone)]
pub struct ColumnBlock {
    /// Which of the run's resources (root tables) the records belong to, from 0.
    pub resource: usize,
    /// Name of the file or URL, for messages.
    pub origin: Arc<str>,
    /// The rows.
    pub rows: RecordBatch,
    /// Number of the first row in the origin, from 0.
    pub row: u64,
}

/// Bytes with whole records in them, and where they come from.
#[derive(Debug)]
pub struct JsonBlock {
    /// Which of the run's resources (root tables) the records belong to, from 0.
    pub resource: usize,
    /// Name of the file, URL or stream, for messages.
    pub origin: Arc<str>,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The records, where the source has told them apart already; otherwise values one after the
    /// other with white space between them.
    pub records: Option<Vec<Range<usize>>>,
    /// True when an array is a page: its elements are the records. False when it is one record.
    pub pages: bool,
    /// Offset of the first byte in the (decompressed) origin.
    pub offset: u64,
    /// Line of the first byte, from 1.
    pub line: u64,
}
