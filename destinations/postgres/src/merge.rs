//! Replacing and merging, in the transaction of the commit.

use crate::commit::{Change, explained};
use crate::stage::Inner;
use crate::types::PostgresDialect;
use longshore_core::error::{Error, Result};
use longshore_core::package::Manifest;
use longshore_core::schema::{ColumnRole, SystemColumns, Table};
use longshore_sql::{Family, add_column, checks, merge, qualified, root_ids};
use std::collections::BTreeMap;

/// Takes out the rows of tables that hold nothing but this load's afterwards. Not by TRUNCATE, which readers with an
/// older snapshot would see.
pub(crate) async fn empty_replaced(
    load: &Inner,
    manifest: &Manifest,
    changes: &BTreeMap<&str, Change<'_>>,
) -> Result<()> {
    for root in manifest.replaced() {
        for table in manifest.schema.children_of(&root.name).into_iter().chain([root]) {
            if !matches!(changes.get(table.name.as_str()), Some(Change::Table)) {
                let target = qualified(&load.opening.target.dataset, &table.name);
                load.control.execute(&format!("DELETE FROM {target}")).await?;
            }
        }
    }
    Ok(())
}

/// Fills in the root ids of tables that were loaded without them: dlt's mode has them only where rows are merged.
pub(crate) async fn fill_root_ids(
    load: &Inner,
    manifest: &Manifest,
    changes: &BTreeMap<&str, Change<'_>>,
) -> Result<()> {
    let lacked = |t: &&Table| match changes.get(t.name.as_str()) {
        Some(Change::Columns(missing, _)) => missing.iter().any(|c| c.role == Some(ColumnRole::RootId)),
        _ => false,
    };
    if load.opening.system_columns == SystemColumns::Dlt {
        let lacking = manifest.schema.tables.iter().filter(lacked);
        for statement in root_ids(&PostgresDialect, &load.opening.target.dataset, &manifest.schema, lacking) {
            load.control.batch(&statement).await?;
        }
    }
    Ok(())
}

/// Merges every family that has staged rows.
pub(crate) async fn merge_all(load: &Inner, manifest: &Manifest) -> Result<()> {
    let staged = |table: &str| load.tables.get(table).map(|s| qualified(&load.staging.schema, &s.name));
    for root in manifest.merged() {
        let family = Family {
            dataset: &load.opening.target.dataset,
            system: load.opening.system_columns,
            moment: i64::try_from(manifest.load_id.micros()).unwrap_or(i64::MAX),
            root,
            children: manifest.schema.children_of(&root.name),
            staged: &staged,
        };
        for table in family.children.iter().copied().chain([root]) {
            complete(load, table).await?;
        }
        for (query, error) in checks(&PostgresDialect, &family)? {
            if load.control.value(&query).await?.as_deref() != Some("0") {
                return Err(error);
            }
        }
        for statement in merge(&PostgresDialect, &family)? {
            load.control.batch(&statement).await.map_err(|e| explained(load, root, e))?;
        }
    }
    Ok(())
}

/// Gives a staging table the columns that came after its last part, and counts its rows.
async fn complete(load: &Inner, table: &Table) -> Result<()> {
    let Some(staged) = load.tables.get(&table.name) else { return Ok(()) };
    for column in &table.columns[staged.columns.len().min(table.columns.len())..] {
        load.control.batch(&add_column(&PostgresDialect, &load.staging.schema, &staged.name, column)).await?;
    }
    let sql = format!("SELECT count(*) FROM {}", qualified(&load.staging.schema, &staged.name));
    let rows = load.control.value(&sql).await?.and_then(|n| n.parse().ok()).unwrap_or(0_u64);
    if rows != staged.rows {
        let message = format!("{rows} of {} staged rows are there", staged.rows);
        return Err(Error::new(longshore_core::error::ErrorKind::Unavailable, message).with("table", &table.name));
    }
    Ok(())
}
