//! One file behind an HTTP(S) URL.

use super::bucket::run;
use super::{Access, Found, Remote};
use longshore_core::error::{Error, ErrorKind, Result};
use reqwest::header::{ETAG, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};
use std::time::{Duration, UNIX_EPOCH};

/// Asks what is known of the file; `None` when there is none. A server that does not answer to HEAD is no obstacle.
pub(in super::super) fn ask(name: &str, access: &Access) -> Result<Option<Found>> {
    let url = Url::parse(name).map_err(|e| Error::config(format!("'{}' is no URL", without_query(name))).source(e))?;
    let client = client(access)?;
    let request = client.head(url.clone());
    // Timers are set when a request is sent: that belongs on the threads for requests.
    let answer = run(async move { request.send().await })?.map_err(|e| unreachable(&url, e))?;
    if matches!(answer.status(), StatusCode::NOT_FOUND | StatusCode::GONE) {
        return Ok(None);
    }
    if matches!(answer.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return Err(refused(&url, answer.status(), answer.headers()).0);
    }
    let headers = answer.headers();
    let text = |name: HeaderName| headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let of_file = answer.status().is_success();
    let changed = text(LAST_MODIFIED).and_then(|t| httpdate::parse_http_date(&t).ok());
    let changed = changed.and_then(|t| t.duration_since(UNIX_EPOCH).ok()).filter(|_| of_file);
    // Of an answer that is packed for the way, the length is that of the package.
    let packed = headers.contains_key(reqwest::header::CONTENT_ENCODING);
    let length = text(reqwest::header::CONTENT_LENGTH).and_then(|t| t.parse().ok()).filter(|_| of_file && !packed);
    Ok(Some(Found {
        name: without_query(name).to_owned(),
        size: length,
        changed: changed.map_or(0, |t| u64::try_from(t.as_millis()).unwrap_or(0)),
        tag: text(ETAG).filter(|_| of_file),
        remote: Remote::Web { client, url },
    }))
}

/// The client takes the bytes as the file has them: ranges of a packed answer would not fit together.
fn client(access: &Access) -> Result<Client> {
    // Another part of the process may have chosen a provider already; then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut headers = HeaderMap::new();
    for (name, value) in &access.headers {
        let wrong = || Error::config(format!("the header '{name}' cannot be sent")).hint("headers are lines of text");
        let text = value.as_str().ok_or_else(wrong)?;
        let mut value = HeaderValue::from_str(text).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(HeaderName::try_from(name.as_str()).map_err(|_| wrong())?, value);
    }
    Client::builder()
        .user_agent(concat!("longshore/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        .connect_timeout(Duration::from_secs(20))
        .read_timeout(Duration::from_secs(60))
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .build()
        .map_err(|e| Error::config("the HTTP client cannot be made").source(e))
}

/// A query may hold a signature or a token.
pub(super) fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

pub(super) fn unreachable(url: &Url, e: reqwest::Error) -> Error {
    let what = if e.is_timeout() { "no answer in time" } else { "no connection" };
    Error::new(ErrorKind::Unavailable, what).with("file", without_query(url.as_str())).source(e.without_url())
}

/// The error of a status, and how long the server asks to wait where it may pass.
pub(super) fn refused(url: &Url, status: StatusCode, headers: &HeaderMap) -> (Error, Option<Duration>) {
    let passes = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
    let kind = if passes { ErrorKind::Unavailable } else { ErrorKind::Input };
    let name = status.canonical_reason().unwrap_or("no known status").to_lowercase();
    let error = Error::new(kind, format!("the server answered {} {name}", status.as_u16()))
        .with("file", without_query(url.as_str()));
    let error = match status.as_u16() {
        401 | 403 => error.hint("give what it wants by 'headers' of the source, or in the URL"),
        _ => error,
    };
    let asked = headers.get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse().ok());
    (error, passes.then(|| Duration::from_secs(asked.unwrap_or(0).min(300))))
}
