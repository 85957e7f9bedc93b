//! Loads one after the other: only what is new, with state as dlt has it.

mod common;

use common::{Answer, How, Server, run};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

#[test]
fn each_load_brings_what_is_new_and_nothing_twice() {
    let day = Arc::new(AtomicU64::new(3));
    let today = Arc::clone(&day);
    let server = Server::start(move |_| {
        // The same instant in two spellings, by turns.
        let at = |d: u64| {
            if d.is_multiple_of(2) {
                format!("2024-01-{d:02}T00:00:00Z")
            } else {
                format!("2024-01-{d:02}T02:00:00+02:00")
            }
        };
        Answer::json(&(1..=today.load(Ordering::Relaxed)).map(|d| json!({ "id": d, "at": at(d) })).collect::<Value>())
    });
    let config = json!({ "client": { "base_url": server.url }, "resources": [
        { "name": "events", "endpoint": { "incremental": { "cursor_path": "at", "initial_value": "2024-01-02", "start_param": "since" } } },
    ]});
    let first = run(&config, &How::default()).unwrap();
    assert_eq!(first.values("events", "id"), [2, 3]);
    let state = first.state.clone().unwrap();
    let entry = &state["sources"]["test"]["resources"]["events"]["incremental"]["at"];
    assert_eq!(
        (&entry["initial_value"], &entry["last_value"]),
        (&json!("2024-01-02"), &json!("2024-01-03T02:00:00+02:00"))
    );
    assert_eq!(entry["unique_hashes"].as_array().unwrap().len(), 1);
    day.store(5, Ordering::Relaxed);
    let second = run(&config, &How { state: first.state, ..How::default() }).unwrap();
    assert_eq!(second.values("events", "id"), [4, 5]);
    let third = run(&config, &How { state: second.state.clone(), ..How::default() }).unwrap();
    assert_eq!((third.records.len(), third.state), (0, second.state));
    let sent: Vec<Option<String>> = server.requests().iter().map(|r| r.query.get("since").cloned()).collect();
    assert_eq!(sent[0].as_deref(), Some("2024-01-02"));
    assert_eq!(sent[1].as_deref(), Some("2024-01-03T02:00:00+02:00"));
}

#[test]
fn each_parent_has_its_own_cursor() {
    let users: Arc<Mutex<Vec<u64>>> = Arc::new(Mutex::new(vec![1]));
    let known = Arc::clone(&users);
    let server = Server::start(move |a| match a.path.as_str() {
        "/users" => Answer::json(&known.lock().unwrap().iter().map(|u| json!({ "id": u })).collect::<Value>()),
        // User 1 has the newest events, user 2 older ones.
        path => {
            let from = if path.contains("/1/") { 10 } else { 1 };
            Answer::json(&(from..from + 3).map(|n| json!({ "n": n })).collect::<Value>())
        }
    });
    let config = |per_parent: bool| {
        json!({ "client": { "base_url": server.url }, "resources": [
            "users",
            { "name": "events", "endpoint": { "path": "users/{resources.users.id}/events", "incremental": { "cursor_path": "n", "initial_value": 0, "per_parent": per_parent } } },
        ]})
    };
    for (per_parent, brought) in [(true, 3), (false, 0)] {
        *users.lock().unwrap() = vec![1];
        let first = run(&config(per_parent), &How::default()).unwrap();
        assert_eq!(first.of("events").len(), 3);
        users.lock().unwrap().push(2);
        let second = run(&config(per_parent), &How { state: first.state, ..How::default() }).unwrap();
        assert_eq!(second.of("events").len(), brought, "per_parent {per_parent}");
    }
}

#[test]
fn a_state_of_dlt_is_continued() {
    let server = Server::start(|_| Answer::json(&json!([{ "id": 1 }, { "id": 2 }, { "id": 3 }])));
    let config = json!({ "client": { "base_url": server.url }, "resources": [
        { "name": "r", "primary_key": "id", "endpoint": { "incremental": { "cursor_path": "id", "initial_value": 0 } } },
    ]});
    // digest128("2", 9) as dlt 1.31 computes it.
    let state = json!({ "_version": 1, "sources": { "test": { "resources": { "r": { "incremental": { "id": { "initial_value": 0, "last_value": 2, "unique_hashes": [DLT_HASH_OF_2] } } } } } } });
    let loaded = run(&config, &How { state: Some(state), ..How::default() }).unwrap();
    assert_eq!(loaded.values("r", "id"), [3]);
    assert_eq!(loaded.state.unwrap()["_version"], 1, "what else is in the state stays");
}

