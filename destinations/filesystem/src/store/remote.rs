//! A bucket: requests on threads of their own, tried again when their failure may pass.

use longshore_core::error::{Error, ErrorKind, Result};
use longshore_object_store::{Action, Bucket, from_store, requests};
use object_store::path::Path as ObjectPath;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use std::sync::Arc;
use std::time::Duration;

/// A bucket, with what its errors are to say.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// Its key is the prefix of all datasets.
    pub(crate) bucket: Bucket,
}

/// Tries of our own, beyond those of `object_store`: for answers that it believes to be final.
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

impl Remote {
    pub(super) fn open(bucket: &Bucket) -> Result<Self> {
        Ok(Remote { objects: bucket.open()?, bucket: bucket.clone() })
    }

    /// Returns the object's key of a path.
    pub(crate) fn key(&self, path: &str) -> Result<ObjectPath> {
        let whole =
            [self.bucket.key.as_str(), path].iter().filter(|p| !p.is_empty()).copied().collect::<Vec<_>>().join("/");
        ObjectPath::parse(&whole)
            .map_err(|e| Error::config("that is no name of an object").with("key", whole).source(e))
    }

    pub(crate) fn error(&self, e: StoreError, path: &str, action: Action) -> Error {
        let key = self.key(path).map_or_else(|_| path.to_owned(), |k| k.to_string());
        from_store(e, self.bucket.cloud, &self.bucket.name, &key, action, ErrorKind::Destination)
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
            let answer = requests()?.spawn(request(Arc::clone(&self.objects))).await;
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
