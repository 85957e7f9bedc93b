//! BigQuery passes the conformance suite: against an emulator that the test starts, or against a real project when
//! `LONGSHORE_BIGQUERY_PROJECT` names one (`just test-bigquery-cloud`).

#[allow(dead_code)] // the other tests use the rest
mod server;

use longshore_core::Result;
use longshore_core::connect::Connection;
use longshore_core::destination::Destination;
use longshore_testkit::conformance;
use longshore_testkit::harness::{Harness, Site};
use longshore_testkit::rows::Rows;
use server::Server;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Debug)]
struct Datasets {
    server: Arc<Server>,
    /// So that runs against one project do not meet, nor the processes of one run.
    run: String,
    made: AtomicU32,
}

struct Dataset {
    server: Arc<Server>,
    name: String,
}

#[async_trait::async_trait]
impl Harness for Datasets {
    async fn site(&self) -> Result<Arc<dyn Site>> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let name = format!("conformance_{}_{number}", self.run);
        Ok(Arc::new(Dataset { server: Arc::clone(&self.server), name }))
    }
}

#[async_trait::async_trait]
impl Site for Dataset {
    async fn open(&self) -> Result<Arc<dyn Destination>> {
        let mut connection = Connection::new(self.server.url());
        connection.environment = std::env::vars().collect(); // credentials of a real project
        if !self.server.is_real() {
            // The emulator makes folders of these names, and those cannot be longer.
            connection.settings.insert("max_identifier_length".into(), 240.into());
        }
        longshore_destination_bigquery::open(&connection)
    }

    async fn read(&self, dataset: &str, table: &str) -> Result<Option<Rows>> {
        Ok(self.server.read(dataset, table))
    }

    fn dataset(&self) -> &str {
        &self.name
    }

    fn sequences(&self) -> u64 {
        5
    }

    async fn clean(&self) -> Result<()> {
        self.server.remove(&self.name);
        Ok(())
    }
}

fn main() -> ExitCode {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let run = format!("{now}_{}", std::process::id());
    conformance::main(Arc::new(Datasets { server: Arc::new(Server::start()), run, made: AtomicU32::new(0) }))
}
