//! The example runs and prints what its README shows.
#![allow(clippy::unwrap_used)]

use std::process::Command;

#[test]
fn prints_the_tables() {
    let output = Command::new(env!("CARGO_BIN_EXE_example-embed")).output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{err}");
    assert!(out.contains("orders__lines: 3 rows"), "{out}");
    let readme = include_str!("../README.md");
    assert!(readme.contains(&out), "the README shows something else than:\n{out}");
}
