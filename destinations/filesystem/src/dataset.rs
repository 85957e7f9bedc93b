//! A dataset as all its manifests together say, and checkpoints: what many manifests say, in one file, so that a dataset
//! with ten thousand loads is read with a few requests.
//!
//! A checkpoint is `<dataset>/_manifests/checkpoints/<loads>-<attempt>.json`. It never says more than its manifests
//! do, which stay: it is written now and then, and may be deleted.

use crate::layout::MANIFESTS;
use crate::manifest::{self, CurrentTable, DataFile, FileColumn, FileManifest, Tables, in_dataset};
use crate::store::Store;
use futures_util::{StreamExt, TryStreamExt, stream};
use longshore_core::error::Result;
use longshore_core::package::{LoadId, TableCount};
use longshore_core::schema::{SystemColumns, SystemTable};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Requests for small files at once.
const AT_ONCE: usize = 16;
/// Manifests that no checkpoint covers, before the next one is written.
const UNCOVERED: usize = 64;
/// One load in so many looks whether a checkpoint is due: looking is a listing of all manifests.
const LOOK_EVERY: u64 = 16;

/// All that the committed loads of a dataset left.
#[derive(Debug, Default)]
pub(crate) struct Dataset {
    /// In the order of their ids.
    pub(crate) loads: Vec<Loaded>,
    /// By name.
    pub(crate) tables: Tables,
}

/// A committed load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Loaded {
    pub(crate) load_id: LoadId,
    pub(crate) pipeline: String,
    pub(crate) system_columns: SystemColumns,
    pub(crate) schema_file: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) state_file: Option<String>,
    pub(crate) load_file: String,
}

/// A checkpoint's file.
#[derive(Debug, Serialize, Deserialize)]
struct Checkpoint {
    format: u32,
    loads: Vec<Loaded>,
    tables: BTreeMap<String, CheckpointTable>,
}

#[derive(Debug, Serialize, Deserialize)]
struct CheckpointTable {
    columns: Vec<FileColumn>,
    /// Files by the columns they have.
    groups: Vec<(Vec<FileColumn>, Vec<DataFile>)>,
}

impl Dataset {
    /// Reads the newest checkpoint and the manifests it does not cover.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(crate) async fn read(store: &Store, name: &str) -> Result<Self> {
        let listed = manifest::list(store, name).await?;
        let mut dataset = Dataset::default();
        for path in checkpoints(store, name).await?.iter().rev() {
            // One that is gone or of a newer version is no loss: the manifests say the same.
            let bytes = store.read(path).await?;
            let read = bytes.and_then(|b| serde_json::from_slice::<Checkpoint>(&b).ok());
            if let Some(checkpoint) = read.filter(|c| c.format <= manifest::FORMAT) {
                dataset = checkpoint.into();
                break;
            }
        }
        let covered: BTreeSet<String> =
            dataset.loads.iter().map(|l| manifest::path(name, &l.pipeline, &l.load_id)).collect();
        let paths = listed.into_iter().map(|(_, path)| path).filter(|path| !covered.contains(path));
        let reads = stream::iter(paths).map(|path| async move { manifest::read(store, &path).await });
        let found: Vec<Option<FileManifest>> = reads.buffered(AT_ONCE).try_collect().await?;
        dataset.add(&found.into_iter().flatten().collect::<Vec<_>>());
        Ok(dataset)
    }

    fn add(&mut self, manifests: &[FileManifest]) {
        manifest::fold_into(&mut self.tables, manifests);
        self.loads.extend(manifests.iter().map(|m| Loaded {
            load_id: m.load_id.clone(),
            pipeline: m.pipeline.clone(),
            system_columns: m.system_columns,
            schema_file: m.schema_file.clone(),
            state_file: m.state_file.clone(),
            load_file: m.load_file.clone(),
        }));
        self.loads.sort_by(|a, b| a.load_id.cmp(&b.load_id));
    }

    /// Returns the rows of each table, the loader's own included, by name.
    pub(crate) fn counts(&self) -> Vec<TableCount> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for (name, table) in &self.tables {
            counts.insert(name.clone(), table.files.iter().map(|(f, _)| f.rows).sum());
        }
        let mut schemas: BTreeSet<&str> = BTreeSet::new();
        for load in &self.loads {
            let name = |table| load.system_columns.table_name(table).to_owned();
            *counts.entry(name(SystemTable::Loads)).or_default() += 1;
            *counts.entry(name(SystemTable::Schemas)).or_default() += u64::from(schemas.insert(&load.schema_file));
            *counts.entry(name(SystemTable::State)).or_default() += u64::from(load.state_file.is_some());
        }
        counts.into_iter().map(|(table, rows)| TableCount { table, rows }).collect()
    }
}

