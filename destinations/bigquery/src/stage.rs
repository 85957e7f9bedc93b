//! Staging: parts become Parquet files, which are uploaded while they are written, each into a staging table.

use crate::api::Api;
use crate::file::FileWriter;
use crate::names::{check_dataset, check_names};
use crate::staging::{Staging, load_file};
use crate::tables::{Role, ensure_dataset};
use crate::types::STAGED_ROW;
use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_core::destination::{CommitOutcome, Load, Opening, Staged};
use longshore_core::error::{Error, Result};
use longshore_core::package::{Manifest, Part};
use longshore_core::schema::{Column, DataType, SystemColumns, Table};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

/// A table's file is begun when its rows hold this much memory: by then most of its columns are known.
const BEGIN_BYTES: usize = 4 << 20;
/// What rows that are in no file yet may hold together.
const WAITING_BYTES: usize = 48 << 20;
/// A file ends at this size. BigQuery's own limit is 15 TB a job; smaller ones are read side by side.
const FILE_BYTES: u64 = 1 << 30;
/// How long a dropped load's destructor may clean up.
const CLEANING: Duration = Duration::from_secs(10);

/// A load under way.
#[derive(Debug)]
pub(crate) struct BigQueryLoad {
    api: Arc<Api>,
    /// `None` once it is committed or given up.
    inner: Mutex<Option<Inner>>,
}

/// The load's state.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) place: Place,
    tables: BTreeMap<String, StagedTable>,
    receipts: BTreeMap<u64, Staged>,
}

/// Where a load goes, and on what way.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) api: Arc<Api>,
    pub(crate) opening: Opening,
    pub(crate) staging: Staging,
}

/// What has come of one table.
#[derive(Debug, Default)]
struct StagedTable {
    columns: Vec<Column>,
    rows: u64,
    /// Rows are numbered: they are to be merged, and their ids do not tell which came first.
    is_ordered: bool,
    waiting: Vec<(Arc<Table>, RecordBatch)>,
    waiting_bytes: usize,
    open: Option<Open>,
    files: Vec<Uploading>,
}

struct Open {
    writer: FileWriter,
    uploading: Uploading,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("uploading", &self.uploading).finish_non_exhaustive()
    }
}

/// A file on its way.
#[derive(Debug)]
struct Uploading {
    columns: Vec<Column>,
    task: JoinHandle<Result<String>>,
}

/// A table's staged rows, all arrived.
#[derive(Debug)]
pub(crate) struct StagedRows {
    pub(crate) table: String,
    pub(crate) rows: u64,
    /// The staging tables number the rows.
    pub(crate) is_ordered: bool,
    /// Staging tables, and the columns each has.
    pub(crate) files: Vec<(String, Vec<Column>)>,
}

impl BigQueryLoad {
    pub(crate) async fn begin(api: &Arc<Api>, opening: &Opening) -> Result<Self> {
        let (dataset, config) = (&opening.target.dataset, &api.config);
        check_dataset(dataset)?;
        let staging_dataset = config.staging_dataset(dataset);
        check_dataset(&staging_dataset)?;
        let location = ensure_dataset(api, dataset, config.location.as_deref(), Role::Target).await?;
        // dlt's own staging tables may stand there too, and are to stay. Ours say themselves when they go.
        let is_ours = opening.system_columns == SystemColumns::Native;
        let lifetime = is_ours.then_some(config.staging_lifetime.as_millis());
        ensure_dataset(api, &staging_dataset, Some(&location), Role::Staging(lifetime)).await?;
        let staging = Staging::new(staging_dataset, location, opening);
        let (tables, receipts) = Default::default();
        let place = Place { api: Arc::clone(api), opening: opening.clone(), staging };
        let inner = Inner { place, tables, receipts };
        Ok(BigQueryLoad { api: Arc::clone(api), inner: Mutex::new(Some(inner)) })
    }
}

fn over() -> Error {
    Error::internal("the load is over")
}

