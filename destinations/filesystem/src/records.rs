//! The small files beside a manifest, with dlt's places, names and contents: a load's record, the schema, the
//! state, and in dlt mode the file `init`. In native mode they have the columns of the same tables elsewhere.

use crate::layout::path_safe;
use crate::manifest::in_dataset;
use crate::of_dlt;
use crate::store::Store;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use longshore_core::dlt::{Documents, SCHEMA_ENGINE, STATE_ENGINE};
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
    match manifest.schema.system_columns {
        SystemColumns::Native => native(store, target, manifest, now).await,
        SystemColumns::Dlt => of_dlt(store, target, manifest, now).await,
    }
}

async fn native(store: &Store, target: &Target, manifest: &Manifest, now: DateTime<Utc>) -> Result<Records> {
    let hash = manifest.schema.hash();
    let place = |table| SystemColumns::Native.table_name(table);
    let pipeline = path_safe(&target.pipeline);
    let load_id = manifest.load_id.as_str();
    let folder = in_dataset(&target.dataset, place(SystemTable::Schemas));
    let hex = hex_of(&hash);
    let existing = store.list(&folder).await?.into_iter().find(|e| {
        let name = e.path.rsplit('/').next().unwrap_or_default();
        name.starts_with(&format!("{pipeline}__")) && name.ends_with(&format!("__{hex}.jsonl"))
    });
    let schema = match existing {
        Some(entry) => Err(below(&target.dataset, &entry.path)),
        None => Ok(Record {
            path: format!("{}/{pipeline}__{load_id}__{hex}.jsonl", place(SystemTable::Schemas)),
            content: json!({
                "schema_hash": hash,
                "pipeline": target.pipeline,
                "load_id": manifest.load_id.micros(),
                "inserted_at": iso(now),
                "schema": manifest.schema.to_json(),
            }),
        }),
    };
    let state = manifest.state.as_ref().map(|value| {
        let text = value.to_string();
        let hex = hex_of(&longshore_core::hash::content_hash(text.as_bytes()));
        Record {
            path: format!("{}/{pipeline}__{load_id}__{hex}.jsonl", place(SystemTable::State)),
            content: json!({
                "pipeline": target.pipeline,
                "load_id": manifest.load_id.micros(),
                "inserted_at": iso(now),
                "state": text,
            }),
        }
    });
    let load = Record {
        path: format!("{}/{pipeline}__{load_id}.jsonl", place(SystemTable::Loads)),
        content: json!({
            "load_id": manifest.load_id.micros(),
            "pipeline": target.pipeline,
            "schema_hash": hash,
            "records": manifest.counts.read,
            "rejected": manifest.counts.rejected,
            "rows": manifest.tables.iter().map(|t| t.rows).sum::<u64>(),
            "status": 0,
            "inserted_at": iso(now),
        }),
    };
    Ok(Records { load, schema, state })
}

async fn of_dlt(store: &Store, target: &Target, manifest: &Manifest, now: DateTime<Utc>) -> Result<Records> {
    let place = |table| SystemColumns::Dlt.table_name(table);
    let load_id = manifest.load_id.as_str();
    let found = of_dlt::find(store, target, &manifest.schema.name, Some(&manifest.load_id)).await?;
    let documents = Documents::of(manifest, &found.stored, "dlt.destinations.filesystem")?;
    let (name, hash) = (path_safe(&documents.schema.name), &documents.schema.hash);
    let schema = match found.schema_file.filter(|_| !documents.schema.is_new) {
        Some(path) => Err(path),
        None => Ok(Record {
            path: format!("{}/{name}__{load_id}__{}.jsonl", place(SystemTable::Schemas), hex_of(hash)),
            content: json!({
                "version_hash": hash,
                "schema_name": documents.schema.name,
                "version": documents.schema.version,
                "engine_version": SCHEMA_ENGINE,
                "inserted_at": iso(now),
                "schema": documents.schema.text,
            }),
        }),
    };
    let pipeline = path_safe(&target.pipeline);
    let state = documents.state.as_ref().map(|state| Record {
        path: format!("{}/{pipeline}__{load_id}__{}.jsonl", place(SystemTable::State), hex_of(&state.hash)),
        content: json!({
            "version": state.version,
            "engine_version": STATE_ENGINE,
            "pipeline_name": target.pipeline,
            "state": state.text,
            "created_at": iso(now),
            "version_hash": state.hash,
            "_dlt_load_id": manifest.load_id,
        }),
    });
    let load = Record {
        path: format!("{}/{name}__{load_id}.jsonl", place(SystemTable::Loads)),
        content: json!({
            "load_id": manifest.load_id,
            "schema_name": documents.schema.name,
            "status": 0,
            "inserted_at": iso(now),
            "schema_version_hash": hash,
        }),
    };
    Ok(Records { load, schema, state })
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

pub(crate) async fn field(store: &Store, dataset: &str, path: &str, name: &str) -> Result<String> {
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
    let bytes =
        URL_SAFE_NO_PAD.decode(hash).or_else(|_| STANDARD.decode(hash)).unwrap_or_else(|_| hash.as_bytes().to_vec());
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A path below the dataset's folder.
pub(crate) fn below(dataset: &str, path: &str) -> String {
    path.strip_prefix(&in_dataset(dataset, "")).unwrap_or(path).to_owned()
}

fn iso(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}
