//! The configuration as types: dlt's `RESTAPIConfig`, key by key, and what Longshore adds to it.
//!
//! The types are read after the short forms are written out (`config/shorthand.rs`); the JSON Schema made of them
//! admits the short forms too.

use longshore_core::connect::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A whole source: one API, its resources and what they share.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestSettings {
    /// The API: address, authentication, manners.
    pub client: ClientConfig,
    /// What all resources have unless they say otherwise. Takes the keys of a resource, but for `name`.
    #[serde(default)]
    #[schemars(with = "Option<ResourceDefaults>")]
    pub resource_defaults: Option<Value>,
    /// What is loaded: each resource becomes a table.
    #[schemars(with = "Vec<Short<ResourceConfig>>")]
    pub resources: Vec<Value>,
}

/// A name alone, or the whole table.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code)] // only its schema is used
pub(crate) enum Short<T> {
    Name(String),
    Table(T),
}

/// One value or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// Several.
    Many(Vec<T>),
}

impl<T: Clone> OneOrMany<T> {
    /// Returns all of them.
    pub fn to_vec(&self) -> Vec<T> {
        match self {
            OneOrMany::One(value) => vec![value.clone()],
            OneOrMany::Many(values) => values.clone(),
        }
    }
}

/// The API as a whole.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientConfig {
    /// Address that paths are joined to, such as `https://api.example.com/v2`.
    pub base_url: String,
    /// Headers of every request.
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, Secret>,
    /// How requests are authenticated.
    #[schemars(with = "Option<Short<AuthConfig>>")]
    pub auth: Option<AuthConfig>,
    /// How pages follow one another, where an endpoint does not say. Default: found out from the first response.
    #[schemars(with = "Option<Short<PaginatorConfig>>")]
    pub paginator: Option<PaginatorConfig>,
    /// Most requests in a time, such as `5000/h`, `100/min`, `10/s`; shared by everything in the process that asks the host.
    pub rate: Option<String>,
    /// Most requests under way at once to the host. Default 8.
    pub max_concurrency: Option<usize>,
    /// Seconds until a response must be complete or have made progress. Default 60.
    pub timeout: Option<f64>,
    /// Seconds until a connection must stand. Default 20.
    pub connect_timeout: Option<f64>,
    /// How often a request is tried. Default 8.
    pub max_attempts: Option<u32>,
    /// Seconds that all attempts of one request may take together. Default 1800.
    pub retry_budget: Option<f64>,
    /// Seconds before the second attempt; doubled each time. Default 1.
    pub backoff_factor: Option<f64>,
    /// Longest wait between two attempts, in seconds; what the server asks for is cut to it. Default 300, but 3900 where `rate` counts hours.
    pub max_retry_delay: Option<f64>,
    /// Largest response body in bytes, decompressed. Default 268435456 (256 MiB).
    pub max_body_size: Option<u64>,
    /// Proxy for all requests, such as `http://proxy:3128`. Default: `HTTPS_PROXY` and its like.
    #[schemars(with = "Option<String>")]
    pub proxy: Option<Secret>,
    /// Files with certificates (PEM) that are trusted beside the system's.
    pub root_certificates: Vec<String>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// Other hosts that may be sent the credentials when a link leads there.
    pub auth_hosts: Vec<String>,
    /// True: nothing is guessed; an endpoint without `data_selector` or `paginator` is an error.
    pub strict: bool,
}

