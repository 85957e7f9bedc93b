//! Folders as destinations: what stands in the way of one is named, and none is made by mistake.
#![cfg(unix)]
#![allow(clippy::unwrap_used)] // helpers of tests panic as tests do

use longshore_tests::{Lab, Output, without_rights};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

fn load_to(lab: &Lab, destination: &str) -> Output {
    lab.write("in.ndjson", "{\"id\":1}\n{\"id\":2}\n");
    lab.run(&["load", "in.ndjson", "--table", "t", "--destination", destination])
}

#[test]
fn a_link_that_leads_nowhere_is_no_other_run() {
    let lab = Lab::new();
    symlink("not/there", lab.path("link")).unwrap();
    let output = load_to(&lab, "./link");
    assert_ne!(output.status, Some(0), "{output:#?}");
    assert!(output.stderr.contains("a link leads nowhere"), "{output:#?}");
    assert!(!output.stderr.contains("another run"), "{output:#?}");
}

#[test]
fn a_mistyped_setting_makes_no_folder() {
    let lab = Lab::new();
    let output = load_to(&lab, "./lake?fromat=csv&key=hush");
    assert_ne!(output.status, Some(0), "{output:#?}");
    assert!(output.stderr.contains("did you mean 'format'?") && !output.stderr.contains("hush"), "{output:#?}");
    let made = fs::read_dir(lab.path(".")).unwrap().map(|e| e.unwrap().file_name());
    assert!(made.into_iter().all(|name| !name.to_string_lossy().starts_with("lake")));
}

#[test]
fn files_that_may_not_be_read_are_said_to_be_that() {
    let lab = Lab::new();
    assert_eq!(load_to(&lab, "./lake").status, Some(0));
    let table = lab.path("lake/longshore_dataset/t");
    let allow = |mode| fs::set_permissions(&table, fs::Permissions::from_mode(mode)).unwrap();
    allow(0o000);
    let query = ["query", "SELECT count(*) FROM t", "--destination", "./lake"];
    let output = Output::of(lab.command_through(without_rights(), &query));
    allow(0o755);
    assert_ne!(output.status, Some(0), "{output:#?}");
    assert!(output.stderr.contains("permission to read"), "{output:#?}");
}
