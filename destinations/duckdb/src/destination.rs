//! The contract, for one database file.

use crate::config::{Config, DEFAULT_MEMORY};
use crate::error::{from_message, is_locked};
use crate::ffi::{Access, Connection, Database, Message};
use crate::lease::Held;
use crate::limits;
use crate::memory::Remembered;
use crate::room::MOST_MEMORY;
use crate::stage::{DuckLoad, Resources};
use crate::tables::{self, table_names};
use crate::types::DuckDialect;
use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_core::capabilities::{Atomicity, Capabilities, Dispositions, Widening};
use longshore_core::destination::{Committed, Destination, Growth, Load, Opening};
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::lease::{LeaseAnswer, LeaseRequest, Leases};
use longshore_core::package::{LoadId, TableCount, Target};
use longshore_duckdb::wants_memory;
use longshore_sql::{Dialect, literal};
use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long another process may hold the file before that is an error.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// Ends a log. Without a change DuckDB sees nothing to do. The schema may be there, if a process died right here.
const END_OF_LOG: &str =
    "CREATE SCHEMA IF NOT EXISTS _longshore_end_of_log; DROP SCHEMA _longshore_end_of_log; FORCE CHECKPOINT";

/// A DuckDB database file.
#[derive(Debug, Clone)]
pub struct DuckDb {
    config: Config,
    capabilities: Capabilities,
    held: Arc<Held>,
}

impl DuckDb {
    /// Returns the destination; the file is opened when it is needed.
    pub fn new(config: Config) -> Self {
        let capabilities = Capabilities {
            atomicity: Atomicity::Package,
            max_identifier_length: 65536,
            // One transaction is one connection.
            concurrency: NonZeroUsize::MIN,
            dispositions: Dispositions::ALL,
            widens: Widening::All,
            remakes: true,
            stages_early: true,
            leases: Leases::Session,
            checks_unique: true,
        };
        DuckDb { config, capabilities, held: Arc::default() }
    }

    /// Opens the file, waiting a little for another process to let go of it.
    async fn open(&self, access: Access) -> Result<Arc<Database>> {
        let deadline = Instant::now() + LOCK_PATIENCE;
        let mut memory = self.memory();
        loop {
            let torn = access == Access::Write && self.has_log();
            match Database::open(&self.config.path, access, &self.settings(access, memory)) {
                // DuckDB takes whole row groups out of a log that ends before its commit, every time it reads it, and
                // would write the next commit behind them. So the log has to go; `stage` removes such rows.
                Ok(database) if torn => match self.end_log(&database, &mut memory) {
                    Ok(()) => return Ok(database),
                    // With too little, DuckDB gives the whole instance up; the log stays.
                    Err(m) if wants_memory(&m) && memory < MOST_MEMORY => memory *= 2,
                    Err(m) => return Err(from_message(&m, &self.config.path)),
                },
                Ok(database) => return Ok(database),
                // Reading the log takes as much as what is in it.
                Err(m) if wants_memory(&m) && self.has_log() && memory < MOST_MEMORY => memory *= 2,
                Err(m) if is_locked(&m) && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(100)).await
                }
                // Nobody holds it, or that would have been the error.
                Err(_) if access == Access::Write && is_unfinished(self.path()) => {
                    std::fs::remove_file(self.path()).map_err(|e| self.not_removed(e))?;
                }
                Err(m) => return Err(from_message(&m, &self.config.path)),
            }
        }
    }

    /// Writes what the log has into the file, with `memory`, which is made no less than a checkpoint of all tables usually
    /// takes.
    fn end_log(&self, database: &Arc<Database>, memory: &mut u64) -> std::result::Result<(), Message> {
        let mut connection = Connection::new(Arc::clone(database))?;
        let columns = connection.number("SELECT coalesce(sum(column_count), 0)::BIGINT FROM duckdb_tables()")?;
        *memory = limits::checkpoint(columns.unsigned_abs(), 0).max(*memory);
        connection
            .execute(&format!("SET memory_limit = '{memory}B'; {END_OF_LOG}; SET memory_limit = '{}B'", self.memory()))
    }

    /// Bytes DuckDB is usually held to.
    fn memory(&self) -> u64 {
        self.config.memory.unwrap_or(DEFAULT_MEMORY)
    }

    fn not_removed(&self, cause: std::io::Error) -> Error {
        Error::destination("what a killed process left of a new database file cannot be removed")
            .with("file", self.path().display())
            .hint("check the rights on its folder, or remove the file")
            .source(cause)
    }

    fn settings(&self, access: Access, memory: u64) -> Vec<(&'static str, String)> {
        // A load gets more when it has work for them.
        let threads = if access == Access::Write { 1 } else { self.threads() };
        vec![
            // What a commit wrote to the log goes into the file when the load is over. Within the commit DuckDB would still hold
            // what was staged, and if its memory did not do, it would fail a commit that did happen.
            ("checkpoint_threshold", "1TB".to_owned()),
            ("threads", threads.to_string()),
            ("memory_limit", format!("{memory}B")),
            // Nothing is fetched behind the user's back.
            ("autoinstall_known_extensions", "false".to_owned()),
            ("autoload_known_extensions", "false".to_owned()),
        ]
    }

    fn threads(&self) -> usize {
        let all = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.config.threads.unwrap_or_else(all).max(1)
    }

    /// True when a log stands beside the file: the last process that wrote it did not end well.
    fn has_log(&self) -> bool {
        let mut log = self.config.path.clone().into_os_string();
        log.push(".wal");
        Path::new(&log).exists()
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.config.path
    }

    /// Opens the file to read. A run that will write opens it for that at once; if it cannot, that is said when it writes.
    async fn open_to_read(&self) -> Result<Arc<Database>> {
        if self.held.has_lease() && !is_unfinished(self.path()) {
            match self.open(Access::Write).await {
                Ok(database) => {
                    self.held.keep(&database);
                    return Ok(database);
                }
                Err(e) if e.kind() == ErrorKind::Busy => return Err(e),
                Err(_) => {}
            }
        }
        self.open(Access::Read).await
    }

    /// Runs `ask` on a read connection, if the file exists.
    async fn read<T>(&self, ask: impl FnOnce(&duckdb::Connection) -> duckdb::Result<T>) -> Result<Option<T>> {
        if !self.config.path.exists() {
            return Ok(None);
        }
        let database = match self.open_to_read().await {
            Err(_) if is_unfinished(self.path()) => return Ok(None),
            opened => opened?,
        };
        let connection = database.reader().map_err(|m| from_message(&m, self.path()))?;
        let answer = ask(&connection).map_err(|e| from_message(&e.to_string(), self.path()));
        drop(connection);
        answer.map(Some)
    }
}

