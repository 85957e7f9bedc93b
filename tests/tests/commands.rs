//! The commands beside `load`, and what goes to stdout, stderr and the exit status.

use longshore_tests::{Lab, Output, binary, documents, file_size_limit, nested_records, python};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Three orders, with a null, a text to quote and a timestamp.
fn lab_with_orders() -> Lab {
    let lab = Lab::new();
    lab.write(
        "orders.json",
        r#"[{"id":1,"name":"a, \"b\"","at":"2024-05-01T10:00:00Z","price":1.5,"lines":[{"n":1},{"n":2}]},{"id":2,"name":null,"price":2.0},{"id":3,"name":"naïve 😀","price":-0.25,"lines":[{"n":3}]}]"#,
    );
    lab.load(&["orders.json"]);
    lab
}

/// A lab whose package is sealed but could not be committed: no file may become as large as the database would.
fn lab_with_waiting_package() -> (Lab, String) {
    let lab = Lab::new();
    lab.write("in.ndjson", nested_records(20_000));
    let limit = file_size_limit(1024);
    let output = Output::of(
        lab.command_through(&limit.each_ref().map(String::as_str), &["load", "in.ndjson", "--table", "t", "--json"]),
    );
    assert_eq!(output.status, Some(1), "{output:#?}");
    let report = output.json();
    assert_eq!(
        (&report["outcome"], &report["destinations"][0]["committed"]),
        (&json!("failed"), &json!(false)),
        "{report}"
    );
    let id = report["load_id"].as_str().expect("the package was sealed").to_owned();
    assert_eq!(lab.packages(), std::slice::from_ref(&id));
    (lab, id)
}

fn stdout(lab: &Lab, args: &[&str]) -> String {
    let output = lab.run(args);
    assert_eq!((output.status, output.stderr.as_str()), (Some(0), ""), "{args:?}: {output:#?}");
    output.stdout
}

fn json_of(lab: &Lab, args: &[&str]) -> Value {
    serde_json::from_str(&stdout(lab, args)).unwrap_or_else(|e| panic!("{args:?}: {e}"))
}

#[test]
fn the_closing_lines() {
    let lab = lab_with_orders();
    let text = stdout(&lab, &["load", "orders.json"]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("Pipeline longshore load step completed in ")
            && lines[0].contains(" seconds: 3 records ("),
        "{text}"
    );
    assert!(
        lines[1].starts_with("1 load package(s) were loaded to destination duckdb://")
            && lines[1].ends_with("load.duckdb and into dataset longshore_dataset"),
        "{text}"
    );
    assert_eq!(lines[2..4], ["  orders                    3 rows", "  orders__lines             3 rows"]);
    assert!(
        lines[4].starts_with("Load package ") && lines[4].ends_with(" is LOADED and contains no failed jobs"),
        "{text}"
    );
    assert_eq!(lines.len(), 5);
}

#[test]
fn query_as_table_csv_and_json() {
    let lab = lab_with_orders();
    let sql = "SELECT id, name, price, \"at\" FROM orders ORDER BY id";
    let query = |format: &str| stdout(&lab, &["query", sql, "--format", format]);
    let table = query("table");
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 7, "a frame, a header and three rows:\n{table}");
    assert_eq!(lines[1].split('|').map(str::trim).collect::<Vec<_>>(), ["", "id", "name", "price", "at", ""]);
    assert!(lines[3].contains("a, \"b\"") && lines[3].contains("2024-05-01T10:00:00"), "{table}");
    assert_eq!(stdout(&lab, &["query", sql]), table, "a table is the default");
    let csv = query("csv");
    assert_eq!(csv.lines().next(), Some("id,name,price,at"));
    assert!(csv.contains("\n1,\"a, \"\"b\"\"\",1.5,2024-05-01T10:00:00"), "{csv}");
    assert!(csv.contains("\n2,,2.0,\n") && csv.contains("\n3,naïve 😀,-0.25,\n"), "{csv}");
    let rows = documents(&query("json"));
    assert_eq!(rows[1], json!({ "id": 2, "name": null, "price": 2.0, "at": null }));
    assert_eq!((rows.len(), &rows[2]["name"]), (3, &json!("naïve 😀")));
    // No rows are an answer too.
    assert_eq!(stdout(&lab, &["query", "SELECT id FROM orders WHERE false", "--format", "csv"]), "id\n");
    assert_eq!(stdout(&lab, &["query", "SELECT id FROM orders WHERE false", "--format", "json"]), "");
    // Joins over the tables of the README's kind.
    let join = "SELECT o.id, count(*) AS n FROM orders o JOIN orders__lines l ON l._parent_id = o._row_id GROUP BY 1 ORDER BY 1";
    assert_eq!(stdout(&lab, &["query", join, "--format", "csv"]), "id,n\n1,2\n3,1\n");
}

