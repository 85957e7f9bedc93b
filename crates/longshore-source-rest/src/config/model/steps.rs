//! What is done to each record.

use super::OneOrMany;
use longshore_core::connect::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What is done to each record: one of these.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepConfig {
    /// Only records for which it is true stay: `@.status == 'active'` (JSONPath filter).
    Filter(String),
    /// Fields get other names: old = new.
    Rename(BTreeMap<String, String>),
    /// Fields go (JSONPath).
    Drop(OneOrMany<String>),
    /// Only these fields stay.
    Keep(OneOrMany<String>),
    /// Fields get values. `$.path` copies another field's value.
    Set(Map<String, Value>),
    /// Texts become `***` (JSONPath).
    Mask(OneOrMany<String>),
    /// Values become the SHA-256 of themselves (JSONPath).
    Hash(HashConfig),
    /// Values change their type: path = type.
    Cast(BTreeMap<String, CastType>),
    /// A list field's elements become records of their own, each with the record's other fields.
    Explode(String),
    /// A jq program: each record goes in, what comes out are the records.
    Jq(String),
}

/// Fields to hash.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HashConfig {
    /// The fields (JSONPath).
    pub fields: OneOrMany<String>,
    /// Put before each value.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub salt: Option<Secret>,
}

/// Type of a cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CastType {
    /// A text.
    Text,
    /// A whole number.
    Bigint,
    /// A number.
    Double,
    /// True or false.
    Bool,
}
