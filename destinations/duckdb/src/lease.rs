//! The lease: a file beside the database, locked while a run lasts. DuckDB lets one process write to a file, so of all
//! pipelines that load into it, one has the lease. Its lock ends with the process.

use async_trait::async_trait;
use longshore_core::error::{Error, Result};
use longshore_core::lease::{Holder, Lease, LeaseAnswer, LeaseRequest};
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The file, locked.
struct FileLease {
    file: Option<File>,
    path: PathBuf,
}

/// Takes the lease of a database file.
pub(crate) fn take(database: &Path, request: &LeaseRequest<'_>) -> Result<LeaseAnswer> {
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
                return Ok(LeaseAnswer::Ours(Box::new(FileLease { file: Some(file), path })));
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
        if cfg!(unix) {
            let _ = fs::remove_file(&self.path); // still locked: nobody else has it meanwhile
        }
        self.file = None;
    }
}
