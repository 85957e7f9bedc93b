//! Staging tables: one a file, named after the load and the rows in it, each filled by one load job of the same name.
//!
//! A name stands for the same rows in every run of a load, so a job that is there already is not run again, and what an
//! earlier run left behind is either exactly what this one wants or is not looked at. Nobody sees these tables: they are in a
//! dataset of their own, go when the load is over, and expire where it never was.

use crate::api::{Api, Patience};
use crate::error::Failure;
use crate::storage::load_by_bucket;
use crate::upload::{Chunk, at_once, in_chunks, next, open_job};
use crate::{jobs, storage, tables};
use longshore_core::destination::Opening;
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::hash::content_hash;
use longshore_core::schema::Column;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::Receiver;

/// Names begin so, to be told from others' tables where the staging dataset is shared.
pub(crate) const PREFIX: &str = "_longshore_";

/// Where a load stages.
#[derive(Debug, Clone)]
pub(crate) struct Staging {
    pub(crate) dataset: String,
    pub(crate) location: String,
    /// What a load's tables and jobs have in common.
    pub(crate) key: String,
    /// What was made, and is to be removed.
    made: Arc<Mutex<Made>>,
}

/// Tables, and files in the bucket.
#[derive(Debug, Default)]
struct Made {
    tables: Vec<String>,
    objects: Vec<String>,
}

impl Staging {
    pub(crate) fn new(dataset: String, location: String, opening: &Opening) -> Self {
        let key =
            key(&opening.load_id.as_str().replace('.', "_"), &[&opening.target.pipeline, &opening.target.dataset]);
        Staging { dataset, location, key, made: Arc::default() }
    }

    /// Name of the file that begins with that row of a table and has those columns.
    pub(crate) fn file_name(&self, table: &str, first_row: u64, columns: &[Column]) -> String {
        let shape: Vec<String> = columns.iter().map(|c| format!("{}:{}", c.name, c.data_type)).collect();
        key(&format!("{}_{first_row}", self.key), &[table, &shape.join(",")])
    }

    fn made(&self) -> std::sync::MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner) // a list is whole at any time
    }

    pub(crate) fn made_table(&self, name: String) {
        self.made().tables.push(name);
    }

    pub(crate) fn made_object(&self, name: String) {
        self.made().objects.push(name);
    }

    /// Removes what was staged, as far as it can be.
    pub(crate) async fn remove(&self, api: &Api) {
        use futures_util::{StreamExt, stream};
        let Made { tables: names, objects } = std::mem::take(&mut *self.made());
        let remove = |name: String| async move {
            if let Err(failure) = tables::remove(api, &self.dataset, &name).await {
                tracing::debug!(?failure, table = name, "a staging table stays until it expires");
            }
        };
        stream::iter(names.into_iter().map(remove)).buffer_unordered(8).collect::<()>().await;
        let Some(bucket) = &api.config.staging_bucket else { return };
        let remove = |name: String| async move {
            if let Err(failure) = storage::remove(api, bucket, &name).await {
                tracing::debug!(?failure, file = name, "a file stays in the bucket");
            }
        };
        stream::iter(objects.into_iter().map(remove)).buffer_unordered(8).collect::<()>().await;
    }

    /// The load job of a staging table.
    pub(crate) fn job(&self, api: &Api, name: &str) -> Value {
        let project = &api.config.project;
        let mut job = json!({
            "jobReference": {"projectId": project, "jobId": format!("longshore{name}"), "location": self.location},
            "configuration": {"load": {
                "destinationTable": {"projectId": project, "datasetId": self.dataset, "tableId": name},
                "sourceFormat": "PARQUET",
                "createDisposition": "CREATE_NEVER",
                "writeDisposition": "WRITE_EMPTY",
                "decimalTargetTypes": ["BIGNUMERIC"],
            }},
        });
        jobs::label(api, &mut job);
        job
    }

    /// Waits for a file's job; true when it brought exactly those rows, and they are still there.
    pub(crate) async fn brought(&self, api: &Api, name: &str, rows: u64) -> Result<bool, Failure> {
        let job = jobs::wait(api, &format!("longshore{name}"), Some(&self.location)).await?;
        let number = |v: &Value| v.as_str().and_then(|n| n.parse::<u64>().ok());
        if number(&job["statistics"]["load"]["outputRows"]) != Some(rows) {
            return Ok(false);
        }
        let table = tables::find(api, &self.dataset, name).await?;
        Ok(table.is_some_and(|t| number(&t["numRows"]) == Some(rows)))
    }
}

