//! What a dataset holds: its tables and columns, and which loads it has.

use crate::session::Session;
use crate::types::data_type;
use longshore_core::error::Result;
use longshore_core::package::{LoadId, TableCount, Target};
use longshore_core::schema::{DataType, SystemColumns, SystemTable};
use longshore_sql::{literal, qualified};
use std::collections::BTreeMap;

/// The tables of a dataset with their columns, in order.
pub(crate) type Tables = BTreeMap<String, Vec<TableColumn>>;

/// A column as it stands in the dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableColumn {
    pub(crate) name: String,
    /// `None` for a type that the loader does not make.
    pub(crate) data_type: Option<DataType>,
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
        let data_type = row.get(2).and_then(data_type);
        columns.extend(row.get(1).map(|name| TableColumn { name: name.to_owned(), data_type }));
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

/// The column that names the pipeline in the table of loads.
fn pipeline_column(mode: SystemColumns) -> &'static str {
    match mode {
        SystemColumns::Native => "pipeline",
        SystemColumns::Dlt => "schema_name",
    }
}

/// Returns true when the dataset has that load's record.
pub(crate) async fn has_load(session: &Session, target: &Target, load_id: &LoadId) -> Result<bool> {
    for mode in modes(session, &target.dataset).await? {
        let table = qualified(&target.dataset, mode.table_name(SystemTable::Loads));
        let sql = format!(
            "SELECT count(*) > 0 FROM {table} WHERE load_id::text = {} AND {} = {} AND status = 0",
            literal(load_id.as_str()),
            pipeline_column(mode),
            literal(&target.pipeline)
        );
        if session.holds(&sql).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Load id, schema and state of a pipeline's newest load, as stored.
pub(crate) type StoredLoad = (String, String, Option<String>);

/// Returns the newest load of a pipeline.
pub(crate) async fn last_load(session: &Session, target: &Target) -> Result<Option<StoredLoad>> {
    let moment = |l: &Option<StoredLoad>| l.as_ref().and_then(|(id, ..)| LoadId::parse(id)).map(|id| id.micros());
    let mut newest = None;
    for mode in modes(session, &target.dataset).await? {
        let found = last_of_mode(session, target, mode).await?;
        if moment(&found) > moment(&newest) {
            newest = found;
        }
    }
    Ok(newest)
}

async fn last_of_mode(session: &Session, target: &Target, mode: SystemColumns) -> Result<Option<StoredLoad>> {
    let table = |t| qualified(&target.dataset, mode.table_name(t));
    let (loads, schemas, states) = (table(SystemTable::Loads), table(SystemTable::Schemas), table(SystemTable::State));
    let pipeline = literal(&target.pipeline);
    let (load_sql, state_sql) = match mode {
        SystemColumns::Native => (
            format!(
                "SELECT l.load_id, s.schema FROM {loads} l JOIN {schemas} s USING (schema_hash, pipeline) WHERE l.pipeline = {pipeline} ORDER BY l.load_id DESC LIMIT 1"
            ),
            format!("SELECT state FROM {states} WHERE pipeline = {pipeline} ORDER BY load_id DESC LIMIT 1"),
        ),
        SystemColumns::Dlt => (
            format!(
                "SELECT l.load_id, s.schema FROM {loads} l JOIN {schemas} s ON s.version_hash = l.schema_version_hash AND s.schema_name = l.schema_name WHERE l.schema_name = {pipeline} AND l.status = 0 ORDER BY l.load_id DESC LIMIT 1"
            ),
            format!("SELECT state FROM {states} WHERE pipeline_name = {pipeline} ORDER BY _dlt_load_id DESC LIMIT 1"),
        ),
    };
    let rows = session.rows(&load_sql).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let text = |i| row.get(i).unwrap_or_default().to_owned();
    Ok(Some((text(0), text(1), session.value(&state_sql).await?)))
}
