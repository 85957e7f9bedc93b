//! Staging: parts become streams of rows, a stream is copied into its table's staging table when it is large enough.

use crate::catalog::{self, Kinds, Tables};
use crate::copy::{Senders, Stream};
use crate::encode::{Constant, Rows};
use crate::late::{self, LateParts, warn_of_nul};
use crate::session::{Engine, Session};
use crate::staging::{MAX_NAME, Staging};
use crate::types::PostgresDialect;
use crate::{obstacles, rights, rounding};
use async_trait::async_trait;
use longshore_core::destination::{CommitOutcome, Load, Opening, Staged};
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::package::{Manifest, Part};
use longshore_core::schema::{Column, Table};
use longshore_sql::{add_column, create_table, identifier, qualified};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// A stream is sent at this size: a statement's cost is nothing beside it, and a few of them fit into memory.
const STREAM_BYTES: usize = 2 << 20;
/// What streams that are not full may hold together.
const WAITING_BYTES: usize = 16 << 20;
/// How long a dropped load's destructor may clean up.
const CLEANING: Duration = Duration::from_secs(5);

/// A load under way.
#[derive(Debug)]
pub(crate) struct PostgresLoad {
    /// `None` once it is committed or given up.
    inner: Mutex<Option<Inner>>,
    /// The dataset when the load began.
    existing: Arc<Tables>,
}

/// The load's state.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) engine: Arc<Engine>,
    /// The session that owns the load: makes staging tables, holds its lock, commits.
    pub(crate) control: Session,
    pub(crate) opening: Opening,
    pub(crate) staging: Staging,
    pub(crate) tables: BTreeMap<String, StagedTable>,
    senders: Senders,
    pub(crate) existing: Arc<Tables>,
    pub(crate) load_id: Constant,
    /// What goes straight into tables that exist already.
    pub(crate) late: LateParts,
    receipts: BTreeMap<u64, Staged>,
}

/// A table's staging table.
#[derive(Debug)]
pub(crate) struct StagedTable {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: u64,
    /// The dataset had no such table: this one, which is logged, may become it.
    pub(crate) may_become: bool,
    waiting: Option<Rows>,
    has_warned: bool,
}

impl PostgresLoad {
    pub(crate) async fn begin(engine: &Arc<Engine>, opening: &Opening) -> Result<Self> {
        check_name("dataset", &opening.target.dataset)?;
        let control = engine.connect().await?;
        if control.holds("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool").await? {
            return Err(Error::destination("the server or the role only reads")
                .with("role", &engine.config.user)
                .with("destination", engine.config.url())
                .hint("name the primary server, or a role whose default_transaction_read_only is off"));
        }
        control.batch("SET synchronous_commit = off").await?;
        let mut existing = catalog::tables(&control, &opening.target.dataset, Kinds::All).await?;
        // Known before anything is read, not only at the commit.
        rights::check(&control, opening, &existing).await?;
        existing.retain(|table, _| !opening.drops.contains(table));
        rounding::check_known(&existing, opening)?;
        let (dataset, names) = (&opening.target.dataset, opening.tables.iter().map(|t| t.name.as_str()));
        obstacles::check_names(&control, dataset, names).await?;
        let staging = Staging::begin(&control, opening).await?;
        let existing = Arc::new(existing);
        let inner = Inner {
            engine: Arc::clone(engine),
            control,
            opening: opening.clone(),
            staging,
            tables: BTreeMap::new(),
            senders: Senders::start(engine)?,
            existing: Arc::clone(&existing),
            load_id: Constant::new(opening.load_id.as_str()),
            late: LateParts::default(),
            receipts: BTreeMap::new(),
        };
        Ok(PostgresLoad { inner: Mutex::new(Some(inner)), existing })
    }
}

fn over() -> Error {
    Error::internal("the load is over")
}

#[async_trait]
impl Load for PostgresLoad {
    async fn stage(&self, part: &Part) -> Result<Staged> {
        let mut inner = self.inner.lock().await;
        let inner = inner.as_mut().ok_or_else(over)?;
        inner.stage(part).await.map_err(|e| e.with("table", &part.table.name))
    }

    fn stages_early(&self, table: &Table) -> bool {
        !late::takes(&self.existing, table)
    }

    async fn commit(self: Box<Self>, manifest: &Manifest, staged: &[Staged]) -> Result<CommitOutcome> {
        let mut guard = self.inner.lock().await;
        let inner = guard.as_mut().ok_or_else(over)?;
        let outcome = crate::commit::commit(inner, manifest, staged).await;
        if let Some(inner) = guard.take() {
            inner.close().await;
        }
        outcome
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        if let Some(inner) = self.inner.lock().await.take() {
            inner.close().await;
        }
        Ok(())
    }
}

