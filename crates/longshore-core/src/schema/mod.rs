//! The shape of a dataset: tables, their columns, and what changes between two shapes.

mod column;
mod column_type;
mod conflict;
mod contract;
mod data_type;
mod diff;
mod document;
mod edit;
mod rounding;
mod table;
mod write;

pub use column::{Column, ColumnRole, Properties};
pub use column_type::{ColumnType, FRACTION_DIGITS, USUAL_SCALE};
pub use conflict::Conflict;
pub use contract::{Contract, ContractMode, Entity};
pub use data_type::{DECIMAL_PRECISION, DataType};
pub use diff::{Hinted, Retyped, SchemaChange, TableChange};
pub use document::{Misread, read_edited};
pub use table::{Alias, AliasKind, Table};
pub use write::{DedupSort, Disposition, MergeStrategy, Scd2, WriteRules};

use serde::{Deserialize, Serialize};

/// All tables of a pipeline's dataset, in the order they were first seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// The pipeline's name, normalised.
    pub name: String,
    /// How system tables and columns are named.
    #[serde(default)]
    pub system_columns: SystemColumns,
    /// Hash of the edited file that it was last gone by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<String>,
    /// Root and child tables of the data; the loader's own tables are not listed.
    pub tables: Vec<Table>,
}

impl Schema {
    /// Returns an empty schema.
    pub fn new(name: impl Into<String>, system_columns: SystemColumns) -> Self {
        Schema { name: name.into(), system_columns, imported: None, tables: Vec::new() }
    }

    /// Returns the table of that (normalised) name.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|t| t.name == name)
    }

    /// Returns the tables below a root table, at any depth, parents before their children.
    pub fn children_of(&self, root: &str) -> Vec<&Table> {
        let mut family: Vec<&Table> = Vec::new();
        for table in &self.tables {
            let Some(parent) = table.parent.as_deref() else { continue };
            if parent == root || family.iter().any(|t| t.name == parent) {
                family.push(table);
            }
        }
        family
    }

    /// Returns the JSON text the version hash is made of and destinations store.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() // plain data with string keys: cannot fail
    }

    /// Returns a short hash of the content: equal schemas have equal hashes, on any machine.
    pub fn hash(&self) -> String {
        crate::hash::content_hash(self.to_json().as_bytes())
    }
}

/// Which names the loader's own columns and tables have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SystemColumns {
    /// `_row_id`, `_load_id`, ...: whole-number row ids, lossless coercions only.
    #[default]
    Native,
    /// `_dlt_id`, `_dlt_load_id`, ...: what dlt itself would have written.
    Dlt,
}

impl SystemColumns {
    /// Returns the column of that role: its name and type.
    pub fn column(self, role: ColumnRole) -> Column {
        use ColumnRole::*;
        let (native, dlt) = match role {
            RowId => ("_row_id", "_dlt_id"),
            LoadId => ("_load_id", "_dlt_load_id"),
            ParentId => ("_parent_id", "_dlt_parent_id"),
            RootId => ("_root_id", "_dlt_root_id"),
            ListIndex => ("_list_idx", "_dlt_list_idx"),
            RowHash => ("_row_hash", "_dlt_row_hash"),
        };
        let (name, id_type) = match self {
            SystemColumns::Native => (native, DataType::Bigint),
            SystemColumns::Dlt => (dlt, DataType::Text),
        };
        let data_type = match role {
            ListIndex => DataType::Bigint,
            RowHash => DataType::Text,
            RowId | ParentId | RootId | LoadId => id_type,
        };
        Column::system(name, data_type, role)
    }

    /// Returns the roles a table has, in column order.
    ///
    /// dlt's order is `_dlt_load_id, _dlt_id` after a root's data and
    /// `[_dlt_root_id,] _dlt_parent_id, _dlt_list_idx, _dlt_id` after a child's
    /// (`dlt/common/normalizers/json/relational.py`, `_normalize_row`). Native mode puts the load
    /// id on every table and the root id on every child.
    pub fn roles(self, is_root: bool) -> &'static [ColumnRole] {
        use ColumnRole::*;
        match (self, is_root) {
            (SystemColumns::Native, true) => &[RowId, LoadId],
            (SystemColumns::Native, false) => &[RowId, ParentId, RootId, ListIndex, LoadId],
            (SystemColumns::Dlt, true) => &[LoadId, RowId],
            (SystemColumns::Dlt, false) => &[ParentId, ListIndex, RowId],
        }
    }

    /// Returns the roles a table has beside [`SystemColumns::roles`] because of how it is written: what tells
    /// versions of a record apart, and in dlt mode the root id by which a merge finds a record's children.
    pub fn extra_roles(self, is_root: bool, write: &WriteRules) -> &'static [ColumnRole] {
        if write.disposition != Disposition::Merge {
            return &[];
        }
        match (self, is_root, write.strategy == MergeStrategy::Scd2) {
            (SystemColumns::Native, true, true) => &[ColumnRole::RowHash],
            (SystemColumns::Dlt, false, false) => &[ColumnRole::RootId],
            _ => &[],
        }
    }

    /// Returns the prefix that the loader's own tables share in this mode.
    pub fn table_name(self, table: SystemTable) -> &'static str {
        match (self, table) {
            (SystemColumns::Native, SystemTable::Loads) => "_loads",
            (SystemColumns::Native, SystemTable::Schemas) => "_schemas",
            (SystemColumns::Native, SystemTable::State) => "_state",
            (SystemColumns::Native, SystemTable::Rejects) => "_rejects",
            (SystemColumns::Dlt, SystemTable::Loads) => "_dlt_loads",
            (SystemColumns::Dlt, SystemTable::Schemas) => "_dlt_version",
            (SystemColumns::Dlt, SystemTable::State) => "_dlt_pipeline_state",
            (SystemColumns::Dlt, SystemTable::Rejects) => "_dlt_rejects",
        }
    }

    /// Returns true for the name of one of the loader's own tables in this mode.
    pub fn owns_table(self, name: &str) -> bool {
        SystemTable::ALL.iter().any(|t| self.table_name(*t) == name)
    }
}

impl SystemTable {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Loads, Self::Schemas, Self::State, Self::Rejects];
}

/// The loader's own tables in a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemTable {
    /// One row a committed load.
    Loads,
    /// One row a schema version.
    Schemas,
    /// The source's state, one row a change.
    State,
    /// Records that could not be stored, whole, with the reason.
    Rejects,
}
