//! DuckDB as a destination: one database file, a load in one transaction.
//!
//! * `config`: where the file is and what DuckDB may use;
//! * `destination`: the contract, reading and opening loads;
//! * `stage`: parts into the open transaction; `queue`: which rows go in next, and on how many threads;
//! * `commit`: the load's record, the commit, the count; `merge`: what happens to rows that
//!   are there already;
//! * `limits`: the memory it cannot do without; `memory`: what the file remembers of loads; `lease`: one run at a time;
//! * `types`: our types in DuckDB's words; `rounding`: columns that hold less than ours; `error`: DuckDB's errors in ours;
//! * `ffi`, `scan` and `chunk`: the one place with unsafe code: DuckDB's C interface for handing over columns.

mod chunk;
mod columns;
mod commit;
mod config;
mod destination;
mod error;
mod ffi;
mod hints;
mod insert;
mod lease;
mod limits;
mod memory;
mod merge;
mod queue;
mod room;
mod rounding;
mod scan;
mod settings;
mod stage;
mod tables;
mod transaction;
mod types;

pub use config::Config;
pub use destination::DuckDb;
pub use settings::settings_schema;

use longshore_core::connect::Connection;
use longshore_core::destination::Destination;
use longshore_core::error::{Error, Result};
use std::sync::Arc;

/// Returns the absolute URL under which packages remember the destination.
///
/// # Errors
/// When no file is named or a setting is wrong.
pub fn canonical(connection: &Connection) -> Result<String> {
    let config = Config::from_connection(connection)?;
    let path = std::path::absolute(&config.path)
        .map_err(|e| Error::config("the current folder is not to be found").source(e))?;
    Ok(format!("duckdb://{}", path.display()))
}

/// Returns the destination; touches no file yet.
///
/// # Errors
/// When no file is named or a setting is wrong.
pub fn open(connection: &Connection) -> Result<Arc<dyn Destination>> {
    Ok(Arc::new(DuckDb::new(Config::from_connection(connection)?)))
}