/// Names of DuckDB's own schemas and databases, in which nobody can make tables.
const OF_DUCKDB: [&str; 4] = ["information_schema", "pg_catalog", "system", "temp"];

fn check_dataset(dataset: &str) -> Result<()> {
    if OF_DUCKDB.contains(&dataset) {
        return Err(Error::config(format!("a dataset in DuckDB cannot be called '{dataset}': that is DuckDB's own"))
            .hint("choose another name with --dataset"));
    }
    Ok(())
}

/// DuckDB's three headers, which it writes first; with nothing behind them a database is empty.
const HEADERS: usize = 3 * 4096;

/// True for a file that a process began to make and did not live to finish: it holds nothing yet.
fn is_unfinished(path: &Path) -> bool {
    let is_short = std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() < HEADERS as u64);
    // The word stands behind the checksum of the first header.
    is_short && std::fs::read(path).is_ok_and(|b| b.is_empty() || b.get(8..12) == Some(b"DUCK"))
}

impl fmt::Display for DuckDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = std::path::absolute(&self.config.path).unwrap_or_else(|_| self.config.path.clone());
        write!(f, "duckdb://{}", path.display())
    }
}

#[async_trait]
impl Destination for DuckDb {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn last_committed(&self, target: &Target) -> Result<Option<Committed>> {
        check_dataset(&target.dataset)?;
        let found =
            self.read(|c| Remembered::ask(c, &target.dataset)?.last_committed(c, target)).await?.transpose()?.flatten();
        found
            .map(|stored| {
                stored.committed().map_err(|e| e.with("dataset", &target.dataset).with("file", self.path().display()))
            })
            .transpose()
    }

    async fn is_committed(&self, target: &Target, load_id: &LoadId) -> Result<bool> {
        // A run that died after its commit left it in the log beside the file; opened for writing
        // once, the file holds everything by itself.
        let _replayed = match self.has_log() {
            true => Some(self.open(Access::Write).await?),
            false => None,
        };
        let found = self.read(|c| Remembered::ask(c, &target.dataset)?.has_load(c, target, load_id)).await?;
        Ok(found.transpose()?.unwrap_or(false))
    }

    async fn lease(&self, request: &LeaseRequest<'_>) -> Result<LeaseAnswer> {
        crate::lease::take(self.path(), request, &self.held)
    }

    async fn begin(&self, opening: &Opening) -> Result<Box<dyn Load>> {
        let is_new = !self.config.path.exists();
        let database = self.open(Access::Write).await?;
        self.held.hand_over();
        let memory = self.memory();
        let resources = Resources { threads: self.threads(), memory, waiting_bytes: (memory / 3) as usize };
        Ok(Box::new(DuckLoad::begin(database, self.path(), opening, is_new, resources)?))
    }

    async fn query(&self, dataset: &str, sql: &str) -> Result<Vec<RecordBatch>> {
        let answer = self
            .read(|c| {
                longshore_duckdb::use_utc(c)?;
                if has_schema(c, dataset)? {
                    let schema = DuckDialect::ask(c, dataset)?.schema(dataset);
                    c.execute_batch(&format!("SET schema = {}", literal(&schema)))?;
                }
                longshore_duckdb::rows(c, sql)
            })
            .await
            .map_err(|e| e.with("dataset", dataset))?;
        answer.ok_or_else(|| {
            Error::destination("the database file does not exist")
                .with("file", self.path().display())
                .hint("load something into it first")
        })
    }

    async fn tables(&self, dataset: &str) -> Result<Vec<TableCount>> {
        let found = self.read(|c| tables(c, dataset)).await?;
        Ok(found.unwrap_or_default())
    }

    fn statements(&self, growth: &Growth<'_>) -> Vec<String> {
        // DuckDB names a database by its file, up to the first point.
        let name = self.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let catalog = name.split('.').next().unwrap_or_default();
        longshore_sql::growth(&DuckDialect::of(catalog, growth.dataset), growth)
    }
}

fn has_schema(c: &duckdb::Connection, dataset: &str) -> duckdb::Result<bool> {
    let sql = "SELECT count(*) FROM duckdb_schemas() WHERE database_name = current_database() AND schema_name = ?";
    c.query_row(sql, [dataset], |r| r.get::<_, i64>(0)).map(|n| n > 0)
}

fn tables(c: &duckdb::Connection, dataset: &str) -> duckdb::Result<Vec<TableCount>> {
    let names = table_names(c, dataset)?;
    let dialect = DuckDialect::ask(c, dataset)?;
    let qualified: Vec<String> = names.iter().map(|table| dialect.qualified(dataset, table)).collect();
    let rows = tables::count(c, &qualified)?;
    Ok(names.into_iter().zip(rows).map(|(table, rows)| TableCount { table, rows }).collect())
}
