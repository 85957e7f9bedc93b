//! Batches that wait to be inserted, and which go next.
//!
//! DuckDB stores rows in groups of [`UNIT_ROWS`]. Usually one thread gathers a table's rows until a
//! group is full, and compresses and writes it while the input is still being read. Where that is
//! slower than the input comes, rows pile up here; once a table has whole groups for several
//! threads, each of them makes one of its own.

use arrow_array::RecordBatch;
use longshore_core::schema::Table;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Rows of a DuckDB row group.
pub(crate) const UNIT_ROWS: usize = 122_880;

/// Less than this is not worth a statement while more may come.
const LEAST_BYTES: usize = 1 << 20;

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
                state.tables.push(WaitingTable { name: table.name.clone(), batches, rows: 0 });
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

/// Chooses: whole units of a table that has some for several threads; otherwise what takes most room,
/// unless it is too little to be worth a statement and more may come.
fn next_run(tables: &mut [WaitingTable], threads: usize, is_full: bool, is_complete: bool) -> Option<Run> {
    let largest = tables.iter_mut().filter(|t| t.rows > 0).max_by_key(|t| t.bytes())?;
    let units = (largest.rows / UNIT_ROWS).min(threads);
    if units > 1 {
        return Some(Run { units: (0..units).map(|_| largest.take(UNIT_ROWS)).collect() });
    }
    if is_full || is_complete || largest.bytes() >= LEAST_BYTES {
        return Some(Run { units: VecDeque::from([largest.take(usize::MAX)]) });
    }
    None
}

impl WaitingTable {
    fn bytes(&self) -> usize {
        self.batches.iter().map(|w| w.held.bytes).sum()
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Int64Array;
    use arrow_schema::{DataType, Field, Schema};

    const BYTES: usize = 64 << 20;

    fn push(queue: &Arc<Queue>, table: &str, rows: usize) {
        let column = Arc::new(Int64Array::from_iter_values(0..rows as i64));
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        let batch = RecordBatch::try_new(schema, vec![column]).unwrap();
        assert!(queue.push(&Arc::new(Table::new(table, None)), batch));
    }

    fn shape(run: &Run) -> Vec<usize> {
        run.units.iter().map(|u| u.iter().map(|w| w.rows.num_rows()).sum()).collect()
    }

    #[test]
    fn whole_groups_go_to_several_threads_and_the_rest_to_one() {
        let queue = Queue::new(BYTES, 2);
        push(&queue, "small", 10);
        for _ in 0..5 {
            push(&queue, "large", 50_000);
        }
        assert_eq!(shape(&queue.next().unwrap()), [UNIT_ROWS, UNIT_ROWS]);
        queue.complete();
        assert_eq!(shape(&queue.next().unwrap()), [250_000 - 2 * UNIT_ROWS]);
        assert_eq!(shape(&queue.next().unwrap()), [10]);
        assert!(queue.next().is_none());
        assert_eq!(queue.lock().bytes, 0);
    }

    #[test]
    fn rows_of_one_thread_keep_their_order() {
        let queue = Queue::new(BYTES, 1);
        push(&queue, "t", 200_000);
        push(&queue, "t", 100_000);
        assert_eq!(shape(&queue.next().unwrap()), [300_000]);
    }

    #[test]
    fn a_batch_that_finds_no_room_makes_the_others_go() {
        let queue = Queue::new(1000, 2);
        push(&queue, "t", 100);
        let other = Arc::clone(&queue);
        let pushing = std::thread::spawn(move || push(&other, "t", 100));
        let run = queue.next().unwrap();
        assert_eq!(shape(&run), [100]);
        drop(run);
        pushing.join().unwrap();
        queue.complete();
        assert_eq!(shape(&queue.next().unwrap()), [100]);
    }

    #[test]
    fn a_stopped_queue_takes_nothing_and_gives_nothing() {
        let queue = Queue::new(BYTES, 2);
        push(&queue, "t", 100);
        queue.stop();
        assert!(queue.next().is_none());
        let rows = RecordBatch::new_empty(Arc::new(Schema::empty()));
        assert!(!queue.push(&Arc::new(Table::new("t", None)), rows));
    }
}
