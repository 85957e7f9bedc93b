//! Loads nested records into linked tables, exactly once.
//!
//! This is the library for Rust programs. A [`Pipeline`] is a name, a working folder and one or more destinations; its
//! `load_*` methods take records in the form a program has them and return a [`Report`] when the rows of all tables are
//! there.
//!
//! ```
//! use longshore::{MemoryDestination, Pipeline};
//! use serde::Serialize;
//! use std::sync::Arc;
//!
//! #[derive(Serialize)]
//! struct Order { id: u64, lines: Vec<Line> }
//! #[derive(Serialize)]
//! struct Line { sku: String, price: f64 }
//!
//! # fn main() -> longshore::Result<()> {
//! # let folder = std::env::temp_dir().join(format!("longshore-doc-{}", std::process::id()));
//! # let warehouse = Arc::new(MemoryDestination::new());
//! let orders = (1..=3).map(|id| Order { id, lines: vec![Line { sku: format!("A-{id}"), price: 9.5 }] });
//! let pipeline = Pipeline::builder()
//!     .name("shop")
//!     .data_dir(&folder)
//!     .custom_destination(warehouse) // or .destination("duckdb:///path/to/shop.duckdb")
//!     .table("orders")
//!     .build()?;
//! let report = pipeline.load_records(orders)?;
//! assert_eq!(report.tables[1].rows, 3);
//! # std::fs::remove_dir_all(&folder).ok();
//! # Ok(())
//! # }
//! ```
//!
//! # What can be loaded
//!
//! | method | takes |
//! |---|---|
//! | [`Pipeline::load_records`], [`try_load_records`](Pipeline::try_load_records) | an iterator of anything serde can serialise |
//! | [`Pipeline::load_stream`], [`try_load_stream`](Pipeline::try_load_stream) | the same as an asynchronous stream, on any runtime |
//! | [`Pipeline::load_json`], [`load_reader`](Pipeline::load_reader) | raw JSON, NDJSON, also gzip or zstd |
//! | [`Pipeline::load_files`] | files, folders and patterns |
//! | [`Pipeline::load_arrow`], [`load_arrow_reader`](Pipeline::load_arrow_reader) | Arrow record batches ([`arrow`]) |
//! | [`Pipeline::run`] | a [`source::Source`] of your own |
//!
//! # How tables are written, and how they may grow
//!
//! ```
//! # use longshore::{Conflict, Contract, ContractMode, MemoryDestination, MergeStrategy, Pipeline};
//! # use std::sync::Arc;
//! # fn main() -> longshore::Result<()> {
//! # let folder = std::env::temp_dir().join(format!("longshore-doc-rules-{}", std::process::id()));
//! let pipeline = Pipeline::builder()
//!     .name("shop")
//!     .data_dir(&folder)
//!     .custom_destination(Arc::new(MemoryDestination::new()))
//!     .table("orders")
//!     .merge(MergeStrategy::DeleteInsert)
//!     .primary_key(["id"])
//!     .column("lines.price=decimal:precision=10:scale=2")
//!     .on_type_conflict(Conflict::Variant)
//!     .schema_contract(Contract { columns: ContractMode::DiscardValue, ..Contract::default() })
//!     .build()?;
//! # std::fs::remove_dir_all(&folder).ok();
//! # Ok(())
//! # }
//! ```
//!
//! # What a returned report means
//!
//! `Ok` means that the rows of every table are committed and counted back at every destination. `Err` means that nothing of
//! this input became visible, or that a destination failed: then the package stays in the working folder and goes
//! first at the next run ([`Pipeline::retry`] loads it at once, [`Pipeline::drop_package`] gives it up).
//!
//! A program that is killed in between leaves either nothing or a sealed package. The next run of the pipeline loads that
//! package first and then its own input. Give the builder a [`resume_key`](PipelineBuilder::resume_key) when the program
//! reads the same input again after a crash: then the run that finds its own package completes it and reads nothing.
//!
//! # Blocking and asynchronous programs
//!
//! A load runs on threads of its own. `load_stream` waits without blocking; every other method blocks its thread, so in an
//! asynchronous program call it through your runtime's `spawn_blocking` (a [`Pipeline`] is cheap to clone).
//!
//! # Features
//!
//! Each destination is a feature: `duckdb` (default; `bundled` compiles DuckDB from source). Without any, the crate works
//! with [`MemoryDestination`] and with destinations of your own, for which [`destination`] describes the contract and
//! `longshore-testkit` has the tests.
//!
//! The library reads no environment variable and prints nothing.
#![forbid(unsafe_code)]

pub mod arrow;
mod builder;
mod feed;
mod pipeline;
mod records;
mod said;
mod stream;

pub use builder::PipelineBuilder;
pub use longshore_core::capabilities;
pub use longshore_core::destination::{self, Destination};
pub use longshore_core::error::{Error, ErrorKind, Result};
pub use longshore_core::lease;
pub use longshore_core::memory::{self, MemoryDestination};
pub use longshore_core::normalize::OnError;
pub use longshore_core::package::{self, LoadId, TableCount};
pub use longshore_core::schema::{self, Conflict, Contract, ContractMode, DataType, MergeStrategy, SystemColumns};
pub use longshore_core::source;
pub use longshore_pipeline::{DestinationReport, Outcome, Progress, Report, Stage, Timings};
pub use pipeline::Pipeline;

// The versions a destination or a caller has to agree with.
pub use arrow_array;
pub use arrow_schema;
pub use async_trait::async_trait;
