//! What `longshore query` prints: no value is another than the database's, whatever its type, in every format.

use longshore_tests::{Lab, Output, documents};
use serde_json::{Value, json};
use std::process::Stdio;

const FORMATS: [&str; 4] = ["table", "csv", "json", "parquet"];

/// A database with something in it.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.write("t.json", "[{\"id\":1}]");
    lab.load(&["t.json"]);
    lab
}

fn printed(lab: &Lab, sql: &str, format: &str) -> String {
    let output = lab.run(&["query", sql, "--format", format]);
    assert_eq!((output.status, output.stderr.as_str()), (Some(0), ""), "{sql} {format}: {output:#?}");
    output.stdout
}

fn rows(lab: &Lab, sql: &str) -> Vec<Value> {
    documents(&printed(lab, sql, "json"))
}

/// What another reader finds in the Parquet file.
fn parquet(lab: &Lab, sql: &str) -> Vec<Vec<Value>> {
    let output = lab.command(&["query", sql, "--format", "parquet"]).output().expect("the binary runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{sql}: {output:?}");
    let file = lab.write("rows.parquet", &output.stdout);
    lab.rows(&format!("SELECT COLUMNS(*)::VARCHAR FROM read_parquet('{}')", file.display()))
}

#[test]
fn numbers_have_all_their_digits() {
    let lab = lab();
    for (sql, value) in [
        ("340282366920938463463374607431768211455::uhugeint", "340282366920938463463374607431768211455"),
        ("170141183460469231731687303715884105727::hugeint", "170141183460469231731687303715884105727"),
        ("(-170141183460469231731687303715884105727)::hugeint", "-170141183460469231731687303715884105727"),
        ("'123456789012345678901234567890123456789012345'::bignum", "123456789012345678901234567890123456789012345"),
        ("'0101'::bit", "0101"),
        ("'12:00:00+02:30'::timetz", "12:00:00+02:30"),
        ("union_value(k := 1)", "1"),
        ("12::hugeint", "12"),
        ("'24:00:00'::time", "24:00:00"),
    ] {
        let sql = format!("SELECT {sql} AS v");
        assert_eq!(printed(&lab, &sql, "csv"), format!("v\n{value}\n"));
        assert!(printed(&lab, &sql, "table").contains(&format!("| {value} |")), "{sql}");
        let json = printed(&lab, &sql, "json");
        assert!([format!("{{\"v\":{value}}}\n"), format!("{{\"v\":\"{value}\"}}\n")].contains(&json), "{json}");
        assert_eq!(parquet(&lab, &sql), [[json!(value)]], "{sql}");
    }
    // What stands inside of something comes as DuckDB's text of the whole.
    let nested = "SELECT {'a': [340282366920938463463374607431768211455::uhugeint]} AS v";
    assert_eq!(printed(&lab, nested, "csv"), "v\n{'a': [340282366920938463463374607431768211455]}\n");
    let nested = "SELECT [170141183460469231731687303715884105727::hugeint] AS v";
    assert_eq!(printed(&lab, nested, "csv"), "v\n[170141183460469231731687303715884105727]\n");
}

