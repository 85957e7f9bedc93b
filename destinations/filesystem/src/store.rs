//! Small files in a folder or a bucket: read, write, create once, list, delete.

use crate::config::{Bucket, Location};
use crate::credentials::Cloud;
use crate::error::{Action, from_io, from_store};
use futures_util::TryStreamExt;
use longshore_core::error::{Error, Result};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path as ObjectPath;
use object_store::{
    ClientOptions, Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, RetryConfig,
};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};

/// Where datasets are; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Store {
    Folder(PathBuf),
    Bucket(Remote),
}

/// A bucket, with what its errors are to say.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) cloud: Cloud,
    pub(crate) bucket: String,
    prefix: String,
}

/// A file that a listing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Below the datasets' folder or prefix.
    pub(crate) path: String,
    pub(crate) bytes: u64,
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

impl Store {
    pub(crate) fn open(location: &Location) -> Result<Self> {
        match location {
            Location::Folder(path) => {
                let absolute = std::path::absolute(path);
                absolute
                    .map(Store::Folder)
                    .map_err(|e| Error::config("the current folder is not to be found").source(e))
            }
            Location::Bucket(bucket) => {
                let wrong = |e: StoreError| {
                    Error::config("the object store cannot be opened with these settings")
                        .with("bucket", &bucket.name)
                        .source(e)
                };
                let objects = build(bucket).map_err(wrong)?;
                let (cloud, name, prefix) = (bucket.cloud, bucket.name.clone(), bucket.prefix.clone());
                Ok(Store::Bucket(Remote { objects, cloud, bucket: name, prefix }))
            }
        }
    }

