//! Where commands look for what was loaded when nobody names the place: the project, the last load, the default.

use longshore_tests::{Lab, Output};
use serde_json::json;

const PROJECT: &str = r#"
[pipeline]
name = "proj1"
dataset = "ds1"
destination = DESTINATION

[sources.orders]
type = "files"
files = "in.ndjson"
"#;

/// A folder with a project that loads to those places.
fn lab(destinations: &str) -> Lab {
    let lab = Lab::new();
    lab.write("longshore.toml", PROJECT.replace("DESTINATION", destinations));
    lab.write("in.ndjson", "{\"id\":1}\n{\"id\":2}\n");
    lab
}

fn run_in(lab: &Lab, data_dir: &str, args: &[&str]) -> Output {
    let mut command = lab.command(args);
    command.env_remove("LONGSHORE_DESTINATION").env("HOME", lab.path("home")).env_remove("XDG_CONFIG_HOME");
    command.env("LONGSHORE_DATA_DIR", lab.path(data_dir));
    Output::of(command)
}

fn ok_in(lab: &Lab, data_dir: &str, args: &[&str]) -> Output {
    let output = run_in(lab, data_dir, args);
    assert_eq!(output.status, Some(0), "{args:?}: {output:#?}");
    output
}

fn ok(lab: &Lab, args: &[&str]) -> Output {
    ok_in(lab, "data", args)
}

const COUNT: &str = "SELECT count(*) AS n FROM orders";

#[test]
fn the_projects_place_is_where_its_pipeline_is_looked_for() {
    let lab = lab("\"duckdb:store.duckdb\"");
    ok(&lab, &["run"]);
    // On another machine, too: it is the project that says so, not the working folder.
    for data_dir in ["data", "bare"] {
        for named in [&[][..], &["--pipeline", "proj1"]] {
            let query = ok_in(&lab, data_dir, &[&["query", COUNT, "--format", "json"], named].concat());
            assert_eq!(query.stdout.trim(), r#"{"n":2}"#);
            assert!(query.stderr.starts_with("note: dataset ds1 at duckdb:///"), "{query:#?}");
            assert!(query.stderr.contains("store.duckdb, as ") && query.stderr.contains("longshore.toml says"));
            let tables = ok_in(&lab, data_dir, &[&["tables", "--json"], named].concat()).json();
            assert_eq!(tables["dataset"], "ds1");
        }
    }
    // What is said goes first, each by itself.
    let query = run_in(&lab, "data", &["query", COUNT, "--dataset", "other"]);
    assert!(query.status == Some(1) && query.stderr.contains("other"), "{query:#?}");
    let query = run_in(&lab, "data", &["query", COUNT, "--destination", "duckdb:none.duckdb"]);
    assert!(query.stderr.contains("none.duckdb") && !query.stderr.contains("note:"), "{query:#?}");
}

#[test]
fn sync_and_drop_on_a_bare_machine_go_by_the_project() {
    let lab = lab("\"./lake\"");
    ok(&lab, &["run"]);
    // An old file of the default's name is not taken for the pipeline's.
    lab.write("old.ndjson", "{\"id\":9}\n");
    ok_in(&lab, "old", &["load", "old.ndjson", "--pipeline", "proj1"]);
    assert!(lab.path("proj1.duckdb").exists());
    let synced = ok_in(&lab, "bare", &["pipeline", "proj1", "sync", "--json"]).json();
    assert!(synced["from"].as_str().is_some_and(|url| url.ends_with("/lake")), "{synced}");
    assert_eq!(synced["dataset"], "ds1");
    ok_in(&lab, "barer", &["clean"]);
    ok_in(&lab, "barer", &["pipeline", "proj1", "drop", "orders", "--yes"]);
    let nothing = run_in(&lab, "barer", &["query", COUNT]);
    assert_eq!(nothing.status, Some(1), "{nothing:#?}");
}

#[test]
fn another_pipelines_place_is_that_of_its_last_load() {
    let lab = lab("\"duckdb:store.duckdb\"");
    ok(
        &lab,
        &[
            "load",
            "in.ndjson",
            "--table",
            "orders",
            "--pipeline",
            "other",
            "--destination",
            "duckdb:elsewhere.duckdb",
            "--dataset",
            "raw",
        ],
    );
    let query = ok(&lab, &["query", COUNT, "--pipeline", "other", "--format", "json"]);
    assert_eq!(query.stdout.trim(), r#"{"n":2}"#);
    assert!(query.stderr.contains("elsewhere.duckdb, where pipeline other last loaded to"), "{query:#?}");
    // Where one expects it, nothing is said.
    ok(&lab, &["load", "in.ndjson", "--table", "orders", "--pipeline", "usual"]);
    assert_eq!(ok(&lab, &["query", COUNT, "--pipeline", "usual"]).stderr, "");
    // Where none is named and the default one never loaded, it is the one that loaded last, and that is said.
    let (empty, bare) = (lab.path("empty"), lab.path("data"));
    std::fs::create_dir(&empty).expect("a folder can be made");
    let in_empty = |args: &[&str]| {
        let mut command = lab.command(args);
        command.current_dir(&empty).env_remove("LONGSHORE_DESTINATION").env("LONGSHORE_DATA_DIR", &bare);
        Output::of(command)
    };
    let query = in_empty(&["query", "SELECT count(*) AS n FROM orders", "--format", "json"]);
    assert_eq!(query.stdout.trim(), r#"{"n":2}"#, "{query:#?}");
    assert!(query.stderr.contains("usual.duckdb, where pipeline usual last loaded to"), "{query:#?}");
    let tables = in_empty(&["tables", "--dataset", "raw", "--json"]);
    assert!(tables.stderr.contains("where pipeline other last loaded to"), "{tables:#?}");
    let unknown = in_empty(&["tables", "--dataset", "nowhere"]);
    assert_eq!(unknown.status, Some(1), "{unknown:#?}");
    // Nothing known: the default, and that is said.
    let sync = ok_in(&lab, "bare", &["pipeline", "usual", "sync"]);
    assert!(sync.stderr.contains("usual.duckdb, the default of pipeline usual"), "{sync:#?}");
    let sync = ok(&lab, &["pipeline", "unknown", "sync"]);
    let said = "unknown.duckdb has nothing of pipeline unknown: a run that loads there begins from scratch";
    assert!(sync.stdout.contains(said) && sync.stdout.contains("--destination"), "{sync:#?}");
}

#[test]
fn of_several_destinations_the_first_is_queried_and_all_are_synced() {
    let lab = lab("[\"duckdb:one.duckdb\", \"./lake\"]");
    ok(&lab, &["run"]);
    for command in [&["query", COUNT][..], &["tables"]] {
        let output = ok(&lab, command);
        assert!(output.stderr.contains("one.duckdb") && output.stderr.contains("the first of 2"), "{output:#?}");
    }
    let synced = ok_in(&lab, "bare", &["pipeline", "proj1", "sync", "--json"]).json();
    assert_eq!(synced["asked"].as_array().map(Vec::len), Some(2), "{synced}");
    assert_eq!(synced["tables"], json!(1));
    // Of several, those are cleaned that need it.
    let cleaned = ok(&lab, &["clean", "--json"]).json();
    assert!(cleaned["destination"].as_str().is_some_and(|d| d.contains("lake")), "{cleaned}");
}
