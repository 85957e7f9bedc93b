//! Data files of a table that dlt wrote into a dataset of both: no manifest names them, and readers by manifests do not
//! see their rows. Replacing takes them away, and before a merge they become files of ours (`adopt`).

use crate::config::{Config, FileFormat};
use crate::dataset::Dataset;
use crate::layout::{PENDING, path_safe};
use crate::manifest::{self, Pending, in_dataset};
use crate::records::below;
use crate::store::{Entry, Store};
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
    /// Files of ours by their paths below the dataset: those that count, those that a load was about to make visible, and
    /// those that it took away and did not delete any more.
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
            let Ok(note) = serde_json::from_slice::<Pending>(&bytes) else { continue };
            let committed = manifest::read(store, &manifest::path(dataset, &note.pipeline, &note.load_id)).await?;
            paths.extend(committed.into_iter().flat_map(|m| m.tables).flat_map(|t| t.removed));
            paths.extend(note.paths);
        }
        Ok(Foreign { store, config, target: &opening.target, loads, paths })
    }

    /// Returns the table's data files that are not ours, by their paths below the dataset.
    pub(crate) async fn files(&self, table: &str) -> Result<Vec<Entry>> {
        Ok(data(self.listed(table).await?))
    }

    /// Returns the same for a table that rows are merged into.
    ///
    /// # Errors
    /// When the table has files of forms that nothing can be merged into.
    pub(crate) async fn files_to_merge(&self, table: &str) -> Result<Vec<Entry>> {
        let listed = self.listed(table).await?;
        if let Some((entry, _)) = listed.iter().find(|(_, name)| is_other_form(name)) {
            return Err(Error::destination("dlt wrote the table in a form that nothing can be merged into")
                .with("table", table)
                .with("dataset", &self.target.dataset)
                .with("file", &entry.path)
                .hint("Parquet, JSONL and CSV can be merged into: load into another table or dataset"));
        }
        Ok(data(listed))
    }

    /// The files that are not ours, each with what follows the table's part of its path.
    async fn listed(&self, table: &str) -> Result<Vec<(Entry, String)>> {
        let schema = longshore_core::dlt::schema_name(&self.target.pipeline);
        let mut prefixes = BTreeSet::from([format!("{}/", path_safe(table))]);
        let of_layout = [&self.target.pipeline, &schema].map(|name| self.config.layout.table_prefix(name, table));
        prefixes.extend(of_layout.into_iter().flatten());
        let mut found = Vec::new();
        for prefix in prefixes {
            let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
            let folder = in_dataset(&self.target.dataset, folder);
            for entry in self.store.list(folder.trim_end_matches('/')).await? {
                let path = below(&self.target.dataset, &entry.path);
                if let Some(name) = path.strip_prefix(&prefix).filter(|_| !self.is_ours(&path)) {
                    found.push((Entry { path: path.clone(), bytes: entry.bytes }, name.to_owned()));
                }
            }
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

fn data(listed: Vec<(Entry, String)>) -> Vec<Entry> {
    listed.into_iter().filter(|(_, name)| is_data(name)).map(|(entry, _)| entry).collect()
}

/// True for what says that the table is one of Delta Lake's or Iceberg's, and for dlt's other forms of rows.
fn is_other_form(path: &str) -> bool {
    let plain = path.strip_suffix(".gz").unwrap_or(path);
    path.starts_with("_delta_log/")
        || (path.starts_with("metadata/") && path.ends_with(".metadata.json"))
        || [".insert_values", ".typed-jsonl", ".sql", ".model"].iter().any(|end| plain.ends_with(end))
}

/// Refuses to merge into tables of dlt's that no merge can look into, before anything is read.
pub(crate) async fn refuse_other_forms(
    store: &Store,
    config: &Config,
    opening: &Opening,
    tables: &[&Table],
) -> Result<()> {
    let merged: Vec<&&Table> = tables.iter().filter(|t| t.write.merges() && !opening.drops.contains(&t.name)).collect();
    if opening.system_columns != SystemColumns::Dlt || merged.is_empty() {
        return Ok(());
    }
    let foreign = Foreign::look(store, config, opening).await?;
    for table in merged {
        foreign.files_to_merge(&table.name).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_from_what_table_formats_keep_beside_them() {
        assert!(is_data("1.a.jsonl.gz") && is_data("year=2024/1.a.parquet") && !is_data("_delta_log/0.parquet"));
        for other in ["_delta_log/00.json", "metadata/00-a.metadata.json", "1.a.insert_values.gz", "1.a.sql"] {
            assert!(is_other_form(other) && !is_data(other), "{other}");
        }
        assert!(!is_other_form("metadata/1.a.jsonl") && !is_other_form("1.a.csv.gz"));
    }
}
