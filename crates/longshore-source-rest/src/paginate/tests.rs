//! Sequences of requests, and what responses give away; cases from dlt's behaviour and from where it is wrong.

use super::*;
use serde_json::json;

/// Plays pages through a paginator; returns the query of each request, `-` for one whose page is dropped.
fn play(config: Value, pages: &[(Value, usize)]) -> Result<Vec<String>> {
    let config: PaginatorConfig = serde_json::from_value(config).unwrap();
    let mut paginator = Paginator::new(&config, false);
    let url = Url::parse("http://h/api/items?x=1").unwrap();
    let shown = |d: &Delta| match (&d.url, d.body.is_empty()) {
        (Some(url), _) => url.clone(),
        (None, false) => d.body.iter().map(|(k, v)| format!("{k}:{v}")).collect::<Vec<_>>().join("&"),
        (None, true) => d.params.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("&"),
    };
    let mut asked = vec![shown(&paginator.first())];
    for (body, records) in pages {
        let doc = Doc::parse(body.to_string().into_bytes()).unwrap();
        let repeated = body.get("repeated").is_some();
        let page = Page {
            doc: Some(&doc),
            headers: &HeaderMap::new(),
            url: &url,
            params: &[],
            records: *records,
            whole: false,
            repeated,
            overlaps: false,
            body: None,
            equal_is_data: false,
            follow_short: true,
        };
        match paginator.next(&page, &mut |_| {})? {
            Next::Page(delta) => asked.push(shown(&delta)),
            Next::Again(delta) => asked.push(format!("-{}", shown(&delta))),
            Next::End | Next::Drop => return Ok(asked),
        }
    }
    asked.push("…".to_owned());
    Ok(asked)
}

#[test]
fn each_paginator_asks_for_what_dlt_asks_for() {
    let none = json!({});
    for (config, pages, asked) in [
        (json!({"type": "single_page"}), vec![(json!({"next": "http://h/2"}), 1)], vec![""]),
        (
            json!({"type": "json_link", "next_url_path": "links.next"}),
            vec![
                (json!({"links": {"next": "/api/items?page=2"}}), 1),
                (json!({"links": {"next": "?page=3"}}), 1),
                (json!({"links": {"next": null}}), 1),
            ],
            vec!["", "http://h/api/items?page=2", "http://h/api/items?page=3"],
        ),
        (
            json!({"type": "cursor", "cursor_path": "c", "cursor_param": "after"}),
            vec![(json!({"c": "a"}), 1), (json!({"c": 7}), 0), (json!({"c": ""}), 1)],
            vec!["", "after=a", "after=7"],
        ),
        (
            json!({"type": "cursor", "cursor_path": "c", "cursor_body_path": "page.cursor"}),
            vec![(json!({"c": "a"}), 1), (json!({}), 1)],
            vec!["", "page.cursor:\"a\""],
        ),
        // Elasticsearch's search_after.
        (
            json!({"type": "cursor", "cursor_path": "hits[-1].sort", "cursor_body_path": "search_after"}),
            vec![
                (json!({"hits": [{"sort": [1]}, {"sort": [1700000000000000001u64, "b"]}]}), 2),
                (json!({"hits": []}), 0),
            ],
            vec!["", "search_after:[1700000000000000001,\"b\"]"],
        ),
        (
            json!({"type": "cursor", "cursor_path": "c", "has_more_path": "more"}),
            vec![(json!({"c": "a", "more": "true"}), 1), (json!({"c": "b", "more": false}), 1)],
            vec!["", "cursor=a"],
        ),
        (
            json!({"type": "cursor", "cursor_path": "c", "stop_after_empty_page": true}),
            vec![(json!({"c": "a"}), 0)],
            vec![""],
        ),
        (
            json!({"type": "offset", "limit": 10}),
            vec![(json!({"total": 25}), 10), (json!({"total": 25}), 10), (json!({"total": "25"}), 5)],
            vec!["offset=0&limit=10", "offset=10&limit=10", "offset=20&limit=10"],
        ),
        // No total: an empty page ends it, where dlt fails.
        (
            json!({"type": "offset", "limit": 2}),
            vec![(none.clone(), 2), (none.clone(), 1), (none.clone(), 0)],
            vec!["offset=0&limit=2", "offset=2&limit=2", "offset=4&limit=2"],
        ),
        (
            json!({"type": "offset", "limit": 2, "maximum_offset": 4, "total_path": ""}),
            vec![(none.clone(), 2), (none.clone(), 2)],
            vec!["offset=0&limit=2", "offset=2&limit=2"],
        ),
        (
            json!({"type": "page_number", "total_path": "pages"}),
            vec![(json!({"pages": 2}), 1), (json!({"pages": 2}), 1)],
            vec!["page=0", "page=1"],
        ),
        (
            json!({"type": "page_number", "base_page": 1, "total_path": "pages"}),
            vec![(json!({"pages": 2}), 1), (json!({"pages": 2}), 1)],
            vec!["page=1", "page=2"],
        ),
        (
            json!({"type": "page_number", "base_page": 1, "page": 3, "page_param": "p", "maximum_page": 5}),
            vec![(none.clone(), 1), (none.clone(), 1)],
            vec!["p=3", "p=4"],
        ),
        (
            json!({"type": "page_number", "page_body_path": "q.page", "has_more_path": "more"}),
            vec![(json!({"more": true}), 1), (json!({"more": false}), 1)],
            vec!["q.page:0", "q.page:1"],
        ),
    ] {
        assert_eq!(play(config.clone(), &pages).unwrap(), asked, "{config}");
    }
    assert!(
        play(
            json!({"type": "offset", "limit": 1, "total_path": "t", "stop_after_empty_page": false}),
            &[(json!({}), 1)]
        )
        .is_err()
    );
    assert!(
        play(json!({"type": "cursor", "cursor_path": "c", "has_more_path": "more"}), &[(json!({"c": 1}), 1)]).is_err()
    );
}

