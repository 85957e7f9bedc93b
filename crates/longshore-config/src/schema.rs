//! The form of `longshore.toml` as a JSON Schema, which editors complete from.

use crate::definitions::{definition, reference, with_references};
use crate::memory::LEAST_MEMORY;
use crate::pipeline::{KEYS, bounds, words};
use serde_json::{Map, Value, json};

/// An amount that is read, and not much less than a load needs: a pattern cannot compare numbers.
const ENOUGH_MEMORY: &str = concat!(
    r"^(0*[1-9][0-9]{7,}(\.[0-9]+)?\s*[Bb]?",
    r"|0*[1-9][0-9]{4,}(\.[0-9]+)?\s*[Kk]([Ii]?[Bb])?",
    r"|0*(3[2-9]|[4-9][0-9]|[1-9][0-9]{2,})(\.[0-9]+)?\s*[Mm]([Ii]?[Bb])?",
    r"|[0-9]+(\.[0-9]+)?\s*[GTgt]([Ii]?[Bb])?)$",
);

/// What can name a pipeline, nearly: letters of all languages can, and patterns of not all editors know them.
const NAME: &str = r"^[^\s./][^\s/]*$";

/// Returns the schema. `sources` and `destinations` are the kinds there are, with a schema each.
pub fn json_schema(sources: &[(&str, Value)], destinations: &[(&str, Value)]) -> Value {
    let kinds: Vec<&str> = sources.iter().map(|(kind, _)| *kind).collect();
    let mut definitions = Map::from_iter([("reference".to_owned(), reference())]);
    let mut rule = |(kind, schema): &(&str, Value)| {
        let then = definition(kind, schema.clone(), &mut definitions);
        json!({ "if": { "properties": { "type": { "const": kind } } }, "then": then })
    };
    let rules: Vec<Value> = sources.iter().map(&mut rule).collect();
    let mut source = json!({
        "type": "object",
        "required": ["type"],
        "properties": { "type": { "description": "The kind of source.", "type": "string", "enum": kinds } },
    });
    if !rules.is_empty() {
        source["allOf"] = rules.into();
    }
    let destinations = self::destinations(destinations, &mut definitions);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "longshore.toml",
        "description": "A declared pipeline of Longshore.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "$schema": { "description": "Where this schema is, for editors.", "type": "string" },
            "pipeline": pipeline(),
            "sources": { "description": "Named sources.", "type": "object", "additionalProperties": source },
            "destinations": destinations,
            "vaults": vaults(),
        },
        "$defs": definitions,
    })
}

/// Sections of destinations. A section is of the kind that its `type` names, or its own name where it has none.
fn destinations(kinds: &[(&str, Value)], definitions: &mut Map<String, Value>) -> Value {
    let words: Vec<&str> = kinds.iter().map(|(kind, _)| *kind).collect();
    let url = with_references(json!({ "description": "Where it is.", "type": "string" }));
    let (mut rules, mut named) = (Vec::new(), Map::new());
    for (kind, settings) in kinds {
        let name = format!("destination.{kind}");
        let mut settings = with_references(settings.clone());
        if let Some(Value::Object(properties)) = settings.get_mut("properties") {
            properties.insert("url".into(), url.clone());
            for key in ["type", "destination_type"] {
                properties.insert(key.into(), json!({ "enum": words }));
            }
        }
        definitions.insert(name.clone(), settings);
        let of_kind = json!({ "$ref": format!("#/$defs/{name}") });
        for key in ["type", "destination_type"] {
            rules.push(json!({
                "if": { "required": [key], "properties": { key: { "const": kind } } },
                "then": of_kind,
            }));
        }
        let section = json!({ "$ref": "#/$defs/destination" });
        named.insert((*kind).to_owned(), json!({ "anyOf": [section, of_kind] }));
    }
    let section = json!({
        "type": "object",
        "anyOf": [{ "required": ["type"] }, { "required": ["url"] }, { "required": ["destination_type"] }],
        "properties": {
            "type": { "description": "The kind of destination.", "enum": words },
            "destination_type": { "description": "dlt's word for type.", "type": "string" },
            "url": url,
        },
        "allOf": rules,
    });
    definitions.insert("destination".into(), section);
    json!({
        "description": "Named destinations.",
        "type": "object",
        "properties": named,
        "additionalProperties": { "$ref": "#/$defs/destination" },
    })
}

fn pipeline() -> Value {
    let property = |(key, description): (&str, &str)| {
        let mut schema = match key {
            "threads" | "max_tables" | "max_columns" | "max_nesting" | "keep_packages" => whole(key),
            "schema_contract" => contract(),
            "memory" => json!({ "anyOf": [
                { "type": "string", "pattern": ENOUGH_MEMORY },
                { "type": "integer", "minimum": LEAST_MEMORY },
            ] }),
            "destination" => json!({ "anyOf": [
                { "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 },
            ] }),
            "name" => json!({ "type": "string", "pattern": NAME, "maxLength": 100 }),
            _ if words(key).is_empty() => json!({ "type": "string", "minLength": 1 }),
            _ => json!({ "enum": words(key) }),
        };
        schema["description"] = description.into();
        (key.to_owned(), with_references(schema))
    };
    let properties: Map<String, Value> = KEYS.into_iter().map(property).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

fn whole(key: &str) -> Value {
    match bounds(key) {
        (least, u64::MAX) => json!({ "type": "integer", "minimum": least }),
        (least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
    }
}

/// A schema contract: one mode, or one for each of its entities.
pub fn contract() -> Value {
    let modes = json!({ "enum": ["evolve", "freeze", "discard_row", "discard_value", "reject"] });
    json!({ "anyOf": [
        modes,
        { "type": "object", "additionalProperties": false, "properties": { "tables": modes, "columns": modes, "data_type": modes } },
    ] })
}

fn vaults() -> Value {
    let kind = |(kind, keys): (&str, &[&str])| {
        let mut properties: Map<String, Value> =
            keys.iter().map(|key| ((*key).to_owned(), with_references(json!({ "type": "string" })))).collect();
        properties.insert("type".into(), json!({ "const": kind }));
        json!({ "additionalProperties": false, "required": ["type"], "properties": properties })
    };
    let kinds: Vec<Value> = crate::vault::KINDS.into_iter().map(kind).collect();
    json!({
        "description": "Where secrets are looked for that stand in no file and no variable.",
        "type": "object",
        "additionalProperties": { "type": "object", "oneOf": kinds },
    })
}
