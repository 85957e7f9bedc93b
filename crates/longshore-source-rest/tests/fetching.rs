//! Whole loads against a real HTTP server: selecting, paging, dependent resources, errors.

mod common;

use common::{Answer, Asked, How, Server, load, run};
use serde_json::{Value, json};

fn numbers(loaded: &[Value]) -> Vec<i64> {
    loaded.iter().map(|v| v.as_i64().expect("a number")).collect()
}

/// Pages of `size` records of `total`, numbered from `base`.
fn page(asked: &Asked, base: u64, size: u64, total: u64) -> Vec<Value> {
    let from = (asked.number("page", base) - base) * size;
    (from..(from + size).min(total)).map(|i| json!({ "id": i })).collect()
}

#[test]
fn pages_are_found_out_with_any_numbering_and_nothing_is_lost_or_doubled() {
    for base in [0, 1] {
        let server = Server::start(move |a| Answer::json(&json!({ "items": page(a, base, 10, 35), "total_pages": 4 })));
        let loaded = load(&json!({ "client": { "base_url": server.url }, "resources": ["items"] }));
        assert_eq!(numbers(&loaded.values("items", "id")), (0..35).collect::<Vec<_>>(), "base {base}");
        assert!(loaded.noted("how pages follow"), "{:?}", loaded.notes);
        assert!(loaded.noted("data_selector = \"items\""), "{:?}", loaded.notes);
    }
}

#[test]
fn offsets_are_found_out_and_a_missing_total_is_no_error() {
    let server = Server::start(|a| {
        let (offset, limit) = (a.number("offset", 0), a.number("limit", 20));
        let part: Vec<Value> = (offset..(offset + limit).min(45)).map(|i| json!({ "id": i })).collect();
        match a.path.as_str() {
            "/told" => Answer::json(&json!({ "offset": offset, "limit": limit, "total": 45, "results": part })),
            _ => Answer::json(&json!(part)),
        }
    });
    let loaded = load(&json!({ "client": { "base_url": server.url }, "resources": [
        "told",
        { "name": "untold", "endpoint": { "paginator": { "type": "offset", "limit": 7 } } },
    ]}));
    assert_eq!(numbers(&loaded.values("told", "id")), (0..45).collect::<Vec<_>>());
    assert_eq!(numbers(&loaded.values("untold", "id")), (0..45).collect::<Vec<_>>());
}

#[test]
fn circles_are_noticed() {
    let server = Server::start(|a| match a.path.as_str() {
        // Ignores the parameter.
        "/deaf" => Answer::json(&json!({ "data": [{ "id": 1 }], "total_pages": 5, "current_page": 1 })),
        "/cursor" => Answer::json(&json!({ "data": [{ "id": a.query.len() }], "next": "same" })),
        // Answers behind the last page with the last page.
        "/clamped" => Answer::json(&json!(page(
            &Asked { query: [("page".to_owned(), a.number("page", 1).min(3).to_string())].into(), ..a.clone() },
            1,
            2,
            6
        ))),
        _ => Answer::json(&json!({ "data": [{ "id": 1 }], "next": "/links" })),
    });
    let one = |name: &str, paginator: Value| {
        run(
            &json!({ "client": { "base_url": server.url }, "resources": [{ "name": name, "endpoint": { "paginator": paginator } }] }),
            &How::default(),
        )
    };
    let number = json!({ "type": "page_number", "base_page": 1, "total_path": "" });
    assert!(one("deaf", number.clone()).unwrap_err().message().contains("same page twice"));
    let cursor = json!({ "type": "cursor", "cursor_path": "next" });
    assert!(one("cursor", cursor).unwrap_err().message().contains("circle"));
    assert!(one("links", json!("auto")).unwrap_err().message().contains("same page twice"));
    let clamped = one("clamped", number).unwrap();
    assert_eq!(numbers(&clamped.values("clamped", "id")), [0, 1, 2, 3, 4, 5]);
    assert!(clamped.noted("last page came again"));
}

#[test]
fn counts_are_checked() {
    let server =
        Server::start(|_| Answer::json(&json!({ "data": [{ "id": 1 }], "meta": { "total_count": 3, "n": 3 } })));
    let one = |endpoint: Value| {
        run(
            &json!({ "client": { "base_url": server.url }, "resources": [{ "name": "r", "endpoint": endpoint }] }),
            &How::default(),
        )
    };
    assert!(one(json!({})).unwrap().noted("says that there are 3 records, but gave 1"));
    assert!(
        one(json!({ "expected_count_path": "meta.n" }))
            .unwrap_err()
            .message()
            .contains("says that there are 3 records")
    );
    assert_eq!(one(json!({ "expected_count_path": "meta.n", "on_short": "ignore" })).unwrap().notes.len(), 1);
}

