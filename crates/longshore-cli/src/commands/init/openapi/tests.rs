//! Documents as APIs publish them, and the projects they become.

use super::document::Document;
use super::*;
use longshore_source_rest::RestConfig;

const ISSUES: &str = include_str!("documents/issues.yaml");
const ORDERS: &str = include_str!("documents/orders.yaml");
const PAYMENTS: &str = include_str!("documents/payments.yaml");
const PETS: &str = include_str!("documents/pets.json");
const TICKETS: &str = include_str!("documents/tickets.yaml");

/// The project of a document, after it was found to be valid.
fn made(text: &str) -> String {
    let document = Document::new(serde_yaml_ng::from_str(text).unwrap());
    let auth = auth::of(&document);
    let project = write(&document, &auth);
    let tree = longshore_config::parse("longshore.toml", &project)
        .unwrap_or_else(|e| panic!("{:?}\n{project}", e.0))
        .to_json();
    let source = tree["sources"][document.name.as_str()].clone();
    let problems = RestConfig::from_value(&with_secrets(source)).err().unwrap_or_default();
    assert!(problems.is_empty(), "{problems:?}\n{project}");
    project
}

/// References to secrets, as the command puts them in.
fn with_secrets(value: Value) -> Value {
    match value {
        Value::Object(map) if map.contains_key("secret") => Value::from("s"),
        Value::Object(map) => map.into_iter().map(|(k, v)| (k, with_secrets(v))).collect(),
        Value::Array(list) => list.into_iter().map(with_secrets).collect(),
        other => other,
    }
}

fn has(project: &str, lines: &[&str]) {
    for line in lines {
        assert!(project.contains(line), "no {line}\n{project}");
    }
}

#[test]
fn a_list_that_is_needed_has_the_value_of_its_items() {
    let document = r#"{ "swagger": "2.0", "info": { "title": "Pets" }, "host": "pets.example.com", "paths": {
        "/pet/findByStatus": { "get": {
            "parameters": [{ "name": "status", "in": "query", "required": true, "type": "array",
                "items": { "type": "string", "enum": ["pending", "available"], "default": "available" } }],
            "responses": { "200": { "schema": { "type": "array", "items": {
                "type": "object", "properties": { "id": { "type": "integer" } } } } } } } } } }"#;
    let project = made(document);
    has(&project, &["\"status\" = \"available\""]);
    assert!(!project.contains("Missing"), "{project}");
}

#[test]
fn what_is_asked_for_at_once_is_all_sent() {
    let document = |security: Value| {
        let list = serde_json::json!({ "type": "array", "items": { "type": "object" } });
        let key = |place: &str, name: &str| serde_json::json!({ "type": "apiKey", "in": place, "name": name });
        serde_json::json!({
            "openapi": "3.0.0",
            "info": { "title": "Metrics" },
            "security": security,
            "paths": { "/a": { "get": { "responses": { "200": { "content": { "application/json": { "schema": list } } } } } } },
            "components": { "securitySchemes": {
                "app": key("header", "DD-APPLICATION-KEY"), "key": key("header", "DD-API-KEY"), "site": key("query", "site"),
            } },
        })
        .to_string()
    };
    let both = made(&document(serde_json::json!([{ "app": [], "key": [], "site": [] }, { "app": [], "key": [] }])));
    let header =
        "headers = { \"DD-API-KEY\" = { secret = \"sources.metrics.dd_api_key\" } }    # asked for together with it";
    has(&both, &["name = \"DD-APPLICATION-KEY\"", header]);
    assert!(!both.contains("site"), "{both}");
    let other = made(&document(serde_json::json!([{ "key": [], "site": [] }])));
    let query = "endpoint = { params = { \"site\" = { secret = \"sources.metrics.site\" } } }    # asked for together";
    has(&other, &[query]);
    assert!(!made(&document(serde_json::json!([{ "key": [] }, { "app": [] }]))).contains("headers"));
}

