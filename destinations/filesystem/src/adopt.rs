//! Before rows are merged into tables that dlt wrote files of, these become files like ours: what our manifests say of
//! our own files is looked up in them, and from the load's manifest on they count. Only then can a merge look into
//! them, and take away what it writes anew; dlt, which lists folders, sees the same rows as the readers of manifests.

mod footer;
mod lines;

use crate::config::{Compression, FileFormat};
use crate::foreign::Foreign;
use crate::local::Local;
use crate::manifest::{self, DataFile, FileColumn, TableFiles, Tables};
use crate::scan;
use crate::stage::Inner;
use crate::store::Entry;
use longshore_core::error::{Error, Result};
use longshore_core::package::Manifest;
use longshore_core::schema::{ColumnRole, DataType, SystemColumns, Table};
use longshore_sql::identifier;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// Files of a bucket that are on this machine at once.
const AT_ONCE: usize = 16;

/// Files by table, each with the columns it has.
pub(crate) type Adopted = BTreeMap<String, Vec<(DataFile, Vec<FileColumn>)>>;

/// What is in a file, as far as its form says.
struct Content {
    format: FileFormat,
    /// Names, of CSV in their order; with the type of those that have one.
    columns: Vec<(String, Option<DataType>)>,
    longest_line: u64,
    bounds: BTreeMap<String, [serde_json::Value; 2]>,
}

/// Adds dlt's files to the tables `names` of those that are there.
///
/// # Errors
/// When rows lack their ids, so that nothing can be merged into them, or a file cannot be read.
pub(crate) async fn adopt(
    inner: &mut Inner,
    manifest: &Manifest,
    names: &[String],
    there: &mut Tables,
) -> Result<Adopted> {
    let mut adopted = Adopted::new();
    let context = Arc::clone(&inner.context);
    if context.opening.system_columns != SystemColumns::Dlt || names.is_empty() {
        return Ok(adopted);
    }
    let foreign = Foreign::look(&context.store, &context.config, &context.opening).await?;
    for table in names.iter().filter_map(|name| manifest.schema.table(name)) {
        let mut files = Vec::new();
        for some in foreign.files_to_merge(&table.name).await?.chunks(AT_ONCE) {
            let looked = look_into(inner, table, some).await;
            files.extend(looked.map_err(|e| e.with("table", &table.name))?);
        }
        if files.is_empty() {
            continue;
        }
        let rows: u64 = files.iter().map(|(file, _)| file.rows).sum();
        tracing::info!(
            "{} files of table {}, which dlt wrote, are taken over, with {rows} rows",
            files.len(),
            table.name
        );
        let now = there.entry(table.name.clone()).or_default();
        files.iter().for_each(|(_, columns)| manifest::add_columns(&mut now.columns, columns));
        now.files.extend(files.iter().cloned());
        adopted.insert(table.name.clone(), files);
    }
    Ok(adopted)
}

/// What the load's manifest says of files that were adopted and stay: those of a table with the same columns together.
pub(crate) fn entries(adopted: Adopted, removed: &BTreeMap<String, Vec<String>>) -> Vec<TableFiles> {
    let mut entries: Vec<TableFiles> = Vec::new();
    for (table, files) in adopted {
        let goes = |file: &DataFile| removed.get(&table).is_some_and(|paths| paths.contains(&file.path));
        for (file, columns) in files.into_iter().filter(|(file, _)| !goes(file)) {
            let same = entries.iter_mut().find(|e| e.table == table && e.columns == columns);
            let rows = file.rows;
            match same {
                Some(entry) => {
                    entry.rows += rows;
                    entry.added.push(file);
                }
                None => entries.push(TableFiles {
                    table: table.clone(),
                    columns,
                    rows,
                    added: vec![file],
                    removed: Vec::new(),
                    dropped: false,
                }),
            }
        }
    }
    entries
}