#[test]
fn the_query_may_be_any_text() {
    let lab = lab();
    for sql in [
        "SELECT '1'::BIT AS v -- the last",
        "SELECT '1'::BIT AS v ; ;\n",
        "WITH a AS (SELECT '1'::BIT AS v) FROM a",
        "FROM (VALUES ('1'::BIT)) AS t(v)",
    ] {
        assert_eq!(printed(&lab, sql, "csv"), "v\n1\n", "{sql}");
    }
    let sorted =
        printed(&lab, "SELECT range AS \"V \"\"x\", '1'::BIT AS b FROM range(3000) ORDER BY range DESC", "csv");
    let lines: Vec<&str> = sorted.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[1], lines[3000]), (3001, "\"V \"\"x\",b", "2999,1", "0,1"));
    // What cannot be described is printed as it is, or refused.
    assert!(printed(&lab, "EXPLAIN SELECT 1", "csv").contains("PROJECTION"));
    assert_eq!(printed(&lab, "SELECT 1; SELECT 2 AS v", "csv"), "v\n2\n");
    let several = lab.run(&["query", "SELECT 1; SELECT 2::UHUGEINT AS v", "--format", "csv"]);
    assert_eq!((several.status, several.stdout.as_str()), (Some(1), ""));
    assert!(several.stderr.contains("cast it to VARCHAR"), "{}", several.stderr);
    for nothing in ["", ";", " -- SELECT 1"] {
        let output = lab.run(&["query", nothing]);
        assert_eq!((output.status, output.stdout.as_str()), (Some(2), ""), "{nothing:?}");
        assert!(output.stderr.starts_with("error: there is no statement in the query\n"), "{}", output.stderr);
    }
}

#[test]
fn what_is_nested_is_json_in_csv() {
    let lab = lab();
    let sql = "SELECT [1, 2] AS a, {'x': 'a, \"b\"', 'd': DATE '2024-01-31'} AS b, MAP {1: 'one'} AS c, [1.5, 2]::DOUBLE[2] AS d, NULL::INT[] AS e";
    let csv = printed(&lab, sql, "csv");
    let expected = "a,b,c,d,e\n\"[1,2]\",\"{\"\"x\"\":\"\"a, \\\"\"b\\\"\"\"\",\"\"d\"\":\"\"2024-01-31\"\"}\",\"{\"\"1\"\":\"\"one\"\"}\",\"[1.5,2.0]\",\n";
    assert_eq!(csv, expected);
    let row = json!({ "a": [1, 2], "b": { "x": "a, \"b\"", "d": "2024-01-31" }, "c": { "1": "one" }, "d": [1.5, 2.0], "e": null });
    assert_eq!(rows(&lab, sql), [row]);
    assert!(FORMATS.iter().all(|f| *f == "parquet" || !printed(&lab, sql, f).is_empty()));
    assert_eq!(parquet(&lab, sql).len(), 1);
}

#[test]
fn every_type_goes_in_every_format() {
    let lab = lab();
    let sql = "FROM test_all_types()";
    for format in ["table", "csv", "json"] {
        let text = printed(&lab, sql, format);
        assert!(!text.contains("ERROR") && !text.contains("error:"), "{format}: {text}");
    }
    assert_eq!(rows(&lab, sql).len(), 3);
    assert_eq!(parquet(&lab, sql).len(), 3);
    assert_eq!(parquet(&lab, "SELECT INTERVAL 1 DAY AS v, union_value(k := 1) AS u"), [[json!("1 days"), json!("1")]]);
    let seconds = "SELECT '2024-01-01 10:00:05'::timestamp_s AS v, ['1969-01-01'::timestamp_s, NULL] AS l";
    let read = [[json!("2024-01-01 10:00:05"), json!("['1969-01-01 00:00:00', NULL]")]];
    assert_eq!(parquet(&lab, seconds), read);
}

#[test]
fn infinite_moments_are_called_so() {
    let lab = lab();
    let sql = "SELECT 'inf'::TIMESTAMPTZ AS a, '-inf'::DATE AS b, ['inf'::TIMESTAMP, '2024-01-31'] AS c FROM range(1) UNION ALL SELECT '2024-01-31'::TIMESTAMPTZ, '2024-01-31'::DATE, []";
    assert_eq!(
        rows(&lab, sql),
        [
            json!({ "a": "infinity", "b": "-infinity", "c": ["infinity", "2024-01-31T00:00:00"] }),
            json!({ "a": "2024-01-31T00:00:00Z", "b": "2024-01-31", "c": [] })
        ]
    );
    let csv = printed(&lab, sql, "csv");
    assert!(csv.starts_with("a,b,c\ninfinity,-infinity,\"[\"\"infinity\"\",\"\"2024-01-31T00:00:00\"\"]\"\n"), "{csv}");
    assert!(
        printed(&lab, sql, "table").contains("| infinity             | -infinity  | [infinity, 2024-01-31T00:00:00] |")
    );
    assert_eq!(parquet(&lab, sql)[0][..2], [json!("infinity"), json!("-infinity")]);
}

