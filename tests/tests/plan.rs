//! `longshore plan`: what it says comes true, and it changes nothing.

use longshore_testkit::servers::postgres::PostgresServer;
use longshore_tests::{Lab, execute, rows};
use serde_json::{Value, json};

const CHANGES: i32 = 3;
const REFUSED: i32 = 4;
const NEW: &str = "{\"id\":1,\"l\":[{\"q\":1}],\"o\":{\"at\":\"2024-01-01T00:00:00Z\"}}\n{\"id\":2,\"n\":0.5}\n";

fn plan(lab: &Lab, words: &[&str], status: i32) -> Value {
    let output = lab.run(&[&["plan"], words, &["--json"]].concat());
    assert_eq!(output.status, Some(status), "{output:#?}");
    output.json()
}

fn table<'a>(plan: &'a Value, name: &str) -> &'a Value {
    let tables = plan["destinations"][0]["tables"].as_array().expect("a list of tables");
    tables.iter().find(|t| t["table"] == name).unwrap_or_else(|| panic!("{name} in {plan:#}"))
}

#[test]
fn the_statements_make_the_tables_that_a_load_makes() {
    let lab = Lab::new();
    lab.write("t.ndjson", format!("{NEW}oops\n"));
    let words = ["t.ndjson", "--on-error", "reject"];
    let planned = plan(&lab, &words, CHANGES);
    assert!(!lab.database().exists(), "a plan made the file");
    assert!(!lab.data_dir().exists(), "a plan made the working folder");
    assert_eq!((&planned["counts"]["read"], &table(&planned, "t__l")["rows"]), (&json!(3), &json!(1)));
    assert_eq!(table(&planned, "_rejects")["columns"].as_array().map(Vec::len), Some(7));
    lab.load(&words);
    let by_hand = lab.path("by-hand.duckdb");
    let columns = "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns WHERE table_schema = 'longshore_dataset' ORDER BY ALL";
    let statements = planned["destinations"][0]["statements"].as_array().unwrap();
    execute(&by_hand, &statements.iter().map(|s| s.as_str().unwrap()).collect::<Vec<_>>());
    assert_eq!(rows(&by_hand, columns), rows(&lab.database(), columns));
}

#[test]
fn nothing_changes_but_rows_where_the_tables_fit() {
    let lab = Lab::new();
    lab.write("t.ndjson", NEW);
    lab.load(&["t.ndjson"]);
    let before = std::fs::read(lab.database()).unwrap();
    let planned = plan(&lab, &["t.ndjson"], 0);
    assert_eq!((planned["verdict"].as_str(), &table(&planned, "t")["existing_rows"]), (Some("none"), &json!(2)));
    lab.write("t.ndjson", "{\"id\":3,\"new\":true}\n");
    let planned = plan(&lab, &["t.ndjson"], CHANGES);
    assert_eq!(table(&planned, "t")["columns"], json!([{"name": "new", "data_type": "bool"}]));
    assert_eq!(std::fs::read(lab.database()).unwrap(), before, "a plan wrote to the file");
    assert_eq!(lab.count("t"), 2);
}

#[test]
fn what_a_replace_and_a_merge_would_touch() {
    let lab = Lab::new();
    lab.write("t.ndjson", NEW);
    lab.load(&["t.ndjson"]);
    let replaced = plan(&lab, &["t.ndjson", "--write-disposition", "replace"], CHANGES);
    assert_eq!(
        (&table(&replaced, "t")["removed_rows"], &table(&replaced, "t__l")["removed_rows"]),
        (&json!(2), &json!(1))
    );
    lab.write("t.ndjson", "{\"id\":2}\n{\"id\":9}\n");
    let merged = plan(&lab, &["t.ndjson", "--write-disposition", "merge", "--primary-key", "id"], CHANGES);
    assert_eq!(table(&merged, "t")["matched_rows"], json!(1));
    // The list of record 1 stays.
    assert_eq!(table(&merged, "t__l")["matched_rows"], json!(0));
}

