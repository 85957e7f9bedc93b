//! Data files that manifests name, and that somebody deleted.
#![allow(clippy::unwrap_used)] // in helpers of tests, too

mod common;

use common::buckets::{connection, s3_credentials};
use common::read;
use common::servers::{self, BUCKET};
use longshore_core::ErrorKind;
use longshore_core::connect::Connection;
use longshore_core::destination::Destination;
use longshore_core::schema::{Disposition, MergeStrategy, WriteRules};
use longshore_destination_filesystem::{Config, Filesystem};
use longshore_testkit::fixture::{Package, PackageBuilder, load};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// A load that merges records with these ids, each with a list of two.
fn orders(number: u64, ids: std::ops::Range<u64>, is_dlts: bool) -> Package {
    let merge = WriteRules {
        disposition: Disposition::Merge,
        strategy: MergeStrategy::Upsert,
        primary_key: vec!["id".to_owned()],
        ..WriteRules::default()
    };
    let records: String = ids.map(|id| format!(r#"{{"id":{id},"lines":[{{"n":1}},{{"n":2}}]}} "#)).collect();
    let package = PackageBuilder::new("shop", "data", number);
    let package = if is_dlts { package.dlt() } else { package };
    package.writing(merge).json("orders", &records).build()
}

/// A dataset of some loads, and the first data file of its orders.
struct Damaged {
    destination: Filesystem,
    file: PathBuf,
    bytes: Vec<u8>,
    _keep: (servers::Server, tempfile::TempDir),
}

/// With so many loads that a bucket is listed, or so few that its files are asked for.
async fn damaged(in_bucket: bool, loads: u64, is_dlts: bool) -> Damaged {
    let (server, folder) = (servers::s3(), tempfile::tempdir().unwrap());
    let (at, root) = match in_bucket {
        true => (
            connection(&format!("s3://{BUCKET}/gone"), &s3_credentials(&server)),
            server.root.path().join(BUCKET).join("gone"),
        ),
        false => (Connection::new(folder.path().display().to_string()), folder.path().to_owned()),
    };
    let destination = Filesystem::new(Config::from_connection(&at).unwrap()).unwrap();
    for number in 0..loads {
        load(&destination, &orders(number + 1, number * 10..number * 10 + 10, is_dlts)).await.unwrap();
    }
    let first = destination.manifests("data").await.unwrap().remove(0);
    let path = first.tables.iter().find(|t| t.table == "orders").unwrap().added[0].path.clone();
    let file = root.join("data").join(path);
    let bytes = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    Damaged { destination, file, bytes, _keep: (server, folder) }
}

async fn ids(destination: &Filesystem) -> Vec<u64> {
    let rows = read(destination, "data", "orders").await.unwrap().unwrap();
    let mut ids: Vec<u64> = rows.column("id").iter().filter_map(Value::as_u64).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_file_is_named_with_its_table_and_its_load() {
    for (in_bucket, loads) in [(false, 3), (true, 3), (true, 6)] {
        let it = damaged(in_bucket, loads, false).await;
        let name = it.file.file_name().unwrap().to_string_lossy().into_owned();
        let load_id = it.destination.manifests("data").await.unwrap()[0].load_id.to_string();
        let change = orders(20, 0..1, false);
        for error in [
            it.destination.query("data", "SELECT * FROM orders").await.unwrap_err(),
            load(&it.destination, &change).await.unwrap_err(),
        ] {
            let text = error.to_string();
            assert_eq!(error.kind(), ErrorKind::Destination, "{text}");
            assert!(text.contains(&format!("1 of {loads} data files")) && text.contains("10 rows"), "{text}");
            let context = error.context();
            for (key, value) in [("table", "orders"), ("load", &load_id)] {
                assert!(context.iter().any(|(k, v)| *k == key && v == value), "{key}: {text}");
            }
            assert!(context.iter().any(|(k, v)| *k == "file" && v.ends_with(&name)), "{text}");
            assert!(error.hint_text().is_some_and(|h| h.contains("put them back")), "{text}");
        }
        // What there is can be listed all the same: the other tables are fine.
        let counted = it.destination.tables("data").await.unwrap();
        assert_eq!(counted.iter().find(|t| t.table == "orders").map(|t| t.rows), Some(loads * 10 - 10));
        fs::write(&it.file, &it.bytes).unwrap();
        load(&it.destination, &change).await.unwrap();
        assert_eq!(ids(&it.destination).await, (0..loads * 10).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_dlts_mode_a_deleted_file_counts_no_more() {
    for (in_bucket, loads) in [(false, 3), (true, 6)] {
        let it = damaged(in_bucket, loads, true).await;
        let left: Vec<u64> = (10..loads * 10).collect();
        assert_eq!(ids(&it.destination).await, left);
        let counted = it.destination.tables("data").await.unwrap();
        assert_eq!(counted.iter().find(|t| t.table == "orders").map(|t| t.rows), Some(left.len() as u64));
        let change = orders(20, 0..1, true);
        load(&it.destination, &change).await.unwrap();
        assert_eq!(ids(&it.destination).await, [&[0][..], &left].concat());
        let made = it.destination.manifests("data").await.unwrap().pop().unwrap();
        let removed = made.tables.iter().find(|t| t.table == "orders").unwrap().removed.clone();
        assert!(removed.iter().any(|path| it.file.ends_with(path)), "{removed:?}");
    }
}