#[test]
fn the_words_that_settle_a_guess_bring_the_same_records() {
    for base in [0, 1] {
        let server = Server::start(move |a| match a.path.as_str() {
            "/cursors" => {
                let from = a.number("cursor", 0);
                let data: Vec<Value> = (from..from + 2).map(|i| json!({ "id": i })).collect();
                Answer::json(&json!({ "data": data, "next_cursor": from + 2, "has_more": from < 4 }))
            }
            _ => Answer::json(&json!({ "items": page(a, base, 10, 35), "total_pages": 4 })),
        });
        for name in ["items", "cursors"] {
            let guessed = load(&json!({ "client": { "base_url": server.url }, "resources": [name] }));
            let words = guessed.notes.iter().find_map(|n| n.split_once("to settle it: paginator = ")).unwrap().1;
            let paginator: toml::Table = toml::from_str(&format!("paginator = {words}")).unwrap();
            let endpoint = serde_json::to_value(paginator).unwrap();
            let settled = load(
                &json!({ "client": { "base_url": server.url }, "resources": [{ "name": name, "endpoint": endpoint }] }),
            );
            assert!(guessed.of(name).len() >= 6, "{guessed:?}");
            assert_eq!(guessed.of(name), settled.of(name), "{words}");
            assert!(!settled.noted("paginator"), "{:?}", settled.notes);
        }
    }
}

#[test]
fn one_page_of_more_is_not_taken_for_all_in_silence() {
    let one = |body: Value, headers: &[(&str, &str)], endpoint: Value| {
        let headers: Vec<(String, String)> = headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let server = Server::start(move |_| Answer { headers: headers.clone(), ..Answer::json(&body) });
        run(
            &json!({ "client": { "base_url": server.url }, "resources": [{ "name": "r", "endpoint": endpoint }] }),
            &How::default(),
        )
    };
    let two = json!([{ "id": 1 }, { "id": 2 }]);
    let short = "the API says that there are 25 records, but gave 2";
    let more = "the API says that there is more";
    for (body, headers, said) in [
        (json!({ "items": two, "total": 25 }), vec![], short),
        (json!({ "items": two, "count": 25 }), vec![], short),
        (json!({ "records": two, "totalSize": 25, "done": false }), vec![], short),
        (two.clone(), vec![("x-total-count", "25")], short),
        (json!({ "data": two, "has_more": true }), vec![], more),
        (json!({ "data": two }), vec![], "nothing in the answer leads to another page"),
    ] {
        let loaded = one(body.clone(), &headers, json!({})).unwrap();
        assert!(loaded.noted(said), "{body}: {:?}", loaded.notes);
    }
    let data = json!({ "data": two, "has_more": true });
    assert!(one(data.clone(), &[], json!({ "on_short": "error" })).unwrap_err().message().contains(more));
    assert!(!one(data, &[], json!({ "paginator": "single_page" })).unwrap().noted(more), "it is meant so");
    // A cursor that leads no further, and pages that begin elsewhere.
    let cursor = json!({ "paginator": { "type": "cursor", "cursor_path": "next" }, "data_selector": "items" });
    assert!(one(json!({ "items": two, "total": 25 }), &[], cursor).unwrap().noted(short));
    let numbers = json!({ "paginator": { "type": "page_number", "total_path": "pages" }, "data_selector": "items" });
    let loaded = one(json!({ "items": [], "pages": 3 }), &[], numbers.clone()).unwrap();
    assert!(loaded.noted("check paginator.base_page"), "{:?}", loaded.notes);
    let empty = json!({ "items": [], "pages": 1, "total_objects": 0 });
    assert!(one(empty, &[], numbers).unwrap().notes.is_empty(), "nothing is one page, too");
}

