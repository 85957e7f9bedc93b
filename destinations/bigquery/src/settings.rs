//! The keys of a section `[destinations.NAME]`, as a JSON Schema: what `check` and editors know of them.

use serde_json::{Value, json};

/// Returns the schema of the keys beside `type` and `url`.
pub fn settings_schema() -> Value {
    let text = |description: &str| json!({ "description": description, "type": ["string", "null"] });
    let whole = |description: &str| json!({ "description": description, "type": ["integer", "null"], "minimum": 0 });
    let labels = json!({
        "description": "Labels of the jobs, and of datasets that are made.",
        "type": "object",
        "additionalProperties": { "type": "string" },
    });
    let project = text("The project that holds the datasets and pays for the jobs.");
    json!({
        "description": "A project of BigQuery.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "project_id": project,
            "project": project,
            "location": text("Where new datasets are made, such as EU or europe-west3."),
            "endpoint": text("Server of the API, for emulators."),
            "credentials": {
                "description": "A key's file, its content, or `default`: { secret = \"NAME\" }.",
                "type": ["string", "object", "null"],
            },
            "private_key": text("dlt's word: the key of a service account."),
            "private_key_id": text("Which of its keys that is."),
            "client_email": text("The service account."),
            "token_uri": text("Where its tokens are fetched."),
            "access_token": text("A token that somebody else got."),
            "impersonate_service_account": text("A service account that the credentials are exchanged for."),
            "staging_dataset": text("Dataset of the staging tables."),
            "staging_hours": whole("How many hours staging tables that were left behind live."),
            "max_bytes_billed": whole("Bytes that a query of yours may be billed for."),
            "retry_deadline": {
                "description": "Seconds that a request which fails for a passing reason is repeated.",
                "type": ["number", "null"],
            },
            "max_identifier_length": whole("Longest name of a table or column, for servers that hold less than BigQuery."),
            "staging_bucket": text("Where files are put before they are loaded: gs://bucket/prefix."),
            "storage_endpoint": text("Server of Cloud Storage, for emulators."),
            "iam_endpoint": text("Server of the tokens of service accounts that others act for."),
            "labels": labels,
            "tables": {
                "description": "Partitions, clusters, descriptions, labels and tags, by table.",
                "type": "object",
                "additionalProperties": { "type": "object", "properties": table() },
            },
            "nested": { "description": "Lists that become columns.", "type": "array", "items": { "type": "string" } },
        },
    })
}

/// Keys of a table, which are checked where the tables are known.
fn table() -> Value {
    let days = |description: &str| json!({ "description": description, "type": "integer", "minimum": 0 });
    let yes = |description: &str| json!({ "description": description, "type": "boolean" });
    json!({
        "partition_by": {
            "description": "A column, { column, every }, { column, start, end, step } or { ingestion }.",
            "type": ["string", "object"],
        },
        "partition_expiration_days": days("How many days a partition lives."),
        "require_partition_filter": yes("Queries without a filter on the partition's column are refused."),
        "stays_in_partition": yes("A record that is merged again is in the partition it was in before."),
        "cluster_by": { "description": "Columns, four at most.", "type": "array", "items": { "type": "string" } },
        "description": { "description": "What the table is.", "type": "string" },
        "labels": { "description": "Labels of the table.", "type": "object" },
        "expiration_days": days("How many days the table lives."),
        "columns": { "description": "Options of its columns, by name: description, policy_tags, type.", "type": "object" },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::options::TableOptions;
    use longshore_core::connect::Connection;

    /// What the schema knows is read.
    #[test]
    fn the_schema_is_that_of_the_settings() {
        for (key, rules) in settings_schema()["properties"].as_object().unwrap() {
            let value = match rules["type"].as_str() {
                Some("object") => json!({}),
                Some("array") => json!([]),
                _ => Value::Null,
            };
            let settings = serde_json::Map::from_iter([(key.clone(), value)]);
            let connection = Connection { settings, ..Connection::new("bigquery") };
            if let Err(e) = connection.settings::<Settings>() {
                panic!("{key}: {e}");
            }
        }
        for key in table().as_object().unwrap().keys() {
            let alone = Value::Object(serde_json::Map::from_iter([(key.clone(), Value::Null)]));
            let said = serde_json::from_value::<TableOptions>(alone).err().map(|e| e.to_string());
            assert!(!said.unwrap_or_default().contains("unknown field"), "{key}");
        }
    }
}
