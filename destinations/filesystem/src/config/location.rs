//! Where datasets are: a folder, or a prefix in a bucket.

use super::QUERY_KEYS;
use crate::credentials::{self, Cloud};
use crate::layout::nearest;
use longshore_core::connect::Connection;
use longshore_core::error::{Error, Result};
use serde_json::{Map, Value};
use std::path::PathBuf;
use url::form_urlencoded;

/// A folder, or a prefix in a bucket.
#[derive(Debug, Clone)]
pub enum Location {
    /// A folder of this machine; made if it is missing.
    Folder(PathBuf),
    /// A bucket, which must exist.
    Bucket(Bucket),
}

/// A prefix in a bucket.
#[derive(Clone)]
pub struct Bucket {
    pub(crate) cloud: Cloud,
    /// The URL's scheme, as it was written.
    pub(crate) scheme: String,
    pub(crate) name: String,
    /// Azure's `container@account.dfs.core.windows.net`: the host.
    pub(crate) host: Option<String>,
    pub(crate) prefix: String,
    /// Options of `object_store`, secrets among them.
    pub(crate) options: Vec<(String, String)>,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bucket").field("name", &self.name).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Location::Folder(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                match url::Url::from_file_path(&path) {
                    Ok(url) => f.write_str(url.as_str().trim_end_matches('/')),
                    Err(()) => write!(f, "file://{}", path.display()),
                }
            }
            Location::Bucket(b) => {
                write!(f, "{}://{}", b.scheme, b.name)?;
                if let Some(host) = &b.host {
                    write!(f, "@{host}")?;
                }
                if b.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", b.prefix) }
            }
        }
    }
}

/// A URL and the pairs of its query. Of a bare path, only a query of known settings is one: a folder's
/// name may have a question mark.
pub(super) fn split_query(url: &str) -> (String, Vec<(String, String)>) {
    let Some((place, query)) = url.split_once('?') else { return (url.to_owned(), Vec::new()) };
    let pairs: Vec<(String, String)> =
        form_urlencoded::parse(query.as_bytes()).map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
    let is_url = url.contains("://") || url.starts_with("file:");
    if !is_url && pairs.iter().any(|(k, _)| !QUERY_KEYS.contains(&k.as_str())) {
        return (url.to_owned(), Vec::new());
    }
    (place.to_owned(), pairs)
}

pub(super) fn location(
    place: &str,
    connection: &Connection,
    credentials: &Map<String, Value>,
    query: Vec<(String, String)>,
) -> Result<Location> {
    let Some((scheme, rest)) = place.split_once("://") else {
        return folder(place, place.strip_prefix("file:").map(str::to_owned), connection, &query);
    };
    let Some(cloud) = Cloud::of_scheme(scheme) else {
        if scheme == "file" {
            let rest = rest.strip_prefix("localhost/").map_or_else(|| rest.to_owned(), |r| format!("/{r}"));
            return folder(place, Some(rest), connection, &query);
        }
        return Err(Error::config(format!("'{scheme}' is no scheme of files"))
            .hint("write file:///folder, s3://bucket/prefix, gs://bucket/prefix, or az://container/prefix"));
    };
    let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let (name, host) = match authority.split_once('@') {
        Some((name, host)) if cloud == Cloud::Azure && !name.contains(':') => (name, Some(host.to_owned())),
        Some(_) => {
            return Err(Error::config("the URL has credentials in it").with("scheme", scheme).hint(
                "credentials belong to the environment, a profile, or the destination's settings, where nothing prints them",
            ));
        }
        None => (authority, None),
    };
    if name.is_empty() {
        return Err(Error::config("the URL names no bucket").hint(format!("write {scheme}://bucket/prefix")));
    }
    let prefix: Vec<&str> = prefix.split('/').filter(|p| !p.is_empty()).collect();
    let mut bucket = Bucket {
        cloud,
        scheme: scheme.to_owned(),
        name: name.to_owned(),
        host,
        prefix: prefix.join("/"),
        options: Vec::new(),
    };
    bucket.options = credentials::options(&bucket, connection, credentials, query)?;
    Ok(Location::Bucket(bucket))
}

/// A folder: of a `file:` URL with its escapes undone, or a path as it is.
fn folder(
    place: &str,
    of_url: Option<String>,
    connection: &Connection,
    query: &[(String, String)],
) -> Result<Location> {
    if let Some((key, _)) = query.first() {
        return Err(unknown_option(key, &QUERY_KEYS));
    }
    let path = match of_url {
        Some(path) => percent_decode(&path),
        None => place.to_owned(),
    };
    let home = || {
        connection.env("HOME").ok_or_else(|| Error::config("there is no home folder").with("path", place.to_owned()))
    };
    let path = match path.strip_prefix('~') {
        Some("") => PathBuf::from(home()?),
        Some(rest) if rest.starts_with('/') => PathBuf::from(format!("{}{rest}", home()?)),
        _ => PathBuf::from(path),
    };
    if path.as_os_str().is_empty() {
        return Err(Error::config("the URL names no folder").hint("write file:///folder"));
    }
    Ok(Location::Folder(path))
}

pub(crate) fn unknown_option(key: &str, known: &[&str]) -> Error {
    let error = Error::config(format!("there is no setting '{key}'"));
    match nearest(key, known) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error.hint(format!("settings in a URL are {}", QUERY_KEYS.join(", "))),
    }
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| first == b'%').and_then(|d| std::str::from_utf8(d).ok());
        match digits.and_then(|d| u8::from_str_radix(d, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(first);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}