#[test]
fn query_as_parquet() {
    let lab = lab_with_orders();
    let sql = "SELECT id, name, price, \"at\" FROM orders ORDER BY id";
    let output = lab.command(&["query", sql, "--format", "parquet"]).output().expect("the binary runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let file = lab.write("rows.parquet", &output.stdout);
    let read = format!(
        "SELECT id, name, price, strftime(\"at\"::TIMESTAMP, '%Y-%m-%d %H:%M') FROM read_parquet('{}')",
        file.display()
    );
    let expected = [
        [json!(1), json!("a, \"b\""), json!(1.5), json!("2024-05-01 10:00")],
        [json!(2), Value::Null, json!(2.0), Value::Null],
        [json!(3), json!("naïve 😀"), json!(-0.25), Value::Null],
    ];
    assert_eq!(lab.rows(&read), expected);
    let script = "import pyarrow.parquet, sys; t = pyarrow.parquet.read_table(sys.argv[1]); print(t.num_rows, [str(t.schema.field(i).type) for i in range(4)])";
    let read = Command::new(python()).args(["-c", script]).arg(&file).output().expect("Python runs");
    assert!(
        String::from_utf8_lossy(&read.stdout).starts_with("3 ['int64', 'string', 'double', 'timestamp[us, tz="),
        "{read:?}"
    );
}

#[test]
fn query_errors() {
    let lab = lab_with_orders();
    let cases = [
        ("SELECT * FROM nope", "Table with name nope does not exist"),
        ("SELEC 1", "syntax error"),
        ("SELECT id FROM orders; SELEC 1", "syntax error"),
    ];
    for (sql, said) in cases {
        let output = lab.run(&["query", sql]);
        assert_eq!((output.status, output.stdout.as_str()), (Some(1), ""), "{sql}");
        assert!(output.stderr.starts_with("error: ") && output.stderr.contains(said), "{sql}: {}", output.stderr);
    }
    let output = lab.run(&["query", "SELECT 1", "-d", "duckdb:none.duckdb"]);
    assert_eq!(output.status, Some(1));
    assert_eq!(
        output.stderr,
        "error: the database file does not exist (file none.duckdb)\n  hint: load something into it first\n"
    );
    assert!(!lab.path("none.duckdb").exists(), "looking makes no file");
}

#[test]
fn a_query_of_a_table_that_is_not_there_is_told_which_are() {
    let lab = lab_with_orders();
    let hint = |sql: &str| {
        let output = lab.run(&["query", sql]);
        assert_eq!((output.status, output.stdout.as_str()), (Some(1), ""), "{sql}");
        output.stderr.trim_end().lines().last().unwrap_or_default().to_owned()
    };
    let near = "  hint: did you mean 'orders'? 'longshore tables' lists what is there";
    assert_eq!(hint("SELECT * FROM order_s"), near);
    assert_eq!(hint("SELECT o.id FROM orders o JOIN longshore_dataset.\"ordres\" USING (id)"), near);
    assert_eq!(hint("FROM zzz"), "  hint: the tables are: orders, orders__lines");
    // Words of the statement are not taken for what DuckDB says of it, and other errors keep their hint.
    for sql in ["SELECT 'Permission denied' AS a, nope FROM orders", "SELECT FROM FROM orders"] {
        assert_eq!(hint(sql), "  hint: remove the cause and run the same command again", "{sql}");
    }
}

#[test]
fn looking_changes_nothing() {
    let lab = lab_with_orders();
    for sql in [
        "DELETE FROM orders",
        "DELETE FROM orders; SELECT 1",
        "DROP TABLE orders__lines",
        "CREATE TABLE mine (i INT)",
        "UPDATE orders SET id = 9",
    ] {
        let output = lab.run(&["query", sql]);
        assert_eq!(output.status, Some(1), "{sql}: {output:#?}");
    }
    assert_eq!(lab.rows("SELECT id FROM orders ORDER BY id"), [1, 2, 3].map(|id| [json!(id)]));
    assert_eq!(lab.tables(), [("orders".to_owned(), 3), ("orders__lines".to_owned(), 3)]);
}

#[test]
fn tables_as_text_and_json() {
    let lab = lab_with_orders();
    let text = stdout(&lab, &["tables"]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("duckdb://") && lines[0].ends_with("load.duckdb dataset longshore_dataset"), "{text}");
    let counts: Vec<Vec<&str>> = lines[1..].iter().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        counts,
        [
            ["_loads", "1", "rows"],
            ["_schemas", "1", "rows"],
            ["_state", "0", "rows"],
            ["orders", "3", "rows"],
            ["orders__lines", "3", "rows"]
        ]
    );
    let document = json_of(&lab, &["tables", "--json"]);
    assert_eq!(document["dataset"], "longshore_dataset");
    assert_eq!(document["tables"][3], json!({ "table": "orders", "rows": 3 }));
    let none = lab.run(&["tables", "--dataset", "none"]);
    assert_eq!((none.status, none.stdout.as_str()), (Some(1), ""));
    assert!(none.stderr.starts_with("error: there is nothing in the dataset (dataset none, "), "{}", none.stderr);
}

