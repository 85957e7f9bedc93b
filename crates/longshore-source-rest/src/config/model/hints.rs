//! How a table is written, and what its columns are.

use super::RowOrder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Append, replace, merge; alone or with its strategy.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WriteDisposition {
    /// The disposition alone.
    Plain(DispositionName),
    /// With its strategy.
    Table(WriteTable),
}

impl WriteDisposition {
    pub(crate) fn is_skip(&self) -> bool {
        *self.name() == DispositionName::Skip
    }

    pub(crate) fn is_replace(&self) -> bool {
        *self.name() == DispositionName::Replace
    }

    fn name(&self) -> &DispositionName {
        let (WriteDisposition::Plain(name) | WriteDisposition::Table(WriteTable { disposition: name, .. })) = self;
        name
    }
}

/// The disposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DispositionName {
    /// Rows are added.
    Append,
    /// Rows replace those that are there.
    Replace,
    /// Rows change or replace those of the same key.
    Merge,
    /// Nothing is written: as if it were not selected.
    Skip,
}

/// A disposition with its strategy.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteTable {
    /// The disposition.
    pub disposition: DispositionName,
    /// How to merge.
    #[serde(default)]
    pub strategy: Option<StrategyName>,
    /// `scd2`: names of the two validity columns.
    #[serde(default)]
    pub validity_column_names: Option<Vec<String>>,
    /// `scd2`: what stands in the second for rows that hold.
    #[serde(default)]
    pub active_record_timestamp: Option<String>,
    /// `scd2`: the moment of change.
    #[serde(default)]
    pub boundary_timestamp: Option<String>,
}

/// How to merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StrategyName {
    /// Delete by key, then insert.
    DeleteInsert,
    /// Change rows that are there, insert the others.
    Upsert,
    /// Insert the others only.
    InsertOnly,
    /// Keep history.
    Scd2,
    /// Apply a log of changes.
    Cdc,
}

/// Hints of columns: by name, or as a list.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Columns {
    /// By name.
    Table(BTreeMap<String, ColumnConfig>),
    /// A list of columns with their names.
    List(Vec<ColumnConfig>),
}

/// One column's type and hints; dlt's words.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct ColumnConfig {
    pub name: Option<String>,
    pub data_type: Option<TypeName>,
    pub nullable: Option<bool>,
    pub primary_key: Option<bool>,
    pub merge_key: Option<bool>,
    pub hard_delete: Option<bool>,
    pub dedup_sort: Option<RowOrder>,
    pub unique: Option<bool>,
    pub index: Option<bool>,
    pub on_type_conflict: Option<String>,
    pub sort: Option<bool>,
    pub partition: Option<bool>,
    pub cluster: Option<bool>,
    pub root_key: Option<bool>,
    pub row_key: Option<bool>,
    pub parent_key: Option<bool>,
    pub incremental: Option<bool>,
    pub variant: Option<bool>,
    pub precision: Option<u32>,
    pub scale: Option<u32>,
    pub timezone: Option<bool>,
    pub description: Option<String>,
}

/// A column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum TypeName {
    Text,
    Bigint,
    Double,
    Bool,
    Timestamp,
    Json,
    Decimal,
    Wei,
    Binary,
    Date,
    Time,
}

/// Hints of one child table.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct NestedHints {
    pub columns: Option<Columns>,
    pub write_disposition: Option<Value>,
    pub primary_key: Option<Value>,
    pub merge_key: Option<Value>,
    pub schema_contract: Option<Value>,
    pub table_format: Option<Value>,
    pub file_format: Option<Value>,
    pub parent_table_name: Option<Value>,
    pub references: Option<Value>,
}
