//! What the dataset remembers: loads, schemas, states; and what tables there are.

use crate::api::Api;
use crate::names::{check_dataset, qualified};
use crate::query::{Query, parameter, rows, texts};
use crate::{staging, tables};
use longshore_core::destination::{Committed, Opening};
use longshore_core::dlt::{self, Documents, Stored};
use longshore_core::error::{Error, Result};
use longshore_core::package::{LoadId, Manifest, TableCount, Target};
use longshore_core::schema::{Schema, SystemColumns, SystemTable};
use serde_json::Value;

/// The modes in which the dataset has been written, judged by its tables of loads.
async fn modes(api: &Api, dataset: &str) -> Result<Vec<SystemColumns>> {
    let mut modes = Vec::new();
    for mode in [SystemColumns::Native, SystemColumns::Dlt] {
        let table = mode.table_name(SystemTable::Loads);
        let found = tables::find(api, dataset, table).await.map_err(|f| Error::from(f).with("dataset", dataset))?;
        if found.is_some() {
            modes.push(mode);
        }
    }
    Ok(modes)
}

async fn ask(api: &Api, dataset: &str, sql: String, parameters: Vec<Value>) -> Result<Vec<Vec<Value>>> {
    let query = Query { sql, parameters, ..Query::default() };
    let answer = rows(api, &query).await.map_err(|f| Error::from(f).with("dataset", dataset))?;
    Ok(answer.rows)
}

fn text(row: &[Value], column: usize) -> Option<String> {
    row.get(column).and_then(Value::as_str).map(str::to_owned)
}

