//! The open transaction of a load: what it may ask and change, and what it leaves when it is given up.

use crate::error::from_message;
use crate::ffi::{Connection, Database};
use crate::memory::Remembered;
use crate::rounding::Types;
use crate::scan::Scan;
use crate::tables::{OpenTable, existing_tables, remove_remains};
use crate::types::DuckDialect;
use longshore_core::destination::Opening;
use longshore_core::error::{Error, Result};
use longshore_sql::{Dialect, create_schema, drop_table};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One connection with one open transaction.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) tables: BTreeMap<String, OpenTable>,
    pub(crate) dialect: DuckDialect,
    /// What the dataset could be asked when the load began.
    pub(crate) remembered: Remembered,
    /// Tables and columns that this load made.
    pub(crate) made: BTreeSet<(String, String)>,
    pub(crate) connection: Option<Connection>,
    pub(crate) scan: Scan,
    pub(crate) opening: Opening,
    pub(crate) path: PathBuf,
    /// The file did not exist before: it goes away again if the load does.
    is_new: bool,
    /// Threads DuckDB has at the moment.
    pub(crate) threads: usize,
    /// Bytes DuckDB may use at the moment.
    pub(crate) memory: u64,
}

/// Row ids of rows that a transaction has added itself begin here until it commits (DuckDB's `MAX_ROW_ID`).
const FIRST_OWN_ROW: u64 = 36_028_797_018_960_000;

impl Transaction {
    pub(crate) fn begin(
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
        Ok(Transaction {
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
}

impl Drop for Transaction {
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
