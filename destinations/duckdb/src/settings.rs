//! The keys of a section `[destinations.NAME]`, as a JSON Schema: what `check` and editors know of them.

use serde_json::{Value, json};

/// Returns the schema of the keys beside `type` and `url`.
pub fn settings_schema() -> Value {
    let file = |description: &str| json!({ "description": description, "type": "string" });
    json!({
        "description": "A DuckDB file.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "path": file("The file; made if it is missing. Default: named after the pipeline."),
            "database": file("The same as path."),
            "credentials": file("dlt's word: the file, or a URL of it."),
            "threads": { "description": "Threads DuckDB may use.", "type": "integer", "minimum": 1 },
            "memory": { "description": "Bytes DuckDB may use for its buffers.", "type": "integer", "minimum": 1 },
        },
    })
}
