//! Loads that rewrite files: only touched ones, one after the other when two come at once, with what they took away
//! deleted; and checkpoints of many manifests.
#![allow(clippy::unwrap_used)] // in helpers of tests, too

mod common;

use common::{open, read};
use longshore_core::connect::Connection;
use longshore_core::destination::Destination;
use longshore_core::schema::{Disposition, MergeStrategy, WriteRules};
use longshore_destination_filesystem::{Config, FileManifest, Filesystem};
use longshore_testkit::fixture::{Package, PackageBuilder, load};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

fn upsert() -> WriteRules {
    WriteRules {
        disposition: Disposition::Merge,
        strategy: MergeStrategy::Upsert,
        primary_key: vec!["id".to_owned()],
        ..WriteRules::default()
    }
}

/// A load of records with these ids, each with a list of two.
fn orders(pipeline: &str, number: u64, ids: std::ops::Range<u64>) -> Package {
    let record = |id| format!(r#"{{"id":{id},"by":{number},"lines":[{{"n":1}},{{"n":2}}]}} "#);
    let records: String = ids.map(record).collect();
    let package = PackageBuilder::new(pipeline, "data", number).writing(upsert());
    package.json("orders", &records).state(json!({ "cursor": number })).build()
}

fn filesystem(folder: &Path, query: &str) -> Filesystem {
    let connection = Connection::new(format!("{}{query}", folder.join("lake").display()));
    Filesystem::new(Config::from_connection(&connection).unwrap()).unwrap()
}

async fn of_load(destination: &Filesystem, package: &Package) -> FileManifest {
    let manifests = destination.manifests("data").await.unwrap();
    manifests.into_iter().find(|m| m.load_id == package.manifest.load_id).expect("the load has a manifest")
}

fn removed(manifest: &FileManifest, table: &str) -> Vec<String> {
    manifest.tables.iter().filter(|t| t.table == table).flat_map(|t| t.removed.clone()).collect()
}

async fn ids(destination: &dyn Destination) -> Vec<u64> {
    let rows = read(destination, "data", "orders").await.unwrap().unwrap();
    let mut ids: Vec<u64> = rows.column("id").iter().filter_map(Value::as_u64).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn only_touched_files_are_written_anew() {
    for query in ["", "?format=jsonl", "?format=csv&compression=gzip"] {
        let folder = tempfile::tempdir().unwrap();
        let destination = filesystem(folder.path(), query);
        for (number, from) in [(1, 0), (2, 100), (3, 200)] {
            load(&destination, &orders("shop", number, from..from + 100)).await.unwrap();
        }
        let change = orders("shop", 4, 150..152);
        load(&destination, &change).await.unwrap();
        let made = of_load(&destination, &change).await;
        assert_eq!(removed(&made, "orders").len(), 1, "{query}: one file has those keys");
        assert_eq!(removed(&made, "orders__lines").len(), 1, "{query}");
        assert!(removed(&made, "orders").iter().all(|f| !folder.path().join("lake/data").join(f).exists()), "{query}");
        assert_eq!(ids(&destination).await, (0..300).collect::<Vec<u64>>(), "{query}");
        let lines = read(&destination, "data", "orders__lines").await.unwrap().unwrap();
        assert_eq!(lines.rows.len(), 600, "{query}");
        // Nothing touched: nothing taken away.
        let more = orders("shop", 5, 300..301);
        load(&destination, &more).await.unwrap();
        let made = of_load(&destination, &more).await;
        assert_eq!((removed(&made, "orders"), removed(&made, "orders__lines")), (vec![], vec![]), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_of_keys_are_in_the_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let destination = filesystem(folder.path(), "");
    let package = orders("shop", 1, 10..20);
    load(&destination, &package).await.unwrap();
    let made = of_load(&destination, &package).await;
    let file = &made.tables.iter().find(|t| t.table == "orders").unwrap().added[0];
    assert_eq!(file.bounds.get("id"), Some(&[json!(10), json!(19)]), "{file:?}");
    assert!(file.bounds.contains_key("_row_id"), "{file:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_pipelines_merge_into_one_table_at_once_and_no_key_is_there_twice() {
    let folder = tempfile::tempdir().unwrap();
    let destination = Arc::new(filesystem(folder.path(), ""));
    let mut tries = 0;
    for round in 0..15_u64 {
        let loaders = ["one", "two"].map(|pipeline| {
            let destination = Arc::clone(&destination);
            let package = orders(pipeline, round * 2 + u64::from(pipeline == "two") + 1, round..round + 20);
            tokio::spawn(async move {
                for attempt in 1..200 {
                    match load(&*destination, &package).await {
                        Ok(_) => return attempt,
                        Err(e) if e.is_retryable() => {}
                        Err(e) => panic!("{e}: {:?}", std::error::Error::source(&e).map(ToString::to_string)),
                    }
                }
                panic!("never loaded")
            })
        });
        for loader in loaders {
            tries += loader.await.unwrap();
        }
        let expect: Vec<u64> = (0..round + 20).collect();
        assert_eq!(ids(&*destination).await, expect, "round {round}");
    }
    assert!(tries >= 30);
    let lines = read(&*destination, "data", "orders__lines").await.unwrap().unwrap();
    assert_eq!(lines.rows.len(), 2 * 34);
    assert_eq!(destination.manifests("data").await.unwrap().len(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn clean_removes_what_a_merge_took_away_and_did_not_delete() {
    let folder = tempfile::tempdir().unwrap();
    let destination = filesystem(folder.path(), "");
    load(&destination, &orders("shop", 1, 0..10)).await.unwrap();
    let data = folder.path().join("lake/data");
    let old: Vec<_> = std::fs::read_dir(data.join("orders")).unwrap().map(|e| e.unwrap().path()).collect();
    let kept = std::fs::read(&old[0]).unwrap();
    let change = orders("shop", 2, 5..6);
    load(&destination, &change).await.unwrap();
    // As a process leaves it that dies right behind its manifest.
    std::fs::write(&old[0], kept).unwrap();
    let id = change.manifest.load_id.as_str();
    let note = json!({ "load_id": id, "pipeline": "shop", "attempt": "x", "paths": [] });
    std::fs::create_dir_all(data.join("_manifests/pending")).unwrap();
    std::fs::write(data.join(format!("_manifests/pending/shop__{id}.json")), note.to_string()).unwrap();
    let would = destination.clean("data", true).await.unwrap();
    assert_eq!((would.files.len(), would.loads.len(), old[0].exists()), (1, 0, true), "{would:?}");
    let report = destination.clean("data", false).await.unwrap();
    assert_eq!((report, old[0].exists()), (would, false));
    assert_eq!(ids(&destination).await, (0..10).collect::<Vec<u64>>());
    assert_eq!(destination.clean("data", false).await.unwrap().files, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_loads_are_read_from_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let destination = filesystem(folder.path(), "");
    for number in 1..=160 {
        load(&destination, &orders("shop", number, number..number + 1)).await.unwrap();
    }
    load(&destination, &orders("shop__1", 161, 161..162)).await.unwrap();
    let manifests = folder.path().join("lake/data/_manifests");
    let checkpoints: Vec<_> =
        std::fs::read_dir(manifests.join("checkpoints")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!((1..=2).contains(&checkpoints.len()), "{checkpoints:?}");
    // What a checkpoint covers is not read: it could not be.
    let newest = checkpoints.iter().filter_map(|n| n.to_str()?.split('-').next()?.parse::<usize>().ok()).max().unwrap();
    assert!(newest >= 64, "{checkpoints:?}");
    let mut files: Vec<_> = std::fs::read_dir(&manifests).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.is_file());
    files.sort();
    for file in &files[..newest.min(100)] {
        std::fs::write(file, "unreadable").unwrap();
    }
    assert_eq!(ids(&destination).await, (1..162).collect::<Vec<u64>>());
    let of = |table: &str, tables: &[longshore_core::package::TableCount]| {
        tables.iter().find(|t| t.table == table).map(|t| t.rows)
    };
    let tables = destination.tables("data").await.unwrap();
    assert_eq!(
        (of("orders", &tables), of("orders__lines", &tables), of("_loads", &tables)),
        (Some(161), Some(322), Some(161))
    );
    // Each pipeline has its own newest load and its own states, however alike the names are.
    for (package, cursor) in [(orders("shop", 160, 0..0), 160), (orders("shop__1", 161, 0..0), 161)] {
        let last = destination.last_committed(&package.manifest.target).await.unwrap().expect("it has loaded");
        assert_eq!((last.load_id, last.state), (package.manifest.load_id, Some(json!({ "cursor": cursor }))));
    }
    assert_eq!(
        open(&Connection::new(folder.path().join("lake").display().to_string())).unwrap().tables("data").await.unwrap(),
        tables
    );
}
