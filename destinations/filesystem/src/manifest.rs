//! What a load's manifest says, and what all manifests of a dataset say together.
//!
//! A manifest is written last and never changed. It names the files that a load added and those that it took
//! away, by table; the files of a table are what remains when the manifests are read in the order of their
//! load ids. Replacing takes away all that were there.

use crate::config::FileFormat;
use crate::layout::{MANIFESTS, PENDING, path_safe};
use crate::of_dlt;
use crate::store::Store;
use futures_util::{StreamExt, TryStreamExt, stream};
use longshore_core::error::{Error, Result};
use longshore_core::package::{LoadId, Target};
use longshore_core::schema::{ColumnType, DataType, SystemColumns, Table};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

/// Version of the manifest's form.
pub(crate) const FORMAT: u32 = 1;
/// Requests for small files at once.
const AT_ONCE: usize = 16;

/// One load, as `<dataset>/_manifests/<pipeline>__<load id>.json`. Paths are below the dataset's folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileManifest {
    /// Version of this file's form.
    pub format: u32,
    /// The load.
    pub load_id: LoadId,
    /// Whose load.
    pub pipeline: String,
    /// Names of the loader's own tables and columns.
    pub system_columns: SystemColumns,
    /// When it was written, in ISO 8601.
    pub committed_at: String,
    /// Which try of the load wrote it.
    pub attempt: String,
    /// `clean` has given the load up: it does not count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub aborted: bool,
    /// Hash of the schema after this load.
    pub schema_hash: String,
    /// The file with the schema.
    pub schema_file: String,
    /// The file with the source's state, where the load had one.
    pub state_file: Option<String>,
    /// The load's own record.
    pub load_file: String,
    /// Every table of the schema, and the rejects where there are some.
    pub tables: Vec<TableFiles>,
}

/// What a load did to a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableFiles {
    /// The table.
    pub table: String,
    /// Its columns after this load, in order.
    pub columns: Vec<FileColumn>,
    /// Rows in the files that were added.
    pub rows: u64,
    /// Files this load added.
    pub added: Vec<DataFile>,
    /// Paths of files that do not count any more since this load.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// The table went with all it had before: what it has now is of this load. Without columns it is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dropped: bool,
}

/// A column's name and type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileColumn {
    /// Its name.
    pub name: String,
    /// Its type, with its size.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
}

/// One data file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataFile {
    /// Below the dataset's folder.
    pub path: String,
    /// Its form.
    pub format: FileFormat,
    /// Rows in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// How many of the table's columns it has: the first so many.
    pub columns: usize,
    /// Bytes of its longest line; of its largest row group for Parquet that dlt wrote, and 0 for ours.
    #[serde(default)]
    pub longest_line: u64,
    /// dlt wrote it, in its own forms: in CSV, `""` is null there and bytes are text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_dlt: bool,
    /// The least and the greatest value of ids and keys, where they are known: a merge reads only files that may
    /// have what it looks for. Numbers are numbers, texts are texts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bounds: BTreeMap<String, [Value; 2]>,
}

/// What a load is about to make visible, as `<dataset>/_manifests/pending/<pipeline>__<load id>.json`: written
/// before the first file, so that what a crash leaves can be found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) load_id: LoadId,
    pub(crate) pipeline: String,
    pub(crate) attempt: String,
    pub(crate) paths: Vec<String>,
}

/// The name that the files of one load share.
pub(crate) fn load_name(pipeline: &str, load_id: &LoadId) -> String {
    format!("{}__{load_id}", path_safe(pipeline))
}

/// Returns the path of a load's manifest.
pub(crate) fn path(dataset: &str, pipeline: &str, load_id: &LoadId) -> String {
    format!("{}/{MANIFESTS}/{}.json", path_safe(dataset), load_name(pipeline, load_id))
}

/// Returns the path of what a load was about to do.
pub(crate) fn pending_path(dataset: &str, pipeline: &str, load_id: &LoadId) -> String {
    format!("{}/{PENDING}/{}.json", path_safe(dataset), load_name(pipeline, load_id))
}

/// Returns a path below the datasets' folder for one below the dataset's.
pub(crate) fn in_dataset(dataset: &str, path: &str) -> String {
    format!("{}/{path}", path_safe(dataset))
}

/// Reads a load's manifest, if the load was committed.
pub(crate) async fn read(store: &Store, path: &str) -> Result<Option<FileManifest>> {
    let Some(bytes) = store.read(path).await? else { return Ok(None) };
    let manifest: FileManifest = serde_json::from_slice(&bytes).map_err(|e| unreadable(path).source(e))?;
    if manifest.format > FORMAT {
        return Err(unreadable(path));
    }
    Ok(Some(manifest).filter(|m| !m.aborted))
}

