//! Queries: DuckDB over exactly the files that the manifests name, as one view a table. Files of a bucket
//! are brought to a temporary folder first, those of the tables that the query names.

use crate::config::{Compression, FileFormat};
use crate::layout::path_safe;
use crate::manifest::{self, CurrentTable, DataFile, FileColumn, FileManifest, in_dataset};
use crate::store::Store;
use arrow_array::RecordBatch;
use futures_util::{StreamExt, TryStreamExt, stream};
use longshore_core::error::{Error, Result};
use longshore_core::schema::{DataType, SystemColumns, SystemTable};
use longshore_sql::{identifier, literal, system_table};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Files fetched at once.
const AT_ONCE: usize = 4;

pub(crate) async fn query(
    store: &Store,
    dataset: &str,
    manifests: &[FileManifest],
    sql: &str,
) -> Result<Vec<RecordBatch>> {
    let mut tables = manifest::fold(manifests);
    for mode in [SystemColumns::Native, SystemColumns::Dlt] {
        add_own_tables(store, dataset, manifests, mode, &mut tables).await?;
    }
    let lower = sql.to_lowercase();
    let wanted = |name: &str| name.contains('"') || lower.contains(&name.to_lowercase());
    let local = Local::bring(store, dataset, tables.iter().filter(|(name, _)| wanted(name)).map(|(_, t)| t)).await?;
    let failed = |e: duckdb::Error| Error::destination("DuckDB refused the query").source(e.to_string());
    let connection = open().map_err(failed)?;
    for (name, table) in &tables {
        let files = if wanted(name) { view(table, &local) } else { nothing(table) };
        connection.execute_batch(&format!("CREATE VIEW {} AS {files}", identifier(name))).map_err(failed)?;
    }
    let mut statement = connection.prepare(sql).map_err(failed)?;
    let rows = statement.query_arrow([]).map_err(failed)?;
    let empty = RecordBatch::new_empty(rows.get_schema());
    let mut batches: Vec<RecordBatch> = rows.collect();
    if batches.is_empty() {
        batches.push(empty);
    }
    Ok(batches)
}

fn open() -> duckdb::Result<duckdb::Connection> {
    // Nothing is fetched behind the user's back; the same answer on every machine.
    let config = duckdb::Config::default()
        .with("autoinstall_known_extensions", "false")?
        .with("autoload_known_extensions", "false")?;
    let connection = duckdb::Connection::open_in_memory_with_flags(config)?;
    connection.execute_batch("SET TimeZone = 'UTC'")?;
    Ok(connection)
}

/// The loader's own tables, from the small files beside the manifests.
async fn add_own_tables(
    store: &Store,
    dataset: &str,
    manifests: &[FileManifest],
    mode: SystemColumns,
    tables: &mut BTreeMap<String, CurrentTable>,
) -> Result<()> {
    let own: Vec<&FileManifest> = manifests.iter().filter(|m| m.system_columns == mode).collect();
    if own.is_empty() {
        return Ok(());
    }
    let loads: Vec<String> = own.iter().map(|m| m.load_file.clone()).collect();
    let mut schemas: Vec<String> = own.iter().map(|m| m.schema_file.clone()).collect();
    schemas.sort();
    schemas.dedup();
    let states = states(store, dataset, manifests, mode).await?;
    for (kind, paths) in [(SystemTable::Loads, loads), (SystemTable::Schemas, schemas), (SystemTable::State, states)] {
        let table = system_table(mode, kind);
        let columns = manifest::columns(&table);
        let file = |path| DataFile {
            path,
            format: FileFormat::Jsonl(Compression::None),
            rows: 1,
            bytes: 0,
            columns: columns.len(),
            longest_line: LONG_LINE,
        };
        let files = paths.into_iter().map(|path| (file(path), columns.clone())).collect();
        tables.insert(table.name, CurrentTable { columns: columns.clone(), files });
    }
    Ok(())
}

/// A schema of many thousand columns is one line.
const LONG_LINE: u64 = 64 << 20;

/// Returns the state files that are there; old ones are removed.
pub(crate) async fn states(
    store: &Store,
    dataset: &str,
    manifests: &[FileManifest],
    mode: SystemColumns,
) -> Result<Vec<String>> {
    let folder = in_dataset(dataset, mode.table_name(SystemTable::State));
    let there = store.list(&folder).await?;
    let named = manifests.iter().filter(|m| m.system_columns == mode).filter_map(|m| m.state_file.clone());
    Ok(named.filter(|path| there.iter().any(|e| e.path == in_dataset(dataset, path))).collect())
}

/// Where files can be read.
struct Local {
    root: PathBuf,
    /// Removed with this.
    _temporary: Option<tempfile::TempDir>,
}

impl Local {
    async fn bring(store: &Store, dataset: &str, tables: impl Iterator<Item = &CurrentTable>) -> Result<Self> {
        if let Store::Folder(root) = store {
            return Ok(Local { root: root.join(path_safe(dataset)), _temporary: None });
        }
        let folder = tempfile::tempdir().map_err(|e| Error::storage("cannot make a temporary folder").source(e))?;
        let root = folder.path().to_path_buf();
        let paths: Vec<String> = tables.flat_map(|t| &t.files).map(|(file, _)| file.path.clone()).collect();
        let fetch = |path: String| {
            let to = root.join(&path);
            async move { store.fetch(&in_dataset(dataset, &path), &to).await }
        };
        stream::iter(paths).map(fetch).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        Ok(Local { root, _temporary: Some(folder) })
    }

