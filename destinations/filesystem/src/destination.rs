//! The contract, for folders and buckets.

use crate::config::Config;
use crate::manifest::{self, FileManifest};
use crate::stage::FileLoad;
use crate::store::Store;
use crate::{clean, foreign, lease, of_dlt, query, records};
use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_core::capabilities::{Atomicity, Capabilities, Dispositions, Widening};
use longshore_core::destination::{Committed, Destination, Load, Opening};
use longshore_core::error::Result;
use longshore_core::lease::{LeaseAnswer, LeaseRequest, Leases};
use longshore_core::package::{LoadId, TableCount, Target};
use longshore_core::schema::Table;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Data files and manifests in a folder or a bucket.
#[derive(Debug, Clone)]
pub struct Filesystem {
    config: Arc<Config>,
    store: Store,
    capabilities: Capabilities,
}

impl Filesystem {
    /// Returns the destination; nothing is made before there is a load.
    ///
    /// # Errors
    /// When the object store refuses its settings.
    pub fn new(config: Config) -> Result<Self> {
        let capabilities = Capabilities {
            // By the manifest, which is written last.
            atomicity: Atomicity::Package,
            max_identifier_length: 65536,
            // Encoding has threads of its own.
            concurrency: NonZeroUsize::MIN,
            dispositions: Dispositions::ALL,
            widens: Widening::Never,
            remakes: true,
            stages_early: true,
            leases: Leases::Expiring,
            checks_unique: false,
        };
        Ok(Filesystem { store: Store::open(&config.location)?, config: Arc::new(config), capabilities })
    }

    /// Removes what loads left that never were committed: their data files, their records and their
    /// temporary files. With `dry_run`, only says what it would remove.
    ///
    /// # Errors
    /// When something cannot be read or removed.
    pub async fn clean(&self, dataset: &str, dry_run: bool) -> Result<clean::Report> {
        clean::clean(&self.store, dataset, dry_run).await
    }

    /// Returns the manifests of a dataset's committed loads, in the order of their load ids.
    ///
    /// # Errors
    /// When one cannot be read.
    pub async fn manifests(&self, dataset: &str) -> Result<Vec<FileManifest>> {
        manifest::read_all(&self.store, dataset).await
    }
}

impl fmt::Display for Filesystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.location.fmt(f)
    }
}

#[async_trait]
impl Destination for Filesystem {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn last_committed(&self, target: &Target) -> Result<Option<Committed>> {
        let mut own = manifest::list_of(&self.store, target).await?;
        let loads: Vec<LoadId> = own.iter().map(|(id, _)| id.clone()).collect();
        let mut newest = None;
        while let (Some((load_id, path)), None) = (own.pop(), &newest) {
            newest = manifest::read(&self.store, &path).await?.map(|m| (load_id, m));
        }
        // dlt writes no manifests.
        let name = longshore_core::dlt::schema_name(&target.pipeline);
        let of_dlt = of_dlt::find(&self.store, target, &name, None).await?;
        if let Some(load_id) = of_dlt.load_id.filter(|id| newest.as_ref().is_none_or(|(ours, _)| id >= ours)) {
            return longshore_core::dlt::committed(load_id.as_str(), &of_dlt.stored).map(Some);
        }
        let Some((load_id, newest)) = newest else { return Ok(None) };
        let schema = records::read_schema(&self.store, &target.dataset, &newest.schema_file).await?;
        let state = records::last_state(&self.store, target, newest.system_columns, &loads).await?;
        Ok(Some(Committed { load_id, schema, state }))
    }

    async fn is_committed(&self, target: &Target, load_id: &LoadId) -> Result<bool> {
        let path = manifest::path(&target.dataset, &target.pipeline, load_id);
        Ok(manifest::read(&self.store, &path).await?.is_some())
    }

    async fn lease(&self, request: &LeaseRequest<'_>) -> Result<LeaseAnswer> {
        let answer = lease::take(&self.store, request).await?;
        if matches!(answer, LeaseAnswer::Ours(_)) {
            let _ = clean::finish(&self.store, request.target).await; // what stays, 'longshore clean' removes
        }
        Ok(answer)
    }

    async fn begin(&self, opening: &Opening) -> Result<Box<dyn Load>> {
        let tables: Vec<&Table> = opening.tables.iter().collect();
        foreign::refuse_other_forms(&self.store, &self.config, opening, &tables).await?;
        Ok(Box::new(FileLoad::begin(self.store.clone(), Arc::clone(&self.config), opening)?))
    }

    async fn query(&self, dataset: &str, sql: &str) -> Result<Vec<RecordBatch>> {
        query::query(&self.store, dataset, sql).await.map_err(|e| e.with("dataset", dataset))
    }

    async fn tables(&self, dataset: &str) -> Result<Vec<TableCount>> {
        query::counts(&self.store, dataset).await.map_err(|e| e.with("dataset", dataset))
    }
}
