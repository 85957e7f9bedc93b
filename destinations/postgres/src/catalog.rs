//! What a dataset holds: its tables and columns, and which loads it has.

use crate::session::Session;
use crate::types::{PostgresDialect, column_type};
use longshore_core::destination::Committed;
use longshore_core::dlt::{self, Stored};
use longshore_core::error::{Error, Result};
use longshore_core::package::{LoadId, TableCount, Target};
use longshore_core::schema::{ColumnType, SystemColumns, SystemTable};
use longshore_sql::{DltQueries, literal, qualified};
use std::collections::BTreeMap;

/// The tables of a dataset with their columns, in order.
pub(crate) type Tables = BTreeMap<String, Vec<TableColumn>>;

/// A column as it stands in the dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableColumn {
    pub(crate) name: String,
    /// `None` for a type that the loader does not make.
    pub(crate) column_type: Option<ColumnType>,
    /// In PostgreSQL's words.
    pub(crate) type_name: String,
}

/// Which relations are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kinds {
    /// Ordinary and partitioned tables.
    Tables,
    /// Views and foreign tables too: they have the names of tables, and some take rows.
    All,
}

/// Returns the tables of a dataset.
pub(crate) async fn tables(session: &Session, dataset: &str, kinds: Kinds) -> Result<Tables> {
    let kinds = if kinds == Kinds::All { "'r', 'p', 'v', 'm', 'f'" } else { "'r', 'p'" };
    let sql = format!(
        "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         WHERE n.nspname = {} AND c.relkind IN ({kinds}) ORDER BY c.relname COLLATE \"C\", a.attnum",
        literal(dataset)
    );
    let mut tables = Tables::new();
    for row in session.rows(&sql).await? {
        let columns = tables.entry(row.get(0).unwrap_or_default().to_owned()).or_default();
        let type_name = row.get(2).unwrap_or_default().to_owned();
        let column_type = column_type(&type_name);
        columns.extend(row.get(1).map(|name| TableColumn { name: name.to_owned(), column_type, type_name }));
    }
    Ok(tables)
}

/// Tables with their numbers of rows, by name.
pub(crate) async fn counts(session: &Session, dataset: &str) -> Result<Vec<TableCount>> {
    let mut counts = Vec::new();
    for table in tables(session, dataset, Kinds::Tables).await?.into_keys() {
        let rows = session.value(&format!("SELECT count(*) FROM {}", qualified(dataset, &table))).await?;
        counts.push(TableCount { table, rows: rows.and_then(|r| r.parse().ok()).unwrap_or_default() });
    }
    Ok(counts)
}

/// Which of the dataset's modes have a table of loads.
async fn modes(session: &Session, dataset: &str) -> Result<Vec<SystemColumns>> {
    let mut modes = Vec::new();
    for mode in [SystemColumns::Native, SystemColumns::Dlt] {
        let table = qualified(dataset, mode.table_name(SystemTable::Loads));
        if session.holds(&format!("SELECT to_regclass({}) IS NOT NULL", literal(&table))).await? {
            modes.push(mode);
        }
    }
    Ok(modes)
}

