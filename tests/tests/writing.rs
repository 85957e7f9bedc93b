//! Replace and merge by flags, end to end.

use longshore_tests::Lab;
use serde_json::{Value, json};

fn load(lab: &Lab, records: &str, flags: &[&str]) -> Value {
    lab.write("in.ndjson", records);
    let mut args = vec!["in.ndjson", "--table", "t"];
    args.extend(flags);
    lab.load(&args)
}

fn pairs(lab: &Lab) -> Vec<Vec<Value>> {
    lab.rows("SELECT id, (SELECT list(l.value ORDER BY l._list_idx) FROM t__l l WHERE l._root_id = t._row_id)::VARCHAR FROM t ORDER BY ALL")
}

#[test]
fn merge_by_key() {
    let lab = Lab::new();
    let merge = ["--write-disposition", "merge", "--primary-key", "id"];
    load(&lab, "{\"id\":1,\"l\":[1,2]}\n{\"id\":2,\"l\":[3]}\n", &[]);
    let report = load(&lab, "{\"id\":2,\"l\":[4,5]}\n{\"id\":3}\n{\"id\":3,\"l\":[9]}\n", &merge);
    assert_eq!(report["counts"]["read"], json!(3));
    assert_eq!(pairs(&lab), [[json!(1), json!("[1, 2]")], [json!(2), json!("[4, 5]")], [json!(3), json!("[9]")]]);
    assert_eq!(lab.rows("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE '%staging%'")[0][0], json!(0));
}

#[test]
fn replace_and_an_empty_input() {
    let lab = Lab::new();
    load(&lab, "{\"id\":1,\"l\":[1,2]}\n", &[]);
    load(&lab, "{\"id\":2}\n", &["--write-disposition", "replace"]);
    assert_eq!(pairs(&lab), [[json!(2), Value::Null]]);
    assert_eq!(lab.count("t__l"), 0);
    load(&lab, "", &["--write-disposition", "replace"]);
    assert_eq!((lab.count("t"), lab.count("t__l")), (0, 0));
}

#[test]
fn names_of_fields_are_those_of_the_source() {
    let lab = Lab::new();
    let flags =
        ["--write-disposition", "merge", "--primary-key", "orderId,customer.id", "--dedup-sort", "updatedAt:desc"];
    let first = r#"{"orderId":1,"customer":{"id":7},"updatedAt":2,"v":"newer"}
{"orderId":1,"customer":{"id":7},"updatedAt":1,"v":"older"}
"#;
    load(&lab, first, &flags);
    load(&lab, "{\"orderId\":1,\"customer\":{\"id\":8},\"updatedAt\":1,\"v\":\"other\"}\n", &flags);
    assert_eq!(
        lab.rows("SELECT customer__id, v FROM t ORDER BY ALL"),
        [[json!(7), json!("newer")], [json!(8), json!("other")]]
    );
}

#[test]
fn versions_are_kept() {
    let lab = Lab::new();
    let scd2 = ["--write-disposition", "merge", "--merge-strategy", "scd2", "--validity-columns", "since,until"];
    load(&lab, "{\"id\":1,\"v\":\"a\"}\n{\"id\":2,\"v\":\"b\"}\n", &scd2);
    load(&lab, "{\"id\":1,\"v\":\"A\"}\n{\"v\":\"b\",\"id\":2}\n", &scd2);
    let rows = lab.rows("SELECT id, v, since IS NOT NULL, until IS NULL FROM t ORDER BY ALL");
    let expect = [(1, "A", true), (1, "a", false), (2, "b", true)];
    assert_eq!(rows, expect.map(|(id, v, holds)| vec![json!(id), json!(v), json!(true), json!(holds)]));
}

