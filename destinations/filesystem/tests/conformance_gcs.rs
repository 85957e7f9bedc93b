//! A bucket passes the conformance suite.

mod common;

use common::buckets::{Buckets, Shared};
use std::sync::Arc;

fn main() -> std::process::ExitCode {
    longshore_testkit::conformance::main(Arc::new(Shared(Arc::new(Buckets::gcs()))))
}
