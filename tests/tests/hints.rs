//! Hints of types, sizes, indexes and descriptions: what a user finds in the destination, and what is refused.

use longshore_testkit::servers::postgres::PostgresServer;
use longshore_tests::Lab;
use serde_json::{Value, json};

const HINTS: [&str; 9] = [
    "price=decimal:precision=10:scale=2:description=in euros",
    "n=bigint:precision=16",
    "m=bigint:precision=32",
    "code=text:precision=4:index",
    "seen=timestamp:timezone=false",
    "day=date",
    "at=time:precision=3",
    "lines.sku=text:precision=8:unique",
    "lines.weight=decimal",
];
const RECORDS: &str = "{\"id\":1,\"price\":19.90,\"n\":7,\"m\":-7,\"code\":\"ab\",\"seen\":\"2024-01-31T12:00:00+02:00\",\"day\":\"2024-01-31\",\"at\":\"12:34:56.789\",\"lines\":[{\"sku\":\"a\",\"weight\":0.125},{\"sku\":\"b\",\"weight\":\"1.5\"}]}\n{\"id\":2,\"price\":\"0.05\",\"n\":70000,\"code\":\"too long\",\"lines\":[{\"sku\":\"c\"}]}\n";

fn load<'a>(lab: &Lab, more: &[&'a str]) -> Value {
    let hints = HINTS.iter().flat_map(|h| ["--hint", *h]);
    lab.load(&["t.ndjson"].into_iter().chain(hints).chain(more.iter().copied()).collect::<Vec<&'a str>>())
}

/// Types of all columns but the loader's own, as `table.column type`.
fn types(rows: Vec<Vec<Value>>) -> Vec<String> {
    let line = |r: Vec<Value>| r.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect::<Vec<_>>().join(" ");
    rows.into_iter().map(line).collect()
}

#[test]
fn duckdb_has_the_types_and_descriptions_that_hints_name() {
    let lab = Lab::new();
    lab.write("t.ndjson", RECORDS);
    load(&lab, &[]);
    let found = types(lab.rows("SELECT table_name || '.' || column_name, data_type FROM duckdb_columns() WHERE column_name NOT LIKE '\\_%' ESCAPE '\\' AND table_name IN ('t', 't__lines') ORDER BY table_name, column_index"));
    let expect = [
        "t.id BIGINT",
        "t.price DECIMAL(10,2)",
        "t.n SMALLINT",
        "t.m INTEGER",
        "t.code VARCHAR",
        "t.seen TIMESTAMP",
        "t.day DATE",
        "t.at TIME",
        "t.n__v_bigint BIGINT",
        "t.code__v_text VARCHAR",
        "t__lines.sku VARCHAR",
        "t__lines.weight DECIMAL(38,9)",
    ];
    assert_eq!(found, expect);
    let rows = lab.rows(
        "SELECT price::VARCHAR, n, code, seen::VARCHAR, \"at\"::VARCHAR, n__v_bigint, code__v_text FROM t ORDER BY id",
    );
    let expect = json!([
        ["19.90", 7, "ab", "2024-01-31 10:00:00", "12:34:56.789", null, null],
        ["0.05", null, null, null, null, 70000, "too long"]
    ]);
    assert_eq!(json!(rows), expect);
    let said = lab.rows("SELECT comment FROM duckdb_columns() WHERE table_name = 't' AND column_name = 'price'");
    assert_eq!(json!(said), json!([["in euros"]]));
}

#[test]
fn postgres_has_the_types_indexes_and_descriptions_that_hints_name() {
    let server = PostgresServer::start(&[]);
    let database = server.new_database();
    let lab = Lab::new();
    lab.write("t.ndjson", RECORDS);
    let url = server.url(&database);
    let to = ["--dataset", "raw", "--destination", &url];
    load(&lab, &to);
    let types = server.psql(&database, "SELECT string_agg(attrelid::regclass || '.' || attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attrelid::regclass::text, attnum) FROM pg_attribute WHERE attrelid IN ('raw.t'::regclass, 'raw.t__lines'::regclass) AND attnum > 0 AND attname NOT LIKE '\\_%'");
    let expect = "raw.t.id bigint, raw.t.price numeric(10,2), raw.t.n smallint, raw.t.m integer, raw.t.code character varying(4), raw.t.seen timestamp without time zone, raw.t.day date, raw.t.at time(3) without time zone, raw.t.n__v_bigint bigint, raw.t.code__v_text text, raw.t__lines.sku character varying(8), raw.t__lines.weight numeric(38,9)";
    assert_eq!(types.trim(), expect);
    let indexes = server.psql(
        &database,
        "SELECT string_agg(indexdef, '; ' ORDER BY indexname) FROM pg_indexes WHERE schemaname = 'raw'",
    );
    let expect = "CREATE UNIQUE INDEX t__lines__sku__unique ON raw.t__lines USING btree (sku)";
    assert!(indexes.contains(expect) && indexes.contains("INDEX t__code__index ON raw.t"), "{indexes}");
    let said = server.psql(&database, "SELECT col_description('raw.t'::regclass, attnum) FROM pg_attribute WHERE attrelid = 'raw.t'::regclass AND attname = 'price'");
    assert_eq!(said.trim(), "in euros");
    // The next load goes straight into the tables.
    lab.write("t.ndjson", RECORDS.replace("\"sku\":\"", "\"sku\":\"zqzq"));
    load(&lab, &to);
    let sums = server.psql(&database, "SELECT sum(price), sum(n), sum(m), min(code), max(seen), max(at) FROM raw.t");
    assert_eq!(sums.trim(), "39.90|14|-14|ab|2024-01-31 10:00:00|12:34:56.789");
    // A value of a unique column that is there already.
    let output = lab.run(&[&["load", "t.ndjson"], &to[..]].concat());
    assert_eq!(output.status, Some(1), "{output:#?}");
    for part in ["must be unique", "table t__lines", "column sku"] {
        assert!(output.stderr.contains(part), "{part}: {output:#?}");
    }
    assert!(!output.stderr.contains("zqzqa"), "a value is told: {output:#?}");
    assert_eq!(server.psql(&database, "SELECT count(*) FROM raw.t").trim(), "4");
}

#[test]
fn a_value_that_is_there_twice_ends_the_load_and_names_its_place() {
    let server = PostgresServer::start(&[]);
    let database = server.new_database();
    let postgres = server.url(&database);
    for url in [None, Some(postgres.clone())] {
        let lab = Lab::new();
        let url = url.unwrap_or_else(|| format!("duckdb://{}", lab.database().display()));
        lab.write("twice.ndjson", "{\"id\":1,\"mail\":\"a\"}\n{\"id\":2,\"mail\":\"a\"}\n");
        let words = ["load", "twice.ndjson", "--table", "t", "--hint", "mail=text:unique", "--destination", &url];
        let output = lab.run(&words);
        assert_eq!(output.status, Some(1), "{output:#?}");
        for part in ["must be unique", "table t", "column mail"] {
            assert!(output.stderr.contains(part), "{part}: {output:#?}");
        }
    }
    assert_eq!(server.psql(&database, "SELECT count(*) FROM pg_tables WHERE tablename = 't'").trim(), "0");
}

#[test]
fn wrong_sizes_are_refused_with_their_path() {
    let lab = Lab::new();
    lab.write("t.ndjson", RECORDS);
    for (hint, message) in [
        ("price=decimal:precision=50", "from 1 to 38"),
        ("price=decimal:precision=4", "cannot have 9 behind the point"),
        ("price=double:precision=4", "no precision"),
        ("lines.weight=bigint:scale=2", "no scale"),
        ("lines.weight=date:timezone=false", "no time zone"),
        ("lines.weight=timestamp:precision=9", "from 0 to 6"),
    ] {
        let output = lab.run(&["load", "t.ndjson", "--hint", hint]);
        assert_eq!(output.status, Some(2), "{hint}: {output:#?}");
        let path = hint.split('=').next().unwrap();
        assert!(output.stderr.contains(message) && output.stderr.contains(path), "{hint}: {output:#?}");
    }
    lab.assert_nothing_loaded();
}

#[test]
fn a_path_that_no_record_has_is_said() {
    let lab = Lab::new();
    lab.write("t.ndjson", RECORDS);
    let words = [
        "t.ndjson",
        "--hint",
        "lines.weigth=decimal",
        "--hint",
        "lines.weight=decimal",
        "--ignore",
        "secret",
        "--json-columns",
        "lines.extra",
    ];
    let report = lab.load(&words);
    let notes = report["notes"].to_string();
    for path in ["lines.weigth", "secret", "lines.extra"] {
        assert!(notes.contains(&format!("'{path}'")), "{path}: {notes}");
    }
    assert!(!notes.contains("'lines.weight'"), "{notes}");
    // What an earlier load had is no slip of the pen.
    lab.write("t.ndjson", "{\"id\":3}\n");
    let report = lab.load(&["t.ndjson", "--hint", "lines.weight=decimal"]);
    assert_eq!(report["notes"], json!([]));
}

#[test]
fn a_project_hints_child_tables_by_path_and_renames_keys() {
    let lab = Lab::new();
    lab.write("o.ndjson", "{\"id\":1,\"lines\":[{\"price\":1.25,\"tax\":{\"rate\":\"0.2\"}}]}\n");
    let project = "[pipeline]\nname = \"longshore\"\ndataset = \"longshore_dataset\"\n\n[sources.t]\ntype = \"files\"\nfiles = \"o.ndjson\"\nwrite_disposition = \"merge\"\nprimary_key = \"id\"\ncolumns = { id = { name = \"order_id\" } }\n\n[sources.t.nested_hints.lines]\ncolumns = { price = { data_type = \"decimal\", precision = 6, scale = 2 }, \"tax.rate\" = { data_type = \"decimal\", precision = 3, scale = 2 } }\n";
    lab.write("longshore.toml", project);
    for _ in 0..2 {
        let output = lab.run(&["run"]);
        assert_eq!(output.status, Some(0), "{output:#?}");
        lab.write("o.ndjson", "{\"id\":1,\"lines\":[{\"price\":2,\"tax\":{\"rate\":0.07}}]}\n");
    }
    assert_eq!(json!(lab.rows("SELECT order_id FROM t")), json!([[1]]));
    assert_eq!(json!(lab.rows("SELECT price::VARCHAR, tax__rate::VARCHAR FROM t__lines")), json!([["2.00", "0.07"]]));
    lab.write("longshore.toml", project.replace("precision = 6", "precision = 60"));
    let output = lab.run(&["run"]);
    assert_eq!(output.status, Some(2), "{output:#?}");
    assert!(output.stderr.contains("lines.price") && output.stderr.contains("longshore.toml:"), "{output:#?}");
    lab.write(
        "longshore.toml",
        project.replace("[sources.t.nested_hints.lines]\ncolumns", "[sources.t.nested_hints.lines]\ncolums"),
    );
    let output = lab.run(&["check"]);
    assert!(output.status != Some(0) && format!("{output:?}").contains("colums"), "{output:#?}");
}

/// Another pipeline knows nothing of the sizes that are there, and databases round without a word.
#[test]
fn values_that_a_smaller_column_would_round_are_refused() {
    let server = PostgresServer::start(&[]);
    let database = server.new_database();
    for (url, types) in [
        (None, ["DECIMAL(6,2)", "TIMESTAMP_MS"]),
        (Some(server.url(&database)), ["numeric(6,2)", "timestamp(3) without time zone"]),
    ] {
        let lab = Lab::new();
        let url = url.unwrap_or_else(|| format!("duckdb://{}", lab.database().display()));
        let to = ["--table", "orders", "--dataset", "shared", "--destination", &url];
        let hints = ["--hint", "n=decimal:precision=6:scale=2", "--hint", "at=timestamp:timezone=false:precision=3"];
        lab.write("in.ndjson", "{\"id\":1,\"n\":1.25,\"at\":\"2024-01-01T00:00:00.123Z\"}\n");
        lab.load(&[&["in.ndjson", "--pipeline", "one"], &to[..], &hints].concat());
        let records = ["{\"id\":2,\"n\":1.239}\n", "{\"id\":3,\"at\":\"2024-01-01T00:00:00.123456Z\"}\n"];
        for (i, (column, there)) in ["n", "at"].into_iter().zip(types).enumerate() {
            lab.write("in.ndjson", records[i]);
            let flags = [&["load", "in.ndjson", "--pipeline", column], &to[..]].concat();
            for merge in [&[][..], &["--write-disposition", "merge", "--primary-key", "id"]] {
                let output = lab.run(&[&flags[..], merge].concat());
                assert_eq!(output.status, Some(1), "{output:#?}");
                for part in ["round", "table orders", format!("column {column}").as_str(), there, "--hint"] {
                    assert!(output.stderr.contains(part), "{part}: {output:#?}");
                }
                let dropped = lab.run(&["pipeline", column, "drop-package"]);
                assert_eq!(dropped.status, Some(0), "{dropped:#?}");
            }
        }
        // With the same sizes, each value has a place.
        lab.write("in.ndjson", records.concat());
        lab.load(&[&["in.ndjson", "--pipeline", "two"], &to[..], &hints].concat());
        let sql = "select id, n, n__v_double from orders order by id";
        let output = lab.run(&["query", sql, "--dataset", "shared", "--destination", &url, "--format", "csv"]);
        assert!(output.stdout.contains("2,,1.239"), "{output:#?}");
    }
}

/// What is known of the tables when a load begins is looked at before anything is read.
#[test]
fn a_column_that_was_made_smaller_is_named_before_anything_is_read() {
    let server = PostgresServer::start(&[]);
    let database = server.new_database();
    let (lab, url) = (Lab::new(), server.url(&database));
    let load = ["load", "in.ndjson", "--table", "t", "--dataset", "raw", "--destination", &url];
    lab.write("in.ndjson", "{\"id\":1,\"n\":1.5,\"s\":\"a\"}\n");
    assert_eq!(lab.run(&load).status, Some(0));
    server.psql(&database, "ALTER TABLE raw.t ALTER n TYPE real, ALTER s TYPE varchar(4)");
    lab.write("in.ndjson", "this is not even JSON\n");
    let output = lab.run(&load);
    for part in ["round", "column n", "there real", "make the column double precision there"] {
        assert!(output.status == Some(1) && output.stderr.contains(part), "{part}: {output:#?}");
    }
    // A text that is too long is refused by the server, which does not say in which column.
    server.psql(&database, "ALTER TABLE raw.t ALTER n TYPE double precision");
    lab.write("in.ndjson", "{\"id\":1,\"s\":\"too long\"}\n");
    let output = lab.run(&[&load[..], &["--write-disposition", "merge", "--primary-key", "id"]].concat());
    assert_eq!(output.status, Some(1), "{output:#?}");
    assert!(output.stderr.contains("column s (character varying(4))"), "{output:#?}");
}

#[test]
fn what_is_said_of_a_path_and_does_nothing_is_refused_or_noted() {
    let lab = Lab::new();
    lab.write("t.ndjson", "{\"id\":1,\"lines\":[{\"n\":1}],\"user\":{\"name\":\"a\"}}\n");
    let report = lab.load(&["t.ndjson", "--hint", "lines=bigint,user=:unique,lines.n=double"]);
    let notes = report["notes"].to_string();
    for path in ["lines", "user"] {
        assert!(notes.contains(&format!("the hint of '{path}' does nothing: it is a list or an object")), "{notes}");
    }
    assert!(!notes.contains("'lines.n'"), "{notes}");
    for (wrong, said) in [
        (&["--hint", "id=bigint", "--hint", "id=text"][..], "the field has two hints (field id)"),
        (&["--json-columns", "lines", "--flatten", "lines"][..], "'lines' cannot be both kept as JSON and flattened"),
        (&["--ignore", "lines", "--flatten", "lines"][..], "'lines' cannot be both left out and flattened"),
    ] {
        let output = lab.run(&[&["load", "t.ndjson"], wrong].concat());
        assert!(output.status == Some(2) && output.stderr.contains(said), "{wrong:?}: {output:#?}");
    }
    lab.write(
        "longshore.toml",
        "[sources.t]\ntype = \"files\"\nfiles = \"t.ndjson\"\nnested_hints = { lines = { primary_key = \"n\" } }\n",
    );
    let output = lab.run(&["run", "--pipeline", "other"]);
    assert!(output.stdout.contains("note: 'primary_key' in the nested_hints of 'lines' does nothing"), "{output:#?}");
}
