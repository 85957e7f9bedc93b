//! Valid and invalid configurations, as dlt has them: what is accepted, what is refused, and where the fault is said to be.

use longshore_core::normalize::FieldPath;
use longshore_core::schema::{DataType, Disposition, MergeStrategy, SystemColumns};
use longshore_source_rest::{RestConfig, RestOptions, RestSource};
use serde_json::{Value, json};

fn with(resources: Value) -> Value {
    json!({ "client": { "base_url": "https://api.example.com" }, "resources": resources })
}

/// Problems as text: `path: message (suggestion)`.
fn problems(config: &Value) -> Vec<String> {
    RestConfig::from_value(config).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn what_dlt_takes_is_taken() {
    let valid = [
        with(json!(["posts"])),
        with(json!([{ "name": "posts" }])),
        with(json!([{ "name": "posts", "endpoint": "v2/posts" }])),
        with(
            json!([{ "name": "posts", "endpoint": { "path": "posts", "params": { "limit": 100, "tags": ["a", "b"], "none": null }, "paginator": "json_link" } }]),
        ),
        with(
            json!([{ "name": "posts", "endpoint": { "path": "posts", "paginator": { "type": "json_response", "next_key": "next" } } }]),
        ),
        with(
            json!([{ "name": "posts", "endpoint": { "paginator": { "type": "offset", "limit": 100, "total_path": null } } }]),
        ),
        with(
            json!([{ "name": "posts", "endpoint": { "paginator": { "type": "page_number", "base_page": 1, "maximum_page": 5, "total_path": null } } }]),
        ),
        with(
            json!([{ "name": "posts", "endpoint": { "paginator": { "type": "cursor", "cursor_path": "next", "cursor_body_path": "page.cursor" }, "method": "POST", "json": { "q": "query { users { id }}" } } }]),
        ),
        with(
            json!(["posts", { "name": "comments", "endpoint": { "path": "posts/{post_id}/comments", "params": { "post_id": { "type": "resolve", "resource": "posts", "field": "id" } } }, "include_from_parent": ["id"] }]),
        ),
        with(
            json!(["posts", { "name": "comments", "endpoint": { "path": "comments", "params": { "post": "{resources.posts.id}" }, "headers": { "X-Post": "{resources.posts.id}" } } }]),
        ),
        with(
            json!([{ "name": "posts", "endpoint": { "path": "posts", "params": { "since": { "type": "incremental", "cursor_path": "updated_at", "initial_value": "2024-01-01T00:00:00Z" } } } }]),
        ),
        with(
            json!([{ "name": "posts", "endpoint": { "path": "posts", "params": { "since": "{incremental.start_value}" }, "incremental": { "cursor_path": "updated_at", "initial_value": 1, "end_value": 5 } } }]),
        ),
        with(
            json!([{ "name": "posts", "endpoint": { "incremental": { "start_param": "since", "end_param": "until", "cursor_path": "updated_at", "initial_value": "2024-01-25T11:21:28Z", "end_value": "2024-02-25T11:21:28Z" } } }]),
        ),
        with(
            json!([{ "name": "posts", "endpoint": { "response_actions": [{ "status_code": 404, "action": "ignore" }, { "content": "Not found", "status_code": 200, "action": "ignore" }] } }]),
        ),
        with(
            json!([{ "name": "posts", "write_disposition": { "disposition": "merge", "strategy": "scd2" }, "primary_key": ["id", "at"], "schema_contract": { "tables": "evolve" }, "columns": [{ "name": "id", "data_type": "bigint" }] }]),
        ),
        json!({ "type": "rest_api", "client": { "base_url": "https://h", "auth": { "token": "t" }, "paginator": "header_link", "headers": { "a": "b" } },
                "resource_defaults": { "primary_key": "id", "write_disposition": "merge", "endpoint": { "params": { "per_page": 30 } } }, "resources": ["posts"] }),
        json!({ "client": { "base_url": "https://h", "auth": { "type": "oauth2_client_credentials", "access_token_url": "https://h/t", "client_id": "i", "client_secret": "s", "access_token_request_data": { "scope": "x", "account": 12, "on": true, "none": null } } }, "resources": ["posts"] }),
        json!({ "client": { "base_url": "https://h", "auth": { "type": "http_basic", "username": "u", "password": "p" } }, "resources": ["posts"] }),
        json!({ "client": { "base_url": "https://h" }, "resources": [{ "name": "a", "columns": { "b": { "data_type": "text", "x-mark": 1 } },
            "endpoint": { "response_actions": [{ "status_code": "404", "action": "ignore" }],
                "params": { "since": { "type": "incremental", "cursor_path": "at", "transform": null, "convert": null } } } }] }),
        json!({ "client": { "base_url": "https://h", "auth": { "type": "api_key", "name": "k", "api_key": "s", "location": "cookie" } }, "resources": ["posts"] }),
    ];
    for config in valid {
        assert_eq!(problems(&config), [] as [&str; 0], "{config}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_what_was_meant() {
    let endpoint = |endpoint: Value| with(json!([{ "name": "r", "endpoint": endpoint }]));
    let cases = [
        (json!({}), vec!["'client' is missing", "'resources' is missing"]),
        (
            with(json!([{ "nam": "r" }])),
            vec!["resources[0].nam: unknown key 'nam' (did you mean 'name'?)", "resources[0]: 'name' is missing"],
        ),
        (
            endpoint(json!({ "path": 5, "parms": {} })),
            vec![
                "resources[0].endpoint.path: expected a text, found a number",
                "resources[0].endpoint.parms: unknown key 'parms' (did you mean 'params'?)",
            ],
        ),
        (
            endpoint(json!({ "paginator": "page_numbr" })),
            vec!["resources[0].endpoint.paginator.type", "did you mean 'page_number'?"],
        ),
        (
            endpoint(json!({ "paginator": { "type": "cursor", "cursor_pth": "x" } })),
            vec!["resources[0].endpoint.paginator.cursor_pth", "did you mean 'cursor_path'?"],
        ),
        (
            endpoint(json!({ "paginator": { "type": "offset" } })),
            vec!["resources[0].endpoint.paginator: 'limit' is missing"],
        ),
        (
            endpoint(json!({ "paginator": { "type": "cursor", "cursor_param": "a", "cursor_body_path": "b" } })),
            vec!["cannot both be given"],
        ),
        (
            endpoint(json!({ "data": { "q": "x" }, "paginator": { "type": "page_number", "page_body_path": "p" } })),
            vec!["resources[0].endpoint.paginator: it puts values into a JSON body"],
        ),
        (
            json!({ "client": { "base_url": "https://h" }, "resources": [{ "name": "a",
                "processing_steps": [{ "filter": "@.a", "drop": ["b"] }] }] }),
            vec!["resources[0].processing_steps[0]: a step has one key, not filter and drop"],
        ),
        (
            endpoint(
                json!({ "paginator": { "type": "page_number", "total_path": null, "stop_after_empty_page": false } }),
            ),
            vec!["nothing ends it"],
        ),
        (endpoint(json!({ "path": "a/{id}" })), vec!["nothing is bound to '{id}'"]),
        (
            endpoint(json!({ "path": "a/{resources.s.id}" })),
            vec!["resources[0].endpoint.path: there is no resource 's'"],
        ),
        (endpoint(json!({ "path": "a", "json": {}, "data": {} })), vec!["json and data cannot both be given"]),
        (endpoint(json!({ "data_selector": "a[?" })), vec!["is not a JSONPath"]),
        (
            endpoint(json!({ "incremental": { "initial_value": 1 } })),
            vec!["resources[0].endpoint.incremental: 'cursor_path' is missing"],
        ),
        (
            endpoint(json!({ "incremental": { "cursor_path": "a", "end_value": 1 } })),
            vec!["'end_value' needs 'initial_value'"],
        ),
        (
            endpoint(json!({ "params": { "a": "{incremental.start_value}" } })),
            vec!["no 'incremental' to take the value from"],
        ),
        (
            endpoint(json!({ "response_actions": [{ "status_code": 404, "action": "ignroe" }] })),
            vec!["response_actions[0].action", "did you mean 'ignore'?"],
        ),
        (endpoint(json!({ "params": { "x": { "type": "resolv" } } })), vec!["resources[0].endpoint.params.x"]),
        (with(json!(["a", "a"])), vec!["two resources named 'a'"]),
        (
            with(
                json!([{ "name": "a", "endpoint": "x/{resources.b.id}" }, { "name": "b", "endpoint": "y/{resources.a.id}" }]),
            ),
            vec!["in a circle: a, b"],
        ),
        (
            with(json!(["a", "b", { "name": "c", "endpoint": "{resources.a.id}/{resources.b.id}" }])),
            vec!["several resources that do not depend on one another: a, b"],
        ),
        (
            with(
                json!(["a", { "name": "c", "endpoint": { "path": "c", "params": { "id": { "type": "resolve", "resource": "a", "field": "id" } } } }]),
            ),
            vec!["the path has no '{id}'"],
        ),
        (
            with(json!([{ "name": "a", "include_from_parent": ["id"] }])),
            vec!["resources[0].include_from_parent: the resource has no parent"],
        ),
        (
            with(json!([{ "name": "a", "processing_steps": [{ "map": "f" }] }])),
            vec!["resources[0].processing_steps[0].map: a Python function"],
        ),
        (
            with(json!([{ "name": "a", "processing_steps": [{ "filtr": "@.a" }] }])),
            vec!["resources[0].processing_steps[0].filtr", "did you mean 'filter'?"],
        ),
        (
            with(json!([{ "name": "a", "write_disposition": "apend" }])),
            vec!["resources[0].write_disposition", "did you mean 'append'?"],
        ),
        (
            json!({ "client": { "base_url": "ftp://h", "rate": "5000" }, "resources": ["a"] }),
            vec!["client.base_url: not a web address", "client.rate: not a rate"],
        ),
        (
            json!({ "client": { "auth": { "type": "bearrer", "token": "hush" } }, "resources": ["a"] }),
            vec!["client.auth.type", "did you mean 'bearer'?"],
        ),
        (
            with(
                json!([{ "name": "a", "write_disposition": "add" }, { "name": "b", "columns": { "c": { "data_type": "string" } } }]),
            ),
            vec![
                "resources[0].write_disposition: 'add' is none of append, replace, merge, skip",
                "resources[1].columns.c.data_type: 'string' is none of text, bigint, double",
            ],
        ),
        (
            json!({ "client": { "base_url": "https://h", "auth": "hush" }, "resources": ["a"] }),
            vec!["client.auth.type: the word is none of bearer, api_key"],
        ),
        (
            endpoint(json!({ "params": { "since": { "type": "incremental", "cursor_pth": "at" } } })),
            vec![
                "resources[0].endpoint.params.since.cursor_pth: unknown key 'cursor_pth' (did you mean 'cursor_path'?)",
            ],
        ),
        (
            with(json!(["a", { "name": "c", "endpoint": { "path": "c/{x}",
                "params": { "x": { "type": "resolve", "resorce": "a", "field": "id" } } } }])),
            vec![
                "params.x: 'resource' is missing",
                "params.x.resorce: unknown key 'resorce' (did you mean 'resource'?)",
            ],
        ),
        (
            endpoint(json!({ "params": { "y": "{resource.a.id}" } })),
            vec!["'{resource.a.id}' is no placeholder (did you mean '{resources.a.id}'?"],
        ),
        (
            endpoint(json!({ "response_actions": [{ "status_code": "never", "action": "ignore" }] })),
            vec!["status_code: expected a whole number or a list, found a text"],
        ),
        (
            json!({ "client": { "base_url": "https://h", "max_attempts": 0 }, "resources": ["a"] }),
            vec!["client.max_attempts: max_attempts begins with 1"],
        ),
        (json!({ "client": {}, "resources": ["a"] }), vec!["'client.base_url' is missing"]),
        (
            json!({ "client": { "base_url": "https://h", "auth": "bearer" }, "resources": ["a"] }),
            vec!["client.auth: 'token' is missing"],
        ),
    ];
    for (config, expected) in cases {
        let found = problems(&config).join("\n");
        for part in expected {
            assert!(found.contains(part), "{config}\nexpected: {part}\nfound:\n{found}");
        }
        assert!(!found.contains("hush"), "{found}");
    }
}

#[test]
fn tables_are_written_as_the_configuration_says() {
    let config = json!({
        "client": { "base_url": "https://h" },
        "resource_defaults": { "write_disposition": "merge", "primary_key": "userId", "columns": { "a": { "data_type": "text" } } },
        "resources": ["one", {
            "name": "two", "table_name": "Second", "max_table_nesting": 1, "primary_key": ["id"], "merge_key": "day",
            "write_disposition": { "disposition": "merge", "strategy": "upsert" },
            "columns": { "extra.data": { "data_type": "json" }, "n": { "data_type": "bigint" }, "deleted": { "hard_delete": true }, "v": { "dedup_sort": "desc" } },
            "nested_hints": { "lines": { "columns": { "sku": { "data_type": "text" } } } },
        }],
    });
    let source = RestSource::new(RestConfig::from_value(&config).unwrap(), RestOptions::default()).unwrap();
    let settings = source.resources(SystemColumns::Native);
    assert_eq!(settings[0].table, "one");
    assert_eq!(settings[0].write.disposition, Disposition::Merge);
    assert_eq!(settings[0].write.primary_key, ["user_id"]);
    let second = &settings[1];
    assert_eq!((second.table.as_str(), second.max_nesting), ("second", 1));
    assert_eq!(
        (second.write.strategy, second.write.primary_key.as_slice()),
        (MergeStrategy::Upsert, ["id".to_owned()].as_slice())
    );
    assert_eq!(second.write.merge_key, ["day"]);
    assert_eq!(second.write.hard_delete.as_deref(), Some("deleted"));
    assert!(second.write.dedup_sort.as_ref().is_some_and(|d| d.column == "v" && d.descending));
    assert_eq!(second.json_columns, [FieldPath::parse("extra.data").unwrap()]);
    let hint = |keys: &[&str]| {
        second
            .hints
            .iter()
            .find(|(p, _)| *p == FieldPath::from_keys(keys.iter().map(|k| (*k).to_owned())))
            .map(|(_, t)| *t)
    };
    assert_eq!(
        (hint(&["a"]), hint(&["n"]), hint(&["lines", "sku"])),
        (Some(DataType::Text), Some(DataType::Bigint), Some(DataType::Text))
    );
}

#[test]
fn the_schema_for_editors_admits_the_short_forms() {
    let schema = RestConfig::json_schema();
    let short = json!({ "client": { "base_url": "https://h", "paginator": "auto" }, "resources": ["a", { "name": "b", "endpoint": "c" }] });
    assert_eq!(longshore_source_rest::check(&schema, &short, ""), []);
    let wrong = json!({ "client": { "base_url": 1 }, "resources": [{ "name": "b", "endpoint": { "pth": "c" } }] });
    assert_eq!(longshore_source_rest::check(&schema, &wrong, "sources.x").len(), 2);
}

#[test]
fn a_resource_that_does_not_exist_cannot_be_selected() {
    let config = RestConfig::from_value(&with(json!(["posts"]))).unwrap();
    let options = RestOptions { select: Some(vec!["post".into()]), ..RestOptions::default() };
    let error = RestSource::new(config, options).err().unwrap();
    assert_eq!(error.hint_text(), Some("did you mean 'posts'?"));
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mut config = with(json!([
        { "name": "a", "endpoint": { "path": "a/{resources.nobody.id}", "method": "FETCH", "data_selector": "x[?" } },
        { "name": "b", "endpoint": { "path": "b/{resources.c.id}", "json": {}, "data": {}, "headers": { "Bad Header": "x" } } },
        { "name": "c", "endpoint": { "path": "c/{resources.b.id}/{foo}", "params": { "q": "{resources.b.id" } } },
        { "name": "d", "schema_contract": { "tables": "frozen" }, "include_from_parent": ["id"],
            "endpoint": { "paginator": { "type": "cursor", "cursor_param": "c", "cursor_body_path": "c" } } },
    ]));
    config["client"]["proxy"] = json!("not a proxy");
    let found = problems(&config);
    for (place, what) in [
        ("client.proxy", "not the address of a proxy"),
        ("resources[0].endpoint.path", "there is no resource 'nobody'"),
        ("resources[0].endpoint.method", "no HTTP method"),
        ("resources[0].endpoint.data_selector", "is not a JSONPath"),
        ("resources", "in a circle"),
        ("resources[1].endpoint.data", "cannot both be given"),
        ("resources[1].endpoint.headers.Bad Header", "name of a header"),
        ("resources[2].endpoint.path", "nothing is bound to '{foo}'"),
        ("resources[2].endpoint.params.q", "brace is not closed"),
        ("resources[3].schema_contract", ""),
        ("resources[3].endpoint.paginator", "cannot both be given"),
    ] {
        assert!(found.iter().any(|p| p.starts_with(&format!("{place}: ")) && p.contains(what)), "{place}: {found:#?}");
    }
    assert_eq!(found.len(), 11, "{found:#?}");
}
