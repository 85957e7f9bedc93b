//! Upload of a load job's file, as it is being written: small files in one request, others in chunks that are resumed
//! where a connection broke (<https://cloud.google.com/bigquery/docs/reference/api-uploads>).

use crate::api::{Api, Patience, read};
use crate::error::Failure;
use bytes::Bytes;
use longshore_core::error::{Error, ErrorKind, Result};
use reqwest::Method;
use serde_json::Value;
use tokio::sync::mpsc::Receiver;

/// Chunks are this long, all but the last: a multiple of 256 KiB, as the protocol wants it.
pub(crate) const CHUNK: usize = 4 << 20;

/// What is to be uploaded next.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) bytes: Bytes,
    /// In the last one, the rows of the whole file.
    pub(crate) rows: Option<u64>,
}

/// Returns the next chunk.
pub(crate) async fn next(chunks: &mut Receiver<Chunk>) -> Result<Chunk, Failure> {
    chunks.recv().await.ok_or_else(|| Error::internal("a file was given up while it was uploaded").into())
}

/// A job that is there already is the one an earlier try inserted, whose reply was lost.
fn found(outcome: Result<(), Failure>) -> Result<(), Failure> {
    match outcome {
        Err(failure) if failure.status() == 409 => Ok(()),
        outcome => outcome,
    }
}

fn url(api: &Api, kind: &str) -> String {
    format!("{}/upload/bigquery/v2/projects/{}/jobs?uploadType={kind}", api.config.endpoint, api.config.project)
}

/// Inserts the job with a whole file.
pub(crate) async fn at_once(api: &Api, job: &Value, file: &Bytes) -> Result<(), Failure> {
    const BOUNDARY: &str = "longshore-0c5e7b1d9f";
    let head = format!(
        "--{BOUNDARY}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{job}\r\n--{BOUNDARY}\r\nContent-Type: application/octet-stream\r\n\r\n"
    );
    let body = Bytes::from([head.as_bytes(), file, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat());
    let kind = format!("multipart/related; boundary={BOUNDARY}");
    let url = url(api, "multipart");
    let make = || api.request(Method::POST, &url).header("Content-Type", &kind).body(body.clone());
    found(api.send(make).await.map(drop))
}

/// Sends a file that is still being written to an upload's URL; returns the file's rows.
pub(crate) async fn in_chunks(
    api: &Api,
    session: &str,
    first: Chunk,
    chunks: &mut Receiver<Chunk>,
) -> Result<u64, Failure> {
    let (mut chunk, mut offset) = (first, 0);
    loop {
        let end = offset + chunk.bytes.len() as u64;
        found(put(api, session, &chunk, offset).await)?;
        if let Some(rows) = chunk.rows {
            return Ok(rows);
        }
        offset = end;
        chunk = next(chunks).await?;
    }
}

/// Opens the upload of a job's file; returns its URL.
pub(crate) async fn open_job(api: &Api, job: &Value) -> Result<String, Failure> {
    open_session(api, &url(api, "resumable"), job, &api.config.endpoint).await
}

/// Opens an upload by Google's protocol, which is the same for all its services; returns its URL.
pub(crate) async fn open_session(api: &Api, url: &str, body: &Value, server: &str) -> Result<String, Failure> {
    let make = || {
        let request = api.request(Method::POST, url).json(body);
        request.header("X-Upload-Content-Type", "application/octet-stream")
    };
    let answer = api.send(make).await?;
    let session = answer.headers().get("location").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let session = session.ok_or_else(|| Error::destination("the server opened an upload without saying where"))?;
    // Some emulators answer with a path.
    Ok(if session.starts_with('/') { format!("{server}{session}") } else { session })
}

/// Sends one chunk; after a failure asks how much has arrived and goes on from there.
async fn put(api: &Api, session: &str, chunk: &Chunk, start: u64) -> Result<(), Failure> {
    let end = start + chunk.bytes.len() as u64;
    let total = if chunk.rows.is_some() { end.to_string() } else { "*".to_owned() };
    let mut patience = Patience::new(api.config.patience);
    let mut from = start;
    loop {
        let rest = chunk.bytes.slice((from - start) as usize..);
        let range = match rest.is_empty() {
            true => format!("bytes */{total}"),
            false => format!("bytes {from}-{}/{total}", end - 1),
        };
        let make = || api.request(Method::PUT, session).header("Content-Range", &range).body(rest.clone());
        let mut outcome = api.send_once(make).await;
        while let Err(failure) = outcome {
            if !failure.is_passing() {
                return Err(lost_session(failure));
            }
            patience.wait(failure).await?;
            let range = format!("bytes */{total}");
            let ask =
                || api.request(Method::PUT, session).header("Content-Range", &range).header("Content-Length", "0");
            outcome = api.send_once(ask).await;
        }
        // The loop above ends with an answer.
        let Ok(answer) = outcome else { return Err(Error::internal("an answer vanished").into()) };
        if answer.status().as_u16() != 308 {
            return read(answer).await.map(drop); // the whole file is there
        }
        let before = std::mem::replace(&mut from, arrived(&answer));
        if from < start {
            return Err(lost("the server has forgotten a part of the upload"));
        }
        if from >= end && chunk.rows.is_none() {
            return Ok(());
        }
        from = from.min(end);
        if from == before {
            patience.wait(lost("the server takes nothing more of the upload")).await?;
        }
    }
}

/// `Range: bytes=0-41` says that 42 bytes have arrived; without it none has.
fn arrived(answer: &reqwest::Response) -> u64 {
    let range = answer.headers().get("range").and_then(|v| v.to_str().ok());
    range.and_then(|r| r.rsplit('-').next()).and_then(|last| last.parse::<u64>().ok()).map_or(0, |last| last + 1)
}

fn lost_session(failure: Failure) -> Failure {
    match failure.status() {
        404 | 410 => lost("the server has forgotten the upload"),
        _ => failure,
    }
}

/// What was sent is not kept, so all of the load has to be staged again.
fn lost(text: &str) -> Failure {
    Error::new(ErrorKind::Unavailable, text).hint("run the same command again").into()
}