#[test]
fn links_in_headers_and_lists_within_lists() {
    has(
        &made(ISSUES),
        &[
            "# The document says nothing about authentication.",
            "paginator = { type = \"header_link\" }",
            "path = \"orgs/{resources.orgs.id}/teams\"    # ? id is its org",
            "path = \"orgs/{resources.orgs.id}/teams/{resources.orgs_teams.slug}/members\"    # ? id is its org, slug is its team_slug",
            "# Missing: 'owner' of the path, which no list here gives; 'repo' of the path",
            "# path = \"repos/{owner}/{repo}/issues/{resources.repos_issues.id}/comments\"",
            "# params = { \"per_page\" = 100 }",
            "# # Only what is new: incremental = { cursor_path = \"updated_at\"",
        ],
    );
}

#[test]
fn offsets_tokens_and_numbers_of_pages() {
    let project = made(ORDERS);
    has(
        &project,
        &[
            "base_url = \"https://eu.shop.example.com/v1\"\n",
            "auth = { type = \"api_key\", name = \"key\", location = \"query\"",
            "data_selector = \"data\"    # ? the list in the answer",
            "type = \"offset\", limit = 500, offset_param = \"offset\", limit_param = \"limit\", total_path = \"meta.total\"",
            "# Missing: a value for 'X-Tenant'",
            "# params = { \"tenant\" = \"acme\" }",
            "type = \"cursor\", cursor_param = \"pageToken\", cursor_path = \"nextPageToken\"",
            "data_selector = \"result.lines\"",
            "{resources.orders.orderId}/lines",
            "type = \"page_number\", base_page = 0, page_param = \"page\", total_path = \"totalPages\"",
            "params = { \"size\" = 20 }",
        ],
    );
}

#[test]
fn cursors_that_are_the_last_id() {
    has(
        &made(PAYMENTS),
        &[
            "auth = { type = \"bearer\"",
            "name = \"customers\"",
            "type = \"cursor\", cursor_param = \"starting_after\", cursor_path = \"data[-1].id\", has_more_path = \"has_more\"",
            "selected = false    # one request for each record of the list",
            "path = \"v1/customers/{resources.customers.id}/sources\"",
        ],
    );
}

#[test]
fn what_cannot_be_read_is_said() {
    has(
        &made(PETS),
        &[
            "base_url = \"https://example.com/api/v3\"    # ? the document names no host",
            "api_key = { secret = \"sources.pets.api_key\" }",
            "# Missing: a value for 'tags'",
            "# Missing: 'petId' of the path, which no list here gives",
            "# data_selector = \"$\"\n",
            "# Left out, because they answer no JSON records: /user/login",
        ],
    );
    let nothing = made("swagger: '2.0'\npaths: {}\n");
    has(&nothing, &["resources = []", "[sources.api]"]);
}

#[test]
fn swagger_2_with_combined_schemas() {
    has(
        &made(TICKETS),
        &[
            "base_url = \"https://tickets.example.com/api/v2\"",
            "access_token_url = \"https://tickets.example.com/oauth/tokens\"",
            "access_token_request_data = { scope = \"read\" }",
            "# List tickets with tab",
            "name = \"tickets\"",
            "type = \"cursor\", cursor_param = \"page[after]\", cursor_path = \"meta.after_cursor\", has_more_path = \"meta.has_more\"",
            "params = { \"page[size]\" = 100 }",
            "path = \"tickets/{resources.tickets.id}/comments.json\"",
            "data_selector = \"comments\"",
            "type = \"json_link\", next_url_path = \"next_page\"",
            "params = { \"per_page\" = 50 }",
        ],
    );
}

#[test]
fn references_in_a_circle_end() {
    made(
        "openapi: 3.0.0\ninfo: {title: T}\npaths:\n  /a: {get: {responses: {'200': {content: {application/json: {schema: {$ref: '#/components/schemas/A'}}}}}}}\n\
         components: {schemas: {A: {$ref: '#/components/schemas/B'}, B: {allOf: [{$ref: '#/components/schemas/A'}, {properties: {b: {$ref: '#/components/schemas/B'}}}]}}}\n",
    );
}

