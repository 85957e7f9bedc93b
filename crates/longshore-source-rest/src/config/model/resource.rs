//! Resources and their endpoints.

use super::{
    AuthConfig, Columns, IncrementalConfig, NestedHints, OneOrMany, PaginatorConfig, Short, StepConfig,
    WriteDisposition, yes,
};
use longshore_core::connect::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A resource: requests, and the table their records go to.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceConfig {
    /// Its name.
    pub name: String,
    /// The requests; a text alone is the path.
    #[serde(default)]
    #[schemars(with = "Option<Short<EndpointConfig>>")]
    pub endpoint: EndpointConfig,
    /// Fields of the parent's record that are put into each record, as `_<parent>_<field>`.
    #[serde(default)]
    pub include_from_parent: Vec<String>,
    /// What is done to each record, in this order.
    #[serde(default)]
    pub processing_steps: Vec<StepConfig>,
    /// False: fetched only as far as other resources need it, and not loaded.
    #[serde(default = "yes")]
    pub selected: bool,
    /// Dependent resources: whether several parents are fetched for at once. Default true, up to `max_concurrency`.
    #[serde(default)]
    pub parallelized: Option<bool>,
    /// Levels that become tables and columns; deeper ones stay JSON.
    #[serde(default)]
    pub max_table_nesting: Option<u32>,
    /// The table, where it is not named like the resource.
    #[serde(default)]
    pub table_name: Option<String>,
    /// What happens to the rows that are there.
    #[serde(default)]
    pub write_disposition: Option<WriteDisposition>,
    /// Fields that identify a record.
    #[serde(default)]
    pub primary_key: Option<OneOrMany<String>>,
    /// Fields that name the group of records a load replaces.
    #[serde(default)]
    pub merge_key: Option<OneOrMany<String>>,
    /// Types and hints of columns.
    #[serde(default)]
    pub columns: Option<Columns>,
    /// What may change in the schema.
    #[serde(default)]
    pub schema_contract: Option<Value>,
    /// What becomes of values that do not fit their column: variant, widen, text, json or reject.
    #[serde(default)]
    pub on_type_conflict: Option<String>,
    /// Paths that are left out.
    #[serde(default)]
    pub ignore: Option<Vec<String>>,
    /// Lists whose elements become columns by their position.
    #[serde(default)]
    pub flatten: Option<Vec<String>>,
    /// Hints of child tables, by path.
    #[serde(default)]
    pub nested_hints: Option<BTreeMap<String, NestedHints>>,
    /// The same as `endpoint.incremental`.
    #[serde(default)]
    pub incremental: Option<IncrementalConfig>,
    /// Format of tables, for destinations that have several.
    #[serde(default)]
    pub table_format: Option<String>,
    /// Read for compatibility; means nothing here.
    #[serde(default)]
    pub file_format: Option<String>,
    /// Read for compatibility; means nothing here.
    #[serde(default)]
    pub parent: Option<String>,
    /// Read for compatibility; means nothing here.
    #[serde(default)]
    pub parent_table_name: Option<String>,
    /// Read for compatibility; means nothing here.
    #[serde(default)]
    pub references: Option<Value>,
}

/// The keys of a resource but for its name.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // only its schema is used
pub(crate) struct ResourceDefaults {
    endpoint: Option<Short<EndpointConfig>>,
    include_from_parent: Option<Vec<String>>,
    processing_steps: Option<Vec<StepConfig>>,
    selected: Option<bool>,
    parallelized: Option<bool>,
    max_table_nesting: Option<u32>,
    table_name: Option<String>,
    write_disposition: Option<WriteDisposition>,
    primary_key: Option<OneOrMany<String>>,
    merge_key: Option<OneOrMany<String>>,
    columns: Option<Columns>,
    schema_contract: Option<Value>,
    on_type_conflict: Option<String>,
    ignore: Option<Vec<String>>,
    flatten: Option<Vec<String>>,
    nested_hints: Option<BTreeMap<String, NestedHints>>,
    incremental: Option<IncrementalConfig>,
    table_format: Option<String>,
    file_format: Option<String>,
    parent: Option<String>,
    parent_table_name: Option<String>,
    references: Option<Value>,
}

/// The requests of a resource.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EndpointConfig {
    /// Joined to `base_url`; a whole URL replaces it. Takes placeholders. Default: the resource's name.
    pub path: Option<String>,
    /// Default GET.
    pub method: Option<String>,
    /// The query. Lists are sent as several, null is left out.
    pub params: Map<String, Value>,
    /// JSON body; takes placeholders at any depth.
    pub json: Option<Value>,
    /// Form fields, or a raw body.
    pub data: Option<Value>,
    /// More headers; take placeholders.
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, Secret>,
    /// Where the records are in a response (JSONPath). Default: guessed, and said in the log.
    pub data_selector: Option<String>,
    /// How pages follow one another. Default: the client's.
    #[schemars(with = "Option<Short<PaginatorConfig>>")]
    pub paginator: Option<PaginatorConfig>,
    /// Instead of the client's.
    #[schemars(with = "Option<Short<AuthConfig>>")]
    pub auth: Option<AuthConfig>,
    /// What to do with certain responses.
    pub response_actions: Vec<ResponseAction>,
    /// Only what is new since the last load.
    pub incremental: Option<IncrementalConfig>,
    /// Where the response says how many records there are in all pages (JSONPath): the count is checked.
    pub expected_count_path: Option<String>,
    /// When fewer records came than the API said. Default: `error` where a path was given, `warn` where it was guessed.
    pub on_short: Option<Severity>,
    /// When the same page comes again and again. Default `error`.
    pub on_loop: Option<OnLoop>,
}

/// How serious something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The load fails.
    Error,
    /// It is said in the log.
    Warn,
    /// Nothing.
    Ignore,
}

/// What to do about pages that come again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnLoop {
    /// The load fails.
    #[default]
    Error,
    /// It was the last page; the repeated one is dropped.
    Stop,
    /// Pages may be equal; only a link or cursor that comes again is an error.
    Allow,
}

/// What to do with a response of that status or content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResponseAction {
    /// The status, or several.
    #[serde(default)]
    pub status_code: Option<OneOrManyStatus>,
    /// A text the body contains.
    #[serde(default)]
    pub content: Option<String>,
    /// What to do.
    pub action: Action,
}

impl ResponseAction {
    /// Takes answers of these statuses for nothing.
    pub(crate) fn ignore(statuses: &[u16]) -> Self {
        let status_code = Some(OneOrManyStatus::Many(statuses.to_vec()));
        ResponseAction { status_code, content: None, action: Action::Ignore }
    }
}

/// One status or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrManyStatus {
    /// One.
    One(u16),
    /// Several.
    Many(Vec<u16>),
}

impl OneOrManyStatus {
    /// Returns true when the status is one of them.
    pub fn has(&self, status: u16) -> bool {
        match self {
            OneOrManyStatus::One(one) => *one == status,
            OneOrManyStatus::Many(many) => many.contains(&status),
        }
    }
}

/// What to do with a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// There are no more records here.
    Ignore,
    /// Ask again, later.
    Retry,
    /// The load fails, whatever the status.
    Fail,
}
