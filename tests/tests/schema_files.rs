//! A schema that a person edited, or that dlt wrote, is gone by; a wrong word of it is named.

#![allow(clippy::unwrap_used)] // helpers of tests panic as tests do

use longshore_testkit::servers::postgres::PostgresServer;
use longshore_tests::{Lab, Output, python};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

const FLAGS: [&str; 4] = ["--import-schema-path", "edit", "--pipeline", "longshore"];
const FIRST: &str = "{\"id\":1,\"n\":1,\"s\":\"a\",\"lines\":[{\"q\":1}]}\n";

/// Loads records into `t`, gone by the folder `edit`, with DuckDB or where the URL says.
fn load(lab: &Lab, records: &str, more: &[&str]) -> Output {
    lab.write("t.ndjson", records);
    lab.run(&[&["load", "t.ndjson"], &FLAGS[..], more].concat())
}

fn ok(output: Output) {
    assert_eq!(output.status, Some(0), "{output:#?}");
}

fn file(lab: &Lab) -> String {
    fs::read_to_string(lab.path("edit/longshore.schema.yaml")).unwrap()
}

/// The file with one column's words behind its name.
fn edited(text: &str, column: &str, words: &str) -> String {
    let from = format!("- name: {column}\n    data_type: ");
    let at = text.find(&from).unwrap_or_else(|| panic!("{column} in {text}")) + from.len();
    let end = at + text[at..].find('\n').unwrap();
    format!("{}{words}{}", &text[..at], &text[end..])
}

