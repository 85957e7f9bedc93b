//! One run of a pipeline at a time, in one working folder.

use longshore_core::error::{Error, ErrorKind, Result};
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long another run may take to finish before that is an error.
const PATIENCE: Duration = Duration::from_secs(5);

/// Held as long as a run lasts; the operating system lets go of it when the process dies.
#[derive(Debug)]
pub(crate) struct PipelineLock {
    _file: File,
}

impl PipelineLock {
    /// Waits a little for the lock of a pipeline's folder.
    ///
    /// # Errors
    /// `Busy` when another process keeps it.
    pub(crate) fn acquire(folder: &Path, pipeline: &str) -> Result<Self> {
        let path = folder.join("lock");
        let storage = |e: std::io::Error| {
            Error::storage("the working folder cannot be written")
                .with("file", path.display())
                .hint("check its rights, or choose another with --data-dir")
                .source(e)
        };
        let file = File::options().create(true).append(true).open(&path).map_err(storage)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(PipelineLock { _file: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(50))
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::new(ErrorKind::Busy, "another run of this pipeline is under way")
                        .with("pipeline", pipeline)
                        .hint("wait for it to end, or give this run another --pipeline"));
                }
                Err(TryLockError::Error(e)) => return Err(storage(e)),
            }
        }
    }
}
