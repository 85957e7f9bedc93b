//! The lease: a file beside the database, locked while a run lasts. DuckDB lets one process write to a file, so of all
//! pipelines that load into it, one has the lease. Its lock ends with the process. Who has it opens the database once:
//! what it is asked before the load, it is asked as the one that will write.

use crate::ffi::Database;
use async_trait::async_trait;
use longshore_core::error::{Error, Result};
use longshore_core::lease::{Holder, Lease, LeaseAnswer, LeaseRequest};
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The file, locked.
struct FileLease {
    file: Option<File>,
    path: PathBuf,
    held: Arc<Held>,
}

/// The database of a run, while it has the lease: opening one costs more than a small load.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<HeldState>);

#[derive(Debug, Default)]
struct HeldState {
    has_lease: bool,
    database: Option<Arc<Database>>,
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, HeldState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True while a run has the lease.
    pub(crate) fn has_lease(&self) -> bool {
        self.lock().has_lease
    }

    /// Keeps the database open until the load takes it, or the lease ends.
    pub(crate) fn keep(&self, database: &Arc<Database>) {
        let mut state = self.lock();
        if state.has_lease {
            state.database = Some(Arc::clone(database));
        }
    }

    /// Leaves it to the load.
    pub(crate) fn hand_over(&self) {
        let database = self.lock().database.take();
        drop(database); // not under the lock: closing takes a while
    }

    fn set_lease(&self, has_lease: bool) {
        let mut state = self.lock();
        state.has_lease = has_lease;
        let database = state.database.take();
        drop(state);
        drop(database);
    }
}

/// Takes the lease of a database file.
pub(crate) fn take(database: &Path, request: &LeaseRequest<'_>, held: &Arc<Held>) -> Result<LeaseAnswer> {
    let mut path = database.as_os_str().to_owned();
    path.push(".lease");
    let path = PathBuf::from(path);
    let failed = |e: std::io::Error| {
        Error::destination("the file that keeps runs apart cannot be written").with("file", path.display()).source(e)
    };
    loop {
        let mut file = File::options().create(true).append(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) if is_at(&file, &path) => {
                let text = serde_json::to_string(request.holder).unwrap_or_default(); // plain data: cannot fail
                file.set_len(0).and_then(|()| file.write_all(text.as_bytes())).map_err(failed)?;
                held.set_lease(true);
                return Ok(LeaseAnswer::Ours(Box::new(FileLease { file: Some(file), path, held: Arc::clone(held) })));
            }
            // Its holder has just removed it.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Holder>(&text).ok());
                return Ok(LeaseAnswer::Held { holder, free_in: None });
            }
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
    }
}

/// True when the open file is the one that has this name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(named)) => (ours.dev(), ours.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

#[async_trait]
impl Lease for FileLease {}

impl Drop for FileLease {
    fn drop(&mut self) {
        self.held.set_lease(false);
        if cfg!(unix) {
            let _ = fs::remove_file(&self.path); // still locked: nobody else has it meanwhile
        }
        self.file = None;
    }
}