/// Writes a checkpoint when it is this load's turn to look and many manifests are not covered. The two newest ones
/// stay: somebody may be about to read the older one.
pub(crate) async fn checkpoint(store: &Store, name: &str, load_id: &LoadId, attempt: &str) -> Result<()> {
    if !load_id.micros().is_multiple_of(LOOK_EVERY) {
        return Ok(());
    }
    let there = checkpoints(store, name).await?;
    let covered = there.last().and_then(|path| covers(path)).unwrap_or_default();
    if manifest::list(store, name).await?.len().saturating_sub(covered) < UNCOVERED {
        return Ok(());
    }
    let made = Checkpoint::from(Dataset::read(store, name).await?);
    let folder = in_dataset(name, &format!("{MANIFESTS}/{CHECKPOINTS}"));
    let path = format!("{folder}/{:010}-{attempt}.json", made.loads.len());
    store.create(&path, serde_json::to_vec(&made).unwrap_or_default()).await?; // plain data: cannot fail
    for old in there.iter().rev().skip(1) {
        store.delete(old).await?;
    }
    Ok(())
}

const CHECKPOINTS: &str = "checkpoints";

/// Paths of the checkpoints, the newest last.
async fn checkpoints(store: &Store, name: &str) -> Result<Vec<String>> {
    let entries = store.list(&in_dataset(name, &format!("{MANIFESTS}/{CHECKPOINTS}"))).await?;
    Ok(entries.into_iter().map(|e| e.path).filter(|p| covers(p).is_some()).collect())
}

/// How many loads a checkpoint covers, by its name.
fn covers(path: &str) -> Option<usize> {
    path.rsplit('/').next()?.split_once('-')?.0.parse().ok()
}

impl From<Checkpoint> for Dataset {
    fn from(checkpoint: Checkpoint) -> Self {
        let files = |groups: Vec<(Vec<FileColumn>, Vec<DataFile>)>| {
            let of_group = |(columns, files): (Vec<FileColumn>, Vec<DataFile>)| {
                files.into_iter().map(move |file| (file, columns.clone()))
            };
            groups.into_iter().flat_map(of_group).collect()
        };
        let table = |t: CheckpointTable| CurrentTable { columns: t.columns, files: files(t.groups) };
        Dataset {
            loads: checkpoint.loads,
            tables: checkpoint.tables.into_iter().map(|(name, t)| (name, table(t))).collect(),
        }
    }
}

impl From<Dataset> for Checkpoint {
    fn from(dataset: Dataset) -> Self {
        let table = |table: CurrentTable| {
            let mut groups: Vec<(Vec<FileColumn>, Vec<DataFile>)> = Vec::new();
            for (file, columns) in table.files {
                match groups.iter_mut().find(|(of, _)| *of == columns) {
                    Some((_, files)) => files.push(file),
                    None => groups.push((columns, vec![file])),
                }
            }
            CheckpointTable { columns: table.columns, groups }
        };
        Checkpoint {
            format: manifest::FORMAT,
            loads: dataset.loads,
            tables: dataset.tables.into_iter().map(|(name, t)| (name, table(t))).collect(),
        }
    }
}
