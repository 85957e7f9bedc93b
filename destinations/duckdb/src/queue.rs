//! Batches that wait to be inserted, and which go next.
//!
//! DuckDB stores rows in groups of [`UNIT_ROWS`]. A thread that inserts exactly that many compresses
//! and writes a group of its own, beside other threads; fewer rows are gathered by one thread, in
//! memory, until a group is full. So rows wait here until a table has a whole unit, as long as the
//! memory for waiting rows lasts.

use arrow_array::RecordBatch;
use longshore_core::schema::Table;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Rows of a DuckDB row group.
pub(crate) const UNIT_ROWS: usize = 122_880;

/// Rows that one thread inserts.
pub(crate) type Unit = Vec<Waiting>;

/// A batch that waits, and the memory it holds until it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// The table with the batch's columns.
    pub(crate) table: Arc<Table>,
    pub(crate) rows: RecordBatch,
    held: Held,
}

/// What one statement inserts into one table.
#[derive(Debug)]
pub(crate) struct Run {
    /// One, or several whole row groups, which may go in beside one another.
    pub(crate) units: VecDeque<Unit>,
}

/// The queue between those who stage and the thread that inserts.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    /// Bytes of waiting rows beyond which staging waits.
    budget: usize,
    threads: usize,
}

#[derive(Debug, Default)]
struct State {
    tables: Vec<WaitingTable>,
    bytes: usize,
    /// Bytes of the batch that there is no room for.
    wanted: usize,
    end: Option<End>,
}

#[derive(Debug)]
struct WaitingTable {
    name: String,
    batches: VecDeque<Waiting>,
    rows: usize,
    /// Rows went in before a unit was whole: the table's rows are too wide to wait for one.
    wide: bool,
}

/// Why nothing more comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// All rows are there.
    Complete,
    /// The load is given up, or has failed.
    Stopped,
}

impl Queue {
    pub(crate) fn new(budget: usize, threads: usize) -> Arc<Self> {
        Arc::new(Queue { state: Mutex::default(), changed: Condvar::new(), budget, threads: threads.max(1) })
    }

    /// Adds a batch, waiting for room. False when the inserting thread is gone.
    pub(crate) fn push(self: &Arc<Self>, table: &Arc<Table>, rows: RecordBatch) -> bool {
        let bytes = rows.get_array_memory_size();
        let mut state = self.lock();
        while !state.has_room(bytes, self.budget) && state.end.is_none() {
            state.wanted = bytes;
            self.changed.notify_all();
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.wanted = 0;
        if state.end.is_some() {
            return false;
        }
        state.bytes += bytes;
        let held = Held { queue: Arc::clone(self), bytes };
        let index = match state.tables.iter().position(|t| t.name == table.name) {
            Some(index) => index,
            None => {
                let batches = VecDeque::new();
                state.tables.push(WaitingTable { name: table.name.clone(), batches, rows: 0, wide: false });
                state.tables.len() - 1
            }
        };
        let waiting = &mut state.tables[index];
        waiting.rows += rows.num_rows();
        waiting.batches.push_back(Waiting { table: Arc::clone(table), rows, held });
        self.changed.notify_all();
        true
    }

    /// No more rows come: the rest is to be inserted.
    pub(crate) fn complete(&self) {
        self.lock().end.get_or_insert(End::Complete);
        self.changed.notify_all();
    }

    /// Nothing more is to be inserted. What waits is dropped.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.end = Some(End::Stopped);
        let tables = std::mem::take(&mut state.tables);
        drop(state);
        drop(tables); // each batch takes the lock to give its bytes back
        self.changed.notify_all();
    }

    /// Waits for what is to be inserted next; `None` at the end.
    pub(crate) fn next(&self) -> Option<Run> {
        let mut state = self.lock();
        loop {
            if state.end == Some(End::Stopped) {
                return None;
            }
            let is_full = state.wanted > 0 && !state.has_room(state.wanted, self.budget);
            let is_complete = state.end.is_some();
            if let Some(run) = next_run(&mut state.tables, self.threads, is_full, is_complete) {
                return Some(run);
            }
            if is_complete {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A batch larger than the budget goes alone.
    fn has_room(&self, bytes: usize, budget: usize) -> bool {
        self.bytes == 0 || self.bytes + bytes <= budget
    }
}

/// Chooses: whole units, as many as there are threads; what takes most room when there is none left;
/// at the end whatever waits.
fn next_run(tables: &mut [WaitingTable], threads: usize, is_full: bool, is_complete: bool) -> Option<Run> {
    let units = |t: &WaitingTable| if t.wide { 0 } else { t.rows / UNIT_ROWS };
    if let Some(table) = tables.iter_mut().filter(|t| units(t) > 0).max_by_key(|t| units(t)) {
        let count = units(table).min(threads);
        return Some(Run { units: (0..count).map(|_| table.take(UNIT_ROWS)).collect() });
    }
    let bytes = |t: &WaitingTable| t.batches.iter().map(|w| w.held.bytes).sum::<usize>();
    let waiting = tables.iter_mut().filter(|t| t.rows > 0);
    let table = match (is_full, is_complete) {
        (true, _) => waiting.max_by_key(|t| bytes(t))?,
        (_, true) => waiting.into_iter().next()?,
        _ => return None,
    };
    table.wide = !is_complete;
    Some(Run { units: VecDeque::from([table.take(usize::MAX)]) })
}

impl WaitingTable {
    /// Takes the first rows, cutting the last batch where it has more.
    fn take(&mut self, rows: usize) -> Unit {
        let mut unit = Vec::new();
        let mut missing = rows.min(self.rows);
        self.rows -= missing;
        while missing > 0 {
            let Some(mut first) = self.batches.pop_front() else { break };
            if first.rows.num_rows() > missing {
                let rest = Waiting {
                    table: Arc::clone(&first.table),
                    rows: first.rows.slice(missing, first.rows.num_rows() - missing),
                    held: first.held.split(),
                };
                first.rows = first.rows.slice(0, missing);
                self.batches.push_front(rest);
            }
            missing -= first.rows.num_rows();
            unit.push(first);
        }
        unit
    }
}

/// Bytes counted as waiting until this is dropped.
#[derive(Debug)]
struct Held {
    queue: Arc<Queue>,
    bytes: usize,
}

impl Held {
    /// Both halves of a batch share its buffers: the second keeps the count.
    fn split(&mut self) -> Held {
        Held { queue: Arc::clone(&self.queue), bytes: std::mem::take(&mut self.bytes) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.queue.lock().bytes -= self.bytes;
            self.queue.changed.notify_all();
        }
    }
}
