//! Questions: a query's rows, page by page.

use crate::api::Api;
use crate::error::Failure;
use crate::jobs;
use longshore_core::error::{Error, Result};
use longshore_core::hash::content_hash;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// How long the server may keep a reply back until there are rows.
const WAIT_MS: u64 = 10_000;

/// Names that a query is asked under where one is taken.
const TRIES: u32 = 5;

/// A query.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pub(crate) sql: String,
    /// Where unqualified names are looked for.
    pub(crate) dataset: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) parameters: Vec<Value>,
    pub(crate) max_bytes_billed: Option<u64>,
}

/// Columns as the API describes them, and rows of texts and nulls.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) fields: Vec<Value>,
    pub(crate) rows: Vec<Vec<Value>>,
}

impl Answer {
    /// The first value, where it is a text; otherwise an empty one.
    pub(crate) fn word(&self) -> &str {
        self.rows.first().and_then(|row| row.first()?.as_str()).unwrap_or_default()
    }
}

/// A named parameter.
pub(crate) fn parameter(name: &str, kind: &str, value: impl Into<String>) -> Value {
    let value: String = value.into();
    json!({"name": name, "parameterType": {"type": kind}, "parameterValue": {"value": value}})
}

/// A named parameter that is a list of texts.
pub(crate) fn texts(name: &str, values: &[String]) -> Value {
    let values: Vec<Value> = values.iter().map(|v| json!({"value": v})).collect();
    let kind = json!({"type": "ARRAY", "arrayType": {"type": "STRING"}});
    json!({"name": name, "parameterType": kind, "parameterValue": {"arrayValues": values}})
}

/// Runs a query and returns all its rows.
pub(crate) async fn rows(api: &Api, query: &Query) -> Result<Answer, Failure> {
    match ask(api, query).await {
        // The first request came to nothing, and its id is taken: a question may be asked anew.
        Err(Failure::Refused(refusal)) if refusal.reason == "duplicate" => ask(api, query).await,
        answer => answer,
    }
}

async fn ask(api: &Api, query: &Query) -> Result<Answer, Failure> {
    let mut body = json!({
        "query": query.sql,
        "useLegacySql": false,
        "useQueryCache": false,
        "timeoutMs": WAIT_MS,
        "formatOptions": {"useInt64Timestamp": true},
    });
    if !query.parameters.is_empty() {
        body["parameterMode"] = "NAMED".into();
        body["queryParameters"] = query.parameters.clone().into();
    }
    if let Some(dataset) = &query.dataset {
        body["defaultDataset"] = json!({"projectId": api.config.project, "datasetId": dataset});
    }
    if let Some(location) = &query.location {
        body["location"] = location.as_str().into();
    }
    if let Some(bytes) = query.max_bytes_billed {
        body["maximumBytesBilled"] = bytes.to_string().into();
    }
    let mut tries = 0;
    let first = loop {
        // A request that is repeated because its reply was lost runs no second job.
        body["requestId"] = request_id(&query.sql).into();
        match api.call(Method::POST, "queries", Some(&body)).await {
            // Its first try did not succeed, and some servers do not try again under the same name.
            Err(failure) if failure.status() == 409 && tries < TRIES => tries += 1,
            answer => break answer?,
        }
    };
    pages(api, first).await
}

/// Returns the rows of a query's job that is there.
pub(crate) async fn rows_of_job(api: &Api, id: &str, location: &str) -> Result<Answer, Failure> {
    let path = format!(
        "{}&timeoutMs={WAIT_MS}&formatOptions.useInt64Timestamp=true",
        jobs::path("queries", id, Some(location))
    );
    let first = api.call(Method::GET, &path, None).await?;
    pages(api, first).await
}

async fn pages(api: &Api, mut page: Value) -> Result<Answer, Failure> {
    let mut answer = Answer::default();
    loop {
        if page["jobComplete"].as_bool() != Some(false) {
            if let (true, Some(fields)) = (answer.fields.is_empty(), page["schema"]["fields"].as_array()) {
                answer.fields.clone_from(fields);
            }
            answer.rows.extend(page["rows"].as_array().into_iter().flatten().map(cells));
            if page["pageToken"].as_str().is_none() {
                return Ok(answer);
            }
        }
        let reference = &page["jobReference"];
        let id = reference["jobId"].as_str().ok_or_else(|| Error::destination("a query's reply names no job"))?;
        let mut path = jobs::path("queries", id, reference["location"].as_str());
        path.push_str(if path.contains('?') { "&" } else { "?" });
        path.push_str(&format!("timeoutMs={WAIT_MS}&formatOptions.useInt64Timestamp=true"));
        if let Some(token) = page["pageToken"].as_str() {
            path.push_str(&format!("&pageToken={token}"));
        }
        page = api.call(Method::GET, &path, None).await?;
    }
}

/// `{"f":[{"v":…},…]}`.
fn cells(row: &Value) -> Vec<Value> {
    row["f"].as_array().into_iter().flatten().map(|cell| cell["v"].clone()).collect()
}

/// What a query would do.
#[derive(Debug)]
pub(crate) struct DryRun {
    /// The kind of statement.
    pub(crate) kind: String,
    /// What it would read.
    pub(crate) bytes: u64,
    /// How many tables it names.
    pub(crate) tables: u64,
}

/// Says what a query would do and read, without running it.
pub(crate) async fn dry_run(api: &Api, query: &Query) -> Result<DryRun, Failure> {
    let mut body = json!({"configuration": {"dryRun": true, "query": {"query": query.sql, "useLegacySql": false}}});
    if let Some(dataset) = &query.dataset {
        body["configuration"]["query"]["defaultDataset"] =
            json!({"projectId": api.config.project, "datasetId": dataset});
    }
    if let Some(location) = &query.location {
        body["jobReference"] = json!({"projectId": api.config.project, "location": location});
    }
    let job = api.call(Method::POST, "jobs", Some(&body)).await?;
    let statistics = &job["statistics"];
    Ok(DryRun {
        kind: statistics["query"]["statementType"].as_str().unwrap_or_default().to_owned(),
        bytes: statistics["totalBytesProcessed"].as_str().and_then(|b| b.parse().ok()).unwrap_or_default(),
        tables: statistics["query"]["referencedTables"].as_array().map_or(0, |t| t.len() as u64),
    })
}

/// Different for each call.
fn request_id(sql: &str) -> String {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    content_hash(format!("{now} {call} {sql}").as_bytes())
}