#[test]
fn json_is_json_and_every_key_stands_once() {
    let lab = lab();
    let sql = "SELECT '{\"a\": [1.50, 123456789012345678901234567890],\n \"b\": null}'::JSON AS j, NULL::JSON AS n, '[1]' AS text";
    let text = printed(&lab, sql, "json");
    assert_eq!(text, "{\"j\":{\"a\":[1.50,123456789012345678901234567890],\"b\":null},\"n\":null,\"text\":\"[1]\"}\n");
    let twice = lab.run(&["query", "SELECT 1 AS a, 2 AS a, 3 AS a", "--format", "json"]);
    assert_eq!((twice.status, twice.stdout.as_str()), (Some(0), "{\"a\":1,\"a_2\":2,\"a_3\":3}\n"));
    assert!(twice.stderr.starts_with("note: there is more than one column \"a\"; "), "{}", twice.stderr);
    assert_eq!(printed(&lab, "SELECT 1 AS a, 2 AS a", "csv"), "a,a\n1,2\n");
}

#[test]
fn null_is_not_the_empty_text() {
    let lab = lab();
    let sql = "SELECT NULL AS a, '' AS b, ' ' AS c";
    assert_eq!(printed(&lab, sql, "csv"), "a,b,c\n,\"\", \n");
}

#[test]
fn a_value_does_not_steer_the_terminal() {
    let lab = lab();
    let table = printed(&lab, "SELECT chr(27) || '[2J' || chr(13) AS v, [chr(27)] AS w", "table");
    assert!(!table.contains(['\u{1b}', '\r']), "{table:?}");
    assert!(table.contains("| \\u{1b}[2J\\r | [\\u{1b}] |"), "{table}");
}

#[test]
fn a_reader_may_go_away() {
    let lab = lab();
    for format in FORMATS {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = lab.command(&["query", "SELECT range::VARCHAR AS v FROM range(200000)", "--format", format]);
        let output = Output::from(command.stdout(Stdio::from(writer)).output().expect("the binary runs"));
        assert_eq!((output.status, output.stderr.as_str()), (Some(0), ""), "{format}");
    }
}

#[test]
fn a_full_disk_is_no_success() {
    let lab = lab();
    for args in [
        &["tables"][..],
        &["query", "FROM t"],
        &["query", "FROM t", "--format", "json"],
        &["pipeline", "longshore", "info"],
        &["load", "t.json", "--json"],
    ] {
        let full = std::fs::File::create("/dev/full").expect("Linux has it");
        let output = Output::from(lab.command(args).stdout(full).output().expect("the binary runs"));
        assert_eq!(output.status, Some(1), "{args:?}");
        assert!(output.stderr.starts_with("error: cannot write to stdout\n"), "{args:?}: {}", output.stderr);
    }
    // The load whose report nobody could read is there; the same command only says so.
    assert_eq!(lab.count("t"), 2);
    assert_eq!(lab.load(&["t.json"])["outcome"], "completed");
    assert_eq!(lab.count("t"), 2);
}

#[test]
fn files_are_asked_by_the_same_rules() {
    let lab = lab();
    let place = ["--destination", "./lake", "--dataset", "d"];
    lab.load(&[&["t.json"][..], &place].concat());
    let sql = "SELECT 340282366920938463463374607431768211455::UHUGEINT AS v, '[1]'::JSON AS j FROM t";
    let output = lab.run(&[&["query", sql, "--format", "json"][..], &place].concat());
    assert_eq!(
        (output.status, output.stdout.as_str()),
        (Some(0), "{\"v\":\"340282366920938463463374607431768211455\",\"j\":[1]}\n"),
        "{output:#?}"
    );
}
