//! The configuration of a source: read, checked as a whole, defaults put in.

mod check;
mod model;
mod shorthand;

pub use check::{Problem, check};
pub use model::*;

use crate::plan::Plan;
use longshore_core::error::Error;
use serde_json::Value;
use std::sync::Arc;

/// A source's configuration, checked: everything that can be known to be wrong without asking the API is right.
#[derive(Debug, Clone)]
pub struct RestConfig {
    pub(crate) client: Arc<ClientConfig>,
    /// With the defaults put in, in the order of the configuration.
    pub(crate) resources: Vec<ResourceConfig>,
    pub(crate) plan: Arc<Plan>,
}

impl RestConfig {
    /// Reads a configuration: dlt's `RESTAPIConfig` as a tree, secrets put in. A key `type` at the top is passed over.
    ///
    /// # Errors
    /// Everything that is wrong, with its place.
    pub fn from_value(value: &Value) -> Result<RestConfig, Vec<Problem>> {
        let mut tree = value.clone();
        shorthand::write_out(&mut tree);
        let mut problems = python_only(&tree);
        problems.extend(check(&Self::json_schema(), &tree, ""));
        if !problems.is_empty() {
            return Err(problems);
        }
        let settings: RestSettings = parse(tree, "").map_err(|p| vec![p])?;
        let mut resources = Vec::new();
        for (i, resource) in settings.resources.iter().enumerate() {
            let merged = shorthand::merge(settings.resource_defaults.as_ref(), resource);
            match parse::<ResourceConfig>(merged, &format!("resources[{i}]")) {
                Ok(mut resource) => {
                    resource.selected &= !resource.write_disposition.as_ref().is_some_and(WriteDisposition::is_skip);
                    resources.push(resource);
                }
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let plan = Plan::new(&settings.client, &resources)?;
        Ok(RestConfig { client: Arc::new(settings.client), resources, plan: Arc::new(plan) })
    }

    /// Returns the JSON Schema of the configuration, short forms included: what editors complete from.
    pub fn json_schema() -> Value {
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
        schema
    }

    /// Returns the resources with the defaults put in, in their order: the numbers of [`JsonBlock::resource`].
    ///
    /// [`JsonBlock::resource`]: longshore_core::source::JsonBlock::resource
    pub fn resources(&self) -> &[ResourceConfig] {
        &self.resources
    }

    /// Returns what the API as a whole was told.
    pub fn client(&self) -> &ClientConfig {
        &self.client
    }
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

/// Makes one error of all problems.
pub fn to_error(problems: &[Problem]) -> Error {
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Error::config(format!("the configuration of the source is wrong: {}", text.join("; ")))
}

fn parse<T: serde::de::DeserializeOwned>(value: Value, place: &str) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|e| {
        let inner = e.path().to_string();
        let path = match (place.is_empty(), inner.as_str()) {
            (_, ".") => place.to_owned(),
            (true, _) => inner,
            (false, _) => format!("{place}.{inner}"),
        };
        // Serde names values in its messages ("invalid value: string \"…\""), which may be secrets.
        let text = e.inner().to_string();
        let safe =
            text.split("invalid value").next().filter(|t| !t.is_empty()).unwrap_or("the value has the wrong form");
        Problem::new(path, if text.contains("invalid type") { "the value has the wrong type" } else { safe })
    })
}

/// What is a Python object in dlt has another form here.
fn python_only(tree: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    if tree.pointer("/client/session").is_some() {
        problems.push(
            Problem::new("client.session", "a session is a Python object")
                .suggest("timeouts, proxies, retries and certificates are keys of 'client'"),
        );
    }
    for (i, resource) in tree.get("resources").and_then(Value::as_array).into_iter().flatten().enumerate() {
        for (j, step) in resource.get("processing_steps").and_then(Value::as_array).into_iter().flatten().enumerate() {
            for key in ["map", "yield_map"] {
                if step.get(key).is_some() {
                    let path = format!("resources[{i}].processing_steps[{j}].{key}");
                    problems.push(
                        Problem::new(path, "a Python function")
                            .suggest("use rename, drop, keep, set, mask, hash, cast, explode or jq"),
                    );
                }
            }
        }
    }
    if !problems.is_empty() {
        // The schema knows nothing of these keys; they would be named twice.
        problems.truncate(20);
    }
    problems
}
