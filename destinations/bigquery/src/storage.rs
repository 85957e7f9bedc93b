//! Files by way of Cloud Storage: uploaded into a bucket, loaded from there, then removed. A job that fails is tried again
//! without the upload, and what was uploaded can be kept near BigQuery's own limits: this is the way for large loads.

use crate::api::Api;
use crate::config::Bucket;
use crate::error::Failure;
use crate::staging::{Staging, by_names};
use crate::upload::{Chunk, in_chunks, open_session};
use crate::{jobs, tables};
use longshore_core::error::Error;
use longshore_core::schema::Column;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::json;
use tokio::sync::mpsc::Receiver;

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
    let uploaded = upload(api, staging, bucket, &object, first, chunks).await;
    let rows = uploaded.map_err(explain)?;
    let source = &json!([format!("gs://{}/{object}", bucket.name)]);
    let begin = |name: String| async move {
        let mut job = staging.job(api, &name);
        job["configuration"]["load"]["sourceUris"] = source.clone();
        tables::make_staging(api, &staging.dataset, &name, columns).await?;
        staging.made_table(name);
        jobs::insert(api, &job).await
    };
    by_names(api, staging, base, rows, begin).await
}

/// Uploads the file; returns its rows.
async fn upload(
    api: &Api,
    staging: &Staging,
    bucket: &Bucket,
    object: &str,
    first: Chunk,
    chunks: &mut Receiver<Chunk>,
) -> Result<u64, Failure> {
    // A file that is still being written must not keep others from their turn: its next chunk may wait for theirs.
    let _slot = match first.rows {
        Some(_) => Some(api.slots.acquire().await),
        None => None,
    };
    let url = format!(
        "{}/upload/storage/v1/b/{}/o?uploadType=resumable&name={}",
        api.config.storage_endpoint,
        bucket.name,
        utf8_percent_encode(object, NON_ALPHANUMERIC)
    );
    let session = open_session(api, &url, &json!({}), &api.config.storage_endpoint).await?;
    staging.made_object(object.to_owned());
    in_chunks(api, &session, first, chunks).await
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

/// Says what Cloud Storage refused: its messages often name neither itself nor the right.
fn explain(failure: Failure) -> Failure {
    let Failure::Refused(refusal) = &failure else { return failure };
    let error = match (refusal.status, refusal.reason.as_str()) {
        (404, _) => Error::destination("there is no such bucket").hint("make the bucket, in the dataset's location"),
        (403, "forbidden" | "accessDenied" | "insufficientPermissions" | "") => {
            Error::destination("a right is missing in Cloud Storage")
                .hint("the account needs roles/storage.objectAdmin on the bucket")
        }
        _ => return failure,
    };
    error.source(refusal.cause()).into()
}