#[async_trait]
impl Load for BigQueryLoad {
    async fn stage(&self, part: &Part) -> Result<Staged> {
        let mut inner = self.inner.lock().await;
        let inner = inner.as_mut().ok_or_else(over)?;
        inner.stage(part).await.map_err(|e| e.with("table", &part.table.name))
    }

    async fn commit(self: Box<Self>, manifest: &Manifest, staged: &[Staged]) -> Result<CommitOutcome> {
        let mut inner = self.inner.lock().await.take().ok_or_else(over)?;
        for receipt in staged {
            if !inner.tables.contains_key(&receipt.table) {
                return Err(
                    Error::internal("a receipt names a table that was not staged").with("table", &receipt.table)
                );
            }
        }
        let manifest = manifest.clone();
        let work = async move {
            let outcome = crate::commit::commit(&mut inner, &manifest).await;
            match &outcome {
                // The commit may still happen, and the next try finds what is staged.
                Err(e) if e.is_retryable() => inner.end(),
                _ => inner.close().await,
            }
            outcome
        };
        self.api.run(work).await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        match self.inner.lock().await.take() {
            Some(inner) => {
                let closing = async move {
                    inner.close().await;
                    Ok(())
                };
                self.api.run(closing).await
            }
            None => Ok(()),
        }
    }
}

impl Drop for BigQueryLoad {
    /// Cleans up on the requests' threads, and waits a little for it: what stays expires.
    fn drop(&mut self) {
        let Some(inner) = self.inner.get_mut().take() else { return };
        let (done, is_done) = std::sync::mpsc::channel();
        let cleaning = async move {
            inner.close().await;
            let _ = done.send(()); // nobody may be waiting any more
        };
        if self.api.spawn(cleaning).is_ok() {
            let _ = is_done.recv_timeout(CLEANING);
        }
    }
}

impl Inner {
    async fn stage(&mut self, part: &Part) -> Result<Staged> {
        if let Some(receipt) = self.receipts.get(&part.number) {
            return Ok(receipt.clone());
        }
        self.learn_columns(&part.table).await?;
        let mut rows = 0;
        for batch in part.batches()? {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            if batch.num_rows() > 0 {
                self.append(&part.table, batch).await?;
            }
        }
        let receipt = Staged { part: part.number, table: part.table.name.clone(), rows };
        self.receipts.insert(part.number, receipt.clone());
        Ok(receipt)
    }

    /// A table that has more columns than its file goes on in another file.
    async fn learn_columns(&mut self, table: &Table) -> Result<()> {
        let longest = self.place.api.config.max_identifier_length;
        let staged = self.tables.entry(table.name.clone()).or_default();
        // A part has the first columns of its table; some may be wider now than in an earlier part, or narrower still.
        let is_wider = |(known, new): (&Column, &Column)| known.column_type().widens_to(new.column_type());
        let widens = staged.columns.iter().zip(&table.columns).any(is_wider);
        if table.columns.len() <= staged.columns.len() && !widens {
            return Ok(());
        }
        check_names(table, longest)?;
        for (i, new) in table.columns.iter().enumerate() {
            match staged.columns.get_mut(i) {
                Some(known) if !is_wider((known, new)) => {}
                Some(known) => known.clone_from(new),
                None => staged.columns.push(new.clone()),
            }
        }
        staged.is_ordered = self.place.opening.system_columns == SystemColumns::Dlt && table.write.merges();
        if staged.open.as_ref().is_some_and(|o| !o.writer.fits(&staged.columns)) {
            staged.end_file().await?;
        }
        Ok(())
    }

    async fn append(&mut self, table: &Arc<Table>, batch: RecordBatch) -> Result<()> {
        let staged = self.tables.get_mut(&table.name).ok_or_else(over)?;
        if let Some(open) = &mut staged.open {
            staged.rows += batch.num_rows() as u64;
            let written = open.writer.write(table, &batch).await;
            let is_full = open.writer.written >= FILE_BYTES;
            if written.is_err() || is_full {
                staged.end_file().await?; // its own error says more
                written?;
            }
        } else {
            staged.waiting_bytes += batch.get_array_memory_size();
            staged.waiting.push((Arc::clone(table), batch));
            if staged.waiting_bytes >= BEGIN_BYTES {
                self.begin_file(&table.name).await?;
            }
        }
        self.relieve().await
    }

