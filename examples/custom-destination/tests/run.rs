//! The example runs and leaves the files its README shows.
#![allow(clippy::unwrap_used)]

use std::process::Command;

#[test]
fn loads_into_a_folder() {
    let output = Command::new(env!("CARGO_BIN_EXE_example-custom-destination")).output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{err}");
    for line in ["2 records loaded", "manifest.json: ", "orders.00000.jsonl: ", "table orders__lines: 3 rows"] {
        assert!(out.contains(line), "no '{line}' in:\n{out}");
    }
}
