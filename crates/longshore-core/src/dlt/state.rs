//! A pipeline's state as dlt's document (`dlt/common/pipeline.py`, `TPipelineState`): zlib and base64 around JSON, with the
//! sources' own state under `sources`.

use super::{STATE_ENGINE, version_hash};
use crate::error::{Error, Result};
use crate::package::Manifest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::{ZlibDecoder, ZlibEncoder};
use serde_json::{Value, json};
use std::io::Read;

/// A state that dlt has no place for: of a program that gave one of its own shape.
const OURS: &str = "longshore";

/// A state as dlt stores it.
#[derive(Debug, Clone, PartialEq)]
pub struct StateDocument {
    /// Packed.
    pub text: String,
    /// Goes up by one with each change.
    pub version: u64,
    /// dlt's hash of the content.
    pub hash: String,
}

impl StateDocument {
    /// Makes the document after a load; `None` when nothing changed since the one before.
    ///
    /// # Errors
    /// When it cannot be packed.
    pub fn new(manifest: &Manifest, before: Option<Value>, destination_type: &str) -> Result<Option<Self>> {
        let earlier = before.as_ref().and_then(|d| d["_version_hash"].as_str()).map(str::to_owned);
        let name = &manifest.schema.name;
        let mut document = before.unwrap_or_else(|| {
            json!({
                "_state_version": 0,
                "_state_engine_version": STATE_ENGINE,
                "default_schema_name": name,
                "schema_names": [],
                "destination_name": null,
            })
        });
        document["pipeline_name"] = manifest.target.pipeline.as_str().into();
        document["dataset_name"] = manifest.target.dataset.as_str().into();
        document["destination_type"] = destination_type.into();
        if let Some(names) = document["schema_names"].as_array_mut().filter(|names| names.iter().all(|n| n != name)) {
            names.push(name.as_str().into());
        }
        if let Some(state) = &manifest.state {
            put_state(&mut document, state);
        }
        let hash = content_hash(&document);
        if earlier.as_ref() == Some(&hash) {
            return Ok(None);
        }
        let version = document["_state_version"].as_u64().unwrap_or(0) + 1;
        document["_state_version"] = version.into();
        document["_version_hash"] = hash.clone().into();
        Ok(Some(StateDocument { text: encode(&document)?, version, hash }))
    }
}

fn put_state(document: &mut Value, state: &Value) {
    let Some(document) = document.as_object_mut() else { return };
    document.shift_remove("sources");
    document.shift_remove(OURS);
    match state.as_object() {
        Some(object) if object.len() == 1 && object.get("sources").is_some_and(Value::is_object) => {
            document.insert("sources".into(), object["sources"].clone());
        }
        _ => {
            document.insert(OURS.into(), state.clone());
        }
    }
}

/// Returns the sources' state of a document, as it was given to the load that wrote it.
pub fn state_of(document: &Value) -> Option<Value> {
    let sources = || document.get("sources").map(|sources| json!({ "sources": sources }));
    document.get(OURS).cloned().or_else(sources)
}

/// Returns the names of a pipeline's schemas, the default one first. Without a state document: those it may have.
pub fn schema_names(document: Option<&Value>, pipeline: &str) -> Vec<String> {
    let named = document
        .map(|d| [&d["default_schema_name"]].into_iter().chain(d["schema_names"].as_array().into_iter().flatten()));
    let mut names: Vec<String> = named.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    if names.is_empty() {
        names.push(super::schema_name(pipeline));
    }
    let mut seen = Vec::new();
    names.retain(|name| {
        !seen.contains(name) && {
            seen.push(name.clone());
            true
        }
    });
    names
}

/// Unpacks a document; one that was not packed is read as it is, as dlt does.
///
/// # Errors
/// When it is neither.
pub fn decode_state(text: &str) -> Result<Value> {
    let wrong = || Error::destination("the stored state cannot be read");
    let document: Value = match STANDARD.decode(text.trim()) {
        Ok(packed) => {
            let mut bytes = Vec::new();
            ZlibDecoder::new(packed.as_slice()).read_to_end(&mut bytes).map_err(|e| wrong().source(e))?;
            serde_json::from_slice(&bytes).map_err(|e| wrong().source(e))?
        }
        Err(_) => serde_json::from_str(text).map_err(|e| wrong().source(e))?,
    };
    match document["_state_engine_version"].as_u64() {
        Some(version) if version > STATE_ENGINE => Err(wrong().hint("it was written by a newer dlt")),
        _ => Ok(document),
    }
}

fn encode(document: &Value) -> Result<String> {
    let mut packed = Vec::new();
    ZlibEncoder::new(document.to_string().as_bytes(), Compression::default())
        .read_to_end(&mut packed)
        .map_err(|e| Error::internal("the state cannot be packed").source(e))?;
    Ok(STANDARD.encode(packed))
}

fn content_hash(document: &Value) -> String {
    let mut content = document.clone();
    if let Some(content) = content.as_object_mut() {
        for key in ["_local", "_state_version", "_state_engine_version", "_version_hash"] {
            content.shift_remove(key);
        }
    }
    version_hash(content, |_| {})
}
