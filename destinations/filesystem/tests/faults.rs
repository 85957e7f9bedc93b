//! Connections that break, stores that are slow or refuse, and two loaders at once.
#![allow(clippy::unwrap_used)] // in helpers of tests, too

mod common;

use common::buckets::{connection, s3_credentials};
use common::servers::{self, BUCKET};
use common::{open, proxy, read};
use hyper::Response;
use longshore_core::connect::Connection;
use longshore_core::destination::Destination;
use longshore_core::{Error, ErrorKind};
use longshore_destination_filesystem::{Config, Filesystem};
use longshore_testkit::fixture::{Package, PackageBuilder, load, stage};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

fn package(pipeline: &str, number: u64) -> Package {
    let records: String =
        (0..40).map(|i| format!(r#"{{"id":{},"lines":[{{"n":1}},{{"n":2}}]}} "#, number * 1000 + i)).collect();
    PackageBuilder::new(pipeline, "data", number).json("orders", &records).state(json!({"cursor": number})).build()
}

/// Loads until it is loaded, as a pipeline does, and says how often it had to try.
async fn load_until_done(destination: &dyn Destination, package: &Package) -> u32 {
    for attempt in 1..50 {
        match load(destination, package).await {
            Ok(_) => return attempt,
            Err(e) if e.is_retryable() => {}
            Err(e) => panic!("{e}: {:?}", std::error::Error::source(&e).map(ToString::to_string)),
        }
    }
    panic!("never loaded")
}

async fn check(destination: &dyn Destination, loads: impl IntoIterator<Item = u64>) {
    let expect: BTreeSet<u64> = loads.into_iter().flat_map(|n| (0..40).map(move |i| n * 1000 + i)).collect();
    let rows = read(destination, "data", "orders").await.unwrap().unwrap();
    let ids: Vec<u64> = rows.column("id").iter().filter_map(Value::as_u64).collect();
    assert_eq!((ids.len(), ids.into_iter().collect::<BTreeSet<_>>()), (expect.len(), expect.clone()));
    let lines = read(destination, "data", "orders__lines").await.unwrap().unwrap();
    assert_eq!(lines.rows.len(), 2 * expect.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_broken_connections_lose_and_double_nothing() {
    let server = servers::s3();
    let (address, faults) = proxy::start(server.address, 20_261_122);
    let mut broken = s3_credentials(&server);
    broken.insert("endpoint_url".to_owned(), json!(format!("http://{address}")));
    broken.insert("timeout".to_owned(), json!("5s"));
    // Connections are not kept, so that each request meets a fault of its own.
    broken.insert("pool_max_idle_per_host".to_owned(), json!("0"));
    let url = format!("s3://{BUCKET}/faults");
    let mut loads = 0;
    while faults.count() < 100 {
        loads += 1;
        let destination = open(&connection(&url, &broken)).unwrap();
        load_until_done(&*destination, &package("shop", loads)).await;
    }
    let direct = open(&connection(&url, &s3_credentials(&server))).unwrap();
    check(&*direct, 1..=loads).await;
    // Nothing that a listing finds is more than the manifests name.
    let filesystem =
        Filesystem::new(Config::from_connection(&connection(&url, &s3_credentials(&server))).unwrap()).unwrap();
    let named: BTreeSet<String> = filesystem
        .manifests("data")
        .await
        .unwrap()
        .iter()
        .flat_map(|m| m.tables.iter().flat_map(|t| t.added.iter().map(|f| f.path.clone())).collect::<Vec<_>>())
        .collect();
    let folder = server.root.path().join(BUCKET).join("faults/data/orders");
    let listed: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| format!("orders/{}", e.unwrap().file_name().to_string_lossy()))
        .collect();
    assert!(listed.iter().all(|file| named.contains(file)), "{listed:?} but {named:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_loaders_at_once_lose_nothing() {
    let server = servers::s3();
    let at = connection(&format!("s3://{BUCKET}/two"), &s3_credentials(&server));
    let (one, two) = (open(&at).unwrap(), open(&at).unwrap());
    let run = |destination: Arc<dyn Destination>, pipeline: &'static str, first: u64| {
        tokio::spawn(async move {
            for number in first..first + 5 {
                load_until_done(&*destination, &package(pipeline, number)).await;
            }
        })
    };
    let (a, b) = (run(one, "one", 1), run(two, "two", 6));
    a.await.unwrap();
    b.await.unwrap();
    check(&*open(&at).unwrap(), 1..=10).await;
    // The same load by two at once is one load.
    let same = package("one", 20);
    let (x, y) = (open(&at).unwrap(), open(&at).unwrap());
    let (x, y) = tokio::join!(load_until_done(&*x, &same), load_until_done(&*y, &same));
    assert!(x + y >= 2);
    check(&*open(&at).unwrap(), (1..=10).chain([20])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_crash_left_is_cleaned_and_only_that() {
    for bucket in [false, true] {
        let (server, folder) = (servers::s3(), tempfile::tempdir().unwrap());
        let at = match bucket {
            true => connection(&format!("s3://{BUCKET}/clean"), &s3_credentials(&server)),
            false => Connection::new(folder.path().display().to_string()),
        };
        let filesystem = Filesystem::new(Config::from_connection(&at).unwrap()).unwrap();
        load(&filesystem, &package("shop", 1)).await.unwrap();
        load(&filesystem, &package("shop", 2)).await.unwrap();
        // As if the second had died before its manifest: its note is there, the manifest is not.
        let root = if bucket { server.root.path().join(BUCKET).join("clean") } else { folder.path().to_owned() };
        let manifests = root.join("data/_manifests");
        let of_second = filesystem.manifests("data").await.unwrap().pop().unwrap();
        let name = format!("shop__{}.json", of_second.load_id);
        let paths: Vec<String> = of_second.tables.iter().flat_map(|t| t.added.iter().map(|f| f.path.clone())).collect();
        std::fs::create_dir_all(manifests.join("pending")).unwrap();
        let note = json!({"load_id": of_second.load_id, "pipeline": "shop", "attempt": "x", "paths": paths});
        std::fs::write(manifests.join("pending").join(&name), note.to_string()).unwrap();
        std::fs::remove_file(manifests.join(&name)).unwrap();
        let alive = filesystem.begin(&package("shop", 3).opening()).await.unwrap();
        let staged = stage(&*alive, &package("shop", 3)).await.unwrap();
        // Of a small file that was being written: one long ago, one just now.
        let forgotten = manifests.join(".new-forgotten");
        if !bucket {
            let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(2 * 3600);
            std::fs::File::create(&forgotten).unwrap().set_modified(long_ago).unwrap();
            std::fs::write(manifests.join(".new-alive"), "x").unwrap();
        }
        let would = filesystem.clean("data", true).await.unwrap();
        assert_eq!((would.loads.len(), would.files.len()), (1, if bucket { 2 } else { 3 }), "{would:?}");
        assert_eq!(forgotten.exists(), !bucket);
        assert!(root.join("data").join(&paths[0]).exists());
        assert_eq!(filesystem.clean("data", false).await.unwrap(), would);
        assert!(!forgotten.exists() && (bucket || manifests.join(".new-alive").exists()));
        assert!(!root.join("data").join(&paths[0]).exists());
        assert_eq!(filesystem.clean("data", false).await.unwrap().files.len(), 0);
        assert!(would.found && !filesystem.clean("no_such", false).await.unwrap().found);
        alive.commit(&package("shop", 3).manifest, &staged).await.unwrap();
        check(&filesystem, [1, 3]).await;
        load(&filesystem, &package("shop", 2)).await.unwrap();
        check(&filesystem, [1, 2, 3]).await;
    }
}

/// A store that always answers the same, after a number of other answers.
fn answering(first: u64, code: u16, body: &'static str, then: u16, then_body: &'static str) -> Connection {
    let asked = Arc::new(AtomicU64::new(0));
    let address = servers::serve(move |_| {
        let early = asked.fetch_add(1, Ordering::SeqCst) < first;
        let (code, body) = if early { (code, body) } else { (then, then_body) };
        let answer = Response::builder().status(code).body(s3s::Body::from(body.to_owned()));
        async move { Ok(answer.expect("a valid answer")) }
    });
    let credentials =
        json!({"endpoint_url": format!("http://{address}"), "aws_access_key_id": "x", "aws_secret_access_key": "y"});
    connection(&format!("s3://{BUCKET}/p"), credentials.as_object().expect("an object"))
}

async fn ask(at: &Connection) -> Result<bool, Error> {
    let package = package("shop", 1);
    open(at).unwrap().is_committed(&package.manifest.target, &package.manifest.load_id).await
}

const MISSING: &str = "<Error><Code>NoSuchKey</Code></Error>";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_down_and_expired_credentials_are_tried_again() {
    let slow = answering(3, 503, "<Error><Code>SlowDown</Code></Error>", 404, MISSING);
    assert!(!ask(&slow).await.unwrap());
    let expired = answering(2, 400, "<Error><Code>ExpiredToken</Code></Error>", 404, MISSING);
    assert!(!ask(&expired).await.unwrap());
    let for_good = answering(u64::MAX, 400, "<Error><Code>ExpiredToken</Code></Error>", 404, MISSING);
    let error = ask(&for_good).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("expired"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_permission_is_named_with_bucket_and_key() {
    let denied = answering(u64::MAX, 403, "<Error><Code>AccessDenied</Code></Error>", 403, "");
    let error = ask(&denied).await.unwrap_err().to_string();
    for part in ["s3:GetObject", BUCKET, "p/data/_manifests/shop__"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_without_conditional_puts_is_known_by_its_first_answer() {
    let (server, refused) = servers::s3_without_conditions();
    let (url, mut settings) = (format!("s3://{BUCKET}/plain"), s3_credentials(&server));
    let error = load(&*open(&connection(&url, &settings)).unwrap(), &package("shop", 1)).await.unwrap_err();
    assert!(error.hint_text().is_some_and(|h| h.contains("conditional_put=disabled")), "{error}");
    assert_eq!((refused.load(Ordering::SeqCst), error.is_retryable()), (1, false), "{error}");
    settings.insert("conditional_put".to_owned(), json!("disabled"));
    let plain = open(&connection(&url, &settings)).unwrap();
    load(&*plain, &package("shop", 1)).await.unwrap();
    check(&*plain, [1]).await;
}
