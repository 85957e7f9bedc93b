//! Files that are not on this machine: in object stores and behind HTTP.
//!
//! * `bucket`: what a key, a prefix or a pattern stands for in an object store;
//! * `web`: one file behind an HTTP(S) URL;
//! * `reader`: their bytes, in order, fetched again from where a connection broke.

mod bucket;
mod reader;
mod web;

pub(super) use bucket::find;
pub(super) use reader::RemoteReader;
pub(super) use web::{Web, ask, shown};

use longshore_core::connect::Connection;
use longshore_core::error::{Error, Result};
use longshore_object_store::Bucket;
use object_store::ObjectStore;
use object_store::path::Path as Key;
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;

/// How files elsewhere are reached. Nothing of it is ever printed but the names of its settings.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Access {
    /// dlt's names, or those of `object_store`.
    pub(crate) credentials: Map<String, Value>,
    /// Headers of HTTP requests.
    pub(crate) headers: Map<String, Value>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.credentials.keys().chain(self.headers.keys())).finish()
    }
}

/// A file elsewhere.
#[derive(Clone)]
pub(super) enum Remote {
    Object { bucket: Bucket, store: Arc<dyn ObjectStore>, key: Key },
    Web(Web),
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remote::Object { bucket, key, .. } => f.write_str(&bucket.url(key.as_ref())),
            Remote::Web(web) => f.write_str(&shown(web.url.as_str())),
        }
    }
}

/// What is known of a file elsewhere before it is read.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) remote: Remote,
    /// Its URL without what may be a secret.
    pub(super) name: String,
    pub(super) size: Option<u64>,
    /// Milliseconds since 1970; 0 when it is not known.
    pub(super) changed: u64,
    /// The store's word for this version of the file.
    pub(super) tag: Option<String>,
}

/// Returns true for the name of a file that is not on this machine: a URL.
pub fn is_remote(name: &str) -> bool {
    name.split_once("://").is_some_and(|(scheme, _)| !scheme.eq_ignore_ascii_case("file"))
}

/// Returns the path that a `file://` URL says; another name as it is.
pub(crate) fn as_path(name: &str) -> &str {
    match name.split_once("://") {
        Some((scheme, path)) if scheme.eq_ignore_ascii_case("file") => path,
        _ => name,
    }
}

/// Returns true for a URL that is one file of a web server.
pub(super) fn is_web(name: &str) -> bool {
    let scheme = name.split("://").next().unwrap_or_default();
    is_remote(name) && (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
}

/// Checks that a URL is one that can be read.
pub(crate) fn check_scheme(name: &str) -> Result<()> {
    let scheme = &*name.split("://").next().unwrap_or_default().to_ascii_lowercase();
    if matches!(scheme, "http" | "https") {
        // What stands behind a question mark or `#` is no name.
        let path = name.split(['?', '#']).next().unwrap_or_default();
        return match path.contains('*') {
            true => Err(Error::config("behind http(s) a URL is one file, and there are no patterns")
                .hint("write a list of URLs; a '*' that is part of a name is written %2A")),
            false => Ok(()),
        };
    }
    if longshore_object_store::Cloud::of_scheme(scheme).is_some() {
        return Ok(());
    }
    Err(Error::config(format!("files at {scheme}:// cannot be read"))
        .hint("write a path, or s3://, gs://, az://, https://"))
}

/// Finds the files that a URL stands for; `None` when there is none.
pub(super) fn locate(name: &str, access: &Access, surroundings: &Connection) -> Result<Option<Vec<Found>>> {
    check_scheme(name)?;
    match Bucket::parse(name, &access.credentials, surroundings)? {
        Some(bucket) => find(bucket),
        None => ask(name, access).map(|found| found.map(|f| vec![f])),
    }
}