/// How requests are authenticated.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum AuthConfig {
    /// `Authorization: Bearer <token>`.
    Bearer {
        /// The token.
        #[schemars(with = "String")]
        token: Secret,
    },
    /// A key in a header, the query or a cookie.
    ApiKey {
        /// Name of the header, parameter or cookie.
        #[serde(default = "authorization")]
        name: String,
        /// The key.
        #[schemars(with = "String")]
        api_key: Secret,
        /// Where it goes.
        #[serde(default)]
        location: KeyLocation,
    },
    /// User name and password.
    HttpBasic {
        /// The user.
        #[schemars(with = "String")]
        username: Secret,
        /// The password.
        #[schemars(with = "String")]
        #[serde(default)]
        password: Secret,
    },
    /// OAuth 2.0, client credentials: a token is fetched, kept until it expires and fetched anew.
    #[serde(rename = "oauth2_client_credentials")]
    OAuth2ClientCredentials {
        /// Where tokens are fetched.
        access_token_url: String,
        /// The client.
        #[schemars(with = "String")]
        client_id: Secret,
        /// Its secret.
        #[schemars(with = "String")]
        client_secret: Secret,
        /// A token to begin with.
        #[serde(default)]
        #[schemars(with = "Option<String>")]
        access_token: Option<Secret>,
        /// More form fields of the token request (`scope`, `audience`).
        #[serde(default)]
        #[schemars(with = "BTreeMap<String, String>")]
        access_token_request_data: BTreeMap<String, Secret>,
        /// Seconds a token lives when the response does not say.
        #[serde(default = "hour")]
        default_token_expiration: u64,
    },
    /// OAuth 2.0, refresh token.
    #[serde(rename = "oauth2_refresh_token")]
    OAuth2RefreshToken {
        /// Where tokens are fetched.
        access_token_url: String,
        /// The refresh token.
        #[schemars(with = "String")]
        refresh_token: Secret,
        /// The client.
        #[serde(default)]
        #[schemars(with = "Option<String>")]
        client_id: Option<Secret>,
        /// Its secret.
        #[serde(default)]
        #[schemars(with = "Option<String>")]
        client_secret: Option<Secret>,
        /// More form fields of the token request.
        #[serde(default)]
        #[schemars(with = "BTreeMap<String, String>")]
        access_token_request_data: BTreeMap<String, Secret>,
        /// Seconds a token lives when the response does not say.
        #[serde(default = "hour")]
        default_token_expiration: u64,
    },
    /// OAuth 2.0, a signed JWT as assertion (RS256), as service accounts use it.
    #[serde(rename = "oauth2_jwt", alias = "oauth_jwt")]
    OAuth2Jwt {
        /// The issuer (`iss`).
        #[schemars(with = "String")]
        client_id: Secret,
        /// The private key, RSA, PEM.
        #[schemars(with = "String")]
        private_key: Secret,
        /// Where the assertion is exchanged for a token.
        auth_endpoint: String,
        /// Scopes asked for: a list, or one text.
        scopes: OneOrMany<String>,
        /// The audience (`aud`). Default: `auth_endpoint`.
        #[serde(default)]
        audience: Option<String>,
        /// On whose behalf (`sub`).
        #[serde(default)]
        subject: Option<String>,
        /// Seconds a token lives when the response does not say.
        #[serde(default = "hour")]
        default_token_expiration: u64,
    },
}

fn authorization() -> String {
    "Authorization".to_owned()
}

fn hour() -> u64 {
    3600
}

/// Where an API key goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyLocation {
    /// A request header.
    #[default]
    Header,
    /// The query.
    Query,
    /// The query: another word for it.
    Param,
    /// A cookie.
    Cookie,
}

/// How pages follow one another.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum PaginatorConfig {
    /// Found out from the first response.
    #[default]
    Auto,
    /// There is one page.
    SinglePage,
    /// The response's body holds the next page's URL.
    #[serde(alias = "json_response")]
    JsonLink {
        /// Where (JSONPath).
        #[serde(default = "next")]
        next_url_path: String,
    },
    /// The `Link` header holds it.
    HeaderLink {
        /// The link's `rel`.
        #[serde(default = "next")]
        links_next_key: String,
    },
    /// A header holds the next page's cursor.
    HeaderCursor {
        /// The header.
        #[serde(default = "next")]
        cursor_key: String,
        /// The parameter it is sent as.
        #[serde(default = "cursor")]
        cursor_param: String,
    },
    /// The body holds the next page's cursor.
    Cursor(CursorConfig),
    /// Records are skipped by number.
    Offset(OffsetConfig),
    /// Pages are numbered.
    PageNumber(PageNumberConfig),
}

fn next() -> String {
    "next".to_owned()
}
fn cursor() -> String {
    "cursor".to_owned()
}
fn yes() -> bool {
    true
}

