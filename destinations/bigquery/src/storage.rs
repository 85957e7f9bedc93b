//! Files by way of Cloud Storage: uploaded into a bucket, loaded from there, then removed. A job that fails is tried again
//! without the upload, and what was uploaded can be kept near BigQuery's own limits: this is the way for large loads.

use crate::api::{Api, Patience};
use crate::config::Bucket;
use crate::error::Failure;
use crate::staging::{Staging, attempt_name, miscounted, too_many};
use crate::upload::{Chunk, in_chunks, open_session};
use crate::{jobs, tables};
use longshore_core::error::Error;
use longshore_core::schema::Column;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::json;
use tokio::sync::mpsc::Receiver;

/// Jobs of one file that are tried or found.
const ATTEMPTS: u32 = 50;

/// Uploads a file, whose chunks come while it is written, and loads it into a staging table; returns the table's name.
pub(crate) async fn load_by_bucket(
    api: &Api,
    staging: &Staging,
    bucket: &Bucket,
    base: &str,
    columns: &[Column],
    first: Chunk,
    chunks: &mut Receiver<Chunk>,
) -> Result<String, Failure> {
    let object = format!("{}{base}.parquet", bucket.prefix);
    let rows = {
        // A file that is still being written must not keep others from their turn: its next chunk may wait for theirs.
        let _slot = match first.rows {
            Some(_) => Some(api.slots.acquire().await),
            None => None,
        };
        let url = format!(
            "{}/upload/storage/v1/b/{}/o?uploadType=resumable&name={}",
            api.config.storage_endpoint,
            bucket.name,
            utf8_percent_encode(&object, NON_ALPHANUMERIC)
        );
        let session = open_session(api, &url, &json!({}), &api.config.storage_endpoint).await?;
        staging.made_object(object.clone());
        in_chunks(api, &session, first, chunks).await?
    };
    let mut patience = Patience::new(api.config.patience);
    for attempt in 0..ATTEMPTS {
        let name = attempt_name(base, attempt);
        let mut job = staging.job(api, &name);
        job["configuration"]["load"]["sourceUris"] = json!([format!("gs://{}/{object}", bucket.name)]);
        tables::make_staging(api, &staging.dataset, &name, columns).await?;
        staging.made_table(name.clone());
        let is_new = jobs::insert(api, &job).await?;
        match staging.brought(api, &name, rows).await {
            Ok(true) => return Ok(name),
            // What an earlier run left, or something of the same name: the next name is free of it.
            Ok(false) if !is_new => {}
            Err(failure) if !is_new => tracing::debug!(?failure, "an earlier job failed"),
            Ok(false) => return Err(miscounted(rows)),
            Err(failure) if failure.is_passing() => patience.wait(failure).await?,
            Err(failure) => return Err(failure),
        }
    }
    Err(too_many())
}

/// Removes a file, if it is there.
pub(crate) async fn remove(api: &Api, bucket: &Bucket, object: &str) -> Result<(), Failure> {
    let encoded = utf8_percent_encode(object, NON_ALPHANUMERIC);
    let url = format!("{}/storage/v1/b/{}/o/{encoded}", api.config.storage_endpoint, bucket.name);
    match api.send(|| api.request(Method::DELETE, &url)).await {
        Err(failure) if failure.status() != 404 => Err(failure),
        _ => Ok(()),
    }
}

/// Says what to do where the bucket is not what it should be.
pub(crate) fn explain(bucket: &Bucket, failure: Failure) -> Error {
    let status = failure.status();
    let error = Error::from(failure).with("bucket", &bucket.name);
    match status {
        404 => error.hint("make the bucket, in the dataset's location"),
        403 => error.hint("the account needs roles/storage.objectAdmin on the bucket"),
        _ => error,
    }
}
