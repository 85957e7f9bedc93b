//! Removes what loads left that never were committed, and what those that were took away and did not delete any more.

use crate::layout::{MANIFESTS, PENDING, STAGING, path_safe};
use crate::manifest::{self, FileManifest, Pending, in_dataset};
use crate::store::{Store, forgotten, remove_empty_folders};
use longshore_core::error::Result;
use longshore_core::package::Target;
use serde::Serialize;
use std::fs;
use std::path::Path;

/// What was removed, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether the dataset is there at all.
    pub found: bool,
    /// Load ids of the loads that were given up.
    pub loads: Vec<String>,
    /// Files, below the destination's folder or prefix.
    pub files: Vec<String>,
    /// Their bytes together.
    pub bytes: u64,
}

pub(crate) async fn clean(store: &Store, dataset: &str, dry_run: bool) -> Result<Report> {
    let mut report = Report { found: is_there(store, dataset).await?, ..Report::default() };
    for entry in store.list(&in_dataset(dataset, PENDING)).await? {
        let Some(bytes) = store.read(&entry.path).await? else { continue };
        let Ok(pending) = serde_json::from_slice::<Pending>(&bytes) else { continue };
        give_up(store, dataset, &pending, dry_run, &mut report).await?;
        if !dry_run {
            store.delete(&entry.path).await?;
        }
    }
    if let Store::Folder(root) = store {
        clean_staging(root, dataset, dry_run, &mut report);
        for (file, bytes) in forgotten(&root.join(path_safe(dataset))) {
            if dry_run || fs::remove_file(&file).is_ok() {
                report.bytes += bytes;
                report.files.push(file.strip_prefix(root).unwrap_or(&file).display().to_string());
            }
        }
    }
    Ok(report)
}

/// Deletes what a pipeline's committed loads took away and had no time to delete: who lists folders sees it until then.
pub(crate) async fn finish(store: &Store, target: &Target) -> Result<()> {
    for entry in store.list(&in_dataset(&target.dataset, PENDING)).await? {
        let Some(bytes) = store.read(&entry.path).await? else { continue };
        let Ok(pending) = serde_json::from_slice::<Pending>(&bytes) else { continue };
        let manifest = manifest::path(&target.dataset, &pending.pipeline, &pending.load_id);
        if pending.pipeline == target.pipeline && manifest::read(store, &manifest).await?.is_some() {
            give_up(store, &target.dataset, &pending, false, &mut Report::default()).await?;
            store.delete(&entry.path).await?;
        }
    }
    Ok(())
}

/// Removes the files of a load that was announced, except those that its manifest names.
async fn give_up(store: &Store, dataset: &str, pending: &Pending, dry_run: bool, report: &mut Report) -> Result<()> {
    let path = manifest::path(dataset, &pending.pipeline, &pending.load_id);
    // A manifest that says "given up" goes first: a load that is just about to commit finds the place
    // taken, and begins again.
    let mark = FileManifest::given_up(&pending.pipeline, &pending.load_id, manifest::CLEANED);
    let mark = serde_json::to_vec(&mark).unwrap_or_default(); // plain data: cannot fail
    let took = !dry_run && store.create(&path, mark).await?;
    let committed = manifest::read(store, &path).await?;
    let keep: Vec<&str> = committed.iter().flat_map(named).collect();
    if committed.is_none() {
        report.loads.push(pending.load_id.to_string());
    }
    // A process that died behind its manifest has not deleted what its load took away.
    let taken = committed.iter().flat_map(|m| &m.tables).flat_map(|t| &t.removed);
    for file in pending.paths.iter().filter(|p| !keep.contains(&p.as_str())).chain(taken) {
        let file = in_dataset(dataset, file);
        let Some(bytes) = store.size(&file).await? else { continue };
        if !dry_run {
            store.delete(&file).await?;
        }
        report.bytes += bytes;
        report.files.push(file);
    }
    if took || (!dry_run && committed.is_none()) {
        store.delete(&manifest::pending_path(dataset, &pending.pipeline, &pending.load_id)).await?;
        store.delete(&path).await?;
    }
    Ok(())
}

fn named(manifest: &FileManifest) -> impl Iterator<Item = &str> {
    let files = manifest.tables.iter().flat_map(|t| &t.added).map(|f| f.path.as_str());
    files.chain([manifest.schema_file.as_str(), manifest.load_file.as_str()]).chain(manifest.state_file.as_deref())
}

/// True for a dataset that has anything; folders of temporary files may be all that a first load left.
async fn is_there(store: &Store, dataset: &str) -> Result<bool> {
    let name = path_safe(dataset);
    let has_staging = matches!(store, Store::Folder(root) if root.join(&name).join(STAGING).exists());
    // The first listing is much shorter.
    Ok(has_staging
        || !store.list(&in_dataset(dataset, MANIFESTS)).await?.is_empty()
        || !store.list(&name).await?.is_empty())
}

fn clean_staging(root: &Path, dataset: &str, dry_run: bool, report: &mut Report) {
    let folder = root.join(path_safe(dataset)).join(STAGING);
    for load in fs::read_dir(&folder).into_iter().flatten().flatten() {
        let files: Vec<(String, u64)> = fs::read_dir(load.path())
            .into_iter()
            .flatten()
            .flatten()
            .filter(|f| f.file_name() != "lock")
            .map(|f| {
                (
                    f.path().strip_prefix(root).unwrap_or(&f.path()).display().to_string(),
                    f.metadata().map_or(0, |m| m.len()),
                )
            })
            .collect();
        if remove_staging(&load.path(), dry_run) {
            report.bytes += files.iter().map(|(_, bytes)| bytes).sum::<u64>();
            report.files.extend(files.into_iter().map(|(path, _)| path));
        }
    }
    if !dry_run {
        remove_empty_folders(root, &folder.join("lock"));
    }
}

/// Removes a load's temporary files, unless the load is alive: then it holds their lock. Returns whether
/// they are (or would be) gone.
pub(crate) fn remove_staging(folder: &Path, dry_run: bool) -> bool {
    let Ok(lock) = fs::File::open(folder.join("lock")) else {
        return dry_run || fs::remove_dir_all(folder).is_ok();
    };
    if lock.try_lock().is_err() {
        return false;
    }
    dry_run || fs::remove_dir_all(folder).is_ok()
}
