//! What a process leaves that was killed between its commit and its last word, and what becomes of it.

#![allow(clippy::unwrap_used)] // helpers of tests panic as tests do

use longshore_tests::Lab;
use serde_json::{Value, json};
use std::fs;

const LOAD: [&str; 3] = ["load", "in.ndjson", "--table=t"];

/// A load whose package stands where a process that was killed before it could file it leaves it. With `is_noted` it had
/// written down that the commit was done.
fn killed_behind_its_commit(is_noted: bool, keep: &str) -> (Lab, String) {
    let lab = Lab::new();
    lab.write("in.ndjson", "{\"id\":1}\n{\"id\":2}\n");
    let report = lab.load(&[&LOAD[1..], &["--keep-packages", keep]].concat());
    let id = report["load_id"].as_str().expect("a load id").to_owned();
    let pipeline = lab.data_dir().join("pipelines/longshore");
    let package = pipeline.join("packages").join(&id);
    fs::rename(pipeline.join("loaded").join(&id), &package).unwrap();
    if !is_noted {
        let path = package.join("progress.json");
        let mut progress: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        progress["destinations"][0]["committed"] = json!(false);
        fs::write(path, progress.to_string()).unwrap();
    }
    (lab, id)
}

fn remove_database(lab: &Lab) {
    fs::remove_file(lab.database()).unwrap();
}

#[test]
fn who_gives_a_package_up_hears_where_it_is_loaded_all_the_same() {
    let (lab, id) = killed_behind_its_commit(false, "1");
    let output = lab.run(&["pipeline", "longshore", "drop-package"]);
    assert_eq!(output.stdout, format!("dropped package {id}; its records were loaded\n"), "{output:#?}");
    let (lab, id) = killed_behind_its_commit(false, "1");
    fs::write(lab.database(), "no database any more, and longer than any header").unwrap();
    let output = lab.run(&["pipeline", "longshore", "drop-package", "--json"]);
    let dropped = output.json();
    assert_eq!((&dropped["dropped"], &dropped["loaded_at"]), (&json!(id), &json!([])), "{output:#?}");
    assert_eq!(dropped["perhaps_loaded_at"].as_array().map(Vec::len), Some(1), "{output:#?}");
}

#[test]
fn rows_that_are_gone_since_then_are_loaded_again() {
    let (lab, id) = killed_behind_its_commit(true, "1");
    remove_database(&lab);
    let output = lab.run(&LOAD);
    assert_eq!(output.status, Some(0), "{output:#?}");
    assert!(output.stdout.contains(&format!("load {id}")) && output.stdout.contains("is loaded again"), "{output:#?}");
    assert_eq!(lab.rows("SELECT count(*), count(DISTINCT _load_id) FROM t"), [[json!(2), json!(1)]]);
    assert_eq!(lab.packages(), Vec::<String>::new());
}

#[test]
fn a_command_is_run_anew_when_its_load_and_the_package_are_gone() {
    let (lab, id) = killed_behind_its_commit(true, "0");
    remove_database(&lab);
    let output = lab.run(&LOAD);
    assert_eq!(output.status, Some(0), "{output:#?}");
    assert!(output.stdout.contains(&format!("load {id}")) && output.stdout.contains("not kept"), "{output:#?}");
    assert_eq!(lab.rows("SELECT count(*), count(DISTINCT _load_id) FROM t"), [[json!(2), json!(1)]]);
    assert!(lab.rows("SELECT load_id FROM _loads").iter().all(|row| row[0] != json!(id)));
}

#[test]
fn rows_that_are_there_are_not_loaded_twice() {
    for (is_noted, keep) in [(true, "0"), (true, "1"), (false, "1")] {
        let (lab, _) = killed_behind_its_commit(is_noted, keep);
        let output = lab.run(&LOAD);
        assert_eq!(output.status, Some(0), "{output:#?}");
        assert_eq!(lab.count("t"), 2, "{output:#?}");
        assert_eq!(lab.packages(), Vec::<String>::new());
    }
}

#[test]
fn a_load_that_another_command_completed_is_not_loaded_again() {
    for is_noted in [true, false] {
        let (lab, id) = killed_behind_its_commit(is_noted, "1");
        lab.write("other.ndjson", "{\"id\":3}\n");
        let other = lab.load(&["other.ndjson", "--table=t"]);
        assert!(other["notes"].to_string().contains(&format!("completed load {id}")), "{other}");
        assert_eq!(lab.load(&["other.ndjson", "--table=t"])["outcome"], "loaded");
        let output = lab.run(&LOAD);
        assert!(output.stdout.contains("another command completed its load meanwhile"), "{output:#?}");
        assert_eq!((output.status, lab.count("t")), (Some(0), 4));
        // Once told, it is a new load.
        assert_eq!(lab.load(&LOAD[1..])["outcome"], "loaded");
        assert_eq!(lab.count("t"), 6);
    }
}

#[test]
fn a_load_that_another_command_completed_is_loaded_again_where_it_is_gone() {
    let (lab, _) = killed_behind_its_commit(true, "1");
    lab.write("other.ndjson", "{\"id\":3}\n");
    lab.load(&["other.ndjson", "--table=t"]);
    remove_database(&lab);
    assert_eq!(lab.load(&LOAD[1..])["outcome"], "loaded");
    assert_eq!(lab.count("t"), 2);
}