#[test]
fn each_strategy_says_what_becomes_of_rows_that_are_there() {
    let lab = Lab::new();
    lab.write("t.ndjson", "{\"id\":1,\"l\":[1,2]}\n{\"id\":2}\n{\"id\":3,\"l\":[3]}\n");
    lab.load(&["t.ndjson"]);
    lab.write("t.ndjson", "{\"id\":1}\n{\"id\":4}\n");
    let by = |strategy: &str, status| {
        let words = ["t.ndjson", "--write-disposition", "merge", "--primary-key", "id", "--merge-strategy", strategy];
        let planned = plan(&lab, &words, status);
        let numbers = ["matched_rows", "deleted_rows"].map(|key| table(&planned, "t")[key].clone());
        let output = lab.run(&[&["plan"], &words[..]].concat());
        assert_eq!(output.stdout.contains("nothing else changes"), status == 0, "{output:#?}");
        (numbers, output.stdout, table(&planned, "t__l")["matched_rows"].clone())
    };
    let (numbers, says, below) = by("upsert", CHANGES);
    assert!(says.contains("1 of them with a key of the load, which would be replaced"), "{says}");
    assert_eq!((numbers, below), ([json!(1), Value::Null], json!(2)));
    let (numbers, says, _) = by("cdc", CHANGES);
    assert!(says.contains("which would be replaced, and 2 without, which would be deleted"), "{says}");
    assert_eq!(numbers, [json!(1), json!(2)]);
    let (_, says, _) = by("insert-only", 0);
    assert!(says.contains("stay as they are"), "{says}");
    assert_eq!(lab.count("t"), 3);
}

#[test]
fn versions_that_begin_and_end_are_planned() {
    let lab = Lab::new();
    lab.write("t.ndjson", "{\"id\":1}\n{\"id\":2}\n");
    lab.load(&["t.ndjson"]);
    let scd2 = ["t.ndjson", "--write-disposition", "merge", "--merge-strategy", "scd2"];
    let planned = plan(&lab, &scd2, CHANGES);
    let added: Vec<String> = ["_valid_from", "_valid_to", "_row_hash"]
        .iter()
        .map(|name| {
            let kind = if *name == "_row_hash" { "VARCHAR" } else { "TIMESTAMP WITH TIME ZONE" };
            format!("ALTER TABLE \"longshore_dataset\".\"t\" ADD COLUMN \"{name}\" {kind}")
        })
        .collect();
    assert_eq!(planned["destinations"][0]["statements"], json!(added));
    assert_eq!(table(&planned, "t")["ended_rows"], json!(2), "without hashes, no row is known again");
    lab.load(&scd2);
    let again = plan(&lab, &scd2, 0);
    assert_eq!(again["destinations"][0]["statements"], json!([]));
    assert_eq!(table(&again, "t")["ended_rows"], json!(0));
    lab.write("t.ndjson", "{\"id\":1}\n");
    assert_eq!(table(&plan(&lab, &scd2, CHANGES), "t")["ended_rows"], json!(1));
    // What another way of writing left there is not made again.
    lab.load(&["t.ndjson"]);
    assert_eq!(plan(&lab, &scd2, CHANGES)["destinations"][0]["statements"], json!([]));
}

#[test]
fn a_merge_that_would_be_refused_is() {
    let lab = Lab::new();
    lab.write("t.ndjson", "{\"id\":1}\n{\"v\":2}\n{\"v\":3}\n");
    let merge = ["t.ndjson", "--write-disposition", "merge", "--primary-key"];
    let planned = plan(&lab, &[&merge[..], &["nope"]].concat(), REFUSED);
    let refused = planned["destinations"][0]["refused"].to_string();
    assert!(refused.contains("'nope' is not a column") && refused.contains("id"), "{refused}");
    let planned = plan(&lab, &[&merge[..], &["id"]].concat(), REFUSED);
    let violation = &planned["destinations"][0]["violations"][0];
    assert_eq!((&violation["count"], &violation["line"], &violation["column"]), (&json!(2), &json!(2), &json!("id")));
}

