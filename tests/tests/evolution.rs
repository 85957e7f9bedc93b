//! Contracts, type conflicts, shapes by path and the schema's files, end to end.

use longshore_testkit::servers::postgres::PostgresServer;
use longshore_tests::{Lab, execute, rows};
use serde_json::{Value, json};
use std::fs;

fn load(lab: &Lab, records: &str, flags: &[&str]) -> Value {
    lab.write("in.ndjson", records);
    let mut args = vec!["in.ndjson", "--table", "t"];
    args.extend(flags);
    lab.load(&args)
}

fn columns(lab: &Lab, table: &str) -> Vec<Vec<Value>> {
    lab.rows(&format!(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = '{table}' AND column_name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY column_index"
    ))
}

const NEW: &str = "{\"id\":2,\"q\":1,\"l\":[{\"a\":2,\"z\":1},{\"a\":3}],\"m\":[1,2]}\n{\"id\":\"x\"}\n{\"id\":3}\n";

#[test]
fn a_frozen_schema_fails_before_the_destination_is_touched() {
    let lab = Lab::new();
    load(&lab, "{\"id\":1,\"l\":[{\"a\":1}]}\n", &[]);
    lab.write("new.ndjson", NEW);
    let output = lab.run(&["load", "new.ndjson", "--table", "t", "--schema-contract", "columns=freeze"]);
    assert_eq!(output.status, Some(1), "{output:#?}");
    for part in ["'q' would be (q)", "line 1,", "table t,", "columns=evolve"] {
        assert!(output.stderr.contains(part), "{part}: {output:#?}");
    }
    assert_eq!((lab.count("t"), lab.count("_loads")), (1, 1));
    // The records' own table is no path that could be left out.
    let output = lab.run(&["load", "new.ndjson", "--table", "other", "--schema-contract", "tables=freeze"]);
    assert!(output.stderr.contains("--table NAME") && !output.stderr.contains("--ignore"), "{output:#?}");
}

#[test]
fn what_is_discarded_is_counted_and_said() {
    let lab = Lab::new();
    load(&lab, "{\"id\":1,\"l\":[{\"a\":1}]}\n", &[]);
    let report = load(&lab, NEW, &["--schema-contract", "discard_value"]);
    assert_eq!(report["counts"]["normalised"], json!(3));
    let expect = json!([
        { "table": "t", "rows": 0, "values": 2 },
        { "table": "t__l", "rows": 0, "values": 1 },
        { "table": "t__m", "rows": 2, "values": 0 },
    ]);
    let mut discards = report["discards"].as_array().cloned().unwrap_or_default();
    discards.sort_by_key(|d| d["table"].to_string());
    assert_eq!(Value::from(discards), expect);
    lab.write("more.ndjson", NEW);
    let output = lab.run(&["load", "more.ndjson", "--table", "t", "--schema-contract", "discard_row"]);
    assert!(output.stdout.contains("2 of 3 records were discarded"), "{output:#?}");
    assert!(output.stdout.contains("t: the schema contract left out 2 rows and 0 values"), "{output:#?}");
    assert_eq!((lab.count("t"), lab.count("t__l")), (5, 3));
}

#[test]
fn rejected_records_are_kept_with_their_reason() {
    let lab = Lab::new();
    load(&lab, "{\"id\":1}\n", &[]);
    let report = load(&lab, NEW, &["--schema-contract", "reject"]);
    assert_eq!((report["counts"]["rejected"].clone(), report["counts"]["normalised"].clone()), (json!(2), json!(1)));
    let rows = lab.rows("SELECT line, record, reason FROM _rejects ORDER BY line");
    assert_eq!((rows[1][0].clone(), rows[1][1].clone()), (json!(2), json!("{\"id\":\"x\"}")));
    assert!(rows[0][2].as_str().is_some_and(|r| r.contains("'q'")), "{rows:?}");
}

#[test]
fn whole_numbers_become_wider_in_the_rows_that_are_there() {
    let lab = Lab::new();
    load(&lab, "{\"a\":1,\"b\":2}\n{\"a\":9007199254740993,\"b\":3}\n", &[]);
    load(&lab, "{\"a\":0.5,\"b\":0.5}\n{\"a\":18446744073709551616,\"b\":4}\n", &[]);
    let expect = [("a", "DECIMAL(38,0)"), ("b", "DOUBLE"), ("a__v_double", "DOUBLE")];
    assert_eq!(columns(&lab, "t"), expect.map(|(name, t)| vec![json!(name), json!(t)]));
    let rows = lab.rows("SELECT a::VARCHAR, b, a__v_double FROM t ORDER BY _row_id");
    let expect = json!([
        ["1", 2.0, null],
        ["9007199254740993", 3.0, null],
        [null, 0.5, 0.5],
        ["18446744073709551616", 4.0, null]
    ]);
    assert_eq!(json!(rows), expect);
    assert_eq!(lab.count("_schemas"), 2);
    let history = lab.run(&["pipeline", "longshore", "schema", "--history"]);
    assert!(history.stdout.contains("b bigint -> double"), "{history:#?}");
}

