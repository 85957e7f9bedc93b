//! A folder with files of that form passes the conformance suite.

mod common;

fn main() -> std::process::ExitCode {
    longshore_testkit::conformance::main(std::sync::Arc::new(common::Folders("?format=csv&compression=gzip")))
}
