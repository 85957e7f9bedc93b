//! The files of dlt's mode, whoever wrote them: dlt has no manifests, so what it loaded is found by its names,
//! `<schema>__<load id>.jsonl` of loads, `<name>__<load id>__<hash>.jsonl` of schemas and states.

use crate::layout::path_safe;
use crate::manifest::{in_dataset, pending_path};
use crate::records::{below, field};
use crate::store::Store;
use longshore_core::dlt::{self, Stored};
use longshore_core::error::Result;
use longshore_core::package::{LoadId, Target};
use longshore_core::schema::{SystemColumns, SystemTable};

/// What stands there of a pipeline.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    pub(crate) stored: Stored,
    /// The file of the newest schema.
    pub(crate) schema_file: Option<String>,
    /// The newest load.
    pub(crate) load_id: Option<LoadId>,
}

/// A file by its name: `(name, load id, path below the dataset)`.
type Named = (String, LoadId, String);

/// Finds the newest load, state and schema of a pipeline. `schema` is the schema's name where the pipeline has no
/// state; `but` is a load that does not count yet.
pub(crate) async fn find(store: &Store, target: &Target, schema: &str, but: Option<&LoadId>) -> Result<Found> {
    let counts = |load_id: &LoadId| but != Some(load_id);
    let mut states = list(store, target, SystemTable::State).await?;
    states.retain(|(name, id, _)| *name == path_safe(&target.pipeline) && counts(id));
    let mut found = Found::default();
    while let Some((_, load_id, path)) = states.pop() {
        if is_complete(store, target, &load_id).await? {
            found.stored.state = Some(field(store, &target.dataset, &path, "state").await?);
            break;
        }
    }
    let mut names = match &found.stored.state {
        Some(state) => dlt::stored_schema_names(Some(state), &target.pipeline)?,
        None => vec![schema.to_owned()],
    };
    let mut loads = list(store, target, SystemTable::Loads).await?;
    loads.retain(|(name, id, _)| names.iter().any(|n| path_safe(n) == *name) && counts(id));
    while let Some((_, load_id, _)) = loads.pop() {
        if is_complete(store, target, &load_id).await? {
            found.load_id = Some(load_id);
            break;
        }
    }
    // The schema asked for comes first.
    names.sort_by_key(|n| n != schema);
    let mut schemas = list(store, target, SystemTable::Schemas).await?;
    schemas.retain(|(_, id, _)| counts(id));
    for name in names {
        let newest = schemas.iter().rfind(|(n, ..)| *n == path_safe(&name));
        if let Some((.., path)) = newest {
            found.stored.schema = Some(field(store, &target.dataset, path, "schema").await?);
            found.schema_file = Some(path.clone());
            break;
        }
    }
    Ok(found)
}

/// Loads of ours that were announced, and broke off, have files too, but a note beside the manifests says so.
async fn is_complete(store: &Store, target: &Target, load_id: &LoadId) -> Result<bool> {
    Ok(store.read(&pending_path(&target.dataset, &target.pipeline, load_id)).await?.is_none())
}

async fn list(store: &Store, target: &Target, table: SystemTable) -> Result<Vec<Named>> {
    let folder = in_dataset(&target.dataset, SystemColumns::Dlt.table_name(table));
    let parts = if table == SystemTable::Loads { 2 } else { 3 };
    let mut named: Vec<Named> = Vec::new();
    for entry in store.list(&folder).await? {
        let Some(stem) = entry.path.rsplit('/').next().and_then(|name| name.strip_suffix(".jsonl")) else { continue };
        let mut pieces: Vec<&str> = stem.rsplitn(parts, "__").collect();
        pieces.reverse();
        if let (true, Some(load_id)) = (pieces.len() == parts, pieces.get(1).and_then(|id| LoadId::parse(id))) {
            named.push((pieces[0].to_owned(), load_id, below(&target.dataset, &entry.path)));
        }
    }
    named.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(named)
}