#[test]
fn edits_are_honoured_in_duckdb_postgres_and_files() {
    let server = PostgresServer::start(&[]);
    let postgres = server.url(&server.new_database());
    for url in ["", &postgres, "files"] {
        let lab = Lab::new();
        let url = if url == "files" { format!("file://{}", lab.path("files").display()) } else { url.to_owned() };
        let to: Vec<&str> = if url.is_empty() { Vec::new() } else { vec!["--destination", &url] };
        ok(load(&lab, FIRST, &to));
        let text = edited(&file(&lab), "s", "text\n    unique: true\n    description: a word");
        let text = if url.starts_with("file:") {
            text
        } else {
            edited(&text, "n", "decimal\n    precision: 22\n    scale: 3")
        };
        let new = "tables:\n- name: later\n  columns:\n  - name: at\n    data_type: timestamp\n    timezone: false\n";
        let text = text.replacen("tables:\n", new, 1);
        let text = text.replacen(
            "- name: id\n",
            "- name: more\n    data_type: decimal\n    precision: 5\n    scale: 2\n  - name: id\n",
            1,
        );
        let text = text.replacen("- name: t__lines\n", "- name: t__lines\n  schema_contract: discard_row\n", 1);
        lab.write("edit/longshore.schema.yaml", &text);
        let records = "{\"id\":2,\"n\":2,\"s\":\"b\",\"more\":1.5,\"lines\":[{\"q\":2},{\"q\":3,\"bad\":1}]}\n";
        ok(load(&lab, records, &to));
        let query = |sql: &str| {
            let output = lab.run(&[&["query", sql, "--format", "csv"], &to[..]].concat());
            assert_eq!(output.status, Some(0), "{output:#?}");
            output.stdout.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(query("SELECT id, more FROM t ORDER BY id"), ["1,", "2,1.50"], "{url}");
        assert_eq!(query("SELECT q FROM t__lines ORDER BY q"), ["1", "2"], "{url}");
        if !url.starts_with("file:") {
            assert_eq!(query("SELECT n FROM t ORDER BY id"), ["1.000", "2.000"], "{url}");
            assert_eq!(query("SELECT count(*) FROM later"), ["0"], "{url}");
            let output = load(&lab, "{\"id\":3,\"s\":\"b\"}\n", &to);
            assert_eq!(output.status, Some(1), "{output:#?}");
            assert!(output.stderr.contains("must be unique") && output.stderr.contains("column s"), "{output:#?}");
        }
    }
}

#[test]
fn a_file_that_was_not_edited_stands_in_no_columns_way() {
    let lab = Lab::new();
    ok(load(&lab, FIRST, &[]));
    ok(load(&lab, "{\"id\":2,\"n\":0.5}\n", &[]));
    ok(load(&lab, "{\"id\":3,\"n\":1.5}\n", &[]));
    assert_eq!(json!(lab.rows("SELECT n FROM t ORDER BY id")), json!([[1.0], [0.5], [1.5]]));
    // Whoever edits it says what has become of the column.
    let text = edited(&file(&lab), "s", "text\n    description: a word");
    lab.write("edit/longshore.schema.yaml", &text);
    let output = load(&lab, FIRST, &[]);
    assert!(
        output.status == Some(2) && output.stderr.contains("a double column with rows cannot become bigint"),
        "{output:#?}"
    );
    lab.write("edit/longshore.schema.yaml", edited(&text, "n", "double"));
    ok(load(&lab, FIRST, &[]));
}

#[test]
fn a_wrong_edit_is_named_with_its_path_file_and_line() {
    let lab = Lab::new();
    ok(load(&lab, FIRST, &[]));
    let text = file(&lab);
    let line_of = |text: &str, words: &str| text.lines().position(|l| l.contains(words)).unwrap() + 1;
    for (wrong, marked, path, message) in [
        (edited(&text, "n", "int"), "data_type: int", "tables.t.columns.n", "no type 'int'"),
        (edited(&text, "n", "bigint\n    uniqe: true"), "uniqe", "tables.t.columns.n", "no 'uniqe'"),
        (edited(&text, "n", "date"), "name: n", "tables.t.columns.n", "cannot become date"),
        (edited(&text, "s", "text\n    precision: 3"), "name: s", "tables.t.columns.s", "cannot become text(3)"),
        (edited(&text, "q", "bigint\n    scale: 3"), "name: q", "tables.t__lines.columns.q", "no scale"),
        (
            text.replacen("- name: id\n", "- name: OrderId\n    data_type: text\n  - name: id\n", 1),
            "OrderId",
            "OrderId",
            "order_id",
        ),
        (text.replacen("parent: t\n", "parent: u\n", 1), "- name: t__lines", "tables.t__lines", "another parent"),
    ] {
        lab.write("edit/longshore.schema.yaml", &wrong);
        let output = load(&lab, FIRST, &[]);
        assert_eq!(output.status, Some(2), "{message}: {output:#?}");
        let line = format!("line {}", line_of(&wrong, marked));
        for part in [message, path, "longshore.schema.yaml", &line] {
            assert!(output.stderr.contains(part), "{part}: {output:#?}\n{wrong}");
        }
    }
    lab.write("edit/longshore.schema.yaml", "tables: [");
    let output = load(&lab, FIRST, &[]);
    assert!(output.status == Some(2) && output.stderr.contains("line "), "{output:#?}");
    assert_eq!(lab.count("t"), 1);
}

const DLT: &str = r#"
import dlt, sys
p = dlt.pipeline("longshore", destination=dlt.destinations.duckdb("dlt.duckdb"), dataset_name="raw", export_schema_path="edit", pipelines_dir="dlt")
columns = {"price": {"data_type": "decimal", "precision": 10, "scale": 2}, "n": {"data_type": "bigint", "precision": 16},
           "much": {"data_type": "decimal"}, "seen": {"data_type": "timestamp", "timezone": False}, "id": {"nullable": False}}
p.run([{"id": 1, "price": 1.5, "n": 1, "much": 2, "seen": "2024-01-01T00:00:00", "tags": ["a"]}], table_name="t", columns=columns,
      schema_contract={"columns": "freeze"})
"#;

#[test]
fn the_file_that_dlt_exports_is_gone_by() {
    let lab = Lab::new();
    let mut dlt = Command::new(python());
    dlt.args(["-c", DLT])
        .current_dir(lab.path("."))
        .env("RUNTIME__DLTHUB_TELEMETRY", "false")
        .env("DLT_DATA_DIR", lab.path("dlt-data"))
        .env("HOME", lab.path("home"));
    let output = dlt.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let more = ["--system-columns", "dlt", "--dataset", "raw"];
    let records =
        "{\"id\":7,\"price\":\"0.10\",\"n\":3,\"much\":0.5,\"seen\":\"2024-01-31T00:00:00Z\",\"tags\":[\"b\"]}\n";
    ok(load(&lab, records, &more));
    let columns = "SELECT table_name || '.' || column_name || ' ' || data_type FROM information_schema.columns WHERE table_schema = 'raw' AND table_name IN ('t', 't__tags') ORDER BY table_name, ordinal_position";
    let of = |file: &str| -> Vec<Vec<Value>> { longshore_tests::rows_in(&lab.path(file), "raw", columns) };
    assert_eq!(of("load.duckdb"), of("dlt.duckdb"));
    let rows = longshore_tests::rows_in(
        &lab.database(),
        "raw",
        "SELECT id, price::VARCHAR, n, much::VARCHAR, seen::VARCHAR FROM t",
    );
    assert_eq!(json!(rows), json!([[7, "0.10", 3, "0.500000000", "2024-01-31 00:00:00"]]));
    // Its contract holds, too.
    let output = load(&lab, "{\"id\":8,\"new\":1}\n", &more);
    assert!(output.status == Some(1) && output.stderr.contains("'new' would be (new)"), "{output:#?}");
    // A wrong word of it is named.
    let text = file(&lab).replacen("data_type: decimal", "data_type: decimals", 1);
    lab.write("edit/longshore.schema.yaml", &text);
    let output = load(&lab, records, &more);
    assert_eq!(output.status, Some(2), "{output:#?}");
    assert!(output.stderr.contains("'decimals'") && output.stderr.contains("line "), "{output:#?}");
    // What we export in dlt's mode has dlt's form.
    let lab = Lab::new();
    ok(load(&lab, FIRST, &["--system-columns", "dlt"]));
    assert!(file(&lab).contains("engine_version: 11"), "{}", file(&lab));
}

#[test]
fn a_file_of_another_pipeline_and_a_folder_that_cannot_be_are_refused() {
    let lab = Lab::new();
    ok(load(&lab, FIRST, &[]));
    let text = file(&lab);
    lab.write("edit/longshore.schema.yaml", text.replacen("name: longshore", "name: other", 1));
    let output = load(&lab, FIRST, &[]);
    assert_eq!(output.status, Some(2), "{output:#?}");
    for part in ["is that of 'other', and this is 'longshore'", "line 1)", "write name: longshore in it"] {
        assert!(output.stderr.contains(part), "{part}: {output:#?}");
    }
    let contract = text.replacen("- name: t\n", "- name: t\n  schema_contract: frozen\n", 1);
    lab.write("edit/longshore.schema.yaml", contract);
    let output = load(&lab, FIRST, &[]);
    for part in ["'frozen'", "path tables.t.schema_contract", "modes are: evolve, freeze"] {
        assert!(output.status == Some(2) && output.stderr.contains(part), "{part}: {output:#?}");
    }
    lab.write("blocked", "a file where a folder is named");
    let output = lab.run(&["load", "t.ndjson", "--export-schema-path", "blocked/deep"]);
    assert!(output.status == Some(1) && output.stderr.contains("hint: name a folder that can be made"), "{output:#?}");
}
