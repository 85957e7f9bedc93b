//! Where the bytes of a data file go while it is written: nobody sees them before they are published.
//!
//! A folder gets a temporary file, renamed when it is published. A bucket gets the parts of a multipart
//! upload, which is completed when it is published; a file smaller than a part waits in memory.

use crate::error::from_io;
use crate::store::{Remote, Store, remove_empty_folders, sync_folder};
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_object_store::{Action, requests};
use object_store::{
    Attribute, Attributes, Error as StoreError, GetOptions, MultipartUpload, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutPayload,
};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use tokio::task::JoinHandle;

/// Bytes of a part. Stores want five megabytes at least, and R2 parts of one size.
const PART: usize = 8 << 20;
/// Parts on their way at once, over all files of a load.
const PARTS_UNDER_WAY: usize = 6;
/// Bytes gathered before they are written to a temporary file.
const GATHER: usize = 1 << 20;
/// The object's metadata that says which attempt wrote it.
const ATTEMPT: &str = "longshore-attempt";

/// Takes a data file's bytes.
#[derive(Debug)]
pub(crate) struct Sink {
    to: Target,
    buffer: Vec<u8>,
    written: u64,
    attempt: Arc<str>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one a data file, and few of those are open at once")]
enum Target {
    File(PathBuf),
    Object { remote: Remote, path: String, slots: Arc<Slots>, upload: Option<Upload> },
}

/// A multipart upload with its parts.
#[derive(Debug)]
struct Upload {
    upload: Box<dyn MultipartUpload>,
    parts: Vec<JoinHandle<Result<(), StoreError>>>,
}

/// A file that is whole, and not visible yet.
#[derive(Debug)]
pub(crate) struct Written {
    to: Target,
    rest: Vec<u8>,
    bytes: u64,
    attempt: Arc<str>,
}

/// Bounds the parts under way, and with them memory.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    taken: Mutex<usize>,
    freed: Condvar,
}

struct Slot(Arc<Slots>);

impl Slots {
    fn take(self: &Arc<Self>) -> Slot {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken >= PARTS_UNDER_WAY {
            taken = self.freed.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken += 1;
        Slot(Arc::clone(self))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.freed.notify_one();
    }
}

impl Sink {
    /// Returns a sink into a temporary file.
    pub(crate) fn file(path: PathBuf) -> Self {
        Sink { to: Target::File(path), buffer: Vec::new(), written: 0, attempt: Arc::from("") }
    }

    /// Returns a sink into the object of that path below the datasets' prefix.
    pub(crate) fn object(remote: &Remote, path: String, slots: &Arc<Slots>, attempt: &Arc<str>) -> Self {
        let to = Target::Object { remote: remote.clone(), path, slots: Arc::clone(slots), upload: None };
        Sink { to, buffer: Vec::new(), written: 0, attempt: Arc::clone(attempt) }
    }

    /// Bytes written so far.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Bytes that wait in memory.
    pub(crate) fn held(&self) -> usize {
        self.buffer.capacity()
    }

    fn pass_on(&mut self, at_least: usize) -> Result<()> {
        let limit = if matches!(self.to, Target::File(_)) { GATHER } else { PART };
        while self.buffer.len() >= limit.max(at_least) && !self.buffer.is_empty() {
            match &mut self.to {
                Target::File(path) => {
                    append(path, &self.buffer).map_err(|e| from_io(e, path))?;
                    self.buffer.clear();
                }
                Target::Object { remote, path, slots, upload } => {
                    let rest = self.buffer.split_off(PART.min(self.buffer.len()));
                    let part = std::mem::replace(&mut self.buffer, rest);
                    send_part(remote, path, slots, upload, part, &self.attempt)?;
                }
            }
        }
        Ok(())
    }

    /// Ends the file. `keep` says whether what is less than a part may wait in memory.
    pub(crate) fn finish(mut self, keep: bool) -> Result<Written> {
        match &mut self.to {
            Target::File(path) => {
                let write = |path: &PathBuf| {
                    append(path, &self.buffer)?;
                    fs::File::open(path)?.sync_data()
                };
                write(path).map_err(|e| from_io(e, path))?;
                self.buffer = Vec::new();
            }
            Target::Object { remote, path, slots, upload } => {
                if upload.is_some() || !keep {
                    let part = std::mem::take(&mut self.buffer);
                    send_part(remote, path, slots, upload, part, &self.attempt)?;
                }
            }
        }
        Ok(Written { to: self.to, rest: self.buffer, bytes: self.written, attempt: self.attempt })
    }
}

fn append(path: &PathBuf, bytes: &[u8]) -> std::io::Result<()> {
    // Opened for each write, so that a thousand tables need no thousand open files.
    fs::OpenOptions::new().create(true).append(true).open(path)?.write_all(bytes)
}

fn send_part(
    remote: &Remote,
    path: &str,
    slots: &Arc<Slots>,
    upload: &mut Option<Upload>,
    part: Vec<u8>,
    attempt: &Arc<str>,
) -> Result<()> {
    if part.is_empty() && upload.is_some() {
        return Ok(());
    }
    let slot = slots.take();
    let upload = match upload {
        Some(upload) => upload,
        None => {
            let begun = begin(remote, path, attempt)?;
            upload.insert(Upload { upload: begun, parts: Vec::new() })
        }
    };
    let sent = upload.upload.put_part(PutPayload::from(part));
    upload.parts.push(requests()?.spawn(async move {
        let sent = sent.await;
        drop(slot);
        sent
    }));
    Ok(())
}

fn begin(remote: &Remote, path: &str, attempt: &Arc<str>) -> Result<Box<dyn MultipartUpload>> {
    let key = remote.key(path)?;
    let options = PutMultipartOptions { attributes: attributes(attempt), ..PutMultipartOptions::default() };
    let objects = Arc::clone(&remote.objects);
    let (send, receive) = std::sync::mpsc::sync_channel(1);
    requests()?.spawn(async move {
        let _ = send.send(objects.put_multipart_opts(&key, options).await); // the receiver waits for exactly this
    });
    let answer = receive.recv().map_err(|e| Error::internal("an upload could not begin").source(e))?;
    answer.map_err(|e| remote.error(e, path, Action::Write))
}

fn attributes(attempt: &Arc<str>) -> Attributes {
    let mut attributes = Attributes::new();
    attributes.insert(Attribute::Metadata(ATTEMPT.into()), attempt.to_string().into());
    attributes
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        self.written += bytes.len() as u64;
        self.pass_on(0).map_err(std::io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    /// Bytes of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes that wait in memory.
    pub(crate) fn held(&self) -> usize {
        self.rest.capacity()
    }

    /// Where the file is, if it is one of this machine.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.to {
            Target::File(path) => Some(path),
            Target::Object { .. } => None,
        }
    }

