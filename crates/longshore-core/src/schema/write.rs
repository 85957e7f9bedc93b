//! What a load does with the rows its tables already have.

use serde::{Deserialize, Serialize};

/// Rules of writing one root table; its child tables follow it. dlt's words and defaults
/// (`dlt/common/schema/typing.py`, `TWriteDisposition` and `TLoaderMergeStrategy`).
///
/// Columns are named as they are in the destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WriteRules {
    /// Add, replace or merge.
    pub disposition: Disposition,
    /// How to merge; means nothing for the others.
    pub strategy: MergeStrategy,
    /// Columns whose values together are a record's identity.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub primary_key: Vec<String>,
    /// Columns whose values name the group of records that a load replaces whole (a day, a customer).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub merge_key: Vec<String>,
    /// A column that marks deleted records: true, or for other types any value at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hard_delete: Option<String>,
    /// Which of several records with one primary key in one load stays; without it the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedup_sort: Option<DedupSort>,
    /// Names of the validity columns of `scd2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scd2: Option<Scd2>,
}

/// What happens to the rows that are there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Disposition {
    /// They stay.
    #[default]
    Append,
    /// They go, all at once with the new ones' coming.
    Replace,
    /// Those with the identity of a new one go or change.
    Merge,
}

/// How records that are there meet new ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MergeStrategy {
    /// Delete by primary or merge key, then insert.
    #[default]
    DeleteInsert,
    /// Change rows whose primary key is there, insert the others.
    Upsert,
    /// Insert rows whose primary key is not there; leave the others.
    InsertOnly,
    /// Keep history: close a changed row's validity and insert the new one.
    Scd2,
    /// Apply a log of inserts, updates and deletes in its order.
    Cdc,
}

/// Order of records with one primary key: the first stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DedupSort {
    /// The column to sort by.
    pub column: String,
    /// Largest first.
    pub descending: bool,
}

/// The validity columns of `scd2` and the moments written there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scd2 {
    /// Since when a version holds.
    pub valid_from: String,
    /// Until when; null, or `active` when it still holds.
    pub valid_to: String,
    /// Written instead of null in rows that hold, in microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<i64>,
    /// The moment of change, in microseconds since 1970; without it the load's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<i64>,
}

impl WriteRules {
    /// True for plain appending without keys: what a table has that nobody said anything about.
    pub fn is_default(&self) -> bool {
        *self == WriteRules::default()
    }
}
