//! Data files of a table that dlt wrote into a dataset of both: no manifest names them, and readers by manifests do not
//! see their rows. Replacing takes them away; merging cannot look into them and is refused.

use crate::config::{Config, FileFormat};
use crate::dataset::Dataset;
use crate::layout::{PENDING, path_safe};
use crate::manifest::{self, Pending, in_dataset};
use crate::records::below;
use crate::store::Store;
use longshore_core::destination::Opening;
use longshore_core::error::{Error, Result};
use longshore_core::package::{LoadId, Target};
use longshore_core::schema::{SystemColumns, Table};
use std::collections::{BTreeSet, HashSet};

/// What our files are told by.
pub(crate) struct Foreign<'a> {
    store: &'a Store,
    config: &'a Config,
    target: &'a Target,
    /// Loads of ours. Usual layouts begin the names of files with them.
    loads: BTreeSet<LoadId>,
    /// Files of ours by their paths below the dataset: those that count, and those that a load was about to make visible.
    paths: HashSet<String>,
}

impl<'a> Foreign<'a> {
    /// Looks which loads and files are ours.
    pub(crate) async fn look(store: &'a Store, config: &'a Config, opening: &'a Opening) -> Result<Self> {
        let dataset = &opening.target.dataset;
        let mut loads: BTreeSet<LoadId> = manifest::list(store, dataset).await?.into_iter().map(|(id, _)| id).collect();
        loads.insert(opening.load_id.clone());
        let tables = Dataset::read(store, dataset).await?.tables;
        let mut paths: HashSet<String> = tables.values().flat_map(|t| &t.files).map(|(f, _)| f.path.clone()).collect();
        for entry in store.list(&in_dataset(dataset, PENDING)).await? {
            let Some(bytes) = store.read(&entry.path).await? else { continue };
            let note = serde_json::from_slice::<Pending>(&bytes).ok();
            paths.extend(note.into_iter().flat_map(|note| note.paths));
        }
        Ok(Foreign { store, config, target: &opening.target, loads, paths })
    }

    /// Returns the paths of a table's files that are not ours.
    pub(crate) async fn files(&self, table: &str) -> Result<Vec<String>> {
        let schema = longshore_core::dlt::schema_name(&self.target.pipeline);
        let mut folders = BTreeSet::from([path_safe(table)]);
        let of_layout = [&self.target.pipeline, &schema].map(|name| self.config.layout.table_folder(name, table));
        folders.extend(of_layout.into_iter().flatten());
        let mut found = Vec::new();
        for folder in folders {
            let entries = self.store.list(&in_dataset(&self.target.dataset, &folder)).await?;
            let inside = format!("{folder}/");
            let paths = entries.iter().map(|e| below(&self.target.dataset, &e.path));
            found.extend(paths.filter(|p| p.strip_prefix(&inside).is_some_and(is_data) && !self.is_ours(p)));
        }
        Ok(found)
    }

    fn is_ours(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or_default();
        let begins = |id: &LoadId| name.strip_prefix(id.as_str()).is_some_and(|rest| rest.starts_with('.'));
        self.paths.contains(path) || self.loads.iter().any(begins)
    }
}

/// True for the files that dlt makes of rows; what begins with `_` or a point is some table format's own.
fn is_data(path: &str) -> bool {
    let is_own = |part: &str| part.starts_with(['_', '.']);
    FileFormat::is_data_file(path) && !path.split('/').any(is_own)
}

/// Refuses to merge into tables that have files of dlt's: rows in them would be there twice, in silence.
pub(crate) async fn refuse_merges(store: &Store, config: &Config, opening: &Opening, tables: &[&Table]) -> Result<()> {
    let merged: Vec<&&Table> = tables.iter().filter(|t| t.write.merges() && !opening.drops.contains(&t.name)).collect();
    if opening.system_columns != SystemColumns::Dlt || merged.is_empty() {
        return Ok(());
    }
    let foreign = Foreign::look(store, config, opening).await?;
    for table in merged {
        if let Some(file) = foreign.files(&table.name).await?.first() {
            return Err(Error::destination("dlt wrote files of the table, and nothing can be merged into these")
                .with("table", &table.name)
                .with("dataset", &opening.target.dataset)
                .with("file", file)
                .hint("load the whole table once with --write-disposition replace, which takes dlt's files away; then it can be merged into"));
        }
    }
    Ok(())
}