#[test]
fn flags_that_make_no_sense_are_refused_before_anything_is_touched() {
    let lab = Lab::new();
    lab.write("in.ndjson", "{\"id\":1}\n");
    let upsert = ["--write-disposition", "merge", "--merge-strategy", "upsert", "--primary-key", "id"];
    let cases: [(&[&str], &str); 8] = [
        (&[&upsert[..], &["--merge-key", "id"]].concat(), "--merge-key means nothing"),
        (&["--write-disposition", "merge", "--merge-key", "id", "--dedup-sort", "id:asc"], "--dedup-sort"),
        (&["--write-disposition", "merge", "--merge-strategy", "scd2", "--validity-columns", "a,b,c"], "FROM,TO"),
        (&["--merge-key", "id"], "--write-disposition merge"),
        (&["--write-disposition", "merge"], "--primary-key"),
        (&["--write-disposition", "merge", "--merge-strategy", "upsert"], "primary key"),
        (&["--write-disposition", "merge", "--primary-key", "id", "--dedup-sort", "id:up"], "FIELD:desc"),
        (&["--write-disposition", "merge", "--primary-key", "id", "--validity-columns", "a,b"], "scd2"),
    ];
    for (flags, hint) in cases {
        let output = lab.run(&[&["load", "in.ndjson", "--table", "t"], flags].concat());
        assert_eq!(output.status, Some(2), "{flags:?}: {output:#?}");
        assert!(output.stderr.contains(hint), "{flags:?}: {output:#?}");
    }
    lab.assert_nothing_loaded();
}

#[test]
fn a_merge_that_cannot_be_done_is_refused_before_there_is_a_package() {
    let lab = Lab::new();
    load(&lab, "{\"id\":1,\"v\":\"a\"}\n", &[]);
    let merge = ["--write-disposition", "merge"];
    let cases: [(&[&str], &[&str]); 5] = [
        (&["--primary-key", "id"], &["'id' is in the key", "in.ndjson", "line 2"]),
        (&["--primary-key", "idd"], &["'idd' is in the key", "line 1"]),
        (&["--primary-key", "idd", "--on-error", "reject"], &["'idd' is not a column", "v"]),
        (&["--merge-key", "day"], &["'day' is in the key", "line 1"]),
        (&["--merge-strategy", "scd2", "--validity-columns", "id,until"], &["validity column 'id'"]),
    ];
    lab.write("in.ndjson", "{\"id\":1,\"v\":\"b\"}\n{\"v\":\"nobody\"}\n");
    for (flags, says) in cases {
        let output = lab.run(&[&["load", "in.ndjson", "--table", "t"], &merge[..], flags].concat());
        assert!(matches!(output.status, Some(1 | 2)), "{flags:?}: {output:#?}");
        assert!(says.iter().all(|word| output.stderr.contains(word)), "{flags:?}: {output:#?}");
        assert_eq!(lab.packages(), Vec::<String>::new(), "{flags:?}");
    }
    assert_eq!(lab.rows("SELECT id, v FROM t"), [[json!(1), json!("a")]]);
    // Nothing stands in the way of the command that is right.
    let right = [&["--primary-key", "id", "--on-error", "reject"], &merge[..]].concat();
    let report = load(&lab, "{\"id\":1,\"v\":\"b\"}\n{\"v\":\"nobody\"}\n", &right);
    assert_eq!(report["counts"]["rejected"], json!(1));
    assert_eq!(lab.rows("SELECT id, v FROM t"), [[json!(1), json!("b")]]);
}

#[test]
fn keys_that_come_twice_are_refused_where_ids_are_made_of_them() {
    let lab = Lab::new();
    lab.write("in.ndjson", "{\"id\":1}\n{\"id\":2}\n{\"id\":1}\n");
    let load = |strategy: &str| {
        let words = ["load", "in.ndjson", "--table", "t", "--system-columns", "dlt", "--write-disposition", "merge"];
        lab.run(&[&words[..], &["--primary-key", "id", "--merge-strategy", strategy]].concat())
    };
    let output = load("upsert");
    assert_eq!(output.status, Some(1), "{output:#?}");
    assert!(output.stderr.contains("the same primary key"), "{output:#?}");
    lab.assert_nothing_loaded();
    assert_eq!(load("delete-insert").status, Some(0));
    assert_eq!(lab.count("t"), 2);
}

#[test]
fn a_field_of_the_rules_that_no_record_has_is_said() {
    let lab = Lab::new();
    let rules =
        ["--write-disposition", "merge", "--primary-key", "id", "--hard-delete", "gone", "--dedup-sort", "at:desc"];
    let report = load(&lab, "{\"id\":1}\n", &rules);
    let notes = report["notes"].to_string();
    assert!(notes.contains("'gone'") && notes.contains("'at'"), "{notes}");
}