#[test]
fn dependent_resources_to_any_depth() {
    let server = Server::start(|a| {
        let parts: Vec<&str> = a.path.trim_start_matches('/').split('/').collect();
        match parts.as_slice() {
            ["users"] => Answer::json(&json!([{ "id": "a/b", "n": { "x": 1.50 } }, { "id": "c", "n": { "x": 2 } }])),
            ["users", user, "posts"] => Answer::json(
                &json!([{ "id": format!("{user}-1"), "for": a.query.get("who") }, { "id": format!("{user}-2") }]),
            ),
            ["users", user, "posts", post, "comments"] => Answer::json(&json!({ "data": [{ "u": user, "p": post }] })),
            ["search"] => {
                let body: Value = serde_json::from_slice(&a.body).unwrap();
                Answer::json(&json!([{ "got": body, "key": a.header("x-user") }]))
            }
            ["one", id] => Answer::json(&json!({ "id": id, "tags": [1, 2] })),
            ["several", id] => Answer::json(
                &json!({ "data": page(a, 1, 2, 3), "total_pages": 2, "current_page": a.number("page", 1), "id": id }),
            ),
            _ => Answer::status(404, &json!({})),
        }
    });
    let loaded = load(&json!({ "client": { "base_url": server.url }, "resources": [
        "users",
        { "name": "posts", "include_from_parent": ["id"], "endpoint": { "path": "users/{user}/posts", "params": {
            "user": { "type": "resolve", "resource": "users", "field": "id" }, "who": "{resources.users.id}", "none": null } } },
        { "name": "comments", "include_from_parent": ["id", "_users_id"], "endpoint": { "path": "users/{resources.users.id}/posts/{resources.posts.id}/comments" } },
        { "name": "search", "endpoint": { "method": "POST", "headers": { "x-user": "{resources.users.id}" },
            "json": { "q": { "n": "{resources.users.n.x}", "all": "{resources.users.n}", "text": "x={resources.users.n.x}" }, "l": ["{resources.users.id}"] } } },
        { "name": "one", "endpoint": "one/{resources.users.id}" },
        { "name": "several", "endpoint": "several/{resources.users.id}" },
    ]}));
    let mut ids: Vec<String> = loaded.values("posts", "id").iter().map(|v| v.as_str().unwrap().to_owned()).collect();
    ids.sort();
    assert_eq!(ids, ["a%2Fb-1", "a%2Fb-2", "c-1", "c-2"]);
    let first = loaded.of("posts").iter().find(|p| p["id"] == "a%2Fb-1").unwrap();
    assert_eq!((&first["_users_id"], &first["for"]), (&json!("a/b"), &json!("a/b")));
    let comment = loaded.of("comments").iter().find(|c| c["p"] == "a%252Fb-1").unwrap();
    assert_eq!((&comment["_posts_id"], &comment["_posts__users_id"]), (&json!("a%2Fb-1"), &json!("a/b")));
    let search = loaded.of("search").iter().find(|s| s["key"] == "a/b").unwrap();
    assert_eq!(search["got"], json!({ "q": { "n": 1.5, "all": { "x": 1.5 }, "text": "x=1.5" }, "l": ["a/b"] }));
    assert_eq!(loaded.of("one").len(), 2, "a record of its own, not its tags");
    assert_eq!(loaded.of("several").len(), 6, "a path that ends in a placeholder and gives pages");
    assert_eq!(server.asked().iter().filter(|a| *a == "/users").count(), 1, "the parent is asked once");
}

#[test]
fn unselected_resources_are_fetched_only_for_others() {
    let server = Server::start(|a| match a.path.as_str() {
        "/lists" => Answer::json(&json!([{ "id": 1 }, { "id": 2 }])),
        _ => Answer::json(&json!({ "data": [{ "path": a.path }] })),
    });
    let config = json!({ "client": { "base_url": server.url }, "resources": [
        { "name": "lists", "selected": false }, { "name": "items", "endpoint": "lists/{resources.lists.id}/items" },
        { "name": "other", "selected": false },
    ]});
    let loaded = load(&config);
    assert_eq!((loaded.of("lists").len(), loaded.of("items").len()), (0, 2));
    assert_eq!(server.asked().iter().filter(|a| a.contains("other")).count(), 0);
    let options = longshore_source_rest::RestOptions { select: Some(vec!["other".into()]), ..Default::default() };
    let loaded = run(&config, &How { options, ..How::default() }).unwrap();
    assert_eq!(loaded.records.keys().collect::<Vec<_>>(), ["other"]);
}

