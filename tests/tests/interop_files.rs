//! Merging into plain files that dlt wrote: dlt, which lists folders, and the readers of manifests see the same rows
//! before and after, whoever goes on.

use longshore_tests::{DATASET, Lab, Output, PIPELINE, Shared, execute, try_rows};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const MERGE: [&str; 4] = ["--write-disposition", "merge", "--primary-key", "id"];
const READ: [(&str, &[&str]); 3] =
    [("orders", &["id", "v"]), ("orders__lines", &["n"]), ("orders__lines__deep", &["q"])];

/// A folder that both write files of one form into.
fn place(settings: &str) -> Shared {
    let lab = Lab::new();
    let url = format!("file://{}", lab.path("files").display());
    let mut place = Shared::new(lab, url);
    place.settings = settings.to_owned();
    place
}

fn folder(place: &Shared, table: &str) -> PathBuf {
    place.lab.path("files").join(DATASET).join(table)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

fn dlt_appends(place: &Shared, format: &str, records: Value) {
    place.dlt(json!({ "table": "orders", "records": records, "format": format, "read": {} }));
}

/// The rows of all tables as dlt reads them, which are those that Longshore reads.
fn rows(place: &Shared) -> Value {
    let read: Value = READ.iter().map(|(table, columns)| ((*table).to_owned(), json!(columns))).collect();
    let rows = place.dlt(json!({ "read": read }))["rows"].take();
    for (table, columns) in READ {
        let sql = format!("SELECT {} FROM {table}", columns.join(", "));
        let output = place.output(&[
            "query",
            &sql,
            "--destination",
            &place.destination(),
            "--dataset",
            DATASET,
            "--format",
            "json",
        ]);
        assert_eq!(output.status, Some(0), "{output:#?}");
        let row = |line: &str| -> Value {
            let row: Value = serde_json::from_str(line).expect("a row is JSON");
            columns.iter().map(|c| row[*c].clone()).collect()
        };
        assert_eq!(
            sorted(output.stdout.lines().map(row)),
            sorted(rows[table].as_array().into_iter().flatten().cloned()),
            "{table}"
        );
    }
    rows
}

fn sorted(rows: impl Iterator<Item = Value>) -> Vec<String> {
    let mut rows: Vec<String> = rows.map(|r| r.to_string()).collect();
    rows.sort();
    rows
}

fn first_loads(place: &Shared, format: &str) {
    let deep = |q: u64| json!([{ "q": q }]);
    let first = json!([
        { "id": 1, "v": "a", "lines": [{ "n": 1, "deep": deep(1) }, { "n": 2 }] },
        { "id": 2, "v": "b", "lines": [{ "n": 3, "deep": deep(3) }] }
    ]);
    dlt_appends(place, format, first);
    dlt_appends(place, format, json!([{ "id": 3, "v": "c", "new": 2.5, "lines": [{ "n": 4 }] }]));
}

const CHANGES: &str = "{\"id\":1,\"v\":\"A\",\"lines\":[{\"n\":9,\"deep\":[{\"q\":9}]}]}\n{\"id\":5,\"v\":\"e\",\"more\":true,\"lines\":[{\"n\":5}]}\n";

fn both_go_on(format: &str, settings: &str, strategy: &str) {
    let place = place(settings);
    let merge = [&MERGE[..], &["--merge-strategy", strategy]].concat();
    first_loads(&place, format);
    let of_dlt = names(&folder(&place, "orders"));
    place.ours(CHANGES, &merge);
    let is_only_inserting = strategy == "insert-only";
    let merged = match is_only_inserting {
        true => json!({
            "orders": [[1, "a"], [2, "b"], [3, "c"], [5, "e"]],
            "orders__lines": [[1], [2], [3], [4], [5]],
            "orders__lines__deep": [[1], [3]]
        }),
        false => json!({
            "orders": [[1, "A"], [2, "b"], [3, "c"], [5, "e"]],
            "orders__lines": [[3], [4], [5], [9]],
            "orders__lines__deep": [[3], [9]]
        }),
    };
    assert_eq!(rows(&place), merged, "{format} {strategy}");
    // Files without a row that goes stay as they are.
    let stayed = names(&folder(&place, "orders")).intersection(&of_dlt).count();
    assert_eq!(stayed, if is_only_inserting { 2 } else { 1 }, "{format} {strategy}");
    let again = json!([{ "id": 6, "v": "f", "lines": [{ "n": 6, "deep": [{ "q": 6 }] }] }, { "id": 2, "v": "again" }]);
    dlt_appends(&place, format, again);
    place.ours("{\"id\":2,\"v\":\"B\",\"lines\":[]}\n{\"id\":6,\"v\":\"F\",\"lines\":[{\"n\":7}]}\n", &merge);
    let merged = match is_only_inserting {
        true => json!({
            "orders": [[1, "a"], [2, "again"], [2, "b"], [3, "c"], [5, "e"], [6, "f"]],
            "orders__lines": [[1], [2], [3], [4], [5], [6]],
            "orders__lines__deep": [[1], [3], [6]]
        }),
        false => json!({
            "orders": [[1, "A"], [2, "B"], [3, "c"], [5, "e"], [6, "F"]],
            "orders__lines": [[4], [5], [7], [9]],
            "orders__lines__deep": [[9]]
        }),
    };
    assert_eq!(rows(&place), merged, "{format} {strategy}");
    // Anybody else reads the same in the folder.
    let (database, reader) =
        (place.lab.path("other.duckdb"), format!("read_{}", if format == "jsonl" { "json" } else { format }));
    execute(&database, &[]);
    let all = folder(&place, "orders").join("*");
    let read = try_rows(
        &database,
        None,
        &format!("SELECT count(*), sum(id) FROM {reader}('{}', union_by_name = true)", all.display()),
    );
    assert_eq!(read.map(|r| json!(r)), Ok(if is_only_inserting { json!([[6, 19]]) } else { json!([[5, 17]]) }));
}

#[test]
fn parquet_that_dlt_wrote_is_merged_into() {
    for strategy in ["delete-insert", "upsert", "insert-only"] {
        both_go_on("parquet", "", strategy);
    }
}

#[test]
fn lines_that_dlt_wrote_are_merged_into() {
    both_go_on("jsonl", "?format=jsonl&compression=gzip", "delete-insert");
    both_go_on("jsonl", "?format=jsonl&compression=gzip", "upsert");
    both_go_on("csv", "?format=csv&compression=gzip", "delete-insert");
}

/// dlt reads all files of a table in the form of the first: what has another form is written anew.
#[test]
fn a_table_has_one_form_after_a_merge() {
    let place = place("");
    first_loads(&place, "jsonl");
    place.ours(CHANGES, &MERGE);
    dlt_appends(&place, "jsonl", json!([{ "id": 7, "v": "g", "lines": [{ "n": 8 }] }]));
    place.ours("{\"id\":8,\"v\":\"h\",\"lines\":[]}\n", &MERGE);
    let merged = json!({
        "orders": [[1, "A"], [2, "b"], [3, "c"], [5, "e"], [7, "g"], [8, "h"]],
        "orders__lines": [[3], [4], [5], [8], [9]],
        "orders__lines__deep": [[3], [9]]
    });
    assert_eq!(rows(&place), merged);
    for (table, _) in READ {
        let names = names(&folder(&place, table));
        assert!(!names.is_empty() && names.iter().all(|n| n.ends_with(".parquet")), "{table}: {names:?}");
    }
}

/// dlt gives rows that it appends ids that say nothing of their values: the first merge ends them all, and versions go on
/// from there.
#[test]
fn versions_go_on_from_rows_of_dlts() {
    let place = place("");
    let job = json!({ "table": "orders", "format": "parquet", "read": {}, "primary_key": "id",
        "disposition": { "disposition": "merge", "strategy": "scd2" },
        "records": [{ "id": 1, "v": "a", "lines": [{ "n": 1 }] }, { "id": 2, "v": "b", "lines": [{ "n": 2 }] }] });
    place.dlt(job);
    let versions = ["--write-disposition", "merge", "--merge-strategy", "scd2"];
    let one = "{\"id\":1,\"v\":\"a\",\"lines\":[{\"n\":1}]}\n";
    place.ours(&format!("{one}{{\"id\":2,\"v\":\"B\",\"lines\":[{{\"n\":3}}]}}\n"), &versions);
    place.ours(&format!("{one}{{\"id\":2,\"v\":\"C\",\"lines\":[{{\"n\":4}}]}}\n"), &versions);
    let holds = "CAST(_dlt_valid_to IS NULL AS VARCHAR) AS holds";
    let read = place.dlt(json!({ "read": { "orders": ["id", "v", holds], "orders__lines": ["n"] } }));
    let all = json!([[1, "a", "false"], [1, "a", "true"], [2, "B", "false"], [2, "C", "true"], [2, "b", "false"]]);
    assert_eq!(read["rows"], json!({ "orders": all, "orders__lines": [[1], [1], [2], [3], [4]] }));
}

/// In a layout with dates, or one whose tables have no folders, files of dlt's are found too.
#[test]
fn layouts_of_dlts_are_followed() {
    for layout in ["{table_name}/{YYYY}/{MM}/{load_id}.{file_id}.{ext}", "all/{table_name}.{load_id}.{file_id}.{ext}"] {
        let place = place(&format!("?layout={}", layout.replace('{', "%7B").replace('}', "%7D")));
        let dlt = |mut job: Value| {
            job["layout"] = layout.into();
            place.dlt(job)
        };
        let first = json!([{ "id": 1, "v": "a", "lines": [{ "n": 1 }] }, { "id": 2, "v": "b" }]);
        dlt(json!({ "table": "orders", "records": first, "read": {} }));
        place.ours("{\"id\":1,\"v\":\"A\",\"lines\":[{\"n\":9}]}\n", &MERGE);
        let rows = dlt(json!({}))["rows"].take();
        assert_eq!(rows, json!({ "orders": [[1, "A"], [2, "b"]], "orders__lines": [[9]] }), "{layout}");
        place.ours("{\"id\":3,\"v\":\"c\"}\n", &["--write-disposition", "replace"]);
        assert_eq!(
            dlt(json!({ "read": { "orders": ["id", "v"] } }))["rows"],
            json!({ "orders": [[3, "c"]] }),
            "{layout}"
        );
    }
}

/// Rows without ids, and tables of another kind, are refused by name and stay as they are; replacing takes them away.
#[test]
fn what_cannot_be_merged_into_is_refused() {
    let place = place("");
    let records = json!([{ "id": 1, "v": "a" }]);
    place.dlt(json!({ "table": "orders", "records": records, "arrow": true, "read": {} }));
    let of_dlt = names(&folder(&place, "orders"));
    let says = |output: &Output, parts: &[&str]| {
        assert_eq!(output.status, Some(1), "{output:#?}");
        for part in parts {
            assert!(output.stderr.contains(part), "{part}: {output:#?}");
        }
    };
    let one = "{\"id\":1,\"v\":\"A\"}\n";
    says(&place.try_ours(one, &MERGE), &["without _dlt_id", "orders/", "add_dlt_id", "--write-disposition replace"]);
    assert_eq!(names(&folder(&place, "orders")), of_dlt);
    place.ours(one, &["--write-disposition", "replace"]);
    place.ours("{\"id\":1,\"v\":\"B\"}\n", &MERGE);
    let read = place.dlt(json!({ "read": { "orders": ["id", "v"] } }));
    assert_eq!(read["rows"], json!({ "orders": [[1, "B"]] }));
    let log = place.lab.write(&format!("files/{DATASET}/orders/_delta_log/00000000000000000000.json"), "{}");
    // Before anything is read.
    says(&place.try_ours("not even JSON", &MERGE), &["in a form that nothing can be merged into", "_delta_log"]);
    fs::remove_file(log).expect("it is there");
    place.ours("{\"id\":1,\"v\":\"C\"}\n", &MERGE);
}

/// Every value of dlt's is the same for dlt after its file was written anew, in the same form or another. Of CSV, dlt reads
/// bytes as text, and Longshore writes base64.
#[test]
fn values_stay_what_they_were() {
    let columns = json!({ "j": { "data_type": "json" }, "b": { "data_type": "binary" }, "at": { "data_type": "timestamp" },
        "day": { "data_type": "date" }, "dec": { "data_type": "decimal" }, "small": { "data_type": "decimal", "precision": 10, "scale": 2 } });
    let values = json!({ "v": "q\"u,o\nte ü\\n", "e": "", "big": 4_611_686_018_427_387_904_u64, "b": "eHk=", "dec": "12345.678900001",
        "small": "1.25", "at": "2024-01-02T03:04:05.678901Z", "day": "1969-12-31", "yes": true, "f": 1.5e300, "j": { "k": [1, { "ä": null }] } });
    let read: Vec<&str> = ["id", "v", "e", "big", "hex(b)", "dec", "small", "at", "day", "yes", "f", "j"].into();
    for (format, settings) in [("parquet", ""), ("jsonl", "?format=jsonl&compression=gzip"), ("jsonl", ""), ("csv", "")]
    {
        let place = place(settings);
        let mut records = vec![values.clone(), values.clone(), json!({})];
        records.iter_mut().zip(1..).for_each(|(record, id)| record["id"] = json!(id));
        let job = json!({ "table": "orders", "records": records, "columns": columns, "format": format, "read": { "orders": read } });
        let before = place.dlt(job)["rows"]["orders"].take();
        place.ours("{\"id\":1,\"v\":\"new\"}\n", &MERGE);
        let after = place.dlt(json!({ "read": { "orders": read } }))["rows"]["orders"].take();
        let others = |rows: &Value| -> Vec<Value> {
            rows.as_array().into_iter().flatten().filter(|row| row[0] != 1).cloned().collect()
        };
        assert_eq!((others(&after), others(&before).len()), (others(&before), 2), "{format} {settings}");
        assert_eq!(others(&after).iter().filter(|row| row[7].is_string()).count(), 1, "{after}");
    }
    let place = place("?format=csv");
    let job = json!({ "table": "orders", "records": [{ "id": 1, "b": "eHk=" }], "columns": columns, "format": "csv", "read": {} });
    place.dlt(job);
    let output = place.try_ours("{\"id\":1,\"b\":\"eHk=\"}\n", &MERGE);
    assert!(output.status == Some(1) && output.stderr.contains("bytes in CSV"), "{output:#?}");
}

/// A process that dies behind its manifest has not deleted the files it wrote anew: they are nobody's new files, and the
/// pipeline's next run deletes them.
#[test]
fn files_that_a_killed_merge_left_go_with_the_next_run() {
    let place = place("");
    first_loads(&place, "parquet");
    let of_dlt: Vec<(PathBuf, Vec<u8>)> = READ
        .iter()
        .flat_map(|(table, _)| fs::read_dir(folder(&place, table)).expect("a folder").flatten())
        .map(|e| (e.path(), fs::read(e.path()).expect("a file")))
        .collect();
    place.ours(CHANGES, &MERGE);
    let merged = rows(&place);
    // As it was when all but the manifest was to be done.
    let gone: Vec<_> = of_dlt.iter().filter(|(path, _)| !path.exists()).collect();
    assert!(gone.len() >= 3, "{gone:?}");
    let manifests = folder(&place, "_manifests");
    let manifest = names(&manifests).into_iter().find(|n| n.ends_with(".json")).expect("a manifest");
    let load_id = manifest.trim_end_matches(".json").rsplit_once("__").expect("a load id").1.to_owned();
    let note = json!({ "load_id": load_id, "pipeline": PIPELINE, "attempt": "killed", "paths": [] });
    place.lab.write(&format!("files/{DATASET}/_manifests/pending/{manifest}"), note.to_string());
    for (path, bytes) in &gone {
        fs::create_dir_all(path.parent().expect("a folder")).and_then(|()| fs::write(path, bytes)).expect("put back");
    }
    let input = place.lab.write("other.ndjson", "{\"id\":8,\"v\":\"h\"}\n");
    let mut other = vec!["load", input.to_str().expect("a path"), "--table", "orders", "--system-columns", "dlt"];
    other.extend(["--pipeline", "other_pipeline", "--dataset", DATASET, "--destination", &place.url]);
    other.extend(MERGE);
    place.run(&other);
    assert!(gone.iter().all(|(path, _)| path.exists()), "they are no concern of another pipeline's");
    place.ours("{\"id\":8,\"v\":\"H\"}\n", &MERGE);
    assert!(gone.iter().all(|(path, _)| !path.exists()));
    let mut expected = merged;
    expected["orders"].as_array_mut().expect("rows").push(json!([8, "H"]));
    assert_eq!(rows(&place), expected);
}

/// Killed at any moment and run again, a merge is done once, and dlt sees what the manifests say.
#[test]
fn a_killed_merge_is_done_by_the_same_command() {
    let place = place("");
    let records: Value = (0..3_000).map(|id| json!({ "id": id, "v": "old", "lines": [{ "n": id }] })).collect();
    dlt_appends(&place, "jsonl", records);
    let changes: String =
        (0..3_000).step_by(3).map(|id| format!("{{\"id\":{id},\"v\":\"new\",\"lines\":[]}}\n")).collect();
    let input = place.lab.write("changes.ndjson", changes);
    let destination = place.destination();
    let mut args = vec!["load", input.to_str().expect("a path"), "--table", "orders", "--system-columns", "dlt"];
    args.extend(["--pipeline", PIPELINE, "--dataset", DATASET, "--destination", &destination]);
    args.extend(MERGE);
    let began = std::time::Instant::now();
    let mut kills = 0;
    for wait in (20..).step_by(35) {
        let mut child =
            place.lab.command(&args).env_remove("LONGSHORE_DESTINATION").spawn().expect("the binary starts");
        std::thread::sleep(std::time::Duration::from_millis(wait));
        let _ = child.kill(); // it may be over
        let output = Output::from(child.wait_with_output().expect("a child can be waited for"));
        assert!(output.status.is_none_or(|s| s == 0), "{output:#?}");
        kills += usize::from(output.status.is_none());
        if output.status == Some(0) {
            break;
        }
        assert!(began.elapsed().as_secs() < 120, "it is never done");
    }
    assert!(kills > 0, "nothing was killed");
    let count = ["count(*) AS rows", "count(DISTINCT id) AS ids", "count(*) FILTER (v = 'new') AS new"];
    let read =
        place.dlt(json!({ "read": { "orders": count, "orders__lines": ["count(*) AS rows", "min(n) AS least"] } }));
    assert_eq!(
        read["rows"],
        json!({ "orders": [[3_000, 3_000, 1_000]], "orders__lines": [[2_000, 1]] }),
        "{kills} kills"
    );
}