#[test]
fn pipeline_info_packages_schema_and_trace() {
    let lab = lab_with_orders();
    let id = lab.rows("SELECT load_id::VARCHAR FROM _loads")[0][0].as_str().expect("a text").to_owned();
    fn pipeline<'a>(args: &[&'a str]) -> Vec<&'a str> {
        [&["pipeline", "longshore"], args].concat()
    }

    let text = stdout(&lab, &pipeline(&["info"]));
    assert!(
        text.starts_with("Pipeline longshore in ")
            && text.contains("  dataset       longshore_dataset\n")
            && text.contains("  tables        2\n"),
        "{text}"
    );
    assert!(
        text.contains(&format!("  last load     {id}: 3 records\n"))
            && text.ends_with("  waiting       0 package(s)\n"),
        "{text}"
    );
    let info = json_of(&lab, &pipeline(&["info", "--json"]));
    assert_eq!(
        (&info["last_load"], &info["dataset"], &info["tables"], &info["waiting"]),
        (&json!(id), &json!("longshore_dataset"), &json!(2), &json!([]))
    );

    let text = stdout(&lab, &pipeline(&["packages"]));
    assert!(
        text.starts_with(&format!("{id}  loaded   3 records, 0 rejected, "))
            && text.contains("    orders__lines: 3 rows\n")
            && text.contains(": committed\n"),
        "{text}"
    );
    let packages = json_of(&lab, &pipeline(&["packages", "--json"]));
    assert_eq!(
        (packages.as_array().map(Vec::len), &packages[0]["load_id"], &packages[0]["state"]),
        (Some(1), &json!(id), &json!("loaded"))
    );
    assert_eq!(packages[0]["destinations"][0]["committed"], true);

    let text = stdout(&lab, &pipeline(&["schema"]));
    assert!(
        text.starts_with("name: longshore\n") && text.contains("- name: orders__lines\n  parent: orders\n"),
        "{text}"
    );
    for args in [&["schema", "--format", "json"][..], &["schema", "--json"]] {
        let schema = json_of(&lab, &pipeline(args));
        assert_eq!(schema["tables"][0]["columns"][2], json!({ "name": "at", "data_type": "timestamp" }), "{args:?}");
    }

    let text = stdout(&lab, &pipeline(&["trace"]));
    assert!(
        text.starts_with("pipeline: longshore\n") && text.contains("outcome: loaded\n") && text.contains("timings:\n"),
        "{text}"
    );
    let trace = json_of(&lab, &pipeline(&["trace", "--json"]));
    assert_eq!((&trace["load_id"], &trace["counts"]["read"]), (&json!(id), &json!(3)));
}

#[test]
fn pipelines_and_packages_that_are_not_there() {
    let lab = lab_with_orders();
    let error = |args: &[&str]| {
        let output = lab.run(args);
        assert_eq!((output.status, output.stdout.as_str()), (Some(2), ""), "{args:?}");
        output.stderr
    };
    for action in ["info", "packages", "schema", "trace", "retry", "drop-package"] {
        let said = error(&["pipeline", "none", action]);
        assert!(
            said.starts_with("error: there is no pipeline 'none' (data-dir ")
                && said.ends_with("  hint: there are: longshore\n"),
            "{action}: {said}"
        );
    }
    for name in ["", ".", "..", "../pipelines/longshore", "longshore/"] {
        let expected = format!(
            "error: '{name}' cannot name a pipeline\n  hint: use letters, digits, '_', '-' and '.', at most 100\n"
        );
        for action in ["info", "packages", "drop-package"] {
            assert_eq!(error(&["pipeline", name, action]), expected, "{action}");
        }
        assert_eq!(error(&["query", "SELECT 1", "--pipeline", name]), expected);
        assert_eq!(error(&["tables", "--pipeline", name]), expected);
    }
    assert_eq!(error(&["pipeline", "longshore", "drop-package"]), "error: no package waits to be loaded\n");
    assert_eq!(
        error(&["pipeline", "longshore", "drop-package", "1.2"]),
        "error: no package '1.2' waits to be loaded\n  hint: none waits\n"
    );
    assert_eq!(stdout(&lab, &["pipeline", "longshore", "retry"]), "no package waits\n");
    assert_eq!(json_of(&lab, &["pipeline", "longshore", "retry", "--json"]), json!([]));
}

