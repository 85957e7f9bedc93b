//! Queries: DuckDB over exactly the files that the manifests name, as one view a table. Files of a bucket
//! are brought to a temporary folder first, those of the tables that the query names.

use crate::config::{Compression, FileFormat};
use crate::dataset::{Dataset, Loaded};
use crate::engine::Engine;
use crate::gone;
use crate::local::Local;
use crate::manifest::{self, CurrentTable, DataFile, in_dataset};
use crate::scan;
use crate::store::Store;
use arrow_array::RecordBatch;
use longshore_core::error::Result;
use longshore_core::package::TableCount;
use longshore_core::schema::{SystemColumns, SystemTable};
use longshore_sql::{identifier, system_table};
use std::collections::BTreeMap;

/// Returns the rows of each table. What is in files that are gone is not counted, and said: the other tables are fine.
pub(crate) async fn counts(store: &Store, dataset: &str) -> Result<Vec<TableCount>> {
    let mut now = Dataset::read(store, dataset).await?;
    loop {
        let names: Vec<String> = now.tables.keys().cloned().collect();
        let gone = gone::find(store, dataset, &now.tables, &names).await?;
        let then = if gone.is_empty() { None } else { Some(Dataset::read(store, dataset).await?) };
        match then {
            // Another load took them away.
            Some(then) if then.loads != now.loads => now = then,
            _ => {
                gone::forget(&mut now.tables, &gone);
                break;
            }
        }
    }
    let mut counts = now.counts();
    // Old states are removed: what is there is counted.
    for count in &mut counts {
        let is_state = |l: &Loaded| count.table == l.system_columns.table_name(SystemTable::State);
        if let Some(load) = now.loads.iter().find(|l| is_state(l)) {
            let mode = load.system_columns;
            count.rows = states(store, dataset, &now.loads, mode).await?.len() as u64;
        }
    }
    Ok(counts)
}

/// Runs a query. Files that a load takes away meanwhile are looked for again, in what the load left.
pub(crate) async fn query(store: &Store, dataset: &str, sql: &str) -> Result<Vec<RecordBatch>> {
    let mut now = Dataset::read(store, dataset).await?;
    loop {
        let failed = match query_files(store, dataset, &now, sql).await {
            Ok(rows) => return Ok(rows),
            Err(e) => e,
        };
        let then = std::mem::replace(&mut now, Dataset::read(store, dataset).await?);
        if now.loads == then.loads {
            return Err(failed);
        }
    }
}

async fn query_files(store: &Store, dataset: &str, now: &Dataset, sql: &str) -> Result<Vec<RecordBatch>> {
    let lower = sql.to_lowercase();
    let wanted = |name: &str| name.contains('"') || lower.contains(&name.to_lowercase());
    let names: Vec<String> = now.tables.keys().filter(|name| wanted(name)).cloned().collect();
    let mut tables = gone::leave_out(store, dataset, now, &names).await?;
    for mode in [SystemColumns::Native, SystemColumns::Dlt] {
        add_own_tables(store, dataset, &now.loads, mode, &mut tables).await?;
    }
    let mut local = Local::new(store, dataset)?;
    let files = tables.iter().filter(|(name, _)| wanted(name)).flat_map(|(_, t)| &t.files);
    local.bring(store, dataset, files.map(|(file, _)| file)).await?;
    let engine = Engine::open()?;
    for (name, table) in &tables {
        let files = match wanted(name) {
            true => scan::select(&table.columns, table.files.iter(), |file| local.path(file), false),
            false => scan::nothing(&table.columns, false),
        };
        engine.execute(&format!("CREATE VIEW {} AS {files}", identifier(name)))?;
    }
    engine.query(sql)
}

/// The loader's own tables, from the small files beside the manifests.
async fn add_own_tables(
    store: &Store,
    dataset: &str,
    loads: &[Loaded],
    mode: SystemColumns,
    tables: &mut BTreeMap<String, CurrentTable>,
) -> Result<()> {
    let own: Vec<&Loaded> = loads.iter().filter(|m| m.system_columns == mode).collect();
    if own.is_empty() {
        return Ok(());
    }
    let records: Vec<String> = own.iter().map(|m| m.load_file.clone()).collect();
    let mut schemas: Vec<String> = own.iter().map(|m| m.schema_file.clone()).collect();
    schemas.sort();
    schemas.dedup();
    let states = states(store, dataset, loads, mode).await?;
    for (kind, paths) in [(SystemTable::Loads, records), (SystemTable::Schemas, schemas), (SystemTable::State, states)]
    {
        let table = system_table(mode, kind);
        let columns = manifest::columns(&table);
        let file = |path| DataFile {
            path,
            format: FileFormat::Jsonl(Compression::None),
            rows: 1,
            bytes: 0,
            columns: columns.len(),
            longest_line: LONG_LINE,
            of_dlt: false,
            bounds: BTreeMap::new(),
        };
        let files = paths.into_iter().map(|path| (file(path), columns.clone())).collect();
        tables.insert(table.name, CurrentTable { columns: columns.clone(), files });
    }
    Ok(())
}

/// A schema of many thousand columns is one line.
const LONG_LINE: u64 = 64 << 20;

/// Returns the state files that are there; old ones are removed.
async fn states(store: &Store, dataset: &str, loads: &[Loaded], mode: SystemColumns) -> Result<Vec<String>> {
    let folder = in_dataset(dataset, mode.table_name(SystemTable::State));
    let there = store.list(&folder).await?;
    let named = loads.iter().filter(|m| m.system_columns == mode).filter_map(|m| m.state_file.clone());
    Ok(named.filter(|path| there.iter().any(|e| e.path == in_dataset(dataset, path))).collect())
}
