//! The JSON Schema of a source: what `schemars` makes of the model, and what it cannot know of it.

use super::RestSettings;
use longshore_core::schema::{Conflict, ContractMode};
use serde_json::{Value, json};

pub(super) fn of_source() -> Value {
    let mut schema = schemars::schema_for!(RestSettings).to_value();
    // Authentication without a type is a bearer token.
    let variants = schema.pointer_mut("/$defs/AuthConfig/oneOf").and_then(Value::as_array_mut);
    for variant in variants.into_iter().flatten() {
        if variant.pointer("/properties/type/const") == Some(&Value::from("bearer"))
            && let Some(required) = variant.get_mut("required").and_then(Value::as_array_mut)
        {
            required.retain(|key| key != "type");
        }
    }
    alias(&mut schema, "PaginatorConfig", "json_link", "json_response", Some(("next_key", "next_url_path")));
    alias(&mut schema, "AuthConfig", "oauth2_jwt", "oauth_jwt", None);
    let incremental = schema.pointer("/$defs/IncrementalConfig").cloned().unwrap_or_default();
    add(&mut schema, forms(incremental));
    schema
}

/// The same for editors, which know nothing but it: what is wrong with texts, numbers and words is otherwise said in better words, and
/// without hiding what else is wrong.
pub(super) fn for_editors() -> Value {
    let mut schema = of_source();
    for of in ["AuthConfig", "PaginatorConfig"] {
        let variants = schema.pointer_mut(&format!("/$defs/{of}/oneOf")).and_then(Value::as_array_mut);
        let mut words = Vec::new();
        for variant in variants.into_iter().flatten() {
            words.extend(variant.pointer("/properties/type/const").cloned());
            bounds_of_paging(variant);
            if let Some(data) = variant.pointer_mut("/properties/access_token_request_data/additionalProperties") {
                *data = json!({ "type": ["string", "number", "boolean"] });
            }
        }
        let definitions =
            schema.get_mut("$defs").and_then(Value::as_object_mut).into_iter().flat_map(|d| d.values_mut());
        definitions.for_each(|definition| short_form(definition, of, &words));
    }
    add(&mut schema, forms_for_editors());
    schema
}

/// Puts rules to those of the definitions.
fn add(schema: &mut Value, rules: Vec<(&str, Value)>) {
    for (place, rules) in rules {
        let Some(target) = schema.pointer_mut(&format!("/$defs/{place}")) else { continue };
        match (target, rules) {
            (Value::Object(target), Value::Object(rules)) => target.extend(rules),
            (target, rules) => *target = rules,
        }
    }
}

/// `paginator = "offset"`: a text that stands for a table is the name of its type.
fn short_form(definition: &mut Value, of: &str, words: &[Value]) {
    let reference = format!("#/$defs/{of}");
    let Some(forms) = definition.get_mut("anyOf").and_then(Value::as_array_mut) else { return };
    if forms.iter().any(|form| form["$ref"] == *reference) {
        let texts = forms.iter_mut().filter(|form| form["type"] == "string");
        texts.for_each(|form| form["enum"] = words.into());
    }
}

/// What the keys of a paginator cannot be, alone and together.
fn bounds_of_paging(variant: &mut Value) {
    let Some(properties) = variant.get_mut("properties").and_then(Value::as_object_mut) else { return };
    if let Some(limit) = properties.get_mut("limit") {
        limit["minimum"] = 1.into();
    }
    let pairs: Vec<Value> = ["cursor", "offset", "limit", "page"]
        .map(|what| (format!("{what}_param"), format!("{what}_body_path")))
        .into_iter()
        .filter(|(_, path)| properties.contains_key(path))
        .map(|(param, path)| both(&param, &path))
        .collect();
    if !pairs.is_empty() {
        variant["not"] = json!({ "anyOf": pairs });
    }
}

/// Both keys are there, and neither is null.
fn both(one: &str, other: &str) -> Value {
    let given = json!({ "not": { "type": "null" } });
    json!({ "required": [one, other], "properties": { one: given, other: given } })
}

/// What the model leaves open.
fn forms(incremental: Value) -> Vec<(&'static str, Value)> {
    let keys = || json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }, { "type": "null" }] });
    let disposition = json!({ "anyOf": [{ "$ref": "#/$defs/WriteDisposition" }, { "type": "null" }] });
    vec![
        ("EndpointConfig/properties/params/additionalProperties", parameter(incremental)),
        ("IncrementalConfig", json!({ "required": ["cursor_path"] })),
        ("NestedHints/properties/write_disposition", disposition),
        ("NestedHints/properties/primary_key", keys()),
        ("NestedHints/properties/merge_key", keys()),
        // Hints for others, which dlt lets pass.
        ("ColumnConfig", json!({ "patternProperties": { "^x-": true } })),
    ]
}

