//! Patience and its end: budgets, answers that do not end, answers without a body, cookies, proxies that refuse.
#![allow(clippy::unwrap_used)] // in helpers of tests, too

mod common;

use common::{Answer, How, Server, config, load, run};
use longshore_source_rest::RestConfig;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Pages of one record each, until a page is empty.
fn pages(url: &str, client: Value) -> Value {
    let mut whole = json!({ "client": { "base_url": url, "backoff_factor": 0.001 }, "resources": [{ "name": "things",
        "endpoint": { "data_selector": "$", "paginator": { "type": "page_number", "total_path": null } } }] });
    for (key, value) in client.as_object().unwrap() {
        whole["client"][key] = value.clone();
    }
    whole
}

fn page(number: u64, pages: u64) -> Answer {
    Answer::json(&json!((number < pages).then(|| json!({ "id": number })).into_iter().collect::<Vec<_>>()))
}

#[test]
fn waiting_for_the_rate_uses_nothing_of_the_budget() {
    let failures = AtomicU64::new(0);
    let server = Server::start(move |asked| match asked.number("page", 0) {
        2 if failures.fetch_add(1, Ordering::Relaxed) == 0 => Answer::status(500, &json!({})),
        number => page(number, 3),
    });
    // The request that fails has waited longer than the budget before it went out.
    let loaded = load(&pages(&server.url, json!({ "rate": "2/2s", "retry_budget": 0.9 })));
    assert_eq!(loaded.of("things").len(), 3);
}

#[test]
fn a_wait_that_an_api_asks_for_is_kept_as_far_as_the_budget_goes() {
    let refuse_once = |status: u16| {
        let asked_before = AtomicU64::new(0);
        Server::start(move |asked| match asked_before.fetch_add(1, Ordering::Relaxed) {
            1 => Answer::status(status, &json!({})).header("retry-after", "2"),
            _ => page(asked.number("page", 0), 2),
        })
    };
    for status in [429, 503] {
        let server = refuse_once(status);
        let begun = Instant::now();
        assert_eq!(load(&pages(&server.url, json!({ "retry_budget": 3 }))).of("things").len(), 2);
        assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
        let server = refuse_once(status);
        let error = run(&pages(&server.url, json!({ "retry_budget": 1 })), &How::default()).unwrap_err();
        let told = ("seconds to wait, by the API", "2".to_owned());
        assert!(error.context().contains(&told), "{error:?}");
    }
}

#[test]
fn an_answer_that_never_ends_is_left_when_the_budget_is_used_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n[");
                // The client goes away at some time.
                while stream.write_all(b" ").is_ok() {
                    std::thread::sleep(Duration::from_millis(50));
                }
            });
        }
    });
    let begun = Instant::now();
    let error = run(&pages(&url, json!({ "timeout": 1, "retry_budget": 0.6 })), &How::default()).unwrap_err();
    assert!(error.to_string().contains("not complete in time"), "{error}");
    assert!(error.hint_text().unwrap().contains("client.retry_budget"), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn no_body_in_the_middle_of_pages_is_asked_for_again() {
    let hollow = AtomicU64::new(0);
    let server = Server::start(move |asked| match asked.number("page", 0) {
        2 if hollow.fetch_add(1, Ordering::Relaxed) < 2 => Answer::default(),
        number => page(number, 4),
    });
    let loaded = load(&pages(&server.url, json!({})));
    assert_eq!((loaded.of("things").len(), server.requests().len()), (4, 7));
    assert!(!loaded.noted("no body"), "{:?}", loaded.notes);
    // Some APIs end so, and some have nothing to say at all.
    let ends = Server::start(|asked| match asked.number("page", 0) {
        0 if asked.path == "/things" => page(0, 4),
        _ => Answer::default(),
    });
    let mut twice = pages(&ends.url, json!({}));
    let mut none = twice["resources"][0].clone();
    none["name"] = json!("none");
    twice["resources"].as_array_mut().unwrap().push(none);
    let loaded = load(&twice);
    assert_eq!((loaded.of("things").len(), loaded.of("none").len(), ends.requests().len()), (1, 0, 7));
    assert!(loaded.noted("had no body"), "{:?}", loaded.notes);
    // What may have written something is not sent twice.
    let mut post = pages(&ends.url, json!({}));
    post["resources"][0]["endpoint"]["path"] = json!("none");
    post["resources"][0]["endpoint"]["method"] = json!("POST");
    assert_eq!(load(&post).of("things").len(), 0);
    assert_eq!(ends.requests().len(), 8);
}

#[test]
fn a_session_that_an_api_keeps_by_cookies_is_kept() {
    let server = Server::start(|asked| match (asked.number("page", 0), asked.header("cookie")) {
        (0, _) => page(0, 3).header("set-cookie", "session=abc; Path=/; HttpOnly"),
        (number, Some("key=k; session=abc")) => page(number, 3),
        _ => Answer::status(403, &json!({ "message": "no session" })),
    });
    let auth = json!({ "type": "api_key", "name": "key", "api_key": "k", "location": "cookie" });
    assert_eq!(load(&pages(&server.url, json!({ "auth": auth }))).of("things").len(), 3);
}

#[test]
fn proxies_are_of_a_known_kind_and_what_they_refuse_is_said() {
    for wrong in ["ftp://proxy:21", "proxy://x", ""] {
        let problems = RestConfig::from_value(&pages("http://api.invalid", json!({ "proxy": wrong }))).unwrap_err();
        assert!(problems[0].to_string().contains("not the address of a proxy"), "{problems:?}");
    }
    for right in ["proxy:3128", "HTTP://proxy:3128", "https://proxy", "socks5h://me:hush@proxy:1080"] {
        config(&pages("http://api.invalid", json!({ "proxy": right })));
    }
    let proxy = Server::start(|_| Answer::status(407, &json!({})));
    for api in ["http://api.invalid", "https://api.invalid"] {
        let error = run(&pages(api, json!({ "proxy": proxy.url })), &How::default()).unwrap_err();
        assert!(error.hint_text().unwrap().contains("user and password into client.proxy"), "{api}: {error:?}");
    }
}

#[test]
fn the_wrong_scheme_is_said_soon() {
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = plain.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in plain.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4096]);
            // It answers what it does not understand; the client may be gone.
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    let begun = Instant::now();
    let error = run(&pages(&format!("https://127.0.0.1:{port}"), json!({})), &How::default()).unwrap_err();
    assert!(error.hint_text().unwrap().contains("perhaps it is http://"), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