#[test]
fn policies_are_chosen_by_flag_and_by_hint() {
    let lab = Lab::new();
    let records = "{\"a\":1,\"b\":1,\"c\":1}\n{\"a\":\"x\",\"b\":\"y\",\"c\":2}\n";
    load(&lab, records, &["--on-type-conflict", "json", "--hint", "b=bigint:on_type_conflict=text"]);
    let expect = [("a", "JSON"), ("b", "VARCHAR"), ("c", "BIGINT")];
    assert_eq!(columns(&lab, "t"), expect.map(|(name, t)| vec![json!(name), json!(t)]));
    assert_eq!(json!(lab.rows("SELECT a::VARCHAR, b FROM t ORDER BY _row_id")), json!([["1", "1"], ["\"x\"", "y"]]));
}

#[test]
fn the_outcome_does_not_depend_on_the_number_of_threads() {
    let mut records = String::new();
    for i in 0..60_000u64 {
        let text = "x".repeat(60);
        records.push_str(&match i {
            30_000 => format!("{{\"id\":{i},\"n\":0.5,\"text\":\"{text}\"}}\n"),
            45_000 => format!("{{\"id\":18446744073709551616,\"n\":{i},\"new\":[1],\"text\":\"{text}\"}}\n"),
            i if i % 20_000 == 19_999 => format!("{{\"id\":{i},\"n\":\"no number\",\"text\":\"{text}\"}}\n"),
            _ => format!("{{\"id\":{i},\"n\":{},\"text\":\"{text}\",\"l\":[{{\"a\":{i}}}]}}\n", i % 7),
        });
    }
    let of = |threads: &str| {
        let lab = Lab::new();
        let flags = ["--threads", threads, "--memory", "64M", "--on-type-conflict", "widen"];
        let report = load(&lab, &records, &flags);
        let sums = lab.rows("SELECT sum(id), sum(n), count(*), count(n__v_text), (SELECT sum(a) FROM t__l) FROM t");
        (columns(&lab, "t"), json!(sums), report["tables"].clone(), report["counts"].clone())
    };
    let one = of("1");
    assert_eq!(one.0[0], [json!("id"), json!("DECIMAL(38,0)")]);
    assert_eq!(one, of("4"));
}

#[test]
fn paths_are_left_out_flattened_and_limited() {
    let lab = Lab::new();
    let record = "{\"id\":1,\"secret\":{\"a\":[1]},\"at\":[1.5,2.5]}\n";
    load(&lab, record, &["--ignore", "secret", "--flatten", "at"]);
    let names: Vec<Value> = columns(&lab, "t").into_iter().map(|c| c[0].clone()).collect();
    assert_eq!(names, [json!("id"), json!("at___0"), json!("at___1")]);
    lab.write("wide.ndjson", "{\"a\":{\"x1\":1,\"x2\":2,\"x3\":3,\"x4\":4}}\n");
    let output = lab.run(&["load", "wide.ndjson", "--table", "w", "--max-columns", "3"]);
    assert_eq!(output.status, Some(1), "{output:#?}");
    assert!(output.stderr.contains("(a.x4)") && output.stderr.contains("--json-columns"), "{output:#?}");
}

#[test]
fn wrong_words_are_refused_with_those_there_are() {
    let lab = Lab::new();
    lab.write("in.ndjson", "{\"id\":1}\n");
    let cases: [(&[&str], &str); 5] = [
        (&["--schema-contract", "frozen"], "discard_value"),
        (&["--schema-contract", "rows=freeze"], "data_type"),
        (&["--on-type-conflict", "wide"], "widen"),
        (&["--hint", "id=bigint:uniqe"], "unique"),
        (&["--hint", "id=int"], "bigint"),
    ];
    for (flags, hint) in cases {
        let output = lab.run(&[&["load", "in.ndjson", "--table", "t"], flags].concat());
        assert_eq!(output.status, Some(2), "{flags:?}: {output:#?}");
        assert!(output.stderr.contains(hint), "{flags:?}: {output:#?}");
    }
    lab.assert_nothing_loaded();
}

