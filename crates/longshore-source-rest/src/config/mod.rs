//! The configuration of a source: read, checked as a whole, defaults put in.

mod check;
mod model;
mod schema;
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
        // What is told already is not told by the schema once more, which knows nothing of these keys.
        let known: Vec<String> = problems.iter().map(|p| p.path.clone()).collect();
        let wrong = check(&schema::of_source(), &tree, "");
        problems.extend(wrong.into_iter().filter(|p| !known.iter().any(|path| p.path.starts_with(path.as_str()))));
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
        schema::for_editors()
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

/// What is a Python object in dlt has another form here; and steps that are several in one.
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
            if let Some(keys) = step.as_object().filter(|step| step.len() > 1) {
                let keys: Vec<&str> = keys.keys().map(String::as_str).collect();
                problems.push(
                    Problem::new(
                        format!("resources[{i}].processing_steps[{j}]"),
                        format!("a step has one key, not {}", keys.join(" and ")),
                    )
                    .suggest("write several steps, one behind the other"),
                );
                continue;
            }
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
    problems.truncate(20);
    problems
}
