//! What is doubtful about answers: a record that looks like a page, pages that come again in the middle, a limit that the
//! API does not keep, an end without an end, errors in the place of records, parents without a field.

mod common;

use common::{Answer, How, Server, load, run};
use longshore_core::error::Result;
use serde_json::{Value, json};

fn of(server: &Server, endpoint: Value) -> Result<common::Loaded> {
    let config = json!({ "client": { "base_url": server.url, "backoff_factor": 0 },
        "resources": [{ "name": "r", "endpoint": endpoint }] });
    run(&config, &How::default())
}

#[test]
fn a_record_alone_is_no_page_whatever_its_fields_are_called() {
    for record in [
        json!({ "id": 1, "next_billing_at": "2025-01-01" }),
        json!({ "id": 1, "title": "a book", "pages": 300 }),
        json!({ "id": 1, "offset": 0, "limit": 5, "total": 50 }),
    ] {
        let answer = record.clone();
        let server = Server::start(move |_| Answer::json(&answer));
        let loaded = of(&server, json!({})).unwrap();
        assert_eq!(loaded.of("r"), [record]);
        assert_eq!(loaded.requests, 1);
    }
}

#[test]
fn a_page_that_comes_again_is_no_end_where_the_api_says_that_more_follow() {
    let values = [1, 0, 0, 5, 6];
    let server = Server::start(move |a| {
        let at = a.number("page", 1) as usize - 1;
        Answer::json(
            &json!({ "items": values.get(at).map(|v| json!({ "v": v })).into_iter().collect::<Vec<_>>(), "pages": 5 }),
        )
    });
    let pages = |on_loop: Option<&str>| {
        of(
            &server,
            json!({ "data_selector": "items", "on_loop": on_loop,
            "paginator": { "type": "page_number", "base_page": 1, "total_path": "pages" } }),
        )
    };
    let error = pages(None).unwrap_err();
    assert!(error.message().contains("it says that more follow"), "{error}");
    assert!(error.hint_text().unwrap().contains("on_loop"), "{error:?}");
    assert_eq!(pages(Some("allow")).unwrap().values("r", "v"), values.map(Value::from));
}

#[test]
fn an_api_that_gives_fewer_than_were_asked_for_is_noticed() {
    // From the second page on.
    let server = Server::start(|a| {
        let (from, most) = (a.number("offset", 0), if a.number("offset", 0) == 0 { 25 } else { 10 });
        let to = (from + a.number("limit", 0).min(most)).min(75);
        Answer::json(&json!((from..to).map(|i| json!({ "id": i })).collect::<Vec<_>>()))
    });
    let offsets = |limit: u64, on_short: Option<&str>| {
        of(
            &server,
            json!({ "paginator": { "type": "offset", "limit": limit, "total_path": null }, "on_short": on_short }),
        )
    };
    let short = offsets(25, None).unwrap();
    assert!(short.noted("gave 10 records where 25 were asked for"), "{:?}", short.notes);
    assert!(short.noted("paginator.limit = 10"), "{:?}", short.notes);
    assert!(offsets(25, Some("error")).unwrap_err().message().contains("gave 10 records where 25"));
    assert_eq!(offsets(25, Some("ignore")).unwrap().notes, Vec::<String>::new());
    let whole = offsets(10, Some("error")).unwrap();
    assert_eq!((whole.of("r").len(), whole.notes), (75, Vec::<String>::new()), "the last page may be short");
}

#[test]
fn an_end_that_leads_to_itself_is_an_end_where_that_is_said() {
    // As Zendesk's exports end: the last link stays, and brings nothing.
    let server = Server::start(|a| {
        let (from, to) = (a.number("cursor", 0), (a.number("cursor", 0) + 10).min(25));
        let tickets: Vec<Value> = (from..to).map(|i| json!({ "id": i })).collect();
        Answer::json(&json!({ "tickets": tickets, "after_url": format!("/r?cursor={to}") }))
    });
    let exports = |on_loop: Option<&str>| {
        of(
            &server,
            json!({ "data_selector": "tickets", "on_loop": on_loop,
            "paginator": { "type": "json_link", "next_url_path": "after_url" } }),
        )
    };
    assert!(exports(None).unwrap_err().hint_text().unwrap().contains("on_loop = \"stop\""));
    let loaded = exports(Some("stop")).unwrap();
    assert_eq!(loaded.of("r").len(), 25);
    assert!(loaded.noted("fetched before"), "{:?}", loaded.notes);
}

#[test]
fn errors_in_the_place_of_records_are_errors() {
    let errors = json!({ "data": null, "errors": [{ "message": "no field 'bad'" }] });
    for (body, endpoint) in [
        (errors.clone(), json!({ "data_selector": "data.items.nodes" })),
        (errors.clone(), json!({ "data_selector": "data" })),
        (errors, json!({})),
        (json!({ "error": { "code": 7, "message": "no field 'bad'" } }), json!({ "data_selector": "items" })),
    ] {
        let answer = body.clone();
        let server = Server::start(move |_| Answer::json(&answer));
        let error = of(&server, endpoint.clone()).unwrap_err();
        assert!(error.message().contains("no field 'bad'"), "{body}: {error}");
        let mut ignored = endpoint;
        ignored["response_actions"] = json!([{ "content": "no field", "action": "ignore" }]);
        assert!(of(&server, ignored).unwrap().of("r").is_empty());
    }
    let server = Server::start(|_| Answer::json(&json!({ "error": "the key hush-hush is wrong" })));
    let config = json!({ "client": { "base_url": server.url, "auth": { "token": "hush-hush" } },
        "resources": [{ "name": "r", "endpoint": { "data_selector": "items" } }] });
    assert!(run(&config, &How::default()).unwrap_err().message().contains("the key *** is wrong"));
    // What is called so is not always one.
    let server = Server::start(|_| Answer::json(&json!({ "errors": [{ "message": "a record" }] })));
    assert_eq!(of(&server, json!({})).unwrap().of("r").len(), 1);
    let server = Server::start(|_| Answer::json(&json!({ "data": [], "error": null, "errors": [] })));
    assert!(of(&server, json!({ "data_selector": "data" })).unwrap().of("r").is_empty());
}

#[test]
fn a_parents_field_that_is_nowhere_is_said() {
    let server = Server::start(|a| match a.path.as_str() {
        "/a" => Answer::json(&json!([{ "id": 1, "nothing": null }])),
        _ => Answer::json(&json!([{ "b": 1 }])),
    });
    let with = |field: &str| {
        load(&json!({ "client": { "base_url": server.url }, "resources": [ "a",
            { "name": "b", "include_from_parent": [field], "endpoint": "a/{resources.a.id}/b" } ] }))
    };
    assert!(with("idd").noted("nothing for '_a_idd'"));
    assert!(!with("nothing").noted("include_from_parent"), "null is a value");
}
