//! DuckDB as a destination: one database file, a load in one transaction.
//!
//! * `config`: where the file is and what DuckDB may use;
//! * `destination`: the contract, reading and opening loads;
//! * `stage`: parts into the open transaction; `commit`: the load's record, the commit, the count;
//! * `types`: our types in DuckDB's words; `error`: DuckDB's errors in ours;
//! * `ffi` and `chunk`: the one place with unsafe code: DuckDB's C interface for appending columns.

mod chunk;
mod commit;
mod config;
mod destination;
mod error;
mod ffi;
mod stage;
mod types;

pub use config::Config;
pub use destination::DuckDb;
