//! Jobs: inserted under an id of our own, so that one whose reply was lost is found instead of run twice; then awaited.

use crate::api::Api;
use crate::error::{Failure, Refusal};
use longshore_core::error::{Error, ErrorKind, Result};
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;

/// Names of one job that are looked at. Failed jobs of earlier runs are passed by, however many there are: this many are
/// more than all of BigQuery's retries can make, so something else would be wrong.
pub(crate) const NAMES: u32 = 10_000;
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LONGEST_LOOK: Duration = Duration::from_secs(4);

/// Gives a job the labels that are set: who looks at costs sees by them whose they are.
pub(crate) fn label(api: &Api, job: &mut Value) {
    if !api.config.labels.is_empty() {
        job["configuration"]["labels"] = serde_json::json!(api.config.labels);
    }
}

/// Returns the job of that id, or `None`.
pub(crate) async fn find(api: &Api, id: &str, location: Option<&str>) -> Result<Option<Value>, Failure> {
    match api.call(Method::GET, &path("jobs", id, location), None).await {
        Ok(job) => Ok(Some(job)),
        Err(failure) if failure.status() == 404 => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Inserts a job, or finds that it is there already. True when it was this call that made it, as far as one can know.
pub(crate) async fn insert(api: &Api, job: &Value) -> Result<bool, Failure> {
    match api.call(Method::POST, "jobs", Some(job)).await {
        Ok(_) => Ok(true),
        Err(failure) if failure.status() == 409 => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// Waits until a job is done, and returns it if it succeeded.
pub(crate) async fn wait(api: &Api, id: &str, location: Option<&str>) -> Result<Value, Failure> {
    let mut pause = FIRST_LOOK;
    loop {
        let job = api.call(Method::GET, &path("jobs", id, location), None).await?;
        if job["status"]["state"].as_str() == Some("DONE") {
            return done(api, id, location, job);
        }
        tokio::time::sleep(pause).await;
        pause = pause.mul_f64(1.5).min(LONGEST_LOOK);
    }
}

/// Every name of a job is taken by one that failed, of which the last says why.
pub(crate) fn no_name_left(last: Option<Failure>) -> Failure {
    let error = Error::new(ErrorKind::Unavailable, "too many jobs of this load have failed")
        .hint("drop the package with 'longshore pipeline NAME drop-package' and load its input again");
    match last {
        Some(failure) => error.source(Error::from(failure)).into(),
        None => error.into(),
    }
}

/// A job that is done has succeeded, or has a reason.
fn done(api: &Api, id: &str, location: Option<&str>, job: Value) -> Result<Value, Failure> {
    let status = &job["status"];
    if status["errorResult"].is_null() {
        return Ok(job);
    }
    let mut refusal = Refusal::from_job(&status["errorResult"]);
    // As the console and `bq show -j` take it.
    let location = location.map(|l| format!("{l}.")).unwrap_or_default();
    refusal.job = format!("{}:{location}{id}", api.config.project);
    // The list often says more than the result: which file, which row.
    for error in status["errors"].as_array().into_iter().flatten().take(5) {
        let more = error["message"].as_str().unwrap_or_default();
        if !more.is_empty() && !refusal.message.contains(more) {
            refusal.message.push_str("; ");
            refusal.message.push_str(more);
            if let Some(place) = error["location"].as_str() {
                refusal.message.push_str(&format!(" (at {place})"));
            }
        }
    }
    Err(refusal.into())
}

/// Path of a job (`jobs`) or its rows (`queries`).
pub(crate) fn path(kind: &str, id: &str, location: Option<&str>) -> String {
    match location {
        Some(location) => format!("{kind}/{id}?location={location}"),
        None => format!("{kind}/{id}"),
    }
}
