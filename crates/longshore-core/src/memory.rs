//! The reference destination: datasets in memory. The shortest thing that keeps the contract.

use crate::capabilities::{Atomicity, Capabilities, Dispositions, Widening};
use crate::destination::{CommitOutcome, Committed, Destination, Load, Opening, Staged};
use crate::error::{Error, Result};
use crate::lease::{Holder, Lease, LeaseAnswer, LeaseRequest, Leases};
use crate::normalize::cast_batch;
use crate::package::{LoadId, Manifest, Part, TableCount, Target};
use crate::schema::SystemTable;
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{Field, Schema as ArrowSchema};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Datasets by name; clones share them.
#[derive(Debug, Clone)]
pub struct MemoryDestination {
    name: String,
    capabilities: Capabilities,
    datasets: Arc<Mutex<BTreeMap<String, Dataset>>>,
    leases: Arc<Mutex<Vec<(Target, Holder)>>>,
}

#[derive(Debug, Default)]
struct Dataset {
    rows: BTreeMap<String, Vec<RecordBatch>>,
    /// Committed loads with the pipeline they belong to, in order.
    loads: Vec<(String, Committed)>,
}

impl MemoryDestination {
    /// Returns an empty destination.
    pub fn new() -> Self {
        let capabilities = Capabilities {
            atomicity: Atomicity::Package,
            max_identifier_length: 65536,
            concurrency: NonZeroUsize::MIN,
            dispositions: Dispositions { replace: true, merge: &[] },
            widens: Widening::All,
            remakes: true,
            stages_early: true,
            leases: Leases::Session,
            checks_unique: false,
        };
        MemoryDestination { name: String::new(), capabilities, datasets: Arc::default(), leases: Arc::default() }
    }

    /// Gives it a name that tells it from others in one pipeline.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        MemoryDestination { name: name.into(), ..self }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Dataset>> {
        // A panic elsewhere leaves whole values behind: each change is one assignment.
        self.datasets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryDestination {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for MemoryDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory:{}", self.name)
    }
}

#[async_trait]
impl Destination for MemoryDestination {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn last_committed(&self, target: &Target) -> Result<Option<Committed>> {
        let datasets = self.lock();
        let loads = datasets.get(&target.dataset).map_or(&[][..], |d| &d.loads);
        let mut own = loads.iter().rev().filter(|(p, _)| *p == target.pipeline).map(|(_, c)| c);
        let Some(newest) = own.next() else { return Ok(None) };
        let state = newest.state.clone().or_else(|| own.find_map(|c| c.state.clone()));
        Ok(Some(Committed { state, ..newest.clone() }))
    }

    async fn is_committed(&self, target: &Target, load_id: &LoadId) -> Result<bool> {
        let datasets = self.lock();
        Ok(datasets.get(&target.dataset).is_some_and(|d| d.loads.iter().any(|(_, c)| c.load_id == *load_id)))
    }

    async fn lease(&self, request: &LeaseRequest<'_>) -> Result<LeaseAnswer> {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, holder)) = leases.iter().find(|(target, _)| target == request.target) {
            return Ok(LeaseAnswer::Held { holder: Some(holder.clone()), free_in: None });
        }
        leases.push((request.target.clone(), request.holder.clone()));
        Ok(LeaseAnswer::Ours(Box::new(MemoryLease { of: Arc::clone(&self.leases), target: request.target.clone() })))
    }

    async fn begin(&self, opening: &Opening) -> Result<Box<dyn Load>> {
        Ok(Box::new(MemoryLoad { into: self.clone(), opening: opening.clone(), staged: Mutex::default() }))
    }

    async fn query(&self, dataset: &str, sql: &str) -> Result<Vec<RecordBatch>> {
        // Enough to look at a table; the real query language belongs to the real destinations.
        let table = sql
            .trim()
            .strip_prefix("SELECT * FROM ")
            .ok_or_else(|| Error::config("the memory destination answers only 'SELECT * FROM table'"))?;
        let datasets = self.lock();
        let rows = datasets.get(dataset).and_then(|d| d.rows.get(table.trim()));
        rows.cloned().ok_or_else(|| Error::destination("no such table").with("table", table))
    }

    async fn tables(&self, dataset: &str) -> Result<Vec<TableCount>> {
        let datasets = self.lock();
        let Some(dataset) = datasets.get(dataset) else { return Ok(Vec::new()) };
        let count = |rows: &[RecordBatch]| rows.iter().map(|b| b.num_rows() as u64).sum();
        let mut counts: BTreeMap<String, u64> = dataset.rows.iter().map(|(t, r)| (t.clone(), count(r))).collect();
        for (_, load) in &dataset.loads {
            let own = |table| load.schema.system_columns.table_name(table).to_owned();
            *counts.entry(own(SystemTable::Loads)).or_default() += 1;
            *counts.entry(own(SystemTable::Schemas)).or_default() += 1;
            *counts.entry(own(SystemTable::State)).or_default() += u64::from(load.state.is_some());
        }
        Ok(counts.into_iter().map(|(table, rows)| TableCount { table, rows }).collect())
    }
}

