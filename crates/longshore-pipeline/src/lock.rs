//! One run of a pipeline at a time, in one working folder.

use crate::run::now_micros;
use crate::store::Store;
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::hash::content_hash;
use longshore_core::lease::Holder;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Held as long as a run lasts; the operating system lets go of it when the process dies.
#[derive(Debug)]
pub(crate) struct PipelineLock {
    _file: File,
}

impl PipelineLock {
    /// Waits for the lock of a pipeline's folder, as long as the run is patient. Whoever writes there has it: so the folder
    /// is made here, and not by those who only look.
    ///
    /// # Errors
    /// `Busy` when another process keeps it; when the folder cannot be written.
    pub(crate) fn acquire(store: &Store, pipeline: &str, patience: Duration) -> Result<Self> {
        store.make()?;
        let path = store.folder().join("lock");
        let storage = |e: std::io::Error| {
            Error::storage("the working folder cannot be written")
                .with("file", path.display())
                .hint("check its rights, or choose another with --data-dir")
                .source(e)
        };
        let mut file = File::options().create(true).append(true).open(&path).map_err(storage)?;
        let deadline = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => {
                    // Only for those who wait: without it they do not know for whom.
                    let text = serde_json::to_string(&holder(store, pipeline)?).unwrap_or_default();
                    let _ = file.set_len(0).and_then(|()| file.write_all(text.as_bytes()));
                    return Ok(PipelineLock { _file: file });
                }
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(50))
                }
                Err(TryLockError::WouldBlock) => return Err(busy(&path, pipeline)),
                Err(TryLockError::Error(e)) => return Err(storage(e)),
            }
        }
    }
}

fn busy(path: &Path, pipeline: &str) -> Error {
    let who = fs::read(path).ok().and_then(|text| serde_json::from_slice::<Holder>(&text).ok());
    let who = who.map_or_else(String::new, |who| format!(": {who}"));
    Error::new(ErrorKind::Busy, format!("another run of this pipeline is under way{who}"))
        .with("pipeline", pipeline)
        .hint("wait for it to end, be more patient with --wait 10m, or give this run another --pipeline")
}

/// Who this run is, for others.
pub(crate) fn holder(store: &Store, pipeline: &str) -> Result<Holder> {
    let since = now_micros()?;
    let (folder, process) = (store.identity()?, std::process::id());
    let run = content_hash(format!("{folder} {process} {since}").as_bytes());
    let host = whoami::hostname().unwrap_or_else(|_| "an unknown machine".to_owned());
    Ok(Holder { run, folder, host, process, since, pipeline: pipeline.to_owned() })
}
