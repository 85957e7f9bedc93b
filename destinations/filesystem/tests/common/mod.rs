//! What the tests of this crate share.
#![allow(dead_code, unreachable_pub)] // each test binary uses a part

pub mod azurite;
pub mod buckets;
pub mod proxy;
pub mod servers;

use longshore_core::Result;
use longshore_core::connect::Connection;
use longshore_core::destination::Destination;
use longshore_destination_filesystem::{Config, Filesystem};
use longshore_testkit::harness::{Harness, Site};
use longshore_testkit::rows::Rows;
use std::sync::Arc;

/// Folders of this machine, with a query behind their URLs.
#[derive(Debug)]
pub struct Folders(pub &'static str);

struct Folder {
    folder: tempfile::TempDir,
    query: &'static str,
}

#[async_trait::async_trait]
impl Harness for Folders {
    async fn site(&self) -> Result<Arc<dyn Site>> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Ok(Arc::new(Folder { folder, query: self.0 }))
    }
}

#[async_trait::async_trait]
impl Site for Folder {
    async fn open(&self) -> Result<Arc<dyn Destination>> {
        let url = format!("file://{}/data{}", self.folder.path().display(), self.query);
        open(&Connection::new(url))
    }

    async fn read(&self, dataset: &str, table: &str) -> Result<Option<Rows>> {
        read(&*self.open().await?, dataset, table).await
    }

    /// Text is read more slowly.
    fn sequences(&self) -> u64 {
        if self.query.is_empty() { 50 } else { 25 }
    }
}

/// Opens a destination as a user does.
pub fn open(connection: &Connection) -> Result<Arc<dyn Destination>> {
    Ok(Arc::new(Filesystem::new(Config::from_connection(connection)?)?))
}

/// Reads a table with DuckDB, from the files that the manifests name.
pub async fn read(destination: &dyn Destination, dataset: &str, table: &str) -> Result<Option<Rows>> {
    if !destination.tables(dataset).await?.iter().any(|t| t.table == table) {
        return Ok(None);
    }
    let quoted = format!("\"{}\"", table.replace('"', "\"\""));
    let batches = destination.query(dataset, &format!("SELECT * FROM {quoted}")).await?;
    Rows::from_batches(&batches).map(Some)
}
