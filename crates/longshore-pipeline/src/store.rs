//! The working folder of a pipeline: packages being made, waiting, and loaded.
//!
//! ```text
//! <data dir>/pipelines/<pipeline>/
//!     lock                          held by the run under way, which says in it who it is
//!     id                            stands for this folder, where others are asked to let it in
//!     packages/<load id>.partial/   being made; thrown away by the next run
//!     packages/<load id>.pages/     what a source has fetched so far; the next run goes on from it
//!     packages/<load id>/           sealed by one rename: manifest.json, progress.json, *.arrow
//!     loaded/<load id>/             loaded everywhere and reported: manifest.json, progress.json; of the newest few,
//!                                   where that is asked for, the *.arrow too
//!     untold.json                   loads that other commands completed than their own
//!     known.json                    what 'sync' took over from the destinations
//!     trace.json                    the last run's report
//! ```

mod files;
mod package;
mod untold;

pub use self::package::{DestinationProgress, LoadProgress, StoredPackage};

pub(crate) use self::files::{list_folder, sync_file};
pub(crate) use self::package::read_package;

use self::files::{sync_files, sync_folder, write_json};
use self::package::drop_rows;
use crate::part_file::write_error;
use crate::pipeline::Pipeline;
use longshore_core::destination::Committed;
use longshore_core::error::{Error, Result};
use longshore_core::naming;
use longshore_core::package::{LoadId, Manifest, Target};
use longshore_core::schema::{Schema, SystemColumns};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// Loaded packages whose records are kept.
const KEEP_LOADED: usize = 100;

/// A pipeline's folder.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

/// What a dataset knew of the pipeline when the working folder was made to agree with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Known {
    /// Its name.
    pub dataset: String,
    /// Where it stands, as URLs without secrets.
    pub destinations: Vec<String>,
    /// The newest load.
    pub load_id: LoadId,
    /// The schema as of that load.
    pub schema: Schema,
    /// The sources' state.
    pub state: Option<serde_json::Value>,
    /// Packages that were in the folder then, and stayed.
    pub(crate) beside: Vec<LoadId>,
}

impl Known {
    pub(crate) fn of(known: &Committed, target: &Target, pipeline: &Pipeline, beside: Vec<LoadId>) -> Self {
        Known {
            dataset: target.dataset.clone(),
            destinations: pipeline.destinations().iter().map(|d| d.url.clone()).collect(),
            load_id: known.load_id.clone(),
            schema: known.schema.clone(),
            state: known.state.clone(),
            beside,
        }
    }
}

impl Store {
    /// Returns the folder of a pipeline, which may not be there yet.
    pub(crate) fn of(data_dir: &Path, pipeline: &str) -> Self {
        Store { folder: data_dir.join("pipelines").join(pipeline) }
    }

