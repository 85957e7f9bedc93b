//! The JSON Schema of `type = "files"`.

use serde_json::{Value, json};

/// Returns the schema of a section.
pub fn json_schema() -> Value {
    let texts =
        json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }] });
    let with = |mut schema: Value, description: &str| {
        schema["description"] = description.into();
        schema
    };
    let resource = json!({
        "name": { "description": "Names the resource, and its table.", "type": "string" },
        "files": with(texts.clone(), "Files, folders, patterns and URLs (s3, gs, az, https); paths are relative to the project's folder."),
        "bucket_url": { "description": "dlt's word for the folder.", "type": "string" },
        "file_glob": { "description": "dlt's word for the pattern in the folder.", "type": "string" },
        "format": { "description": "How the files are written; auto goes by the ending.", "enum": ["auto", "json", "jsonl", "ndjson", "csv", "parquet", "arrow"] },
        "select": { "description": "JSONPath to the records inside each value.", "type": "string" },
        "only_new": { "description": "Leave out files that were loaded before and have not changed.", "type": "boolean" },
        "metadata": { "description": "Put _file_name, _file_size and _file_modified into each record.", "type": "boolean" },
        "unnest": { "description": "Lists and structs of Parquet and Arrow files that become tables and columns.", "anyOf": [
            { "type": "boolean" }, { "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 },
        ] },
        "credentials": { "description": "Of the object store: dlt's names, or those of object_store.", "type": "object" },
        "headers": { "description": "Headers of HTTP requests.", "type": "object" },
        "delimiter": { "description": "Separator of CSV.", "type": "string", "minLength": 1, "maxLength": 1 },
        "selected": { "description": "Load it unless others are named.", "type": "boolean" },
        "table_name": { "description": "The root table, when it is not named as the resource.", "type": "string" },
        "write_disposition": { "description": "What happens to the rows that are there.", "anyOf": [
            { "enum": ["append", "replace", "merge"] },
            { "type": "object", "properties": {
                "disposition": { "enum": ["append", "replace", "merge"] },
                "strategy": { "enum": ["delete-insert", "upsert", "insert-only", "scd2", "cdc"] },
            } },
        ] },
        "primary_key": with(texts.clone(), "Columns whose values together are a record's identity."),
        "merge_key": with(texts.clone(), "Columns that name the group of records a load replaces."),
        "columns": { "description": "Types and properties of fields.", "type": "object" },
        "nested_hints": { "description": "Columns and contracts of child tables, by path.", "type": "object" },
        "schema_contract": { "description": "What of the schema may grow.", "type": ["string", "object"] },
        "on_type_conflict": { "description": "What becomes of values that do not fit their column.", "enum": ["variant", "widen", "text", "json", "reject"] },
        "ignore": with(texts.clone(), "Paths that are left out."),
        "flatten": with(texts.clone(), "Lists whose elements become columns by their position."),
        "json_columns": with(texts, "Paths kept as JSON columns."),
        "max_table_nesting": { "description": "Levels of nesting that become columns and tables.", "type": "integer", "minimum": 0 },
    });
    let mut alone = resource.clone();
    alone["type"] = json!({ "const": "files" });
    alone["resources"] = json!({
        "description": "Files of several tables.",
        "type": "array",
        "minItems": 1,
        "items": { "type": "object", "additionalProperties": false, "required": ["name"], "properties": resource,
            "oneOf": [{ "required": ["files"] }, { "required": ["bucket_url"] }] },
    });
    let one_of = ["files", "bucket_url", "resources"].map(|key| json!({ "required": [key] }));
    json!({ "type": "object", "additionalProperties": false, "properties": alone, "oneOf": one_of })
}
