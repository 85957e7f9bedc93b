//! Data files that manifests name and that are gone: dlt deletes the files of a table that it replaces or drops, whoever
//! wrote them, and people delete files too. Without looking first, DuckDB would stumble over them.

use crate::dataset::Dataset;
use crate::manifest::{self, Tables, in_dataset};
use crate::records::below;
use crate::store::Store;
use futures_util::{StreamExt, TryStreamExt, stream};
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::schema::SystemColumns;
use std::collections::{BTreeMap, HashSet};

/// Requests at once.
const AT_ONCE: usize = 16;
/// So many files, or tables, of a bucket are asked for one by one; for more there is a listing.
const FEW: usize = 8;

/// Paths below the dataset's folder, by table.
pub(crate) type Gone = BTreeMap<String, Vec<String>>;

/// Finds the files of some tables that are not there.
pub(crate) async fn find(store: &Store, dataset: &str, tables: &Tables, names: &[String]) -> Result<Gone> {
    let paths = |name: &String| -> Vec<String> {
        tables.get(name).map(|t| t.files.iter().map(|(f, _)| f.path.clone()).collect()).unwrap_or_default()
    };
    let named: Gone = names.iter().map(|n| (n.clone(), paths(n))).filter(|(_, paths)| !paths.is_empty()).collect();
    let number: usize = named.values().map(Vec::len).sum();
    let mut gone = Gone::new();
    if matches!(store, Store::Folder(_)) || number <= FEW {
        for (name, paths) in named {
            gone.insert(name, ask(store, dataset, paths).await?);
        }
    } else {
        // One listing of everything is less than one for each of many tables.
        let whole = if named.len() > FEW { Some(list(store, dataset, "").await?) } else { None };
        for (name, mut paths) in named {
            let there = match &whole {
                Some(_) => HashSet::new(),
                None => list(store, dataset, &common_folder(&paths)).await?,
            };
            let there = whole.as_ref().unwrap_or(&there);
            paths.retain(|path| !there.contains(path));
            gone.insert(name, paths);
        }
    }
    gone.retain(|_, paths| !paths.is_empty());
    Ok(gone)
}

async fn ask(store: &Store, dataset: &str, paths: Vec<String>) -> Result<Vec<String>> {
    let ask = |path: String| async move {
        let is_there = store.is_there(&in_dataset(dataset, &path)).await?;
        Ok::<_, Error>(Some(path).filter(|_| !is_there))
    };
    let asked: Vec<Option<String>> = stream::iter(paths).map(ask).buffered(AT_ONCE).try_collect().await?;
    Ok(asked.into_iter().flatten().collect())
}

async fn list(store: &Store, dataset: &str, folder: &str) -> Result<HashSet<String>> {
    let entries = store.list(in_dataset(dataset, folder).trim_end_matches('/')).await?;
    Ok(entries.iter().map(|e| below(dataset, &e.path)).collect())
}

/// Returns the folder that all the paths are below.
fn common_folder(paths: &[String]) -> String {
    let folder = |path: &str| path.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned());
    let mut common = paths.first().map(|p| folder(p)).unwrap_or_default();
    for path in paths {
        while !common.is_empty() && !path.starts_with(&format!("{common}/")) {
            common = folder(&common);
        }
    }
    common
}

/// Looks for the files of some tables. In dlt's mode those that are gone are left out, with a warning.
///
/// # Errors
/// In our mode when one is gone; in both when another load has been committed since the dataset was read.
pub(crate) async fn leave_out(store: &Store, name: &str, now: &Dataset, names: &[String]) -> Result<Tables> {
    let mut tables = now.tables.clone();
    let gone = find(store, name, &tables, names).await?;
    if gone.is_empty() {
        return Ok(tables);
    }
    if Dataset::read(store, name).await?.loads != now.loads {
        return Err(Error::new(ErrorKind::Unavailable, "a load took files away meanwhile"));
    }
    if now.loads.iter().all(|l| l.system_columns != SystemColumns::Dlt) {
        return Err(refused(store, name, &tables, &gone).await?);
    }
    forget(&mut tables, &gone);
    Ok(tables)
}

/// Takes files out of the tables, and says so.
pub(crate) fn forget(tables: &mut Tables, gone: &Gone) {
    for (name, paths) in gone {
        let (files, rows) = counts(tables, name, paths);
        tracing::warn!(
            "{} of {files} files of table {name} are gone, with {rows} rows: dlt, or somebody, deleted them; they are left out",
            paths.len()
        );
        if let Some(table) = tables.get_mut(name) {
            table.files.retain(|(file, _)| !paths.contains(&file.path));
        }
    }
}

/// The files of a table, and the rows in those that are gone.
fn counts(tables: &Tables, name: &str, gone: &[String]) -> (usize, u64) {
    let files = tables.get(name).map(|t| t.files.as_slice()).unwrap_or_default();
    let rows = files.iter().filter(|(f, _)| gone.contains(&f.path)).map(|(f, _)| f.rows).sum();
    (files.len(), rows)
}

/// Returns the error that names the first file that is gone, and the load that wrote it.
pub(crate) async fn refused(store: &Store, dataset: &str, tables: &Tables, gone: &Gone) -> Result<Error> {
    let Some((table, paths)) = gone.iter().next() else { return Ok(Error::internal("no file is gone")) };
    let file = paths.first().map(String::as_str).unwrap_or_default();
    let (files, rows) = counts(tables, table, paths);
    let manifests = manifest::read_all(store, dataset).await?;
    let wrote = |m: &&manifest::FileManifest| m.tables.iter().flat_map(|t| &t.added).any(|f| f.path == file);
    let load = manifests.iter().find(wrote).map_or_else(|| "unknown".to_owned(), |m| m.load_id.to_string());
    let message = format!("{} of {files} data files of a table are gone, with {rows} rows", paths.len());
    Ok(Error::destination(message).with("table", table).with("file", file).with("load", load).hint(
        "put them back and run again; or give up the packages that wait (longshore pipeline NAME drop-package) and load the whole table \
         with --write-disposition replace, which forgets them",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_listed_from_the_folder_that_all_its_files_are_below() {
        let common = |paths: &[&str]| common_folder(&paths.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>());
        assert_eq!(common(&["t/1.parquet", "t/2.parquet"]), "t");
        assert_eq!(common(&["t/year=1/a.csv", "t/year=2/b.csv"]), "t");
        assert_eq!(common(&["t/1.csv", "tt/1.csv"]), "");
        assert_eq!(common(&["t.1.csv", "t.2.csv"]), "");
    }
}
