//! One table: a root table of a resource, or a child table made from a list.

use super::{Column, ColumnRole, Contract, WriteRules};
use serde::{Deserialize, Serialize};

/// A table of the dataset and its columns in first-seen order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Normalised, unique in the dataset.
    pub name: String,
    /// The table whose rows hold the list this table's rows come from; `None` for a root table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Data and system columns, in the order they were first seen.
    pub columns: Vec<Column>,
    /// Keys that have another column or child table than their name says, because the name was taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Alias>,
    /// How loads write the table; a child table is written as its root is.
    #[serde(default, skip_serializing_if = "WriteRules::is_default")]
    pub write: WriteRules,
    /// What of the table and those below it may grow; without it what holds for the resource.
    #[serde(default, rename = "schema_contract", skip_serializing_if = "Option::is_none")]
    pub contract: Option<Contract>,
}

/// Where a key went whose normalised name another key of the same record already had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The keys from the record (or list element) down to the value, as the source spells them.
    pub path: Vec<String>,
    /// The name it has instead.
    pub name: String,
    /// What is named.
    pub kind: AliasKind,
}

/// What an alias names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AliasKind {
    /// The key itself, as a part of names: keys without letters and digits.
    Key,
    /// The column of its scalars.
    Column,
    /// The child table of its lists.
    Table,
}

impl Table {
    /// Returns a table without columns.
    pub fn new(name: impl Into<String>, parent: Option<String>) -> Self {
        Table {
            name: name.into(),
            parent,
            columns: Vec::new(),
            aliases: Vec::new(),
            write: WriteRules::default(),
            contract: None,
        }
    }

    /// Returns the column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// Returns the system column of that role, where the table has one.
    pub fn system(&self, role: ColumnRole) -> Option<&Column> {
        self.columns.iter().find(|c| c.role == Some(role))
    }

    /// Returns true when rows of this table are whole records, not list elements.
    pub fn is_root(&self) -> bool {
        self.parent.is_none()
    }
}