    fn path(&self, file: &DataFile) -> PathBuf {
        self.root.join(&file.path)
    }
}

/// The query of a view over a table's files: those with the same form and columns are read together.
fn view(table: &CurrentTable, local: &Local) -> String {
    let mut groups: Vec<(&FileFormat, &[FileColumn], Vec<&DataFile>)> = Vec::new();
    for (file, columns) in &table.files {
        match groups.iter_mut().find(|(format, of, _)| **format == file.format && *of == columns.as_slice()) {
            Some((.., files)) => files.push(file),
            None => groups.push((&file.format, columns, vec![file])),
        }
    }
    if groups.is_empty() {
        return nothing(table);
    }
    let select = |(format, columns, files): (&FileFormat, &[FileColumn], Vec<&DataFile>)| {
        let values: Vec<String> = table.columns.iter().map(|c| value(c, columns, *format)).collect();
        let paths: Vec<PathBuf> = files.iter().map(|f| local.path(f)).collect();
        let longest = files.iter().map(|f| f.longest_line).max().unwrap_or_default();
        format!("SELECT {} FROM {}", values.join(", "), scan(*format, columns, &paths, longest))
    };
    groups.into_iter().map(select).collect::<Vec<_>>().join(" UNION ALL ")
}

/// The query of a table without rows.
fn nothing(table: &CurrentTable) -> String {
    let values: Vec<String> =
        table.columns.iter().map(|c| format!("NULL::{} AS {}", type_name(c.data_type), identifier(&c.name))).collect();
    if values.is_empty() {
        return "SELECT 1 AS nothing WHERE false".to_owned();
    }
    format!("SELECT {} WHERE false", values.join(", "))
}

/// A column's value as the table has it, out of files that have it, maybe with another type, or have it not.
fn value(column: &FileColumn, in_file: &[FileColumn], format: FileFormat) -> String {
    let name = identifier(&column.name);
    let wanted = type_name(column.data_type);
    let Some(found) = in_file.iter().find(|c| c.name == column.name) else {
        return format!("NULL::{wanted} AS {name}");
    };
    let read = match (format, found.data_type) {
        (FileFormat::Parquet(_), _) => name.clone(),
        (_, DataType::Binary) => format!("from_base64({name})"),
        (_, data_type) => format!("CAST({name} AS {})", type_name(data_type)),
    };
    format!("CAST({read} AS {wanted}) AS {name}")
}

fn scan(format: FileFormat, columns: &[FileColumn], paths: &[PathBuf], longest: u64) -> String {
    let list = paths.iter().map(|p| literal(&escape_glob(p))).collect::<Vec<_>>().join(", ");
    let compression = match format.compression() {
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
        Compression::None | Compression::Snappy => "none",
    };
    let typed = |type_of: fn(DataType) -> &'static str| {
        let pairs: Vec<String> =
            columns.iter().map(|c| format!("{}: {}", literal(&c.name), literal(type_of(c.data_type)))).collect();
        pairs.join(", ")
    };
    match format {
        FileFormat::Parquet(_) => format!("read_parquet([{list}], union_by_name = true, hive_partitioning = false)"),
        FileFormat::Jsonl(_) => format!(
            "read_json([{list}], format = 'newline_delimited', auto_detect = false, columns = {{{}}}, compression = '{compression}', maximum_object_size = {}, hive_partitioning = false)",
            typed(json_type),
            longest.max(16 << 20)
        ),
        FileFormat::Csv(_) => format!(
            "read_csv([{list}], auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false, columns = {{{}}}, compression = '{compression}', max_line_size = {}, hive_partitioning = false)",
            typed(|_| "VARCHAR"),
            (longest + 1024).max(2 << 20)
        ),
    }
}

/// In DuckDB's lists of files, too, `*`, `?` and `[` are patterns; a class of one character is itself.
fn escape_glob(path: &Path) -> String {
    let text = path.display().to_string();
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '*' | '?' | '[' => out.extend(['[', c, ']']),
            c => out.push(c),
        }
    }
    out
}

/// What a JSON value is read as before it is cast: numbers and truth as such, the rest as text.
fn json_type(data_type: DataType) -> &'static str {
    match data_type {
        DataType::Bigint => "BIGINT",
        DataType::Double => "DOUBLE",
        DataType::Bool => "BOOLEAN",
        DataType::Json => "JSON",
        _ => "VARCHAR",
    }
}

fn type_name(data_type: DataType) -> &'static str {
    match data_type {
        DataType::Text => "VARCHAR",
        DataType::Bigint => "BIGINT",
        DataType::Double => "DOUBLE",
        DataType::Bool => "BOOLEAN",
        DataType::Timestamp => "TIMESTAMPTZ",
        DataType::Json => "JSON",
        DataType::Decimal => "DECIMAL(38,0)",
        DataType::Binary => "BLOB",
        DataType::Date => "DATE",
        DataType::Time => "TIME",
    }
}
