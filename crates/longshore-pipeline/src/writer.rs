//! The package writer: batches into part files, in the order of the input, and on to destinations
//! that stage early.

use crate::extract::NumberedBatches;
use crate::part_file::PartFileWriter;
use crate::store::{LoadProgress, Store, StoredPackage, sync_file};
use longshore_core::error::{Error, Result};
use longshore_core::normalize::TableBatch;
use longshore_core::package::{LoadId, Manifest, Part, PartFile, PartRows, TableCount};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// A part file is ended at this size: large enough not to swarm, small enough to read again quickly.
const PART_BYTES: u64 = 256 << 20;
/// Files open at once; beyond, the one that has waited longest is ended.
const OPEN_FILES: usize = 128;

/// Writes one package.
pub(crate) struct PackageWriter {
    folder: PathBuf,
    open: HashMap<String, (u64, PartFileWriter)>,
    files: u64,
    batches: u64,
    done: Vec<PartFile>,
    /// Files that are not on the disk yet for certain.
    unsynced: Vec<PathBuf>,
    rows: Vec<TableCount>,
    sealed: bool,
}

impl PackageWriter {
    pub(crate) fn begin(store: &Store, load_id: &LoadId) -> Result<Self> {
        let folder = store.begin(load_id)?;
        Ok(PackageWriter {
            folder,
            open: HashMap::new(),
            files: 0,
            batches: 0,
            done: Vec::new(),
            unsynced: Vec::new(),
            rows: Vec::new(),
            sealed: false,
        })
    }

    /// Where keys may stand while the package is made: a folder that goes with it when it is not sealed.
    pub(crate) fn keys_folder(&self) -> PathBuf {
        self.folder.join("keys")
    }

    /// Writes all batches that come, in order, and hands each on as a part.
    pub(crate) fn write_all(
        &mut self,
        batches: &Receiver<NumberedBatches>,
        mut hand_on: impl FnMut(Part) -> Result<()>,
    ) -> Result<()> {
        let mut early = BTreeMap::new();
        let mut next = 0;
        for (number, tables) in batches {
            early.insert(number, tables);
            while let Some(tables) = early.remove(&next) {
                next += 1;
                for batch in tables {
                    hand_on(self.write(batch)?)?;
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, batch: TableBatch) -> Result<Part> {
        let name = &batch.table.name;
        match self.rows.iter_mut().find(|t| t.table == *name) {
            Some(count) => count.rows += batch.rows.num_rows() as u64,
            None => self.rows.push(TableCount { table: name.clone(), rows: batch.rows.num_rows() as u64 }),
        }
        self.file_for(&batch)?.write(&batch.rows)?;
        let number = self.batches;
        self.batches += 1;
        Ok(Part { number, table: batch.table, rows: PartRows::Memory(Arc::from([batch.rows])) })
    }

    fn file_for(&mut self, batch: &TableBatch) -> Result<&mut PartFileWriter> {
        let name = &batch.table.name;
        let is_over = |w: &PartFileWriter| !w.fits(&batch.table, &batch.rows.schema()) || w.bytes() >= PART_BYTES;
        if self.open.get(name).is_some_and(|(_, w)| is_over(w)) {
            self.end(name)?;
        }
        if !self.open.contains_key(name) {
            if self.open.len() >= OPEN_FILES {
                let oldest = self.open.iter().min_by_key(|(_, (used, _))| *used).map(|(name, _)| name.clone());
                if let Some(oldest) = oldest {
                    self.end(&oldest)?;
                }
            }
            // Table names may be longer than file names may be: the manifest says which is whose.
            let path = self.folder.join(format!("{:05}.arrow", self.files));
            self.files += 1;
            let writer = PartFileWriter::create(path, &batch.table, &batch.rows.schema())?;
            self.open.insert(name.clone(), (self.batches, writer));
        }
        match self.open.get_mut(name) {
            Some((used, writer)) => {
                *used = self.batches;
                Ok(writer)
            }
            None => Err(Error::internal("a part file vanished")),
        }
    }

    fn end(&mut self, table: &str) -> Result<()> {
        if let Some((_, writer)) = self.open.remove(table) {
            let (part, path) = writer.finish()?;
            sync_file(&path)?;
            self.done.push(part);
        }
        Ok(())
    }

    /// Ends all files and returns them with the rows per table, in first-seen order.
    pub(crate) fn finish(&mut self) -> Result<(Vec<PartFile>, Vec<TableCount>)> {
        for (_, (_, writer)) in self.open.drain() {
            let (part, path) = writer.finish()?;
            self.done.push(part);
            self.unsynced.push(path);
        }
        // File names are in the order the files were begun.
        self.done.sort_by(|a, b| a.file.cmp(&b.file));
        Ok((std::mem::take(&mut self.done), std::mem::take(&mut self.rows)))
    }

    /// Makes a package of it, unless `may_seal`, asked when everything is on the disk, says no.
    pub(crate) fn seal(
        &mut self,
        store: &Store,
        manifest: &Manifest,
        progress: &LoadProgress,
        may_seal: impl FnOnce() -> Result<()>,
    ) -> Result<StoredPackage> {
        let package = store.seal(&self.folder, std::mem::take(&mut self.unsynced), manifest, progress, may_seal)?;
        self.sealed = true; // the folder is no longer ours to remove
        Ok(package)
    }
}

impl Drop for PackageWriter {
    fn drop(&mut self) {
        if !self.sealed {
            self.open.clear();
            let _ = std::fs::remove_dir_all(&self.folder); // the next run sweeps what stays
        }
    }
}
