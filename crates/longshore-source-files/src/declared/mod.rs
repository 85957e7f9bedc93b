//! Files as a declared source: `type = "files"` in `longshore.toml`.
//!
//! * `config`: the keys, checked; `hints`: how rows are written and what their fields are;
//! * `source`: the files read one after the other, and which of them were read before;
//! * `metadata`: the file's name in each record; `csv`: CSV as records.

mod config;
mod csv;
mod hints;
mod metadata;
mod schema;
mod source;

pub use config::{FilesConfig, Format, Problem, Resource};
pub use schema::json_schema;
pub use source::FilesSource;