/// What is asked for by its id is a record, though it has a list with the name of one.
#[test]
fn records_with_lists_are_no_pages_and_links_of_odata_are_links() {
    let document = r##"
openapi: 3.0.0
info: { title: "日本 API" }
components:
  schemas:
    Order: { type: object, properties: { id: { type: string }, items: { type: array, items: { type: object } } } }
paths:
  /orders:
    get:
      parameters: [{ name: $skip, in: query, schema: { type: integer } }, { name: $top, in: query, schema: { type: integer } }]
      responses: { "200": { content: { application/json: { schema: { type: object, properties: {
        value: { type: array, items: { $ref: "#/components/schemas/Order" } }, "@odata.nextLink": { type: string } } } } } } }
  /orders/{orderId}:
    get: { responses: { "200": { content: { application/json: { schema: { $ref: "#/components/schemas/Order" } } } } } }
  /orders/{orderId}/items:
    get: { responses: { "200": { content: { application/json: { schema: { $ref: "#/components/schemas/Order" } } } } } }
"##;
    let project = made(document);
    has(
        &project,
        &[
            "[sources.api]",
            "type = \"json_link\", next_url_path = \"$['@odata.nextLink']\"",
            "path = \"orders/{resources.orders.id}\"    # ? id is its orderId\ndata_selector = \"$\"",
            "path = \"orders/{resources.orders.id}/items\"    # ? id is its orderId\ndata_selector = \"items\"",
        ],
    );
}

/// A document with these paths, each answering an object of these properties.
fn with_answers(paths: Value) -> String {
    let of = |(path, properties): (String, Value)| {
        let schema = serde_json::json!({ "type": "object", "properties": properties });
        let answer = serde_json::json!({ "200": { "content": { "application/json": { "schema": schema } } } });
        (path, serde_json::json!({ "get": { "responses": answer } }))
    };
    let paths: serde_json::Map<String, Value> = paths.as_object().unwrap().clone().into_iter().map(of).collect();
    serde_json::json!({ "openapi": "3.1.0", "info": { "title": "Bank" }, "paths": paths }).to_string()
}

#[test]
fn lists_within_a_record_are_no_pages() {
    let text = serde_json::json!({ "type": "string" });
    let list = serde_json::json!({ "type": "array", "items": { "type": "object", "properties": { "id": text } } });
    let page =
        serde_json::json!({ "type": "object", "properties": { "data": list, "has_more": { "type": "boolean" } } });
    let project = made(&with_answers(serde_json::json!({
        "/account": { "id": text, "email": text, "cards": page },
        "/accounts": { "data": list, "has_more": { "type": "boolean" }, "url": text },
        "/accounts/{account}": { "id": text, "cards": page },
        "/advisories": { "advisories": list },
        "/advisories/{ghsa_id}": { "ghsa_id": text, "summary": text, "identifiers": list },
        "/settings": { "theme": text, "zone": text, "locale": text, "unit": text, "features": list },
        "/zones": { "errors": list, "messages": list, "result": { "type": "object", "properties": { "id": text } } },
        "/deployments": { "kind": text, "status": { "type": "object", "properties": { "conditions": list } } },
        "/links": { "links": list },
        "/instances": { "id": text, "kind": text, "items": list, "nextPageToken": text },
        "/search/{term}": { "results": list, "total_count": { "type": "integer" } },
    })));
    let of = |name: &str| project.split("\n\n").find(|b| b.contains(&format!("name = \"{name}\"\n"))).unwrap();
    for record in ["accounts_details", "advisories_details"] {
        assert!(of(record).contains("selected = false") && of(record).contains("data_selector = \"$\""), "{project}");
    }
    assert!(of("links").contains("data_selector = \"links\""), "{project}");
    assert!(of("instances").contains("data_selector = \"items\""), "{project}");
    for record in ["account", "settings", "zones", "deployments"] {
        assert!(of(record).contains("data_selector = \"$\""), "{project}");
    }
    assert!(of("accounts").contains("data_selector = \"data\""), "{project}");
    assert!(of("search_details").contains("data_selector = \"results\""), "{project}");
}

