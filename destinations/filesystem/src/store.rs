//! Small files in a folder or a bucket: read, write, create once, list, delete.

mod folder;
mod remote;

pub(crate) use folder::{forgotten, remove_empty_folders, sync_folder};
pub(crate) use remote::Remote;

use crate::config::Location;
use crate::error::from_io;
use folder::{is_missing, list_folder, place};
use futures_util::TryStreamExt;
use longshore_core::error::{Error, Result};
use longshore_object_store::Action;
use object_store::path::Path as ObjectPath;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where datasets are; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Store {
    Folder(PathBuf),
    Bucket(Remote),
}

/// A file that a listing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Below the datasets' folder or prefix.
    pub(crate) path: String,
    pub(crate) bytes: u64,
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
            Location::Bucket(bucket) => Remote::open(bucket).map(Store::Bucket),
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
                let strip = remote.bucket.key.clone();
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

    /// Says whether a file is there.
    ///
    /// # Errors
    /// Also when it is there and may not be read.
    pub(crate) async fn is_there(&self, path: &str) -> Result<bool> {
        let Store::Folder(root) = self else { return Ok(self.size(path).await?.is_some()) };
        let file = root.join(path);
        match fs::File::open(&file) {
            Ok(_) => Ok(true),
            Err(e) if is_missing(&e) => Ok(false),
            Err(e) => Err(from_io(e, &file)),
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
