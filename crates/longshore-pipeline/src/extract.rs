//! Extract and normalise: blocks on several threads, results in the order of the input.
//!
//! Each worker takes the next block of the source, normalises it on its own copy of the shape, and
//! waits for its turn. In its turn it checks that earlier blocks left its work valid (or does it
//! again), publishes what it added to the shape, and takes the next row numbers. Batches are made
//! after the turn, so that turns are short.

use crate::progress::Progress;
use crate::refusals::Refusals;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use longshore_core::destination::rejects_table;
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::json::Tape;
use longshore_core::normalize::{
    BadRecord, Fault, NormalizedBlock, Offsets, OnError, RecordBytes, Shape, TableBatch, arrow_schema, normalize,
    normalize_columns,
};
use longshore_core::package::{Counts, DiscardCount, LoadId};
use longshore_core::source::{Block, JsonBlock, Source};
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Batches of one block, with its place in the order.
pub(crate) type NumberedBatches = (u64, Vec<TableBatch>);

/// What the workers of one run share.
pub(crate) struct Extract<'a> {
    source: Mutex<(&'a mut dyn Source, u64)>,
    turn: Mutex<Turn>,
    turned: Condvar,
    stopped: AtomicBool,
    load_id: LoadId,
    on_error: OnError,
    progress: Progress,
}

struct Turn {
    next: u64,
    shape: Arc<Shape>,
    offsets: Offsets,
    counts: Counts,
    discards: Vec<DiscardCount>,
    refused: Refusals,
    error: Option<Error>,
}

/// What the workers came to.
pub(crate) struct Extracted {
    pub(crate) shape: Arc<Shape>,
    pub(crate) counts: Counts,
    pub(crate) discards: Vec<DiscardCount>,
    /// In a survey, what would have ended the load.
    pub(crate) refused: Refusals,
    pub(crate) state: Option<serde_json::Value>,
    pub(crate) digest: Option<String>,
}

impl<'a> Extract<'a> {
    pub(crate) fn new(
        source: &'a mut dyn Source,
        shape: Shape,
        load_id: LoadId,
        on_error: OnError,
        progress: Progress,
    ) -> Self {
        let turn = Turn {
            next: 0,
            shape: Arc::new(shape),
            offsets: Offsets::default(),
            counts: Counts::default(),
            discards: Vec::new(),
            refused: Refusals::default(),
            error: None,
        };
        Extract {
            source: Mutex::new((source, 0)),
            turn: Mutex::new(turn),
            turned: Condvar::new(),
            stopped: AtomicBool::new(false),
            load_id,
            on_error,
            progress,
        }
    }

    /// Works until the source is at its end or something fails; run on every worker thread.
    pub(crate) fn work(&self, batches: &SyncSender<NumberedBatches>) {
        let _stop_on_panic = StopOnPanic(self);
        let mut tape = Tape::default();
        let mut own: Option<Shape> = None;
        while !self.stopped.load(Ordering::Relaxed) {
            let (number, block) = match self.next_block() {
                Ok(Some(next)) => next,
                Ok(None) => return,
                Err(e) => return self.stop(e),
            };
            let Some(done) = self.block(&mut tape, &mut own, number, &block) else { return };
            self.recycle(block);
            if batches.send((number, done)).is_err() {
                return self.stop(Error::internal("the package writer is gone"));
            }
        }
    }

    /// Returns what came of it, or the first error.
    pub(crate) fn finish(self) -> Result<Extracted> {
        let (source, _) = self.source.into_inner().unwrap_or_else(PoisonError::into_inner);
        let turn = self.turn.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = turn.error {
            return Err(error);
        }
        source.finish()?;
        let Turn { shape, counts, discards, refused, .. } = turn;
        Ok(Extracted { shape, counts, discards, refused, state: source.state(), digest: source.digest() })
    }

    /// Ends all work with an error, unless there is one already.
    pub(crate) fn stop(&self, error: Error) {
        let mut turn = self.lock();
        turn.error.get_or_insert(error);
        self.stopped.store(true, Ordering::Relaxed);
        self.turned.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_block(&self) -> Result<Option<(u64, Block)>> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let (source, number) = &mut *source;
        let Some(block) = source.next_block()? else { return Ok(None) };
        *number += 1;
        Ok(Some((*number - 1, block)))
    }

    fn recycle(&self, block: Block) {
        if let Block::Json(block) = block {
            self.source.lock().unwrap_or_else(PoisonError::into_inner).0.recycle(block.bytes);
        }
    }

    /// Normalises one block and takes its turn. `None` when the work was stopped.
    fn block(&self, tape: &mut Tape, own: &mut Option<Shape>, number: u64, block: &Block) -> Option<Vec<TableBatch>> {
        // Nothing is known before the first block: to begin others with it would be work for nothing.
        let start = Arc::clone(&self.wait(|turn| turn.next > 0 || number == 0)?.shape);
        let is_current = own.as_ref().is_some_and(|s| s.version() == start.version() && s.epoch() == start.epoch());
        if !is_current {
            *own = Some(Shape::clone(&start));
        }
        let shape = own.as_mut()?;
        shape.turn_to(block.resource());
        let mut result = normalize_block(shape, tape, block, self.on_error);

        let mut turn = self.wait(|turn| turn.next == number)?;
        // What is refused on a shape of before may be right on that of now: there, a column may be wider.
        let is_late = start.version() != turn.shape.version() || start.epoch() != turn.shape.epoch();
        if result.as_ref().map_or(is_late, |done| !done.is_valid_after(&turn.shape)) {
            *shape = Shape::clone(&turn.shape);
            shape.turn_to(block.resource());
            result = normalize_block(shape, tape, block, self.on_error);
        }
        let done = match result {
            Ok(done) => done,
            Err(bad) => {
                let error = bad_record_error(block, &bad);
                drop(turn);
                self.stop(error);
                return None;
            }
        };
        if done.changed_shape() {
            turn.shape = Arc::new(shape.clone());
        }
        let rejected = done.rejects.len() as u64;
        turn.counts.read += done.read;
        turn.counts.rejected += rejected;
        turn.counts.discarded += done.discarded;
        turn.counts.normalised += done.read - rejected - done.discarded;
        for lost in &done.discards {
            DiscardCount::add(&mut turn.discards, &lost.table, lost.rows, lost.values);
        }
        for bad in &done.refused {
            turn.refused.add(block, bad);
        }
        turn.counts.bytes += block.size();
        let offsets = done.reserve(&mut turn.offsets);
        turn.next += 1;
        drop(turn);
        self.turned.notify_all();

        self.progress.add_block(done.read, block.size());
        Some(self.batches(done, shape, block, &offsets))
    }