    /// Makes the file visible at its place below the datasets' folder.
    pub(crate) async fn publish(self, store: &Store, path: &str) -> Result<()> {
        match (self.to, store) {
            (Target::File(from), Store::Folder(root)) => {
                let to = root.join(path);
                let folder = to.parent().unwrap_or(root).to_path_buf();
                let bring = || {
                    fs::create_dir_all(&folder)?;
                    fs::rename(&from, &to)?;
                    sync_folder(&folder)
                };
                bring().map_err(|e| from_io(e, &to))
            }
            (Target::Object { remote, path, upload, .. }, _) => match upload {
                None => put_whole(&remote, &path, self.rest).await,
                Some(upload) => complete(&remote, &path, upload, self.bytes, &self.attempt).await,
            },
            (Target::File(_), Store::Bucket(_)) => Err(Error::internal("a file meant for a folder came to a bucket")),
        }
    }

    /// Gives the file up.
    pub(crate) fn discard(self, root: Option<&PathBuf>) {
        discard(self.to, root);
    }
}

impl Sink {
    /// Gives the file up.
    pub(crate) fn discard(self, root: Option<&PathBuf>) {
        discard(self.to, root);
    }
}

fn discard(to: Target, root: Option<&PathBuf>) {
    match to {
        Target::File(path) => {
            let _ = fs::remove_file(&path); // what stays, `clean` removes
            if let Some(root) = root {
                remove_empty_folders(root, &path);
            }
        }
        Target::Object { upload: Some(mut upload), .. } => {
            for part in &upload.parts {
                part.abort();
            }
            if let Ok(io) = requests() {
                io.spawn(async move {
                    let _ = upload.upload.abort().await; // what stays, the bucket's lifecycle rule removes
                });
            }
        }
        Target::Object { .. } => {}
    }
}

async fn put_whole(remote: &Remote, path: &str, bytes: Vec<u8>) -> Result<()> {
    let (key, payload) = (remote.key(path)?, PutPayload::from(bytes));
    remote
        .retry(path, Action::Write, move |objects| {
            let (key, payload) = (key.clone(), payload.clone());
            async move { objects.put(&key, payload).await.map(|_| ()) }
        })
        .await
}

async fn complete(remote: &Remote, path: &str, mut upload: Upload, bytes: u64, attempt: &Arc<str>) -> Result<()> {
    for part in upload.parts.drain(..) {
        let sent = part.await.map_err(|e| Error::internal("a part's request broke off").source(e))?;
        sent.map_err(|e| remote.error(e, path, Action::Write))?;
    }
    let mut inner = upload.upload;
    let outcome = requests()?.spawn(async move { inner.complete().await }).await;
    let failed = match outcome.map_err(|e| Error::internal("the request broke off").source(e))? {
        Ok(_) => return Ok(()),
        Err(e) => e,
    };
    // The reply may have been lost: then the upload is gone, and the object is there.
    let key = remote.key(path)?;
    let found = remote
        .retry(path, Action::Read, move |objects: Arc<dyn ObjectStore>| {
            let key = key.clone();
            async move {
                match objects.get_opts(&key, GetOptions { head: true, ..GetOptions::default() }).await {
                    Ok(found) => Ok(Some((found.meta.size, found.attributes.clone()))),
                    Err(StoreError::NotFound { .. }) => Ok(None),
                    Err(e) => Err(e),
                }
            }
        })
        .await?;
    let ours = Attribute::Metadata(ATTEMPT.into());
    if found.is_some_and(|(size, a)| size == bytes && a.get(&ours).is_some_and(|v| v.as_ref() == &**attempt)) {
        return Ok(());
    }
    let error = remote.error(failed, path, Action::Write);
    // An upload that is gone is begun again with the whole load.
    if error.message().contains("not there") {
        return Err(Error::new(ErrorKind::Unavailable, "an upload was lost before it was complete").source(error));
    }
    Err(error)
}