impl Drop for PostgresLoad {
    /// Cleans up on the connections' threads, and waits a little for it: the next load removes what stays.
    fn drop(&mut self) {
        let Some(inner) = self.inner.get_mut().take() else { return };
        let (done, is_done) = std::sync::mpsc::channel();
        let engine = Arc::clone(&inner.engine);
        let cleaning = async move {
            inner.close().await;
            let _ = done.send(()); // nobody may be waiting any more
        };
        if engine.spawn(cleaning).is_ok() {
            let _ = is_done.recv_timeout(CLEANING); // late: the next load does it
        }
    }
}

impl Inner {
    async fn stage(&mut self, part: &Part) -> Result<Staged> {
        if let Some(receipt) = self.receipts.get(&part.number) {
            return Ok(receipt.clone());
        }
        rounding::check(&self.existing, &part.table)?;
        self.check_way(&part.table.name).await?;
        let kept = if late::takes(&self.existing, &part.table) { self.late.keep(part) } else { None };
        let rows = match kept {
            Some(rows) => rows,
            None => self.append_part(part).await?,
        };
        let receipt = Staged { part: part.number, table: part.table.name.clone(), rows };
        self.receipts.insert(part.number, receipt.clone());
        Ok(receipt)
    }

    /// Whether a table can be there, when its first rows come: those known before were looked at before.
    async fn check_way(&self, table: &str) -> Result<()> {
        if self.has_rows_of(table) || self.opening.tables.iter().any(|known| known.name == table) {
            return Ok(());
        }
        obstacles::check_names(&self.control, &self.opening.target.dataset, std::iter::once(table)).await
    }

    async fn append_part(&mut self, part: &Part) -> Result<u64> {
        self.ensure_staged(&part.table).await?;
        let mut rows = 0;
        for batch in part.batches()? {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            self.append(&part.table, &batch).await?;
        }
        Ok(rows)
    }

    /// Makes the staging table, or the columns it lacks.
    async fn ensure_staged(&mut self, table: &Table) -> Result<()> {
        let Some(staged) = self.tables.get_mut(&table.name) else {
            check_names(table)?;
            obstacles::check_types(&self.control, &self.opening.target.dataset, &self.existing, table).await?;
            let may_become = !self.existing.contains_key(&table.name) && !table.write.merges();
            let name = self.staging.next_name();
            let copy = Table { name: name.clone(), ..table.clone() };
            let sql = create_table(&PostgresDialect, &self.staging.schema, &copy);
            // Rows that are copied once more at the commit need not go through the log twice.
            let sql = if may_become { sql } else { sql.replacen("CREATE TABLE", "CREATE UNLOGGED TABLE", 1) };
            self.control.batch(&sql).await?;
            let columns = table.columns.clone();
            let staged = StagedTable { name, columns, rows: 0, may_become, waiting: None, has_warned: false };
            self.tables.insert(table.name.clone(), staged);
            return Ok(());
        };
        let is_wider = |(new, old): (&Column, &Column)| new.outgrows(old.column_type());
        let widens = table.columns.iter().zip(&staged.columns).any(is_wider);
        // A part has the first columns of its table.
        if table.columns.len() > staged.columns.len() {
            check_names(table)?;
            let missing = &table.columns[staged.columns.len()..];
            let sql = missing.iter().map(|c| add_column(&PostgresDialect, &self.staging.schema, &staged.name, c));
            self.control.batch(&sql.collect::<Vec<_>>().join("; ")).await?;
            staged.columns.extend_from_slice(missing);
        }
        if widens { self.widen_staged(table).await } else { Ok(()) }
    }

    /// Makes columns of a staging table wider. What is on its way is in the old form and has to arrive first.
    async fn widen_staged(&mut self, table: &Table) -> Result<()> {
        self.send(&table.name).await?;
        self.senders.finish().await?;
        self.senders = Senders::start(&self.engine)?;
        let staged = self.tables.get_mut(&table.name).ok_or_else(over)?;
        let both = table.columns.iter().zip(&mut staged.columns);
        for (new, old) in both.filter(|(new, old)| new.outgrows(old.column_type())) {
            let wider = [(new, old.column_type())];
            crate::commit::widen_columns(&self.control, &self.staging.schema, &staged.name, &wider).await?;
            *old = new.clone();
        }
        Ok(())
    }