/// `<start>_<hash>`, of characters that tables and jobs may have.
pub(crate) fn key(start: &str, parts: &[&str]) -> String {
    let hash = content_hash(parts.join("\0").as_bytes()).replace('-', "x");
    let prefix = if start.starts_with(PREFIX) { "" } else { PREFIX };
    format!("{prefix}{start}_{hash}")
}

/// Loads one file, whose chunks come while it is written, into a staging table; returns the table's name.
pub(crate) async fn load_file(
    api: Arc<Api>,
    staging: Staging,
    base: String,
    columns: Vec<Column>,
    mut chunks: Receiver<Chunk>,
) -> Result<String> {
    let first = next(&mut chunks).await?;
    if let Some(bucket) = &api.config.staging_bucket {
        let loaded = load_by_bucket(&api, &staging, bucket, &base, &columns, first, &mut chunks).await;
        return loaded.map_err(|failure| Error::from(failure).with("bucket", &bucket.name));
    }
    match first.rows {
        Some(rows) => Ok(load_whole(&api, &staging, &base, &columns, &first, rows).await?),
        None => Ok(load_in_chunks(&api, &staging, &base, &columns, first, &mut chunks).await?),
    }
}

/// Name of the table and job of that try.
fn attempt_name(base: &str, attempt: u32) -> String {
    if attempt == 0 { base.to_owned() } else { format!("{base}_{attempt}") }
}

/// A small file: found where it is there already, tried again where it fails.
async fn load_whole(
    api: &Api,
    staging: &Staging,
    base: &str,
    columns: &[Column],
    file: &Chunk,
    rows: u64,
) -> Result<String, Failure> {
    let begin = |name: String| async move {
        let _slot = api.slots.acquire().await;
        let job = staging.job(api, &name);
        let is_new = jobs::find(api, &format!("longshore{name}"), Some(&staging.location)).await?.is_none();
        if is_new {
            tables::make_staging(api, &staging.dataset, &name, columns).await?;
            at_once(api, &job, &file.bytes).await?;
        }
        staging.made_table(name);
        Ok(is_new)
    };
    by_names(api, staging, base, rows, begin).await
}

/// Begins a job under one name after the other until one brings the rows; returns that name. `begin` tells whether the
/// job is new: one of an earlier run that failed, or that is something else, only takes its name away.
pub(crate) async fn by_names<F: Future<Output = Result<bool, Failure>>>(
    api: &Api,
    staging: &Staging,
    base: &str,
    rows: u64,
    begin: impl Fn(String) -> F,
) -> Result<String, Failure> {
    let mut patience = Patience::new(api.config.patience);
    let mut last = None;
    for attempt in 0..jobs::NAMES {
        let name = attempt_name(base, attempt);
        let is_new = begin(name.clone()).await?;
        match staging.brought(api, &name, rows).await {
            Ok(true) => return Ok(name),
            Ok(false) if !is_new => {}
            Err(failure) if !is_new && failure.is_of_job() => {
                tracing::debug!(?failure, "an earlier job failed");
                last = Some(failure);
            }
            Ok(false) => return Err(miscounted(rows)),
            Err(failure) if failure.is_passing() => patience.wait(failure).await?,
            Err(failure) => return Err(failure),
        }
    }
    Err(jobs::no_name_left(last))
}

/// The first name that no job has.
async fn free_name(api: &Api, staging: &Staging, base: &str) -> Result<String, Failure> {
    for attempt in 0..jobs::NAMES {
        let name = attempt_name(base, attempt);
        if jobs::find(api, &format!("longshore{name}"), Some(&staging.location)).await?.is_none() {
            return Ok(name);
        }
    }
    Err(jobs::no_name_left(None))
}

/// A large file: its bytes are not kept, so what fails is staged anew by the caller, under the next name.
async fn load_in_chunks(
    api: &Api,
    staging: &Staging,
    base: &str,
    columns: &[Column],
    first: Chunk,
    chunks: &mut Receiver<Chunk>,
) -> Result<String, Failure> {
    let name = free_name(api, staging, base).await?;
    tables::make_staging(api, &staging.dataset, &name, columns).await?;
    staging.made_table(name.clone());
    let session = open_job(api, &staging.job(api, &name)).await?;
    let rows = in_chunks(api, &session, first, chunks).await?;
    match staging.brought(api, &name, rows).await? {
        true => Ok(name),
        false => Err(miscounted(rows)),
    }
}

fn miscounted(rows: u64) -> Failure {
    Error::new(ErrorKind::Integrity, format!("a load job did not bring the {rows} rows of its file")).into()
}
