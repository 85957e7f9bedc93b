//! Reads the inputs one after another and hands out their records in blocks.

use std::ops::Range;
use std::sync::Arc;
use std::vec;

use crate::cutter::Cutter;
use crate::error::Result;
use crate::input::{Input, Origin};
use crate::pool::Pool;
use crate::progress::Progress;
use crate::select::Select;
use crate::source::Source;

/// Some whole records of one input.
#[derive(Debug)]
pub struct Block {
    /// The input, for messages.
    pub source: Arc<Origin>,
    /// Decompressed bytes. Give them back with [`Pool::recycle`] after use.
    pub bytes: Vec<u8>,
    /// Where in `bytes` the records are.
    pub layout: Layout,
    /// Place of `bytes[0]` in the decompressed input, from 0.
    pub offset: u64,
    /// Line number of `bytes[0]`, from 1.
    pub line: u64,
    /// The block's place in the order of all inputs' records, from 0, without gaps.
    pub sequence: u64,
}

/// Where the records of a [`Block`] are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// Whole values separated by nothing but optional white space, as in NDJSON. The parser
    /// walks them; the elements of an array among them are records of their own. Nothing is
    /// checked: after a malformed value go on at the next line feed.
    Sequence,
    /// Each range is one record: an element of a top-level array, or a value that the path
    /// selects. What stands between the ranges is none. Only the brackets around records are
    /// checked, not the records. With a path over line-delimited input a range may also be a
    /// whole damaged line, which no parser takes.
    Records(Vec<Range<usize>>),
}

/// How inputs are cut into blocks. All sizes are in bytes of decompressed text.
#[derive(Debug, Clone)]
pub struct Options {
    /// The records are the values this path selects in each top-level value. Without it they
    /// are the top-level values, and the elements of top-level arrays.
    pub select: Option<Select>,
    /// Usual size of a block; only a larger record makes a larger one.
    pub block_bytes: usize,
    /// Size above which a record is refused, at least `block_bytes`. This bounds the memory
    /// of one block.
    pub max_record_bytes: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { select: None, block_bytes: 4 << 20, max_record_bytes: 256 << 20 }
    }
}

/// An ordered stream of [`Block`]s. The blocks depend on the inputs' bytes and the options
/// alone.
pub struct BlockReader {
    inputs: vec::IntoIter<Input>,
    options: Options,
    pool: Pool,
    progress: Progress,
    current: Option<(Arc<Origin>, Cutter)>,
    opened: usize,
    sequence: u64,
    failed: bool,
    is_path_right: bool,
}

impl BlockReader {
    /// Opens nothing yet.
    pub fn new(inputs: Vec<Input>, options: Options) -> BlockReader {
        let mut total = Some(0u64);
        for input in &inputs {
            total = total.zip(input.size).map(|(sum, size)| sum.saturating_add(size));
        }
        let (pool, progress) = (Pool::new(options.block_bytes), Progress::new(inputs.len(), total));
        BlockReader::with(inputs, options, pool, progress)
    }

    /// One of several readers that share buffers and counters.
    pub(crate) fn with(inputs: Vec<Input>, options: Options, pool: Pool, progress: Progress) -> BlockReader {
        BlockReader {
            pool,
            progress,
            inputs: inputs.into_iter(),
            options,
            current: None,
            opened: 0,
            sequence: 0,
            failed: false,
            is_path_right: false,
        }
    }

    /// The next block, or `None` behind the last one. It reads in the calling thread.
    ///
    /// # Errors
    /// What cannot be opened, read, decompressed or cut. Records before the fault have been
    /// handed out, but for those of a damaged compressed input's last block. After an error
    /// the stream has ended.
    pub fn next_block(&mut self) -> Result<Option<Block>> {
        if self.failed {
            return Ok(None);
        }
        let block = self.advance();
        self.failed = block.is_err();
        block
    }

    /// Returns false when the `select` path has led to nothing so far: neither to a value nor to a list without elements,
    /// although there were values.
    pub fn is_path_right(&self) -> bool {
        self.is_path_right
    }

    /// Takes back used bytes; it can be cloned and sent to the threads that parse.
    pub fn pool(&self) -> Pool {
        self.pool.clone()
    }

    /// Counters that other threads can look at while this one reads.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    fn advance(&mut self) -> Result<Option<Block>> {
        loop {
            let Some((origin, cutter)) = &mut self.current else {
                match self.inputs.next() {
                    Some(input) => self.open(input)?,
                    None => return Ok(None),
                }
                continue;
            };
            if let Some(piece) = cutter.next()? {
                self.is_path_right |= matches!(piece.layout, Layout::Records(_));
                let sequence = self.sequence;
                self.sequence += 1;
                return Ok(Some(Block {
                    source: Arc::clone(origin),
                    bytes: piece.bytes,
                    layout: piece.layout,
                    offset: piece.offset,
                    line: piece.line,
                    sequence,
                }));
            }
            if let Some((_, cutter)) = self.current.take() {
                self.is_path_right |= cutter.finish();
            }
            self.progress.finish_input();
        }
    }

    fn open(&mut self, input: Input) -> Result<()> {
        let size = input.size;
        let (origin, reader) = input.open(self.opened)?;
        let name = origin.name.clone();
        let (source, skipped) = Source::open(name.clone(), reader, self.progress.clone())?;
        let size = size.filter(|_| source.is_plain());
        let pool = self.pool.clone();
        let cutter = Cutter::new(name, source, skipped, size, &self.options, pool);
        self.current = Some((origin, cutter));
        self.opened += 1;
        Ok(())
    }
}
