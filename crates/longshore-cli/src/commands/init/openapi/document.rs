//! The document: references followed, schemas flattened, the server's address.

use longshore_core::naming;
use serde_json::Value;

/// How far references and combined schemas are followed: they may lead in a circle.
const DEEP: usize = 12;

pub(super) struct Document {
    pub(super) root: Value,
    /// The source's name.
    pub(super) name: String,
}

impl Document {
    pub(super) fn new(root: Value) -> Document {
        let name = root["info"]["title"].as_str().and_then(naming::normalize_identifier);
        let name = name.map_or_else(|| "api".to_owned(), |n| n.chars().take(40).collect::<String>());
        let name = name.trim_matches('_');
        let name = if name.is_empty() { "api" } else { name }.to_owned();
        Document { root, name }
    }

    /// Follows references inside the document.
    pub(super) fn follow<'a>(&'a self, value: &'a Value) -> &'a Value {
        let mut at = value;
        for _ in 0..DEEP {
            let Some(pointer) = at["$ref"].as_str().and_then(|r| r.strip_prefix('#')) else { break };
            // Names may be percent-encoded in a URL's fragment.
            let pointer = pointer.replace("%7B", "{").replace("%7D", "}").replace("%20", " ");
            match self.root.pointer(&pointer) {
                Some(target) => at = target,
                None => break,
            }
        }
        at
    }

    /// A schema's properties, those of its parts included.
    pub(super) fn properties<'a>(&'a self, schema: &'a Value) -> Vec<(&'a str, &'a Value)> {
        let mut found = Vec::new();
        self.collect(schema, &mut found, DEEP);
        found
    }

    fn collect<'a>(&'a self, schema: &'a Value, into: &mut Vec<(&'a str, &'a Value)>, deep: usize) {
        let schema = self.follow(schema);
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            if !into.iter().any(|(known, _)| known == key) {
                into.push((key, self.follow(value)));
            }
        }
        if deep == 0 {
            return;
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.collect(part, into, deep - 1);
        }
        // Of alternatives the first that has any.
        for part in ["oneOf", "anyOf"].iter().filter_map(|k| schema[*k].as_array()).flatten() {
            if into.is_empty() {
                self.collect(part, into, deep - 1);
            }
        }
    }

    /// The schema's type; of several the first that is not null.
    pub(super) fn kind<'a>(&'a self, schema: &'a Value) -> &'a str {
        let schema = self.follow(schema);
        let named = match &schema["type"] {
            Value::String(kind) => Some(kind.as_str()),
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|k| *k != "null"),
            _ => None,
        };
        let parts = || ["allOf", "oneOf", "anyOf"].iter().filter_map(|k| schema[*k].as_array()).flatten();
        match named {
            Some(kind) => kind,
            None if schema.get("items").is_some() => "array",
            None if schema.get("properties").is_some() => "object",
            None => parts().map(|p| self.shallow_kind(p)).find(|k| !matches!(*k, "" | "null")).unwrap_or_default(),
        }
    }

    fn shallow_kind<'a>(&'a self, schema: &'a Value) -> &'a str {
        let schema = self.follow(schema);
        match schema["type"].as_str() {
            Some(kind) => kind,
            None if schema.get("items").is_some() => "array",
            None if schema.get("properties").is_some() || schema.get("allOf").is_some() => "object",
            None => "",
        }
    }

    /// The address, and a remark behind it.
    pub(super) fn base_url(&self) -> (String, &'static str) {
        let doc = &self.root;
        if let Some(url) = doc["servers"][0]["url"].as_str() {
            let mut url = url.to_owned();
            for (key, variable) in doc["servers"][0]["variables"].as_object().into_iter().flatten() {
                url = url.replace(&format!("{{{key}}}"), variable["default"].as_str().unwrap_or_default());
            }
            if let Some(rest) = url.strip_prefix("//") {
                return (format!("https://{rest}"), "");
            }
            let is_whole = url.starts_with("http://") || url.starts_with("https://");
            let note = if url.contains('{') { "    # ? put in what stands in braces" } else { "" };
            return match is_whole {
                true => (url.replace(['{', '}'], ""), note),
                false => (
                    format!("https://example.com/{}", url.trim_start_matches('/')),
                    "    # ? the document names no host",
                ),
            };
        }
        // Swagger 2
        let schemes: Vec<&str> = doc["schemes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let scheme = if schemes.contains(&"http") && !schemes.contains(&"https") { "http" } else { "https" };
        let path = doc["basePath"].as_str().unwrap_or_default();
        match doc["host"].as_str() {
            Some(host) => (format!("{scheme}://{host}{path}"), ""),
            None => (format!("https://example.com{path}"), "    # ? the document names no server"),
        }
    }
}

/// `Total_Pages`, `totalPages` and `total-pages` are the same.
pub(super) fn fold(key: &str) -> String {
    key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