#[test]
fn a_schema_is_exported_edited_and_gone_by() {
    let lab = Lab::new();
    let flags = ["--export-schema-path", "out", "--import-schema-path", "edit"];
    load(&lab, "{\"id\":1,\"n\":1}\n", &flags);
    let text = fs::read_to_string(lab.path("edit/longshore.schema.yaml")).unwrap();
    assert_eq!(text, fs::read_to_string(lab.path("out/longshore.schema.yaml")).unwrap());
    let edited =
        text.replacen("name: n\n    data_type: bigint", "name: n\n    data_type: decimal\n    unique: true", 1);
    assert_ne!(edited, text);
    lab.write("edit/longshore.schema.yaml", &edited);
    load(&lab, "{\"id\":2,\"n\":2}\n", &flags);
    assert_eq!(columns(&lab, "t")[1], [json!("n"), json!("DECIMAL(38,0)")]);
    assert!(fs::read_to_string(lab.path("out/longshore.schema.yaml")).unwrap().contains("unique: true"));
    lab.write("edit/longshore.schema.yaml", edited.replacen("data_type: decimal", "data_type: date", 1));
    let output = lab.run(&[&["load", "in.ndjson", "--table", "t"][..], &flags].concat());
    assert_eq!(output.status, Some(2), "{output:#?}");
    assert!(output.stderr.contains("cannot become date"), "{output:#?}");
    let sql = lab.run(&["pipeline", "longshore", "schema", "--format", "sql"]).stdout;
    assert!(sql.contains("CREATE TABLE") && sql.contains("\"n\" DECIMAL(38,0)"), "{sql}");
    let diagram = lab.run(&["pipeline", "longshore", "schema", "--format", "mermaid"]).stdout;
    assert!(diagram.starts_with("erDiagram"), "{diagram}");
}

