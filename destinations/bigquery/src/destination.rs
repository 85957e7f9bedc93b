//! The contract, for one project.

use crate::answer::to_batch;
use crate::api::Api;
use crate::config::Config;
use crate::names::check_dataset;
use crate::query::{self, Query};
use crate::stage::BigQueryLoad;
use crate::{read, tables};
use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_core::capabilities::{Atomicity, Capabilities, Dispositions};
use longshore_core::destination::{Committed, Destination, Load, Opening};
use longshore_core::error::{Error, Result};
use longshore_core::lease::Leases;
use longshore_core::package::{LoadId, TableCount, Target};
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// A project of BigQuery's.
#[derive(Debug)]
pub struct BigQuery {
    api: Arc<Api>,
    capabilities: Capabilities,
}

impl BigQuery {
    /// Returns the destination; nobody is asked yet.
    ///
    /// # Errors
    /// When the credentials cannot be read.
    pub fn new(config: Config) -> Result<Self> {
        let capabilities = Capabilities {
            atomicity: Atomicity::Package,
            max_identifier_length: config.max_identifier_length,
            concurrency: NonZeroUsize::MIN.saturating_add(3),
            dispositions: Dispositions::ALL,
            widens: false,
            remakes: false,
            // Uploads are the longest part of a load, and one that is given up leaves nothing.
            stages_early: true,
            // A lease would be a job of some seconds, and be renewed by others: the commit refuses the second run.
            leases: Leases::None,
        };
        Ok(BigQuery { api: Api::new(config)?, capabilities })
    }
}

impl fmt::Display for BigQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.api.config.url())
    }
}

#[async_trait]
impl Destination for BigQuery {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn last_committed(&self, target: &Target) -> Result<Option<Committed>> {
        let (api, target) = (Arc::clone(&self.api), target.clone());
        self.api.run(async move { read::last_committed(&api, &target).await }).await
    }

    async fn is_committed(&self, target: &Target, load_id: &LoadId) -> Result<bool> {
        let (api, dataset, load_id) = (Arc::clone(&self.api), target.dataset.clone(), load_id.clone());
        self.api.run(async move { read::has_load(&api, &dataset, &load_id).await }).await
    }

    async fn begin(&self, opening: &Opening) -> Result<Box<dyn Load>> {
        let (api, opening) = (Arc::clone(&self.api), opening.clone());
        let load = self.api.run(async move { BigQueryLoad::begin(&api, &opening).await }).await?;
        Ok(Box::new(load))
    }

    async fn query(&self, dataset: &str, sql: &str) -> Result<Vec<RecordBatch>> {
        let (api, dataset, sql) = (Arc::clone(&self.api), dataset.to_owned(), sql.to_owned());
        self.api.run(async move { ask(&api, dataset, sql).await }).await
    }

    async fn tables(&self, dataset: &str) -> Result<Vec<TableCount>> {
        let (api, dataset) = (Arc::clone(&self.api), dataset.to_owned());
        self.api.run(async move { read::tables(&api, &dataset).await }).await
    }
}

/// Answers a user's query, if it only reads: a dry run, which is free, says what it is.
async fn ask(api: &Api, dataset: String, sql: String) -> Result<Vec<RecordBatch>> {
    check_dataset(&dataset)?;
    let location = tables::dataset_location(api, &dataset).await?.ok_or_else(|| {
        Error::destination("the dataset does not exist").with("dataset", &dataset).hint("load something into it first")
    })?;
    let placed = |e: Error| e.with("dataset", &dataset);
    let query = Query {
        sql,
        dataset: Some(dataset.clone()),
        location: Some(location),
        max_bytes_billed: api.config.max_bytes_billed,
        ..Query::default()
    };
    let (kind, bytes) = query::dry_run(api, &query).await.map_err(|f| placed(f.into()))?;
    if kind != "SELECT" {
        return Err(placed(Error::config(format!("only queries are answered here, this is {kind}"))));
    }
    tracing::debug!(bytes, "the query reads");
    let answer = query::rows(api, &query).await.map_err(|f| placed(f.into()))?;
    Ok(vec![to_batch(&answer)?])
}