#[test]
fn a_table_of_versions_is_written_other_ways_too() {
    let lab = Lab::new();
    let scd2 = ["--write-disposition", "merge", "--merge-strategy", "scd2"];
    load(&lab, "{\"id\":1,\"v\":1}\n", &scd2);
    load(&lab, "{\"id\":2,\"v\":1}\n", &[]);
    load(&lab, "{\"id\":2,\"v\":2}\n", &["--write-disposition", "merge", "--primary-key", "id"]);
    load(&lab, "{\"id\":1,\"v\":1}\n{\"v\":2,\"id\":2}\n", &scd2);
    assert_eq!(lab.rows("SELECT id, v FROM t ORDER BY ALL"), [[json!(1), json!(1)], [json!(2), json!(2)]]);
    assert_eq!(lab.rows("SELECT count(*) FROM t WHERE _row_hash IS NULL OR _valid_to IS NOT NULL")[0][0], json!(0));
    load(&lab, "{\"id\":3}\n", &["--write-disposition", "replace"]);
    assert_eq!(lab.count("t"), 1);
}

/// dlt's documents say which columns are those of versions, also in between.
#[test]
fn a_table_of_versions_is_written_other_ways_in_dlts_mode_too() {
    let lab = Lab::new();
    let merge = |more: &[&'static str]| [&["--system-columns", "dlt", "--write-disposition", "merge"], more].concat();
    let (scd2, by_key) = (merge(&["--merge-strategy", "scd2"]), merge(&["--primary-key", "id"]));
    load(&lab, "{\"id\":1,\"v\":1}\n", &scd2);
    load(&lab, "{\"id\":1,\"v\":2}\n", &by_key);
    load(&lab, "{\"id\":1,\"v\":3}\n", &scd2);
    load(&lab, "{\"id\":2,\"v\":1}\n", &["--system-columns", "dlt"]);
    load(&lab, "{\"id\":1,\"v\":3}\n", &scd2);
    let rows = lab.rows("SELECT id, v, _dlt_valid_to IS NULL FROM t ORDER BY ALL");
    // What was a key may be null again.
    load(&lab, "{\"v\":9}\n", &["--system-columns", "dlt"]);
    assert_eq!(lab.rows("SELECT id FROM t WHERE v = 9"), [[Value::Null]]);
    let expect = [(1, 2, false), (1, 3, true), (2, 1, false)];
    assert_eq!(rows, expect.map(|(id, v, holds)| vec![json!(id), json!(v), json!(holds)]));
}

/// What DuckDB takes for each thread that reads lines has to fit into half of the memory.
#[test]
fn files_of_lines_are_merged_within_the_memory() {
    for (format, memory, threads) in [("jsonl", None, "2"), ("jsonl", Some("64M"), "4"), ("csv", Some("64M"), "4")] {
        let lab = Lab::new();
        let url = format!("file://{}?format={format}", lab.path("lake").display());
        let mut flags = vec!["--destination", &url, "--threads", threads, "--dataset", "lake"];
        flags.extend(memory.map(|m| ["--memory", m]).into_iter().flatten());
        // Several files: one a load.
        for first in [1, 10, 20, 30] {
            let records: String = (first..first + 3).map(|id| format!("{{\"id\":{id},\"v\":\"a\"}}\n")).collect();
            load(&lab, &records, &flags);
        }
        let merge = [&flags[..], &["--write-disposition", "merge", "--primary-key", "id"]].concat();
        // Short lines first: the buffers are no smaller for them.
        load(&lab, "{\"id\":1,\"v\":\"b\"}\n{\"id\":50,\"v\":\"b\"}\n", &merge);
        // A line of 8 MB takes more than the memory for two threads.
        let long = "x".repeat(8 << 20);
        load(&lab, &format!("{{\"id\":40,\"v\":\"{long}\"}}\n"), &flags);
        load(&lab, "{\"id\":31,\"v\":\"b\"}\n", &merge);
        let sql = "select count(*) as n, count(distinct id) as ids, count(*) filter (v = 'b') as b, max(length(v)) as l from t";
        let output = lab.run(&["query", sql, "--destination", &url, "--dataset", "lake", "--format", "json"]);
        assert_eq!(output.status, Some(0), "{output:#?}");
        assert_eq!(output.json(), json!({ "n": 14, "ids": 14, "b": 3, "l": 8 << 20 }), "{format} {memory:?} {threads}");
    }
}