#[test]
fn what_an_edited_schema_calls_json_takes_what_is_nested() {
    let lab = Lab::new();
    let flags = ["--import-schema-path", "edit"];
    load(&lab, "{\"id\":1,\"v\":1.5}\n", &flags);
    let text = fs::read_to_string(lab.path("edit/longshore.schema.yaml")).unwrap();
    let edited = text.replacen("name: v\n    data_type: double", "name: v\n    data_type: json", 1);
    assert_ne!(edited, text);
    lab.write("edit/longshore.schema.yaml", &edited);
    load(&lab, "{\"id\":2,\"v\":{\"a\":[1]}}\n{\"id\":3,\"v\":[2]}\n", &flags);
    let values = lab.rows("SELECT v::VARCHAR FROM longshore_dataset.t ORDER BY id");
    assert_eq!(values, [[json!("1.5")], [json!(r#"{"a":[1]}"#)], [json!("[2]")]]);
    assert_eq!(columns(&lab, "t").iter().filter(|c| c[0].as_str().is_some_and(|n| n.starts_with('v'))).count(), 1);
}

fn lists(many: usize) -> String {
    let keys: Vec<String> = (0..many).map(|i| format!("\"k{i}\":[{{\"a\":\"x\",\"b\":1.5,\"c\":1}}]")).collect();
    format!("{{{}}}\n", keys.join(","))
}

#[test]
fn as_many_tables_as_there_may_be_are_loaded_with_the_usual_memory() {
    let lab = Lab::new();
    let report = load(&lab, &lists(999), &[]);
    assert_eq!(report["tables"].as_array().map(Vec::len), Some(1000));
    assert_eq!(lab.count("t__k998"), 1);
}

#[test]
fn columns_that_a_destination_has_no_room_for_are_refused_before_it_is_touched() {
    let server = PostgresServer::shared();
    let database = server.new_database();
    let lab = Lab::new();
    let keys: Vec<String> = (0..1599).map(|i| format!("\"k{i}\":{i}")).collect();
    lab.write("t.ndjson", format!("{{{}}}\n", keys.join(",")));
    let url = server.url(&database);
    for command in ["load", "plan"] {
        let output = lab.run(&[command, "t.ndjson", "--dataset", "raw", "--destination", &url]);
        assert_eq!(output.status, Some(if command == "load" { 2 } else { 4 }), "{output:#?}");
        let said = output.stdout + &output.stderr;
        assert!(said.contains("at most 1600 columns, and not 1601") && said.contains("--json-columns"), "{said}");
    }
    assert_eq!(server.psql(&database, "SELECT count(*) FROM pg_namespace WHERE nspname = 'raw'").trim(), "0");
    assert!(!lab.run(&["pipeline", "longshore", "packages"]).stdout.contains("WAITING"));
}

#[test]
fn a_schema_as_sql_makes_the_tables_and_as_a_diagram_has_no_word_of_mermaids() {
    let lab = Lab::new();
    lab.write("in.ndjson", "{\"pk\":1,\"d\":\"1.5\",\"l\":[{\"pk\":2,\"uk\":\"x\"}]}\n");
    let merged = ["--write-disposition", "merge", "--primary-key", "pk", "--hint", "d=decimal:precision=9:scale=2"];
    let output = lab.run(&[&["load", "in.ndjson", "--table", "end"][..], &merged].concat());
    assert_eq!(output.status, Some(0), "{output:#?}");
    let sql = lab.run(&["pipeline", "longshore", "schema", "--format", "sql"]).stdout;
    let empty = lab.path("empty.duckdb");
    execute(&empty, &[&sql]);
    let made = rows(&empty, "SELECT schema_name, table_name FROM duckdb_tables() ORDER BY table_name");
    assert_eq!(made, ["end", "end__l"].map(|table| vec![json!("longshore_dataset"), json!(table)]));
    let diagram = lab.run(&["pipeline", "longshore", "schema", "--format", "mermaid"]).stdout;
    // The key is the root's; a child's column of that name is none.
    for line in [
        "    \"end\" {\n        bigint pk_ PK \"pk\"\n        decimal d\n",
        "    \"end__l\" {\n        bigint pk_ \"pk\"\n        text uk_ \"uk\"\n",
        "    \"end\" ||--o{ \"end__l\" : has",
    ] {
        assert!(diagram.contains(line), "{diagram}");
    }
}

#[test]
fn a_project_says_it_for_all_for_a_source_and_for_a_resource() {
    let lab = Lab::new();
    lab.write("a.ndjson", "{\"id\":1}\n");
    lab.write("b.ndjson", "{\"id\":1,\"lines\":[{\"sku\":\"a\"}]}\n");
    let project = "[pipeline]\nname = \"p\"\nschema_contract = \"freeze\"\n\n[sources.files]\ntype = \"files\"\n\n[[sources.files.resources]]\nname = \"a\"\nfiles = \"a.ndjson\"\n\n[[sources.files.resources]]\nname = \"b\"\nfiles = \"b.ndjson\"\nschema_contract = { columns = \"discard_value\" }\n";
    lab.write("longshore.toml", project.replace("schema_contract = \"freeze\"\n", ""));
    assert_eq!(lab.run(&["run"]).status, Some(0));
    lab.write("longshore.toml", project);
    lab.write("b.ndjson", "{\"id\":2,\"new\":1,\"lines\":[{\"sku\":\"b\"}]}\n");
    let output = lab.run(&["run"]);
    assert_eq!(output.status, Some(0), "{output:#?}");
    assert!(output.stdout.contains("b: the schema contract left out 0 rows and 1 values"), "{output:#?}");
    lab.write("a.ndjson", "{\"id\":2,\"new\":1}\n");
    let output = lab.run(&["run"]);
    assert_eq!(output.status, Some(1), "{output:#?}");
    assert!(output.stderr.contains("'new' would be (new)"), "{output:#?}");
}

/// As dlt does with `columns` of a resource.
#[test]
fn a_hinted_field_that_no_record_has_is_a_column_without_values() {
    let lab = Lab::new();
    let hints = ["--hint", "never=date", "--hint", "l.deep=text", "--hint", "id=double"];
    lab.write("one.ndjson", "{\"id\":1,\"l\":[{\"a\":1}]}\n");
    let mut args = vec!["load", "one.ndjson", "--table", "t"];
    args.extend(hints);
    let output = lab.run(&args);
    assert_eq!(output.status, Some(0), "{output:#?}");
    assert!(output.stdout.contains("'never'") && output.stdout.contains("without values"), "{output:#?}");
    assert!(output.stdout.contains("'l.deep'") && output.stdout.contains("nothing comes of it"), "{output:#?}");
    assert_eq!(columns(&lab, "t"), [[json!("id"), json!("DOUBLE")], [json!("never"), json!("DATE")]]);
    load(&lab, "{\"id\":2,\"never\":\"2024-02-29\"}\n", &hints);
    assert_eq!(
        lab.rows("SELECT id, never::VARCHAR FROM t ORDER BY id"),
        [[json!(1.0), Value::Null], [json!(2.0), json!("2024-02-29")]]
    );
}
