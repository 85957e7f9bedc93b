//! Everything `longshore load` can read, and the arguments that say how.

use flate2::Compression;
use flate2::write::GzEncoder;
use longshore_tests::{Lab, nested_records, rows, write_nested};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).and_then(|()| encoder.finish()).expect("gzip into memory")
}

fn zstandard(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 1).expect("zstd into memory")
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|&n| n.to_owned()).collect()
}

/// Every way to write the same three records down.
#[test]
fn json_in_every_form() {
    let forms: &[(&str, &[u8])] = &[
        ("array", b"[{\"a\":1,\"b\":[10]},{\"a\":2,\"b\":[]},{\"a\":3}]"),
        ("ndjson", b"{\"a\":1,\"b\":[10]}\n{\"a\":2,\"b\":[]}\n{\"a\":3}\n"),
        ("ndjson without a last line end", b"{\"a\":1,\"b\":[10]}\n{\"a\":2,\"b\":[]}\n{\"a\":3}"),
        ("CRLF", b"{\"a\":1,\"b\":[10]}\r\n{\"a\":2,\"b\":[]}\r\n{\"a\":3}\r\n"),
        ("blank lines", b"\n\n{\"a\":1,\"b\":[10]}\n  \n\t\n{\"a\":2,\"b\":[]}\r\n\r\n{\"a\":3}\n\n\n"),
        ("byte order mark", b"\xef\xbb\xbf{\"a\":1,\"b\":[10]}\n{\"a\":2,\"b\":[]}\n{\"a\":3}\n"),
        ("byte order mark before an array", b"\xef\xbb\xbf[{\"a\":1,\"b\":[10]},{\"a\":2},{\"a\":3}]"),
        ("concatenated", b"{\"a\":1,\"b\":[10]}{\"a\":2,\"b\":[]} {\"a\":3}"),
        ("pretty-printed, one after the other", b"{\n  \"a\": 1,\n  \"b\": [\n    10\n  ]\n}\n{\n  \"a\": 2\n}\n{\n  \"a\": 3\n}\n"),
        ("pretty-printed array", b"[\n  {\n    \"a\": 1,\n    \"b\": [\n      10\n    ]\n  },\n  {\n    \"a\": 2\n  },\n  {\n    \"a\": 3\n  }\n]\n"),
        ("arrays one after the other", b"[{\"a\":1,\"b\":[10]}]\n[{\"a\":2}]\n[]\n[{\"a\":3}]"),
        ("an array among records", b"{\"a\":1,\"b\":[10]}\n[{\"a\":2},{\"a\":3}]\n"),
    ];
    for (form, content) in forms {
        let lab = Lab::new();
        lab.write("in.json", content);
        let report = lab.load(&["in.json", "--table", "t"]);
        assert_eq!(report["counts"]["read"], 3, "{form}");
        assert_eq!(lab.rows("SELECT a FROM t ORDER BY _row_id"), [[json!(1)], [json!(2)], [json!(3)]], "{form}");
        assert_eq!(
            lab.rows("SELECT t.a, b.value FROM t__b b JOIN t ON t._row_id = b._parent_id"),
            [[json!(1), json!(10)]],
            "{form}"
        );
    }
}

#[test]
fn a_single_object() {
    let lab = Lab::new();
    let content = "{\"id\": 7,\n \"lines\": [{\"n\": 1}, {\"n\": 2}]}\n";
    lab.write("order.json", content);
    let report = lab.load(&["order.json"]);
    assert_eq!(report["counts"], json!({ "read": 1, "normalised": 1, "rejected": 0, "bytes": content.len() }));
    assert_eq!(lab.tables(), [("order".to_owned(), 1), ("order__lines".to_owned(), 2)]);
}

#[test]
fn empty_inputs_are_loads_without_records() {
    for content in ["", " \n\r\n\t\n  ", "[]", "\u{feff}", "\n[]\n[ ]\n"] {
        let lab = Lab::new();
        lab.write("in.json", content);
        let report = lab.load(&["in.json"]);
        assert_eq!((&report["outcome"], &report["counts"]["read"]), (&json!("loaded"), &json!(0)), "{content:?}");
        assert_eq!(lab.tables(), [], "{content:?}");
        assert_eq!(lab.rows("SELECT records, rows, status FROM _loads"), [[0, 0, 0].map(|n| json!(n))], "{content:?}");
    }
}

