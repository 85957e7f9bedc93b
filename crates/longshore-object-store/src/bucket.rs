//! A bucket: read from a URL, and opened.

use crate::cloud::Cloud;
use crate::credentials;
use crate::http::Connector;
use crate::listing::Unreadable;
use longshore_core::connect::Connection;
use longshore_core::error::{Error, Result};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use serde_json::{Map, Value};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};
use url::form_urlencoded;

/// A bucket or container, with what is behind it in the URL.
#[derive(Clone)]
pub struct Bucket {
    /// Whose.
    pub cloud: Cloud,
    /// The URL's scheme, in small letters.
    pub scheme: String,
    /// Its name.
    pub name: String,
    /// Azure's `container@account.dfs.core.windows.net`: the host.
    pub host: Option<String>,
    /// What stands behind the bucket: a prefix, a key or a pattern, without a slash at its begin.
    pub key: String,
    /// The profile of `~/.aws` that the URL or the settings name.
    profile: Option<String>,
    /// Options of `object_store`, secrets among them.
    options: Vec<(String, String)>,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bucket").field("name", &self.name).field("key", &self.key).finish_non_exhaustive()
    }
}

/// Without secrets: `s3://bucket/key`.
impl std::fmt::Display for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.url(&self.key))
    }
}

impl Bucket {
    /// Reads `s3://bucket/key?region=…`; `None` when the scheme is no object store's. A question mark that no setting
    /// follows belongs to the key, which may be a pattern.
    ///
    /// # Errors
    /// When the URL names no bucket, has a secret in it, or a setting is unknown.
    pub fn parse(url: &str, credentials: &Map<String, Value>, surroundings: &Connection) -> Result<Option<Self>> {
        let (place, query) = match url.rsplit_once('?') {
            Some((place, query)) if query.contains('=') => (place, query),
            _ => (url, ""),
        };
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self::at(place, query, credentials, surroundings, &[])
    }

    /// Reads `s3://bucket/key` and the settings of its query. `others` are settings that somebody else knows: an unknown one
    /// may be one of them, mistyped.
    ///
    /// # Errors
    /// As [`Bucket::parse`].
    pub fn at(
        place: &str,
        query: Vec<(String, String)>,
        credentials: &Map<String, Value>,
        surroundings: &Connection,
        others: &[&str],
    ) -> Result<Option<Self>> {
        let Some((scheme, rest)) = place.split_once("://") else { return Ok(None) };
        let scheme = &*scheme.to_ascii_lowercase();
        let Some(cloud) = Cloud::of_scheme(scheme) else { return Ok(None) };
        let (authority, key) = rest.split_once('/').unwrap_or((rest, ""));
        let (name, host) = match authority.split_once('@') {
            Some((name, host)) if cloud == Cloud::Azure && !name.contains(':') => (name, Some(host.to_owned())),
            Some(_) => {
                return Err(Error::config("the URL has credentials in it").with("scheme", scheme).hint(
                    "credentials belong to the environment, a profile, or the settings, where nothing prints them",
                ));
            }
            None => (authority, None),
        };
        if name.is_empty() {
            return Err(Error::config("the URL names no bucket").hint(format!("write {scheme}://bucket/key")));
        }
        let mut bucket = Bucket {
            cloud,
            scheme: scheme.to_owned(),
            name: name.to_owned(),
            host,
            key: key.trim_start_matches('/').to_owned(),
            profile: None,
            options: Vec::new(),
        };
        (bucket.options, bucket.profile) = credentials::options(&bucket, surroundings, credentials, query, others)?;
        Ok(Some(bucket))
    }

    /// Returns the settings that a URL may show: no secret is among them.
    pub fn shown(&self) -> impl Iterator<Item = (&str, &str)> {
        // An account that the host names need not be said twice.
        let is_said = |key: &str| self.host.is_some() && key == "azure_storage_account_name";
        let pairs = self.options.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let profile = self.profile.as_deref().map(|name| ("profile", name));
        pairs.filter(move |(key, _)| credentials::is_shown(key) && !is_said(key)).chain(profile)
    }

    /// Returns the URL of another key in it.
    pub fn url(&self, key: &str) -> String {
        let host = self.host.as_ref().map(|h| format!("@{h}")).unwrap_or_default();
        format!("{}://{}{host}/{key}", self.scheme, self.name)
    }

    /// Opens it; nothing is asked yet.
    ///
    /// # Errors
    /// When the settings do not go together.
    pub fn open(&self) -> Result<Arc<dyn ObjectStore>> {
        self.open_noting(&Unreadable::default())
    }

