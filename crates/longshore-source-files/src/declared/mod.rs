//! Files as a declared source: `type = "files"` in `longshore.toml`.
//!
//! * `config`: the keys, checked; `hints`: how rows are written and what their fields are;
//! * `find`: the files that names and patterns stand for, here or (`remote`) in object stores and behind HTTP;
//! * `source`: the files read one after the other, and which of them were read before; `ahead`: small ones fetched before their turn;
//! * `columns`: Parquet and Arrow; `csv`: CSV as records; `metadata`: the file's name in each record;
//! * `unnested`: columns that are to be unnested and stand nowhere.

mod ahead;
mod columns;
mod config;
mod csv;
mod find;
mod hints;
mod metadata;
mod remote;
mod schema;
mod source;
mod unnested;

pub use config::{FilesConfig, Format, Problem, Resource};
pub(crate) use remote::as_path;
pub use remote::is_remote;
pub use schema::json_schema;
pub use source::{FilesSource, is_json};