#[test]
fn page_numbers_are_found_out_whatever_they_begin_with() {
    let auto = json!({"type": "auto"});
    let total =
        |repeated: bool| if repeated { json!({"total_pages": 3, "repeated": 1}) } else { json!({"total_pages": 3}) };
    // 1-based, the response does not say: page 1 is the first again, and is dropped.
    let pages = [(total(false), 1), (total(true), 1), (total(false), 1), (total(false), 1)];
    assert_eq!(play(auto.clone(), &pages).unwrap(), ["", "page=1", "-page=2", "page=3"]);
    // 0-based: page 1 is another.
    let pages = [(total(false), 1), (total(false), 1), (total(false), 1)];
    assert_eq!(play(auto.clone(), &pages).unwrap(), ["", "page=1", "page=2"]);
    // The response says which page it is.
    let at = |n: u64| json!({"pagination": {"total_pages": 2, "current_page": n}});
    assert_eq!(play(auto.clone(), &[(at(1), 1), (at(2), 1)]).unwrap(), ["", "page=2"]);
    assert_eq!(play(auto.clone(), &[(at(0), 1), (at(1), 1)]).unwrap(), ["", "page=1"]);
    assert_eq!(play(auto, &[(json!({"total_pages": 1}), 1)]).unwrap(), [""]);
}

#[test]
fn responses_give_their_paginator_away() {
    let first = |body: Value| play(json!({"type": "auto"}), &[(body, 20)]).unwrap().get(1).cloned();
    for (body, asked) in [
        (json!({"next": "http://h/2"}), Some("http://h/2")),
        (json!({"paging": {"nextLink": "/2"}}), Some("http://h/2")),
        (json!({"_links": {"next": {"href": "/3"}}}), Some("http://h/3")),
        (json!({"next_cursor": "abc", "data": []}), Some("cursor=abc")),
        (json!({"meta": {"nextPageToken": "t"}}), Some("pageToken=t")),
        (json!({"next_page": 2}), Some("page=2")),
        (json!({"response_metadata": {"next_cursor": "dXNl"}}), Some("cursor=dXNl")),
        (json!({"offset": 0, "limit": 20, "total": 50, "items": []}), Some("offset=20&limit=20")),
        (json!({"meta": {"skip": 0, "pageSize": 5, "totalCount": 50}}), Some("skip=5&pageSize=5")),
        (json!({"value": [], "@odata.nextLink": "http://h/2"}), Some("http://h/2")),
        (json!({"paging": {"next": {"after": "10", "link": "http://h/2"}}}), Some("http://h/2")),
        (json!({"paging": {"next": {"after": "10", "link": "x"}}}), Some("after=10")),
        (json!({"next": null, "data": []}), None),
        // A link is sought before anything else that is called next.
        (json!({"meta": {"next_sync": "2024-05-05"}, "data": [], "next": "/2"}), Some("http://h/2")),
        (json!({"next_sync": 5, "pages": 3, "data": [], "links": {"next": {"href": "/2"}}}), Some("http://h/2")),
        (json!({"data": [{"next": "http://h/2"}]}), None),
        (json!([{"next": "http://h/2"}]), None),
    ] {
        assert_eq!(first(body.clone()).as_deref(), asked, "{body}");
    }
    let mut headers = HeaderMap::new();
    headers.insert("link", r#"<http://h/?a=1,2>; rel="prev", <http://h/2>; rel="next last""#.parse().unwrap());
    assert_eq!(detect::link(&headers, "next").as_deref(), Some("http://h/2"));
    assert_eq!(detect::link(&headers, "prev").as_deref(), Some("http://h/?a=1,2"));
}