#[test]
fn a_waiting_package_is_shown_and_retried() {
    let (lab, id) = lab_with_waiting_package();
    let text = stdout(&lab, &["pipeline", "longshore", "packages"]);
    assert!(
        text.starts_with(&format!("{id}  WAITING  20,000 records, 0 rejected, ")) && text.contains(": failed: "),
        "{text}"
    );
    assert_eq!(json_of(&lab, &["pipeline", "longshore", "info", "--json"])["waiting"], json!([id]));
    let packages = json_of(&lab, &["pipeline", "longshore", "packages", "--json"]);
    assert_eq!(
        (&packages[0]["state"], &packages[0]["destinations"][0]["committed"]),
        (&json!("waiting"), &json!(false))
    );
    assert!(packages[0]["destinations"][0]["error"].is_string(), "{packages}");

    // The cause is still there: says so, and the package stays.
    let limit = file_size_limit(1024);
    let again =
        Output::of(lab.command_through(&limit.each_ref().map(String::as_str), &["pipeline", "longshore", "retry"]));
    assert_eq!(again.status, Some(1), "{again:#?}");
    // This run has read nothing, so it has no rate.
    let headline = again.stdout.lines().next().unwrap_or_default();
    assert_eq!(headline, "Pipeline longshore could not load a package that was there already");
    assert_eq!(lab.packages(), std::slice::from_ref(&id));

    let text = stdout(&lab, &["pipeline", "longshore", "retry", "--memory", "64M", "--threads", "2"]);
    assert!(text.ends_with(&format!("Load package {id} is LOADED and contains no failed jobs\n")), "{text}");
    assert_eq!((lab.count("t"), lab.count("t__lines"), lab.count("_loads")), (20_000, 30_000, 1));
    assert_eq!(lab.packages(), Vec::<String>::new());
    assert_eq!(stdout(&lab, &["pipeline", "longshore", "retry"]), "no package waits\n");
}

#[test]
fn a_failed_load_that_is_run_again_says_so_once() {
    let (lab, _) = lab_with_waiting_package();
    let report = lab.load(&["in.ndjson", "--table", "t"]);
    let note = "an earlier run of this command had failed; its load is complete now. Nothing new was read: run the command again for a new load";
    assert_eq!((&report["outcome"], &report["notes"]), (&json!("completed"), &json!([note])));
    assert_eq!(lab.count("t"), 20_000);
}

#[test]
fn retry_as_json_is_a_list() {
    let (lab, id) = lab_with_waiting_package();
    let reports = json_of(&lab, &["pipeline", "longshore", "retry", "--json"]);
    assert_eq!((&reports[0]["load_id"], &reports[0]["outcome"]), (&json!(id), &json!("completed")), "{reports}");
}

#[test]
fn a_failed_load_says_so_on_stderr_and_what_to_do() {
    let lab = Lab::new();
    lab.write("in.ndjson", nested_records(20_000));
    let limit = file_size_limit(1024);
    let output =
        Output::of(lab.command_through(&limit.each_ref().map(String::as_str), &["load", "in.ndjson", "--table", "t"]));
    assert_eq!(output.status, Some(1));
    assert!(
        output.stdout.contains(
            " is NOT LOADED at 1 of 1 destinations; run again, or: longshore pipeline longshore retry | drop-package "
        ),
        "{output:#?}"
    );
    assert!(output.stderr.contains("error: "), "who looks at stderr only must see it: {output:#?}");
}