async fn look_into(inner: &mut Inner, table: &Table, entries: &[Entry]) -> Result<Vec<(DataFile, Vec<FileColumn>)>> {
    let context = Arc::clone(&inner.context);
    let (store, dataset) = (&context.store, &context.opening.target.dataset);
    let mut files: Vec<(DataFile, Vec<FileColumn>)> = entries.iter().map(unknown).collect();
    let mut local = Local::new(store, dataset)?;
    local.bring(store, dataset, files.iter().map(|(file, _)| file)).await?;
    for (file, columns) in &mut files {
        let content = content(&local.path(file), table).map_err(|e| e.with("file", &file.path))?;
        *columns = file_columns(table, &content);
        if context.config.format.name() == "csv"
            && let Some(bytes) = columns.iter().find(|c| c.column_type.data_type == DataType::Binary)
        {
            return Err(bytes_in_csv(&bytes.name).with("file", &file.path));
        }
        file.columns = columns.len();
        (file.format, file.longest_line, file.bounds) = (content.format, content.longest_line, content.bounds);
    }
    let engine = crate::merge::engine(inner, files.iter().map(|(file, _)| file))?;
    let roles = [ColumnRole::RowId, ColumnRole::ParentId, ColumnRole::RootId];
    let ids = roles.map(|role| SystemColumns::Dlt.column(role).name);
    let wanted = ids.clone().map(|name| FileColumn { name, column_type: DataType::Text.into() });
    let counts: Vec<String> = ids.iter().map(|name| format!("count({})", identifier(name))).collect();
    for file in &mut files {
        let rows = scan::select(&wanted, [&*file].into_iter(), |f| local.path(f), false);
        let counted: Vec<u64> = engine
            .list(&format!("SELECT unnest([count(*), {}]) FROM ({rows})", counts.join(", ")))
            .map_err(|e| e.with("file", &file.0.path))?;
        let &[rows, row_ids, parents, roots] = counted.as_slice() else {
            return Err(Error::internal("a file's ids were not counted"));
        };
        if row_ids < rows || (!table.is_root() && parents < rows && roots < rows) {
            return Err(without_ids(&file.0.path));
        }
        file.0.rows = rows;
        // Where some rows lack their root's id, all get it by way of their parents.
        if roots < rows && file.0.format.name() != "csv" {
            file.1.retain(|c| c.name != ids[2]);
            file.0.columns = file.1.len();
        }
    }
    Ok(files)
}

fn unknown(entry: &Entry) -> (DataFile, Vec<FileColumn>) {
    let file = DataFile {
        path: entry.path.clone(),
        format: FileFormat::Parquet(Compression::None),
        rows: 0,
        bytes: entry.bytes,
        columns: 0,
        longest_line: 0,
        of_dlt: true,
        bounds: BTreeMap::new(),
    };
    (file, Vec::new())
}

fn content(path: &Path, table: &Table) -> Result<Content> {
    let name = path.to_string_lossy();
    if name.ends_with(".parquet") {
        return footer::read(path, table);
    }
    let compression = compression(path).map_err(|e| crate::error::from_io(e, path))?;
    let is_csv = name.trim_end_matches(".gz").trim_end_matches(".zst").ends_with(".csv");
    let format = if is_csv { FileFormat::Csv(compression) } else { FileFormat::Jsonl(compression) };
    lines::read(path, format)
}

/// By the first bytes: in dlt's older datasets the names do not say it.
fn compression(path: &Path) -> std::io::Result<Compression> {
    let mut first = Vec::new();
    std::fs::File::open(path)?.take(4).read_to_end(&mut first)?;
    Ok(match first.as_slice() {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Compression::Zstd,
        _ => Compression::None,
    })
}

/// The file's columns with the types the table has; in its order, but for CSV, which is read by places.
fn file_columns(table: &Table, content: &Content) -> Vec<FileColumn> {
    let column = |(name, found): &(String, Option<DataType>)| {
        let known = table.column(name).map(|c| c.column_type());
        // Of a column that the schema does not know nothing may be lost.
        let other = if content.format.name() == "jsonl" { DataType::Json } else { DataType::Text };
        FileColumn { name: name.clone(), column_type: known.unwrap_or_else(|| found.unwrap_or(other).into()) }
    };
    let mut columns: Vec<FileColumn> = content.columns.iter().map(column).collect();
    if content.format.name() != "csv" {
        let place = |c: &FileColumn| table.columns.iter().position(|of| of.name == c.name).unwrap_or(usize::MAX);
        columns.sort_by_key(place);
    }
    columns
}

fn without_ids(file: &str) -> Error {
    let ids = "rows that dlt loads from Arrow, Parquet or data frames have them only with its setting \
               normalize.parquet_normalizer.add_dlt_id";
    Error::destination("dlt wrote rows without _dlt_id or _dlt_parent_id, and nothing can be merged into these")
        .with("file", file)
        .hint(format!(
            "{ids}; load the whole table once with --write-disposition replace, which takes dlt's files away"
        ))
}

/// What dlt reads may not change.
fn bytes_in_csv(column: &str) -> Error {
    Error::destination("dlt reads bytes in CSV as text, and Longshore would write them in base64")
        .with("column", column)
        .hint("merge with ?format=parquet or ?format=jsonl: the tables become files of that form")
}

fn unreadable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::destination("a file that dlt wrote cannot be read").source(cause)
}