    /// Makes the folder where it is missing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn make(&self) -> Result<()> {
        ["packages", "loaded"].iter().try_for_each(|sub| {
            let path = self.folder.join(sub);
            fs::create_dir_all(&path).map_err(|e| write_error(&path, e.into()))
        })
    }

    /// Opens the folder of a pipeline that must exist.
    ///
    /// # Errors
    /// When there is none (the message lists the pipelines there are), or none can have that name.
    pub fn existing(data_dir: &Path, pipeline: &str) -> Result<Self> {
        naming::check_pipeline_name(pipeline)?;
        let folder = data_dir.join("pipelines").join(pipeline);
        if folder.is_dir() {
            return Ok(Store { folder });
        }
        let known = pipelines(data_dir);
        let hint = match known.is_empty() {
            true => format!(
                "nothing has been loaded with this working folder yet; 'longshore pipeline {pipeline} sync' takes over what \
                 stands where the project in this folder loads to, or at --destination URL"
            ),
            false => format!("there are: {}", known.join(", ")),
        };
        Err(Error::config(format!("there is no pipeline '{pipeline}'")).with("data-dir", data_dir.display()).hint(hint))
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the pipeline's name, after which the folder is named.
    fn pipeline(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Returns true when a loaded package still has its rows.
    pub(crate) fn keeps_rows(&self) -> bool {
        let loaded = self.loaded().unwrap_or_default(); // what cannot be read cannot be replayed
        loaded.iter().any(|p| p.has_rows() && !p.manifest.parts.is_empty())
    }

    /// Returns what stands for this folder and no other: made once, at random.
    pub(crate) fn identity(&self) -> Result<String> {
        use std::hash::{BuildHasher, RandomState};
        let path = self.folder.join("id");
        if let Some(known) = fs::read_to_string(&path).ok().filter(|id| id.len() >= 16) {
            return Ok(known);
        }
        let random = |salt: &str| RandomState::new().hash_one((salt, std::time::SystemTime::now(), std::process::id()));
        let id = format!("{:016x}{:016x}", random("a"), random("b"));
        let temporary = self.folder.join("id.new");
        fs::write(&temporary, &id)
            .and_then(|()| fs::rename(&temporary, &path))
            .map_err(|e| write_error(&path, e.into()))?;
        Ok(id)
    }

    /// Returns sealed packages that wait, oldest first.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn pending(&self) -> Result<Vec<StoredPackage>> {
        self.list("packages", false)
    }

    /// Returns records of loaded packages, oldest first.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn loaded(&self) -> Result<Vec<StoredPackage>> {
        self.list("loaded", true)
    }

    fn list(&self, sub: &str, loaded: bool) -> Result<Vec<StoredPackage>> {
        let mut ids: Vec<LoadId> =
            list_folder(&self.folder.join(sub)).iter().filter_map(|n| LoadId::parse(n)).collect();
        ids.sort();
        ids.iter().map(|id| read_package(&self.folder.join(sub).join(id.as_str()), loaded)).collect()
    }

    /// Returns true when no package was ever made here.
    pub fn is_new(&self) -> bool {
        ["packages", "loaded"].iter().all(|sub| list_folder(&self.folder.join(sub)).is_empty())
    }

    /// Returns where the pages of a load are kept while its source is read.
    pub fn journal(&self, load_id: &LoadId) -> PathBuf {
        self.folder.join("packages").join(format!("{}.pages", load_id.micros()))
    }

    /// Returns the load whose source was being read when the process ended.
    pub fn interrupted(&self) -> Option<LoadId> {
        let names = list_folder(&self.folder.join("packages"));
        names.iter().filter_map(|n| LoadId::parse(n.strip_suffix(".pages")?)).max()
    }

    /// Removes what unfinished runs left behind and returns their load ids. Of the loaded packages, the newest
    /// `keep` keep their rows; with `None` all that have them.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn sweep(&self, keep: Option<usize>) -> Result<Vec<String>> {
        let packages = self.folder.join("packages");
        let mut swept = Vec::new();
        for name in list_folder(&packages) {
            if let Some(load_id) = name.strip_suffix(".partial") {
                let path = packages.join(&name);
                fs::remove_dir_all(&path).map_err(|e| write_error(&path, e.into()))?;
                swept.push(load_id.to_owned());
            }
        }
        let mut loaded: Vec<LoadId> =
            list_folder(&self.folder.join("loaded")).iter().filter_map(|n| LoadId::parse(n)).collect();
        loaded.sort();
        for old in loaded.iter().rev().skip(KEEP_LOADED.max(keep.unwrap_or(usize::MAX))) {
            let _ = fs::remove_dir_all(self.folder.join("loaded").join(old.as_str())); // only history
        }
        for id in loaded.iter().rev().skip(keep.unwrap_or(usize::MAX)) {
            drop_rows(&self.folder.join("loaded").join(id.as_str()));
        }
        self.sweep_journals(&loaded)?;
        Ok(swept)
    }

    /// A journal is over once its package is sealed.
    fn sweep_journals(&self, loaded: &[LoadId]) -> Result<()> {
        let packages = self.folder.join("packages");
        let names = list_folder(&packages);
        let sealed = |micros: u64| {
            let waiting = names.iter().filter_map(|n| LoadId::parse(n)).any(|id| id.micros() == micros);
            waiting || loaded.iter().any(|id| id.micros() == micros)
        };
        let journals = names.iter().filter_map(|n| LoadId::parse(n.strip_suffix(".pages")?));
        for id in journals.filter(|id| sealed(id.micros())) {
            let path = self.journal(&id);
            fs::remove_dir_all(&path).map_err(|e| write_error(&path, e.into()))?;
        }
        Ok(())
    }

    /// Returns a load id that is later than all this pipeline has had.
    pub fn next_load_id(&self, now_micros: u64, system: SystemColumns) -> LoadId {
        let names = ["packages", "loaded"].map(|sub| list_folder(&self.folder.join(sub)));
        let last = names
            .iter()
            .flatten()
            .filter_map(|n| LoadId::parse(n.trim_end_matches(".partial").trim_end_matches(".pages")))
            .map(|l| l.micros())
            .max();
        // A millisecond apart at least: native row ids begin at the load id's milliseconds.
        LoadId::from_micros(now_micros.max(last.map_or(0, |l| l + 1000)), system)
    }

    pub(crate) fn begin(&self, load_id: &LoadId) -> Result<PathBuf> {
        let folder = self.folder.join("packages").join(format!("{load_id}.partial"));
        fs::create_dir(&folder).map_err(|e| write_error(&folder, e.into()))?;
        Ok(folder)
    }

    /// Seals a package: after this rename it exists, and its files never change. `files` are those of its files that
    /// are not on the disk yet for certain.
    pub(crate) fn seal(
        &self,
        partial: &Path,
        mut files: Vec<PathBuf>,
        manifest: &Manifest,
        progress: &LoadProgress,
        may_seal: impl FnOnce() -> Result<()>,
    ) -> Result<StoredPackage> {
        files.push(write_json(partial.join("manifest.json"), manifest)?);
        files.push(write_json(partial.join("progress.json"), progress)?);
        sync_files(&files)?;
        sync_folder(partial)?;
        may_seal()?;
        let folder = self.folder.join("packages").join(manifest.load_id.as_str());
        fs::rename(partial, &folder).map_err(|e| write_error(&folder, e.into()))?;
        sync_folder(&self.folder.join("packages"))?;
        let _ = fs::remove_dir_all(self.journal(&manifest.load_id)); // the next sweep removes what stays
        Ok(StoredPackage { folder, manifest: manifest.clone(), progress: progress.clone(), loaded: false })
    }

    /// Files a package under the loaded ones. The run's last act: a run that was killed before this
    /// is completed by the next one, a run that got here is over.
    pub(crate) fn acknowledge(&self, package: &StoredPackage) -> Result<()> {
        self.file(package)?;
        self.told(&package.manifest.load_id)
    }

    fn file(&self, package: &StoredPackage) -> Result<()> {
        let to = self.folder.join("loaded").join(package.manifest.load_id.as_str());
        fs::rename(&package.folder, &to).map_err(|e| write_error(&to, e.into()))
    }

    /// Returns a package that has its rows: the one of that load, or the only one that waits.
    pub(crate) fn find_package(&self, load_id: Option<&str>) -> Result<StoredPackage> {
        let mut packages = self.pending()?;
        if let Some(load_id) = load_id {
            packages.extend(self.loaded()?);
            packages.retain(|p| p.manifest.load_id.as_str() == load_id && p.has_rows());
        }
        match (packages.len(), packages.pop()) {
            (1, Some(only)) => Ok(only),
            (0, _) => Err(Error::config("there is no such package with its rows").hint(format!(
                "see 'longshore pipeline {} packages'; loaded ones keep their rows with --keep-packages",
                self.pipeline()
            ))),
            _ => Err(Error::config("several packages wait").hint("name the load id of one of them")),
        }
    }

    /// Gives a waiting package up, or what was fetched for one.
    ///
    /// # Errors
    /// When there is no such package or it cannot be removed.
    pub fn drop_package(&self, load_id: &str) -> Result<()> {
        let packages = self.folder.join("packages");
        let mut from = packages.join(load_id);
        if let Some(id) = LoadId::parse(load_id).filter(|_| !from.is_dir()) {
            from = self.journal(&id);
        }
        if LoadId::parse(load_id).is_none() || !from.is_dir() {
            let waiting = list_folder(&packages).join(", ");
            return Err(Error::config(format!("no package '{load_id}' waits to be loaded"))
                .hint(if waiting.is_empty() { "none waits".to_owned() } else { format!("waiting: {waiting}") }));
        }
        // First out of sight in one step, then file by file.
        let partial = packages.join(format!("{load_id}.partial"));
        fs::rename(&from, &partial)
            .and_then(|()| fs::remove_dir_all(&partial))
            .map_err(|e| write_error(&from, e.into()))
    }

    /// Returns what was taken over from the destinations, if nothing newer has been loaded from here since.
    pub fn known(&self) -> Option<Known> {
        let known: Known = serde_json::from_slice(&fs::read(self.folder.join("known.json")).ok()?).ok()?;
        let names = ["packages", "loaded"].map(|sub| list_folder(&self.folder.join(sub)));
        let mut own = names.iter().flatten().filter_map(|n| LoadId::parse(n));
        let is_old = |id: &LoadId| *id <= known.load_id || known.beside.contains(id);
        own.all(|id| is_old(&id)).then_some(known)
    }

    /// Notes what was taken over; `None`: the destinations know nothing.
    pub(crate) fn write_known(&self, known: Option<&Known>) -> Result<()> {
        let path = self.folder.join("known.json");
        let Some(known) = known else {
            let _ = fs::remove_file(&path); // there may be none
            return Ok(());
        };
        let temporary = self.folder.join("known.json.new");
        sync_file(&write_json(temporary.clone(), known)?)?;
        fs::rename(&temporary, &path).map_err(|e| write_error(&path, e.into()))
    }

    /// Removes records of loaded packages, and the last run's report. Returns the loads that stay because their rows
    /// are kept, and how many records went.
    pub(crate) fn forget_loaded(&self) -> Result<(Vec<LoadId>, usize)> {
        let (mut kept, mut removed) = (Vec::new(), 0);
        for package in self.loaded()? {
            if package.has_rows() && !package.manifest.parts.is_empty() {
                kept.push(package.manifest.load_id);
                continue;
            }
            fs::remove_dir_all(&package.folder).map_err(|e| write_error(&package.folder, e.into()))?;
            removed += 1;
        }
        let _ = fs::remove_file(self.folder.join("trace.json")); // there may be none
        Ok((kept, removed))
    }

    /// Keeps a run's report for `pipeline NAME trace`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_trace(&self, trace: &serde_json::Value) -> Result<()> {
        let path = self.folder.join("trace.json");
        let temporary = self.folder.join("trace.json.new");
        fs::write(&temporary, trace.to_string())
            .and_then(|()| fs::rename(&temporary, &path))
            .map_err(|e| write_error(&path, e.into()))
    }

    /// Returns the last run's report, if there was one.
    pub fn trace(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&fs::read(self.folder.join("trace.json")).ok()?).ok()
    }
}

/// Returns the names of the pipelines in a data folder, sorted.
pub fn pipelines(data_dir: &Path) -> Vec<String> {
    let mut names = list_folder(&data_dir.join("pipelines"));
    names.sort();
    names
}
