//! The contract, for one PostgreSQL database.

use crate::answer;
use crate::catalog;
use crate::config::Config;
use crate::session::{Engine, Session};
use crate::stage::PostgresLoad;
use crate::staging::MAX_NAME;
use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_core::capabilities::{Atomicity, Capabilities, Dispositions, Widening};
use longshore_core::destination::{Committed, Destination, Growth, Load, Opening};
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::lease::{LeaseAnswer, LeaseRequest, Leases};
use longshore_core::package::{LoadId, TableCount, Target};
use longshore_core::schema::Schema;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Columns of a table, those of the loader included (`MaxHeapAttributeNumber`).
const MOST_COLUMNS: usize = 1600;

/// A PostgreSQL database.
#[derive(Debug, Clone)]
pub struct Postgres {
    engine: Arc<Engine>,
    capabilities: Capabilities,
}

impl Postgres {
    /// Returns the destination; connects when it is needed.
    ///
    /// # Errors
    /// When a certificate cannot be read.
    pub fn new(config: Config) -> Result<Self> {
        let capabilities = Capabilities {
            atomicity: Atomicity::Package,
            max_identifier_length: MAX_NAME,
            concurrency: NonZeroUsize::new(config.connections).unwrap_or(NonZeroUsize::MIN),
            dispositions: Dispositions::ALL,
            widens: Widening::All,
            remakes: true,
            stages_early: true,
            leases: Leases::Session,
            checks_unique: true,
        };
        Ok(Postgres { engine: Arc::new(Engine::new(config)?), capabilities })
    }

    /// Opens a connection that can change nothing.
    async fn reader(&self) -> Result<Session> {
        let session = self.engine.connect().await?;
        session.batch("SET default_transaction_read_only = on").await?;
        Ok(session)
    }
}

impl fmt::Display for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.engine.config.url())
    }
}

#[async_trait]
impl Destination for Postgres {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn check(&self, schema: &Schema) -> Result<()> {
        match schema.tables.iter().find(|t| t.columns.len() > MOST_COLUMNS) {
            None => Ok(()),
            Some(table) => {
                let columns = table.columns.len();
                Err(Error::config(format!("a table of PostgreSQL has at most {MOST_COLUMNS} columns, and not {columns}"))
                    .with("table", &table.name)
                    .hint("nothing was loaded; keep deep objects as JSON (--max-nesting or --json-columns), or leave paths out (--ignore)"))
            }
        }
    }

    async fn last_committed(&self, target: &Target) -> Result<Option<Committed>> {
        let reader = self.reader().await?;
        let found = catalog::last_committed(&reader, target).await;
        if found.as_ref().is_err_and(|e| e.kind() == ErrorKind::Destination) {
            crate::rights::check_reading(&reader, &target.dataset).await?;
        }
        found.map_err(|e| match e.kind() {
            ErrorKind::Destination if e.hint_text().is_none() => e
                .with("dataset", &target.dataset)
                .hint("it was written by a newer version, or by something else: load into another dataset"),
            _ => e,
        })
    }

    async fn is_committed(&self, target: &Target, load_id: &LoadId) -> Result<bool> {
        catalog::has_load(&self.reader().await?, target, load_id).await
    }

    async fn lease(&self, request: &LeaseRequest<'_>) -> Result<LeaseAnswer> {
        crate::lease::take(&self.engine, request).await
    }

    async fn begin(&self, opening: &Opening) -> Result<Box<dyn Load>> {
        Ok(Box::new(PostgresLoad::begin(&self.engine, opening).await?))
    }

    async fn query(&self, dataset: &str, sql: &str) -> Result<Vec<RecordBatch>> {
        answer::query(&self.reader().await?, dataset, sql).await.map_err(|e| e.with("dataset", dataset))
    }

    async fn tables(&self, dataset: &str) -> Result<Vec<TableCount>> {
        catalog::counts(&self.reader().await?, dataset).await
    }

    fn statements(&self, growth: &Growth<'_>) -> Vec<String> {
        longshore_sql::growth(&crate::types::PostgresDialect, growth)
    }
}