#[test]
fn several_files_globs_and_folders() {
    let lab = Lab::new();
    lab.write("in/2.json", r#"[{"f":2}]"#);
    lab.write("in/10.ndjson", r#"{"f":10}"#);
    lab.write("in/deep/1.jsonl", r#"{"f":1}"#);
    lab.write("in/deep/z.json.gz", gzip(br#"{"f":26}"#));
    lab.write("in/.hidden.json", r#"{"f":"hidden"}"#);
    lab.write("in/notes.txt", "no JSON");
    let cases: &[(&[&str], &[u64])] = &[
        (&["in/2.json", "in/10.ndjson"], &[2, 10]),
        (&["in/10.ndjson", "in/2.json"], &[10, 2]),
        (&["in/2.json", "in/2.json"], &[2]),
        (&["in/*.json"], &[2]),
        (&["in/*.*json"], &[10, 2]),
        (&["in/**/*.jsonl", "in/2.json"], &[1, 2]),
        (&["in/[0-9].json"], &[2]),
        (&["in"], &[10, 2, 1, 26]),
        (&["in/"], &[10, 2, 1, 26]),
        (&["in/de*"], &[1, 26]),
    ];
    for (i, (inputs, expected)) in cases.iter().enumerate() {
        let table = format!("t{i}");
        let args: Vec<&str> = inputs.iter().copied().chain(["--table", &table]).collect();
        lab.load(&args);
        let found = lab.rows(&format!("SELECT f FROM {table} ORDER BY _row_id"));
        let found: Vec<u64> = found.iter().filter_map(|row| row[0].as_u64()).collect();
        assert_eq!(found, *expected, "{inputs:?}");
    }
}

#[test]
fn stdin_alone_and_among_files() {
    let lab = Lab::new();
    let output = lab.run_with(&["load", "-", "--table", "t", "--json"], b"{\"a\":1}\n{\"a\":2}");
    assert_eq!((output.status, &output.json()["counts"]["read"]), (Some(0), &json!(2)), "{output:#?}");
    lab.write("more.json", r#"[{"a":4}]"#);
    let output = lab.run_with(&["load", "-", "more.json", "--table", "t", "--json"], &gzip(b"{\"a\":3}"));
    assert_eq!(output.status, Some(0), "{output:#?}");
    assert_eq!(lab.rows("SELECT a FROM t ORDER BY _row_id"), [[json!(1)], [json!(2)], [json!(3)], [json!(4)]]);
}

#[test]
fn compression_is_known_by_content() {
    let text = nested_records(5_000);
    let (first, second) = text.as_bytes().split_at(text[..text.len() / 2].rfind('\n').expect("lines") + 1);
    let parts = |pack: fn(&[u8]) -> Vec<u8>| [pack(first), pack(second)].concat();
    let cases: &[(&str, Vec<u8>)] = &[
        ("plain.json", text.clone().into_bytes()),
        ("plain-with-a-wrong-name.json.gz", text.clone().into_bytes()),
        ("a.json.gz", gzip(text.as_bytes())),
        ("a.json.zst", zstandard(text.as_bytes())),
        ("gzip-without-a-name.json", gzip(text.as_bytes())),
        ("zstd-without-a-name", zstandard(text.as_bytes())),
        ("gzip-named-zstd.json.zst", gzip(text.as_bytes())),
        ("zstd-named-gzip.json.gz", zstandard(text.as_bytes())),
        ("several-gzip-members.json", parts(gzip)),
        ("several-zstd-frames.json", parts(zstandard)),
    ];
    for (name, content) in cases {
        let lab = Lab::new();
        lab.write(name, content);
        let report = lab.load(&[name, "--table", "t"]);
        assert_eq!(report["counts"]["read"], 5_000, "{name}");
        assert_eq!(report["counts"]["bytes"], text.len(), "{name}: bytes are those of the text");
        assert_eq!(
            lab.rows("SELECT count(DISTINCT id), sum(id) FROM t"),
            [[json!(5_000), json!(sum_to(5_000))]],
            "{name}"
        );
    }
}

/// 0 + 1 + … + (n - 1)
fn sum_to(n: u64) -> u64 {
    n * (n - 1) / 2
}

#[test]
fn twenty_levels_of_nesting() {
    let lab = Lab::new();
    let (mut lists, mut objects) = ("{\"v\":1}".to_owned(), "1".to_owned());
    for level in (0..20).rev() {
        lists = format!("{{\"l{level}\":[{lists}]}}");
        objects = format!("{{\"o{level}\":{objects}}}");
    }
    lab.write("in.json", format!("[{lists},{objects}]"));
    lab.load(&["in.json", "--table", "t"]);
    let path = |prefix: &str| (0..20).map(|l| format!("{prefix}{l}")).collect::<Vec<_>>().join("__");
    assert_eq!(lab.rows(&format!("SELECT v FROM \"t__{}\"", path("l"))), [[json!(1)]]);
    assert_eq!(lab.rows(&format!("SELECT {0} FROM t WHERE {0} IS NOT NULL", path("o"))), [[json!(1)]]);
    assert_eq!(lab.tables().len(), 21);
    // Every level can be walked up: child to parent to root.
    let mut chain = "SELECT count(*) FROM t t0".to_owned();
    for level in 1..=20 {
        let table = (0..level).map(|l| format!("l{l}")).collect::<Vec<_>>().join("__");
        let _ = write!(
            chain,
            " JOIN \"t__{table}\" t{level} ON t{level}._parent_id = t{}._row_id AND t{level}._root_id = t0._row_id",
            level - 1
        );
    }
    assert_eq!(lab.rows(&chain), [[json!(1)]]);
}

#[test]
fn a_record_of_50_megabytes() {
    let lab = Lab::new();
    let mut record = "{\"id\":1,\"items\":[".to_owned();
    let mut items = 0_u64;
    while record.len() < 50_000_000 {
        let comma = if items > 0 { "," } else { "" };
        let _ = write!(record, "{comma}{{\"n\":{items},\"text\":\"{:0>480}\"}}", items);
        items += 1;
    }
    record.push_str("]}");
    lab.write("big.json", format!("{{\"id\":0}}\n{record}\n{{\"id\":2}}\n"));
    let report = lab.load(&["big.json", "--table", "t"]);
    assert_eq!(report["counts"]["read"], 3);
    assert_eq!(
        lab.rows("SELECT count(*), sum(n), max(_list_idx), min(length(text)) FROM t__items"),
        [[json!(items), json!(sum_to(items)), json!(items - 1), json!(480)]]
    );
    // One text of that size, too.
    let long = "x".repeat(50_000_000);
    lab.write("long.json", format!("[{{\"id\":3,\"text\":\"{long}\"}}]"));
    lab.load(&["long.json", "--table", "u"]);
    assert_eq!(lab.rows("SELECT id, length(text) FROM u"), [[json!(3), json!(50_000_000)]]);
}

#[test]
fn tables_of_long_texts_load_with_the_usual_memory() {
    let lab = Lab::new();
    // More together than DuckDB is held to, in rows it has in memory together.
    let records = |ids: std::ops::Range<u32>, bytes: usize| {
        ids.fold(String::new(), |mut text, id| {
            let _ = writeln!(text, "{{\"id\":{id},\"text\":\"{}\"}}", format!("{id:08}").repeat(bytes / 8));
            text
        })
    };
    lab.write("in.ndjson", records(0..30, 4 << 20));
    lab.load(&["in.ndjson", "--table", "t"]);
    lab.write("in.ndjson", records(30..40, 4 << 20));
    lab.load(&["in.ndjson", "--table", "t"]);
    lab.write("in.ndjson", records(35..50, 4 << 20));
    lab.load(&["in.ndjson", "--table", "t", "--write-disposition", "merge", "--primary-key", "id"]);
    assert_eq!(
        lab.rows("SELECT count(*), sum(id), min(length(text)), max(length(text)) FROM t"),
        [[json!(50), json!(49 * 25), json!(4 << 20), json!(4 << 20)]]
    );
}

#[test]
fn what_no_ending_says_can_be_said() {
    let lab = Lab::new();
    lab.write("export.txt", b"id;name\n1;a\n2;b\n");
    lab.load(&["export.txt", "--format", "csv", "--delimiter", ";", "--table", "t"]);
    assert_eq!(lab.rows("SELECT id, name FROM t ORDER BY id"), [[json!(1), json!("a")], [json!(2), json!("b")]]);
    lab.write("records.csv", b"{\"id\":3}\n");
    lab.load(&["records.csv", "--format", "json", "--table", "t"]);
    assert_eq!(lab.rows("SELECT max(id) FROM t"), [[json!(3)]]);
}

#[test]
fn select_takes_records_out_of_a_wrapper() {
    let page = r#"{"meta":{"next":"p2","data":[{"id":"no"}]},"data":[{"id":1,"tags":["x"]},{"id":2}],"odd key":{"items":[{"id":3}]}}"#;
    let cases: &[(&str, &[u64])] = &[
        ("$.data[*]", &[1, 2]),
        ("$.data", &[1, 2]),
        ("$.data[0]", &[1]),
        ("$['odd key'].items[*]", &[3]),
        ("$.*.items[*]", &[3]),
        ("$..items[*]", &[3]),
    ];
    for (path, expected) in cases {
        let lab = Lab::new();
        lab.write("page.json", page);
        let report = lab.load(&["page.json", "--table", "t", "--select", path]);
        assert_eq!(report["counts"]["read"], expected.len(), "{path}");
        let expected: Vec<Vec<Value>> = expected.iter().map(|id| vec![json!(id)]).collect();
        assert_eq!(lab.rows("SELECT id FROM t ORDER BY _row_id"), expected, "{path}");
    }
    // A page without records is no mistake.
    let lab = Lab::new();
    lab.write("empty.json", r#"{"data":[]}"#);
    assert_eq!(lab.load(&["empty.json", "--table", "t", "--select", "$.data[*]"])["counts"]["read"], 0);
    // Several pages: every one has a wrapper.
    lab.write("1.json", page);
    lab.write("2.json", r#"{"data":[{"id":4}]}{"data":[]}{"data":[{"id":5}]}"#);
    lab.load(&["1.json", "2.json", "--table", "t", "--select", "$.data[*]"]);
    assert_eq!(lab.rows("SELECT id FROM t ORDER BY _row_id"), [1, 2, 4, 5].map(|id| [json!(id)]));
}

#[test]
fn json_columns_stay_json() {
    let lab = Lab::new();
    lab.write(
        "in.json",
        r#"[{"id":1,"raw":{"x":[1,{"y":2}]},"lines":[{"n":1,"attributes":{"colour":"red"}}],"Deep":{"Er":[1,2]}}]"#,
    );
    lab.load(&["in.json", "--table", "t", "--json-columns", "raw,lines.attributes", "--json-columns", "Deep.Er"]);
    assert_eq!(lab.column_types("t")[..3], strings(&["id BIGINT", "raw JSON", "deep__er JSON"]));
    assert_eq!(lab.rows("SELECT raw, deep__er FROM t"), [[json!(r#"{"x":[1,{"y":2}]}"#), json!("[1,2]")]]);
    assert_eq!(lab.rows("SELECT attributes->>'colour' FROM t__lines"), [[json!("red")]]);
    assert_eq!(lab.tables().len(), 2);
}

#[test]
fn max_nesting_keeps_deeper_levels_json() {
    let record = r#"{"id":1,"who":{"name":"a","of":{"x":1}},"lines":[{"n":1,"parts":[{"p":2}]}]}"#;
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("0", &["t"], &["id BIGINT", "who JSON", "lines JSON"]),
        ("1", &["t", "t__lines"], &["id BIGINT", "who__name VARCHAR", "who__of JSON"]),
        ("2", &["t", "t__lines", "t__lines__parts"], &["id BIGINT", "who__name VARCHAR", "who__of__x BIGINT"]),
        ("1000", &["t", "t__lines", "t__lines__parts"], &["id BIGINT", "who__name VARCHAR", "who__of__x BIGINT"]),
    ];
    for (levels, tables, columns) in cases {
        let lab = Lab::new();
        lab.write("in.json", record);
        lab.load(&["in.json", "--table", "t", "--max-nesting", levels]);
        let found: Vec<String> = lab.tables().into_iter().map(|(name, _)| name).collect();
        assert_eq!(found, strings(tables), "--max-nesting {levels}");
        assert_eq!(&lab.column_types("t")[..columns.len()], strings(columns), "--max-nesting {levels}");
    }
}

#[test]
fn hints_give_types_that_are_not_inferred() {
    let lab = Lab::new();
    lab.write("in.json", r#"[{"birthday":"2001-02-03","opens":"10:11:12","blob":"aGk=","big":"12345678901234567890","price":"1.5","code":7,"lines":[{"day":"2020-01-01"}]}]"#);
    lab.load(&[
        "in.json",
        "--table",
        "t",
        "--hint",
        "birthday=date,opens=time,blob=binary,big=decimal,price=double,code=text",
        "--hint",
        "lines.day=date",
    ]);
    assert_eq!(
        lab.column_types("t")[..6],
        strings(&["birthday DATE", "opens TIME", "blob BLOB", "big DECIMAL(38,9)", "price DOUBLE", "code VARCHAR"])
    );
    assert_eq!(lab.column_types("t__lines")[0], "day DATE");
    let expected = [
        json!("2001-02-03"),
        json!("10:11:12"),
        json!("6869"),
        json!("12345678901234567890.000000000"),
        json!(1.5),
        json!("7"),
    ];
    assert_eq!(lab.rows("SELECT birthday, opens, blob, big, price, code FROM t"), [expected]);
}

#[test]
fn dlt_system_columns() {
    let lab = Lab::new();
    lab.write("in.json", r#"[{"id":1,"lines":[{"n":1,"parts":[5]}]}]"#);
    lab.load(&["in.json", "--table", "t", "--system-columns", "dlt"]);
    assert_eq!(lab.columns("t"), ["id", "_dlt_load_id", "_dlt_id"]);
    assert_eq!(lab.columns("t__lines"), ["n", "_dlt_parent_id", "_dlt_list_idx", "_dlt_id"]);
    assert_eq!(
        lab.rows("SELECT table_name FROM duckdb_tables() ORDER BY 1"),
        ["_dlt_loads", "_dlt_pipeline_state", "_dlt_version", "t", "t__lines", "t__lines__parts"].map(|t| [json!(t)])
    );
    let links = "SELECT t.id, l.n, p.value, l._dlt_list_idx FROM t JOIN t__lines l ON l._dlt_parent_id = t._dlt_id JOIN t__lines__parts p ON p._dlt_parent_id = l._dlt_id";
    assert_eq!(lab.rows(links), [[1, 1, 5, 0].map(|n| json!(n))]);
    assert_eq!(
        lab.rows("SELECT count(*) FROM _dlt_loads l JOIN t ON t._dlt_load_id = l.load_id WHERE status = 0"),
        [[json!(1)]]
    );
}

#[test]
fn names_are_normalised_and_can_be_given() {
    let lab = Lab::new();
    lab.write("Übersicht 2024 (new).json", r#"[{"Order ID":1,"naïve":2,"camelCase":3,"items":[1]}]"#);
    let report = lab.load(&["Übersicht 2024 (new).json"]);
    let tables: Vec<&str> =
        report["tables"].as_array().expect("a list").iter().filter_map(|t| t["table"].as_str()).collect();
    assert_eq!(tables.len(), 2);
    assert_eq!(tables[1], format!("{}__items", tables[0]));
    assert_eq!(lab.rows(&format!("SELECT order_id, camel_case FROM \"{}\"", tables[0])), [[1, 3].map(|n| json!(n))]);

    lab.load(&["Übersicht 2024 (new).json", "--table", "HTTP Requests!", "--dataset", "My Data", "--pipeline", "p2"]);
    assert_eq!(rows(&lab.database(), "SELECT count(*) FROM my_data.http_requestsx"), [[json!(1)]]);
}

#[test]
fn the_destination_can_be_written_in_every_way() {
    let lab = Lab::new();
    lab.write("in.json", r#"[{"id":1}]"#);
    lab.write("sub/placeholder", "");
    let absolute = format!("duckdb://{}", lab.path("sub/abs.duckdb").display());
    let cases = [
        ("duckdb:sub/rel.duckdb", "sub/rel.duckdb"),
        ("duckdb:///here.duckdb", "here.duckdb"),
        (absolute.as_str(), "sub/abs.duckdb"),
        ("duckdb", "named.duckdb"),
    ];
    for (url, file) in cases {
        lab.load(&["in.json", "--table", "t", "--pipeline", "named", "--destination", url]);
        assert_eq!(
            longshore_tests::rows_in(&lab.path(file), "named_dataset", "SELECT id FROM t"),
            [[json!(1)]],
            "{url}"
        );
    }
}

#[test]
fn two_destinations_get_the_same_load() {
    let lab = Lab::new();
    write_nested(&lab.path("in.ndjson"), 1_000);
    let report = lab.load(&["in.ndjson", "--table", "t", "-d", "duckdb:one.duckdb", "-d", "duckdb:two.duckdb"]);
    assert_eq!(report["destinations"].as_array().map(Vec::len), Some(2));
    let all = |file: &str| rows(&lab.path(file), "SELECT * FROM t__lines ORDER BY _row_id");
    assert_eq!(all("one.duckdb"), all("two.duckdb"));
    assert_eq!(all("one.duckdb").len(), 1_500);
}

/// Loads with so many threads and tells everything but what is different by nature: load ids, dlt's
/// row ids, and where native row ids begin.
fn content(file: &Path, threads: &str, extra: &[&str]) -> Vec<Value> {
    let lab = Lab::new();
    let args: Vec<&str> =
        [file.to_str().expect("UTF-8"), "--table", "t", "--threads", threads].iter().chain(extra).copied().collect();
    lab.load(&args);
    let columns = lab.rows("SELECT table_name, column_index, column_name, data_type FROM duckdb_columns() WHERE NOT starts_with(table_name, '_') ORDER BY 1, 2");
    let mut content: Vec<Value> = columns.into_iter().map(Value::from).collect();
    for (table, _) in lab.tables() {
        let names = lab.columns(&table);
        let select = |name: &String| match name.as_str() {
            "_load_id" | "_dlt_load_id" | "_dlt_id" | "_dlt_parent_id" => "NULL".to_owned(),
            "_row_id" | "_parent_id" | "_root_id" => format!("\"{name}\" - (SELECT min(_row_id) FROM t)"),
            _ => format!("\"{name}\""),
        };
        let select: Vec<String> = names.iter().map(select).collect();
        // In the order in which they stand in the table: it is the input's.
        content
            .extend(lab.rows(&format!("SELECT {} FROM \"{table}\"", select.join(", "))).into_iter().map(Value::from));
    }
    content
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let lab = Lab::new();
    // Columns, tables and variants that turn up late, in blocks that different threads have.
    let mut text = String::new();
    for id in 0..15_000_u32 {
        let rare = if id % 4_999 == 4_998 { format!(",\"rare{}\":[{id}]", id / 5_000) } else { String::new() };
        let value = if id % 7_001 == 7_000 { format!("\"text {id}\"") } else { id.to_string() };
        let _ = writeln!(
            text,
            "{{\"id\":{id},\"v\":{value},\"lines\":[{{\"n\":{},\"k{}\":1}}],\"pad\":\"{:0>60}\"{rare}}}",
            id % 5,
            id / 3_000,
            id
        );
    }
    let file = lab.write("in.ndjson", text);
    for extra in [&["--memory", "32M"][..], &["--memory", "32M", "--system-columns", "dlt"]] {
        let one = content(&file, "1", extra);
        assert!(one.len() > 30_000);
        for threads in ["2", "8"] {
            let other = content(&file, threads, extra);
            let first = one.iter().zip(&other).find(|(a, b)| a != b);
            assert_eq!(first, None, "--threads {threads} {extra:?}");
            assert_eq!(one.len(), other.len(), "--threads {threads} {extra:?}");
        }
    }
}

#[test]
fn later_loads_add_to_the_tables() {
    let lab = Lab::new();
    lab.write("1.json", r#"[{"id":1,"a":"x"}]"#);
    lab.write("2.json", r#"[{"id":2,"b":{"c":[true]}},{"id":"three"}]"#);
    lab.load(&["1.json", "--table", "t"]);
    lab.load(&["2.json", "--table", "t"]);
    assert_eq!(lab.columns("t"), ["id", "a", "_row_id", "_load_id", "id__v_text"]);
    assert_eq!(
        lab.rows("SELECT id, a, id__v_text FROM t ORDER BY _row_id"),
        [
            [json!(1), json!("x"), Value::Null],
            [json!(2), Value::Null, Value::Null],
            [Value::Null, Value::Null, json!("three")]
        ]
    );
    assert_eq!(
        lab.rows("SELECT t.id, c.value FROM t JOIN t__b__c c ON c._parent_id = t._row_id"),
        [[json!(2), json!(true)]]
    );
    assert_eq!(
        lab.rows("SELECT records, rows FROM _loads ORDER BY load_id"),
        [[1, 1], [2, 3]].map(|row| row.map(|n| json!(n)))
    );
}
