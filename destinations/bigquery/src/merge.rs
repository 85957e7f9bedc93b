//! Replacing and merging, in the transaction of the commit.

use crate::names::qualified;
use crate::script::{Refusals, Script};
use crate::types::BigQueryDialect;
use crate::units::Unit;
use longshore_core::error::{Error, Result};
use longshore_core::schema::Table;
use longshore_sql::{Family, checks, merge, root_ids};

impl Script<'_> {
    /// Takes out all rows. TRUNCATE reads nothing and is billed as nothing, keeps what is said of the table and its columns, and
    /// is a part of the transaction: readers see the old rows until it ends.
    pub(crate) fn empty(&self, unit: &Unit<'_>) -> Vec<String> {
        let dataset = &self.load.opening.target.dataset;
        unit.tables.iter().map(|table| format!("TRUNCATE TABLE {}", qualified(dataset, table))).collect()
    }

    /// Merges the staged rows of a family; first come the questions whether that can be done.
    pub(crate) fn merge(&self, root: &Table, unit: &Unit<'_>, refusals: &mut Refusals) -> Result<Vec<String>> {
        let schema = &self.manifest.schema;
        let options = &self.load.api.config.tables;
        if options.get(&root.name).is_some_and(|o| o.require_partition_filter == Some(true)) {
            return Err(Error::config("a table whose queries need a partition filter cannot be merged into")
                .hint("take require_partition_filter away, or append to the table"));
        }
        let children = schema.children_of(&root.name);
        // All have the columns of their tables: what files lack is null.
        let mut rows = Vec::new();
        for staged in &unit.staged {
            if let Some(table) = schema.table(&staged.table) {
                rows.push((&staged.table, self.rows(staged, &table.columns, true)?));
            }
        }
        let family = Family {
            dataset: &self.load.opening.target.dataset,
            system: self.load.opening.system_columns,
            moment: i64::try_from(self.manifest.load_id.micros()).unwrap_or(i64::MAX),
            root,
            children,
            staged: &|table| rows.iter().find(|(name, _)| *name == table).map(|(_, sql)| format!("({sql})")),
        };
        let mut lines = Vec::new();
        for (query, error) in checks(&BigQueryDialect, &family)? {
            lines.push(refusals.add(&query, error));
        }
        lines.extend(merge(&BigQueryDialect, &family)?);
        Ok(lines)
    }

    /// Fills in root ids.
    pub(crate) fn root_ids(&self, tables: &[&Table]) -> Vec<String> {
        let dataset = &self.load.opening.target.dataset;
        root_ids(&BigQueryDialect, dataset, &self.manifest.schema, tables.iter().copied())
    }
}
