//! A sealed package on disk: what it holds, and how far its loading is.

use super::files::{list_folder, sync_file, write_json};
use crate::part_file::{StoredPart, write_error};
use longshore_core::destination::rejects_table;
use longshore_core::error::{Error, Result};
use longshore_core::package::{Manifest, Part, PartFile, PartRows, TableCount};
use longshore_core::schema::Table;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A package on disk.
#[derive(Debug, Clone)]
pub struct StoredPackage {
    /// Its folder.
    pub folder: PathBuf,
    /// What it holds.
    pub manifest: Manifest,
    /// How far its loading is.
    pub progress: LoadProgress,
    /// True when it is loaded everywhere and was reported.
    pub loaded: bool,
}

/// How far a package's loading is: beside the sealed files, and the only file that changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadProgress {
    /// Stands for the command that made the package: the same command completes it and ends.
    pub fingerprint: String,
    /// Stands for the content of an input that cannot be read again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Where it goes.
    pub destinations: Vec<DestinationProgress>,
}

/// How far a package is at one destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationProgress {
    /// The destination as URL, without secrets.
    pub url: String,
    /// True once committed and counted back.
    pub committed: bool,
    /// Why the last try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Rows counted back.
    #[serde(default)]
    pub tables: Vec<TableCount>,
}

impl StoredPackage {
    /// Returns true for a package of the command that the fingerprint stands for.
    pub(crate) fn is_of(&self, fingerprint: &str) -> bool {
        !fingerprint.is_empty() && self.progress.fingerprint == fingerprint
    }

    /// Writes how far the loading is.
    pub(crate) fn save_progress(&self) -> Result<()> {
        let path = self.folder.join("progress.json");
        let temporary = self.folder.join("progress.json.new");
        sync_file(&write_json(temporary.clone(), &self.progress)?)?;
        fs::rename(&temporary, &path).map_err(|e| write_error(&path, e.into()))
    }

    /// Removes the row files: every destination has them.
    pub(crate) fn drop_parts(&self) {
        drop_rows(&self.folder);
    }

    /// Returns true when the row files are there, so that the package can be loaded once more.
    pub fn has_rows(&self) -> bool {
        self.manifest.parts.iter().all(|p| self.folder.join(&p.file).is_file())
    }

    /// Returns the package's parts, read from its files.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        self.manifest.parts.iter().zip(0..).map(|(file, number)| {
            let path = self.folder.join(&file.file);
            let table = Arc::new(self.table_of(file));
            let reader = StoredPart { path, crc32: file.crc32.clone(), rows: file.rows, table: Arc::clone(&table) };
            Part { number, table, rows: PartRows::File(Arc::new(reader)) }
        })
    }

    /// The table with the columns it had when the file was written, and the types it has now.
    fn table_of(&self, file: &PartFile) -> Table {
        let schema = &self.manifest.schema;
        let mut table = match schema.table(&file.table) {
            Some(table) => table.clone(),
            None => rejects_table(schema.system_columns),
        };
        table.columns.truncate(file.columns);
        table
    }

    /// Returns bytes of row files on disk.
    pub fn bytes(&self) -> u64 {
        if self.has_rows() { self.manifest.parts.iter().map(|p| p.bytes).sum() } else { 0 }
    }
}

pub(super) fn drop_rows(folder: &Path) {
    for name in list_folder(folder).iter().filter(|n| n.ends_with(".arrow")) {
        let _ = fs::remove_file(folder.join(name)); // the folder goes with its record
    }
}

pub(crate) fn read_package(folder: &Path, loaded: bool) -> Result<StoredPackage> {
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read(&path).map_err(|e| unreadable(&path).source(e))
    };
    let manifest = serde_json::from_slice(&read("manifest.json")?)
        .map_err(|e| unreadable(&folder.join("manifest.json")).source(e))?;
    let progress = serde_json::from_slice(&read("progress.json")?)
        .map_err(|e| unreadable(&folder.join("progress.json")).source(e))?;
    Ok(StoredPackage { folder: folder.to_path_buf(), manifest, progress, loaded })
}

fn unreadable(path: &Path) -> Error {
    Error::storage("a package's record cannot be read")
        .with("file", path.display())
        .hint("it was written by another version or damaged; move its folder away to go on")
}
