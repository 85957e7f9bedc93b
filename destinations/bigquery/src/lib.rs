//! BigQuery as a destination: load jobs into staging tables, one transaction a load.
//!
//! * `config`: project, location, credentials (as they are `given`), and the `project` that nobody names; `checks`: settings that cannot work; `auth`: tokens for every form of credentials;
//! * `api`: requests and their repetition; `jobs`, `query`, `tables`, `upload`: the parts of the API that are used;
//! * `destination`: the contract, reading and opening loads; `read` and `answer`: what is asked, and its rows as Arrow (`document`: lists and
//!   records); `ddl` and `cost`: what a load would make and be billed, for plans;
//! * `stage`, `file`, `staging`: parts into Parquet files, those into staging tables, by way of a bucket in `storage`;
//! * `commit`: the load's last step, `units` of work in `steps` of a transaction each (which others' collide with: `fence`), its `script`, lists that are columns (`nested`), replacing and merging (`merge`)
//!   near the new rows (`near`), the load's `records`;
//! * `types`, `names`, `wide_json`: our types, names and documents in BigQuery's; `widen`: columns that hold more; `options`: what is set for tables, and whether it can `fit` them; `error`: its refusals, which `explain` puts in our words.

mod answer;
mod api;
mod auth;
mod checks;
mod commit;
mod config;
mod cost;
mod ddl;
mod destination;
mod document;
mod error;
mod explain;
mod fence;
mod file;
mod fit;
mod given;
mod jobs;
mod merge;
mod names;
mod near;
mod nested;
mod options;
mod project;
mod query;
mod read;
mod records;
mod script;
mod settings;
mod stage;
mod staging;
mod steps;
mod storage;
mod tables;
mod types;
mod units;
mod upload;
mod wide_json;
mod widen;

pub use config::{Config, Credentials};
pub use destination::BigQuery;
pub use nested::Nested;
pub use options::{ColumnOptions, Every, IngestionPartition, PartitionBy, RangePartition, TableOptions, TimePartition};
pub use settings::settings_schema;

use longshore_core::connect::Connection;
use longshore_core::destination::Destination;
use longshore_core::error::Result;
use std::sync::Arc;

/// Returns the URL, without secrets, under which packages remember the destination.
///
/// # Errors
/// When no project is named or a setting is wrong.
pub fn canonical(connection: &Connection) -> Result<String> {
    Config::from_connection(connection).map(|c| c.url())
}

/// Returns the destination; asks nobody yet.
///
/// # Errors
/// When no project is named, or settings or credentials are wrong.
pub fn open(connection: &Connection) -> Result<Arc<dyn Destination>> {
    Ok(Arc::new(BigQuery::new(Config::from_connection(connection)?)?))
}
