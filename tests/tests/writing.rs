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
    let cases: [(&[&str], &str); 5] = [
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
fn a_merge_that_cannot_be_done_waits_with_its_reason_and_changes_nothing() {
    let lab = Lab::new();
    load(&lab, "{\"id\":1,\"v\":\"a\"}\n", &[]);
    lab.write("bad.ndjson", "{\"id\":1,\"v\":\"b\"}\n{\"v\":\"nobody\"}\n");
    let output =
        lab.run(&["load", "bad.ndjson", "--table", "t", "--write-disposition", "merge", "--primary-key", "id"]);
    assert_eq!(output.status, Some(1), "{output:#?}");
    assert!(output.stderr.contains("primary key"), "{output:#?}");
    assert_eq!(lab.rows("SELECT id, v FROM t"), [[json!(1), json!("a")]]);
}
