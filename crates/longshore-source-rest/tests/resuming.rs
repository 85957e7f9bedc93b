//! Runs that are killed and go on: every record once, every page once but the one in flight.

#![allow(clippy::unwrap_used)] // in helpers of tests, too

mod common;

use common::{Answer, Asked, How, Loaded, Server, run};
use flate2::Compression;
use flate2::write::GzEncoder;
use longshore_source_rest::RestOptions;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn shop(asked: &Asked) -> Answer {
    let parts: Vec<&str> = asked.path.trim_start_matches('/').split('/').collect();
    let paged = |all: Vec<Value>| {
        let page = asked.number("page", 1) as usize;
        let part: Vec<Value> = all.chunks(3).nth(page - 1).unwrap_or_default().to_vec();
        Answer::json(
            &json!({ "data": part, "total_pages": all.len().div_ceil(3), "current_page": page, "total_count": all.len() }),
        )
    };
    match parts.as_slice() {
        ["users"] => {
            paged((0..10).map(|i| json!({ "id": i, "at": format!("2024-01-{:02}T00:00:00Z", i + 1) })).collect())
        }
        ["users", user, "orders"] => {
            let user: u64 = user.parse().expect("a number");
            paged((0..user % 5).map(|i| json!({ "id": user * 100 + i })).collect())
        }
        ["users", _, "orders", order, "lines"] => {
            paged((0..2).map(|i| json!({ "id": format!("{order}-{i}") })).collect())
        }
        ["events"] => {
            let from = asked.number("cursor", 0);
            let part: Vec<Value> = (from..(from + 4).min(30)).map(|i| json!({ "id": i })).collect();
            let next = if from + 4 < 30 { json!((from + 4).to_string()) } else { Value::Null };
            Answer::json(&json!({ "items": part, "next_cursor": next }))
        }
        _ => Answer::status(404, &json!({})),
    }
}

fn config(url: &str) -> Value {
    json!({
        "client": { "base_url": url, "backoff_factor": 0.001, "max_attempts": 50, "timeout": 30 },
        "resource_defaults": { "endpoint": { "data_selector": "data", "paginator": { "type": "page_number", "base_page": 1, "total_path": "total_pages" } } },
        "resources": [
            { "name": "users", "endpoint": { "incremental": { "cursor_path": "at", "initial_value": "2023-01-01" } } },
            { "name": "orders", "endpoint": { "path": "users/{resources.users.id}/orders" } },
            { "name": "lines", "include_from_parent": ["id"], "endpoint": { "path": "users/{resources.users.id}/orders/{resources.orders.id}/lines" } },
            { "name": "events", "endpoint": { "data_selector": "items", "paginator": { "type": "cursor", "cursor_path": "next_cursor" } } },
        ],
    })
}

/// All ids of a load, sorted.
fn ids(loaded: &Loaded) -> BTreeMap<String, Vec<String>> {
    loaded
        .records
        .iter()
        .map(|(name, records)| {
            let mut ids: Vec<String> = records.iter().map(|r| r["id"].to_string()).collect();
            ids.sort();
            (name.clone(), ids)
        })
        .collect()
}

#[test]
fn a_killed_run_goes_on_where_it_was_and_fetches_no_page_twice() {
    let server = Server::start(shop);
    let whole = run(&config(&server.url), &How::default()).unwrap();
    let pages = server.requests().len();
    assert_eq!(whole.of("lines").len(), 40);
    for kill in [0, 1, 2, 5, 9, 20] {
        let server = Server::start(shop);
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal");
        let how = How { journal: Some(&journal), kill_after: Some(kill), ..How::default() };
        run(&config(&server.url), &how).unwrap();
        let loaded = run(&config(&server.url), &How { kill_after: None, ..how.clone() }).unwrap();
        assert_eq!(ids(&loaded), ids(&whole), "killed after {kill}");
        assert_eq!(loaded.state, whole.state, "killed after {kill}");
        assert!(loaded.noted("an interrupted run is completed"));
        let mut asked = server.asked();
        let all = asked.len();
        asked.sort();
        asked.dedup();
        assert_eq!(asked.len(), pages);
        // Eight chains at most were in flight at the kill.
        assert!(all <= pages + 8, "killed after {kill}: {all} requests for {pages} pages");
        // What is complete is not asked for again.
        let before = server.requests().len();
        let again = run(&config(&server.url), &How { kill_after: None, ..how }).unwrap();
        assert_eq!((ids(&again), server.requests().len()), (ids(&whole), before));
        assert_eq!(again.state, whole.state);
    }
}

