//! Replacing and merging, in the transaction of the commit.

use crate::names::qualified;
use crate::near::Near;
use crate::script::{Body, Script};
use crate::types::BigQueryDialect;
use crate::units::Unit;
use longshore_core::error::{Error, Result};
use longshore_core::schema::Table;
use longshore_sql::{Family, checks, merge, root_ids};
use std::collections::BTreeMap;

impl Script<'_> {
    /// Takes out all rows. TRUNCATE reads nothing and is billed as nothing, keeps what is said of the table and its columns, and
    /// is a part of the transaction: readers see the old rows until it ends.
    pub(crate) fn truncate(&self, table: &str) -> String {
        format!("TRUNCATE TABLE {}", qualified(&self.load.opening.target.dataset, table))
    }

    /// Merges the staged rows of a family; first come the questions whether that can be done.
    pub(crate) fn merge(&self, root: &Table, unit: &Unit<'_>, body: &mut Body<'_>) -> Result<()> {
        let options = &self.load.api.config.options(root);
        let near = self.there.get(&root.name).and_then(|there| Near::of(root, there, options, body.scratch));
        body.scratch += 1;
        if options.require_partition_filter == Some(true) && near.is_none() {
            return Err(Error::config("a table whose queries need a partition filter cannot be merged into")
                .hint("merge by a key that has the partition column, set stays_in_partition, or take require_partition_filter away"));
        }
        // All have the columns of their tables: what files lack is null.
        let (mut rows, mut tables) = (BTreeMap::new(), BTreeMap::new());
        let mut made = Vec::new();
        for shape in &unit.shapes {
            let Some(staged) = unit.staged.iter().find(|s| s.table == shape.table.name) else { continue };
            let Some(table) = self.manifest.schema.table(&staged.table) else { continue };
            let sql = match self.fold(shape, Some(table), unit, body)? {
                Some(folded) => {
                    tables.insert(&table.name, folded.table);
                    made.push(folded.name.clone());
                    folded.name
                }
                None => {
                    body.lines.push(format!("SET {} = {}", body.count(&staged.table), self.count(staged)));
                    format!("({})", self.rows(staged, &table.columns, true)?)
                }
            };
            rows.insert(&table.name, sql);
        }
        let own = |table: &'_ Table| unit.shapes.iter().any(|s| s.table.name == table.name);
        let children = self.manifest.schema.children_of(&root.name).into_iter().filter(|t| own(t));
        let family = Family {
            dataset: &self.load.opening.target.dataset,
            system: self.system(),
            moment: i64::try_from(self.manifest.load_id.micros()).unwrap_or(i64::MAX),
            root: tables.get(&root.name).unwrap_or(root),
            children: children.map(|t| tables.get(&t.name).unwrap_or(t)).collect(),
            staged: &|table| rows.get(&table.to_owned()).cloned(),
        };
        if let (Some(near), Some(staged)) = (&near, rows.get(&root.name)) {
            body.declarations.push(near.declaration());
            body.lines.extend(near.look(staged));
        }
        let dialect = BigQueryDialect { near, dry: None };
        for (query, error) in checks(&dialect, &family)? {
            body.lines.push(body.refusals.add(&query, error));
        }
        body.lines.extend(merge(&dialect, &family)?);
        body.lines.extend(made.into_iter().map(|name| format!("DROP TABLE {name}")));
        Ok(())
    }

    /// Fills in root ids.
    pub(crate) fn root_ids(&self, tables: &[&Table]) -> Vec<String> {
        let dataset = &self.load.opening.target.dataset;
        root_ids(&BigQueryDialect::default(), dataset, &self.manifest.schema, tables.iter().copied())
    }
}
