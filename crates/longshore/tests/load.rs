//! What an embedder can load, and what an error leaves behind.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, rows};
use longshore::{Contract, ContractMode, Destination, ErrorKind, MergeStrategy, OnError, Outcome, Pipeline, Progress};
use longshore_testkit::fault::{Fault, FaultyDestination};
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
struct Order {
    id: u64,
    tags: Vec<&'static str>,
}

fn orders(count: u64) -> impl Iterator<Item = Order> {
    (0..count).map(|id| Order { id, tags: vec!["a", "b"] })
}

#[test]
fn records_become_linked_tables() {
    let place = Place::new();
    let pipeline = place.pipeline();
    let report = pipeline.load_records(orders(2)).unwrap();
    assert_eq!(report.outcome, Outcome::Loaded);
    assert_eq!((report.counts.read, report.tables.len()), (2, 2));
    assert_eq!(rows(&pipeline, "t"), ["id=0", "id=1"]);
    assert_eq!(rows(&pipeline, "t__tags"), ["value=a", "value=b", "value=a", "value=b"]);
    assert!(pipeline.waiting().unwrap().is_empty());
}

#[test]
fn many_blocks_keep_their_order() {
    let place = Place::new();
    let progress = Progress::default();
    let pipeline = place
        .builder()
        .custom_destination(Arc::new(place.memory.clone()))
        .memory(0)
        .progress(progress.clone())
        .build()
        .unwrap();
    let report = pipeline.load_records(orders(100_000)).unwrap();
    assert_eq!(report.counts.read, 100_000);
    assert_eq!((progress.records(), progress.rows()), (100_000, 300_000));
    let ids = rows(&pipeline, "t");
    assert!(ids.iter().enumerate().all(|(i, row)| *row == format!("id={i}")));
}

#[test]
fn an_iterator_need_not_be_send() {
    let place = Place::new();
    let shared = std::rc::Rc::new(7);
    let report = place.pipeline().load_records((0..3).map(|i| i + *shared)).unwrap();
    assert_eq!(report.counts.normalised, 3);
}

#[test]
fn a_failed_record_loads_nothing() {
    let place = Place::new();
    let pipeline = place.pipeline();
    let records = orders(50_000).map(Ok).chain([Err(std::io::Error::other("the cursor is gone"))]);
    let error = pipeline.try_load_records(records).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(std::error::Error::source(&error).is_some_and(|e| e.to_string().contains("the cursor is gone")));
    assert!(pipeline.tables().unwrap().is_empty() && pipeline.waiting().unwrap().is_empty());
}

#[test]
fn an_iterator_that_panics_loads_nothing() {
    let place = Place::new();
    let pipeline = place.pipeline();
    let records = orders(50_000).chain(std::iter::once_with(|| panic!("as ordered")));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pipeline.load_records(records)));
    assert!(panicked.is_err() && pipeline.tables().unwrap().is_empty());
    assert_eq!(pipeline.load_records(orders(1)).unwrap().counts.read, 1);
}

#[test]
fn nothing_is_a_load_too() {
    let place = Place::new();
    let report = place.pipeline().load_records(orders(0)).unwrap();
    assert_eq!((report.outcome, report.counts.read), (Outcome::Loaded, 0));
    assert_eq!(place.pipeline().load_arrow([]).unwrap().counts.read, 0);
}

