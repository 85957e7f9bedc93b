//! What is recorded is played back: on another day, after a kill, behind redirects and refusals, and without credentials.

mod common;

use common::{Answer, How, Loaded, Server, run};
use longshore_source_rest::RestOptions;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn record(config: &Value, tape: &Path) -> Loaded {
    let options = RestOptions { record: Some(tape.to_owned()), ..RestOptions::default() };
    run(config, &How { options, ..How::default() }).expect("it is recorded")
}

fn replay(config: &Value, tape: &Path) -> Loaded {
    let options = RestOptions { replay: Some(tape.to_owned()), ..RestOptions::default() };
    run(config, &How { options, ..How::default() }).expect("it is played back")
}

fn recorded(tape: &Path) -> String {
    let files = std::fs::read_dir(tape).expect("a folder").map(|f| f.expect("a file").path());
    files.map(|f| std::fs::read_to_string(f).expect("text")).collect()
}

#[test]
fn a_bound_that_moves_with_the_clock_is_played_back_later() {
    let server = Server::start(|_| Answer::json(&json!([{ "at": "2024-01-01T00:00:00Z" }])));
    let config = json!({ "client": { "base_url": server.url }, "resources": [{ "name": "r", "endpoint": { "incremental": {
        "cursor_path": "at", "initial_value": "2023-01-01", "start_param": "from", "end_param": "to", "safety": "1h" } } }]});
    let tape = tempfile::tempdir().unwrap();
    let first = record(&config, tape.path());
    assert!(server.requests()[0].query.contains_key("to"));
    std::thread::sleep(Duration::from_millis(5));
    assert_eq!(replay(&config, tape.path()).records, first.records);
}

#[test]
fn what_a_killed_recording_had_begun_to_write_does_not_spoil_it() {
    let server = Server::start(|_| Answer::json(&json!([{ "id": 1 }])));
    let config = json!({ "client": { "base_url": server.url }, "resources": ["r"] });
    let tape = tempfile::tempdir().unwrap();
    // A name that was taken, and an answer that was not yet whole.
    std::fs::write(tape.path().join("000000.json"), "").unwrap();
    std::fs::write(tape.path().join("000000.part"), "{\"req").unwrap();
    let first = record(&config, tape.path());
    assert_eq!(replay(&config, tape.path()).records, first.records);
}

#[test]
fn links_are_relative_to_where_a_redirect_led() {
    let server = Server::start(|a| match (a.path.as_str(), a.query.get("page")) {
        ("/r", _) => Answer::status(302, &json!(null)).header("location", "/v2/list"),
        ("/v2/list", None) => Answer::json(&json!({ "data": [{ "id": 1 }], "next": "list?page=2" })),
        ("/v2/list", Some(_)) => Answer::json(&json!({ "data": [{ "id": 2 }], "next": null })),
        _ => Answer::status(404, &json!({})),
    });
    let config = json!({ "client": { "base_url": server.url }, "resources": [
        { "name": "r", "endpoint": { "data_selector": "data", "paginator": { "type": "json_link" } } }]});
    let tape = tempfile::tempdir().unwrap();
    assert_eq!(record(&config, tape.path()).values("r", "id"), [1, 2]);
    assert_eq!(replay(&config, tape.path()).values("r", "id"), [1, 2]);
}

#[test]
fn nobody_waits_for_a_limit_that_is_played_back() {
    let refused = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refused);
    let server = Server::start(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => Answer::status(429, &json!({})).header("retry-after", "2"),
        _ => Answer::json(&json!([{ "id": 1 }])),
    });
    let config = json!({ "client": { "base_url": server.url }, "resources": ["r"] });
    let tape = tempfile::tempdir().unwrap();
    assert_eq!(record(&config, tape.path()).of("r").len(), 1);
    let begun = Instant::now();
    assert_eq!(replay(&config, tape.path()).of("r").len(), 1);
    assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
}

#[test]
fn credentials_in_records_and_links_are_not_recorded() {
    let server = Server::start(|a| match (a.path.as_str(), a.number("page", 1)) {
        ("/r", 1) => Answer::json(
            &json!({ "data": [{ "id": 1, "password": "pw-hidden", "user": { "accessToken": "at-hidden" } }],
            "next": "/r?page=2&sig=sig-hidden" }),
        ),
        ("/r", _) => Answer::json(&json!({ "data": [{ "id": 2, "token": "shown", "key": "A-1" }], "next": null })),
        _ => Answer::json(&json!([{ "id": 1 }])).header("link", "</linked?access_token=lk-hidden>; rel=\"prev\""),
    });
    let config = json!({ "client": { "base_url": server.url }, "resources": [
        { "name": "r", "endpoint": { "data_selector": "data", "paginator": { "type": "json_link" } } },
        { "name": "linked", "endpoint": { "paginator": { "type": "header_link" } } }]});
    let tape = tempfile::tempdir().unwrap();
    let first = record(&config, tape.path());
    assert_eq!(first.of("r")[0]["password"], "pw-hidden", "what is loaded is whole");
    let text = recorded(tape.path());
    assert!(!text.contains("hidden"), "{text}");
    let again = replay(&config, tape.path());
    assert_eq!(again.values("r", "id"), [1, 2]);
    assert_eq!((&again.of("r")[0]["password"], &again.of("r")[1]), (&json!("***"), &first.of("r")[1]));
    assert_eq!(again.of("linked"), first.of("linked"));
}
