//! DuckDB in memory, over files: for queries, and for merging.

use arrow_array::RecordBatch;
use longshore_core::error::{Error, Result};
use longshore_sql::literal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// A DuckDB of its own, which keeps nothing.
pub(crate) struct Engine {
    connection: duckdb::Connection,
}

impl Engine {
    pub(crate) fn open() -> Result<Self> {
        let open = || {
            // Nothing is fetched behind the user's back; the same answer on every machine.
            let config = duckdb::Config::default()
                .with("autoinstall_known_extensions", "false")?
                .with("autoload_known_extensions", "false")?;
            let connection = duckdb::Connection::open_in_memory_with_flags(config)?;
            connection.execute_batch("SET TimeZone = 'UTC'")?;
            Ok(connection)
        };
        open().map(|connection| Engine { connection }).map_err(refused)
    }

    /// Returns one that stays within that memory: what is more goes to files in `folder`.
    pub(crate) fn within(memory: u64, threads: usize, folder: &Path) -> Result<Self> {
        let engine = Self::open()?;
        engine.execute(&format!(
            "SET memory_limit = '{}KiB'; SET threads = {threads}; SET temp_directory = {}",
            memory >> 10,
            literal(&folder.display().to_string())
        ))?;
        Ok(engine)
    }

    pub(crate) fn execute(&self, sql: &str) -> Result<()> {
        self.connection.execute_batch(sql).map_err(refused)
    }

    /// Returns a query's rows.
    pub(crate) fn query(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        let mut statement = self.connection.prepare(sql).map_err(refused)?;
        let rows = statement.query_arrow([]).map_err(refused)?;
        let empty = RecordBatch::new_empty(rows.get_schema());
        let mut batches: Vec<RecordBatch> = rows.collect();
        if batches.is_empty() {
            batches.push(empty);
        }
        Ok(batches)
    }

    /// Returns the number that a query gives.
    pub(crate) fn number(&self, sql: &str) -> Result<u64> {
        self.connection.query_row(sql, [], |row| row.get(0)).map_err(refused)
    }

    /// Returns the first column of a query's rows.
    pub(crate) fn list<T: duckdb::types::FromSql>(&self, sql: &str) -> Result<Vec<T>> {
        let mut statement = self.connection.prepare(sql).map_err(refused)?;
        let rows = statement.query_map([], |row| row.get(0)).map_err(refused)?;
        rows.collect::<duckdb::Result<_>>().map_err(refused)
    }

    /// Hands on a query's rows a batch at a time: they are never in memory together.
    pub(crate) fn stream(&self, sql: &str, mut take: impl FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        let mut statement = self.connection.prepare(sql).map_err(refused)?;
        let mut rows = statement.stream_arrow([]).map_err(refused)?;
        loop {
            // The iterator panics where a later batch cannot be made: a full disk, a damaged file.
            match catch_unwind(AssertUnwindSafe(|| rows.next())) {
                Ok(Some(batch)) => take(batch)?,
                Ok(None) => return Ok(()),
                Err(panic) => {
                    let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                    return Err(Error::destination("DuckDB cannot read the files to the end").source(text));
                }
            }
        }
    }
}

fn refused(e: duckdb::Error) -> Error {
    Error::destination("DuckDB refused the query").source(e.to_string())
}
