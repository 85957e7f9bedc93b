//! What tests of Longshore share.
//!
//! * [`conformance`] is the suite that defines what a destination is; [`harness`] is what a
//!   destination gives to be put through it, [`rows`] the form in which it reads tables back.
//! * [`fixture`] builds load packages: JSON through the real normaliser, or Arrow arrays by hand.
//! * [`fault`] wraps a destination so that calls fail, lose their reply or hang.
//! * [`proxy`] stands between a client and a server and does harm; [`servers`] starts real servers
//!   (mock HTTP ones with the feature `servers`).
//! * [`rebuild`] puts nested records back together from the tables they became.
//!
//! A destination's `tests/conformance.rs` (with `harness = false` in its `Cargo.toml`):
//!
//! ```no_run
//! use longshore_core::{Result, destination::Destination};
//! use longshore_testkit::{conformance, harness::{Harness, Site}, rows::Rows};
//! use std::{process::ExitCode, sync::Arc};
//!
//! #[derive(Debug)]
//! struct Databases;
//! struct Database { folder: tempfile::TempDir }
//! # fn connect(_: &std::path::Path) -> Result<Arc<dyn Destination>> { unimplemented!() }
//! # fn read_with_plain_sql(_: &std::path::Path, _: &str, _: &str) -> Result<Option<Rows>> { unimplemented!() }
//!
//! #[async_trait::async_trait]
//! impl Harness for Databases {
//!     async fn site(&self) -> Result<Arc<dyn Site>> {
//!         Ok(Arc::new(Database { folder: tempfile::tempdir().expect("a temporary folder") }))
//!     }
//! }
//!
//! #[async_trait::async_trait]
//! impl Site for Database {
//!     async fn open(&self) -> Result<Arc<dyn Destination>> { connect(self.folder.path()) }
//!     async fn read(&self, dataset: &str, table: &str) -> Result<Option<Rows>> {
//!         read_with_plain_sql(self.folder.path(), dataset, table)
//!     }
//! }
//!
//! fn main() -> ExitCode { conformance::main(Arc::new(Databases)) }
//! ```

pub mod conformance;
pub mod fault;
pub mod fixture;
pub mod fuzz;
pub mod harness;
pub mod proxy;
pub mod rebuild;
pub mod rows;
pub mod servers;
