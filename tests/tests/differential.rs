//! The same inputs loaded by dlt and by us, compared table by table: see `tests/differential`.

use longshore_tests::{binary, python};
use std::path::Path;
use std::process::Command;

const LEAST_INPUTS: usize = 60;

#[test]
fn dlt_and_longshore_load_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("differential");
    let mut command = Command::new(python());
    command.arg(folder.join("run.py")).arg("--longshore").arg(binary());
    // dlt's side depends on the inputs alone: a folder given here is made once and used again.
    if let Some(expected) = std::env::var_os("LONGSHORE_DLT_EXPECTED") {
        command.arg("--expected").arg(expected);
    }
    let output = command.output().expect("LONGSHORE_PYTHON can be started: run the tests with scripts/test");
    let (said, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let passed = said.lines().filter(|line| line.starts_with("ok ")).count();
    let failed: Vec<&str> = said.lines().filter(|line| !line.starts_with("ok ")).collect();
    assert!(output.status.success(), "{passed} inputs are the same, but:\n{}\n{complaints}", failed.join("\n"));
    assert!(
        passed >= LEAST_INPUTS,
        "only {passed} inputs were compared, {LEAST_INPUTS} are expected at least\n{said}\n{complaints}"
    );
}
