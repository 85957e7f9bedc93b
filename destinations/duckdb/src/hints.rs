//! What hints ask for of columns beside their types: descriptions are written, and values that must be unique are looked
//! at when all rows are in. DuckDB's own unique indexes refuse a row that replaces one of the same key in one transaction,
//! and tables that have one cannot get columns.

use crate::transaction::Transaction;
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::package::Manifest;
use longshore_core::schema::{Column, Hinted, Table};
use longshore_sql::{hinted, repeated_values};

/// What a load says anew of a table's columns.
fn said<'a>(manifest: &'a Manifest, table: &Table) -> &'a [Hinted] {
    manifest.change.tables.iter().find(|c| c.table == table.name).map_or(&[], |c| &c.hinted)
}

/// Writes the descriptions of columns that are new, or of which they are.
pub(crate) fn describe(load: &mut Transaction, manifest: &Manifest) -> Result<()> {
    let dataset = load.opening.target.dataset.clone();
    for table in &manifest.schema.tables {
        let said = said(manifest, table);
        for column in table.columns.iter().filter(|c| c.properties.description.is_some()) {
            if load.has_made(&table.name, &column.name) || said.iter().any(|h| h.column == column.name) {
                for sql in hinted(&load.dialect, &dataset, &table.name, column) {
                    load.execute(&sql)?;
                }
            }
        }
    }
    Ok(())
}

/// Refuses the load when a column that must be unique is not, in tables that got rows or the hint.
pub(crate) fn check_unique(load: &mut Transaction, manifest: &Manifest) -> Result<()> {
    let dataset = load.opening.target.dataset.clone();
    for table in &manifest.schema.tables {
        let said = said(manifest, table);
        let is_asked = |c: &&Column| {
            let is_new = || said.iter().any(|h| h.column == c.name && h.unique);
            c.properties.unique && c.role.is_none() && (manifest.rows(&table.name) > 0 || is_new())
        };
        for column in table.columns.iter().filter(is_asked) {
            if load.number(&repeated_values(&load.dialect, &dataset, &table.name, &column.name))? > 0 {
                return Err(Error::new(ErrorKind::Data, "a column that must be unique has a value twice")
                    .with("table", &table.name)
                    .with("column", &column.name)
                    .hint(format!(
                        "nothing was loaded; where the records are to be repaired, give this package up first (longshore pipeline {} drop-package); or merge by that column as the primary key",
                        manifest.target.pipeline
                    )));
            }
        }
    }
    Ok(())
}