#[test]
fn a_waiting_package_can_be_given_up() {
    for args in [&[][..], &["--json"]] {
        let (lab, id) = lab_with_waiting_package();
        let text = stdout(&lab, &[&["pipeline", "longshore", "drop-package", &id], args].concat());
        if args.is_empty() {
            assert_eq!(text, format!("dropped package {id}; its records were not loaded\n"));
        } else {
            let document: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
            assert!(document.to_string().contains(&id), "{document}");
        }
        assert_eq!(lab.packages(), Vec::<String>::new());
        let report = lab.load(&["in.ndjson", "--table", "t"]);
        assert_eq!((&report["outcome"], &report["notes"]), (&json!("loaded"), &json!([])));
        assert_eq!((lab.count("t"), lab.count("_loads")), (20_000, 1));
    }
}

#[test]
fn a_waiting_package_goes_before_a_new_load_and_never_blocks_silently() {
    let (lab, id) = lab_with_waiting_package();
    lab.write("other.json", r#"[{"id":1}]"#);
    let limit = file_size_limit(1024);
    let blocked = Output::of(lab.command_through(&limit.each_ref().map(String::as_str), &["load", "other.json"]));
    assert_eq!((blocked.status, blocked.stdout.as_str()), (Some(1), ""), "{blocked:#?}");
    assert!(
        blocked.stderr.starts_with("error: an earlier package cannot be loaded, and goes first: "),
        "{}",
        blocked.stderr
    );
    assert!(
        blocked.stderr.contains(&id)
            && blocked.stderr.contains(&format!("'longshore pipeline longshore drop-package {id}'")),
        "{}",
        blocked.stderr
    );
    let report = lab.load(&["other.json"]);
    assert_eq!((lab.count("t"), lab.count("other"), lab.count("_loads")), (20_000, 1, 2), "{report}");
}

#[test]
fn a_damaged_package_is_not_loaded() {
    let (lab, id) = lab_with_waiting_package();
    let folder = lab.data_dir().join("pipelines/longshore/packages").join(&id);
    let part = folder.join("00000.arrow");
    let mut bytes = fs::read(&part).expect("a part file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::write(&part, bytes).expect("our own folder");
    let output = lab.run(&["pipeline", "longshore", "retry"]);
    assert_eq!(output.status, Some(1), "{output:#?}");
    assert!(
        format!("{}{}", output.stdout, output.stderr).contains("a file of the package is missing or damaged"),
        "{output:#?}"
    );
    assert_eq!(lab.packages(), [id]);
    let tables = longshore_tests::try_rows(&lab.database(), None, "SELECT table_name FROM duckdb_tables()");
    assert!(!lab.database().exists() || tables == Ok(Vec::new()), "{tables:?}");
}

#[test]
fn completions_for_each_shell() {
    let lab = Lab::new();
    for (shell, sign) in
        [("bash", "complete -F _longshore"), ("zsh", "#compdef longshore"), ("fish", "complete -c longshore")]
    {
        let script = stdout(&lab, &["completions", shell]);
        assert!(script.contains(sign) && script.contains("drop-package") && script.contains("max-nesting"), "{shell}");
    }
    let syntax = Command::new("bash").args(["-n", "-c", &stdout(&lab, &["completions", "bash"])]).status();
    assert!(syntax.is_ok_and(|s| s.success()), "bash can read its script");
    let other = lab.run(&["completions", "nosh"]);
    assert_eq!((other.status, other.stdout.as_str()), (Some(2), ""));
}

/// `longshore … | head -1`
#[test]
fn a_reader_that_goes_away_is_no_crash() {
    let lab = lab_with_orders();
    for args in [
        &["completions", "bash"][..],
        &["--help"],
        &["tables"],
        &["query", "FROM range(100000)", "--format", "csv"],
        &["pipeline", "longshore", "packages"],
        &["load", "orders.json"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = lab.command(args).stdout(Stdio::from(writer)).output().expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            !stderr.contains("panicked") && output.status.code() != Some(101),
            "{args:?}: {:?} {stderr}",
            output.status
        );
    }
    assert_eq!(lab.count("_loads"), 2, "a closed pipe does not undo a load");
}

#[test]
fn help_and_version() {
    let lab = Lab::new();
    assert_eq!(stdout(&lab, &["--version"]), format!("longshore {}\n", env!("CARGO_PKG_VERSION")));
    let help = stdout(&lab, &["--help"]);
    for command in ["load", "query", "tables", "pipeline", "completions"] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
        let own = stdout(&lab, &[command, "--help"]);
        assert!(own.contains("Usage: longshore ") && own.contains(command), "{own}");
    }
    let load = stdout(&lab, &["load", "--help"]);
    for flag in [
        "--table",
        "--dataset",
        "--pipeline",
        "--destination",
        "--max-nesting",
        "--select",
        "--json-columns",
        "--system-columns",
        "--threads",
        "--memory",
        "--progress",
        "--json",
        "--data-dir",
        "--on-error",
        "--hint",
    ] {
        assert!(load.contains(flag), "{flag}");
    }
    for action in ["info", "packages", "schema", "trace", "retry", "drop-package"] {
        assert!(
            stdout(&lab, &["pipeline", "shop", action, "--help"]).contains("Usage: longshore pipeline "),
            "{action}"
        );
    }
    let nothing = lab.run(&[]);
    assert_eq!((nothing.status, nothing.stdout.as_str()), (Some(2), ""));
    assert!(nothing.stderr.contains("Usage: longshore "));
    assert_eq!(lab.run(&["frobnicate"]).status, Some(2));
    assert!(!lab.data_dir().exists(), "help makes no folders");
}

#[test]
fn progress_lines_go_to_stderr_only() {
    let lab = Lab::new();
    let mut child = lab
        .command(&["load", "-", "--table", "t", "--progress", "log", "--json"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut pipe = child.stdin.take().expect("stdin is piped");
    // A source that is slower than the loader: lines come every few seconds.
    for _ in 0..2 {
        pipe.write_all(nested_records(10_000).as_bytes()).expect("it reads");
        std::thread::sleep(Duration::from_secs(3));
    }
    drop(pipe);
    let output = Output::from(child.wait_with_output().expect("it ends"));
    assert_eq!(output.status, Some(0), "{output:#?}");
    assert_eq!(output.json()["counts"]["read"], 20_000);
    assert!(output.stderr.lines().count() >= 1, "{output:#?}");
    for line in output.stderr.lines() {
        assert!(
            line.starts_with("normalising: ")
                && line.contains(" records, ")
                && line.contains(" rows, ")
                && line.ends_with("/s"),
            "{line}"
        );
    }
    // Off: nothing at all, and nothing for a run of no length.
    lab.write("in.json", "{}");
    for progress in ["off", "auto", "log", "bar"] {
        assert_eq!(lab.run(&["load", "in.json", "--progress", progress, "--json"]).stderr, "", "{progress}");
    }
}

#[test]
fn log_lines_go_to_stderr_and_hold_no_values() {
    let lab = Lab::new();
    lab.write("in.json", r#"[{"card":"4111-1111-1111-1111"}]"#);
    let mut command = lab.command(&["load", "in.json", "--json"]);
    command.env("LONGSHORE_LOG", "trace");
    let output = Output::of(command);
    assert_eq!(output.status, Some(0));
    output.json();
    assert!(output.stderr.contains("package sealed"), "{output:#?}");
    assert!(!output.stderr.contains("4111"), "no value of a row stands in a log");
}

#[test]
fn a_wrong_word_for_log_lines_is_named() {
    let lab = Lab::new();
    lab.write("in.json", "[{}]");
    for name in ["LONGSHORE_LOG", "RUST_LOG"] {
        let mut command = lab.command(&["load", "in.json"]);
        command.env(name, "longshore=loud");
        let output = Output::of(command);
        assert_eq!((output.status, output.stdout.as_str()), (Some(2), ""));
        assert!(output.stderr.starts_with(&format!("error: {name} does not say which log lines")), "{}", output.stderr);
    }
    let mut command = lab.command(&["load", "in.json"]);
    command.env("LONGSHORE_LOG", "");
    assert_eq!(Output::of(command).status, Some(0));
}

#[test]
fn settings_come_from_the_environment_too() {
    let lab = Lab::new();
    lab.write("in.json", r#"[{"id":1}]"#);
    let mut command = Command::new(binary());
    command.current_dir(lab.path("")).args(["load", "in.json", "--table", "t"]);
    command
        .env("LONGSHORE_PIPELINE", "shop")
        .env("LONGSHORE_DATASET", "raw")
        .env("XDG_DATA_HOME", lab.path("home"))
        .env_remove("LONGSHORE_DATA_DIR")
        .env_remove("LONGSHORE_DESTINATION");
    let output = Output::of(command);
    assert_eq!(output.status, Some(0), "{output:#?}");
    // The default destination is a file named after the pipeline, here; the working folder the platform's.
    assert_eq!(longshore_tests::rows_in(&lab.path("shop.duckdb"), "raw", "SELECT id FROM t"), [[json!(1)]]);
    assert!(lab.path("home/longshore/pipelines/shop/loaded").is_dir());
}