struct MemoryLease {
    of: Arc<Mutex<Vec<(Target, Holder)>>>,
    target: Target,
}

impl Lease for MemoryLease {}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        self.of.lock().unwrap_or_else(PoisonError::into_inner).retain(|(target, _)| *target != self.target);
    }
}

struct MemoryLoad {
    into: MemoryDestination,
    opening: Opening,
    staged: Mutex<BTreeMap<u64, (String, Vec<RecordBatch>)>>,
}

#[async_trait]
impl Load for MemoryLoad {
    async fn stage(&self, part: &Part) -> Result<Staged> {
        let load_id = self.opening.load_id.as_str();
        let batches: Vec<RecordBatch> =
            part.batches()?.map(|b| with_load_id(&b?, &part.table, load_id)).collect::<Result<_>>()?;
        let rows = batches.iter().map(|b| b.num_rows() as u64).sum();
        let mut staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
        staged.insert(part.number, (part.table.name.clone(), batches));
        Ok(Staged { part: part.number, table: part.table.name.clone(), rows })
    }

    async fn commit(self: Box<Self>, manifest: &Manifest, _staged: &[Staged]) -> Result<CommitOutcome> {
        let staged = std::mem::take(&mut *self.staged.lock().unwrap_or_else(PoisonError::into_inner));
        let mut datasets = self.into.lock();
        let dataset = datasets.entry(self.opening.target.dataset.clone()).or_default();
        if dataset.loads.iter().any(|(_, c)| c.load_id == manifest.load_id) {
            return Ok(CommitOutcome::AlreadyCommitted);
        }
        let own = dataset.loads.iter().filter(|(pipeline, _)| *pipeline == self.opening.target.pipeline);
        self.opening.fence.check(own.map(|(_, c)| &c.load_id).max(), &self.opening.target)?;
        dataset.rows.retain(|table, _| !manifest.drops.contains(table));
        for table in &manifest.schema.tables {
            dataset.rows.entry(table.name.clone()).or_default();
        }
        for root in manifest.replaced() {
            let family = manifest.schema.children_of(&root.name).into_iter().chain([root]);
            family.for_each(|t| _ = dataset.rows.insert(t.name.clone(), Vec::new()));
        }
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for (table, batches) in staged.into_values() {
            *counts.entry(table.clone()).or_default() += batches.iter().map(|b| b.num_rows() as u64).sum::<u64>();
            dataset.rows.entry(table).or_default().extend(batches);
        }
        for (name, batches) in &mut dataset.rows {
            let Some(table) = manifest.schema.table(name) else { continue };
            for batch in batches {
                *batch = cast_batch(batch, table)?;
            }
        }
        dataset.loads.push((
            self.opening.target.pipeline.clone(),
            Committed {
                load_id: manifest.load_id.clone(),
                schema: manifest.schema.clone(),
                state: manifest.state.clone(),
            },
        ));
        Ok(CommitOutcome::Committed(counts.into_iter().map(|(table, rows)| TableCount { table, rows }).collect()))
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// Returns a batch of a part with the load id column where the table has it.
///
/// # Errors
/// When the batch does not have the table's columns.
pub fn with_load_id(batch: &RecordBatch, table: &crate::schema::Table, load_id: &str) -> Result<RecordBatch> {
    use crate::schema::{ColumnRole, DataType};
    let mut fields: Vec<Field> = batch.schema().fields().iter().map(|f| f.as_ref().clone()).collect();
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    if let Some(at) = table.columns.iter().position(|c| c.role == Some(ColumnRole::LoadId)) {
        let column = &table.columns[at];
        let at = at.min(columns.len());
        let array: ArrayRef = match load_id.parse::<i64>() {
            Ok(number) if column.data_type == DataType::Bigint => {
                Arc::new(Int64Array::from_value(number, batch.num_rows()))
            }
            _ => Arc::new(StringArray::from_iter_values((0..batch.num_rows()).map(|_| load_id))),
        };
        fields.insert(at, Field::new(&column.name, array.data_type().clone(), false));
        columns.insert(at, array);
    }
    RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), columns)
        .map_err(|e| Error::internal("a part does not have its table's columns").with("table", &table.name).source(e))
}