    /// Begins a table's file with what waits for it.
    async fn begin_file(&mut self, name: &str) -> Result<()> {
        let staged = self.tables.get_mut(name).ok_or_else(over)?;
        let base = self.place.staging.file_name(name, staged.rows, &staged.columns);
        let (send, receive) = mpsc::channel(1);
        let columns = staged.columns.clone();
        let mut in_file = columns.clone();
        in_file.extend(staged.is_ordered.then(|| Column::data(STAGED_ROW, DataType::Bigint)));
        let work = load_file(Arc::clone(&self.place.api), self.place.staging.clone(), base, in_file, receive);
        let first_row = staged.is_ordered.then_some(staged.rows);
        let writer = FileWriter::new(&columns, &self.place.opening.load_id, first_row, send)?;
        let uploading = Uploading { columns, task: self.place.api.spawn(work)? };
        let open = staged.open.insert(Open { writer, uploading });
        staged.waiting_bytes = 0;
        for (table, batch) in std::mem::take(&mut staged.waiting) {
            staged.rows += batch.num_rows() as u64;
            if let Err(e) = open.writer.write(&table, &batch).await {
                staged.end_file().await?;
                return Err(e);
            }
        }
        Ok(())
    }

    /// When all rows that are in no file yet hold too much, the largest lot goes.
    async fn relieve(&mut self) -> Result<()> {
        let held = |t: &StagedTable| t.waiting_bytes + t.open.as_ref().map_or(0, |o| o.writer.memory());
        if self.tables.values().map(held).sum::<usize>() < WAITING_BYTES {
            return Ok(());
        }
        let largest = self.tables.iter().max_by_key(|(_, t)| held(t)).map(|(name, _)| name.clone());
        let Some(name) = largest else { return Ok(()) };
        if self.tables.get(&name).is_some_and(|t| t.open.is_none()) {
            self.begin_file(&name).await?;
        }
        match self.tables.get_mut(&name).and_then(|t| t.open.as_mut()) {
            Some(open) => open.writer.flush().await,
            None => Ok(()),
        }
    }

    /// Ends all files and waits until every row has arrived.
    pub(crate) async fn finish_staging(&mut self) -> Result<Vec<StagedRows>> {
        let names: Vec<String> = self.tables.keys().cloned().collect();
        for name in &names {
            let is_waiting = self.tables.get(name).is_some_and(|t| !t.waiting.is_empty());
            if is_waiting {
                self.begin_file(name).await.map_err(|e| e.with("table", name))?;
            }
            if let Some(staged) = self.tables.get_mut(name) {
                staged.end_file().await.map_err(|e| e.with("table", name))?;
            }
        }
        let mut all = Vec::new();
        for (table, staged) in &mut self.tables {
            let mut files = Vec::new();
            for uploading in &mut staged.files {
                let name = join(&mut uploading.task).await.map_err(|e| e.with("table", table))?;
                files.push((name, uploading.columns.clone()));
            }
            all.push(StagedRows { table: table.clone(), rows: staged.rows, is_ordered: staged.is_ordered, files });
        }
        Ok(all)
    }

    /// Stops what is on its way.
    fn end(&self) {
        for table in self.tables.values() {
            let open = table.open.iter().map(|o| &o.uploading);
            table.files.iter().chain(open).for_each(|u| u.task.abort());
        }
    }

    /// Ends the load and removes what was staged.
    async fn close(self) {
        self.end();
        self.place.staging.remove(&self.place.api).await;
    }
}

impl StagedTable {
    /// Ends the file; an upload that failed says why.
    async fn end_file(&mut self) -> Result<()> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        if let Err(e) = open.writer.finish().await {
            join(&mut open.uploading.task).await?;
            return Err(e);
        }
        self.files.push(open.uploading);
        Ok(())
    }
}

async fn join(task: &mut JoinHandle<Result<String>>) -> Result<String> {
    task.await.unwrap_or_else(|e| Err(Error::internal("an upload's task ended early").source(e)))
}
