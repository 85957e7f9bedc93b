//! The JSON Schema that editors complete from accepts what the command accepts.

use super::whole_schema;
use serde_json::{Value, json};

/// A validator of the words that our schema uses. Says where a value does not fit.
fn misfits(root: &Value, schema: &Value, value: &Value, path: &str) -> Vec<String> {
    let Some(rules) = schema.as_object() else {
        return if schema == &json!(false) { vec![format!("{path}: not allowed")] } else { Vec::new() };
    };
    let check = |schema: &Value| misfits(root, schema, value, path);
    let list = |key: &str| rules.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut found = Vec::new();
    if let Some(target) = rules.get("$ref").and_then(Value::as_str) {
        match root.pointer(target.trim_start_matches('#')) {
            Some(target) => found.extend(check(target)),
            None => found.push(format!("{path}: {target} leads nowhere")),
        }
    }
    list("allOf").iter().for_each(|part| found.extend(check(part)));
    for (key, most) in [("anyOf", usize::MAX), ("oneOf", 1)] {
        let fitting = list(key).iter().filter(|part| check(part).is_empty()).count();
        if rules.contains_key(key) && !(1..=most).contains(&fitting) {
            found.push(format!("{path}: fits {fitting} of {key}"));
        }
    }
    if rules.get("if").is_some_and(|condition| check(condition).is_empty()) {
        found.extend(rules.get("then").map(check).unwrap_or_default());
    }
    let constant = rules.get("const").is_some_and(|constant| constant != value);
    if constant || (rules.contains_key("enum") && !list("enum").contains(value)) {
        found.push(format!("{path}: not one of the words"));
    }
    let types: Vec<&str> = match rules.get("type") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        other => other.and_then(Value::as_str).into_iter().collect(),
    };
    if !types.is_empty() && !types.iter().any(|name| is_of(name, value)) {
        found.push(format!("{path}: not {types:?}"));
    }
    match value {
        Value::Object(table) => {
            for key in list("required").iter().filter_map(Value::as_str).filter(|key| !table.contains_key(*key)) {
                found.push(format!("{path}: no {key}"));
            }
            for (key, value) in table {
                let own = rules.get("properties").and_then(|p| p.get(key));
                let patterns = rules.get("patternProperties").and_then(Value::as_object).into_iter().flatten();
                let fits = |(pattern, _): &(&String, &Value)| key.starts_with(pattern.trim_start_matches('^'));
                let own = own.or(patterns.into_iter().find(fits).map(|(_, schema)| schema));
                if let Some(schema) = own.or(rules.get("additionalProperties")) {
                    found.extend(misfits(root, schema, value, &format!("{path}.{key}")));
                }
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate().filter(|_| rules.contains_key("items")) {
                found.extend(misfits(root, &rules["items"], item, &format!("{path}[{i}]")));
            }
        }
        _ => {}
    }
    found
}

fn is_of(name: &str, value: &Value) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => value.is_null(),
    }
}

fn problems(toml: &str) -> Vec<String> {
    let value = longshore_config::parse("longshore.toml", toml).expect("it is TOML").to_json();
    let schema = whole_schema();
    misfits(&schema, &schema, &value, "")
}

#[test]
fn examples_and_templates_fit() {
    for text in [
        include_str!("../../templates/files.toml"),
        include_str!("../../templates/rest_api.toml"),
        include_str!("../../../../examples/referral_hero/longshore.toml"),
        include_str!("../../../../examples/bigquery/longshore.toml"),
    ] {
        assert_eq!(problems(text), Vec::<String>::new(), "{text}");
    }
}

const SHOP: &str = r#"
[pipeline]
name = "p"
dataset = { env = "DATASET" }
destination = ["duckdb", "warehouse"]
[sources.shop]
type = "rest_api"
client = { base_url = { env = "URL" }, headers = { X-Key = { secret = "shop.key" } }, auth = { token = { secret = "shop.token" } }, max_attempts = { env = "N" } }
[sources.shop.resource_defaults]
primary_key = ["id"]
endpoint = { params = { account = { secret = "shop.account" }, size = 10 }, paginator = { type = "json_response", next_key = "next" }, on_loop = "stop" }
[[sources.shop.resources]]
name = "orders"
processing_steps = [{ hash = { fields = "mail", salt = { secret = "shop.salt" } } }, { keep = ["id", "mail"] }]
endpoint = { path = "orders", json = { k = { secret = "shop.k" } }, auth = { type = "api_key", api_key = { secret = "a.b" }, location = "query" } }
[sources.files]
type = "files"
files = "*.json"
[destinations.warehouse]
type = "postgres"
url = { secret = "warehouse.url" }
port = 5433
sslmode = "require"
password = { secret = "warehouse.password" }
keepalives_idle = 10
[destinations.lake]
type = "filesystem"
bucket_url = "s3://bucket"
credentials = { aws_access_key_id = { secret = "s3.id" } }
[destinations.duckdb]
path = "a.duckdb"
[destinations.google]
url = "bigquery://project"
"#;

#[test]
fn references_and_older_words_fit_and_mistakes_do_not() {
    assert_eq!(problems(SHOP), Vec::<String>::new());
    for (right, wrong) in [
        ("max_attempts", "max_atempts"),
        ("\"stop\"", "\"halt\""),
        ("next_key", "nxt_key"),
        ("{ secret = \"shop.token\" }", "{ secrt = \"shop.token\" }"),
        ("size = 10 }", "size = 10 }, pth = \"x\""),
        ("primary_key = [\"id\"]", "primary_key = 7"),
        ("sslmode", "sslmod"),
        ("\"require\"", "\"required\""),
        ("bucket_url", "bucket_ulr"),
        ("path = \"a.duckdb\"", "pth = \"a.duckdb\""),
        ("type = \"postgres\"", "type = \"postgress\""),
    ] {
        assert!(!problems(&SHOP.replace(right, wrong)).is_empty(), "{wrong}");
    }
}
