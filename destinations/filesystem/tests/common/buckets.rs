//! Buckets for the conformance suite: a prefix of its own for each test.

use super::servers::{self, BUCKET, KEY, SECRET, Server};
use longshore_core::Result;
use longshore_core::connect::Connection;
use longshore_core::destination::Destination;
use longshore_testkit::harness::{Harness, Site};
use longshore_testkit::rows::Rows;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A bucket, and what opens it.
pub struct Buckets {
    pub url: String,
    pub credentials: Map<String, Value>,
    pub next: AtomicU64,
    /// Kept while tests run.
    pub server: Box<dyn std::any::Any + Send + Sync>,
}

impl std::fmt::Debug for Buckets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.url)
    }
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("credentials are an object") };
    map
}

impl Buckets {
    pub fn s3() -> Self {
        let server = servers::s3();
        let credentials = s3_credentials(&server);
        Buckets { url: format!("s3://{BUCKET}"), credentials, next: AtomicU64::new(0), server: Box::new(server) }
    }

    pub fn gcs() -> Self {
        let server = servers::gcs();
        let credentials =
            object(json!({"endpoint_url": format!("http://{}", server.address), "google_skip_signature": "true"}));
        Buckets { url: format!("gs://{BUCKET}"), credentials, next: AtomicU64::new(0), server: Box::new(server) }
    }

    pub fn azure() -> Self {
        let server = super::azurite::Azurite::shared();
        let credentials = object(json!({
            "azure_storage_account_name": super::azurite::ACCOUNT,
            "azure_storage_account_key": super::azurite::KEY,
            "azure_endpoint": server.endpoint,
        }));
        Buckets { url: format!("az://{BUCKET}"), credentials, next: AtomicU64::new(0), server: Box::new(server) }
    }

    pub fn open(&self, prefix: u64) -> Result<Arc<dyn Destination>> {
        // The process too: several may share a server.
        let url = format!("{}/test-{}-{prefix}", self.url, std::process::id());
        super::open(&connection(&url, &self.credentials))
    }
}

pub fn s3_credentials(server: &Server) -> Map<String, Value> {
    object(json!({
        "endpoint_url": format!("http://{}", server.address),
        "aws_access_key_id": KEY,
        "aws_secret_access_key": SECRET,
        "region_name": "eu-north-1",
    }))
}

pub fn connection(url: &str, credentials: &Map<String, Value>) -> Connection {
    let mut connection = Connection::new(url);
    connection.settings.insert("credentials".to_owned(), Value::Object(credentials.clone()));
    connection
}

/// One test's prefix.
struct Prefix {
    buckets: Arc<Buckets>,
    number: u64,
}

/// The harness: buckets that tests share.
#[derive(Debug)]
pub struct Shared(pub Arc<Buckets>);

#[async_trait::async_trait]
impl Harness for Shared {
    async fn site(&self) -> Result<Arc<dyn Site>> {
        let number = self.0.next.fetch_add(1, Ordering::SeqCst);
        Ok(Arc::new(Prefix { buckets: Arc::clone(&self.0), number }))
    }
}

#[async_trait::async_trait]
impl Site for Prefix {
    async fn open(&self) -> Result<Arc<dyn Destination>> {
        self.buckets.open(self.number)
    }

    async fn read(&self, dataset: &str, table: &str) -> Result<Option<Rows>> {
        super::read(&*self.open().await?, dataset, table).await
    }

    fn sequences(&self) -> u64 {
        10
    }
}
