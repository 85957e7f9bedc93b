//! How pages are found out on APIs shaped like well-known ones, strict and lenient, and how their ways of counting are.

mod common;

use common::{Answer, Asked, How, Server, load, run};
use serde_json::{Value, json};

const ALL: usize = 25;

fn records(from: usize) -> Vec<Value> {
    (from..(from + 10).min(ALL)).map(|id| json!({ "id": id, "sort": [id] })).collect()
}

/// An API that knows where a page begins by one parameter, or one field of the body, and refuses or passes over others.
fn start(place: &'static str, strict: bool, page: fn(usize, Vec<Value>) -> Value) -> Server {
    Server::start(move |asked: &Asked| {
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let known = ["q", "query", "variables", "sort", "limit"];
        let mut others = asked.query.keys().map(String::as_str).filter(|k| *k != place && !known.contains(k));
        let of_body = body.as_object().into_iter().flatten().map(|(k, _)| k.as_str());
        let mut fields = of_body.filter(|k| format!("/{k}") != place && !known.contains(k));
        if strict && (others.next().is_some() || fields.next().is_some()) {
            return Answer::status(400, &json!({ "message": "unknown parameter" }));
        }
        let sent = if place.starts_with('/') {
            body.pointer(place).cloned()
        } else {
            asked.query.get(place).map(|text| text.as_str().into())
        };
        let digits = sent.map(|v| v.to_string()).unwrap_or_default();
        let at = digits.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0);
        Answer::json(&page(at, records(at)))
    })
}

fn more(at: usize) -> bool {
    at + 10 < ALL
}

/// Where the next page begins, as a text that is no number.
fn cursor(at: usize) -> Value {
    if more(at) { format!("c{}", at + 10).into() } else { Value::Null }
}

type Shape = (&'static str, Value, &'static str, fn(usize, Vec<Value>) -> Value);

fn shapes() -> Vec<Shape> {
    let post = || json!({ "method": "POST", "json": { "q": "x" } });
    let search = json!({ "method": "POST", "json": { "query": "query($after: String) { … }", "variables": {} } });
    vec![
        ("Jira", json!({}), "nextPageToken", |at, list| {
            let mut page = json!({ "issues": list, "isLast": !more(at) });
            if more(at) {
                page["nextPageToken"] = cursor(at);
            }
            page
        }),
        ("Google", json!({}), "pageToken", |at, list| json!({ "items": list, "nextPageToken": cursor(at) })),
        (
            "Notion, searched",
            post(),
            "/start_cursor",
            |at, list| json!({ "object": "list", "results": list, "next_cursor": cursor(at), "has_more": more(at) }),
        ),
        (
            "Notion, read",
            json!({}),
            "start_cursor",
            |at, list| json!({ "object": "list", "results": list, "next_cursor": cursor(at), "has_more": more(at) }),
        ),
        (
            "HubSpot, searched",
            post(),
            "/after",
            |at, list| json!({ "total": ALL, "results": list, "paging": { "next": { "after": cursor(at) } } }),
        ),
        ("Intercom", json!({}), "starting_after", |at, list| {
            json!({ "type": "list", "data": list, "pages": { "page": at / 10 + 1, "total_pages": 3,
                "next": { "page": at / 10 + 2, "starting_after": cursor(at) } } })
        }),
        ("Pipedrive", json!({}), "start", |at, list| {
            let next = if more(at) { json!(at + 10) } else { Value::Null };
            json!({ "data": list, "additional_data": { "pagination": { "start": at, "next_start": next } } })
        }),
        (
            "Bitbucket",
            json!({}),
            "start",
            |at, list| json!({ "values": list, "isLastPage": !more(at), "nextPageStart": if more(at) { json!(at + 10) } else { Value::Null } }),
        ),
        (
            "X",
            json!({}),
            "pagination_token",
            |at, list| json!({ "data": list, "meta": { "result_count": 10, "next_token": cursor(at) } }),
        ),
        ("AWS", json!({}), "NextToken", |at, list| json!({ "Rules": list, "NextToken": cursor(at) })),
        ("Stripe", json!({}), "starting_after", |at, _| {
            // It begins behind the record that is named.
            let list = if at == 0 { records(0) } else { records(at + 1) };
            json!({ "object": "list", "has_more": list.last().is_some_and(|r| r["id"] != ALL - 1), "data": list })
        }),
        ("Airtable", json!({}), "offset", |at, list| {
            if more(at) { json!({ "records": list, "offset": cursor(at) }) } else { json!({ "records": list }) }
        }),
        ("Square", json!({}), "cursor", |at, list| json!({ "objects": list, "cursor": cursor(at) })),
        ("Reddit", json!({}), "after", |at, list| json!({ "data": { "after": cursor(at), "children": list } })),
        (
            "GraphQL",
            search,
            "/variables/after",
            |at, list| json!({ "data": { "a": { "nodes": list, "pageInfo": { "hasNextPage": more(at), "endCursor": format!("c{}", at + 10) } } } }),
        ),
        ("Elasticsearch", json!({ "method": "POST", "json": { "sort": ["id"] } }), "/search_after", |at, _| {
            let list = if at == 0 { records(0) } else { records(at + 1) };
            json!({ "hits": { "hits": list } })
        }),
        (
            "Jira's boards",
            json!({ "params": { "limit": 10 } }),
            "startAt",
            |at, list| json!({ "startAt": at, "limit": 10, "isLast": !more(at), "values": list }),
        ),
        (
            "numbers under another name",
            json!({}),
            "pageNumber",
            |at, _| json!({ "list": records(at * 10), "totalPages": 3, "pageNumber": at }),
        ),
    ]
}

