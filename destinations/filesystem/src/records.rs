//! The small files beside a manifest, with dlt's places, names and contents: a load's record, the schema, the
//! state, and in dlt mode the file `init`. In native mode they have the columns of the same tables elsewhere.

use crate::layout::path_safe;
use crate::manifest::in_dataset;
use crate::store::Store;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use longshore_core::error::{Error, Result};
use longshore_core::package::{LoadId, Manifest, Target};
use longshore_core::schema::{Schema, SystemColumns, SystemTable};
use serde_json::{Value, json};

/// A file to be written, below the dataset's folder.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) path: String,
    pub(crate) content: Value,
}

/// The files of one load.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    pub(crate) load: Record,
    /// `None` when an earlier load has written the same schema; then its path.
    pub(crate) schema: Result<Record, String>,
    pub(crate) state: Option<Record>,
}

impl Records {
    /// Returns all that have to be written.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Record> {
        self.schema.as_ref().ok().into_iter().chain(&self.state).chain([&self.load])
    }

    pub(crate) fn schema_path(&self) -> &str {
        match &self.schema {
            Ok(record) => &record.path,
            Err(path) => path,
        }
    }
}

/// dlt's marker of a dataset: gzip files have `.gz` behind their names.
pub(crate) const INIT: &str = "init";
pub(crate) const INIT_TEXT: &str = r#"{"initial_version": 2, "current_version": 2}"#;

/// Returns the files of a load. Lists the schemas there are.
pub(crate) async fn of(store: &Store, target: &Target, manifest: &Manifest, now: DateTime<Utc>) -> Result<Records> {
    let system = manifest.schema.system_columns;
    let hash = manifest.schema.hash();
    let place = |table| system.table_name(table);
    let pipeline = path_safe(&target.pipeline);
    let load_id = manifest.load_id.as_str();
    let folder = in_dataset(&target.dataset, place(SystemTable::Schemas));
    let hex = hex_of(&hash);
    let existing = store.list(&folder).await?.into_iter().find(|e| {
        let name = e.path.rsplit('/').next().unwrap_or_default();
        name.starts_with(&format!("{pipeline}__")) && name.ends_with(&format!("__{hex}.jsonl"))
    });
    let below = |path: &str| path.strip_prefix(&in_dataset(&target.dataset, "")).unwrap_or(path).to_owned();
    let schemas = if existing.is_some() { 0 } else { versions(store, &folder, &pipeline).await? };
    let schema = match existing {
        Some(entry) => Err(below(&entry.path)),
        None => Ok(Record {
            path: format!("{}/{pipeline}__{load_id}__{hex}.jsonl", place(SystemTable::Schemas)),
            content: schema_content(target, manifest, &hash, schemas + 1, now),
        }),
    };
    let mut state = None;
    if let Some(value) = &manifest.state {
        let text = value.to_string();
        let of_state = longshore_core::hash::content_hash(text.as_bytes());
        let folder = in_dataset(&target.dataset, place(SystemTable::State));
        let number = versions(store, &folder, &pipeline).await? + 1;
        state = Some(Record {
            path: format!("{}/{pipeline}__{load_id}__{}.jsonl", place(SystemTable::State), hex_of(&of_state)),
            content: state_content(target, manifest, text, &of_state, number, now),
        });
    }
    let load = Record {
        path: format!("{}/{pipeline}__{load_id}.jsonl", place(SystemTable::Loads)),
        content: load_content(target, manifest, &hash, now),
    };
    Ok(Records { load, schema, state })
}

async fn versions(store: &Store, folder: &str, pipeline: &str) -> Result<usize> {
    let begin = format!("{folder}/{pipeline}__");
    Ok(store.list(folder).await?.iter().filter(|e| e.path.starts_with(&begin)).count())
}

fn load_content(target: &Target, manifest: &Manifest, hash: &str, now: DateTime<Utc>) -> Value {
    match manifest.schema.system_columns {
        SystemColumns::Native => json!({
            "load_id": manifest.load_id.micros(),
            "pipeline": target.pipeline,
            "schema_hash": hash,
            "records": manifest.counts.read,
            "rejected": manifest.counts.rejected,
            "rows": manifest.tables.iter().map(|t| t.rows).sum::<u64>(),
            "status": 0,
            "inserted_at": iso(now),
        }),
        SystemColumns::Dlt => json!({
            "load_id": manifest.load_id,
            "schema_name": target.pipeline,
            "status": 0,
            "inserted_at": iso(now),
            "schema_version_hash": dlt_hash(hash),
        }),
    }
}

