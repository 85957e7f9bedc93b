//! Root ids of child rows that were loaded without them, found by way of their parents.

use crate::dialect::Dialect;
use longshore_core::schema::{ColumnRole, Schema, Table};

/// Returns a statement for each of the tables, parents first. In dlt mode child tables have root ids only where
/// rows are merged; dlt itself fails when a table that has rows comes to be merged.
pub fn root_ids<'a>(
    dialect: &dyn Dialect,
    dataset: &str,
    schema: &Schema,
    tables: impl Iterator<Item = &'a Table>,
) -> Vec<String> {
    let name = |role| dialect.identifier(&schema.system_columns.column(role).name);
    let [root_id, parent_id, row_id] = [ColumnRole::RootId, ColumnRole::ParentId, ColumnRole::RowId].map(name);
    let statement = |child: &Table| {
        let parent = schema.table(child.parent.as_deref()?)?;
        let of_parent = if parent.is_root() { &row_id } else { &root_id };
        let (target, own) = (dialect.qualified(dataset, &child.name), dialect.identifier(&child.name));
        Some(format!(
            "UPDATE {target} SET {root_id} = p.{of_parent} FROM {} p WHERE p.{row_id} = {own}.{parent_id} AND {own}.{root_id} IS NULL",
            dialect.qualified(dataset, &parent.name)
        ))
    };
    tables.filter_map(statement).collect()
}
