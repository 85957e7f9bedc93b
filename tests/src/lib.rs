//! What the end-to-end tests share: the binary in a folder of its own, and another client to read
//! the results back.
//!
//! | environment | means | otherwise |
//! |---|---|---|
//! | `LONGSHORE_BIN` | the binary under test | `longshore` beside the test executable's folder |
//! | `LONGSHORE_PYTHON` | a Python with `tests/differential/requirements.txt` | the tests fail |
//!
//! `scripts/test` sets both. A tool that is missing is a failure, never a skip.

mod client;
mod input;
mod lab;
mod privilege;
mod shared;

pub use client::{Held, execute, hold, python, rows, rows_in, try_rows};
pub use input::{nested_records, write_nested};
pub use lab::{Lab, Output, binary, documents};
pub use privilege::{SmallDisk, file_size_limit, without_rights};
pub use shared::{DATASET, PIPELINE, Shared};