    /// Opens it as [`Bucket::open`]; the keys in its listings that cannot be read, and therefore are left out, are noted.
    ///
    /// # Errors
    /// As [`Bucket::open`].
    pub fn open_noting(&self, unreadable: &Unreadable) -> Result<Arc<dyn ObjectStore>> {
        self.build(unreadable).map_err(|e| {
            Error::config("the object store cannot be opened with these settings").with("bucket", &self.name).source(e)
        })
    }

    fn build(&self, unreadable: &Unreadable) -> object_store::Result<Arc<dyn ObjectStore>> {
        // Requests are retried on 5xx (slow down) and lost connections, with growing pauses.
        let retry = RetryConfig { max_retries: 8, retry_timeout: Duration::from_secs(120), ..RetryConfig::default() };
        let client =
            ClientOptions::new().with_timeout(Duration::from_secs(120)).with_connect_timeout(Duration::from_secs(10));
        let name = &self.name;
        match self.cloud {
            Cloud::Aws => {
                let mut builder =
                    AmazonS3Builder::new().with_client_options(client).with_retry(retry).with_bucket_name(name);
                builder = builder.with_http_connector(Connector::noting(unreadable));
                for (key, value) in &self.options {
                    builder = builder.with_config(key.parse()?, value);
                }
                Ok(Arc::new(builder.build()?))
            }
            Cloud::Google => {
                let mut builder = GoogleCloudStorageBuilder::new()
                    .with_client_options(client)
                    .with_retry(retry)
                    .with_bucket_name(name)
                    .with_http_connector(Connector::noting(unreadable));
                for (key, value) in &self.options {
                    builder = builder.with_config(key.parse()?, value);
                }
                Ok(Arc::new(builder.build()?))
            }
            Cloud::Azure => {
                let mut builder = MicrosoftAzureBuilder::new()
                    .with_client_options(client)
                    .with_retry(retry)
                    .with_container_name(name)
                    .with_http_connector(Connector::noting(unreadable));
                for (key, value) in &self.options {
                    builder = builder.with_config(key.parse()?, value);
                }
                Ok(Arc::new(builder.build()?))
            }
        }
    }
}

/// Returns the threads that requests run on. Connections live on the runtime they were made on, so there is one for
/// the whole process.
///
/// # Errors
/// When no thread can be started.
pub fn requests() -> Result<Handle> {
    static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();
    let build = || {
        let builder = &mut tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).thread_name("object-store").enable_all().build().ok()
    };
    let runtime = RUNTIME.get_or_init(build).as_ref();
    runtime.map(|r| r.handle().clone()).ok_or_else(|| Error::internal("cannot start the threads for requests"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(url: &str, credentials: Value) -> Result<Option<Bucket>> {
        let Value::Object(credentials) = credentials else { panic!("credentials are an object") };
        Bucket::parse(url, &credentials, &Connection::default())
    }

    #[test]
    fn urls_name_bucket_and_key() {
        let bucket = parse("s3://b/a/*.json?region=eu-west-1", json!({})).unwrap().unwrap();
        assert_eq!((bucket.name.as_str(), bucket.key.as_str()), ("b", "a/*.json"));
        assert_eq!(bucket.to_string(), "s3://b/a/*.json");
        let one = parse("gs://b/a?.json", json!({})).unwrap().unwrap();
        assert_eq!(one.key, "a?.json");
        let azure = parse("abfss://box@account.dfs.core.windows.net/x", json!({})).unwrap().unwrap();
        assert_eq!(azure.to_string(), "abfss://box@account.dfs.core.windows.net/x");
        assert!(parse("data/x.json", json!({})).unwrap().is_none());
        assert!(parse("https://host/x.json", json!({})).unwrap().is_none());
    }

    #[test]
    fn secrets_and_typing_errors_are_refused() {
        for url in ["s3://AK:hush@b/x", "s3://b/x?aws_secret_access_key=hush"] {
            let error = parse(url, json!({})).unwrap_err();
            assert!(!format!("{error:?}").contains("hush"));
        }
        let error = parse("s3://b/x", json!({"aws_acess_key_id": "AK"})).unwrap_err();
        assert_eq!(error.hint_text(), Some("did you mean 'aws_access_key_id'?"));
        let bucket = parse("s3://b/x", json!({"aws_access_key_id": "AK", "aws_secret_access_key": "hush"})).unwrap();
        assert!(!format!("{bucket:?}").contains("hush"));
    }
}
