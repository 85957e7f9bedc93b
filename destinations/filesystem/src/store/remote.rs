//! A bucket: requests on threads of their own, tried again when their failure may pass.

use crate::config::Bucket;
use crate::credentials::Cloud;
use crate::error::{Action, from_store};
use longshore_core::error::{Error, Result};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path as ObjectPath;
use object_store::{
    ClientOptions, Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, RetryConfig,
};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};

/// A bucket, with what its errors are to say.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) cloud: Cloud,
    pub(crate) bucket: String,
    pub(super) prefix: String,
}

/// Tries of our own, beyond those of `object_store`: for answers that it believes to be final.
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Connections live on the runtime they were made on, and commands make several short ones: all
/// requests run here.
pub(crate) fn io() -> Result<Handle> {
    static IO: OnceLock<Option<Runtime>> = OnceLock::new();
    let build = || {
        let builder = &mut tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).thread_name("object-store").enable_all().build().ok()
    };
    let runtime = IO.get_or_init(build).as_ref();
    runtime.map(|r| r.handle().clone()).ok_or_else(|| Error::internal("cannot start the threads for requests"))
}

impl Remote {
    /// Returns the object's key of a path.
    pub(crate) fn key(&self, path: &str) -> Result<ObjectPath> {
        let whole =
            [self.prefix.as_str(), path].iter().filter(|p| !p.is_empty()).copied().collect::<Vec<_>>().join("/");
        ObjectPath::parse(&whole)
            .map_err(|e| Error::config("that is no name of an object").with("key", whole).source(e))
    }

    pub(crate) fn error(&self, e: StoreError, path: &str, action: Action) -> Error {
        let key = self.key(path).map_or_else(|_| path.to_owned(), |k| k.to_string());
        from_store(e, self.cloud, &self.bucket, &key, action)
    }

    pub(super) async fn put(&self, path: &str, bytes: PutPayload, mode: PutMode) -> Result<bool> {
        let key = self.key(path)?;
        self.retry(path, Action::Write, move |objects| {
            let (key, bytes, mode) = (key.clone(), bytes.clone(), mode.clone());
            async move {
                match objects.put_opts(&key, bytes.clone(), PutOptions::from(mode)).await {
                    Ok(_) => Ok(true),
                    Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => Ok(false),
                    // No conditional puts there: look first, as well as it can be done.
                    Err(StoreError::NotImplemented { .. } | StoreError::NotSupported { .. }) => {
                        match objects.head(&key).await {
                            Ok(_) => Ok(false),
                            Err(StoreError::NotFound { .. }) => objects.put(&key, bytes).await.map(|_| true),
                            Err(e) => Err(e),
                        }
                    }
                    Err(e) => Err(e),
                }
            }
        })
        .await
    }

    /// Runs requests on the threads for them, and again after a pause when their failure may pass.
    pub(crate) async fn retry<T, F>(
        &self,
        path: &str,
        action: Action,
        request: impl Fn(Arc<dyn ObjectStore>) -> F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let answer = io()?.spawn(request(Arc::clone(&self.objects))).await;
            let answer = answer.map_err(|e| Error::internal("a request broke off").source(e))?;
            match answer.map_err(|e| self.error(e, path, action)) {
                Err(e) if e.is_retryable() && attempt < TRIES => {
                    tracing::debug!(error = %e, attempt, "a request failed, trying again");
                    let sleep = tokio::time::sleep(pause);
                    pause *= 4;
                    sleep.await;
                }
                outcome => return outcome,
            }
        }
        Err(Error::internal("no try left"))
    }
}

pub(super) fn build(bucket: &Bucket) -> object_store::Result<Arc<dyn ObjectStore>> {
    // Requests are retried on 5xx (slow down) and lost connections, with growing pauses.
    let retry = RetryConfig { max_retries: 8, retry_timeout: Duration::from_secs(120), ..RetryConfig::default() };
    // A part of eight megabytes may take its time on a slow line.
    let client =
        ClientOptions::new().with_timeout(Duration::from_secs(120)).with_connect_timeout(Duration::from_secs(10));
    let name = &bucket.name;
    match bucket.cloud {
        Cloud::Aws => {
            let mut builder =
                AmazonS3Builder::new().with_client_options(client).with_retry(retry).with_bucket_name(name);
            for (key, value) in &bucket.options {
                builder = builder.with_config(key.parse()?, value);
            }
            Ok(Arc::new(builder.build()?))
        }
        Cloud::Google => {
            let mut builder =
                GoogleCloudStorageBuilder::new().with_client_options(client).with_retry(retry).with_bucket_name(name);
            for (key, value) in &bucket.options {
                builder = builder.with_config(key.parse()?, value);
            }
            Ok(Arc::new(builder.build()?))
        }
        Cloud::Azure => {
            let mut builder =
                MicrosoftAzureBuilder::new().with_client_options(client).with_retry(retry).with_container_name(name);
            for (key, value) in &bucket.options {
                builder = builder.with_config(key.parse()?, value);
            }
            Ok(Arc::new(builder.build()?))
        }
    }
}