#[test]
fn a_sample_is_one_of_each_resource() {
    let lab = Lab::new();
    let resource = |name: &str| format!("[[sources.files.resources]]\nname = \"{name}\"\nfiles = \"{name}.ndjson\"\n");
    let project = format!("[sources.files]\ntype = \"files\"\n{}{}", resource("a"), resource("b"));
    lab.write("longshore.toml", format!("{project}[sources.more]\ntype = \"files\"\nfiles = \"c.ndjson\"\n"));
    for name in ["a", "b", "c"] {
        lab.write(&format!("{name}.ndjson"), "{\"id\":1}\n".repeat(5));
    }
    let planned = plan(&lab, &["run", "--sample", "2"], CHANGES);
    assert_eq!(planned["counts"]["read"], json!(6));
    let tables = planned["destinations"][0]["tables"].as_array().unwrap();
    let rows: Vec<Value> = tables.iter().map(|t| json!([t["table"], t["rows"]])).collect();
    assert_eq!(rows, [json!(["a", 2]), json!(["b", 2]), json!(["more", 2])]);
}

#[test]
fn a_destination_that_cannot_says_so() {
    let lab = Lab::new();
    lab.write("t.ndjson", NEW);
    let words = ["t.ndjson", "--destination", "duckdb:///no/such/folder/x.duckdb"];
    let output = lab.run(&[&["plan"], words.as_slice()].concat());
    assert_ne!(output.status, Some(0), "{output:#?}");
    let words = ["t.ndjson", "--write-disposition", "merge", "--merge-strategy", "upsert"];
    let output = lab.run(&[&["plan"], words.as_slice()].concat());
    assert!(output.status == Some(2) || output.status == Some(REFUSED), "{output:#?}");
    assert!(format!("{}{}", output.stdout, output.stderr).contains("primary key"), "{output:#?}");
}

#[test]
fn a_sample_is_all_that_is_read() {
    let lab = Lab::new();
    // What comes behind the sample is not even JSON.
    lab.write("t.ndjson", format!("{}oops\n", "{\"id\":1}\n".repeat(50)));
    let planned = plan(&lab, &["t.ndjson", "--sample", "10"], CHANGES);
    assert_eq!(planned["counts"]["read"], json!(10));
    assert_eq!(lab.run(&["plan", "t.ndjson"]).status, Some(1));
}

#[test]
fn a_role_that_only_reads_is_enough() {
    let server = PostgresServer::shared();
    let database = server.new_database();
    let lab = Lab::new();
    lab.write("t.ndjson", NEW);
    let url = server.url(&database);
    let to = |url: &str| -> Vec<String> {
        ["t.ndjson", "--dataset", "raw", "--destination", url].map(str::to_owned).to_vec()
    };
    let words = to(&url);
    lab.load(&words.iter().map(String::as_str).collect::<Vec<_>>());
    server.psql(&database, "CREATE ROLE looker LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA raw TO looker; GRANT SELECT ON ALL TABLES IN SCHEMA raw TO looker; ALTER ROLE looker SET default_transaction_read_only = on");
    lab.write("t.ndjson", "{\"id\":2,\"more\":1}\n");
    let reads = format!("postgres://looker:x@{}", url.split_once('@').unwrap().1);
    let words =
        [to(&reads), ["--write-disposition", "merge", "--primary-key", "id"].map(str::to_owned).to_vec()].concat();
    let planned = plan(&lab, &words.iter().map(String::as_str).collect::<Vec<_>>(), CHANGES);
    assert_eq!(table(&planned, "t")["matched_rows"], json!(1));
    assert_eq!(
        planned["destinations"][0]["statements"],
        json!(["ALTER TABLE \"raw\".\"t\" ADD COLUMN \"more\" bigint"])
    );
    let columns = server.psql(
        &database,
        "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'raw' AND column_name = 'more'",
    );
    assert_eq!(columns.trim(), "0");
}

