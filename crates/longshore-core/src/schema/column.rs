//! One column of a table.

use super::DataType;
use serde::{Deserialize, Serialize};

/// A column: its name in the destination, its type, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Normalised, unique in its table.
    pub name: String,
    /// Fixed once the column has a value.
    pub data_type: DataType,
    /// False only for system columns and keys.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub nullable: bool,
    /// Made because values did not fit the column it is named after (`col__v_text`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub variant: bool,
    /// What the loader itself writes here, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<ColumnRole>,
}

impl Column {
    /// Returns a nullable column of the source's data.
    pub fn data(name: impl Into<String>, data_type: DataType) -> Self {
        Column { name: name.into(), data_type, nullable: true, variant: false, role: None }
    }

    /// Returns a column the loader fills; never null.
    pub fn system(name: impl Into<String>, data_type: DataType, role: ColumnRole) -> Self {
        Column { name: name.into(), data_type, nullable: false, variant: false, role: Some(role) }
    }
}

/// What a system column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnRole {
    /// The row's own id.
    RowId,
    /// The load the row came with. Not stored in parts: it is the same for all rows of a package.
    LoadId,
    /// Row id of the row this one is a list element of.
    ParentId,
    /// Row id of the topmost row.
    RootId,
    /// 0-based position in the parent's list.
    ListIndex,
    /// Hash of the record a root row comes from: tells versions of it apart (`scd2`).
    RowHash,
}

fn yes() -> bool {
    true
}
fn is_true(v: &bool) -> bool {
    *v
}
fn is_false(v: &bool) -> bool {
    !*v
}
