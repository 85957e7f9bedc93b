//! Replacing and merging, in the transaction of the load.

use crate::tables::count_query;
use crate::transaction::Transaction;
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::package::{LoadId, Manifest, TableCount};
use longshore_core::schema::{ColumnRole, SystemColumns, Table};
use longshore_sql::{Dialect, Family, checks, identifier, merge, root_ids};

/// The table that holds rows to be merged until the commit; made and dropped in the load's transaction.
pub(crate) fn staging(table: &Table, load_id: &LoadId) -> Table {
    Table { name: format!("_staging_{load_id}_{}", table.name), ..table.clone() }
}

/// The table that a staging table's rows are for; any other table is its own.
pub(crate) fn staged_for<'a>(name: &'a str, load_id: &LoadId) -> &'a str {
    name.strip_prefix(&format!("_staging_{load_id}_")).unwrap_or(name)
}

/// Tables of the load that hold rows to be merged, by their own names.
pub(crate) fn merged_tables(load: &Transaction, manifest: &Manifest) -> Vec<Table> {
    let staged = |t: &&Table| t.write.merges() && load.tables.contains_key(&staging(t, &manifest.load_id).name);
    manifest.schema.tables.iter().filter(staged).cloned().collect()
}

/// Tables that hold nothing but this load's rows afterwards.
pub(crate) fn replaced_tables(manifest: &Manifest) -> Vec<String> {
    let families =
        manifest.replaced().flat_map(|root| manifest.schema.children_of(&root.name).into_iter().chain([root]));
    families.map(|t| t.name.clone()).collect()
}

/// Statements that fill in the root ids of tables that were loaded without them: dlt's mode has them only where
/// rows are merged.
pub(crate) fn lacking_root_ids(load: &Transaction, manifest: &Manifest) -> Vec<String> {
    let root_id = load.opening.system_columns.column(ColumnRole::RootId).name;
    let lacks = |t: &&Table| t.system(ColumnRole::RootId).is_some() && !load.has_column(&t.name, &root_id);
    let lacking = manifest.schema.tables.iter().filter(|t| load.tables.contains_key(&t.name)).filter(lacks);
    match load.opening.system_columns {
        SystemColumns::Native => Vec::new(),
        SystemColumns::Dlt => root_ids(&load.dialect, &load.opening.target.dataset, &manifest.schema, lacking),
    }
}

/// Merges every family that has staged rows; returns the rows that were staged, counted.
pub(crate) fn merge_all(load: &mut Transaction, manifest: &Manifest, staged: &[Table]) -> Result<Vec<TableCount>> {
    let dataset = load.opening.target.dataset.clone();
    let counts = count_staged(load, manifest, staged)?;
    let names: Vec<(String, String)> = staged
        .iter()
        .map(|t| (t.name.clone(), load.dialect.qualified(&dataset, &staging(t, &manifest.load_id).name)))
        .collect();
    let staged_name = |table: &str| names.iter().find(|(name, _)| name == table).map(|(_, staged)| staged.clone());
    for root in manifest.merged() {
        let family = Family {
            dataset: &dataset,
            system: load.opening.system_columns,
            moment: i64::try_from(manifest.load_id.micros()).unwrap_or(i64::MAX),
            root,
            children: manifest.schema.children_of(&root.name),
            staged: &staged_name,
        };
        for (query, error) in checks(&load.dialect, &family)? {
            if load.number(&query)? > 0 {
                return Err(error);
            }
        }
        for statement in merge(&load.dialect, &family)? {
            load.execute(&statement).map_err(|e| merge_error(e, &root.name))?;
        }
    }
    for (_, staged) in &names {
        load.execute(&format!("DROP TABLE {staged}"))?;
    }
    Ok(counts)
}

/// Completes the staging tables' columns and counts their rows.
fn count_staged(load: &mut Transaction, manifest: &Manifest, staged: &[Table]) -> Result<Vec<TableCount>> {
    let mut names = Vec::new();
    for table in staged {
        let whole = staging(table, &manifest.load_id);
        load.ensure_table(&whole)?;
        names.push(load.dialect.qualified(&load.opening.target.dataset, &whole.name));
    }
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let rows = load.numbers(&count_query(&names))?;
    Ok(staged.iter().zip(rows).map(|(table, rows)| TableCount { table: table.name.clone(), rows }).collect())
}

fn merge_error(error: Error, table: &str) -> Error {
    match error.kind() {
        ErrorKind::Destination => error.with("table", identifier(table)),
        _ => error,
    }
}