#[test]
fn records_pass_as_the_bytes_they_came_in() {
    use longshore_core::package::LoadId;
    use longshore_core::source::{Source, Start};
    let body = r#"{"data": [{"n": 12345678901234567890.1230 , "s": "\u00e4"}], "x": 1}"#;
    let server = Server::start(move |_| Answer { body: body.into(), ..Answer::default() });
    let config = common::config(&json!({ "client": { "base_url": server.url }, "resources": ["r"] }));
    let mut source = longshore_source_rest::RestSource::new(config, Default::default()).unwrap();
    let load_id = LoadId::parse("1").unwrap();
    source.begin(&Start { load_id, state: None, journal: None }).unwrap();
    let block = source.next_block().unwrap().unwrap();
    let longshore_core::source::Block::Json(block) = block else { panic!("an API brings JSON") };
    assert_eq!(String::from_utf8(block.bytes).unwrap(), r#"[{"n": 12345678901234567890.1230 , "s": "\u00e4"}]"#);
}

#[test]
fn empty_answers_are_no_records() {
    let server = Server::start(|a| match a.path.as_str() {
        "/gone" => Answer { status: 204, ..Answer::default() },
        "/blank" => Answer::default(),
        "/null" => Answer { body: b"null".to_vec(), ..Answer::default() },
        "/missing" => Answer::status(404, &json!({ "code": "not_there" })),
        _ => Answer::json(&json!({ "data": [] })),
    });
    let missing = json!({ "name": "missing", "endpoint": { "response_actions": [{ "status_code": 404, "content": "not_there", "action": "ignore" }] } });
    let loaded = load(
        &json!({ "client": { "base_url": server.url }, "resources": ["gone", "blank", "null", "empty", missing] }),
    );
    assert!(loaded.records.is_empty(), "{:?}", loaded.records);
}

#[test]
fn errors_say_what_where_and_never_a_secret() {
    let server = Server::start(|a| match a.path.as_str() {
        "/denied" => {
            Answer::status(401, &json!({ "error": { "code": "bad_key", "message": "the key hush-hush is wrong" } }))
        }
        "/forbidden" => Answer::status(403, &json!({ "message": "no" })),
        "/html" => Answer { body: b"<html>".to_vec(), ..Answer::default() },
        _ => Answer::status(404, &json!({})),
    });
    let fail = |path: &str| {
        let config = json!({ "client": { "base_url": server.url, "backoff_factor": 0, "auth": { "type": "api_key", "name": "sid", "api_key": "hush-hush", "location": "query" } }, "resources": [path] });
        let error = run(&config, &How::default()).unwrap_err();
        format!("{error} / {}", error.hint_text().unwrap_or_default())
    };
    let denied = fail("denied");
    assert!(
        denied.contains("401")
            && denied.contains("bad_key")
            && denied.contains("query parameter 'sid'")
            && denied.contains("resource denied"),
        "{denied}"
    );
    assert!(!denied.contains("hush"), "{denied}");
    assert!(fail("forbidden").contains("not allowed"));
    assert!(fail("other").contains("response_actions"));
    assert!(fail("html").contains("not JSON"));
}

#[test]
fn parameters_are_sent_as_dlt_sends_them() {
    let server = Server::start(|_| Answer::json(&json!([])));
    load(&json!({ "client": { "base_url": format!("{}/v1/", server.url), "headers": { "X-App": "me" } },
        "resource_defaults": { "endpoint": { "params": { "limit": 5, "on": true } } },
        "resources": [{ "name": "r", "endpoint": { "path": "/r?fixed=1", "params": { "l": ["a", "b"], "none": null, "on": false } } }] }));
    assert_eq!(server.asked(), ["/v1/r?fixed=1&limit=5&on=False&l=a&l=b"]);
    assert_eq!(server.requests()[0].header("x-app"), Some("me"));
}

#[test]
fn a_placeholder_alone_may_be_a_whole_address() {
    let other = Server::start(|asked| Answer::json(&json!({ "id": asked.path })));
    let url = other.url.clone();
    let server = Server::start(move |_| Answer::json(&json!([{ "url": format!("{url}/a/b?c=1") }])));
    let config = json!({ "client": { "base_url": server.url, "auth": { "token": "hush-hush" } }, "resources": [
        { "name": "list", "endpoint": { "paginator": "single_page" } },
        { "name": "one", "endpoint": { "path": "{resources.list.url}", "params": { "d": 2 }, "paginator": "single_page" } },
    ] });
    assert_eq!(load(&config).values("one", "id"), ["/a/b"]);
    assert_eq!(other.asked(), ["/a/b?c=1&d=2"]);
    assert_eq!(other.requests()[0].header("authorization"), None, "the API names the host, not the configuration");
}

#[test]
fn placeholders_stand_wherever_a_request_has_values() {
    let server = Server::start(|a| match a.path.as_str() {
        "/a" => Answer::json(&json!([{ "id": 7, "n": "x" }])),
        _ => Answer::json(&json!([{ "body": String::from_utf8_lossy(&a.body), "header": a.header("x-h") }])),
    });
    let resolve = |field: &str| json!({ "type": "resolve", "resource": "a", "field": field });
    let of = |endpoint: Value| {
        let config = json!({ "client": { "base_url": server.url },
            "resources": [{ "name": "a", "selected": false }, { "name": "b", "endpoint": endpoint }] });
        load(&config).of("b")[0].clone()
    };
    let body = json!({ "id": resolve("id"), "l": [{ "k": resolve("n") }], "{resources.a.n}": 1 });
    let seen = of(json!({ "path": "b", "method": "POST", "json": body, "headers": { "X-H": resolve("n") } }));
    let sent: Value = serde_json::from_str(seen["body"].as_str().unwrap()).unwrap();
    assert_eq!(sent, json!({ "id": 7, "l": [{ "k": "x" }], "x": 1 }));
    assert_eq!(seen["header"], "x");
    let seen = of(json!({ "path": "b/{resources.a.id}/c", "method": "POST", "data": { "k": resolve("n") },
        "headers": { "X-H": "{{n}}" } }));
    assert_eq!((&seen["body"], &seen["header"]), (&json!("k=x"), &json!("{n}")));
}
