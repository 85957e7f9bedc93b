//! Runs the flow: records out of a source, rows into a sealed package, the package into destinations.
//!
//! * [`Pipeline`] is a name with a working folder; [`Pipeline::run`] is one run;
//! * `extract` normalises blocks in parallel, in an order that does not depend on the threads;
//! * `writer` and [`store`] make the package and keep it; `part_file` is a file of it;
//! * `load` stages and commits a package into one destination, `stager` while it is being written, `deliver` brings
//!   sealed ones to many, `standing` is what those know already;
//! * `drop` takes resources away, `sync` makes the working folder agree with the destinations;
//! * `leases` keep two runs of a pipeline apart in the destinations, `lock` in the working folder;
//! * `plan` says what a run would do, from the first records of a source (`sample`) or from a package;
//! * [`Progress`] and [`Report`] say what is going on and what came of it.
//!
//! Only this crate writes the working folder. It prints nothing and reads no environment.

mod deliver;
mod drop;
mod extract;
mod keys;
mod leases;
mod load;
mod lock;
mod part_file;
mod pipeline;
mod plan;
mod progress;
mod refusals;
mod replay;
mod report;
mod resume;
mod run;
mod sample;
mod schema_files;
mod select;
mod stager;
mod standing;
pub mod store;
mod sync;
mod writer;
mod yaml_lines;

pub use drop::{DropPlan, DropRequest};
pub use pipeline::{
    Connect, DEFAULT_LEASE_TIME, DEFAULT_WAIT, DestinationRef, FinishedRun, Order, Pipeline, RunOptions,
    default_data_dir,
};
pub use plan::{ColumnPlan, DestinationPlan, Plan, Refusal, TablePlan, Verdict};
pub use progress::{DestinationState, DestinationStep, Progress, Stage};
pub use refusals::Refused;
pub use report::{DestinationReport, Outcome, Report, Timings};
pub use schema_files::SchemaFiles;
pub use select::{Selection, StatePath};
pub use sync::Synced;
