//! One column of a table.

use super::{Conflict, DataType};
use serde::{Deserialize, Serialize};

/// A column: its name in the destination, its type, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Normalised, unique in its table.
    pub name: String,
    /// Fixed once the column has a value, but that it may become wider (see [`Conflict`]).
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
    /// Of a bigint column: no value so far is beyond 2^53, so that doubles hold all of them exactly. False where
    /// nobody kept count. Never becomes true again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub exact_double: bool,
    /// What was said of the column beside its type.
    #[serde(flatten)]
    pub properties: Properties,
}

/// What a user said of a column beside its type: dlt's words (`dlt/common/schema/typing.py`, `TColumnSchema`). A destination
/// that cannot use one leaves it be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Properties {
    /// Digits of a decimal, characters of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<u32>,
    /// Digits of a decimal behind the point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<u32>,
    /// False for timestamps without a time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<bool>,
    /// Each value once.
    #[serde(skip_serializing_if = "is_false")]
    pub unique: bool,
    /// Rows are looked for by it.
    #[serde(skip_serializing_if = "is_false")]
    pub index: bool,
    /// Rows are stored in its order.
    #[serde(skip_serializing_if = "is_false")]
    pub sort: bool,
    /// The table is divided by it.
    #[serde(skip_serializing_if = "is_false")]
    pub partition: bool,
    /// Rows of one value are stored together.
    #[serde(skip_serializing_if = "is_false")]
    pub cluster: bool,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What becomes of values that do not fit; without it what holds for the pipeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_type_conflict: Option<Conflict>,
}

impl Column {
    /// Returns a nullable column of the source's data.
    pub fn data(name: impl Into<String>, data_type: DataType) -> Self {
        Column {
            name: name.into(),
            data_type,
            nullable: true,
            variant: false,
            role: None,
            exact_double: false,
            properties: Properties::default(),
        }
    }

    /// Returns a column the loader fills; never null.
    pub fn system(name: impl Into<String>, data_type: DataType, role: ColumnRole) -> Self {
        Column { nullable: false, role: Some(role), ..Column::data(name, data_type) }
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