#[test]
fn a_search_by_post_is_there_and_off() {
    let document = r##"{ "openapi": "3.0.0", "info": { "title": "Notes" }, "servers": [{ "url": "https://notes.example.com" }], "paths": {
        "/search": { "post": { "operationId": "postSearch",
            "requestBody": { "content": { "application/json": { "schema": { "required": ["kind"], "properties": {
                "kind": { "type": "string", "enum": ["page"] }, "start_cursor": { "type": "string" },
                "page_size": { "type": "integer", "maximum": 50 } } } } } },
            "responses": { "200": { "content": { "application/json": { "schema": { "properties": {
                "results": { "type": "array", "items": { "type": "object" } }, "next_cursor": { "type": "string" } } } } } } } } },
        "/lists": { "post": { "operationId": "createList", "responses": { "200": { "content": { "application/json": { "schema": {
            "type": "array", "items": { "type": "object" } } } } } } } } } }"##;
    let project = made(document);
    has(
        &project,
        &[
            "selected = false    # ? a POST that only looks for something",
            "method = \"POST\"\n",
            "paginator = { type = \"cursor\", cursor_body_path = \"start_cursor\", cursor_path = \"next_cursor\" }",
            "json = { \"kind\" = \"page\", \"page_size\" = 50 }",
        ],
    );
    assert!(!project.contains("lists"), "{project}");
}

#[test]
fn numbers_of_any_length_and_odd_names_of_ids() {
    let yaml = "openapi: 3.1.0\ninfo: { title: Seeds }\npaths:\n  /seeds:\n    get:\n      responses:\n        '200':\n          content:\n            \
        application/json:\n              schema: { type: array, items: { properties: { $id: { type: integer, minimum: -9223372036854776000 } } } }\n  \
        /seeds/{id}:\n    get: { responses: { '200': { content: { application/json: { schema: { type: object } } } } } }\n";
    assert!(serde_yaml_ng::from_str::<Value>(yaml).is_err(), "the usual reader takes it by now");
    let document = read(yaml).unwrap();
    has(&made(&document.to_string()), &["path = \"seeds/{resources.seeds.$['$id']}\""]);
}

#[test]
fn what_every_request_sends_is_not_missed() {
    let document = r#"{ "openapi": "3.0.0", "info": { "title": "Boards" }, "paths": { "/boards": { "get": {
        "security": [{ "key": [] }, { "token": [] }],
        "parameters": [{ "name": "key", "in": "query", "required": true }, { "name": "token", "in": "query", "required": true },
            { "name": "User-Agent", "in": "header", "required": true }],
        "responses": { "200": { "content": { "application/json": { "schema": { "type": "array", "items": { "type": "object" } } } } } } } } },
        "components": { "securitySchemes": { "key": { "type": "apiKey", "in": "query", "name": "key" },
            "token": { "type": "apiKey", "in": "query", "name": "token" },
            "again": { "type": "apiKey", "in": "query", "name": "token" } } } }"#;
    let project = made(document);
    assert!(!project.contains("Missing"), "{project}");
    has(&project, &["params = { \"token\" = { secret = \"sources.boards.token\" } }"]);
}

#[test]
fn paths_in_other_files_are_named() {
    let document =
        r#"{ "openapi": "3.1.0", "info": { "title": "Parts" }, "paths": { "/a": { "$ref": "paths/a.yaml" } } }"#;
    has(&made(document), &["# Not read, because they stand in other files;", "(redocly bundle): /a\n"]);
}
