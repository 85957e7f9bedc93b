//! One load to many destinations: side by side, one failing, caught up, replayed.

use longshore_tests::{Lab, Output, nested_records, rows};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Three databases of one lab, as `--destination` arguments.
fn three(lab: &Lab) -> [String; 3] {
    ["a", "b", "c"].map(|name| format!("duckdb://{}", lab.path(&format!("{name}.duckdb")).display()))
}

fn load_into<'a>(input: &'a str, urls: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["load", input, "--table", "t", "--json"];
    for url in urls {
        args.extend(["--destination", url]);
    }
    args
}

fn run(lab: &Lab, args: &[&str]) -> (Output, Value) {
    let output = lab.run(args);
    let report = output.json();
    (output, report)
}

/// Ids of the records in a database, sorted, and the number of its loads.
fn content(lab: &Lab, name: &str) -> (Vec<Vec<Value>>, Value) {
    let file = lab.path(&format!("{name}.duckdb"));
    (
        rows(&file, "SELECT id, (SELECT count(*) FROM t__lines l WHERE l._parent_id = t._row_id) FROM t ORDER BY ALL"),
        rows(&file, "SELECT count(*) FROM _loads")[0][0].clone(),
    )
}

/// Makes a database one that cannot be opened, until it is removed.
fn damage(lab: &Lab, name: &str) {
    fs::write(lab.path(&format!("{name}.duckdb")), "this is no database").expect("a file can be written");
}

fn repair(lab: &Lab, name: &str) {
    fs::remove_file(lab.path(&format!("{name}.duckdb"))).expect("the file is there");
}

fn committed(report: &Value) -> Vec<bool> {
    let all = report["destinations"].as_array().expect("a list of destinations");
    all.iter().map(|d| d["committed"].as_bool().expect("true or false")).collect()
}

fn inputs(lab: &Lab) {
    lab.write(
        "one.ndjson",
        r#"{"id":1,"lines":[{"n":1},{"n":2}]}
{"id":2,"lines":[]}
"#,
    );
    lab.write(
        "two.ndjson",
        r#"{"id":3,"lines":[{"n":3}],"new":true}
"#,
    );
}

#[test]
fn one_extract_goes_to_all() {
    let lab = Lab::new();
    lab.write("in.ndjson", nested_records(20_000));
    let [a, b, c] = three(&lab);
    let (output, report) = run(&lab, &load_into("in.ndjson", &[&a, &b, &c]));
    assert_eq!(output.status, Some(0), "{output:#?}");
    assert_eq!(committed(&report), [true, true, true]);
    assert_eq!(report["counts"]["read"], json!(20_000));
    let counts = |name: &str| {
        rows(&lab.path(&format!("{name}.duckdb")), "SELECT count(*), count(DISTINCT _row_id), min(_load_id) FROM t")
    };
    assert_eq!(counts("a")[0][..2], [json!(20_000), json!(20_000)]);
    assert_eq!(counts("a"), counts("b"));
    assert_eq!(counts("a"), counts("c"));
    assert_eq!(lab.packages(), Vec::<String>::new());
}