impl FileManifest {
    /// Returns the manifest of a load that is given up: it stands where the load's own would come.
    pub(crate) fn given_up(pipeline: &str, load_id: &LoadId, by: &str) -> Self {
        FileManifest {
            format: FORMAT,
            load_id: load_id.clone(),
            pipeline: pipeline.to_owned(),
            system_columns: SystemColumns::Native,
            committed_at: String::new(),
            attempt: by.to_owned(),
            aborted: true,
            schema_hash: String::new(),
            schema_file: String::new(),
            state_file: None,
            load_file: String::new(),
            tables: Vec::new(),
        }
    }
}

/// Says that `clean` gave a load up.
pub(crate) const CLEANED: &str = "clean";
/// Says that a try of the load was given up because another load rewrote the same table meanwhile.
pub(crate) const OVERTAKEN: &str = "overtaken";

/// Removes a mark that stands where the manifest is to be: of a 'clean' that died (its note is gone, so it had
/// finished), or of an earlier try of the load that was overtaken.
pub(crate) async fn remove_mark(store: &Store, path: &str, pending: &str) -> Result<()> {
    let Some(bytes) = store.read(path).await? else { return Ok(()) };
    let Ok(mark) = serde_json::from_slice::<FileManifest>(&bytes) else { return Ok(()) };
    if mark.aborted && (mark.attempt == OVERTAKEN || store.read(pending).await?.is_none()) {
        store.delete(path).await?;
    }
    Ok(())
}

fn unreadable(path: &str) -> Error {
    Error::destination("a manifest of the dataset cannot be read")
        .with("file", path)
        .hint("it was written by a newer version, or by something else: load into another dataset")
}

/// Returns the paths of the dataset's manifests with their loads, in the order of the load ids.
pub(crate) async fn list(store: &Store, dataset: &str) -> Result<Vec<(LoadId, String)>> {
    let folder = in_dataset(dataset, MANIFESTS);
    let pending = in_dataset(dataset, PENDING);
    let mut found = Vec::new();
    for entry in store.list(&folder).await? {
        let name = entry.path.rsplit('/').next().unwrap_or_default();
        let load_id =
            name.strip_suffix(".json").and_then(|n| n.rsplit_once("__")).and_then(|(_, id)| LoadId::parse(id));
        if let Some(load_id) = load_id.filter(|_| !entry.path.starts_with(&pending)) {
            found.push((load_id, entry.path));
        }
    }
    found.sort();
    Ok(found)
}

/// Returns the paths of a pipeline's manifests with their loads, in the order of the load ids.
pub(crate) async fn list_of(store: &Store, target: &Target) -> Result<Vec<(LoadId, String)>> {
    let begin = format!("{}__", path_safe(&target.pipeline));
    let mut own = list(store, &target.dataset).await?;
    // The rest of the name is the load id alone: no other pipeline's longer name fits.
    own.retain(|(id, path)| path.rsplit('/').next() == Some(&format!("{begin}{id}.json")));
    Ok(own)
}

/// Returns the newest load of a pipeline that was committed, but for one.
pub(crate) async fn newest_load(
    store: &Store,
    target: &Target,
    system: SystemColumns,
    but: &LoadId,
) -> Result<Option<LoadId>> {
    let mut own = list_of(store, target).await?;
    let mut newest = None;
    while let (Some((load_id, path)), None) = (own.pop(), &newest) {
        newest = read(store, &path).await?.map(|_| load_id).filter(|id| id != but);
    }
    if system == SystemColumns::Native {
        return Ok(newest);
    }
    // dlt writes no manifests.
    let name = longshore_core::dlt::schema_name(&target.pipeline);
    Ok(newest.max(of_dlt::find(store, target, &name, Some(but)).await?.load_id))
}

/// Reads all manifests of a dataset, in the order of the load ids.
pub(crate) async fn read_all(store: &Store, dataset: &str) -> Result<Vec<FileManifest>> {
    let paths = list(store, dataset).await?;
    let reads = stream::iter(paths).map(|(_, path)| async move { read(store, &path).await });
    let found: Vec<Option<FileManifest>> = reads.buffered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// A table as all manifests together say.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct CurrentTable {
    /// Columns in the order they came.
    pub(crate) columns: Vec<FileColumn>,
    /// The files that count, each with the columns it has.
    pub(crate) files: Vec<(DataFile, Vec<FileColumn>)>,
}

/// Tables as all manifests together say, by name.
pub(crate) type Tables = BTreeMap<String, CurrentTable>;