    /// Returns a file's bytes, or `None` when it is not there.
    pub(crate) async fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        match self {
            Store::Folder(root) => {
                let file = root.join(path);
                match fs::read(&file) {
                    Ok(bytes) => Ok(Some(bytes)),
                    Err(e) if is_missing(&e) => Ok(None),
                    Err(e) => Err(from_io(e, &file)),
                }
            }
            Store::Bucket(remote) => {
                let key = remote.key(path)?;
                remote
                    .retry(path, Action::Read, move |objects| {
                        let key = key.clone();
                        async move {
                            match objects.get(&key).await {
                                Ok(found) => found.bytes().await.map(|b| Some(b.to_vec())),
                                Err(StoreError::NotFound { source, .. })
                                    if !source.to_string().contains("NoSuchBucket") =>
                                {
                                    Ok(None)
                                }
                                Err(e) => Err(e),
                            }
                        }
                    })
                    .await
            }
        }
    }

    /// Writes a file whole, over an older one.
    pub(crate) async fn write(&self, path: &str, bytes: Vec<u8>) -> Result<()> {
        match self {
            Store::Folder(root) => {
                let file = root.join(path);
                place(&file, &bytes, |from| fs::rename(from, &file)).map_err(|e| from_io(e, &file))
            }
            Store::Bucket(remote) => remote.put(path, bytes.into(), PutMode::Overwrite).await.map(|_| ()),
        }
    }

    /// Writes a file whole unless there is one already: then it returns false and changes nothing. Of two
    /// writers one wins, where the store has conditional puts.
    pub(crate) async fn create(&self, path: &str, bytes: Vec<u8>) -> Result<bool> {
        match self {
            Store::Folder(root) => {
                let file = root.join(path);
                match place(&file, &bytes, |from| fs::hard_link(from, &file)) {
                    Ok(()) => Ok(true),
                    Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
                    Err(e) => Err(from_io(e, &file)),
                }
            }
            Store::Bucket(remote) => remote.put(path, bytes.into(), PutMode::Create).await,
        }
    }

    /// Returns the files below a folder, in any depth, sorted by path.
    pub(crate) async fn list(&self, folder: &str) -> Result<Vec<Entry>> {
        let mut entries = match self {
            Store::Folder(root) => {
                let mut entries = Vec::new();
                list_folder(root, &root.join(folder), &mut entries)?;
                entries
            }
            Store::Bucket(remote) => {
                let prefix = remote.key(folder)?;
                let strip = remote.prefix.clone();
                let found = remote
                    .retry(folder, Action::List, move |objects| {
                        let prefix = prefix.clone();
                        async move { objects.list(Some(&prefix)).try_collect::<Vec<_>>().await }
                    })
                    .await?;
                let relative = |key: &ObjectPath| {
                    let key = key.as_ref();
                    key.strip_prefix(&strip).unwrap_or(key).trim_start_matches('/').to_owned()
                };
                found.iter().map(|o| Entry { path: relative(&o.location), bytes: o.size }).collect()
            }
        };
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    /// Returns a file's size, or `None` when it is not there.
    pub(crate) async fn size(&self, path: &str) -> Result<Option<u64>> {
        match self {
            Store::Folder(root) => {
                let file = root.join(path);
                match fs::metadata(&file) {
                    Ok(found) => Ok(Some(found.len())),
                    Err(e) if is_missing(&e) => Ok(None),
                    Err(e) => Err(from_io(e, &file)),
                }
            }
            Store::Bucket(remote) => {
                let key = remote.key(path)?;
                remote
                    .retry(path, Action::Read, move |objects| {
                        let key = key.clone();
                        async move {
                            match objects.head(&key).await {
                                Ok(found) => Ok(Some(found.size)),
                                Err(StoreError::NotFound { .. }) => Ok(None),
                                Err(e) => Err(e),
                            }
                        }
                    })
                    .await
            }
        }
    }

    /// Copies a file to one of this machine.
    pub(crate) async fn fetch(&self, path: &str, to: &Path) -> Result<()> {
        let folder = to.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder).map_err(|e| from_io(e, folder))?;
        let Store::Bucket(remote) = self else {
            return Err(Error::internal("a folder's files need not be fetched"));
        };
        let (key, to) = (remote.key(path)?, to.to_path_buf());
        remote
            .retry(path, Action::Read, move |objects| {
                let (key, to) = (key.clone(), to.clone());
                async move {
                    let failed =
                        |e: std::io::Error| StoreError::Generic { store: "temporary folder", source: e.into() };
                    let mut file = fs::File::create(&to).map_err(failed)?;
                    let mut bytes = objects.get(&key).await?.into_stream();
                    while let Some(piece) = bytes.try_next().await? {
                        file.write_all(&piece).map_err(failed)?;
                    }
                    Ok(())
                }
            })
            .await
    }

    /// Deletes a file, if it is there.
    pub(crate) async fn delete(&self, path: &str) -> Result<()> {
        match self {
            Store::Folder(root) => {
                let file = root.join(path);
                match fs::remove_file(&file) {
                    Err(e) if !is_missing(&e) => Err(from_io(e, &file)),
                    _ => {
                        remove_empty_folders(root, &file);
                        Ok(())
                    }
                }
            }
            Store::Bucket(remote) => {
                let key = remote.key(path)?;
                remote
                    .retry(path, Action::Delete, move |objects| {
                        let key = key.clone();
                        async move {
                            match objects.delete(&key).await {
                                Err(StoreError::NotFound { .. }) => Ok(()),
                                other => other,
                            }
                        }
                    })
                    .await
            }
        }
    }
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

    async fn put(&self, path: &str, bytes: PutPayload, mode: PutMode) -> Result<bool> {
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

fn build(bucket: &Bucket) -> object_store::Result<Arc<dyn ObjectStore>> {
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

fn is_missing(e: &std::io::Error) -> bool {
    matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

/// Writes a temporary file beside `file`, to disk, and brings it there in one step.
fn place(file: &Path, bytes: &[u8], bring: impl FnOnce(&Path) -> std::io::Result<()>) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let mut temporary = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_data()?;
    // A temporary file is for its owner alone; what is brought has the usual rights.
    open_up(temporary.as_file())?;
    let brought = bring(temporary.path());
    if brought.is_ok() {
        // After a rename there is nothing left to remove.
        let _ = temporary.close();
        sync_folder(folder)?;
    }
    brought
}

#[cfg(unix)]
fn open_up(file: &fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn open_up(_: &fs::File) -> std::io::Result<()> {
    Ok(())
}

/// Makes a folder's new names outlive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

fn list_folder(root: &Path, folder: &Path, entries: &mut Vec<Entry>) -> Result<()> {
    let found = match fs::read_dir(folder) {
        Ok(found) => found,
        Err(e) if is_missing(&e) => return Ok(()),
        Err(e) => return Err(from_io(e, folder)),
    };
    for entry in found {
        let path = entry.map_err(|e| from_io(e, folder))?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            list_folder(root, &path, entries)?;
        } else if !name.starts_with(".new-")
            && let (Ok(relative), Ok(found)) = (path.strip_prefix(root), fs::metadata(&path))
        {
            let relative: Vec<_> =
                relative.components().map(|c| c.as_os_str().to_string_lossy().into_owned()).collect();
            entries.push(Entry { path: relative.join("/"), bytes: found.len() });
        }
    }
    Ok(())
}

/// Removes the folders that a deleted file leaves empty, up to the datasets' folder.
pub(crate) fn remove_empty_folders(root: &Path, file: &Path) {
    for folder in file.ancestors().skip(1).take_while(|f| *f != root && f.starts_with(root)) {
        if fs::remove_dir(folder).is_err() {
            return; // not empty
        }
    }
}
