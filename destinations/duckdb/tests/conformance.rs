//! DuckDB passes the conformance suite, against real database files.

use longshore_core::Result;
use longshore_core::destination::Destination;
use longshore_destination_duckdb::{Config, DuckDb};
use longshore_testkit::conformance;
use longshore_testkit::harness::{Harness, Site};
use longshore_testkit::rows::Rows;
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Debug)]
struct Databases;

struct Database(tempfile::TempDir);

#[async_trait::async_trait]
impl Harness for Databases {
    async fn site(&self) -> Result<Arc<dyn Site>> {
        // A machine without temporary folders cannot run tests.
        #[allow(clippy::expect_used)]
        Ok(Arc::new(Database(tempfile::tempdir().expect("a temporary folder"))))
    }
}

#[async_trait::async_trait]
impl Site for Database {
    async fn open(&self) -> Result<Arc<dyn Destination>> {
        Ok(Arc::new(DuckDb::new(Config::new(self.0.path().join("test.duckdb")))))
    }

    /// On another connection: while a load is open, the file is locked for other processes. The
    /// end-to-end tests read with DuckDB's Python client.
    async fn read(&self, dataset: &str, table: &str) -> Result<Option<Rows>> {
        let destination = self.open().await?;
        if !destination.tables(dataset).await?.iter().any(|t| t.table == table) {
            return Ok(None);
        }
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let batches =
            destination.query(dataset, &format!("SELECT * FROM {}.{}", quoted(dataset), quoted(table))).await?;
        Rows::from_batches(&batches).map(Some)
    }
}

fn main() -> ExitCode {
    conformance::main(Arc::new(Databases))
}
