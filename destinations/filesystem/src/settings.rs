//! The keys of a section `[destinations.NAME]`, as a JSON Schema: what `check` and editors know of them.

use serde_json::{Value, json};

/// Returns the schema of the keys beside `type` and `url`.
pub fn settings_schema() -> Value {
    let text = |description: &str| json!({ "description": description, "type": ["string", "null"] });
    let size = |description: &str| json!({ "description": description, "type": ["integer", "string", "null"] });
    let words = |description: &str, words: &[&str]| {
        let any_case = |word: &&str| -> String {
            word.chars().map(|c| format!("[{}{}]", c.to_ascii_uppercase(), c.to_ascii_lowercase())).collect()
        };
        let pattern = words.iter().map(any_case).collect::<Vec<_>>().join("|");
        json!({ "description": description, "type": ["string", "null"], "pattern": format!("^({pattern})$"), "examples": words })
    };
    let format = words("The form of data files; by default parquet.", &["parquet", "jsonl", "csv", "ndjson"]);
    let file_size = size("Size at which a data file is ended, such as 128MB.");
    json!({
        "description": "A folder or an object store.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "bucket_url": text("Where: a folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix."),
            "format": format,
            "loader_file_format": format,
            "compression": words(
                "How data files are compressed.",
                &["none", "snappy", "gzip", "zstd", "uncompressed", "plain", "gz", "zst"],
            ),
            "layout": text("Names of data files, such as {table_name}/{load_id}.{file_id}.{ext}."),
            "extra_placeholders": { "description": "Placeholders of your own and their constants.", "type": "object" },
            "current_datetime": text("What the layout's dates speak of, such as 2024-03-07T05:06:09Z."),
            "row_group_rows": size("Rows of a Parquet row group, at most."),
            "target_file_size": file_size,
            "file_max_bytes": file_size,
            "max_state_files": { "description": "State files kept of each pipeline.", "type": ["integer", "null"], "minimum": 0 },
            "threads": { "description": "Threads that encode.", "type": ["integer", "null"], "minimum": 1 },
            "memory": { "description": "Bytes of memory to stay within.", "type": ["integer", "null"], "minimum": 1 },
            "credentials": {
                "description": "Keys of the object store, by the names that dlt and the store's own tools have.",
                "type": "object",
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use longshore_core::connect::Connection;

    /// What the schema knows is read.
    #[test]
    fn the_schema_is_that_of_the_settings() {
        let schema = settings_schema();
        for (key, rules) in schema["properties"].as_object().unwrap() {
            let value = if rules["type"] == "object" { json!({}) } else { Value::Null };
            let settings = serde_json::Map::from_iter([(key.clone(), value)]);
            let error = Config::from_connection(&Connection { settings, ..Connection::new("file:///tmp/x") }).err();
            let said = error.map(|e| e.message().to_owned()).unwrap_or_default();
            assert!(!said.contains("unknown field"), "{key}: {said}");
        }
        for word in schema["properties"]["format"]["examples"].as_array().unwrap() {
            assert!(crate::FileFormat::parse(word.as_str().unwrap(), None).is_ok(), "{word}");
        }
    }
}
