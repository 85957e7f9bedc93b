//! What has to be added to a dataset of one schema to hold the data of another.

use super::{Column, ColumnType, Schema, Table};
use serde::{Deserialize, Serialize};

/// Tables and columns to add, and columns that become wider. Nothing is renamed, narrowed or dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaChange {
    /// One entry a table that is new, has new columns or wider ones.
    pub tables: Vec<TableChange>,
}

/// What one table needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableChange {
    /// The table.
    pub table: String,
    /// True when the table itself is new.
    pub is_new: bool,
    /// The columns to add, in column order.
    pub columns: Vec<Column>,
    /// Columns that hold more than before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retyped: Vec<Retyped>,
    /// Columns of which something else is said than before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hinted: Vec<Hinted>,
}

/// A column whose properties that a destination makes something of have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hinted {
    /// The column.
    pub column: String,
    /// It is to be unique now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unique: bool,
    /// It is to be found quickly now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub index: bool,
    /// It has another description now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub description: bool,
}

/// A column whose type became a wider one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retyped {
    /// The column.
    pub column: String,
    /// What it was.
    pub from: ColumnType,
    /// What it is.
    pub to: ColumnType,
}

impl SchemaChange {
    /// Returns what leads from `old` to `new`.
    pub fn between(old: &Schema, new: &Schema) -> Self {
        let tables = new.tables.iter().filter_map(|t| TableChange::between(old.table(&t.name), t)).collect();
        SchemaChange { tables }
    }

    /// Returns true when there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }
}

impl TableChange {
    fn between(old: Option<&Table>, new: &Table) -> Option<Self> {
        let known = |c: &&Column| old.is_none_or(|o| o.column(&c.name).is_none());
        let columns: Vec<Column> = new.columns.iter().filter(known).cloned().collect();
        let wider = |c: &Column| {
            let was = old.and_then(|o| o.column(&c.name)).filter(|was| was.column_type() != c.column_type())?;
            Some(Retyped { column: c.name.clone(), from: was.column_type(), to: c.column_type() })
        };
        let retyped: Vec<Retyped> = new.columns.iter().filter_map(wider).collect();
        let hinted: Vec<Hinted> =
            new.columns.iter().filter_map(|c| Hinted::between(old?.column(&c.name)?, c)).collect();
        if old.is_some() && columns.is_empty() && retyped.is_empty() && hinted.is_empty() {
            return None;
        }
        Some(TableChange { table: new.name.clone(), is_new: old.is_none(), columns, retyped, hinted })
    }
}

impl Hinted {
    fn between(old: &Column, new: &Column) -> Option<Self> {
        let (was, is) = (&old.properties, &new.properties);
        let (unique, index) = (is.unique && !was.unique, is.index && !was.index);
        let description = is.description != was.description;
        (unique || index || description).then(|| Hinted { column: new.name.clone(), unique, index, description })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{DataType, SystemColumns};

    #[test]
    fn names_new_tables_and_new_columns_only() {
        let mut old = Schema::new("s", SystemColumns::Native);
        let mut a = Table::new("a", None);
        a.columns.push(Column::data("x", DataType::Bigint));
        old.tables.push(a.clone());
        let mut new = old.clone();
        assert!(SchemaChange::between(&old, &new).is_empty());
        new.tables[0].columns.push(Column::data("y", DataType::Text));
        new.tables.push(Table::new("a__b", Some("a".into())));
        let change = SchemaChange::between(&old, &new);
        assert_eq!(change.tables.len(), 2);
        assert_eq!(change.tables[0].columns, vec![Column::data("y", DataType::Text)]);
        assert!(!change.tables[0].is_new && change.tables[1].is_new);
    }

    #[test]
    fn names_wider_columns() {
        let mut old = Schema::new("s", SystemColumns::Native);
        let mut a = Table::new("a", None);
        a.columns.push(Column::data("x", DataType::Bigint));
        old.tables.push(a);
        let mut new = old.clone();
        new.tables[0].columns[0].data_type = DataType::Double;
        let change = SchemaChange::between(&old, &new);
        let wider = Retyped { column: "x".into(), from: DataType::Bigint.into(), to: DataType::Double.into() };
        assert_eq!((change.tables[0].retyped.as_slice(), change.tables[0].columns.len()), ([wider].as_slice(), 0));
    }
}
