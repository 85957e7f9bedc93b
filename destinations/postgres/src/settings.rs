//! The keys of a section `[destinations.NAME]`, as a JSON Schema: what `check` and editors know of them.

use crate::given::{IGNORED, KEYS};
use serde_json::{Map, Value, json};

/// Returns the schema of the keys beside `type` and `url`.
pub fn settings_schema() -> Value {
    let mut properties = Map::new();
    for (key, others, variable) in KEYS {
        let mut rules = rules(key);
        if let Some(variable) = variable {
            let said = rules["description"].as_str().unwrap_or_default();
            rules["description"] = format!("{said} Default: {variable} of the environment.").into();
        }
        for name in others.iter().chain([key]) {
            properties.insert((*name).to_owned(), rules.clone());
        }
    }
    for key in IGNORED {
        properties.insert((*key).to_owned(), json!({ "description": "Means nothing here." }));
    }
    let again = json!({ "description": "dlt's word: a URL, or the same keys again.", "type": ["string", "object"] });
    properties.insert("credentials".into(), again);
    let query = json!({ "description": "Parameters as behind the question mark of a URL.", "type": "object" });
    properties.insert("query".into(), query);
    json!({
        "description": "A PostgreSQL database.",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "patternProperties": { "^keepalives_": true },
    })
}

fn rules(key: &str) -> Value {
    let text = |description: &str| json!({ "description": description, "type": ["string", "null"] });
    let number = |description: &str| json!({ "description": description, "type": ["integer", "string", "null"] });
    let word = |description: &str, words: &[&str]| json!({ "description": description, "enum": words });
    match key {
        "host" => text("The server's name, address, or folder of its socket; several with commas."),
        "hostaddr" => text("Its address, where the name is not to be looked up."),
        "port" => number("Its port, by default 5432; several with commas."),
        "database" => text("The database."),
        "username" => text("The role."),
        "password" => number("Its password: { secret = \"NAME\" }."),
        "sslmode" => word(
            "Whether and how the connection is encrypted.",
            &["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
        ),
        "sslrootcert" => text("File of certificates to trust (PEM), or `system`."),
        "sslcert" => text("File of the own certificate (PEM)."),
        "sslkey" => text("File of its key (PEM)."),
        "connect_timeout" => number("Seconds to wait for a connection."),
        "options" => text("Options for the server's process."),
        "target_session_attrs" => word("Which of several servers.", &["any", "read-write", "primary"]),
        "channel_binding" => {
            word("Whether the password is bound to the encrypted connection.", &["prefer", "disable", "require"])
        }
        "connections" => number("Connections that send rows at once, 1 to 32."),
        "staging_schema" => text("Schema of the staging tables."),
        _ => text("Service of libpq's pg_service.conf."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use longshore_core::connect::Connection;

    /// What the schema knows is read, and what it says of words is so.
    #[test]
    fn the_schema_is_that_of_the_settings() {
        let schema = settings_schema();
        for (key, rules) in schema["properties"].as_object().unwrap() {
            let any = if rules["type"] == "object" { json!({}) } else { "1".into() };
            let words = rules["enum"].as_array().cloned().unwrap_or_else(|| vec![any]);
            for word in words {
                let settings = serde_json::Map::from_iter([(key.clone(), word)]);
                let error = Config::from_connection(&Connection { settings, ..Connection::new("postgres") }).err();
                let said = error.map(|e| e.message().to_owned()).unwrap_or_default();
                let is_unknown = ["no setting", "no sslmode", "is none that"].iter().any(|s| said.contains(s));
                assert!(!is_unknown, "{key}: {said}");
            }
        }
    }
}