    async fn append(&mut self, table: &Table, batch: &arrow_array::RecordBatch) -> Result<()> {
        let columns = table.columns.len();
        if self.staged(&table.name)?.waiting.as_ref().is_some_and(|w| w.columns != columns) {
            self.send(&table.name).await?;
        }
        // Slices, so that no stream becomes much larger than it should.
        let bytes_a_row = batch.get_array_memory_size() / batch.num_rows().max(1) + 1;
        let rows_a_slice = (STREAM_BYTES / bytes_a_row).max(1);
        for first in (0..batch.num_rows()).step_by(rows_a_slice) {
            let slice = batch.slice(first, rows_a_slice.min(batch.num_rows() - first));
            let load_id = self.load_id.clone();
            let staged = self.staged(&table.name)?;
            let waiting = staged.waiting.get_or_insert_with(|| Rows::new(columns));
            let changed = waiting.append(table, &slice, &load_id);
            let is_full = waiting.len() >= STREAM_BYTES;
            if changed && !std::mem::replace(&mut staged.has_warned, true) {
                warn_of_nul(table);
            }
            if is_full {
                self.send(&table.name).await?;
            }
        }
        self.relieve().await
    }

    fn staged(&mut self, table: &str) -> Result<&mut StagedTable> {
        self.tables.get_mut(table).ok_or_else(|| Error::internal("rows came for a table that is not staged"))
    }

    /// Sends a table's waiting rows.
    async fn send(&mut self, table: &str) -> Result<()> {
        let schema = self.staging.schema.clone();
        let staged = self.staged(table)?;
        let Some(rows) = staged.waiting.take() else { return Ok(()) };
        staged.rows += rows.count;
        let columns: Vec<String> = staged.columns[..rows.columns].iter().map(|c| identifier(&c.name)).collect();
        let sql =
            format!("COPY {} ({}) FROM STDIN (FORMAT binary)", qualified(&schema, &staged.name), columns.join(", "));
        let stream = Stream { sql, rows: rows.count, bytes: rows.finish(), table: table.to_owned() };
        self.senders.send(stream).await
    }

    /// Sends the largest stream when all together hold too much.
    async fn relieve(&mut self) -> Result<()> {
        let waiting = || self.tables.iter().filter_map(|(name, t)| t.waiting.as_ref().map(|w| (w.len(), name)));
        if waiting().map(|(bytes, _)| bytes).sum::<usize>() < WAITING_BYTES {
            return Ok(());
        }
        match waiting().max().map(|(_, name)| name.clone()) {
            Some(largest) => self.send(&largest).await,
            None => Ok(()),
        }
    }

    /// Returns true when rows of the table came.
    pub(crate) fn has_rows_of(&self, table: &str) -> bool {
        self.tables.contains_key(table) || !self.late.of(table).is_empty()
    }

    /// Returns how many rows of the table came.
    pub(crate) fn rows_of(&self, table: &str) -> u64 {
        self.tables.get(table).map_or(0, |t| t.rows) + self.late.rows(table)
    }

    /// Sends what is left and waits until all of it has arrived.
    pub(crate) async fn finish_staging(&mut self) -> Result<()> {
        let names: Vec<String> = self.tables.keys().cloned().collect();
        for name in names {
            self.send(&name).await?;
        }
        self.senders.finish().await
    }

    /// Ends the load and removes what is left of its staging tables.
    async fn close(mut self) {
        self.senders.abort();
        if self.control.client.is_closed() {
            match self.engine.connect().await {
                Ok(session) => self.control = session,
                Err(_) => return, // the next load does it
            }
        }
        // A commit that failed has left its transaction open.
        let rolled_back = self.control.batch("ROLLBACK").await;
        if let Err(e) = rolled_back.and(self.staging.drop_tables(&self.control).await) {
            tracing::debug!(error = %e, "staging tables stay until the next load");
        }
    }
}

/// Names that PostgreSQL would cut are refused.
pub(crate) fn check_names(table: &Table) -> Result<()> {
    check_name("table", &table.name)?;
    table.columns.iter().try_for_each(|c| check_name("column", &c.name))
}

fn check_name(what: &'static str, name: &str) -> Result<()> {
    if name.len() <= MAX_NAME && !name.is_empty() && !name.contains('\0') {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Data, format!("a name is longer than PostgreSQL's {MAX_NAME} bytes, or empty"))
        .with(what, name)
        .hint("names are made short enough by a pipeline that has this destination from its first load on"))
}
