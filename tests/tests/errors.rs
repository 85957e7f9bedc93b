//! What the user sees when something is wrong, and that nothing of such a load stays.

use longshore_tests::{
    Lab, Output, SmallDisk, file_size_limit, hold, nested_records, try_rows, without_rights, write_nested,
};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const FAILED: Option<i32> = Some(1);
const USAGE: Option<i32> = Some(2);

fn assert_error(output: &Output, status: Option<i32>, stderr: &str) {
    assert_eq!((output.status, output.stdout.as_str()), (status, ""), "{output:#?}");
    assert_eq!(output.stderr, stderr);
}

/// A file with a bad third line.
fn lab_with_bad_record() -> Lab {
    let lab = Lab::new();
    lab.write("bad.ndjson", "{\"a\":1}\n{\"a\":2}\n{\"a\":3,\"b\":[1,2}\n{\"a\":4}\n");
    lab
}

#[test]
fn malformed_json_is_shown_with_its_place_and_nothing_is_loaded() {
    let lab = lab_with_bad_record();
    let output = lab.run(&["load", "bad.ndjson", "--table", "t"]);
    assert_error(
        &output,
        FAILED,
        "error: malformed JSON: expected ',' or ']' after a value in an array (file bad.ndjson, line 3, column 16, byte 31)\n  \
         hint: nothing was loaded; repair the record, or keep bad records aside with --on-error reject\n",
    );
    lab.assert_nothing_loaded();
    assert!(!lab.database().exists(), "a file that the load made goes with it");
}

#[test]
fn malformed_json_far_into_a_large_load_leaves_nothing() {
    let lab = Lab::new();
    lab.write("first.ndjson", nested_records(10));
    lab.load(&["first.ndjson", "--table", "t"]);
    // Megabytes are staged before the bad record is met.
    lab.write("large.ndjson", nested_records(60_000) + "{\"id\":tru}\n" + &nested_records(10));
    let output = lab.run(&["load", "large.ndjson", "--table", "t", "--memory", "32M"]);
    assert_eq!(output.status, FAILED);
    assert!(output.stderr.contains("(file large.ndjson, line 60001, column "), "{output:#?}");
    assert_eq!((lab.count("t"), lab.count("_loads")), (10, 1));
    assert_eq!(lab.packages(), Vec::<String>::new());
    assert!(!lab.path("load.duckdb.wal").exists());
    // Repaired, it loads.
    lab.write("large.ndjson", nested_records(60_000));
    lab.load(&["large.ndjson", "--table", "t"]);
    assert_eq!((lab.count("t"), lab.count("_loads")), (60_010, 2));
}

#[test]
fn other_damage_is_named_too() {
    let cases = [
        ("{\"a\":1}\n{\"a\":\"x\n", "line 2"),
        ("{\"a\":1}\n{\"a\":nul}\n", "line 2"),
        ("[{\"a\":1},\n{\"a\":01}]", "line 2"),
        ("{\"a\":1}\n{\"a\":\"\\x\"}\n", "line 2"),
        ("{\"a\":1}\n{\"a\" 1}\n", "line 2"),
        ("{\"a\":1}\n}\n", "line 2"),
        ("{\"a\":1}\n[1,2", "line 2"),
        ("not JSON at all", "line 1"),
    ];
    for (content, place) in cases {
        let lab = Lab::new();
        lab.write("in.json", content);
        let output = lab.run(&["load", "in.json", "--table", "t"]);
        assert_eq!(output.status, FAILED, "{content:?}: {output:#?}");
        assert!(
            output.stderr.starts_with("error: ") && output.stderr.contains(place),
            "{content:?}: {}",
            output.stderr
        );
        assert!(
            output.stderr.contains("in.json") && output.stderr.contains("\n  hint: "),
            "{content:?}: {}",
            output.stderr
        );
        lab.assert_nothing_loaded();
    }
}

#[test]
fn utf16_is_told_from_utf8() {
    let lab = Lab::new();
    let text: Vec<u8> = "\u{feff}{\"a\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    lab.write("in.json", text);
    let output = lab.run(&["load", "in.json"]);
    assert_error(
        &output,
        FAILED,
        "error: in.json is UTF-16 text, and only UTF-8 is read\n  hint: convert it with: iconv -f UTF-16 -t UTF-8\n",
    );
    lab.assert_nothing_loaded();
}

