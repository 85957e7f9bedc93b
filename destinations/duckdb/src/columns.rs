//! Tables and columns that a load makes, adds or widens, inside its transaction.

use crate::tables::OpenTable;
use crate::transaction::Transaction;
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::schema::{Column, ColumnType, Table};
use longshore_sql::{add_column, create_table, inexact_values, widen_column};

impl Transaction {
    /// Makes the table, or the columns it lacks.
    pub(crate) fn ensure_table(&mut self, table: &Table) -> Result<()> {
        let dataset = self.opening.target.dataset.clone();
        let Some(open) = self.tables.get_mut(&table.name) else {
            self.execute(&create_table(&self.dialect, &dataset, table))?;
            self.made.extend(table.columns.iter().map(|c| (table.name.clone(), c.name.clone())));
            let columns = table.columns.iter().map(|c| (c.name.clone(), Some(c.column_type()))).collect();
            self.tables.insert(table.name.clone(), OpenTable::new(columns, 0));
            return Ok(());
        };
        let missing: Vec<Column> = table.columns.iter().filter(|c| !open.has_column(&c.name)).cloned().collect();
        open.columns.extend(missing.iter().map(|c| (c.name.clone(), Some(c.column_type()))));
        for column in &missing {
            self.execute(&add_column(&self.dialect, &dataset, &table.name, column))?;
            self.made.insert((table.name.clone(), column.name.clone()));
        }
        self.widen_columns(table)
    }

    /// True when this load made that column.
    pub(crate) fn has_made(&self, table: &str, column: &str) -> bool {
        self.made.contains(&(table.to_owned(), column.to_owned()))
    }

    /// Makes columns wider that hold less than the table's now, rows that are there included.
    fn widen_columns(&mut self, table: &Table) -> Result<()> {
        for column in &table.columns {
            let Some(from) = self.known_type(&table.name, &column.name).filter(|t| column.outgrows(*t)) else {
                continue;
            };
            let dataset = self.opening.target.dataset.clone();
            if let Some(query) = inexact_values(&self.dialect, &dataset, &table.name, column, from)
                && self.number(&query)? > 0
            {
                return Err(Error::new(
                    ErrorKind::Data,
                    "the column cannot become double: it has whole numbers beyond 2^53",
                )
                .with("table", &table.name)
                .with("field", &column.name)
                .hint("another pipeline wrote them: load into another table or dataset"));
            }
            self.execute(&widen_column(&self.dialect, &dataset, &table.name, column, from))?;
            let open = self.tables.get_mut(&table.name).into_iter().flat_map(|t| &mut t.columns);
            open.filter(|(name, _)| name.eq_ignore_ascii_case(&column.name))
                .for_each(|c| c.1 = Some(column.column_type()));
        }
        Ok(())
    }

    /// The type that a column of the dataset has now.
    pub(crate) fn known_type(&self, table: &str, column: &str) -> Option<ColumnType> {
        let columns = &self.tables.get(table)?.columns;
        columns.iter().find(|(name, _)| name.eq_ignore_ascii_case(column)).and_then(|(_, t)| *t)
    }

    /// Returns true when the table has that column already.
    pub(crate) fn has_column(&self, table: &str, column: &str) -> bool {
        self.tables.get(table).is_some_and(|t| t.has_column(column))
    }
}