#[test]
fn raw_json_is_read_with_and_without_a_wrapper() {
    let place = Place::new();
    let pipeline = place.pipeline();
    pipeline.load_json(r#"[{"a": 1}, {"a": 2}]"#).unwrap();
    pipeline.load_json("{\"a\": 3}\n{\"a\": 4}\n".as_bytes()).unwrap();
    assert_eq!(rows(&pipeline, "t"), ["a=1", "a=2", "a=3", "a=4"]);
    let other = pipeline.with_table("other").unwrap().with_select("$.data[*]").unwrap();
    other.load_reader("page 1", &br#"{"data": [{"b": 1}], "next": 2}"#[..]).unwrap();
    assert_eq!(rows(&other, "other"), ["b=1"]);
    assert!(pipeline.with_select("data[").is_err() && pipeline.with_table(" ").is_err());
}

#[test]
fn malformed_json_is_named_or_kept_aside() {
    let place = Place::new();
    let error = place.pipeline().load_reader("page 7", &b"{\"a\": 1}\n{\"a\": }\n"[..]).unwrap_err();
    assert!(error.to_string().contains("page 7") && error.to_string().contains("line 2"), "{error}");
    let lenient =
        place.builder().custom_destination(Arc::new(place.memory.clone())).on_error(OnError::Reject).build().unwrap();
    let report = lenient.load_json("{\"a\": 1}\n{\"a\": }\n").unwrap();
    assert_eq!((report.counts.normalised, report.counts.rejected), (1, 1));
}

#[test]
fn files_are_found_by_pattern() {
    let place = Place::new();
    for n in 1..=2 {
        std::fs::write(place.folder.path().join(format!("{n}.json")), format!("{{\"n\": {n}}}")).unwrap();
    }
    let pipeline = place.pipeline();
    pipeline.load_files([place.folder.path().join("*.json").display().to_string()]).unwrap();
    assert_eq!(rows(&pipeline, "t"), ["n=1", "n=2"]);
    assert_eq!(pipeline.load_files(["/no/such/file.json"]).unwrap_err().kind(), ErrorKind::Input);
}

#[test]
fn a_failed_destination_is_an_error_and_its_package_waits() {
    let place = Place::new();
    let faulty =
        FaultyDestination::failing_with(ErrorKind::Destination, Arc::new(place.memory.clone()), &[Fault::Commit(0)]);
    let build = |key: &str| {
        let destination: Arc<dyn Destination> = Arc::new(faulty.clone());
        place.builder().custom_destination(destination).resume_key(key).build().unwrap()
    };
    let error = build("monday").load_records(orders(2)).unwrap_err();
    assert!(error.to_string().contains("injected fault"), "{error}");
    assert_eq!(build("").waiting().unwrap().len(), 1);
    // The same work again completes the package and reads nothing.
    let report = build("monday").load_records(std::iter::once_with(|| -> u64 { 99 })).unwrap();
    assert_eq!((report.outcome, report.counts.read), (Outcome::Completed, 2));
    assert_eq!(rows(&build(""), "t"), ["id=0", "id=1"]);
    // Once more, now that it ended well: a new load.
    assert_eq!(build("monday").load_records(orders(1)).unwrap().outcome, Outcome::Loaded);
    assert_eq!(rows(&build(""), "t"), ["id=0", "id=1", "id=0"]);
}

#[test]
fn a_waiting_package_can_be_retried_or_dropped() {
    let place = Place::new();
    let faults = [Fault::Commit(0), Fault::Commit(2)];
    let faulty = FaultyDestination::failing_with(ErrorKind::Destination, Arc::new(place.memory.clone()), &faults);
    let pipeline = place.builder().custom_destination(Arc::new(faulty)).build().unwrap();
    assert!(pipeline.load_records(orders(2)).is_err());
    assert_eq!(pipeline.retry().unwrap().len(), 1);
    assert_eq!(rows(&pipeline, "t"), ["id=0", "id=1"]);
    assert!(pipeline.load_records(orders(1)).is_err());
    let waiting = pipeline.waiting().unwrap();
    pipeline.drop_package(&waiting[0]).unwrap();
    assert!(pipeline.waiting().unwrap().is_empty() && pipeline.retry().unwrap().is_empty());
    assert_eq!(rows(&pipeline, "t").len(), 2);
}

#[test]
fn what_is_missing_or_wrong_is_said_when_building() {
    let place = Place::new();
    let fails = |b: longshore::PipelineBuilder| b.build().map(|_| ()).unwrap_err();
    assert!(fails(Pipeline::builder()).to_string().contains("no name"));
    assert!(fails(Pipeline::builder().name("p")).to_string().contains("no working folder"));
    assert!(fails(place.builder()).to_string().contains("no destination"));
    assert_eq!(fails(place.builder().destination("oracle://x")).kind(), ErrorKind::Config);
    let memory = || place.builder().custom_destination(Arc::new(place.memory.clone()));
    assert!(fails(memory().json_column("a..b")).to_string().contains("a..b"));
    assert!(fails(memory().table("")).to_string().contains("table"));
}

#[test]
fn several_destinations_get_the_same_load() {
    let place = Place::new();
    let second = Place::new();
    let faulty = FaultyDestination::new(Arc::new(second.memory.clone().named("second")), &[]);
    let pipeline = place
        .builder()
        .custom_destination(Arc::new(place.memory.clone()))
        .custom_destination(Arc::new(faulty))
        .build()
        .unwrap();
    let report = pipeline.load_records(orders(2)).unwrap();
    assert!(report.destinations.len() == 2 && report.destinations.iter().all(|d| d.committed));
    assert_eq!(
        rows(&pipeline, "t"),
        rows(&Place { folder: tempfile::tempdir().unwrap(), memory: second.memory }.pipeline(), "t")
    );
}

#[cfg(feature = "duckdb")]
#[test]
fn tables_are_merged_hinted_and_held_as_the_builder_says() {
    let place = Place::new();
    let url = format!("duckdb://{}", place.folder.path().join("shop.duckdb").display());
    let builder = || place.builder().destination(&url);
    let pipeline = builder()
        .merge(MergeStrategy::DeleteInsert)
        .primary_key(["user.id"])
        .column("price=decimal:precision=10:scale=2")
        .column("user.id=bigint:name=user")
        .build()
        .unwrap();
    pipeline.load_json(&br#"{"user":{"id":1},"price":1.25} {"user":{"id":2},"price":"3.5"}"#[..]).unwrap();
    pipeline.load_json(&br#"{"user":{"id":2},"price":7}"#[..]).unwrap();
    let mut found = rows(&pipeline, "t");
    found.sort();
    assert_eq!(found, ["price=1.25 user=1", "price=7.00 user=2"]);
    let frozen = builder().schema_contract(Contract::all(ContractMode::Freeze)).build().unwrap();
    let error = frozen.load_json(&br#"{"user":{"id":3},"new":1}"#[..]).unwrap_err();
    assert!(error.to_string().contains("'new' would be (new)"), "{error}");
    let until = 253_370_764_800_000_000; // the year 9999
    let names = ["validSince", "validUntil"].map(str::to_owned);
    let [valid_from, valid_to] = names;
    let validity = longshore::schema::Scd2 { valid_from, valid_to, active: Some(until), boundary: Some(0) };
    let versions = builder().table("v").merge(MergeStrategy::Scd2).validity(validity.clone()).build().unwrap();
    versions.load_json(&br#"{"id":1}"#[..]).unwrap();
    versions.load_json(&br#"{"id":2}"#[..]).unwrap();
    let mut found = rows(&versions, "v");
    found.sort();
    let (began, never) = ("1970-01-01T00:00:00Z", "9999-01-01T00:00:00Z");
    let line = |until, id| format!("valid_since={began} valid_until={until} id={id}");
    assert_eq!(found, [line(began, 1), line(never, 2)]);
    let without = builder().merge(MergeStrategy::DeleteInsert).primary_key(["id"]).validity(validity);
    assert_eq!(without.build().unwrap_err().kind(), ErrorKind::Config);
    for wrong in [builder().merge(MergeStrategy::Upsert), builder().column("a=int"), builder().primary_key([" "])] {
        assert_eq!(wrong.build().unwrap_err().kind(), ErrorKind::Config);
    }
}