#[test]
fn rejected_records_are_kept_whole() {
    let lab = Lab::new();
    let bad = ["{\"a\":3,\"b\":[1,2}", "{\"a\":nul,\"é\":\"\u{1f600}\"}", "nonsense"];
    lab.write("in.ndjson", format!("{{\"a\":1}}\n{}\n{{\"a\":2}}\n{}\n\n{{\"a\":4}}\n{}\n", bad[0], bad[1], bad[2]));
    let output = lab.run(&["load", "in.ndjson", "--table", "t", "--on-error", "reject"]);
    assert_eq!(output.status, Some(0), "{output:#?}");
    assert!(output.stdout.contains("\n3 of 6 records were rejected: see the rejects table\n"), "{output:#?}");
    assert_eq!(lab.rows("SELECT a FROM t ORDER BY _row_id"), [1, 2, 4].map(|a| [json!(a)]));
    let rows = lab.rows("SELECT table_name, source, line, record, length(reason) > 10, _load_id = (SELECT load_id FROM _loads) FROM _rejects ORDER BY line");
    let row = |line: u64, record: &str| {
        ["t".into(), "in.ndjson".into(), line.into(), record.into(), true.into(), true.into()].to_vec() as Vec<Value>
    };
    assert_eq!(rows, [row(2, bad[0]), row(4, bad[1]), row(7, bad[2])]);
    assert_eq!(lab.rows("SELECT records, rejected FROM _loads"), [[json!(6), json!(3)]]);

    let report = lab.load(&["in.ndjson", "--table", "t", "--on-error", "reject"]);
    let counts = &report["counts"];
    assert_eq!((&counts["read"], &counts["normalised"], &counts["rejected"]), (&json!(6), &json!(3), &json!(3)));
    assert_eq!(lab.count("_rejects"), 6);
}

#[test]
fn bytes_that_are_no_utf_8_are_kept_too() {
    let lab = Lab::new();
    lab.write("in.ndjson", b"{\"id\":1}\n{\"id\":\"\xff\xfe\xc3\xa9\"}\n");
    lab.load(&["in.ndjson", "--table", "t", "--on-error", "reject"]);
    assert_eq!(lab.rows("SELECT record FROM _rejects"), [[json!("{\"id\":\"\\xff\\xfe\u{e9}\"}")]]);
}

#[test]
fn tables_of_the_loader_are_not_the_users() {
    let lab = Lab::new();
    lab.write("in.ndjson", "{\"id\":1}\n");
    for (table, mode) in [
        ("_loads", "native"),
        ("_State", "native"),
        ("_rejects", "native"),
        ("_dlt_loads", "native"),
        ("_loads", "dlt"),
        ("_dlt_version", "dlt"),
        ("_dlt_pipeline_state", "dlt"),
    ] {
        for command in ["load", "plan"] {
            let output = lab.run(&[command, "in.ndjson", "--table", table, "--system-columns", mode]);
            assert_ne!(output.status, Some(0), "{output:#?}");
            let said = format!("{}{}", output.stdout, output.stderr);
            assert!(said.contains("table of the loader's own"), "{output:#?}");
        }
    }
    lab.assert_nothing_loaded();
    lab.load(&["in.ndjson", "--table", "_dlt_version"]);
}

#[test]
fn bad_lines_in_a_row_are_rejected_one_by_one() {
    let lab = Lab::new();
    lab.write("in.ndjson", "{\"a\":1}\n{\"a\":nul}\nnonsense\n\n{\"a\":[1,2\n{\"a\":4}\n");
    let report = lab.load(&["in.ndjson", "--table", "t", "--on-error", "reject"]);
    assert_eq!(
        lab.rows("SELECT line, record FROM _rejects ORDER BY line"),
        [(2, "{\"a\":nul}"), (3, "nonsense"), (5, "{\"a\":[1,2")].map(|(line, record)| [json!(line), json!(record)])
    );
    assert_eq!((&report["counts"]["read"], &report["counts"]["rejected"]), (&json!(5), &json!(3)));
}

#[test]
fn a_file_of_nothing_but_bad_records_can_be_rejected() {
    let lab = Lab::new();
    lab.write("in.ndjson", "{\"a\":}\n{\"b\"}\n");
    let report = lab.load(&["in.ndjson", "--table", "t", "--on-error", "reject"]);
    assert_eq!((&report["counts"]["read"], &report["counts"]["rejected"]), (&json!(2), &json!(2)));
    assert_eq!(lab.count("_rejects"), 2);
}

