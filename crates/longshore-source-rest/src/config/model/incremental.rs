//! Only what is new.

use super::OneOrMany;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Only what is new.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IncrementalConfig {
    /// The field (or JSONPath) whose value grows from record to record.
    pub cursor_path: String,
    /// Where the first load begins.
    pub initial_value: Option<Value>,
    /// Where this load ends; then no state is read or written (a backfill).
    pub end_value: Option<Value>,
    /// Query parameter of the start.
    pub start_param: Option<String>,
    /// Query parameter of the end.
    pub end_param: Option<String>,
    /// The largest or the smallest value is the state.
    pub last_value_func: LastValue,
    /// Fields that identify a record at the boundary; an empty list switches telling them apart off.
    pub primary_key: Option<OneOrMany<String>>,
    /// The order records come in: fetching ends where they leave the range.
    pub row_order: Option<RowOrder>,
    /// Read for compatibility; means nothing here.
    pub allow_external_schedulers: bool,
    /// What to do with a record without the field.
    pub on_cursor_value_missing: OnMissing,
    /// Begin so much earlier: seconds of timestamps, days of dates, units of numbers.
    pub lag: Option<f64>,
    /// Whether the start belongs to the range.
    pub range_start: Option<Bound>,
    /// Whether the end belongs to the range.
    pub range_end: Option<Bound>,
    /// How the values are sent. Default: as they are.
    #[serde(alias = "transform")]
    pub convert: Option<Convert>,
    /// An upper bound before now, such as `5m`: newer records may still be changing, and wait for the next load.
    pub safety: Option<String>,
    /// Dependent resources: one cursor for each parent. Default true.
    pub per_parent: Option<bool>,
}

/// Which value is remembered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LastValue {
    /// The largest.
    #[default]
    Max,
    /// The smallest.
    Min,
}

/// The order of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowOrder {
    /// Rising.
    Asc,
    /// Falling.
    Desc,
}

/// What to do with a record that lacks the cursor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnMissing {
    /// The load fails.
    #[default]
    Raise,
    /// It is loaded.
    Include,
    /// It is left out.
    Exclude,
}

/// Whether a bound belongs to the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// It does not.
    Open,
    /// It does.
    Closed,
}

/// How a cursor's value is written in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Convert {
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
    /// `2024-01-31`.
    Date,
    /// `2024-01-31T12:00:00Z`.
    Iso,
    /// As text, even where it is a number.
    Text,
}