/// dlt has one cursor for all parents. A parent without anything new in the first load after dlt's is no new one in the second.
#[test]
fn parents_of_dlts_state_are_remembered_though_they_bring_nothing() {
    let users: Arc<Mutex<Vec<u64>>> = Arc::new(Mutex::new(vec![1, 2]));
    let known = Arc::clone(&users);
    let server = Server::start(move |a| match a.path.as_str() {
        "/users" => Answer::json(&known.lock().unwrap().iter().map(|u| json!({ "id": u })).collect::<Value>()),
        path => {
            let to = if path.contains("/1/") { 7 } else { 5 };
            Answer::json(&(1..=to).map(|n| json!({ "n": n })).collect::<Value>())
        }
    });
    let config = json!({ "client": { "base_url": server.url }, "resources": [
        "users",
        { "name": "events", "endpoint": { "path": "users/{resources.users.id}/events", "incremental": { "cursor_path": "n", "range_start": "open" } } },
    ]});
    let state = json!({ "sources": { "test": { "resources": { "events": { "incremental": { "n": { "last_value": 5, "unique_hashes": [] } } } } } } });
    let first = run(&config, &How { state: Some(state), ..How::default() }).unwrap();
    assert_eq!(first.values("events", "n"), [6, 7]);
    users.lock().unwrap().push(3);
    let second = run(&config, &How { state: first.state, ..How::default() }).unwrap();
    assert_eq!(second.values("events", "n"), [1, 2, 3, 4, 5], "those of the user that is new");
}

/// As in dlt: else a table that is replaced would be left with what is new.
#[test]
fn what_is_replaced_begins_from_the_start() {
    let server = Server::start(|_| Answer::json(&json!([{ "id": 1 }, { "id": 2 }, { "id": 3 }])));
    let config = json!({ "client": { "base_url": server.url }, "resources": [
        { "name": "r", "write_disposition": "replace", "endpoint": { "incremental": { "cursor_path": "id", "initial_value": 2 } } },
    ]});
    let first = run(&config, &How::default()).unwrap();
    let second = run(&config, &How { state: first.state.clone(), ..How::default() }).unwrap();
    assert_eq!((second.values("r", "id"), &second.state), (vec![json!(2), json!(3)], &first.state));
}

/// Whatever an API writes its times and numbers as: what is new comes, and what has no order is an error and not left out.
#[test]
fn cursors_have_the_order_of_what_they_mean() {
    let spellings = [
        ["9.5", "10.25"],
        ["1706695200", "1706781600"],
        ["Wed Jan 31 20:19:24 +0000 2024", "Thu Feb 01 20:19:24 +0000 2024"],
        ["Wednesday, 31-Jan-24 10:00:00 GMT", "Thursday, 01-Feb-24 10:00:00 GMT"],
        ["Jan 31, 2024", "Feb 1, 2024"],
        ["/Date(1706695200000)/", "/Date(1706781600000+0100)/"],
    ];
    let upto = Arc::new(AtomicU64::new(0));
    let now = Arc::clone(&upto);
    let server = Server::start(move |a| {
        let at = a.path.trim_start_matches('/').parse::<usize>().expect("a number");
        let all = spellings[at].iter().take(now.load(Ordering::Relaxed) as usize);
        Answer::json(&all.map(|t| json!({ "at": t })).collect::<Value>())
    });
    for (at, [first, second]) in spellings.iter().enumerate() {
        let initial = if first.contains('.') { json!(0) } else { json!("2024-01-30T00:00:00Z") };
        let config = json!({ "client": { "base_url": server.url }, "resources": [
            { "name": "r", "endpoint": { "path": at.to_string(), "incremental": { "cursor_path": "at", "initial_value": initial } } },
        ]});
        upto.store(1, Ordering::Relaxed);
        let one = run(&config, &How::default()).unwrap();
        assert_eq!(one.values("r", "at"), [json!(first)]);
        upto.store(2, Ordering::Relaxed);
        let two = run(&config, &How { state: one.state, ..How::default() }).unwrap();
        assert_eq!(two.values("r", "at"), [json!(second)]);
    }
    let server = Server::start(|_| Answer::json(&json!([{ "at": "01/31/2024" }])));
    let config = json!({ "client": { "base_url": server.url }, "resources": [
        { "name": "r", "endpoint": { "incremental": { "cursor_path": "at", "initial_value": "2024-01-30" } } },
    ]});
    let error = run(&config, &How::default()).unwrap_err().to_string();
    assert!(error.contains("have no order") && error.contains("01/31/2024"), "{error}");
}

const DLT_HASH_OF_2: &str = "Tp44cKMYfAuJ";

#[test]
fn a_backfill_leaves_the_state_alone() {
    let server = Server::start(|_| Answer::json(&json!([{ "id": 1 }, { "id": 2 }, { "id": 3 }])));
    let config = json!({ "client": { "base_url": server.url }, "resources": [
        { "name": "r", "endpoint": { "incremental": { "cursor_path": "id", "initial_value": 1, "end_value": 3 } } },
    ]});
    let loaded = run(&config, &How::default()).unwrap();
    assert_eq!((loaded.values("r", "id"), loaded.state), (vec![json!(1), json!(2)], None));
}

#[test]
fn fetching_ends_where_the_order_says_so() {
    let server = Server::start(|a| {
        let page = a.number("page", 0);
        Answer::json(&(0..10).map(|i| json!({ "id": 100 - page * 10 - i })).collect::<Value>())
    });
    let config = json!({ "client": { "base_url": server.url }, "resources": [
        { "name": "r", "endpoint": { "paginator": { "type": "page_number" }, "incremental": { "cursor_path": "id", "initial_value": 85, "row_order": "desc" } } },
    ]});
    let loaded = run(&config, &How::default()).unwrap();
    assert_eq!((loaded.of("r").len(), server.requests().len()), (16, 2));
}