/// A cursor in the body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CursorConfig {
    /// Where the cursor is (JSONPath).
    #[serde(default = "cursors_next")]
    pub cursor_path: String,
    /// Query parameter it is sent as. Default `cursor`.
    #[serde(default)]
    pub cursor_param: Option<String>,
    /// Path in the JSON body it is sent at, instead.
    #[serde(default)]
    pub cursor_body_path: Option<String>,
    /// Whether a page without records is the last.
    #[serde(default)]
    pub stop_after_empty_page: bool,
    /// Where the response says whether there is more (JSONPath).
    #[serde(default)]
    pub has_more_path: Option<String>,
}

fn cursors_next() -> String {
    "cursors.next".to_owned()
}

/// Offset and limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OffsetConfig {
    /// Records a page.
    pub limit: u64,
    /// The first offset.
    #[serde(default)]
    pub offset: u64,
    /// Query parameter of the offset. Default `offset`.
    #[serde(default)]
    pub offset_param: Option<String>,
    /// Query parameter of the limit. Default `limit`.
    #[serde(default)]
    pub limit_param: Option<String>,
    /// Path in the JSON body of the offset, instead.
    #[serde(default)]
    pub offset_body_path: Option<String>,
    /// Path in the JSON body of the limit, instead.
    #[serde(default)]
    pub limit_body_path: Option<String>,
    /// Where the response says how many records there are (JSONPath). Default `total`, where it is there; "" for none.
    #[serde(default)]
    pub total_path: Option<String>,
    /// The offset to stop at.
    #[serde(default)]
    pub maximum_offset: Option<u64>,
    /// Whether a page without records is the last.
    #[serde(default = "yes")]
    pub stop_after_empty_page: bool,
    /// Where the response says whether there is more (JSONPath).
    #[serde(default)]
    pub has_more_path: Option<String>,
}

/// Numbered pages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageNumberConfig {
    /// Number of the API's first page.
    #[serde(default)]
    pub base_page: u64,
    /// Number of the page to begin with. Default: the first.
    #[serde(default)]
    pub page: Option<u64>,
    /// Query parameter of the number. Default `page`.
    #[serde(default)]
    pub page_param: Option<String>,
    /// Path in the JSON body of the number, instead.
    #[serde(default)]
    pub page_body_path: Option<String>,
    /// Where the response says how many pages there are (JSONPath). Default `total`, where it is there; "" for none.
    #[serde(default)]
    pub total_path: Option<String>,
    /// The page to stop at (it is not fetched).
    #[serde(default)]
    pub maximum_page: Option<u64>,
    /// Whether a page without records is the last.
    #[serde(default = "yes")]
    pub stop_after_empty_page: bool,
    /// Where the response says whether there is more (JSONPath).
    #[serde(default)]
    pub has_more_path: Option<String>,
}

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

/// What is done to each record: one of these.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepConfig {
    /// Only records for which it is true stay: `@.status == 'active'` (JSONPath filter).
    Filter(String),
    /// Fields get other names: old = new.
    Rename(BTreeMap<String, String>),
    /// Fields go (JSONPath).
    Drop(OneOrMany<String>),
    /// Only these fields stay.
    Keep(OneOrMany<String>),
    /// Fields get values. `$.path` copies another field's value.
    Set(Map<String, Value>),
    /// Texts become `***` (JSONPath).
    Mask(OneOrMany<String>),
    /// Values become the SHA-256 of themselves (JSONPath).
    Hash(HashConfig),
    /// Values change their type: path = type.
    Cast(BTreeMap<String, CastType>),
    /// A list field's elements become records of their own, each with the record's other fields.
    Explode(String),
}

/// Fields to hash.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HashConfig {
    /// The fields (JSONPath).
    pub fields: OneOrMany<String>,
    /// Put before each value.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub salt: Option<Secret>,
}

/// Type of a cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CastType {
    /// A text.
    Text,
    /// A whole number.
    Bigint,
    /// A number.
    Double,
    /// True or false.
    Bool,
}

/// Append, replace, merge; alone or with its strategy.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WriteDisposition {
    /// The disposition alone.
    Plain(DispositionName),
    /// With its strategy.
    Table(WriteTable),
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