#[test]
fn pages_are_found_out_on_apis_like_well_known_ones() {
    for (name, endpoint, place, page) in shapes() {
        for strict in [false, true] {
            let server = start(place, strict, page);
            let loaded = load(&json!({ "client": { "base_url": server.url },
                "resources": [{ "name": "r", "endpoint": endpoint }] }));
            let ids: Vec<Value> = (0..ALL).map(Value::from).collect();
            assert_eq!(loaded.values("r", "id"), ids, "{name}, strict {strict}: {:?}", server.asked());
            assert!(loaded.noted("to settle it: paginator = { type = "), "{name}: {:?}", loaded.notes);
        }
    }
}

#[test]
fn headers_of_gitlab_and_azure_lead_to_the_next_page() {
    for (header, param) in [("x-next-page", "page"), ("x-ms-continuationtoken", "continuationToken")] {
        let server = Server::start(move |asked| {
            let at = asked.number(param, 0) as usize;
            let next = if more(at) { (at + 10).to_string() } else { String::new() };
            Answer::json(&records(at).into()).header(header, next)
        });
        let loaded = load(&json!({ "client": { "base_url": server.url }, "resources": ["r"] }));
        assert_eq!(loaded.of("r").len(), ALL);
        assert!(loaded.noted(&format!("cursor_key = \"{header}\", cursor_param = \"{param}\"")), "{:?}", loaded.notes);
    }
}

#[test]
fn a_cursor_that_belongs_nowhere_says_what_to_write() {
    let advice = "paginator = { type = \"cursor\", cursor_path = \"next_cursor\", cursor_param = ";
    for strict in [false, true] {
        let server = start("hidden", strict, |at, list| json!({ "data": list, "next_cursor": cursor(at) }));
        let config = json!({ "client": { "base_url": server.url }, "resources": ["r"] });
        let error = run(&config, &How::default()).unwrap_err();
        assert!(error.hint_text().is_some_and(|hint| hint.contains(advice)), "{error}: {:?}", error.hint_text());
    }
}

#[test]
fn a_text_called_cursor_may_be_none() {
    for page in
        [json!({ "items": [{ "id": 1 }, { "id": 2 }], "cursor": "now" }), json!({ "data": [1, 2], "next_sync": "s" })]
    {
        let answer = page.clone();
        let server = Server::start(move |_| Answer::json(&answer));
        let loaded = load(&json!({ "client": { "base_url": server.url }, "resources": ["r"] }));
        assert_eq!(loaded.of("r").len(), 2, "{page}");
        assert!(loaded.noted("nothing in the answer leads to another page"), "{:?}", loaded.notes);
    }
}

#[test]
fn a_limit_above_the_apis_own_leaves_nothing_out() {
    let all = |from: u64, most: u64| (from..(from + most).min(25)).map(|id| json!({ "id": id })).collect::<Vec<_>>();
    for (cap, limit, requests) in [(7, 100, 5), (7, 10, 5), (10, 25, 4), (100, 100, 2), (100, 30, 2)] {
        for total in [None, Some(25)] {
            let server = Server::start(move |a| {
                Answer::json(
                    &json!({ "items": all(a.number("offset", 0), a.number("limit", 0).min(cap)), "total": total }),
                )
            });
            let loaded = load(&json!({ "client": { "base_url": server.url }, "resources": [{ "name": "r", "endpoint":
                { "data_selector": "items", "paginator": { "type": "offset", "limit": limit } } }] }));
            let ids: Vec<Value> = (0..25).map(Value::from).collect();
            assert_eq!(loaded.values("r", "id"), ids, "{cap} of {limit}");
            assert_eq!(
                loaded.noted(&format!("paginator.limit = {cap}")),
                cap < limit && cap < 25,
                "{:?}",
                loaded.notes
            );
            assert!(loaded.requests <= requests, "{cap} of {limit}: {:?}", server.asked());
        }
    }
}

