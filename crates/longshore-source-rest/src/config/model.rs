//! The configuration as types: dlt's `RESTAPIConfig`, key by key, and what Longshore adds to it.
//!
//! The types are read after the short forms are written out (`config/shorthand.rs`); the JSON Schema made of them
//! admits the short forms too.

mod client;
mod hints;
mod incremental;
mod paginator;
mod resource;
mod steps;

pub use client::*;
pub use hints::*;
pub use incremental::*;
pub use paginator::*;
pub use resource::*;
pub use steps::*;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A whole source: one API, its resources and what they share.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestSettings {
    /// The API: address, authentication, manners.
    pub client: ClientConfig,
    /// What all resources have unless they say otherwise. Takes the keys of a resource, but for `name`.
    #[serde(default)]
    #[schemars(with = "Option<ResourceDefaults>")]
    pub resource_defaults: Option<Value>,
    /// What is loaded: each resource becomes a table.
    #[schemars(with = "Vec<Short<ResourceConfig>>")]
    pub resources: Vec<Value>,
}

/// A name alone, or the whole table.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code)] // only its schema is used
pub(crate) enum Short<T> {
    Name(String),
    Table(T),
}

/// One value or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// Several.
    Many(Vec<T>),
}

impl<T: Clone> OneOrMany<T> {
    /// Returns all of them.
    pub fn to_vec(&self) -> Vec<T> {
        match self {
            OneOrMany::One(value) => vec![value.clone()],
            OneOrMany::Many(values) => values.clone(),
        }
    }
}

fn yes() -> bool {
    true
}
