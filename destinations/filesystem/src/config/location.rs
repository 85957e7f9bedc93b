//! Where datasets are: a folder, or a prefix in a bucket.

use super::QUERY_KEYS;
use longshore_core::connect::Connection;
use longshore_core::error::{Error, Result};
use longshore_core::misspelt::suggest;
use longshore_object_store::Bucket;
use serde_json::{Map, Value};
use std::path::PathBuf;
use url::form_urlencoded;

/// A folder, or a prefix in a bucket.
#[derive(Debug, Clone)]
pub enum Location {
    /// A folder of this machine; made if it is missing.
    Folder(PathBuf),
    /// A prefix in a bucket, which must exist.
    Bucket(Bucket),
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
            Location::Bucket(bucket) => f.write_str(bucket.to_string().trim_end_matches('/')),
        }
    }
}

/// A URL and the pairs of its query. A folder's name may have a question mark: one that is there, or has nothing like
/// `key=value` behind it, is a bare path's own. Otherwise a mistyped setting, or a secret, would become a folder's name.
pub(super) fn split_query(url: &str, connection: &Connection) -> (String, Vec<(String, String)>) {
    let Some((place, query)) = url.split_once('?') else { return (url.to_owned(), Vec::new()) };
    let pairs: Vec<(String, String)> =
        form_urlencoded::parse(query.as_bytes()).map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
    let is_url = place.contains("://") || file_url(place).is_some();
    let are_settings = pairs.iter().all(|(k, _)| QUERY_KEYS.contains(&k.as_str()));
    let is_there = || at_home(url, connection).is_ok_and(|path| path.exists());
    if !is_url && !are_settings && (!query.contains('=') || is_there()) {
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
        return folder(place, file_url(place).map(str::to_owned), connection, &query);
    };
    if scheme.eq_ignore_ascii_case("file") {
        let rest = rest.strip_prefix("localhost/").map_or_else(|| rest.to_owned(), |r| format!("/{r}"));
        return folder(place, Some(rest), connection, &query);
    }
    let Some(mut bucket) = Bucket::at(place, query, credentials, connection, &QUERY_KEYS)? else {
        return Err(Error::config(format!("'{scheme}' is no scheme of files"))
            .hint("write file:///folder, s3://bucket/prefix, gs://bucket/prefix, or az://container/prefix"));
    };
    let prefix: Vec<&str> = bucket.key.split('/').filter(|p| !p.is_empty()).collect();
    bucket.key = prefix.join("/");
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
    let path = at_home(&path, connection)?;
    if path.as_os_str().is_empty() {
        return Err(Error::config("the URL names no folder").hint("write file:///folder"));
    }
    Ok(Location::Folder(path))
}

/// What stands behind `file:`, however that is written.
fn file_url(place: &str) -> Option<&str> {
    place.split_at_checked(5).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("file:")).map(|(_, rest)| rest)
}

/// A path with its `~` replaced.
fn at_home(path: &str, connection: &Connection) -> Result<PathBuf> {
    let home =
        || connection.env("HOME").ok_or_else(|| Error::config("there is no home folder").with("path", path.to_owned()));
    Ok(match path.strip_prefix('~') {
        Some("") => PathBuf::from(home()?),
        Some(rest) if rest.starts_with('/') => PathBuf::from(format!("{}{rest}", home()?)),
        _ => PathBuf::from(path),
    })
}

fn unknown_option(key: &str, known: &[&str]) -> Error {
    let near = suggest(key, known.iter().copied());
    Error::config(format!("there is no setting '{key}'"))
        .hint(near.unwrap_or_else(|| format!("settings in a URL are {}", QUERY_KEYS.join(", "))))
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