#[test]
fn inputs_that_are_not_there() {
    let lab = Lab::new();
    lab.write("folder/readme.txt", "nothing to load");
    let load = |input: &str| lab.run(&["load", input, "--table", "t"]);
    assert_error(
        &load("nope.json"),
        FAILED,
        "error: no such file or directory: nope.json\n  hint: check the path or quote a pattern\n",
    );
    assert_error(
        &load("nope*.json"),
        FAILED,
        "error: pattern 'nope*.json' matches no file\n  hint: check it with ls, or quote it so that the shell leaves it alone\n",
    );
    assert_error(
        &load("folder"),
        FAILED,
        "error: directory folder holds no file that ends in .json, .jsonl, .ndjson, .csv, .parquet or .arrow (texts also with .gz or .zst)\n  \
         hint: name files of other endings with a pattern such as 'folder/*'\n",
    );
    lab.assert_nothing_loaded();
}

#[test]
fn wrong_arguments_are_told_before_anything_is_touched() {
    let lab = lab_with_bad_record();
    let with = |args: &[&str]| lab.run(&[&["load", "bad.ndjson", "--table", "t"], args].concat());
    let types = "types are: text, bigint, double, bool, timestamp, json, decimal, binary, date, time";
    let cases: &[(&[&str], String)] = &[
        (&["-d", "oracle://x"], "error: there is no destination 'oracle'\n  hint: this build has: bigquery://project/location, duckdb:///path/to/file.duckdb, file:///folder, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix, postgres://user@host/database\n".into()),
        (&["-d", "duckdb:///"], "error: the destination 'duckdb:///' names no file\n  hint: write duckdb:///path/to/file.duckdb\n".into()),
        (&["-d", "duckdb:///:memory:"], "error: a database in memory is gone when the load is over\n  hint: write duckdb:///path/to/file.duckdb\n".into()),
        (&["-d", "./shop.duckdb"], "error: --destination: './shop.duckdb' is neither a URL nor a destination of [destinations]\n  hint: a file is named by duckdb://./shop.duckdb\n".into()),
        (&["-d", "duckdb://~/shop.duckdb"], "error: the '~' of '~/shop.duckdb' does not stand for the home folder\n  hint: write that folder out; a file whose name begins so is ./~…\n".into()),
        (&["--memory", "lots"], "error: 'lots' is no amount of memory\n  hint: write bytes, or 256M, 1.5G or 1T; at least 32M\n".into()),
        (&["--memory", "1M"], "error: '1M' is too little memory\n  hint: write bytes, or 256M, 1.5G or 1T; at least 32M\n".into()),
        (&["--hint", "a=money"], format!("error: the hint 'a=money' is not PATH=TYPE\n  hint: {types}\n")),
        (&["--hint", "a"], format!("error: the hint 'a' is not PATH=TYPE\n  hint: {types}\n")),
        (&["--json-columns", "a..b"], "error: the path 'a..b' has an empty key\n  hint: write keys with dots between them, such as payload.user.settings\n".into()),
        (&["--pipeline", "../up"], "error: '../up' cannot name a pipeline\n  hint: use letters, digits, '_', '-' and '.', at most 100\n".into()),
        (
            &["--select", "$.a[?(@.x)]"],
            "error: cannot use the path '$.a[?(@.x)]': a filter is not supported at character 5\n  $.a[?(@.x)]\n      ^\n\
             supported are $ .name ['name'] [\"name\"] [0] [*] .* ..name ..[*], as in $.data[*] or $['odd key'][*].items[*]\n"
                .into(),
        ),
    ];
    for (args, expected) in cases {
        assert_error(&with(args), USAGE, expected);
    }
    for args in [&["--threads", "x"][..], &["--max-nesting", "-1"], &["--system-columns", "other"], &["--frobnicate"]] {
        let output = with(args);
        assert_eq!((output.status, output.stdout.as_str()), (USAGE, ""), "{args:?}");
        assert!(
            output.stderr.starts_with("error: ") && output.stderr.contains("try '--help'"),
            "{args:?}: {}",
            output.stderr
        );
    }
    assert_error(
        &lab.run_with(&["load", "-"], b"{}"),
        USAGE,
        "error: the table has no name\n  hint: name it with --table\n",
    );
    let twice = lab.run_with(&["load", "-", "-", "--table", "t"], b"{}");
    assert_error(
        &twice,
        USAGE,
        "error: stdin (-) is given 2 times\n  hint: it can be read only once, so name it once\n",
    );
    assert_eq!(lab.run(&["load"]).status, USAGE);
    lab.assert_nothing_loaded();
    assert!(!lab.database().exists());
}

