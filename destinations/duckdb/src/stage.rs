//! Staging: rows go straight into the tables, inside the load's open transaction, where nobody else
//! sees them.
//!
//! Parts only queue up; a thread of the load inserts them, so that normalising goes on beside it.

use crate::error::from_message;
use crate::ffi::{Connection, Database};
use crate::limits;
use crate::memory::Remembered;
use crate::queue::{Queue, Run};
use crate::rounding::{self, Types};
use crate::scan::{Feed, Scan};
use crate::tables::{OpenTable, existing_tables, remove_remains};
use crate::types::DuckDialect;
use async_trait::async_trait;
use longshore_core::destination::{CommitOutcome, Load, Opening, Staged};
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::normalize::cast_batch;
use longshore_core::package::{LoadId, Manifest, Part};
use longshore_core::schema::{Column, ColumnType, SystemColumns, Table};
use longshore_sql::{
    Dialect, add_column, create_schema, create_table, drop_table, identifier, inexact_values, widen_column,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
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
    inserter: Option<JoinHandle<Result<Inner>>>,
}

/// One connection with one open transaction.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) tables: BTreeMap<String, OpenTable>,
    pub(crate) dialect: DuckDialect,
    /// What the dataset could be asked when the load began.
    pub(crate) remembered: Remembered,
    /// Tables and columns that this load made.
    made: BTreeSet<(String, String)>,
    pub(crate) connection: Option<Connection>,
    scan: Scan,
    pub(crate) opening: Opening,
    pub(crate) path: PathBuf,
    /// The file did not exist before: it goes away again if the load does.
    is_new: bool,
    /// Threads DuckDB has at the moment.
    threads: usize,
    /// Bytes DuckDB may use at the moment.
    pub(crate) memory: u64,
}

/// Row ids of rows that a transaction has added itself begin here until it commits (DuckDB's `MAX_ROW_ID`).
const FIRST_OWN_ROW: u64 = 36_028_797_018_960_000;

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
        let inner = Inner::begin(database, path, opening, is_new, resources.memory, &mut types)?;
        rounding::check_known(&types, opening)?;
        let queue = Queue::new(resources.waiting_bytes, resources.threads);
        let work = Arc::clone(&queue);
        let inserter = thread::Builder::new().name("insert".into()).spawn(move || insert_all(inner, &work));
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
    fn outcome(&mut self) -> Result<Inner> {
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
        let mut inner = self.lock().outcome()?;
        crate::commit::commit(&mut inner, manifest, staged, self.threads)
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
fn insert_all(mut inner: Inner, queue: &Queue) -> Result<Inner> {
    let _stop = StopAtEnd(queue);
    while let Some(run) = queue.next() {
        inner.insert(run)?;
    }
    Ok(inner)
}

/// Whatever ends the thread: nobody waits for room in its queue any longer.
struct StopAtEnd<'a>(&'a Queue);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Inner {
    fn begin(
        database: Arc<Database>,
        path: &Path,
        opening: &Opening,
        is_new: bool,
        memory: u64,
        types: &mut Types,
    ) -> Result<Self> {
        let failed = |m: String| from_message(&m, path);
        let dataset = &opening.target.dataset;
        let reader = database.reader().map_err(failed)?;
        let dialect = DuckDialect::ask(&reader, dataset).map_err(|e| failed(e.to_string()))?;
        let mut tables = match is_new {
            true => BTreeMap::new(),
            false => existing_tables(&reader, &dialect, dataset, types).map_err(|e| failed(e.to_string()))?,
        };
        drop(reader);
        let remembered = Remembered::of(dialect.clone(), tables.keys().map(String::as_str));
        let mut connection = Connection::new(database).map_err(failed)?;
        let scan = Scan::register(&mut connection).map_err(failed)?;
        connection.execute("SET threads = 1").map_err(failed)?;
        connection.execute("BEGIN").map_err(failed)?;
        connection.execute(&create_schema(&dialect, dataset)).map_err(failed)?;
        remove_remains(&mut connection, &dialect, &mut tables, opening).map_err(failed)?;
        // Their rows are seen by others until the commit.
        for table in opening.drops.iter().filter(|t| tables.remove(t.as_str()).is_some()) {
            connection.execute(&drop_table(&dialect, dataset, table)).map_err(failed)?;
        }
        Ok(Inner {
            tables,
            dialect,
            remembered,
            made: BTreeSet::new(),
            connection: Some(connection),
            scan,
            opening: opening.clone(),
            path: path.to_path_buf(),
            is_new,
            threads: 1,
            memory,
        })
    }