/// Forms of texts, bounds of numbers, and what cannot stand together.
fn forms_for_editors() -> Vec<(&'static str, Value)> {
    let any_case = |word: &str| -> String {
        word.chars().map(|c| format!("[{}{}]", c.to_ascii_uppercase(), c.to_ascii_lowercase())).collect()
    };
    let methods = ["get", "post", "put", "patch", "delete", "head", "options"].map(any_case).join("|");
    let units = ["s(ec(s|onds?)?)?", "m(in(s|utes?)?)?", "h(rs?|ours?)?", "d(ays?)?"].join("|");
    let rate = format!(r"^\s*[0-9][0-9,_]*\s*(/| per )\s*[0-9]*\s*({units})\s*$");
    let safety = r"^\s*(now)?[ -]*[0-9]+\s*(s(econds)?|m(in(utes)?)?|h(ours)?|d(ays)?)?\s*$";
    let above_zero = || json!({ "exclusiveMinimum": 0 });
    let modes: Vec<&str> = ContractMode::ALL.iter().map(|mode| mode.as_str()).collect();
    let mode = json!({ "type": "string", "enum": modes });
    let entities = json!({ "tables": mode, "columns": mode, "data_type": mode });
    let contract = json!({ "anyOf": [
        mode,
        { "type": "object", "additionalProperties": false, "properties": entities },
        { "type": "null" },
    ] });
    let policies = Conflict::ALL.iter().map(|policy| Value::from(policy.as_str())).chain([Value::Null]);
    let policy = json!({ "enum": policies.collect::<Vec<_>>() });
    vec![
        ("EndpointConfig", json!({ "not": both("json", "data") })),
        ("EndpointConfig/properties/method", json!({ "pattern": format!("^({methods})$") })),
        ("ResponseAction", json!({ "minProperties": 2 })),
        ("ResourceConfig/properties/schema_contract", contract.clone()),
        ("ResourceDefaults/properties/schema_contract", contract.clone()),
        ("NestedHints/properties/schema_contract", contract),
        ("ResourceConfig/properties/on_type_conflict", policy.clone()),
        ("ResourceDefaults/properties/on_type_conflict", policy.clone()),
        ("ColumnConfig/properties/on_type_conflict", policy),
        ("ClientConfig/properties/base_url", json!({ "pattern": "^($|[Hh][Tt][Tt][Pp][Ss]?://)" })),
        ("ClientConfig/properties/rate", json!({ "pattern": rate })),
        ("ClientConfig/properties/max_concurrency", json!({ "minimum": 1 })),
        ("ClientConfig/properties/max_attempts", json!({ "minimum": 1 })),
        ("ClientConfig/properties/timeout", above_zero()),
        ("ClientConfig/properties/connect_timeout", above_zero()),
        ("ClientConfig/properties/retry_budget", above_zero()),
        ("ClientConfig/properties/max_retry_delay", above_zero()),
        ("IncrementalConfig/properties/safety", json!({ "pattern": safety })),
    ]
}

/// A value of the query: as it is, of a parent's record, or the incremental's.
fn parameter(mut incremental: Value) -> Value {
    incremental["properties"]["type"] = json!({ "const": "incremental" });
    incremental["required"] = json!(["type", "cursor_path"]);
    let resolve = json!({
        "description": "The value of a field of each record of another resource; it stands in the path.",
        "type": "object",
        "additionalProperties": false,
        "required": ["type", "resource", "field"],
        "properties": {
            "type": { "const": "resolve" },
            "resource": { "description": "The other resource.", "type": "string" },
            "field": { "description": "The field, or a JSONPath.", "type": "string" },
        },
    });
    json!({ "anyOf": [
        { "type": ["string", "number", "boolean", "null"] },
        { "type": "array" },
        { "oneOf": [resolve, incremental] },
    ] })
}

/// Adds dlt's older word for a type, with its older word for a key.
fn alias(schema: &mut Value, definition: &str, word: &str, older: &str, key: Option<(&str, &str)>) {
    let variants = schema.pointer_mut(&format!("/$defs/{definition}/oneOf")).and_then(Value::as_array_mut);
    let Some(variants) = variants else { return };
    let is_meant = |variant: &&Value| variant.pointer("/properties/type/const").is_some_and(|name| name == word);
    let Some(mut variant) = variants.iter().find(is_meant).cloned() else { return };
    variant["description"] = format!("An older word for `{word}`.").into();
    variant["properties"]["type"]["const"] = older.into();
    if let Some((older, key)) = key {
        variant["properties"][older] = variant["properties"][key].clone();
    }
    variants.push(variant);
}
