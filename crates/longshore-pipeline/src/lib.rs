//! Runs the flow: records out of a source, rows into a sealed package, the package into destinations.
//!
//! * [`Pipeline`] is a name with a working folder; [`Pipeline::run`] is one run;
//! * `extract` normalises blocks in parallel, in an order that does not depend on the threads;
//! * `writer` and [`store`] make the package and keep it; `part_file` is a file of it, `last_place` where the
//!   newest went;
//! * `load` stages and commits a package into one destination, `stager` while it is being written, `deliver` brings
//!   sealed ones to many, `standing` is what those know already;
//! * `acceptance` asks destinations whether they could hold a schema at all;
//! * `drop` takes resources away, `sync` makes the working folder agree with the destinations;
//! * `leases` keep two runs of a pipeline apart in the destinations, `lock` in the working folder;
//! * `merge_rules` looks whether a load's tables have what the rules of their merges name, before anything is sealed, and
//!   `repeated_keys` whether keys come twice that may not;
//! * `plan` says what a run would do, from the first records of a source (`sample`) or from a package: to each table
//!   (`table_plan`), and to rows that are there (`touched`, `keys`);
//! * [`Progress`] and [`Report`] say what is going on and what came of it.
//!
//! Only this crate writes the working folder. It prints nothing and reads no environment.

mod acceptance;
mod deliver;
mod drop;
mod extract;
mod keys;
mod last_place;
mod leases;
mod load;
mod lock;
mod merge_rules;
mod part_file;
mod pipeline;
mod plan;
mod progress;
mod refusals;
mod repeated_keys;
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
mod table_plan;
mod touched;
mod unique_values;
mod writer;
mod yaml_lines;

pub use drop::{DropPlan, DropRequest};
pub use last_place::{LastPlace, last_loaded};
pub use pipeline::{
    Connect, DEFAULT_LEASE_TIME, DEFAULT_WAIT, DestinationRef, FinishedRun, Order, Pipeline, RunOptions,
    default_data_dir,
};
pub use plan::{DestinationPlan, Plan, Refusal, Verdict};
pub use progress::{DestinationState, DestinationStep, Progress, Stage};
pub use refusals::Refused;
pub use report::{DestinationReport, Outcome, Report, Timings};
pub use schema_files::SchemaFiles;
pub use select::{Selection, StatePath};
pub use sync::Synced;
pub use table_plan::{ColumnPlan, TablePlan};
