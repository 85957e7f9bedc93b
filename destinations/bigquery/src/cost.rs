//! What a load would be billed: dry runs of what its commit would read, and the size of its own rows.
//!
//! Load jobs, TRUNCATE and counting rows are free. Reading is billed by the columns that are read, changing rows by all columns of the
//! table or its partitions, each a MiB at least 10 a table (<https://cloud.google.com/bigquery/docs/estimate-costs>).

use crate::api::Api;
use crate::names::{identifier, qualified};
use crate::query::{self, DryRun, Query};
use crate::tables::{self, Ensured};
use crate::types::{BigQueryDialect, type_name};
use longshore_core::destination::{Cost, CostItem, TableSize};
use longshore_core::error::{Error, Result};
use longshore_core::package::TableCount;
use longshore_core::schema::{ColumnRole, MergeStrategy, Schema, SystemColumns, SystemTable, Table};
use longshore_sql::{Family, merge};
use std::collections::BTreeMap;

const MIB: u64 = 1 << 20;
/// Billed for a table however little of it is read.
const LEAST: u64 = 10 * MIB;

/// A load to be judged.
pub(crate) struct Judged {
    pub(crate) dataset: String,
    pub(crate) schema: Schema,
    pub(crate) existing: Vec<TableCount>,
    pub(crate) sizes: Vec<TableSize>,
}

/// Returns what the load would be billed.
pub(crate) async fn cost(api: &Api, load: &Judged) -> Result<Cost> {
    let mut items = Vec::new();
    for size in load.sizes.iter().filter(|s| s.rows > 0) {
        let what = format!("moving the {} new rows of {} from their staging table", size.rows, size.table);
        items.push(CostItem { what, bytes_billed: billed(size.bytes, 1), is_dry_run: false });
    }
    if let Some(location) = tables::dataset_location(api, &load.dataset).await? {
        for (what, sql) in questions(api, load).await? {
            let query = Query { sql, location: Some(location.clone()), ..Query::default() };
            let DryRun { bytes, tables, .. } =
                query::dry_run(api, &query).await.map_err(|f| Error::from(f).with("dataset", &load.dataset))?;
            let bytes_billed = billed(bytes, tables);
            if bytes_billed > 0 {
                items.push(CostItem { what, bytes_billed, is_dry_run: true });
            }
        }
    }
    Ok(Cost { bytes_billed: items.iter().map(|i| i.bytes_billed).sum(), items, unknown: None })
}

/// What is billed for reading so much of so many tables.
fn billed(bytes: u64, tables: u64) -> u64 {
    if bytes == 0 { 0 } else { (bytes.div_ceil(MIB) * MIB).max(LEAST * tables.max(1)) }
}

/// The statements that read what is there already, with words for each.
async fn questions(api: &Api, load: &Judged) -> Result<Vec<(String, String)>> {
    let is_there = |table: &str| load.existing.iter().any(|t| t.table == table);
    let system = load.schema.system_columns;
    let mut questions = Vec::new();
    let loads = system.table_name(SystemTable::Loads);
    if is_there(loads) {
        let sql = format!("SELECT load_id, status FROM {}", qualified(&load.dataset, loads));
        questions.push(("looking whether the load is there already".to_owned(), sql));
    }
    let has_rows = |table: &Table| load.sizes.iter().any(|s| s.table == table.name && s.rows > 0);
    for root in load.schema.tables.iter().filter(|t| t.is_root() && t.write.merges() && has_rows(t)) {
        if is_there(&root.name) {
            questions.extend(of_merge(api, load, root).await?);
        }
    }
    Ok(questions)
}

/// The statements of a merge, each by itself.
async fn of_merge(api: &Api, load: &Judged, root: &Table) -> Result<Vec<(String, String)>> {
    let system = load.schema.system_columns;
    let mut family = Vec::new();
    for table in load.schema.children_of(&root.name).into_iter().chain([root]) {
        let found = tables::find(api, &load.dataset, &table.name)
            .await
            .map_err(|f| Error::from(f).with("table", &table.name))?;
        if let Some(found) = found {
            family.push(as_it_is(table, &Ensured::of(&found, Vec::new())));
        }
    }
    let Some((root, _)) = family.iter().find(|(t, _)| t.name == root.name) else { return Ok(Vec::new()) };
    if [&root.write.primary_key, &root.write.merge_key].into_iter().flatten().any(|k| root.column(k).is_none()) {
        return Ok(Vec::new()); // no row there has such a key
    }
    let staged: BTreeMap<&str, &String> = family.iter().map(|(t, sql)| (t.name.as_str(), sql)).collect();
    let row_id = type_name(system.column(ColumnRole::RowId).data_type);
    let statements = merge(
        &BigQueryDialect { near: None, dry: Some(row_id) },
        &Family {
            dataset: &load.dataset,
            system,
            moment: 0,
            root,
            children: family.iter().map(|(t, _)| t).filter(|t| !t.is_root()).collect(),
            staged: &|table| staged.get(table).map(|sql| (*sql).clone()),
        },
    )?;
    // Inserts read the staged rows only, but for versions in dlt's mode; and so does what names no table.
    let inserts_read = system == SystemColumns::Dlt && root.write.strategy == MergeStrategy::Scd2;
    let dataset = format!("{}.", identifier(&load.dataset));
    let reads = |sql: &String| sql.contains(&dataset) && (inserts_read || !sql.starts_with("INSERT "));
    let asked = statements.into_iter().filter(|sql| !sql.starts_with("DROP ") && reads(sql));
    let changed = |sql: &str| {
        let named = |t: &&(Table, String)| {
            sql.split(" WHERE ").next().is_some_and(|s| s.contains(&qualified(&load.dataset, &t.0.name)))
        };
        family.iter().find(named).map_or(root.name.as_str(), |(t, _)| t.name.as_str())
    };
    let words = |sql: &str| match sql.split(' ').next() {
        Some("DELETE") => format!("taking old rows out of {}", changed(sql)),
        Some("UPDATE") => format!("ending old versions in {}", changed(sql)),
        _ => format!("looking for rows of {} with the keys of new ones", root.name),
    };
    Ok(asked.map(|sql| (words(&sql), sql)).collect())
}

/// A table with the columns that are there, and a query that stands for its staged rows.
fn as_it_is(table: &Table, there: &Ensured) -> (Table, String) {
    let mut table = table.clone();
    table.columns.retain(|c| there.kind(&c.name).is_some());
    let column = |c: &longshore_core::schema::Column| {
        let kind = there.kind(&c.name).unwrap_or_default();
        format!("CAST(NULL AS {kind}) AS {}", identifier(&c.name))
    };
    let columns: Vec<String> = table.columns.iter().map(column).collect();
    let sql = format!("(SELECT {})", columns.join(", "));
    (table, sql)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_billed_as_ten_mebibytes_a_table_and_the_rest_rounded_up() {
        assert_eq!([billed(0, 1), billed(1, 1), billed(1, 3)], [0, 10 * MIB, 30 * MIB]);
        assert_eq!(billed(10 * MIB + 1, 1), 11 * MIB);
    }
}
