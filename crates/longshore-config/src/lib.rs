//! Configuration and secrets: `longshore.toml` (YAML and JSON too), `secrets.toml`, dlt's files, the environment, vaults.
//!
//! * [`mod@parse`]: text to a tree ([`node`]) whose values know where they stand;
//! * [`Surroundings`]: what the caller tells of the machine, and the files found there;
//! * [`Project`]: those files checked and laid over one another; it gives [`PipelineSettings`], and a [`Section`] for
//!   each source and a [`Target`] for each destination, with secrets put in;
//! * `lookup`: one value by its name in every place, in order; `environment`: variables that stand for keys;
//!   `reference`: `{ secret = "…" }`; `vault`: secrets kept elsewhere;
//! * `rules` and `memory`: values that several places share;
//! * [`problem`]: what is wrong, where, and what to do;
//! * [`json_schema`]: the form of `longshore.toml`, for editors.
//!
//! Only the given folders are read, and the environment is a map that the caller gives.

mod credentials;
mod definitions;
mod destination;
mod environment;
mod lookup;
mod memory;
pub mod node;
pub mod parse;
mod pipeline;
pub mod problem;
mod project;
mod reference;
mod rules;
mod schema;
mod section;
mod surroundings;
mod vault;

pub use destination::Target;
pub use memory::{LEAST_MEMORY, memory_size};
pub use parse::parse;
pub use pipeline::{MOST_THREADS, PipelineSettings};
pub use problem::{Problem, Problems};
pub use project::Project;
pub use rules::rule_problems;
pub use schema::{contract, json_schema};
pub use section::Section;
pub use surroundings::Surroundings;