#[test]
fn one_that_fails_stops_no_other_and_is_caught_up_in_order() {
    let lab = Lab::new();
    inputs(&lab);
    let [a, b, c] = three(&lab);
    damage(&lab, "b");
    let (output, report) = run(&lab, &load_into("one.ndjson", &[&a, &b, &c]));
    assert_eq!(output.status, Some(1), "{output:#?}");
    assert_eq!(committed(&report), [true, false, true]);
    assert!(output.stderr.contains("b.duckdb") && !output.stderr.contains("a.duckdb"), "{}", output.stderr);
    assert_eq!(content(&lab, "a").0, [[json!(1), json!(2)], [json!(2), json!(0)]]);
    assert_eq!(content(&lab, "c"), content(&lab, "a"));

    // Another input, while it still fails: the others take it, both packages wait for this one.
    let (output, report) = run(&lab, &load_into("two.ndjson", &[&a, &b, &c]));
    assert_eq!((output.status, committed(&report)), (Some(1), vec![true, false, true]), "{output:#?}");
    assert!(report["destinations"][1]["error"].as_str().is_some_and(|e| e.contains("goes first")), "{report}");
    assert_eq!(lab.packages().len(), 2);

    repair(&lab, "b");
    lab.write("three.ndjson", "{\"id\":4,\"lines\":[]}\n");
    let (output, report) = run(&lab, &load_into("three.ndjson", &[&a, &b, &c]));
    assert_eq!((output.status, committed(&report)), (Some(0), vec![true; 3]), "{output:#?}");
    let ids: Vec<Value> = content(&lab, "b").0.into_iter().map(|r| r[0].clone()).collect();
    assert_eq!(ids, [1, 2, 3, 4].map(Value::from));
    assert_eq!(content(&lab, "b"), content(&lab, "a"));
    assert_eq!(content(&lab, "b"), content(&lab, "c"));
    assert_eq!(lab.packages(), Vec::<String>::new());
    let order =
        rows(&lab.path("b.duckdb"), "SELECT list(load_id ORDER BY rowid) = list(load_id ORDER BY load_id) FROM _loads");
    assert_eq!(order[0][0], json!(true));
}

#[test]
fn the_same_command_again_completes_the_one_that_failed_and_doubles_nothing() {
    let lab = Lab::new();
    inputs(&lab);
    let [a, b, _] = three(&lab);
    damage(&lab, "b");
    let args = load_into("one.ndjson", &[&a, &b]);
    assert_eq!(run(&lab, &args).0.status, Some(1));
    let (output, report) = run(&lab, &args);
    assert_eq!((output.status, committed(&report)), (Some(1), vec![true, false]), "{output:#?}");
    repair(&lab, "b");
    let (output, report) = run(&lab, &args);
    assert_eq!((output.status, report["outcome"].as_str()), (Some(0), Some("completed")), "{output:#?}");
    assert_eq!(content(&lab, "a"), content(&lab, "b"));
    assert_eq!(content(&lab, "a").1, json!(1));
}

#[test]
fn a_corrected_address_takes_the_waiting_load_and_doubles_nothing() {
    let lab = Lab::new();
    inputs(&lab);
    let [a, b, c] = three(&lab);
    damage(&lab, "b");
    assert_eq!(run(&lab, &load_into("one.ndjson", &[&a, &b])).0.status, Some(1));
    let (output, report) = run(&lab, &load_into("one.ndjson", &[&a, &c]));
    assert_eq!((output.status, report["outcome"].as_str()), (Some(0), Some("completed")), "{output:#?}");
    assert_eq!(committed(&report), [true, true], "only what this command names: {report}");
    assert_eq!((content(&lab, "c"), content(&lab, "a").1.clone()), (content(&lab, "a"), json!(1)));
    let notes = report["notes"].to_string();
    for said in ["it goes to", "c.duckdb too", "still waits for", "b.duckdb", "drop-package", "Nothing new was read"] {
        assert!(notes.contains(said), "{said}: {notes}");
    }

    // With the destination left out that fails, as long as its load waits.
    let (output, report) = run(&lab, &load_into("one.ndjson", &[&a]));
    assert_eq!((output.status, content(&lab, "a").1.clone()), (Some(0), json!(1)), "{output:#?}");
    assert!(report["notes"].to_string().contains("had brought its load here"), "{report}");
    let [id] = lab.packages().try_into().expect("one package waits");
    assert_eq!(lab.run(&["pipeline", "longshore", "drop-package", &id]).status, Some(0));
    run(&lab, &load_into("one.ndjson", &[&a]));
    assert_eq!(content(&lab, "a").1, json!(2), "a new load");
}

#[test]
fn another_pipe_is_read_while_the_load_of_the_first_waits() {
    let lab = Lab::new();
    let [a, b, _] = three(&lab);
    damage(&lab, "b");
    let load = |records: &str, urls: &[&str]| lab.run_with(&load_into("-", urls), records.as_bytes());
    assert_eq!(load("{\"id\":1}", &[&a, &b]).status, Some(1));
    assert_eq!(load("{\"id\":1}", &[&a]).json()["outcome"], "completed");
    assert_eq!(load("{\"id\":2}", &[&a]).json()["outcome"], "loaded");
    assert_eq!(rows(&lab.path("a.duckdb"), "SELECT id FROM t ORDER BY id"), [[json!(1)], [json!(2)]]);
}