/// Returns true when the dataset has that load's record.
pub(crate) async fn has_load(api: &Api, target: &Target, load_id: &LoadId) -> Result<bool> {
    let dataset = &target.dataset;
    check_dataset(dataset)?;
    for mode in modes(api, dataset).await? {
        let loads = qualified(dataset, mode.table_name(SystemTable::Loads));
        let (of, names) = match mode {
            SystemColumns::Native => ("pipeline", vec![target.pipeline.clone()]),
            SystemColumns::Dlt => ("schema_name", names(api, target).await?.1),
        };
        let sql = format!(
            "SELECT 1 FROM {loads} WHERE CAST(load_id AS STRING) = @load_id AND {of} IN UNNEST(@names) AND status = 0 LIMIT 1"
        );
        let parameters = vec![parameter("load_id", "STRING", load_id.as_str()), texts("names", &names)];
        if !ask(api, dataset, sql, parameters).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the newest load of a pipeline, its schema, and the newest state.
pub(crate) async fn last_committed(api: &Api, target: &Target) -> Result<Option<Committed>> {
    check_dataset(&target.dataset)?;
    let mut newest: Option<Committed> = None;
    for mode in modes(api, &target.dataset).await? {
        let found = last_of_mode(api, target, mode).await?;
        let moment = |c: &Option<Committed>| c.as_ref().map(|c| c.load_id.micros());
        if moment(&found) > moment(&newest) {
            newest = found;
        }
    }
    Ok(newest)
}

async fn last_of_mode(api: &Api, target: &Target, mode: SystemColumns) -> Result<Option<Committed>> {
    let found = match mode {
        SystemColumns::Native => last_native(api, target).await,
        SystemColumns::Dlt => last_dlt(api, target).await,
    };
    found.map_err(|e| e.with("dataset", &target.dataset))
}

async fn last_native(api: &Api, target: &Target) -> Result<Option<Committed>> {
    let table = |t| qualified(&target.dataset, SystemColumns::Native.table_name(t));
    let (loads, schemas, states) = (table(SystemTable::Loads), table(SystemTable::Schemas), table(SystemTable::State));
    let load_sql = format!(
        "SELECT CAST(l.load_id AS STRING), s.schema FROM {loads} AS l JOIN {schemas} AS s ON s.schema_hash = l.schema_hash AND s.pipeline = l.pipeline WHERE l.pipeline = @pipeline AND l.status = 0 ORDER BY l.load_id DESC LIMIT 1"
    );
    let state_sql = format!("SELECT state FROM {states} WHERE pipeline = @pipeline ORDER BY load_id DESC LIMIT 1");
    let parameters = || vec![parameter("pipeline", "STRING", &target.pipeline)];
    let unreadable = |what: &str| {
        Error::destination(format!("the {what} stored in the dataset cannot be read"))
            .hint("it was written by a newer version, or by something else: load into another dataset")
    };
    let found = ask(api, &target.dataset, load_sql, parameters()).await?;
    let Some(row) = found.first() else { return Ok(None) };
    let load_id = text(row, 0).and_then(|id| LoadId::parse(&id)).ok_or_else(|| unreadable("load id"))?;
    let schema = text(row, 1).ok_or_else(|| unreadable("schema"))?;
    let schema: Schema = serde_json::from_str(&schema).map_err(|e| unreadable("schema").source(e))?;
    let state = ask(api, &target.dataset, state_sql, parameters()).await?.first().and_then(|r| text(r, 0));
    let state = state.map(|s| serde_json::from_str(&s)).transpose().map_err(|e| unreadable("state").source(e))?;
    Ok(Some(Committed { load_id, schema, state }))
}

async fn last_dlt(api: &Api, target: &Target) -> Result<Option<Committed>> {
    let (state, names) = names(api, target).await?;
    let loads = qualified(&target.dataset, SystemColumns::Dlt.table_name(SystemTable::Loads));
    let sql = format!(
        "SELECT load_id FROM {loads} WHERE schema_name IN UNNEST(@names) AND status = 0 ORDER BY load_id DESC LIMIT 1"
    );
    let found = ask(api, &target.dataset, sql, vec![texts("names", &names)]).await?;
    let Some(load_id) = found.first().and_then(|row| text(row, 0)) else { return Ok(None) };
    let mut schema = None;
    for name in &names {
        if schema.is_none() {
            schema = dlt_schema(api, target, name).await?;
        }
    }
    dlt::committed(&load_id, &Stored { schema, state }).map(Some)
}

/// The documents that a load in dlt's mode stores, made of those that stand there.
pub(crate) async fn documents(api: &Api, opening: &Opening, manifest: &Manifest) -> Result<Option<Documents>> {
    if opening.system_columns == SystemColumns::Native {
        return Ok(None);
    }
    let schema = dlt_schema(api, &opening.target, &manifest.schema.name).await?;
    let stored = Stored { schema, state: dlt_state(api, &opening.target).await? };
    Documents::of(manifest, &stored, "dlt.destinations.bigquery").map(Some)
}

/// The pipeline's state as dlt stores it, and the names of its schemas.
async fn names(api: &Api, target: &Target) -> Result<(Option<String>, Vec<String>)> {
    let state = dlt_state(api, target).await?;
    let names = dlt::stored_schema_names(state.as_deref(), &target.pipeline)?;
    Ok((state, names))
}

async fn dlt_schema(api: &Api, target: &Target, name: &str) -> Result<Option<String>> {
    let schemas = qualified(&target.dataset, SystemColumns::Dlt.table_name(SystemTable::Schemas));
    let sql = format!(
        "SELECT schema FROM {schemas} WHERE schema_name = @name ORDER BY inserted_at DESC, version DESC LIMIT 1"
    );
    let found = ask(api, &target.dataset, sql, vec![parameter("name", "STRING", name)]).await?;
    Ok(found.first().and_then(|row| text(row, 0)))
}

/// The newest state of a load that was completed. dlt makes the table with the first state.
async fn dlt_state(api: &Api, target: &Target) -> Result<Option<String>> {
    let table = SystemColumns::Dlt.table_name(SystemTable::State);
    let found = tables::find(api, &target.dataset, table).await;
    if found.map_err(|f| Error::from(f).with("dataset", &target.dataset))?.is_none() {
        return Ok(None);
    }
    let [states, loads] =
        [SystemTable::State, SystemTable::Loads].map(|t| qualified(&target.dataset, SystemColumns::Dlt.table_name(t)));
    let sql = format!(
        "SELECT s.state FROM {states} AS s JOIN {loads} AS l ON l.load_id = s._dlt_load_id WHERE s.pipeline_name = @pipeline AND l.status = 0 ORDER BY l.load_id DESC, s.version DESC LIMIT 1"
    );
    let found = ask(api, &target.dataset, sql, vec![parameter("pipeline", "STRING", &target.pipeline)]).await?;
    Ok(found.first().and_then(|row| text(row, 0)))
}

/// Returns the dataset's tables with their rows, staging tables left out.
pub(crate) async fn tables(api: &Api, dataset: &str) -> Result<Vec<TableCount>> {
    check_dataset(dataset)?;
    if tables::dataset_location(api, dataset).await?.is_none() {
        return Ok(Vec::new());
    }
    // The one place that knows all counts without reading a row: free of charge, whatever the tables' size.
    let sql = format!("SELECT table_id, row_count FROM {} WHERE type = 1", qualified(dataset, "__TABLES__"));
    let found = ask(api, dataset, sql, Vec::new()).await?;
    let count = |row: &Vec<Value>| {
        let rows = text(row, 1).and_then(|n| n.parse().ok()).unwrap_or_default();
        Some(TableCount { table: text(row, 0)?, rows })
    };
    let mut counts: Vec<TableCount> = found.iter().filter_map(count).collect();
    counts.retain(|t| !t.table.starts_with(staging::PREFIX));
    counts.sort_by(|a, b| a.table.cmp(&b.table));
    Ok(counts)
}
