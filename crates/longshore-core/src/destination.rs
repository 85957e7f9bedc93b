//! The contract of a destination.

use crate::capabilities::Capabilities;
use crate::error::Result;
use crate::lease::{Fence, LeaseAnswer, LeaseRequest, NoLease};
use crate::package::{LoadId, Manifest, Part, TableCount, Target};
use crate::schema::{Schema, SchemaChange, SystemColumns, Table};
use arrow_array::RecordBatch;
use async_trait::async_trait;
use std::fmt::{Debug, Display};

/// A place load packages are written to: at least once by the engine, exactly once for the reader.
///
/// **Repetition.** Any call may be made again after an unknown outcome (a crash, a lost reply).
/// The load id says what was already done: a commit of a load that is committed changes nothing.
///
/// **Visibility.** What [`Load::stage`] brings is invisible until [`Load::commit`] returns, and the
/// commit shows it in units of [`Capabilities::atomicity`].
///
/// **Durability.** When `commit` has returned, a power cut does not undo it.
///
/// **Names.** `Display` names the destination for people (`duckdb:///shop.duckdb`), without secrets.
///
/// The behaviour is defined by the conformance suite in `longshore-testkit`; a destination is
/// whatever passes it.
#[async_trait]
pub trait Destination: Debug + Display + Send + Sync + 'static {
    /// Returns what this destination can do; constant for its life.
    fn capabilities(&self) -> &Capabilities;

    /// Returns the newest committed schema and state of the pipeline in the dataset, or `None`
    /// when it has loaded nothing there yet. Changes nothing, creates nothing.
    async fn last_committed(&self, target: &Target) -> Result<Option<Committed>>;

    /// Returns true when that load's record stands in the dataset.
    async fn is_committed(&self, target: &Target, load_id: &LoadId) -> Result<bool>;

    /// Takes the lease of the pipeline in the dataset: of its runs one at a time has it. Makes no table, and nothing
    /// that [`Destination::last_committed`] would find. Whoever has it may lose it all the same, so it is only good
    /// for waiting; what counts is the fence of [`Opening`].
    ///
    /// [`Capabilities::leases`] says what becomes of the lease of a run that died.
    async fn lease(&self, _request: &LeaseRequest<'_>) -> Result<LeaseAnswer> {
        Ok(LeaseAnswer::Ours(Box::new(NoLease)))
    }

    /// Refuses a schema that the destination could never hold (a name that it keeps to itself), and says what to do. Asked
    /// of every load before its package is sealed, so that none waits for ever; asks nobody and changes nothing.
    fn check(&self, _schema: &Schema) -> Result<()> {
        Ok(())
    }

    /// Opens a load. Holds whatever the destination needs (a transaction, connections) until the
    /// load is committed or dropped; dropping it leaves nothing visible.
    async fn begin(&self, opening: &Opening) -> Result<Box<dyn Load>>;

    /// Runs a query with unqualified names resolved in the dataset, for people who look at what was
    /// loaded. Read only.
    async fn query(&self, dataset: &str, sql: &str) -> Result<Vec<RecordBatch>>;

    /// Returns the tables of the dataset with their row counts, the loader's own included, by name.
    async fn tables(&self, dataset: &str) -> Result<Vec<TableCount>>;

    /// Returns the statements that a load would make room with for what is new, in order, for people to read before
    /// they load. Runs nothing. Empty where a destination needs none.
    fn statements(&self, _growth: &Growth<'_>) -> Vec<String> {
        Vec::new()
    }

    /// Returns what a load would be billed, where the destination bills by use and can say so without doing it: a dry
    /// run. `None` where nothing is billed. A destination that answers is not asked anything else for a plan that
    /// would be billed itself.
    async fn cost(&self, _growth: &Growth<'_>, _sizes: &[TableSize]) -> Result<Option<Cost>> {
        Ok(None)
    }
}

/// Rows of one table of a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSize {
    /// The table.
    pub table: String,
    /// How many rows.
    pub rows: u64,
    /// What they take in memory, column by column.
    pub bytes: u64,
}

/// What a load would be billed.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Cost {
    /// Bytes that would be billed, all together.
    pub bytes_billed: u64,
    /// What they come from, in the order of the load.
    pub items: Vec<CostItem>,
    /// Why it cannot be said, where it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// A part of what a load would be billed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CostItem {
    /// What it is billed for, in words.
    pub what: String,
    /// Bytes that would be billed for it.
    pub bytes_billed: u64,
    /// True when the destination said so in a dry run, false for an estimate from the load's own rows.
    pub is_dry_run: bool,
}