fn schema_content(target: &Target, manifest: &Manifest, hash: &str, version: usize, now: DateTime<Utc>) -> Value {
    match manifest.schema.system_columns {
        SystemColumns::Native => json!({
            "schema_hash": hash,
            "pipeline": target.pipeline,
            "load_id": manifest.load_id.micros(),
            "inserted_at": iso(now),
            "schema": manifest.schema.to_json(),
        }),
        SystemColumns::Dlt => json!({
            "version_hash": dlt_hash(hash),
            "schema_name": target.pipeline,
            "version": version,
            "engine_version": 11,
            "inserted_at": iso(now),
            "schema": manifest.schema.to_json(),
        }),
    }
}

fn state_content(
    target: &Target,
    manifest: &Manifest,
    state: String,
    hash: &str,
    version: usize,
    now: DateTime<Utc>,
) -> Value {
    match manifest.schema.system_columns {
        SystemColumns::Native => json!({
            "pipeline": target.pipeline,
            "load_id": manifest.load_id.micros(),
            "inserted_at": iso(now),
            "state": state,
        }),
        SystemColumns::Dlt => json!({
            "version": version,
            "engine_version": 4,
            "pipeline_name": target.pipeline,
            "state": state,
            "created_at": iso(now),
            "version_hash": dlt_hash(hash),
            "_dlt_load_id": manifest.load_id,
        }),
    }
}

/// Reads the schema out of its file.
pub(crate) async fn read_schema(store: &Store, dataset: &str, path: &str) -> Result<Schema> {
    let text = field(store, dataset, path, "schema").await?;
    serde_json::from_str(&text).map_err(|e| unreadable("schema", path).source(e))
}

/// Returns the newest state of a pipeline's loads; `loads` are those that were committed.
pub(crate) async fn last_state(
    store: &Store,
    target: &Target,
    system: SystemColumns,
    loads: &[LoadId],
) -> Result<Option<Value>> {
    let folder = in_dataset(&target.dataset, system.table_name(SystemTable::State));
    let begin = format!("{folder}/{}__", path_safe(&target.pipeline));
    let mut states: Vec<(LoadId, String)> = Vec::new();
    for entry in store.list(&folder).await? {
        let load_id = entry.path.strip_prefix(&begin).and_then(load_of_state);
        states.extend(load_id.filter(|id| loads.contains(id)).map(|id| (id, entry.path)));
    }
    states.sort();
    let Some((_, path)) = states.pop() else { return Ok(None) };
    let path = path.strip_prefix(&in_dataset(&target.dataset, "")).unwrap_or(&path).to_owned();
    let text = field(store, &target.dataset, &path, "state").await?;
    serde_json::from_str(&text).map(Some).map_err(|e| unreadable("state", &path).source(e))
}

/// The load of a state file, by what follows the pipeline in its name. Other pipelines' names may begin the same.
fn load_of_state(rest: &str) -> Option<LoadId> {
    let (load_id, hash) = rest.split_once("__")?;
    if hash.contains("__") { None } else { LoadId::parse(load_id) }
}

/// Deletes the oldest state files of a pipeline beyond `keep`, as dlt does.
pub(crate) async fn prune_states(store: &Store, target: &Target, system: SystemColumns, keep: usize) -> Result<()> {
    let folder = in_dataset(&target.dataset, system.table_name(SystemTable::State));
    let begin = format!("{folder}/{}__", path_safe(&target.pipeline));
    let mut states: Vec<(LoadId, String)> = Vec::new();
    for entry in store.list(&folder).await? {
        let load_id = entry.path.strip_prefix(&begin).and_then(load_of_state);
        states.extend(load_id.map(|id| (id, entry.path)));
    }
    states.sort();
    let old = states.len().saturating_sub(keep.max(1));
    for (_, path) in states.drain(..old) {
        store.delete(&path).await?;
    }
    Ok(())
}

async fn field(store: &Store, dataset: &str, path: &str, name: &str) -> Result<String> {
    let bytes = store.read(&in_dataset(dataset, path)).await?.ok_or_else(|| unreadable("file", path))?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|e| unreadable("file", path).source(e))?;
    value[name].as_str().map(str::to_owned).ok_or_else(|| unreadable("file", path))
}

fn unreadable(what: &str, path: &str) -> Error {
    Error::destination(format!("the {what} stored in the dataset cannot be read"))
        .with("file", path)
        .hint("it was written by a newer version, or by something else: load into another dataset")
}

/// dlt's names have hexadecimal digits where its hashes are base64.
fn hex_of(hash: &str) -> String {
    let bytes = URL_SAFE_NO_PAD.decode(hash).unwrap_or_else(|_| hash.as_bytes().to_vec());
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Our hashes in dlt's alphabet of base64.
fn dlt_hash(hash: &str) -> String {
    hash.replace('-', "+").replace('_', "/")
}

fn iso(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}
