//! Staging: rows go straight into the tables, inside the load's open transaction, where nobody else
//! sees them.
//!
//! Parts only queue up; a thread of the load inserts them, so that normalising goes on beside it.

use crate::ffi::Database;
use crate::queue::Queue;
use crate::rounding::{self, Types};
use crate::transaction::Transaction;
use async_trait::async_trait;
use longshore_core::destination::{CommitOutcome, Load, Opening, Staged};
use longshore_core::error::{Error, Result};
use longshore_core::package::{LoadId, Manifest, Part};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// A load under way.
#[derive(Debug)]
pub(crate) struct DuckLoad {
    queue: Arc<Queue>,
    staging: Mutex<Staging>,
    /// Threads the commit may use.
    threads: usize,
    load_id: LoadId,
    /// The dataset's columns when the load began.
    types: Types,
}

#[derive(Debug)]
struct Staging {
    /// Receipts by part number: a part that comes again is here already.
    staged: BTreeMap<u64, Staged>,
    /// The thread that inserts; gone once its outcome has been asked for.
    inserter: Option<JoinHandle<Result<Transaction>>>,
}

/// What a load may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resources {
    pub(crate) threads: usize,
    /// Bytes DuckDB is held to.
    pub(crate) memory: u64,
    /// Bytes of rows that wait to be inserted.
    pub(crate) waiting_bytes: usize,
}

impl DuckLoad {
    pub(crate) fn begin(
        database: Arc<Database>,
        path: &Path,
        opening: &Opening,
        is_new: bool,
        resources: Resources,
    ) -> Result<Self> {
        let mut types = Types::new();
        let transaction = Transaction::begin(database, path, opening, is_new, resources.memory, &mut types)?;
        rounding::check_known(&types, opening)?;
        let queue = Queue::new(resources.waiting_bytes, resources.threads);
        let work = Arc::clone(&queue);
        let inserter = thread::Builder::new().name("insert".into()).spawn(move || insert_all(transaction, &work));
        let inserter = inserter.map_err(|e| Error::internal("cannot start a thread").source(e))?;
        let staging = Mutex::new(Staging { staged: BTreeMap::new(), inserter: Some(inserter) });
        types.retain(|table, _| !opening.drops.contains(table));
        Ok(DuckLoad { queue, staging, threads: resources.threads, load_id: opening.load_id.clone(), types })
    }

    fn lock(&self) -> MutexGuard<'_, Staging> {
        self.staging.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue_part(&self, part: &Part) -> Result<Staged> {
        let mut staging = self.lock();
        if let Some(receipt) = staging.staged.get(&part.number) {
            return Ok(receipt.clone());
        }
        rounding::check(&self.types, &part.table)?;
        let table = match part.table.write.merges() {
            true => Arc::new(crate::merge::staging(&part.table, &self.load_id)),
            false => Arc::clone(&part.table),
        };
        let mut rows = 0;
        for batch in part.batches()? {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            if !self.queue.push(&table, batch) {
                return Err(staging.outcome().err().unwrap_or_else(|| Error::internal("the load is over")));
            }
        }
        let receipt = Staged { part: part.number, table: part.table.name.clone(), rows };
        staging.staged.insert(part.number, receipt.clone());
        Ok(receipt)
    }
}

impl Staging {
    /// Waits for the inserting thread.
    fn outcome(&mut self) -> Result<Transaction> {
        let Some(inserter) = self.inserter.take() else { return Err(Error::internal("the load is over")) };
        inserter.join().unwrap_or_else(|_| Err(Error::internal("the thread that inserts panicked")))
    }
}

#[async_trait]
impl Load for DuckLoad {
    async fn stage(&self, part: &Part) -> Result<Staged> {
        self.queue_part(part)
    }

    fn all_staged(&self) {
        self.queue.complete();
    }

    async fn commit(self: Box<Self>, manifest: &Manifest, staged: &[Staged]) -> Result<CommitOutcome> {
        self.queue.complete();
        let mut transaction = self.lock().outcome()?;
        crate::commit::commit(&mut transaction, manifest, staged, self.threads)
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        Ok(()) // dropping rolls back
    }
}

impl Drop for DuckLoad {
    fn drop(&mut self) {
        self.queue.stop();
        let _ = self.lock().outcome(); // dropping the transaction rolls it back
    }
}

/// Inserts what comes, until the queue ends; the transaction stays open.
fn insert_all(mut transaction: Transaction, queue: &Queue) -> Result<Transaction> {
    let _stop = StopAtEnd(queue);
    while let Some(run) = queue.next() {
        transaction.insert(run)?;
    }
    Ok(transaction)
}

/// Whatever ends the thread: nobody waits for room in its queue any longer.
struct StopAtEnd<'a>(&'a Queue);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}