    /// Runs a statement in the load's transaction.
    pub(crate) fn execute(&mut self, sql: &str) -> Result<()> {
        let connection = self.connection.as_mut().ok_or_else(|| Error::internal("the load is over"))?;
        connection.execute(sql).map_err(|m| from_message(&m, &self.path))
    }

    /// True as long as nothing was ever committed to the file.
    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Forgets that the file was made by this load: it holds a commit now.
    pub(crate) fn keep_file(&mut self) {
        self.is_new = false;
    }

    /// Makes the table, or the columns it lacks.
    pub(crate) fn ensure_table(&mut self, table: &Table) -> Result<()> {
        let dataset = self.opening.target.dataset.clone();
        let Some(open) = self.tables.get_mut(&table.name) else {
            self.execute(&create_table(&self.dialect, &dataset, table))?;
            self.made.extend(table.columns.iter().map(|c| (table.name.clone(), c.name.clone())));
            let columns = table.columns.iter().map(|c| (c.name.clone(), Some(c.column_type()))).collect();
            self.tables.insert(table.name.clone(), OpenTable::new(columns, 0));
            return Ok(());
        };
        let missing: Vec<Column> = table.columns.iter().filter(|c| !open.has_column(&c.name)).cloned().collect();
        open.columns.extend(missing.iter().map(|c| (c.name.clone(), Some(c.column_type()))));
        for column in &missing {
            self.execute(&add_column(&self.dialect, &dataset, &table.name, column))?;
            self.made.insert((table.name.clone(), column.name.clone()));
        }
        self.widen_columns(table)
    }

    /// True when this load made that column.
    pub(crate) fn has_made(&self, table: &str, column: &str) -> bool {
        self.made.contains(&(table.to_owned(), column.to_owned()))
    }

    /// Makes columns wider that hold less than the table's now, rows that are there included.
    fn widen_columns(&mut self, table: &Table) -> Result<()> {
        for column in &table.columns {
            let Some(from) = self.known_type(&table.name, &column.name).filter(|t| column.outgrows(*t)) else {
                continue;
            };
            let dataset = self.opening.target.dataset.clone();
            if let Some(query) = inexact_values(&self.dialect, &dataset, &table.name, column, from)
                && self.number(&query)? > 0
            {
                return Err(Error::new(
                    ErrorKind::Data,
                    "the column cannot become double: it has whole numbers beyond 2^53",
                )
                .with("table", &table.name)
                .with("field", &column.name)
                .hint("another pipeline wrote them: load into another table or dataset"));
            }
            self.execute(&widen_column(&self.dialect, &dataset, &table.name, column, from))?;
            let open = self.tables.get_mut(&table.name).into_iter().flat_map(|t| &mut t.columns);
            open.filter(|(name, _)| name.eq_ignore_ascii_case(&column.name))
                .for_each(|c| c.1 = Some(column.column_type()));
        }
        Ok(())
    }

    /// The type that a column of the dataset has now.
    fn known_type(&self, table: &str, column: &str) -> Option<ColumnType> {
        let columns = &self.tables.get(table)?.columns;
        columns.iter().find(|(name, _)| name.eq_ignore_ascii_case(column)).and_then(|(_, t)| *t)
    }

    /// Takes out the rows a table had before this load; to be called once all of its own are in and columns are what they
    /// should be: DuckDB commits no table that was changed after rows were taken out of it.
    pub(crate) fn empty(&mut self, table: &str) -> Result<()> {
        let Some(open) = self.tables.get_mut(table).filter(|t| !t.emptied) else { return Ok(()) };
        (open.emptied, open.before) = (true, 0);
        let table = self.dialect.qualified(&self.opening.target.dataset, table);
        self.execute(&format!("DELETE FROM {table} WHERE rowid < {FIRST_OWN_ROW}"))
    }

    /// Asks for a count in the load's transaction.
    pub(crate) fn number(&mut self, sql: &str) -> Result<u64> {
        Ok(self.numbers(sql)?.first().copied().unwrap_or(0))
    }

    /// Asks for counts in the load's transaction.
    pub(crate) fn numbers(&mut self, sql: &str) -> Result<Vec<u64>> {
        let connection = self.connection.as_mut().ok_or_else(|| Error::internal("the load is over"))?;
        let numbers = connection.numbers(sql).map_err(|m| from_message(&m, &self.path))?;
        Ok(numbers.into_iter().map(i64::unsigned_abs).collect()) // counts are not negative
    }

