//! Files, patterns, directories and stdin as an ordered stream of blocks of whole JSON records.
//!
//! ```no_run
//! use longshore_source_files::{BlockReader, Input, Layout, Options};
//!
//! # fn main() -> longshore_source_files::Result<()> {
//! let inputs = Input::resolve(&["data/".to_owned(), "-".to_owned()])?;
//! let mut reader = BlockReader::new(inputs, Options::default());
//! let pool = reader.pool();
//! while let Some(block) = reader.next_block()? {
//!     match &block.layout {
//!         Layout::Sequence => { /* walk the values of block.bytes */ }
//!         Layout::Records(ranges) => { /* parse block.bytes[range] for each */ }
//!     }
//!     pool.recycle(block.bytes);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What is a record
//!
//! The top level of an input is any number of JSON values with any white space, or none,
//! between them. Each is a record, but an array stands for its elements. With a
//! [`Select`] path the records are the values that it selects in each top-level value; of
//! values inside one another only the outermost. A byte order mark is skipped. gzip and zstd
//! are told by the first bytes, whatever the name.
//!
//! # What is checked
//!
//! Only what is needed to find the records: the brackets, commas, colons and names on the way
//! to them. Everything inside records is the parser's to check, and what a path passes over is
//! not checked at all.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod cutter;
pub mod declared;
mod error;
mod gzip;
mod hint;
mod input;
mod json_source;
mod pool;
mod progress;
mod reader;
mod select;
mod sequence;
mod skim;
mod source;
mod split;
mod value;
mod walk;

pub use error::{Error, Result};
pub use input::{Input, Origin};
pub use json_source::{JsonSource, to_error};
pub use pool::Pool;
pub use progress::{Progress, Stats};
pub use reader::{Block, BlockReader, Layout, Options};
pub use select::Select;
pub use split::split_all;