/// Returns true when the dataset has that load's record.
pub(crate) async fn has_load(session: &Session, target: &Target, load_id: &LoadId) -> Result<bool> {
    for mode in modes(session, &target.dataset).await? {
        let count = match mode {
            SystemColumns::Native => {
                let table = qualified(&target.dataset, mode.table_name(SystemTable::Loads));
                let (load_id, pipeline) = (literal(load_id.as_str()), literal(&target.pipeline));
                format!(
                    "SELECT count(*) FROM {table} WHERE load_id::text = {load_id} AND pipeline = {pipeline} AND status = 0"
                )
            }
            SystemColumns::Dlt => {
                let state = state(session, target).await?;
                let names = dlt::stored_schema_names(state.as_deref(), &target.pipeline)?;
                DltQueries::of(&PostgresDialect, &target.dataset).count_load(&names, load_id)
            }
        };
        if session.value(&count).await?.is_some_and(|n| n != "0") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the id of a pipeline's newest load, in whichever mode.
pub(crate) async fn newest_load(session: &Session, target: &Target) -> Result<Option<LoadId>> {
    let mut newest = None;
    for mode in modes(session, &target.dataset).await? {
        let sql = match mode {
            SystemColumns::Native => {
                let table = qualified(&target.dataset, mode.table_name(SystemTable::Loads));
                format!("SELECT max(load_id) FROM {table} WHERE pipeline = {}", literal(&target.pipeline))
            }
            SystemColumns::Dlt => {
                let state = state(session, target).await?;
                let names = dlt::stored_schema_names(state.as_deref(), &target.pipeline)?;
                DltQueries::of(&PostgresDialect, &target.dataset).last_load(&names)
            }
        };
        newest = newest.max(session.value(&sql).await?.as_deref().and_then(LoadId::parse));
    }
    Ok(newest)
}

/// Returns the newest schema and state of a pipeline, in whichever mode.
pub(crate) async fn last_committed(session: &Session, target: &Target) -> Result<Option<Committed>> {
    let mut newest: Option<Committed> = None;
    for mode in modes(session, &target.dataset).await? {
        let found = match mode {
            SystemColumns::Native => last_native(session, target).await?,
            SystemColumns::Dlt => last_dlt(session, target).await?,
        };
        if found.as_ref().map(|c| &c.load_id) > newest.as_ref().map(|c| &c.load_id) {
            newest = found;
        }
    }
    Ok(newest)
}

async fn last_native(session: &Session, target: &Target) -> Result<Option<Committed>> {
    let table = |t| qualified(&target.dataset, SystemColumns::Native.table_name(t));
    let (loads, schemas, states) = (table(SystemTable::Loads), table(SystemTable::Schemas), table(SystemTable::State));
    let pipeline = literal(&target.pipeline);
    let load_sql = format!(
        "SELECT l.load_id, s.schema FROM {loads} l JOIN {schemas} s USING (schema_hash, pipeline) WHERE l.pipeline = {pipeline} ORDER BY l.load_id DESC LIMIT 1"
    );
    let rows = session.rows(&load_sql).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let text = |i| row.get(i).unwrap_or_default();
    let state_sql = format!("SELECT state FROM {states} WHERE pipeline = {pipeline} ORDER BY load_id DESC LIMIT 1");
    let state = session.value(&state_sql).await?;
    let unreadable = |what| Error::destination(format!("the {what} stored in the dataset cannot be read"));
    let load_id = LoadId::parse(text(0)).ok_or_else(|| unreadable("load id"))?;
    let schema = serde_json::from_str(text(1)).map_err(|e| unreadable("schema").source(e))?;
    let state = state.map(|s| serde_json::from_str(&s)).transpose().map_err(|e| unreadable("state").source(e))?;
    Ok(Some(Committed { load_id, schema, state }))
}

async fn last_dlt(session: &Session, target: &Target) -> Result<Option<Committed>> {
    let queries = DltQueries::of(&PostgresDialect, &target.dataset);
    let state = state(session, target).await?;
    let names = dlt::stored_schema_names(state.as_deref(), &target.pipeline)?;
    let Some(load_id) = session.value(&queries.last_load(&names)).await? else { return Ok(None) };
    let mut schema = None;
    for name in &names {
        if schema.is_none() {
            schema = session.value(&queries.schema(name)).await?;
        }
    }
    dlt::committed(&load_id, &Stored { schema, state }).map(Some)
}

/// The documents of dlt's mode that stand there: of a schema, and of the pipeline.
pub(crate) async fn stored(session: &Session, target: &Target, schema: &str) -> Result<Stored> {
    let queries = DltQueries::of(&PostgresDialect, &target.dataset);
    let state = state(session, target).await?;
    Ok(Stored { schema: session.value(&queries.schema(schema)).await?, state })
}

/// The pipeline's state as stored. dlt makes the table with the first state.
async fn state(session: &Session, target: &Target) -> Result<Option<String>> {
    let table = qualified(&target.dataset, SystemColumns::Dlt.table_name(SystemTable::State));
    match session.holds(&format!("SELECT to_regclass({}) IS NOT NULL", literal(&table))).await? {
        true => session.value(&DltQueries::of(&PostgresDialect, &target.dataset).state(&target.pipeline)).await,
        false => Ok(None),
    }
}