    fn batches(&self, done: NormalizedBlock, shape: &Shape, block: &Block, offsets: &Offsets) -> Vec<TableBatch> {
        let rejects = match block {
            Block::Json(block) if !done.rejects.is_empty() => Some(rejects_batch(shape, block, &done.rejects)),
            _ => None,
        };
        let mut batches = done.assemble(shape, &self.load_id, offsets);
        batches.extend(rejects);
        self.progress.add_rows(batches.iter().map(|b| b.rows.num_rows() as u64).sum());
        batches
    }

    fn wait(&self, ready: impl Fn(&Turn) -> bool) -> Option<MutexGuard<'_, Turn>> {
        let mut turn = self.lock();
        loop {
            if self.stopped.load(Ordering::Relaxed) {
                return None;
            }
            if ready(&turn) {
                return Some(turn);
            }
            turn = self.turned.wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Without it, the others would wait forever for the turn of a thread that is gone.
struct StopOnPanic<'a, 'b>(&'a Extract<'b>);

impl Drop for StopOnPanic<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop(
                Error::internal("a normalising thread panicked").hint("please report this, with the input if you can"),
            );
        }
    }
}

fn normalize_block(
    shape: &mut Shape,
    tape: &mut Tape,
    block: &Block,
    on_error: OnError,
) -> Result<NormalizedBlock, BadRecord> {
    match block {
        Block::Json(block) => {
            let input = RecordBytes { bytes: &block.bytes, records: block.records.as_deref(), pages: block.pages };
            normalize(shape, tape, input, on_error)
        }
        // Columns are never malformed: what cannot be read of one ends the load.
        Block::Columns(block) => normalize_columns(shape, tape, &block.rows, OnError::Fail),
    }
}

fn bad_record_error(block: &Block, bad: &BadRecord) -> Error {
    let error = match &bad.fault {
        Fault::Syntax(e) => Error::input(format!("malformed JSON: {}", e.message))
            .hint("nothing was loaded; repair the record, or keep bad records aside with --on-error reject"),
        Fault::Schema(violation) => {
            let error = Error::new(ErrorKind::Data, violation.to_string()).with("table", &violation.table);
            let error = match &violation.column {
                Some(column) => error.with("field", column),
                None => error,
            };
            error.with("path", &violation.path).hint(format!("nothing was loaded; {}", violation.hint()))
        }
    };
    let block = match block {
        Block::Json(block) => block,
        Block::Columns(block) => return error.with("file", &block.origin),
    };
    let (line, column) = position(block, bad.offset());
    error
        .with("file", &block.origin)
        .with("line", line)
        .with("column", column)
        .with("byte", block.offset + bad.offset() as u64)
}

/// Line and column (in bytes, both from 1) of an offset in the block.
pub(crate) fn position(block: &JsonBlock, offset: usize) -> (u64, u64) {
    let before = &block.bytes[..offset.min(block.bytes.len())];
    let lines = before.iter().filter(|b| **b == b'\n').count() as u64;
    let column = before.iter().rev().take_while(|b| **b != b'\n').count() as u64 + 1;
    (block.line + lines, column)
}

/// The bytes as text, to the last one: those that are no UTF-8 as `\xff`.
fn whole_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}"); // writing to a String cannot fail
        }
    }
    text
}

fn rejects_batch(shape: &Shape, block: &JsonBlock, bad: &[BadRecord]) -> TableBatch {
    let system = shape.schema().system_columns;
    let table = Arc::new(rejects_table(system));
    let texts =
        |f: &dyn Fn(&BadRecord) -> String| Arc::new(StringArray::from_iter_values(bad.iter().map(f))) as ArrayRef;
    let numbers = |f: &dyn Fn(&BadRecord) -> u64| {
        Arc::new(Int64Array::from_iter_values(bad.iter().map(|b| f(b) as i64))) as ArrayRef
    };
    let columns = vec![
        texts(&|_| shape.root_name().to_owned()),
        texts(&|_| block.origin.to_string()),
        numbers(&|b| position(block, b.range.start).0),
        numbers(&|b| block.offset + b.range.start as u64),
        texts(&|b| match b.fault {
            Fault::Syntax(_) => format!("{} at byte {}", b.reason(), block.offset + b.offset() as u64),
            Fault::Schema(_) => b.reason(),
        }),
        texts(&|b| whole_text(&block.bytes[b.range.clone()])),
    ];
    // The columns are those of `rejects_table`, all as long as `bad`.
    #[allow(clippy::expect_used)]
    let rows = RecordBatch::try_new(arrow_schema(&table), columns).expect("columns agree with the rejects table");
    TableBatch { table, rows }
}