/// While pages wait to be written to the destination, those of others go into the journal all the same.
#[test]
fn a_page_that_came_long_before_the_kill_is_not_fetched_again() {
    let server = Server::start(|a| {
        let page = a.number("page", 1);
        Answer::json(&json!({ "data": [{ "id": page }], "total_pages": 10 }))
    });
    let names: Vec<String> = (0..6).map(|r| format!("r{r}")).collect();
    let config = json!({
        "client": { "base_url": server.url, "paginator": { "type": "page_number", "base_page": 1, "total_path": "total_pages" } },
        "resource_defaults": { "endpoint": { "data_selector": "data" } },
        "resources": names,
    });
    let folder = tempfile::tempdir().unwrap();
    let how = How { journal: Some(folder.path()), linger: Duration::from_millis(500), ..How::default() };
    run(&config, &How { kill_after: Some(0), ..how.clone() }).unwrap();
    let loaded = run(&config, &how).unwrap();
    assert!(names.iter().all(|name| loaded.of(name).len() == 10), "{:?}", ids(&loaded));
    // Of each resource the one page that was under way.
    let asked = server.asked().len();
    assert!(asked <= 60 + 6, "{asked} requests for 60 pages");
}

/// Else a kill would cost that page and the one in flight.
#[test]
fn a_page_is_in_the_journal_before_the_next_one_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pages");
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sizes);
    let server = Server::start(move |asked| {
        seen.lock().unwrap().push(std::fs::metadata(&file).map_or(0, |found| found.len()));
        let page = asked.number("page", 1);
        Answer::json(&json!({ "data": [{ "id": page }], "total_pages": 50 }))
    });
    let config = json!({
        "client": { "base_url": server.url, "paginator": { "type": "page_number", "base_page": 1, "total_path": "total_pages" } },
        "resources": [{ "name": "things", "endpoint": { "data_selector": "data" } }],
    });
    let how = How { journal: Some(folder.path()), ..How::default() };
    assert_eq!(run(&config, &how).unwrap().of("things").len(), 50);
    let sizes = sizes.lock().unwrap();
    assert!(sizes.len() == 50 && sizes.is_sorted_by(|a, b| a < b), "{sizes:?}");
}

#[test]
fn replay_gives_the_same_rows_in_the_same_order() {
    let server = Server::start(shop);
    let folder = tempfile::tempdir().unwrap();
    let how = How { journal: Some(folder.path()), ..How::default() };
    let first = run(&config(&server.url), &how).unwrap();
    let second = run(&config(&server.url), &how).unwrap();
    assert_eq!(first.records, second.records);
}

#[test]
fn a_journal_of_another_configuration_is_dropped_with_a_note() {
    let server = Server::start(shop);
    let folder = tempfile::tempdir().unwrap();
    let how = How { journal: Some(folder.path()), kill_after: Some(2), ..How::default() };
    run(&config(&server.url), &how).unwrap();
    let mut other = config(&server.url);
    other["resources"].as_array_mut().unwrap().remove(3);
    let loaded = run(&other, &How { kill_after: None, ..how }).unwrap();
    assert!(loaded.noted("dropped"), "{:?}", loaded.notes);
    assert_eq!((loaded.of("users").len(), loaded.of("lines").len()), (10, 40));
}

/// Pages of a recording are not the API's, and a recording that lacks what was fetched before it is of no use.
#[test]
fn pages_of_a_recording_and_of_the_api_are_not_mixed() {
    let server = Server::start(shop);
    let folder = tempfile::tempdir().unwrap();
    let (journal, tape) = (folder.path().join("journal"), folder.path().join("tape"));
    let how = How { journal: Some(&journal), ..How::default() };
    let recording = how_to_record(&tape);
    let playing = RestOptions { replay: Some(tape.clone()), ..RestOptions::default() };

    run(&config(&server.url), &How { kill_after: Some(3), ..how.clone() }).unwrap();
    let whole = run(&config(&server.url), &How { options: recording, ..how.clone() }).unwrap();
    assert!(whole.noted("dropped") && !whole.noted("played back first"), "{:?}", whole.notes);
    let options = how_to_record(&tape);
    let twice = run(&config(&server.url), &How { options, ..How::default() }).unwrap();
    assert!(twice.noted("answers before, which are played back first"), "{:?}", twice.notes);
    std::fs::remove_dir_all(&journal).unwrap();
    let before = server.requests().len();
    let played = How { options: playing, ..how.clone() };
    let again = run(&config(&server.url), &How { journal: None, ..played.clone() }).unwrap();
    assert_eq!((ids(&again), server.requests().len()), (ids(&whole), before), "all of it was recorded");

    run(&config(&server.url), &How { kill_after: Some(3), ..played }).unwrap();
    let live = run(&config(&server.url), &how).unwrap();
    assert!(live.noted("dropped"), "{:?}", live.notes);
    assert_eq!((ids(&live), server.requests().len()), (ids(&whole), before + whole_requests()));
}

