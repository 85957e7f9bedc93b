//! dlt's own documents: the schema in `_dlt_version` and the state in `_dlt_pipeline_state`, read and written, so that
//! dlt can go on with a dataset of ours and we with one of dlt's.
//!
//! Checked against dlt 1.31 (`dlt/common/schema/utils.py`, `dlt/common/versioned_state.py`); `tests/tests/interop.rs` runs both.

mod hints;
mod schema;
mod state;

pub use schema::{SchemaDocument, from_document};
pub use state::{StateDocument, decode_state, schema_names, state_of};

use crate::destination::Committed;
use crate::error::Result;
use crate::package::{LoadId, Manifest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha3::{Digest, Sha3_256};

/// Version of schema documents (`SCHEMA_ENGINE_VERSION`).
pub const SCHEMA_ENGINE: u64 = 11;
/// Version of state documents (`PIPELINE_STATE_ENGINE_VERSION`).
pub const STATE_ENGINE: u64 = 4;

/// What a load stores beside its rows in dlt's mode.
#[derive(Debug, Clone)]
pub struct Documents {
    /// The schema after the load.
    pub schema: SchemaDocument,
    /// The state after the load; `None` when it is the one that stands there.
    pub state: Option<StateDocument>,
}

/// What a dataset has of these documents already, as stored: the newest of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// `schema` of `_dlt_version`.
    pub schema: Option<String>,
    /// `state` of `_dlt_pipeline_state`.
    pub state: Option<String>,
}

impl Documents {
    /// Makes the documents of a load. `destination_type` is dlt's name of the destination, such as
    /// `dlt.destinations.duckdb`.
    ///
    /// # Errors
    /// When what is stored cannot be read.
    pub fn of(manifest: &Manifest, stored: &Stored, destination_type: &str) -> Result<Self> {
        let mut before = stored.schema.as_deref().map(parse).transpose()?;
        // A table that is made anew has nothing of the one before.
        if let Some(tables) = before.as_mut().and_then(|d| d["tables"].as_object_mut()) {
            tables.retain(|name, _| !manifest.drops.contains(name));
        }
        let schema = SchemaDocument::new(&manifest.schema, before.as_ref());
        let before = stored.state.as_deref().map(decode_state).transpose()?;
        let state = StateDocument::new(manifest, before, destination_type)?;
        Ok(Documents { schema, state })
    }
}

/// Returns what a dataset remembers of a pipeline, from a load's id and the documents as stored.
///
/// # Errors
/// When they cannot be read.
pub fn committed(load_id: &str, stored: &Stored) -> Result<Committed> {
    let unreadable = |what| crate::Error::destination(format!("the {what} stored in the dataset cannot be read"));
    let schema = stored.schema.as_deref().ok_or_else(|| unreadable("schema"))?;
    Ok(Committed {
        load_id: LoadId::parse(load_id).ok_or_else(|| unreadable("load id"))?,
        schema: from_document(&parse(schema)?)?,
        state: stored.state.as_deref().map(decode_state).transpose()?.as_ref().and_then(state_of),
    })
}

/// Returns the names of a pipeline's schemas by its state as stored.
///
/// # Errors
/// When that cannot be read.
pub fn stored_schema_names(state: Option<&str>, pipeline: &str) -> Result<Vec<String>> {
    Ok(schema_names(state.map(decode_state).transpose()?.as_ref(), pipeline))
}

/// Reads a schema document's text.
///
/// # Errors
/// When it is no JSON.
pub fn parse(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|e| crate::Error::destination("the stored schema is no JSON").source(e))
}

/// Returns the name dlt gives the schema of a pipeline: its own without `_pipeline` at the end.
pub fn schema_name(pipeline: &str) -> String {
    let name = crate::naming::normalize_identifier(pipeline).unwrap_or_else(|| pipeline.to_owned());
    match name.strip_suffix("_pipeline") {
        Some(short) if !short.is_empty() => short.to_owned(),
        _ => name,
    }
}

/// Base64 of SHA3-256 over JSON with sorted keys, and whatever `more` adds: dlt's version hashes.
fn version_hash(mut content: Value, more: impl FnOnce(&mut Sha3_256)) -> String {
    content.sort_all_objects();
    let mut hasher = Sha3_256::new();
    hasher.update(content.to_string());
    more(&mut hasher);
    STANDARD.encode(hasher.finalize())
}

#[cfg(test)]
mod tests;
