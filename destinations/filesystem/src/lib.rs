//! Folders and object stores as a destination: Parquet, JSONL or CSV files, and a manifest a load.
//!
//! * `config`: where the files go and what they are, from URL, settings and environment;
//!   `credentials`: the keys, profiles and providers of the clouds; `layout`: the names of files;
//! * `store`: small files in a folder or a bucket; `sink`: large ones, invisible until published;
//! * `destination`: the contract, reading; `query`: DuckDB over the files;
//! * `stage`: parts into files; `format`: rows into bytes, on several threads; `commit`: files in
//!   their places, then the manifest;
//! * `manifest`: what a load's manifest says; `records`: dlt's small files beside it; `clean`: what
//!   loads left that never were committed; `foreign`: data files that dlt wrote; `adopt`: these become
//!   files of ours;
//! * `error`: the stores' errors in ours.

mod adopt;
mod clean;
mod commit;
mod config;
mod dataset;
mod destination;
mod encoders;
mod engine;
mod error;
mod foreign;
mod format;
mod gone;
mod layout;
mod lease;
mod local;
mod manifest;
mod merge;
mod of_dlt;
mod query;
mod records;
mod scan;
mod settings;
mod sink;
mod stage;
mod store;
mod there;
mod turns;

pub use clean::Report;
pub use config::{Compression, Config, FileFormat};
pub use destination::Filesystem;
pub use layout::Layout;
pub use manifest::{DataFile, FileManifest, TableFiles};
pub use settings::settings_schema;

use longshore_core::connect::Connection;
use longshore_core::destination::Destination;
use longshore_core::error::Result;
use std::sync::Arc;

/// Returns the absolute URL, without secrets, under which packages remember the destination.
///
/// # Errors
/// When no place is named or a setting is wrong.
pub fn canonical(connection: &Connection) -> Result<String> {
    Ok(Config::from_connection(connection)?.url())
}

/// Returns the destination; touches no file yet.
///
/// # Errors
/// When no place is named or a setting is wrong.
pub fn open(connection: &Connection) -> Result<Arc<dyn Destination>> {
    Ok(Arc::new(Filesystem::new(Config::from_connection(connection)?)?))
}
