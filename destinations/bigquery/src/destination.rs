//! The contract, for one project.

use crate::answer::to_batch;
use crate::api::Api;
use crate::config::Config;
use crate::cost::{Judged, cost};
use crate::fit::strangers;
use crate::names::{check_dataset, check_names};
use crate::nested::Shape;
use crate::query::{self, DryRun, Query};
use crate::stage::BigQueryLoad;
use crate::{ddl, read, tables};
use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_core::capabilities::{Atomicity, Capabilities, Dispositions, Widening};
use longshore_core::destination::{Committed, Cost, Destination, Growth, Load, Opening, TableSize};
use longshore_core::error::{Error, Result};
use longshore_core::lease::Leases;
use longshore_core::package::{LoadId, TableCount, Target};
use longshore_core::schema::Schema;
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
            // Not in lists: BigQuery has no statement for that.
            widens: if config.nested.is_empty() { Widening::Numbers } else { Widening::Never },
            remakes: false,
            // Uploads are the longest part of a load, and one that is given up leaves nothing.
            stages_early: true,
            // A lease would be a job of some seconds, and be renewed by others: the commit refuses the second run.
            leases: Leases::None,
            checks_unique: false,
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
        let (api, target, load_id) = (Arc::clone(&self.api), target.clone(), load_id.clone());
        self.api.run(async move { read::has_load(&api, &target, &load_id).await }).await
    }

    fn check(&self, schema: &Schema) -> Result<()> {
        let config = &self.api.config;
        let shapes = Shape::of_schema(schema, &config.nested)?;
        shapes.iter().try_for_each(|s| check_names(&s.with_lists(), config.max_identifier_length))?;
        shapes.iter().try_for_each(|s| config.options(&s.table).check(&s.table))?;
        strangers(&config.tables, schema).iter().for_each(|said| tracing::warn!("{said}"));
        Ok(())
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

    fn statements(&self, growth: &Growth<'_>) -> Vec<String> {
        // What cannot be made is said by the load, and by the cost, which is asked first.
        ddl::statements(&self.api, growth).unwrap_or_else(|e| vec![format!("-- {e}")])
    }

    async fn cost(&self, growth: &Growth<'_>, sizes: &[TableSize]) -> Result<Option<Cost>> {
        let judged = Judged {
            dataset: growth.dataset.to_owned(),
            schema: growth.schema.clone(),
            existing: growth.existing.to_vec(),
            sizes: sizes.to_vec(),
        };
        let api = Arc::clone(&self.api);
        self.api.run(async move { cost(&api, &judged).await }).await.map(Some)
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
    let DryRun { kind, bytes, .. } = query::dry_run(api, &query).await.map_err(|f| placed(f.into()))?;
    if kind != "SELECT" {
        return Err(placed(Error::config(format!("only queries are answered here, this is {kind}"))));
    }
    tracing::debug!(bytes, "the query reads");
    let answer = query::rows(api, &query).await.map_err(|f| placed(f.into()))?;
    Ok(vec![to_batch(&answer)?])
}
