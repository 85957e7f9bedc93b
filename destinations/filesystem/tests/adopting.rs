//! Merging into files that dlt wrote: what the manifest says of them, in a folder and in a bucket.
#![allow(clippy::unwrap_used)] // in helpers of tests, too

mod common;

use common::buckets::{connection, s3_credentials};
use common::read;
use common::servers::{self, BUCKET};
use longshore_core::connect::Connection;
use longshore_core::schema::{Disposition, MergeStrategy, WriteRules};
use longshore_destination_filesystem::{Config, Filesystem};
use longshore_testkit::fixture::{PackageBuilder, load};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Writes a file as dlt does; its name has nothing of ours.
fn of_dlt(dataset: &Path, path: &str, lines: &[&str]) -> u64 {
    let file = dataset.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, lines.join("\n") + "\n").unwrap();
    fs::metadata(&file).unwrap().len()
}

async fn merge(destination: &Filesystem, number: u64, records: &str) {
    let rules = WriteRules {
        disposition: Disposition::Merge,
        strategy: MergeStrategy::DeleteInsert,
        primary_key: vec!["id".to_owned()],
        ..WriteRules::default()
    };
    let package = PackageBuilder::new("shop", "data", number).dlt().writing(rules).json("orders", records).build();
    load(destination, &package).await.unwrap();
}

async fn values(destination: &Filesystem, table: &str, column: &str) -> Vec<u64> {
    let rows = read(destination, "data", table).await.unwrap().unwrap();
    let mut values: Vec<u64> = rows.column(column).iter().filter_map(Value::as_u64).collect();
    values.sort_unstable();
    values
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_dlts_are_named_by_the_manifest_or_written_anew() {
    let (server, folder) = (servers::s3(), tempfile::tempdir().unwrap());
    let bucket = connection(&format!("s3://{BUCKET}/shared?format=jsonl"), &s3_credentials(&server));
    let local = Connection::new(format!("{}?format=jsonl", folder.path().display()));
    let in_bucket = server.root.path().join(BUCKET).join("shared");
    for (at, root) in [(local, folder.path()), (bucket, in_bucket.as_path())] {
        let destination = Filesystem::new(Config::from_connection(&at).unwrap()).unwrap();
        let dataset = root.join("data");
        let touched = r#"{"id":1,"v":"a","_dlt_load_id":"1700000000.5","_dlt_id":"r1"}"#;
        let beside = r#"{"id":2,"_dlt_load_id":"1700000000.5","_dlt_id":"r2"}"#;
        of_dlt(&dataset, "orders/1700000000.5.aaaaaaaaaa.jsonl", &[touched, beside]);
        let line = r#"{"id":3,"odd":{"k":1},"_dlt_load_id":"1700000001.5","_dlt_id":"r3"}"#;
        let bytes = of_dlt(&dataset, "orders/1700000001.5.bbbbbbbbbb.jsonl", &[line]);
        let child = |n: u64| format!(r#"{{"n":{n},"_dlt_parent_id":"r{n}","_dlt_list_idx":0,"_dlt_id":"c{n}"}}"#);
        of_dlt(&dataset, "orders__lines/1700000000.5.cccccccccc.jsonl", &[&child(1), &child(2)]);
        merge(&destination, 1, r#"{"id":1,"lines":[{"n":9}]}"#).await;
        assert_eq!(values(&destination, "orders", "id").await, [1, 2, 3]);
        assert_eq!(values(&destination, "orders__lines", "n").await, [2, 9]);
        let manifest = destination.manifests("data").await.unwrap().pop().unwrap();
        let of = |table: &str| manifest.tables.iter().filter(|t| t.table == table).collect::<Vec<_>>();
        let adopted = of("orders").into_iter().flat_map(|t| &t.added).filter(|f| f.of_dlt).collect::<Vec<_>>();
        assert_eq!(adopted.len(), 1, "{adopted:?}");
        let file = adopted[0];
        assert_eq!((file.path.as_str(), file.rows, file.bytes), ("orders/1700000001.5.bbbbbbbbbb.jsonl", 1, bytes));
        assert_eq!(file.longest_line, line.len() as u64 + 1);
        let removed: Vec<&String> =
            of("orders").into_iter().chain(of("orders__lines")).flat_map(|t| &t.removed).collect();
        assert_eq!(removed, ["orders/1700000000.5.aaaaaaaaaa.jsonl", "orders__lines/1700000000.5.cccccccccc.jsonl"]);
        assert!(removed.iter().all(|path| !dataset.join(path).exists()));
        // A column that no schema knows is kept when its file is written anew, too.
        merge(&destination, 2, r#"{"id":3,"v":"c"} {"id":4}"#).await;
        assert_eq!(values(&destination, "orders", "id").await, [1, 2, 3, 4]);
        of_dlt(&dataset, "orders/1700000002.5.dddddddddd.jsonl", &[&line.replace('3', "5"), &beside.replace('2', "6")]);
        merge(&destination, 3, r#"{"id":6,"v":"f"}"#).await;
        assert_eq!(values(&destination, "orders", "id").await, [1, 2, 3, 4, 5, 6]);
        let rows = read(&destination, "data", "orders").await.unwrap().unwrap();
        assert_eq!(rows.column("odd").iter().filter(|v| !v.is_null()).count(), 1, "{:?}", rows.column("odd"));
    }
}
