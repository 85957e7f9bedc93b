//! What the dataset remembers: loads, schemas, states; and what tables there are.

use crate::api::Api;
use crate::names::{check_dataset, qualified};
use crate::query::{Query, parameter, rows};
use crate::{staging, tables};
use longshore_core::destination::Committed;
use longshore_core::error::{Error, Result};
use longshore_core::package::{LoadId, TableCount, Target};
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
pub(crate) async fn has_load(api: &Api, dataset: &str, load_id: &LoadId) -> Result<bool> {
    check_dataset(dataset)?;
    for mode in modes(api, dataset).await? {
        let loads = qualified(dataset, mode.table_name(SystemTable::Loads));
        let sql = format!("SELECT 1 FROM {loads} WHERE CAST(load_id AS STRING) = @load_id AND status = 0 LIMIT 1");
        if !ask(api, dataset, sql, vec![parameter("load_id", "STRING", load_id.as_str())]).await?.is_empty() {
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
    let table = |t| qualified(&target.dataset, mode.table_name(t));
    let (loads, schemas, states) = (table(SystemTable::Loads), table(SystemTable::Schemas), table(SystemTable::State));
    let (load_sql, state_sql) = match mode {
        SystemColumns::Native => (
            format!(
                "SELECT CAST(l.load_id AS STRING), s.schema FROM {loads} AS l JOIN {schemas} AS s ON s.schema_hash = l.schema_hash AND s.pipeline = l.pipeline WHERE l.pipeline = @pipeline AND l.status = 0 ORDER BY l.load_id DESC LIMIT 1"
            ),
            format!("SELECT state FROM {states} WHERE pipeline = @pipeline ORDER BY load_id DESC LIMIT 1"),
        ),
        SystemColumns::Dlt => (
            format!(
                "SELECT l.load_id, s.schema FROM {loads} AS l JOIN {schemas} AS s ON s.version_hash = l.schema_version_hash AND s.schema_name = l.schema_name WHERE l.schema_name = @pipeline AND l.status = 0 ORDER BY l.load_id DESC LIMIT 1"
            ),
            format!("SELECT state FROM {states} WHERE pipeline_name = @pipeline ORDER BY _dlt_load_id DESC LIMIT 1"),
        ),
    };
    let parameters = || vec![parameter("pipeline", "STRING", &target.pipeline)];
    let unreadable = |what: &str| {
        Error::destination(format!("the {what} stored in the dataset cannot be read"))
            .with("dataset", &target.dataset)
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