#[test]
fn all_failing_is_told_before_anything_is_read() {
    let lab = Lab::new();
    inputs(&lab);
    let [a, b, _] = three(&lab);
    damage(&lab, "a");
    damage(&lab, "b");
    let output = lab.run(&load_into("one.ndjson", &[&a, &b]));
    assert_eq!(output.status, Some(1), "{output:#?}");
    assert_eq!(lab.packages(), Vec::<String>::new());
    for named in ["none of 2 destinations can be used", "a.duckdb", "b.duckdb"] {
        assert!(output.stdout.contains(named), "{named}: {output:#?}");
    }
    damage(&lab, "a");
    let args = ["pipeline", "longshore", "sync", "--destination", &a, "--destination", &b];
    let output = lab.run(&args);
    assert!(output.stderr.contains("a.duckdb") && output.stderr.contains("b.duckdb"), "{output:#?}");
    repair(&lab, "a");
    let output = lab.run(&args);
    assert!(!output.stderr.contains("a.duckdb") && output.stderr.contains("b.duckdb"), "{output:#?}");
}

#[test]
fn the_same_place_in_other_words_is_refused() {
    let lab = Lab::new();
    inputs(&lab);
    let [a, b, _] = three(&lab);
    for again in ["duckdb:a.duckdb", "duckdb:./a.duckdb", a.as_str()] {
        let (output, error) = run(&lab, &load_into("one.ndjson", &[&a, &b, again]));
        assert_eq!(output.status, Some(2), "{output:#?}");
        assert_eq!(error["error"], "the same destination is named twice", "{again}");
    }
    assert!(!lab.path("a.duckdb").exists() && lab.packages().is_empty());
    let project = "[pipeline]\ndestination = [\"duckdb:a.duckdb\", \"duckdb:./a.duckdb\"]\n\
                   [sources.s]\ntype = \"files\"\nfiles = \"one.ndjson\"\n";
    lab.write("longshore.toml", project);
    let checked = lab.run(&["check"]);
    assert!(
        checked.status == Some(2) && checked.stderr.contains("longshore.toml:2:1: the same destination is named twice"),
        "{checked:#?}"
    );
}

/// A project that keeps state, loaded into `a` and `b`, and then once more into `a` alone.
fn with_one_behind(more: &[&str]) -> (Lab, [String; 3]) {
    let lab = Lab::new();
    inputs(&lab);
    lab.write(
        "longshore.toml",
        "[pipeline]\nname = \"shop\"\n[sources.s]\ntype = \"files\"\nfiles = \"*.ndjson\"\nonly_new = true\n",
    );
    let urls = three(&lab);
    let [a, b, _] = &urls;
    for (to, id) in [(&[a, b][..], 3), (&[a][..], 4)] {
        lab.write(&format!("{id}.ndjson"), format!("{{\"id\":{id}}}\n"));
        let to = to.iter().flat_map(|url| ["--destination", url.as_str()]);
        let args: Vec<&str> = ["run"].into_iter().chain(to).chain(more.iter().copied()).collect();
        assert_eq!(lab.run(&args).status, Some(0));
    }
    (lab, urls)
}

#[test]
fn a_destination_that_takes_no_part_is_not_said_to_be_waited_for() {
    for (more, kept) in [(&[][..], false), (&["--keep-packages", "9"][..], true)] {
        let (lab, [a, b, _]) = with_one_behind(more);
        lab.write("five.ndjson", "{\"id\":5}\n");
        let args = [&["run", "--destination", &a, "--destination", &b][..], more].concat();
        let output = lab.run(&args);
        assert_eq!(output.status, Some(1), "{output:#?}");
        assert!(output.stdout.contains("NOT LOADED at 1 of 2 destinations, and does not wait for them"), "{output:#?}");
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(
            !said.contains("drop-package") && !said.contains("NAME") && said.contains("with this destination alone")
        );
        assert_eq!(said.contains(&format!("longshore pipeline shop replay --to {b}")), kept, "{said}");
        assert_eq!(lab.run(&["pipeline", "shop", "retry"]).stdout, "no package waits\n");
    }
}

