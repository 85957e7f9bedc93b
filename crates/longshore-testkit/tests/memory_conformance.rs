//! The reference destination passes the suite.

use longshore_core::Result;
use longshore_core::destination::Destination;
use longshore_core::memory::MemoryDestination;
use longshore_core::package::Target;
use longshore_testkit::conformance;
use longshore_testkit::harness::{Harness, Site};
use longshore_testkit::rows::Rows;
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Debug)]
struct Memory;

struct Datasets(MemoryDestination);

#[async_trait::async_trait]
impl Harness for Memory {
    async fn site(&self) -> Result<Arc<dyn Site>> {
        Ok(Arc::new(Datasets(MemoryDestination::new())))
    }
}

#[async_trait::async_trait]
impl Site for Datasets {
    async fn open(&self) -> Result<Arc<dyn Destination>> {
        Ok(Arc::new(self.0.clone()))
    }

    async fn read(&self, dataset: &str, table: &str) -> Result<Option<Rows>> {
        let Ok(batches) = self.0.query(dataset, &format!("SELECT * FROM {table}")).await else { return Ok(None) };
        let mut rows = Rows::from_batches(&batches)?;
        if batches.is_empty() {
            // A table without rows has no batch that names its columns; the schema does.
            let target = Target { pipeline: conformance::PIPELINE.to_owned(), dataset: dataset.to_owned() };
            let schema = self.0.last_committed(&target).await?.map(|c| c.schema);
            let table = schema.and_then(|s| s.table(table).cloned());
            rows.columns = table.into_iter().flat_map(|t| t.columns).map(|c| c.name).collect();
        }
        Ok(Some(rows))
    }
}

fn main() -> ExitCode {
    conformance::main(Arc::new(Memory))
}
