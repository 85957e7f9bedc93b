//! One file behind an HTTP(S) URL.

use super::bucket::run;
use super::{Access, Found, Remote};
use longshore_core::error::{Error, ErrorKind, Result};
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED, LOCATION,
    RANGE, RETRY_AFTER,
};
use reqwest::{Client, Method, Response, StatusCode, Url};
use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

const MAX_REDIRECTS: usize = 10;

/// Where a file is, and what is sent to its host and to no other.
#[derive(Clone)]
pub(in super::super) struct Web {
    client: Client,
    headers: HeaderMap,
    pub(in super::super) url: Url,
}

/// Asks what is known of the file; `None` when there is none. A server that does not answer to HEAD is no obstacle.
pub(in super::super) fn ask(name: &str, access: &Access) -> Result<Option<Found>> {
    let url = Url::parse(name).map_err(|e| Error::config(format!("'{}' is no URL", shown(name))).source(e))?;
    let web = Web { client: client()?, headers: headers(access)?, url };
    let asked = web.clone();
    // Timers are set when a request is sent: that belongs on the threads for requests.
    let answer = run(async move {
        let answer = asked.send(Method::HEAD, HeaderMap::new()).await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        // Addresses may be signed for GET alone, and servers know no HEAD: what comes with the first byte tells as much.
        asked.send(Method::GET, HeaderMap::from_iter([(RANGE, HeaderValue::from_static("bytes=0-0"))])).await
    })??;
    let status = answer.status();
    if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
        return Ok(None);
    }
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return Err(refused(&web.url, status, answer.headers()).0);
    }
    let of_file = status.is_success();
    let version = Version::of(&answer);
    let changed = version.modified.as_deref().and_then(|t| httpdate::parse_http_date(t).ok());
    let changed = changed.and_then(|t| t.duration_since(UNIX_EPOCH).ok()).filter(|_| of_file);
    Ok(Some(Found {
        name: shown(name).into_owned(),
        size: version.size.filter(|_| of_file),
        changed: changed.map_or(0, |t| u64::try_from(t.as_millis()).unwrap_or(0)),
        tag: version.tag.filter(|_| of_file),
        remote: Remote::Web(web),
    }))
}

impl Web {
    /// Sends a request and follows redirects. What the configuration says to send goes to the host that it names, and to no
    /// other one that a redirect leads to.
    pub(super) async fn send(&self, method: Method, own: HeaderMap) -> Result<Response> {
        let mut url = self.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self.client.request(method.clone(), url.clone()).headers(own.clone());
            if is_same_place(&self.url, &url) {
                request = request.headers(self.headers.clone());
            }
            let answer = request.send().await.map_err(|e| unreachable(&url, e))?;
            let leads = answer.status().is_redirection().then(|| answer.headers().get(LOCATION)).flatten();
            let Some(target) = leads else { return Ok(answer) };
            let target = std::str::from_utf8(target.as_bytes()).ok().and_then(|t| url.join(t).ok());
            let target = target.filter(|url| matches!(url.scheme(), "http" | "https"));
            let lost = || Error::input("a redirect leads nowhere").with("file", shown(self.url.as_str()));
            url = target.ok_or_else(lost)?;
            if is_same_place(&self.url, &url) && url.username().is_empty() {
                // A URL with a host takes both.
                let _ = url.set_username(self.url.username());
                let _ = url.set_password(self.url.password());
            }
        }
        Err(Error::input(format!("more than {MAX_REDIRECTS} redirects")).with("file", shown(self.url.as_str())))
    }
}

/// True for URLs of one host and port; from http to https is no way elsewhere.
fn is_same_place(known: &Url, url: &Url) -> bool {
    let is_upgrade = (known.port_or_known_default(), url.port_or_known_default()) == (Some(80), Some(443));
    let is_safe = known.scheme() == url.scheme() || is_upgrade;
    let is_port = known.port_or_known_default() == url.port_or_known_default() || is_upgrade;
    known.host_str() == url.host_str() && is_port && is_safe
}

