//! Files of the working folder: listed, written and brought to the disk.

use crate::part_file::write_error;
use longshore_core::error::{Error, Result};
use serde::Serialize;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;

pub(crate) fn list_folder(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.filter_map(|e| e.ok()?.file_name().into_string().ok()).collect()
}

pub(super) fn write_json(path: PathBuf, value: &impl Serialize) -> Result<PathBuf> {
    let text = serde_json::to_vec_pretty(value).map_err(|e| write_error(&path, e.into()))?;
    fs::write(&path, text).map_err(|e| write_error(&path, e.into()))?;
    Ok(path)
}

/// Brings a file to the disk.
pub(crate) fn sync_file(path: &Path) -> Result<()> {
    File::open(path).and_then(|f| f.sync_data()).map_err(|e| write_error(path, e.into()))
}

/// Brings files to the disk. Each waits for it: together that takes little longer than for one.
pub(super) fn sync_files(files: &[PathBuf]) -> Result<()> {
    thread::scope(|scope| {
        let syncs: Vec<_> = files.iter().map(|path| scope.spawn(|| sync_file(path))).collect();
        let panicked = || Err(Error::internal("a thread that wrote a file panicked"));
        syncs.into_iter().try_for_each(|sync| sync.join().unwrap_or_else(|_| panicked()))
    })
}

pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| write_error(folder, e.into()))
}
