//! PostgreSQL as a destination: rows by binary `COPY` over several connections, a load in one transaction.
//!
//! * `config`, `given`, `service` and `passfile`: URL, settings and environment; `tls`: certificates; `session`: connections that notice when they are dead;
//! * `destination`: the contract, reading and opening loads; `catalog`: what the dataset holds; `answer`: queries as Arrow;
//! * `stage`: parts into staging tables; `encode` and `text`: Arrow columns in the binary format of `COPY`; `copy`: the
//!   connections that send it; `staging`: the tables' names, and which of them belong to dead loads;
//! * `commit`: everything visible in one transaction; `types`: our types in PostgreSQL's words; `error`: its errors in ours;
//! * `rights`, `obstacles` and `rounding`: what is refused before anything is read, or as soon as it is known.

mod answer;
mod catalog;
mod commit;
mod config;
mod copy;
mod destination;
mod encode;
mod error;
mod given;
mod late;
mod lease;
mod merge;
mod obstacles;
mod passfile;
mod rights;
mod rounding;
mod service;
mod session;
mod settings;
mod stage;
mod staging;
mod text;
mod tls;
mod types;

pub use config::{Config, SslMode};
pub use destination::Postgres;
pub use settings::settings_schema;

use longshore_core::connect::Connection;
use longshore_core::destination::Destination;
use longshore_core::error::Result;
use std::sync::Arc;

/// Returns the URL under which packages remember the destination: host, port, database, user and the TLS settings,
/// never the password.
///
/// # Errors
/// When a setting is wrong.
pub fn canonical(connection: &Connection) -> Result<String> {
    Config::from_connection(connection).map(|c| c.url())
}

/// Returns the destination; connects to nothing yet.
///
/// # Errors
/// When a setting is wrong.
pub fn open(connection: &Connection) -> Result<Arc<dyn Destination>> {
    Ok(Arc::new(Postgres::new(Config::from_connection(connection)?)?))
}
