//! What a load would do to each table.

use crate::keys::{At, Keys};
use crate::refusals::Refusals;
use crate::unique_values::UniqueValues;
use longshore_core::destination::{TableSize, rejects_table};
use longshore_core::error::Error;
use longshore_core::package::TableCount;
use longshore_core::schema::{Column, DataType, MergeStrategy, Retyped, Schema, SchemaChange, Table, TableChange};
use serde::Serialize;

/// What would become of one table.
#[derive(Debug, Serialize)]
pub struct TablePlan {
    /// The table.
    pub table: String,
    /// It would be made.
    pub is_new: bool,
    /// Columns that it would get, with their types: all of a new table.
    pub columns: Vec<ColumnPlan>,
    /// Columns that would become wider.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub widened: Vec<Retyped>,
    /// Rows of the load.
    pub rows: u64,
    /// Rows that are there; `None` when the table is not there.
    pub existing_rows: Option<u64>,
    /// How the rows would be written.
    pub write: String,
    /// Rows that are there and would go, because the load replaces the table.
    pub removed_rows: u64,
    /// Rows that are there with the key of one of the load, in a table that it is merged into: of a child table, those
    /// below such rows. `None` where that cannot be asked (keys of several columns, or very many).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched_rows: Option<u64>,
    /// Rows that are there and would go because the load has none with their key (`cdc`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_rows: Option<u64>,
    /// Versions that hold and would end (`scd2`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_rows: Option<u64>,
    /// What a merge would do to the rows that are there, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// A merge would not leave all rows that are there as they are, as far as is known.
    #[serde(skip)]
    pub(crate) changes_rows: bool,
    /// Its rows have no validity so far.
    #[serde(skip)]
    pub(crate) begins_versions: bool,
}

/// A column to be made.
#[derive(Debug, Serialize)]
pub struct ColumnPlan {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: String,
}

/// What a load brings, whichever way it was found out.
pub(crate) struct Load {
    pub(crate) schema: Schema,
    pub(crate) sizes: Vec<TableSize>,
    pub(crate) resources: Vec<String>,
    pub(crate) drops: Vec<String>,
    pub(crate) empties: Vec<String>,
    pub(crate) keys: Keys,
    pub(crate) unique: UniqueValues,
    pub(crate) refused: Refusals,
    /// False for a sample.
    pub(crate) is_whole: bool,
    /// Why its tables cannot be merged as they are to be.
    pub(crate) broken_rules: Option<Error>,
}

/// Adds the validity columns to tables that are there and whose versions are to be kept from this load on. Returns these
/// tables.
pub(crate) async fn versions_begin(
    at: &At<'_>,
    load: &Load,
    before: &Schema,
    existing: &[TableCount],
    change: &mut SchemaChange,
) -> Vec<String> {
    let is_there = |t: &&Table| existing.iter().any(|e| e.table == t.name) && !load.drops.contains(&t.name);
    let mut begun = Vec::new();
    for table in load.schema.tables.iter().filter(|t| is_versioned(t)).filter(is_there) {
        let validity = table.write.validity(load.schema.system_columns);
        let was = before.table(&table.name).filter(|t| is_versioned(t));
        if was.is_some_and(|t| t.write.validity(before.system_columns).valid_to == validity.valid_to)
            || at.has_column(&table.name, &validity.valid_to).await
        {
            continue;
        }
        let columns = [validity.valid_from, validity.valid_to].map(|name| Column::data(name, DataType::Timestamp));
        match change.tables.iter_mut().find(|c| c.table == table.name) {
            Some(known) if !known.is_new => drop(known.columns.splice(0..0, columns)),
            Some(_) => continue,
            None => change.tables.push(TableChange {
                table: table.name.clone(),
                is_new: false,
                columns: columns.to_vec(),
                retyped: Vec::new(),
                hinted: Vec::new(),
            }),
        }
        begun.push(table.name.clone());
    }
    begun
}

fn is_versioned(table: &Table) -> bool {
    table.is_root() && table.write.merges() && table.write.strategy == MergeStrategy::Scd2
}

pub(crate) fn root_of<'a>(schema: &'a Schema, table: &'a Table) -> &'a Table {
    match table.parent.as_deref().and_then(|p| schema.table(p)) {
        Some(parent) => root_of(schema, parent),
        None => table,
    }
}

/// Returns the plans of all tables that something would become of; `begun` are those whose versions are kept from now on.
pub(crate) fn tables(load: &Load, change: &SchemaChange, existing: &[TableCount], begun: &[String]) -> Vec<TablePlan> {
    let there = |table: &str| existing.iter().find(|t| t.table == table).map(|t| t.rows);
    let mut plans = Vec::new();
    for table in &load.schema.tables {
        let root = root_of(&load.schema, table);
        let rows = rows_of(load, &table.name);
        let change = change.tables.iter().find(|c| c.table == table.name);
        let existing_rows = there(&table.name);
        let removed_rows = if is_emptied(load, table, root) { existing_rows.unwrap_or_default() } else { 0 };
        let loses_rows = root.write.merges() && rows_of(load, &root.name) > 0 && existing_rows > Some(0);
        if rows == 0 && change.is_none() && removed_rows == 0 && !loses_rows {
            continue;
        }
        plans.push(TablePlan {
            is_new: change.is_some_and(|c| c.is_new),
            columns: change.map_or_else(Vec::new, |c| c.columns.iter().map(column).collect()),
            widened: change.map_or_else(Vec::new, |c| c.retyped.clone()),
            removed_rows,
            begins_versions: begun.contains(&table.name),
            ..rows_only(&table.name, rows, existing_rows, table.write.to_string())
        });
    }
    let rejects = load.sizes.iter().filter(|t| load.schema.table(&t.table).is_none());
    let of_new = |is_new: bool| if is_new { rejects_table(load.schema.system_columns).columns } else { Vec::new() };
    plans.extend(rejects.map(|t| TablePlan {
        is_new: there(&t.table).is_none(),
        columns: of_new(there(&t.table).is_none()).iter().map(column).collect(),
        ..rows_only(&t.table, t.rows, there(&t.table), "append".to_owned())
    }));
    let is_gone = |t: &&TableCount| load.drops.contains(&t.table) && load.schema.table(&t.table).is_none();
    plans.extend(
        existing
            .iter()
            .filter(is_gone)
            .map(|t| TablePlan { removed_rows: t.rows, ..rows_only(&t.table, 0, Some(t.rows), "drop".to_owned()) }),
    );
    plans
}

fn rows_of(load: &Load, table: &str) -> u64 {
    load.sizes.iter().find(|t| t.table == table).map_or(0, |t| t.rows)
}

fn is_emptied(load: &Load, table: &Table, root: &Table) -> bool {
    let is_replaced = root.write.replaces() && load.resources.contains(&root.name);
    is_replaced || load.empties.contains(&root.name) || load.drops.contains(&table.name)
}

fn column(c: &Column) -> ColumnPlan {
    ColumnPlan { name: c.name.clone(), data_type: c.column_type().to_string() }
}

/// A plan of a table that only gets rows.
fn rows_only(table: &str, rows: u64, existing_rows: Option<u64>, write: String) -> TablePlan {
    TablePlan {
        table: table.to_owned(),
        is_new: false,
        columns: Vec::new(),
        widened: Vec::new(),
        rows,
        existing_rows,
        write,
        removed_rows: 0,
        matched_rows: None,
        deleted_rows: None,
        ended_rows: None,
        effect: None,
        changes_rows: false,
        begins_versions: false,
    }
}