    /// Returns a connection that sees what was committed.
    pub(crate) fn reader(&self) -> Result<duckdb::Connection> {
        let Some(connection) = &self.connection else { return Err(Error::internal("the load is over")) };
        connection.database().reader().map_err(|m| from_message(&m, &self.path))
    }

    /// Returns true when the table has that column already.
    pub(crate) fn has_column(&self, table: &str, column: &str) -> bool {
        self.tables.get(table).is_some_and(|t| t.has_column(column))
    }

    /// Inserts a run into its table.
    fn insert(&mut self, run: Run) -> Result<()> {
        let Some(name) = run.units.iter().flatten().next().map(|w| w.table.name.clone()) else { return Ok(()) };
        self.insert_into(&name, run).map_err(|e| e.with("table", &name))
    }

    fn insert_into(&mut self, name: &str, mut run: Run) -> Result<()> {
        let mut columns: Vec<(String, ColumnType)> = Vec::new();
        let mut known: Option<Arc<Table>> = None;
        let mut ordered = false;
        for waiting in run.units.iter().flatten().filter(|w| w.rows.num_rows() > 0) {
            if known.as_ref().is_none_or(|known| known.columns != waiting.table.columns) {
                known = Some(Arc::clone(&waiting.table));
                self.ensure_table(&waiting.table)?;
                add_columns(&mut columns, &waiting.table);
            }
            // Rows to be merged stay in their order where nothing in them tells it.
            ordered |= waiting.table.write.merges() && self.opening.system_columns == SystemColumns::Dlt;
        }
        // Batches from before a column became wider go as it is now.
        for (column, column_type) in &mut columns {
            let now = self.known_type(name, column).filter(|now| column_type.widens_to(*now));
            *column_type = now.unwrap_or(*column_type);
        }
        cast_all(&mut run, name, &columns)?;
        if let Some(table) = self.tables.get_mut(name) {
            run.units.iter().flatten().for_each(|w| table.vectors.pass(&w.rows));
        }
        let all = self.tables.get(name).map_or(columns.len(), |t| t.columns.len());
        let others = self.tables.iter().filter(|(other, t)| *other != name && t.vectors.largest() > 0);
        let others = others.map(|(_, t)| t.columns.len()).sum();
        self.allow(limits::appending(all, run.units.len(), others))?;
        self.use_threads(if ordered { 1 } else { run.units.len() })?;
        let names: Vec<String> = columns.iter().map(|(name, _)| identifier(name)).collect();
        let table = self.dialect.qualified(&self.opening.target.dataset, name);
        let sql = format!("INSERT INTO {table} ({}) SELECT * FROM {}()", names.join(", "), self.scan.name());
        self.scan.feed(Feed { columns, units: run.units, load_id: self.opening.load_id.as_str().to_owned() });
        let inserted = self.execute(&sql);
        self.scan.clear();
        inserted
    }

    /// Gives DuckDB threads; more than one only for as long as there is work for each, because the one
    /// that waits for the others does so busily, while the normalisers could use its processor.
    /// On several threads, row groups go in in any order.
    pub(crate) fn use_threads(&mut self, threads: usize) -> Result<()> {
        if self.threads != threads {
            self.execute(&format!("SET threads = {threads}; SET preserve_insertion_order = {}", threads == 1))?;
            self.threads = threads;
        }
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.connection = None; // rolls back, and closes the database if nobody else has it
        if self.is_new {
            // Best effort: an empty database file is harmless.
            let _ = std::fs::remove_file(&self.path);
            let mut wal = self.path.clone().into_os_string();
            wal.push(".wal");
            let _ = std::fs::remove_file(wal);
        }
    }
}

/// Gives the batches of a run the types of the columns they go to.
fn cast_all(run: &mut Run, name: &str, columns: &[(String, ColumnType)]) -> Result<()> {
    let mut table = Table::new(name, None);
    table.columns = columns.iter().map(|(name, column_type)| Column::of_type(name, *column_type)).collect();
    for waiting in run.units.iter_mut().flatten() {
        waiting.rows = cast_batch(&waiting.rows, &table)?;
    }
    Ok(())
}

/// Adds the columns of a part's table that are not there yet.
fn add_columns(columns: &mut Vec<(String, ColumnType)>, table: &Table) {
    for column in &table.columns {
        if !columns.iter().any(|(name, _)| name.eq_ignore_ascii_case(&column.name)) {
            columns.push((column.name.clone(), column.column_type()));
        }
    }
}