#[test]
fn the_closing_lines_name_each_destination() {
    let lab = Lab::new();
    inputs(&lab);
    let [a, b, _] = three(&lab);
    damage(&lab, "b");
    let args: Vec<&str> = load_into("one.ndjson", &[&a, &b]).into_iter().filter(|a| *a != "--json").collect();
    let output = lab.run(&args);
    let lines: Vec<&str> = output.stdout.lines().collect();
    let line = |part: &str| lines.iter().find(|l| l.contains(part)).unwrap_or_else(|| panic!("{part}: {output:#?}"));
    assert!(line("a.duckdb").starts_with("1 load package(s) were loaded to destination"), "{output:#?}");
    assert!(line("b.duckdb").starts_with("0 load package(s)") && line("b.duckdb").contains("FAILED"), "{output:#?}");
    assert!(line("NOT LOADED").contains("at 1 of 2 destinations"), "{output:#?}");
}

#[test]
fn kept_packages_are_replayed_into_a_destination_that_came_later() {
    let lab = Lab::new();
    inputs(&lab);
    let [a, b, _] = three(&lab);
    for input in ["one.ndjson", "two.ndjson"] {
        let mut args = load_into(input, &[&a]);
        args.extend(["--keep-packages", "5"]);
        assert_eq!(lab.run(&args).status, Some(0));
    }
    let replay = ["pipeline", "longshore", "replay", "--to", &b, "--json"];
    for round in 0..2 {
        let (output, reports) = run(&lab, &replay);
        assert_eq!(output.status, Some(0), "{round}: {output:#?}");
        assert_eq!(reports.as_array().map(Vec::len), Some(2));
        assert_eq!(reports[0]["outcome"], "replayed");
        assert_eq!(content(&lab, "b"), content(&lab, "a"), "{round}");
    }
    let said = lab.run(&replay[..5]).stdout;
    assert!(said.contains("replayed the package of a load: 2 records") && !said.contains("interrupted"), "{said}");
    // A dataset that is gone is filled again: what the working folder remembers is not believed.
    repair(&lab, "b");
    assert_eq!(lab.run(&replay).status, Some(0));
    assert_eq!(content(&lab, "b"), content(&lab, "a"));
}

#[test]
fn only_as_many_packages_are_kept_as_asked_for() {
    let lab = Lab::new();
    inputs(&lab);
    let [a, b, _] = three(&lab);
    for input in ["one.ndjson", "two.ndjson", "one.ndjson"] {
        let mut args = load_into(input, &[&a]);
        args.extend(["--keep-packages", "1"]);
        assert_eq!(lab.run(&args).status, Some(0));
    }
    let kept = |lab: &Lab| arrow_files(&lab.data_dir());
    assert!(kept(&lab) <= 4, "two packages of two tables at most: the newest kept one, and the one just made");
    let (output, reports) = run(&lab, &["pipeline", "longshore", "replay", "--to", &b, "--json"]);
    assert_eq!(output.status, Some(0), "{output:#?}");
    let replayed = reports.as_array().map_or(0, Vec::len);
    assert!((1..=2).contains(&replayed), "{reports}");
    assert!(reports[0]["notes"][0].as_str().is_some_and(|n| n.contains("have no rows any more")), "{reports}");

    assert_eq!(lab.run(&load_into("one.ndjson", &[&a])).status, Some(0));
    assert_eq!(kept(&lab), 0, "a load that keeps none drops those of earlier ones");
    let output = lab.run(&["pipeline", "longshore", "replay", "--to", &b]);
    assert_eq!(output.status, Some(2), "{output:#?}");
    assert!(output.stderr.contains("--keep-packages"), "{output:#?}");
}

fn arrow_files(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let count = |path: &Path| {
        if path.is_dir() { arrow_files(path) } else { usize::from(path.extension().is_some_and(|e| e == "arrow")) }
    };
    entries.filter_map(Result::ok).map(|e| count(&e.path())).sum()
}