#[test]
fn a_package_that_waits_can_be_planned() {
    let lab = Lab::new();
    lab.write("t.ndjson", NEW);
    lab.load(&["t.ndjson", "--keep-packages", "1"]);
    let packages = lab.run(&["pipeline", "longshore", "packages", "--json"]).json();
    let load_id = packages.to_string().split("load_id\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let other = format!("duckdb://{}", lab.path("other.duckdb").display());
    let planned = plan(&lab, &["package", &load_id, "--destination", &other], CHANGES);
    assert_eq!(table(&planned, "t")["rows"], json!(2));
    assert!(!lab.path("other.duckdb").exists());

    let there = plan(&lab, &["package", &load_id], 0);
    assert_eq!((&there["destinations"][0]["is_there"], &there["verdict"]), (&json!(true), &json!("none")));
    let said = lab.run(&["plan", "package", &load_id]);
    assert!(said.stdout.contains("the load is there already, nothing would be done"), "{said:#?}");
}

const VIOLATIONS: &str =
    "{\"id\":1,\"new\":1,\"l\":[{\"n\":1,\"extra\":2}],\"m\":[1]}\n{\"id\":\"x\"}\n{\"id\":3,\"new\":2}\n";

#[test]
fn all_violations_of_a_contract_are_listed_and_counted() {
    let lab = Lab::new();
    lab.write("t.ndjson", "{\"id\":1,\"l\":[{\"n\":1}]}\n");
    lab.load(&["t.ndjson"]);
    lab.write("t.ndjson", VIOLATIONS);
    let planned = plan(&lab, &["t.ndjson", "--schema-contract", "freeze"], REFUSED);
    let destination = &planned["destinations"][0];
    assert_eq!(destination["verdict"], json!("refused"));
    let violations = destination["violations"].as_array().unwrap();
    let line = |v: &Value| json!([v["table"], v["column"], v["path"], v["count"], v["line"]]);
    let mut found: Vec<String> = violations.iter().map(|v| line(v).to_string()).collect();
    found.sort();
    let expect = [
        r#"["t","id","id",1,2]"#,
        r#"["t","new","new",2,1]"#,
        r#"["t__l","extra","l.extra",1,1]"#,
        r#"["t__m",null,"m",1,1]"#,
    ];
    assert_eq!(found, expect);
    assert!(violations.iter().all(|v| v["file"].as_str().unwrap().contains("t.ndjson")), "{violations:?}");
    let output = lab.run(&["plan", "t.ndjson", "--schema-contract", "freeze"]);
    assert_eq!(output.status, Some(REFUSED), "{output:#?}");
    assert!(
        output.stdout.contains("'new' would be (new) (2 times, first in") && output.stdout.contains("'t__m'"),
        "{output:#?}"
    );
    // Only what freezes refuses; the rest is said.
    let planned = plan(&lab, &["t.ndjson", "--schema-contract", "discard_value"], 0);
    assert_eq!(planned["discards"].as_array().map(Vec::len), Some(3), "{planned:#}");
    assert_eq!(lab.count("t"), 1);
}

#[test]
fn a_limit_is_a_violation_too_and_many_are_not_all_listed() {
    let lab = Lab::new();
    let keys: Vec<String> = (0..2000).map(|i| format!("\"k{i}\":1")).collect();
    lab.write("t.ndjson", format!("{{{}}}\n", keys.join(",")));
    let planned = plan(&lab, &["t.ndjson", "--max-columns", "100"], REFUSED);
    let destination = &planned["destinations"][0];
    let listed = destination["violations"].as_array().unwrap().len() as u64;
    assert_eq!(listed + destination["violations_not_listed"].as_u64().unwrap(), 1900, "{destination:#}");
    assert!(listed < 1000 && destination["violations"][0]["hint"].as_str().unwrap().contains("--json-columns"));
}

#[test]
fn wider_columns_and_indexes_are_among_the_statements() {
    let server = PostgresServer::start(&[]);
    let database = server.new_database();
    let lab = Lab::new();
    lab.write("t.ndjson", "{\"id\":1,\"n\":1}\n");
    let url = server.url(&database);
    let to = ["t.ndjson", "--dataset", "raw", "--destination", &url];
    lab.load(&to);
    lab.write("t.ndjson", "{\"id\":2,\"n\":0.5,\"sku\":\"a\"}\n");
    let hint = "sku=text:precision=20:unique:description=the article";
    let words = [&to[..], &["--hint", hint]].concat();
    let planned = plan(&lab, &words, CHANGES);
    let expect = json!([
        "ALTER TABLE \"raw\".\"t\" ALTER COLUMN \"n\" TYPE double precision USING CAST(\"n\" AS double precision)",
        "ALTER TABLE \"raw\".\"t\" ADD COLUMN \"sku\" character varying(20)",
        "CREATE UNIQUE INDEX IF NOT EXISTS \"t__sku__unique\" ON \"raw\".\"t\" (\"sku\")",
        "COMMENT ON COLUMN \"raw\".\"t\".\"sku\" IS 'the article'",
    ]);
    assert_eq!(planned["destinations"][0]["statements"], expect);
    assert_eq!(table(&planned, "t")["widened"], json!([{ "column": "n", "from": "bigint", "to": "double" }]));
    lab.load(&words);
    let indexes = server.psql(&database, "SELECT indexdef FROM pg_indexes WHERE schemaname = 'raw'");
    assert!(indexes.contains("UNIQUE INDEX t__sku__unique"), "{indexes}");
}

#[test]
fn values_that_unique_columns_would_have_twice_are_refused_as_the_load_refuses_them() {
    let lab = Lab::new();
    let hint = ["t.ndjson", "--hint", "u=text:unique"];
    let by_id = [&hint[..], &["--write-disposition", "merge", "--primary-key", "id"]].concat();
    let replaced = [&hint[..], &["--write-disposition", "replace"]].concat();
    lab.write("t.ndjson", "{\"id\":1,\"u\":\"it's\"}\n{\"id\":2,\"u\":\"b\"}\n{\"id\":3}\n");
    lab.load(&["t.ndjson"]);
    lab.load(&["t.ndjson"]);
    let planned = plan(&lab, &hint, REFUSED);
    let violations = planned["destinations"][0]["violations"].to_string();
    assert!(violations.contains("2 values are there more than once"), "{planned:#}");
    lab.load(&replaced);
    let again = "more than once";
    let stay = "rows that stay";
    for (records, words, expect) in [
        ("{\"id\":4,\"u\":\"it's\"}\n{\"id\":5,\"u\":\"c\"}", &hint[..], vec![stay]),
        ("{\"id\":4,\"u\":\"c\"}\n{\"id\":5,\"u\":\"c\"}", &hint, vec![again]),
        ("{\"id\":4,\"u\":\"b\"}\n{\"id\":5,\"u\":\"b\"}", &by_id, vec![again, stay]),
        ("{\"id\":1,\"u\":\"b\"}", &by_id, vec![stay]),
        ("{\"id\":1,\"u\":\"c\"}\n{\"id\":1,\"u\":\"b\"}\n{\"id\":2,\"u\":\"c\"}", &by_id, vec![]),
        ("{\"id\":2}\n{\"id\":7,\"u\":\"c\"}", &by_id, vec![]),
        ("{\"id\":8,\"u\":\"c\"}\n{\"id\":9,\"u\":\"c\"}", &replaced, vec![again]),
        ("{\"id\":8,\"u\":\"c\"}\n{\"id\":9}", &replaced, vec![]),
    ] {
        lab.write("t.ndjson", records);
        let planned = plan(&lab, words, if expect.is_empty() { CHANGES } else { REFUSED });
        let violations = planned["destinations"][0]["violations"].as_array().cloned().unwrap_or_default();
        assert_eq!(violations.len(), expect.len(), "{records}: {planned:#}");
        for (violation, what) in violations.iter().zip(&expect) {
            assert_eq!((&violation["table"], &violation["column"]), (&json!("t"), &json!("u")), "{records}");
            assert!(violation["reason"].as_str().is_some_and(|r| r.contains(what)), "{records}: {violation}");
        }
        // Files take what they are given.
        let lake = [words, &["--destination", "./lake/"]].concat();
        assert_ne!(lab.run(&[&["plan"], &lake[..]].concat()).status, Some(REFUSED), "{records}");
        let loaded = lab.run(&[&["load"], words].concat());
        assert_eq!(loaded.status, Some(i32::from(!expect.is_empty())), "{records}: {loaded:#?}");
        if !expect.is_empty() {
            assert!(loaded.stderr.contains("pipeline longshore drop-package"), "{loaded:#?}");
            assert_eq!(lab.run(&["pipeline", "longshore", "drop-package"]).status, Some(0));
        }
    }
}