#[test]
fn records_that_an_api_leaves_out_of_a_page_do_not_bring_others_twice() {
    // Of each ten, those that may not be seen are missing; offsets count them.
    let server = Server::start(|a| {
        let (from, limit) = (a.number("offset", 0), a.number("limit", 0));
        let seen = (from..(from + limit).min(35)).filter(|id| id % 5 != 3);
        Answer::json(&seen.map(|id| json!({ "id": id })).collect::<Vec<_>>().into())
    });
    let loaded = load(&json!({ "client": { "base_url": server.url }, "resources": [{ "name": "r", "endpoint":
        { "paginator": { "type": "offset", "limit": 10 } } }] }));
    let ids: Vec<Value> = (0..35).filter(|id| id % 5 != 3).map(Value::from).collect();
    assert_eq!(loaded.values("r", "id"), ids, "{:?}", server.asked());
    // One that refuses offsets between pages is asked as dlt asks.
    let server = Server::start(|a| match a.number("offset", 0) {
        0 => Answer::json(&json!([{ "id": 1 }])),
        10 => Answer::json(&json!([])),
        _ => Answer::status(400, &json!({ "message": "no such offset" })),
    });
    let loaded = load(&json!({ "client": { "base_url": server.url }, "resources": [{ "name": "r", "endpoint":
        { "paginator": { "type": "offset", "limit": 10 } } }] }));
    assert_eq!(loaded.of("r").len(), 1, "{:?}", server.asked());
}

#[test]
fn numbers_that_begin_with_one_are_noticed_where_zero_was_configured() {
    // Page 0 is empty, or the first again.
    for clamped in [false, true] {
        let server = Server::start(move |a| {
            let page = a.number("page", 1) as usize;
            let list = match page {
                0 if !clamped => Vec::new(),
                page => records((page.max(1) - 1) * 10),
            };
            Answer::json(&json!({ "data": list, "pages": 3 }))
        });
        let loaded = load(&json!({ "client": { "base_url": server.url }, "resources": [{ "name": "r", "endpoint":
            { "data_selector": "data", "paginator": { "type": "page_number", "total_path": "pages" } } }] }));
        let ids: Vec<Value> = (0..ALL).map(Value::from).collect();
        assert_eq!(loaded.values("r", "id"), ids, "{:?}", server.asked());
        assert!(loaded.noted("paginator.base_page = 1"), "{:?}", loaded.notes);
    }
    let server = Server::start(|_| Answer::status(400, &json!({ "message": "page must be at least 1" })));
    let config = json!({ "client": { "base_url": server.url }, "resources": [{ "name": "r", "endpoint":
        { "paginator": { "type": "page_number", "total_path": null } } }] });
    assert!(run(&config, &How::default()).unwrap_err().hint_text().unwrap().contains("base_page = 1"));
}

#[test]
fn a_record_with_a_list_is_no_page_for_its_fields_names() {
    for record in [
        json!({ "id": 1, "items": [{ "sku": 1 }], "next_payment": "2025-01-01" }),
        json!({ "id": 1, "contents": "…", "items": [{ "chapter": 1 }], "pages": 300 }),
    ] {
        let answer = record.clone();
        let server = Server::start(move |a| match a.path.as_str() {
            "/a" => Answer::json(&json!([{ "id": 1 }])),
            _ => Answer::json(&answer),
        });
        let loaded = load(&json!({ "client": { "base_url": server.url },
            "resources": ["a", { "name": "b", "endpoint": "a/{resources.a.id}" }] }));
        assert_eq!(loaded.of("b"), [record]);
    }
}

#[test]
fn a_list_behind_a_path_that_ends_in_a_placeholder_is_one() {
    for (page, rows) in [
        (json!([{ "k": 1 }, { "k": 2 }]), 2),
        (json!({ "data": [{ "k": 1 }, { "k": 2 }] }), 2),
        (json!({ "status": "ok", "items": [{ "k": 1 }, { "k": 2 }], "total": 2, "meta": {} }), 2),
        // What has a name or an id is a record.
        (json!({ "name": "n", "items": [{ "k": 1 }, { "k": 2 }], "total": 2 }), 1),
        (json!({ "k": 1, "tags": [] }), 1),
    ] {
        let answer = page.clone();
        let server = Server::start(move |a| match a.path.as_str() {
            "/a" => Answer::json(&json!([{ "id": 1 }])),
            _ => Answer::json(&answer),
        });
        let loaded = load(&json!({ "client": { "base_url": server.url },
            "resources": ["a", { "name": "b", "endpoint": "a/{resources.a.id}" }] }));
        assert_eq!(loaded.of("b").len(), rows, "{page}");
    }
}

#[test]
fn a_guess_names_the_other_lists() {
    let server = Server::start(|_| Answer::json(&json!({ "warnings": [], "topics": { "rows_": [{ "id": 1 }] } })));
    let loaded = load(&json!({ "client": { "base_url": server.url }, "resources": ["r"] }));
    assert!(loaded.noted("data_selector = \"warnings\" (other lists are at topics.rows_)"), "{:?}", loaded.notes);
}
