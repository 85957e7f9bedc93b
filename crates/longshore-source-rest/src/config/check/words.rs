//! What a schema asks for and what a value is, in words; and whether they fit.

use serde_json::{Map, Value};

pub(super) fn type_fits(rules: &Map<String, Value>, value: &Value) -> bool {
    let fits = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|f| f.fract() == 0.0),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    };
    match rules.get("type") {
        Some(Value::String(name)) => fits(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(fits),
        _ => true,
    }
}

pub(super) fn types(rules: &Map<String, Value>) -> String {
    let word = |name: &str| match name {
        "boolean" => "true or false",
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "array" => "a list",
        "object" => "a table",
        _ => "nothing",
    };
    match rules.get("type") {
        Some(Value::String(name)) => word(name).to_owned(),
        Some(Value::Array(names)) => {
            join(names.iter().filter_map(Value::as_str).filter(|n| *n != "null").map(|n| word(n).to_owned()).collect())
        }
        _ => "another value".to_owned(),
    }
}

pub(super) fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

pub(super) fn join(mut words: Vec<String>) -> String {
    words.dedup();
    words.retain(|w| w != "nothing");
    words.join(" or ")
}

pub(super) fn one_of<'k>(words: impl Iterator<Item = &'k str>) -> String {
    format!("one of {}", words.collect::<Vec<_>>().join(", "))
}