fn how_to_record(tape: &std::path::Path) -> RestOptions {
    RestOptions { record: Some(tape.to_owned()), ..RestOptions::default() }
}

/// Requests of one load of `shop`.
fn whole_requests() -> usize {
    let server = Server::start(shop);
    run(&config(&server.url), &How::default()).expect("the run ends well");
    server.requests().len()
}

#[test]
fn nothing_is_said_to_be_dropped_where_no_page_was_fetched() {
    let server = Server::start(|a| if a.path == "/wrong" { Answer::status(403, &json!({})) } else { shop(a) });
    let folder = tempfile::tempdir().unwrap();
    let how = How { journal: Some(folder.path()), ..How::default() };
    let wrong = json!({ "client": { "base_url": server.url }, "resources": ["wrong"] });
    assert!(run(&wrong, &how).is_err());
    let loaded = run(&config(&server.url), &how).unwrap();
    assert!(!loaded.noted("dropped") && !loaded.noted("interrupted"), "{:?}", loaded.notes);
    assert_eq!(loaded.of("users").len(), 10);
}

#[test]
fn an_error_in_the_middle_leaves_what_was_fetched() {
    let server = Server::start(|a| {
        if a.path == "/users/7/orders" && a.headers.get("x-ok").is_none() {
            Answer::status(403, &json!({}))
        } else {
            shop(a)
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let how = How { journal: Some(folder.path()), ..How::default() };
    let failed = run(&config(&server.url), &how).unwrap_err();
    assert!(failed.to_string().contains("403"), "{failed}");
    let before = server.asked();
    assert!(run(&config(&server.url), &how).is_err());
    let after = server.asked();
    let repeated: Vec<&String> = after[before.len()..].iter().filter(|a| before.contains(a)).collect();
    // What was in flight at the failure, at most.
    assert!(repeated.len() <= 9, "{repeated:?}");
}

/// Random 429, 500, cut bodies, slow bodies, and kills in between: at the end every record once.
#[test]
fn chaos_ends_with_exactly_the_servers_records() {
    let reference = Server::start(shop);
    let whole = ids(&run(&config(&reference.url), &How::default()).unwrap());
    for seed in 0..200u64 {
        let state = AtomicU64::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1);
        let random = move |n: u64| {
            let step = |s: u64| {
                let s = s ^ (s << 13);
                let s = s ^ (s >> 7);
                s ^ (s << 17)
            };
            let old = state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |s| Some(step(s))).unwrap_or(1);
            step(old) % n
        };
        let hollow = Mutex::new(BTreeSet::new());
        let server = Server::start(move |asked| {
            let answer = shop(asked);
            match random(20) {
                0 => Answer::status(500, &json!({ "error": "chaos" })),
                1 => Answer::status(429, &json!({})).header("retry-after", "0"),
                2 => Answer::status(503, &json!({})),
                3 => Answer { cut: Some(answer.body.len() / 2), ..answer },
                4 => Answer { cut: Some(0), ..answer },
                // Cut without anyone being told: what is there is no JSON.
                5 => Answer { body: answer.body[..answer.body.len() / 2].to_vec(), ..answer },
                6 if random(8) == 0 => Answer { delay: Duration::from_millis(400), ..answer },
                7 => Answer { delay: Duration::from_millis(random(5)), ..answer },
                8 => Answer { body: b"<html>We are back soon</html>".to_vec(), ..answer }
                    .header("content-type", "text/html"),
                9 => {
                    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
                    packed.write_all(&answer.body).unwrap();
                    let mut body = packed.finish().unwrap();
                    body.truncate(body.len() - random(9) as usize);
                    Answer { body, ..answer }.header("content-encoding", "gzip")
                }
                // Nothing at all, but not always again.
                10 if hollow.lock().unwrap().insert((asked.path.clone(), asked.raw_query.clone())) => Answer::default(),
                _ => answer,
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let kills = [seed % 7, seed % 11, seed % 13];
        let mut last = Err(longshore_core::Error::internal("never ran"));
        for kill in kills.iter().take((seed % 4) as usize).map(|k| Some(*k as usize + 1)).chain([None; 12]) {
            let mut impatient = config(&server.url);
            impatient["client"]["timeout"] = json!(0.25);
            last = run(&impatient, &How { journal: Some(folder.path()), kill_after: kill, ..How::default() });
            if kill.is_none() && last.is_ok() {
                break;
            }
        }
        let loaded = last.unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        assert_eq!(ids(&loaded), whole, "seed {seed}");
    }
}