#[test]
fn a_dataset_cannot_be_called_like_what_is_duckdbs_own() {
    let lab = Lab::new();
    lab.write("in.json", r#"{"id":1}"#);
    for name in ["information_schema", "pg_catalog", "system", "temp"] {
        let output = lab.run(&["load", "in.json", "--dataset", name]);
        let said = format!("error: a dataset in DuckDB cannot be called '{name}': that is DuckDB's own");
        assert_eq!((output.status, output.stdout.as_str()), (USAGE, ""), "{output:#?}");
        assert!(output.stderr.starts_with(&said), "{}", output.stderr);
    }
    lab.assert_nothing_loaded();
}

#[test]
fn a_path_that_selects_nothing() {
    let lab = Lab::new();
    lab.write("in.json", r#"{"data":[{"id":1}]}"#);
    let output = lab.run(&["load", "in.json", "--table", "t", "--select", "$.items[*]"]);
    assert_error(
        &output,
        FAILED,
        "error: the path '$.items[*]' selects nothing in the whole input\n  hint: look at the input's first bytes: the path begins at its top level\n",
    );
    lab.assert_nothing_loaded();
}

#[test]
fn a_dataset_keeps_its_system_columns() {
    let lab = Lab::new();
    lab.write("in.json", r#"{"id":1}"#);
    lab.load(&["in.json", "--table", "t"]);
    let output = lab.run(&["load", "in.json", "--table", "t", "--system-columns", "dlt"]);
    assert_error(
        &output,
        USAGE,
        "error: the dataset was loaded with other system columns (dataset longshore_dataset)\n  hint: add --system-columns native, or load into another dataset\n",
    );
    assert_eq!(lab.count("t"), 1);
}

#[test]
fn a_database_that_another_process_holds() {
    let lab = Lab::new();
    lab.write("in.json", r#"{"id":1}"#);
    lab.load(&["in.json", "--table", "t"]);
    let held = hold(&lab.database());
    for args in [&["load", "in.json", "--table", "t"][..], &["query", "SELECT 1"], &["tables"]] {
        let began = Instant::now();
        let output = lab.run(args);
        let took = began.elapsed();
        assert_eq!((output.status, output.stdout.as_str()), (FAILED, ""), "{args:?}: {output:#?}");
        let first = output.stderr.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("error: the database file is in use by ")
                && first.contains(&format!("(PID {})", held.pid())),
            "{args:?}: {first}"
        );
        assert!(first.contains("load.duckdb") && first.contains("python"), "{args:?}: {first}");
        assert!(
            output
                .stderr
                .contains("\n  hint: close the other program, or let it finish, and run the same command again\n"),
            "{output:#?}"
        );
        assert!(
            took > Duration::from_millis(1500) && took < Duration::from_secs(20),
            "{args:?}: a short retry, not {took:?}"
        );
    }
    assert_eq!(lab.packages(), Vec::<String>::new(), "nothing was read, so nothing waits");
    drop(held);
    assert_eq!(lab.load(&["in.json", "--table", "t"])["outcome"], "loaded");
    assert_eq!(lab.count("t"), 2);
}

#[test]
fn a_database_that_is_soon_free_is_waited_for() {
    let lab = Lab::new();
    lab.write("in.json", r#"{"id":1}"#);
    lab.load(&["in.json", "--table", "t"]);
    let held = hold(&lab.database());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(700));
            drop(held);
        });
        assert_eq!(lab.load(&["in.json", "--table", "t"])["outcome"], "loaded");
    });
}

