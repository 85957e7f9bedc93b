//! The schema of one kind of source as a part of the whole file's: its definitions stand at the root, and every plain
//! value may also be a reference.

use serde_json::{Map, Value, json};

/// Puts a kind's schema and its definitions among those of the whole; returns what refers to it.
pub(crate) fn definition(kind: &str, mut schema: Value, definitions: &mut Map<String, Value>) -> Value {
    let mut inner = Map::new();
    if let Some(keys) = schema.as_object_mut() {
        keys.remove("$schema");
        if let Some(Value::Object(own)) = keys.remove("$defs") {
            inner = own;
        }
    }
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("type".into(), json!({ "const": kind }));
    }
    for part in std::iter::once(&mut schema).chain(inner.values_mut()) {
        move_references(part, kind);
        *part = with_references(part.take());
    }
    definitions.extend(inner.into_iter().map(|(name, part)| (format!("{kind}.{name}"), part)));
    definitions.insert(kind.to_owned(), schema);
    json!({ "$ref": format!("#/$defs/{kind}") })
}

/// A value that stands elsewhere: `{ secret = "shop.api_token" }`.
pub(crate) fn reference() -> Value {
    let table = |key: &str, description: &str| {
        json!({
            "type": "object",
            "required": [key],
            "properties": { key: { "description": description, "type": "string" } },
            "additionalProperties": false,
        })
    };
    json!({
        "description": "A value that stands elsewhere.",
        "oneOf": [table("secret", "The secret's name: shop.api_token."), table("env", "The variable's name.")],
    })
}

/// Definitions have the kind in front, so that two kinds may use one name.
fn move_references(schema: &mut Value, kind: &str) {
    match schema {
        Value::Array(list) => list.iter_mut().for_each(|part| move_references(part, kind)),
        Value::Object(table) => {
            for (key, value) in table {
                match (key.as_str(), value.as_str().and_then(|text| text.strip_prefix("#/$defs/"))) {
                    ("$ref", Some(name)) => *value = format!("#/$defs/{kind}.{name}").into(),
                    _ => move_references(value, kind),
                }
            }
        }
        _ => {}
    }
}

/// The schema, with a reference allowed wherever a plain value stands.
pub(crate) fn with_references(mut schema: Value) -> Value {
    let Some(table) = schema.as_object_mut() else { return schema };
    // The mark of a secret is no value to suggest.
    if table.get("default").is_some_and(|value| value == "***") {
        table.remove("default");
    }
    if is_plain(table) {
        let description = table.remove("description");
        let mut either = json!({ "anyOf": [schema, { "$ref": "#/$defs/reference" }] });
        if let Some(description) = description {
            either["description"] = description;
        }
        return either;
    }
    if let Some(Value::Object(properties)) = table.get_mut("properties") {
        // A type tells which of several forms is meant.
        let is_tag = |key: &str, value: &Value| key == "type" && value.get("const").is_some();
        for (_, value) in properties.iter_mut().filter(|(key, value)| !is_tag(key, value)) {
            *value = with_references(value.take());
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(value) = table.get_mut(key).filter(|value| value.is_object()) {
            *value = with_references(value.take());
        }
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        for part in table.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
            // A form that is a plain value becomes a choice of its own, which is right within anyOf only; words that
            // exclude one another are a plain value as a whole.
            *part = with_references(part.take());
        }
    }
    schema
}

/// True for texts, numbers, truth values and words of a list.
fn is_plain(schema: &Map<String, Value>) -> bool {
    if let Some(Value::Array(words)) = schema.get("oneOf") {
        return words.iter().all(|word| word.as_object().is_some_and(is_plain));
    }
    if schema.contains_key("const") || schema.contains_key("enum") {
        return true;
    }
    let is_plain = |name: &Value| matches!(name.as_str(), Some("string" | "integer" | "number" | "boolean"));
    match schema.get("type") {
        Some(Value::Array(types)) => types.iter().any(is_plain) && types.iter().all(|t| is_plain(t) || t == "null"),
        Some(one) => is_plain(one),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_values_may_be_references_and_tags_may_not() {
        let text = json!({ "anyOf": [{ "type": "string" }, { "$ref": "#/$defs/reference" }], "description": "A key." });
        let schema = json!({
            "properties": {
                "type": { "const": "api_key" },
                "key": { "type": "string", "description": "A key.", "default": "***" },
                "keys": { "type": "array", "items": { "type": "string", "description": "A key." } },
                "any": true,
            },
        });
        let expected = json!({
            "properties": {
                "type": { "const": "api_key" },
                "key": text,
                "keys": { "type": "array", "items": text },
                "any": true,
            },
        });
        assert_eq!(with_references(schema), expected);
        let words = json!({ "oneOf": [{ "const": "a" }, { "const": "b" }] });
        let either = json!({ "anyOf": [words, { "$ref": "#/$defs/reference" }] });
        assert_eq!(with_references(words), either);
    }

    #[test]
    fn definitions_of_two_kinds_do_not_meet() {
        let schema = json!({ "properties": { "a": { "$ref": "#/$defs/A" } }, "$defs": { "A": { "type": "object" } } });
        let mut all = Map::new();
        for kind in ["one", "two"] {
            assert_eq!(definition(kind, schema.clone(), &mut all), json!({ "$ref": format!("#/$defs/{kind}") }));
        }
        assert_eq!(all["two"]["properties"], json!({ "a": { "$ref": "#/$defs/two.A" }, "type": { "const": "two" } }));
        assert!(all.contains_key("one.A") && all.contains_key("two.A"));
    }
}
