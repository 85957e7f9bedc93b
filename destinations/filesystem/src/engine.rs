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
            // Nothing is fetched behind the user's back.
            let config = duckdb::Config::default()
                .with("autoinstall_known_extensions", "false")?
                .with("autoload_known_extensions", "false")?;
            let connection = duckdb::Connection::open_in_memory_with_flags(config)?;
            longshore_duckdb::use_utc(&connection)?;
            Ok(connection)
        };
        open().map(|connection| Engine { connection }).map_err(refused)
    }

    /// Returns one that stays within that memory: what is more goes to files in `folder`. `a_thread` is what each thread
    /// cannot do without: there are as many as half of the memory is for, and for one there is enough in any case.
    pub(crate) fn within(memory: u64, threads: usize, a_thread: u64, folder: &Path) -> Result<Self> {
        let engine = Self::open()?;
        let (memory, threads) = shares(memory, threads, a_thread);
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

    /// Returns the rows of a query of the user's.
    pub(crate) fn query(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        longshore_duckdb::rows(&self.connection, sql).map_err(refused)
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

fn shares(memory: u64, threads: usize, a_thread: u64) -> (u64, usize) {
    let memory = memory.max(2 * a_thread);
    let fit = usize::try_from(memory / 2 / a_thread.max(1)).unwrap_or(usize::MAX);
    (memory, threads.min(fit).max(1))
}

fn refused(e: duckdb::Error) -> Error {
    let text = e.to_string();
    if longshore_duckdb::wants_memory(&text) {
        return Error::destination("DuckDB needs more memory for the files than it may have")
            .hint("let it have more with --memory (half of it is DuckDB's), or fewer --threads, which need less")
            .source(text);
    }
    Error::destination("DuckDB refused the query").source(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_more_threads_than_there_is_memory_for() {
        let mib = 1 << 20;
        assert_eq!(shares(64 * mib, 4, 0), (64 * mib, 4));
        assert_eq!(shares(64 * mib, 4, 6 * mib), (64 * mib, 4));
        // JSON, in the least memory there is.
        assert_eq!(shares(64 * mib, 4, 32 * mib), (64 * mib, 1));
        assert_eq!(shares(64 * mib, 4, 100 * mib), (200 * mib, 1));
    }

    #[test]
    fn want_of_memory_says_what_helps() {
        let folder = std::env::temp_dir();
        let engine = Engine::within(1 << 20, 1, 0, &folder).unwrap();
        let error = engine.execute("SET temp_directory = ''; CREATE TABLE t AS SELECT range AS i FROM range(9000000)");
        let error = error.unwrap_err();
        assert!(error.hint_text().unwrap_or_default().contains("--memory"), "{error} {:?}", error.hint_text());
    }
}
