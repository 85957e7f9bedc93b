//! Rows that waited go into their table.

use crate::limits;
use crate::queue::Run;
use crate::scan::Feed;
use crate::transaction::Transaction;
use longshore_core::error::Result;
use longshore_core::normalize::cast_batch;
use longshore_core::schema::{Column, ColumnType, SystemColumns, Table};
use longshore_sql::{Dialect, identifier};
use std::sync::Arc;

impl Transaction {
    /// Inserts a run into its table.
    pub(crate) fn insert(&mut self, run: Run) -> Result<()> {
        let Some(name) = run.units.iter().flatten().next().map(|w| w.table.name.clone()) else { return Ok(()) };
        self.insert_into(&name, run).map_err(|e| e.with("table", &name))
    }

    fn insert_into(&mut self, name: &str, mut run: Run) -> Result<()> {
        let mut columns: Vec<(String, ColumnType)> = Vec::new();
        let mut known: Option<Arc<Table>> = None;
        let mut ordered = false;
        for waiting in run.units.iter().flatten().filter(|w| w.rows.num_rows() > 0) {
            if known.as_ref().is_none_or(|known| known.columns != waiting.table.columns) {
                known = Some(Arc::clone(&waiting.table));
                self.ensure_table(&waiting.table)?;
                add_columns(&mut columns, &waiting.table);
            }
            // Rows to be merged stay in their order where nothing in them tells it.
            ordered |= waiting.table.write.merges() && self.opening.system_columns == SystemColumns::Dlt;
        }
        // Batches from before a column became wider go as it is now.
        for (column, column_type) in &mut columns {
            let now = self.known_type(name, column).filter(|now| column_type.widens_to(*now));
            *column_type = now.unwrap_or(*column_type);
        }
        cast_all(&mut run, name, &columns)?;
        if let Some(table) = self.tables.get_mut(name) {
            run.units.iter().flatten().for_each(|w| table.vectors.pass(&w.rows));
        }
        let all = self.tables.get(name).map_or(columns.len(), |t| t.columns.len());
        let others = self.tables.iter().filter(|(other, t)| *other != name && t.vectors.largest() > 0);
        let others = others.map(|(_, t)| t.columns.len()).sum();
        self.allow(limits::appending(all, run.units.len(), others))?;
        self.use_threads(if ordered { 1 } else { run.units.len() })?;
        let names: Vec<String> = columns.iter().map(|(name, _)| identifier(name)).collect();
        let table = self.dialect.qualified(&self.opening.target.dataset, name);
        let sql = format!("INSERT INTO {table} ({}) SELECT * FROM {}()", names.join(", "), self.scan.name());
        self.scan.feed(Feed { columns, units: run.units, load_id: self.opening.load_id.as_str().to_owned() });
        let inserted = self.execute(&sql);
        self.scan.clear();
        inserted
    }

    /// Gives DuckDB threads; more than one only for as long as there is work for each, because the one
    /// that waits for the others does so busily, while the normalisers could use its processor.
    /// On several threads, row groups go in in any order.
    pub(crate) fn use_threads(&mut self, threads: usize) -> Result<()> {
        if self.threads != threads {
            self.execute(&format!("SET threads = {threads}; SET preserve_insertion_order = {}", threads == 1))?;
            self.threads = threads;
        }
        Ok(())
    }
}

/// Gives the batches of a run the types of the columns they go to.
fn cast_all(run: &mut Run, name: &str, columns: &[(String, ColumnType)]) -> Result<()> {
    let mut table = Table::new(name, None);
    table.columns = columns.iter().map(|(name, column_type)| Column::of_type(name, *column_type)).collect();
    for waiting in run.units.iter_mut().flatten() {
        waiting.rows = cast_batch(&waiting.rows, &table)?;
    }
    Ok(())
}

/// Adds the columns of a part's table that are not there yet.
fn add_columns(columns: &mut Vec<(String, ColumnType)>, table: &Table) {
    for column in &table.columns {
        if !columns.iter().any(|(name, _)| name.eq_ignore_ascii_case(&column.name)) {
            columns.push((column.name.clone(), column.column_type()));
        }
    }
}