/// What a load would add to a dataset.
#[derive(Debug, Clone, Copy)]
pub struct Growth<'a> {
    /// The dataset.
    pub dataset: &'a str,
    /// Tables that would go first.
    pub drops: &'a [String],
    /// All tables as they would be.
    pub schema: &'a Schema,
    /// What of them is new to the pipeline.
    pub change: &'a SchemaChange,
    /// Records would go to the table of rejected ones.
    pub rejects: bool,
    /// The tables that are there, whoever made them.
    pub existing: &'a [TableCount],
}

/// What a load needs to know before its first row.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Pipeline and dataset.
    pub target: Target,
    /// The load.
    pub load_id: LoadId,
    /// Names of the loader's own tables and columns.
    pub system_columns: SystemColumns,
    /// What may stand there of the pipeline when the load commits; checked in the step that makes it visible.
    pub fence: Fence,
    /// Tables that go in that step, before the load's own tables are made: what is staged under their names is for new
    /// ones. Those of [`Manifest::drops`].
    pub drops: Vec<String>,
    /// The load's tables as far as they are known before the first row, with how they are written: what a destination
    /// cannot do for them is best said now. More tables and columns may come; one that would be new may have no columns yet.
    pub tables: Vec<Table>,
}

impl Opening {
    /// Returns what a load of that package begins with.
    pub fn of(manifest: &Manifest) -> Self {
        Opening {
            target: manifest.target.clone(),
            load_id: manifest.load_id.clone(),
            system_columns: manifest.schema.system_columns,
            fence: manifest.fence.clone(),
            drops: manifest.drops.clone(),
            tables: manifest.schema.tables.iter().filter(|t| manifest.rows(&t.name) > 0).cloned().collect(),
        }
    }
}

/// One load under way in one destination.
#[async_trait]
pub trait Load: Send + Sync {
    /// Brings one part near, invisible to readers: makes its table and missing columns first.
    /// Parts of a table come in order; parts of different tables may come at once, up to
    /// [`Capabilities::concurrency`]. A part has the first columns of its table; a later part may
    /// have more or fewer than an earlier one.
    ///
    /// A part that is staged again (its receipt was lost) brings the same rows: they count once.
    /// After an error the load is over: the caller drops it and begins again, from part 0.
    async fn stage(&self, part: &Part) -> Result<Staged>;

    /// Says whether it is worth bringing rows of this table near before the package is sealed. Asked only where
    /// [`Capabilities::stages_early`]: parts of a table with `false` come after the seal, as files.
    fn stages_early(&self, _table: &Table) -> bool {
        true
    }

    /// Says that every part there is to stage early was staged: what waited for more rows to come need not wait for the
    /// seal, which takes its time with the disk. The commit comes next, or the end of the load.
    fn all_staged(&self) {}

    /// Makes everything staged visible, with tables that have no rows yet, the load's record, the
    /// schema version and the state, in one step; then counts back.
    ///
    /// Returns `AlreadyCommitted` and changes nothing when the load's record stands there already. Fails and changes
    /// nothing when a load of the pipeline stands there that [`Opening::fence`] does not allow.
    async fn commit(self: Box<Self>, manifest: &Manifest, staged: &[Staged]) -> Result<CommitOutcome>;

    /// Gives the load up and removes what was staged. Dropping the load does the same as far as a
    /// destructor can.
    async fn abort(self: Box<Self>) -> Result<()>;
}

/// Receipt of one staged part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// The part's number.
    pub part: u64,
    /// The table.
    pub table: String,
    /// Rows taken over.
    pub rows: u64,
}

/// What a commit found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitOutcome {
    /// Rows of this load counted back after the commit, one entry for each of `manifest.tables`, the
    /// rejects table included.
    Committed(Vec<TableCount>),
    /// The same load was committed before.
    AlreadyCommitted,
}

/// What the destination remembers of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    /// The newest load.
    pub load_id: LoadId,
    /// The schema as of that load.
    pub schema: Schema,
    /// The state as of the newest load that had one.
    pub state: Option<serde_json::Value>,
}

/// The loader's own table of rejected records: columns after the load id, all text but the position.
pub fn rejects_table(system: SystemColumns) -> Table {
    use crate::schema::{Column, ColumnRole, DataType, SystemTable};
    let mut table = Table::new(system.table_name(SystemTable::Rejects), None);
    table.columns = vec![
        system.column(ColumnRole::LoadId),
        Column::data("table_name", DataType::Text),
        Column::data("source", DataType::Text),
        Column::data("line", DataType::Bigint),
        Column::data("byte_offset", DataType::Bigint),
        Column::data("reason", DataType::Text),
        Column::data("record", DataType::Text),
    ];
    table
}