#[test]
fn two_runs_of_one_pipeline_take_turns() {
    let lab = Lab::new();
    write_nested(&lab.path("in.ndjson"), 5_000);
    let runs: Vec<_> = (0..3)
        .map(|_| lab.command(&["load", "in.ndjson", "--table", "t"]).spawn().expect("the binary starts"))
        .collect();
    for run in runs {
        let output = Output::from(run.wait_with_output().expect("it ends"));
        assert_eq!(output.status, Some(0), "{output:#?}");
    }
    assert_eq!((lab.count("t"), lab.count("_loads")), (15_000, 3));
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let lab = Lab::new();
    lab.write("in.json", r#"{"id":1}"#);
    let content = "shopping list: bread, milk, and a text that is long enough to be taken for a header".repeat(100);
    lab.write("load.duckdb", &content);
    let output = lab.run(&["load", "in.json", "--table", "t"]);
    assert_eq!((output.status, output.stdout.as_str()), (FAILED, ""));
    let path = lab.database();
    assert!(
        output.stderr.starts_with(&format!("error: the file is not a DuckDB database (file {})\n", path.display())),
        "{}",
        output.stderr
    );
    assert!(output.stderr.ends_with("  hint: name another file, or move this one away\n"), "{}", output.stderr);
    assert_eq!(fs::read_to_string(path).ok(), Some(content));
    assert_eq!(lab.packages(), Vec::<String>::new());
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own folder");
}

#[test]
fn folders_that_cannot_be_written() {
    let lab = Lab::new();
    lab.write("in.json", r#"{"id":1}"#);
    lab.write("locked/there.duckdb", "");
    fs::remove_file(lab.path("locked/there.duckdb")).expect("it was just made");
    set_mode(&lab.path("locked"), 0o555);
    let run = |args: &[&str]| {
        Output::of(lab.command_through(without_rights(), &[&["load", "in.json", "--table", "t"], args].concat()))
    };

    let data_dir = run(&["--data-dir", "locked/data"]);
    assert_error(
        &data_dir,
        FAILED,
        "error: cannot write to the working folder (file locked/data/pipelines/longshore/packages)\n  caused by: Permission denied (os error 13)\n  \
         hint: make room or check the rights, or choose another folder with --data-dir; nothing was loaded\n",
    );
    assert!(!lab.database().exists());

    let database = run(&["-d", "duckdb:locked/new.duckdb"]);
    assert_eq!((database.status, database.stdout.as_str()), (FAILED, ""), "{database:#?}");
    assert!(
        database.stderr.starts_with("error: the database file cannot be written (file locked/new.duckdb)\n"),
        "{}",
        database.stderr
    );
    assert!(database.stderr.ends_with("  hint: check the rights of the file and its folder\n"), "{}", database.stderr);
    lab.assert_nothing_loaded();

    set_mode(&lab.path("locked"), 0o755);
    let output = run(&["-d", "duckdb:locked/new.duckdb", "--data-dir", "locked/data"]);
    assert_eq!(output.status, Some(0), "the same works once it may: {output:#?}");
}

#[test]
fn places_that_do_not_exist() {
    let lab = Lab::new();
    lab.write("in.json", r#"{"id":1}"#);
    let run = |args: &[&str]| lab.run(&[&["load", "in.json", "--table", "t"], args].concat());
    let inside_a_file = run(&["--data-dir", "in.json/data"]);
    assert_eq!(inside_a_file.status, FAILED);
    assert!(
        inside_a_file.stderr.starts_with("error: cannot write to the working folder (file in.json/data/"),
        "{}",
        inside_a_file.stderr
    );
    for url in ["duckdb:nowhere/x.duckdb", "duckdb:in.json/x.duckdb"] {
        let output = run(&["-d", url]);
        assert_eq!(output.status, FAILED);
        assert!(output.stderr.starts_with("error: the database file cannot be opened (file "), "{}", output.stderr);
        assert!(
            output.stderr.ends_with("  hint: check that its folder exists and can be written\n"),
            "{}",
            output.stderr
        );
    }
    lab.assert_nothing_loaded();
}

/// The same command, first with too little room, then with enough.
struct Room {
    disk: Option<SmallDisk>,
    limit: [String; 4],
}

impl Room {
    /// A small file system where mounting is allowed, and otherwise a limit on the size of files.
    fn little(folder: &Path, kib: u32) -> Self {
        let disk = SmallDisk::mount(folder, kib);
        fs::create_dir_all(folder).expect("the folder can be made");
        Room { disk, limit: file_size_limit(kib) }
    }

    fn run(&self, lab: &Lab, args: &[&str]) -> Output {
        match &self.disk {
            Some(_) => lab.run(args),
            None => Output::of(self.limited(lab, args)),
        }
    }

    fn limited(&self, lab: &Lab, args: &[&str]) -> Command {
        lab.command_through(&self.limit.each_ref().map(String::as_str), args)
    }

    fn make(&self) {
        if let Some(disk) = &self.disk {
            disk.grow(200 << 10);
        }
    }
}

#[test]
fn a_full_disk_under_the_working_folder() {
    let lab = Lab::new();
    write_nested(&lab.path("in.ndjson"), 40_000);
    let room = Room::little(&lab.path("small"), 256);
    let args = ["load", "in.ndjson", "--table", "t", "--progress", "off", "--data-dir", "small/data"];
    let output = room.run(&lab, &args);
    assert_eq!((output.status, output.stdout.as_str()), (FAILED, ""), "{output:#?}");
    let message = if room.disk.is_some() {
        "error: the disk of the working folder is full (file small/data/"
    } else {
        "error: cannot write to the working folder (file small/data/"
    };
    assert!(output.stderr.starts_with(message), "{}", output.stderr);
    assert!(
        output.stderr.ends_with("or choose another folder with --data-dir; nothing was loaded\n"),
        "{}",
        output.stderr
    );
    assert!(!lab.database().exists(), "nothing is half loaded");
    assert_eq!(
        fs::read_dir(lab.path("small/data/pipelines/longshore/packages")).map(Iterator::count).ok(),
        Some(0),
        "the room is given back"
    );
    room.make();
    let output = lab.run(&args);
    assert_eq!(output.status, Some(0), "{output:#?}");
    assert_eq!((lab.count("t"), lab.count("t__lines")), (40_000, 60_000));
}

#[test]
fn a_full_disk_under_the_database() {
    let lab = Lab::new();
    write_nested(&lab.path("in.ndjson"), 40_000);
    let room = Room::little(&lab.path("small"), 2048);
    let file = lab.path("small/x.duckdb");
    let args = ["load", "in.ndjson", "--table", "t", "-d", "duckdb:small/x.duckdb"];
    let output = room.run(&lab, &args);
    assert_eq!(output.status, FAILED, "{output:#?}");
    let said = format!("{}{}", output.stdout, output.stderr);
    if room.disk.is_some() {
        assert!(said.contains("the disk is full") && said.contains("(file small/x.duckdb)"), "{said}");
        assert!(said.contains("hint: make room and run the same command again"), "{said}");
    }
    assert_nothing_in(&file);
    // Still full: the same again says so again, and still nothing is half there.
    let again = room.run(&lab, &args);
    assert_eq!(again.status, FAILED, "{again:#?}");
    assert_nothing_in(&file);

    room.make();
    let output = lab.run(&args);
    assert_eq!(output.status, Some(0), "{output:#?}");
    let sql = "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM t__lines), (SELECT count(*) FROM _loads)";
    assert_eq!(longshore_tests::rows(&file, sql), [[40_000, 60_000, 1].map(|n| json!(n))]);
    assert_eq!(lab.packages(), Vec::<String>::new());
}

fn assert_nothing_in(file: &Path) {
    if file.exists() {
        let tables = try_rows(file, None, "SELECT schema_name, table_name FROM duckdb_tables()");
        assert_eq!(tables, Ok(Vec::new()), "readers see no part of a load");
    }
}

#[test]
fn a_full_disk_leaves_earlier_loads_alone() {
    let lab = Lab::new();
    lab.write("first.ndjson", nested_records(100));
    write_nested(&lab.path("in.ndjson"), 40_000);
    let room = Room::little(&lab.path("small"), 4096);
    let file = lab.path("small/x.duckdb");
    lab.load(&["first.ndjson", "--table", "t", "-d", "duckdb:small/x.duckdb"]);
    let args = ["load", "in.ndjson", "--table", "t", "-d", "duckdb:small/x.duckdb"];
    let output = room.run(&lab, &args);
    assert_eq!(output.status, FAILED, "{output:#?}");
    let sql = "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM t__lines), (SELECT count(*) FROM _loads)";
    assert_eq!(longshore_tests::rows(&file, sql), [[100, 150, 1].map(|n| json!(n))]);
    room.make();
    assert_eq!(lab.run(&args).status, Some(0));
    assert_eq!(longshore_tests::rows(&file, sql), [[40_100, 60_150, 2].map(|n| json!(n))]);
}

#[test]
fn a_failed_load_touches_no_other_database() {
    let lab = lab_with_bad_record();
    // Committed rows of another program that lie in its write-ahead log: it ended without closing.
    let script = "import duckdb, os; c = duckdb.connect('load.duckdb'); c.execute('CREATE TABLE kept AS FROM range(5)'); os._exit(0)";
    let status = Command::new(longshore_tests::python()).args(["-c", script]).current_dir(lab.path("")).status();
    assert!(status.is_ok_and(|s| s.success()) && lab.path("load.duckdb.wal").exists());
    for url in ["duckdb:load.db", "duckdb:load"] {
        let output = lab.run(&["load", "bad.ndjson", "--table", "t", "-d", url]);
        assert_eq!(output.status, FAILED);
    }
    assert_eq!(try_rows(&lab.database(), None, "SELECT count(*) FROM kept"), Ok(vec![vec![json!(5)]]));
    assert!(!lab.path("load.db").exists() && !lab.path("load.db.wal").exists());
}

#[test]
fn a_log_that_takes_more_memory_than_usual_is_read() {
    let lab = Lab::new();
    lab.write("in.ndjson", "{\"id\":1}\n");
    let script = "import duckdb, os; c = duckdb.connect('load.duckdb'); c.execute(\"SET checkpoint_threshold = '1TB'\"); \
                  c.execute('CREATE TABLE wide AS SELECT ' + ', '.join(f'range * 7 + {i} AS c{i}' for i in range(500)) + ' FROM range(3000)'); \
                  os._exit(0)";
    let status = Command::new(longshore_tests::python()).args(["-c", script]).current_dir(lab.path("")).status();
    assert!(status.is_ok_and(|s| s.success()) && lab.path("load.duckdb.wal").exists());
    let counted = lab.run(&["query", "SELECT count(*) AS n FROM main.wide", "--format", "csv"]);
    assert_eq!((counted.status, counted.stdout.as_str()), (Some(0), "n\n3000\n"), "{counted:#?}");
    lab.load(&["in.ndjson", "--table", "t"]);
    assert!(!lab.path("load.duckdb.wal").exists());
    let sql = "SELECT (SELECT count(*) FROM main.wide), (SELECT count(*) FROM t)";
    assert_eq!(lab.rows(sql), [[json!(3000), json!(1)]]);
}

#[test]
fn a_truncated_gzip_loads_nothing() {
    let lab = Lab::new();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, nested_records(40_000).as_bytes()).expect("gzip into memory");
    let whole = encoder.finish().expect("gzip into memory");
    lab.write("cut.json.gz", &whole[..whole.len() / 2]);
    let start =
        format!("error: cut.json.gz is cut off: its gzip data ends early after {} compressed bytes (", whole.len() / 2);
    for args in [&[][..], &["--on-error", "reject"]] {
        let output = lab.run(&[&["load", "cut.json.gz", "--table", "t", "--progress", "off"], args].concat());
        assert_eq!((output.status, output.stdout.as_str()), (FAILED, ""), "{args:?}");
        assert!(output.stderr.starts_with(&start), "{}", output.stderr);
        assert!(
            output.stderr.ends_with(" bytes of text)\n  hint: copy or download the file again\n"),
            "{}",
            output.stderr
        );
        lab.assert_nothing_loaded();
    }
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0x5a);
    lab.write("damaged.json.gz", &damaged);
    let output = lab.run(&["load", "damaged.json.gz", "--table", "t", "--progress", "off"]);
    assert_eq!(output.status, FAILED);
    assert!(output.stderr.starts_with("error: ") && output.stderr.contains("damaged.json.gz"), "{}", output.stderr);
    lab.assert_nothing_loaded();
    lab.write("cut.json.gz", &whole);
    lab.load(&["cut.json.gz", "--table", "t"]);
    assert_eq!(lab.count("t"), 40_000);
}

#[test]
fn a_link_that_leads_nowhere_is_called_so() {
    let lab = Lab::new();
    lab.write("in/a.csv", "id\n1\n");
    std::os::unix::fs::symlink("gone.csv", lab.path("in/b.csv")).expect("a link");
    let output = lab.run(&["load", "in", "--table", "t"]);
    assert_eq!(output.status, FAILED, "{output:#?}");
    let said = "error: the link leads to no file (file in/b.csv";
    assert!(output.stderr.starts_with(said) && output.stderr.contains("hint: remove the link"), "{}", output.stderr);
    lab.assert_nothing_loaded();
}

/// The message, the places and the hint of an error are fields of one JSON document.
#[test]
fn errors_as_json() {
    let lab = lab_with_bad_record();
    lab.write("text.duckdb", "no database, but long enough to be read as the beginning of one".repeat(99));
    let error = |args: &[&str], status: Option<i32>| {
        let output = lab.run(args);
        assert_eq!((output.status, output.stderr.as_str()), (status, ""), "{args:?}");
        let document = output.json();
        assert_eq!(document["outcome"], "error", "{args:?}");
        assert!(
            document["error"].is_string() && document["where"].is_object() && document["caused_by"].is_array(),
            "{document}"
        );
        document
    };
    let malformed = error(&["load", "bad.ndjson", "--json"], FAILED);
    assert_eq!(malformed["error"], "malformed JSON: expected ',' or ']' after a value in an array");
    let place = |key: &str| malformed["where"][key].to_string().trim_matches('"').to_owned();
    assert_eq!(["file", "line", "column", "byte"].map(place), ["bad.ndjson", "3", "16", "31"]);
    assert_eq!(
        malformed["hint"],
        "nothing was loaded; repair the record, or keep bad records aside with --on-error reject"
    );
    assert_eq!(error(&["load", "nope.json", "--json"], FAILED)["error"], "no such file or directory: nope.json");
    assert_eq!(
        error(&["load", "bad.ndjson", "-d", "oracle://x", "--json"], USAGE)["error"],
        "there is no destination 'oracle'"
    );
    assert_eq!(
        error(&["load", "bad.ndjson", "--memory", "lots", "--json"], USAGE)["error"],
        "'lots' is no amount of memory"
    );
    assert_eq!(
        error(&["load", "bad.ndjson", "--threads", "100000", "--json"], USAGE)["error"],
        "100000 is no number of threads"
    );
    assert_eq!(
        error(&["load", "--json"], USAGE)["error"],
        "the following required arguments were not provided: <INPUT>..."
    );
    assert_eq!(
        error(&["load", "bad.ndjson", "-d", "duckdb:text.duckdb", "--json"], FAILED)["where"]["file"],
        "text.duckdb"
    );
    assert_eq!(error(&["pipeline", "none", "info", "--json"], USAGE)["error"], "there is no pipeline 'none'");
}

/// DuckDB names a database by its file, and cannot tell `shop.orders` of the database from that of the schema.
#[test]
fn a_dataset_may_be_named_as_its_file() {
    for system in ["native", "dlt"] {
        let lab = Lab::new();
        let to = [
            "--table",
            "orders",
            "--dataset",
            "shop",
            "--pipeline",
            "shop_pipe",
            "--destination",
            "duckdb:shop.duckdb",
            "--system-columns",
            system,
        ];
        let merge = ["--write-disposition", "merge", "--primary-key", "id", "--hint", "v=text:description=what it is"];
        lab.write("in.ndjson", "{\"id\":1,\"v\":\"a\",\"lines\":[1,2]}\n");
        lab.load(&[&["in.ndjson"], &to[..]].concat());
        lab.write("in.ndjson", "{\"id\":1,\"v\":\"b\",\"more\":1,\"lines\":[3]}\n{\"id\":2,\"v\":\"c\"}\n");
        lab.load(&[&["in.ndjson"], &to[..], &merge].concat());
        let plan = lab.run(&[&["plan", "in.ndjson"], &to[..]].concat());
        assert!(plan.stdout.contains("orders") && !plan.stderr.contains("Ambiguous"), "{plan:#?}");
        let at = ["--dataset", "shop", "--destination", "duckdb:shop.duckdb"];
        let sql = "select o.id, o.v, o.more, count(l.value) as lines from orders o left join orders__lines l on l._root_id = o._row_id group by all order by id";
        let sql = if system == "dlt" { "select id, v, more, 1 as lines from orders order by id" } else { sql };
        let output = lab.run(&[&["query", sql, "--format", "csv"], &at[..]].concat());
        assert_eq!(output.status, Some(0), "{output:#?}");
        let lines: Vec<&str> = output.stdout.lines().skip(1).map(|l| l.rsplit_once(',').expect("a comma").0).collect();
        assert_eq!(lines, ["1,b,1", "2,c,"], "{output:#?}");
        let tables = lab.run(&[&["tables"], &at[..]].concat());
        assert!(tables.stdout.contains("orders__lines"), "{tables:#?}");
        let dropped = lab.run(&[&["pipeline", "shop_pipe", "drop", "orders", "--yes"], &at[..]].concat());
        assert_eq!(dropped.status, Some(0), "{dropped:#?}");
    }
}

#[test]
fn a_query_that_would_change_something_is_told_so() {
    let lab = Lab::new();
    lab.write("in.ndjson", "{\"id\":1}\n");
    lab.load(&["in.ndjson", "--table", "t"]);
    let output = lab.run(&["query", "delete from t"]);
    assert_eq!(output.status, FAILED, "{output:#?}");
    assert!(output.stderr.contains("a query only reads") && !output.stderr.contains("rights"), "{output:#?}");
    assert_eq!(lab.count("t"), 1);
}

#[test]
fn cleaning_what_is_not_there_is_said() {
    let lab = Lab::new();
    let output = lab.run(&["clean", "--destination", "./lake", "--dataset", "no_such"]);
    assert!(output.status == Some(0) && output.stdout.contains("there is nothing"), "{output:#?}");
}