/// Adds what loads did to the tables that earlier ones left. A file that any load took away is gone, whatever their
/// order: no load adds a file again.
pub(crate) fn fold_into(tables: &mut Tables, manifests: &[FileManifest]) {
    let changes = || manifests.iter().flat_map(|m| &m.tables);
    let removed: HashSet<&str> = changes().flat_map(|c| &c.removed).map(String::as_str).collect();
    for change in changes() {
        let table = tables.entry(change.table.clone()).or_default();
        if change.dropped {
            table.columns.clear();
        }
        add_columns(&mut table.columns, &change.columns);
        let columns = |file: &DataFile| change.columns[..file.columns.min(change.columns.len())].to_vec();
        table.files.extend(change.added.iter().map(|file| (file.clone(), columns(file))));
    }
    for table in tables.values_mut() {
        table.files.retain(|(file, _)| !removed.contains(file.path.as_str()));
        if table.columns.is_empty() {
            // Files of a load that ran at the same time.
            let of_files = std::mem::take(&mut table.files);
            of_files.iter().for_each(|(_, columns)| add_columns(&mut table.columns, columns));
            table.files = of_files;
        }
    }
    tables.retain(|_, table| !table.columns.is_empty());
}

fn is_larger(a: &FileColumn, b: &FileColumn) -> bool {
    a.column_type.data_type == b.column_type.data_type && b.column_type.widens_to(a.column_type)
}

/// Puts columns behind those of a table that it lacks.
pub(crate) fn add_columns(columns: &mut Vec<FileColumn>, more: &[FileColumn]) {
    for column in more {
        match columns.iter_mut().find(|c| c.name == column.name) {
            None => columns.push(column.clone()),
            // Two pipelines that do not agree: texts hold both.
            // Of one type in two sizes, the larger one holds both.
            Some(known) if is_larger(column, known) => known.column_type = column.column_type,
            Some(known) if is_larger(known, column) => {}
            Some(known) if known.column_type != column.column_type => known.column_type = DataType::Text.into(),
            Some(_) => {}
        }
    }
}

/// The columns of a table, as manifests have them.
pub(crate) fn columns(table: &Table) -> Vec<FileColumn> {
    table.columns.iter().map(|c| FileColumn { name: c.name.clone(), column_type: c.column_type() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Compression;

    fn load(number: u64, columns: &[&str], added: &[&str], removed: &[&str]) -> FileManifest {
        let file = |path: &&str| DataFile {
            path: (*path).to_owned(),
            format: FileFormat::Parquet(Compression::Snappy),
            rows: 1,
            bytes: 1,
            columns: columns.len(),
            longest_line: 0,
            of_dlt: false,
            bounds: BTreeMap::new(),
        };
        let column = |name: &&str| FileColumn { name: (*name).to_owned(), column_type: DataType::Text.into() };
        let table = TableFiles {
            table: "t".to_owned(),
            columns: columns.iter().map(column).collect(),
            rows: added.len() as u64,
            added: added.iter().map(file).collect(),
            removed: removed.iter().map(|p| (*p).to_owned()).collect(),
            dropped: false,
        };
        FileManifest {
            format: FORMAT,
            load_id: LoadId::from_micros(number, SystemColumns::Native),
            pipeline: "p".to_owned(),
            system_columns: SystemColumns::Native,
            committed_at: String::new(),
            attempt: String::new(),
            aborted: false,
            schema_hash: String::new(),
            schema_file: "s".to_owned(),
            state_file: None,
            load_file: String::new(),
            tables: vec![table],
        }
    }

    #[test]
    fn the_files_of_a_table_are_what_remains_of_all_loads() {
        let loads = [load(1, &["a"], &["1", "2"], &[]), load(2, &["a", "b"], &["3"], &["1"])];
        let mut tables = Tables::new();
        fold_into(&mut tables, &loads);
        let table = &tables["t"];
        let files: Vec<(&str, usize)> = table.files.iter().map(|(f, c)| (f.path.as_str(), c.len())).collect();
        assert_eq!(files, [("2", 1), ("3", 2)]);
        assert_eq!(table.columns.len(), 2);
        let mut loads = Vec::from(loads);
        loads.push(load(3, &["c"], &["4"], &["2", "3"]));
        loads[2].tables[0].dropped = true;
        let mut tables = Tables::new();
        fold_into(&mut tables, &loads);
        assert_eq!((tables["t"].columns.len(), tables["t"].files.len()), (1, 1), "made anew");
        loads.push(load(4, &[], &[], &["4"]));
        loads[3].tables[0].dropped = true;
        let mut tables = Tables::new();
        fold_into(&mut tables, &loads);
        assert_eq!(tables.len(), 0, "gone");
        let mut backwards = Tables::new();
        fold_into(&mut backwards, &loads[1..2]);
        fold_into(&mut backwards, &loads[..1]);
        assert_eq!(backwards["t"].files.len(), 3, "the remover is only folded with or behind what it removed");
    }
}