/// What an answer says of the file's version.
#[derive(Debug, Clone, Default)]
pub(super) struct Version {
    pub(super) tag: Option<String>,
    pub(super) modified: Option<String>,
    /// Bytes of the whole file.
    pub(super) size: Option<u64>,
}

impl Version {
    pub(super) fn of(answer: &Response) -> Self {
        let text = |name: HeaderName| answer.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        // Of an answer that is packed for the way, the length is that of the package.
        let is_packed = answer.headers().contains_key(CONTENT_ENCODING);
        let size = match answer.status() {
            StatusCode::PARTIAL_CONTENT => text(CONTENT_RANGE).and_then(|r| r.rsplit('/').next()?.parse().ok()),
            _ => text(CONTENT_LENGTH).and_then(|l| l.parse().ok()).filter(|_| !is_packed),
        };
        Version { tag: text(ETAG), modified: text(LAST_MODIFIED), size }
    }

    /// True when the rest of the file is that of another version, as far as is said.
    pub(super) fn differs(&self, rest: &Version) -> bool {
        if self.tag.is_some() {
            return self.tag != rest.tag;
        }
        let differ = |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if a != b);
        differ(&self.modified, &rest.modified) || matches!((self.size, rest.size), (Some(a), Some(b)) if a != b)
    }
}

/// The client takes the bytes as the file has them: ranges of a packed answer would not fit together.
fn client() -> Result<Client> {
    // Another part of the process may have chosen a provider already; then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("longshore/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(20))
        .read_timeout(Duration::from_secs(60))
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .build()
        .map_err(|e| Error::config("the HTTP client cannot be made").source(e))
}

fn headers(access: &Access) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in &access.headers {
        let wrong = || Error::config(format!("the header '{name}' cannot be sent")).hint("headers are lines of text");
        let text = value.as_str().ok_or_else(wrong)?;
        let mut value = HeaderValue::from_str(text).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(HeaderName::try_from(name.as_str()).map_err(|_| wrong())?, value);
    }
    Ok(headers)
}

/// Returns a URL without its query, which may hold a signature or a token, and without name and password.
pub(in super::super) fn shown(url: &str) -> Cow<'_, str> {
    let url = url.split(['?', '#']).next().unwrap_or(url);
    let Some((scheme, rest)) = url.split_once("://") else { return url.into() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{host}{path}").into(),
        None => url.into(),
    }
}

pub(super) fn unreachable(url: &Url, e: reqwest::Error) -> Error {
    let what = if e.is_timeout() { "no answer in time" } else { "no connection" };
    Error::new(ErrorKind::Unavailable, what).with("file", shown(url.as_str())).source(e.without_url())
}

/// The error of a status, and how long the server asks to wait where it may pass.
pub(super) fn refused(url: &Url, status: StatusCode, headers: &HeaderMap) -> (Error, Option<Duration>) {
    let passes = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
    let kind = if passes { ErrorKind::Unavailable } else { ErrorKind::Input };
    let name = status.canonical_reason().unwrap_or("no known status").to_lowercase();
    let error =
        Error::new(kind, format!("the server answered {} {name}", status.as_u16())).with("file", shown(url.as_str()));
    let error = match status.as_u16() {
        401 | 403 => error.hint("give what it wants by 'headers' of the source, or in the URL"),
        _ => error,
    };
    let asked = headers.get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse().ok());
    (error, passes.then(|| Duration::from_secs(asked.unwrap_or(0).min(300))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_a_url_is_shown() {
        for (url, said) in [
            ("https://us:p%40ss@host:8/a@b.json?sig=x#y", "https://host:8/a@b.json"),
            ("http://token@host", "http://host"),
            ("http://host/a.json", "http://host/a.json"),
        ] {
            assert_eq!(shown(url), said);
        }
    }

    #[test]
    fn another_port_or_host_is_another_place() {
        let same = |a: &str, b: &str| is_same_place(&Url::parse(a).unwrap(), &Url::parse(b).unwrap());
        assert!(same("http://a/x", "http://a:80/y") && same("http://a/x", "https://a/x"));
        assert!(
            !same("https://a/x", "http://a/x")
                && !same("http://a/x", "http://b/x")
                && !same("http://a:8/x", "https://a/x")
        );
    }
}
