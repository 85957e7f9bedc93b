//! What a dataset remembers: which loads it has, the newest schema and state of a pipeline.

use crate::destination::table_names;
use crate::types::DuckDialect;
use longshore_core::destination::Committed;
use longshore_core::dlt::{self, Stored};
use longshore_core::error::{Error, Result};
use longshore_core::package::{LoadId, Target};
use longshore_core::schema::{SystemColumns, SystemTable};
use longshore_sql::{Dialect, DltQueries, literal};

/// A pipeline's newest load in one of the modes, as stored.
pub(crate) struct StoredLoad {
    mode: SystemColumns,
    load_id: String,
    stored: Stored,
}

impl StoredLoad {
    /// Reads it.
    pub(crate) fn committed(&self) -> Result<Committed> {
        let read = || match self.mode {
            SystemColumns::Dlt => dlt::committed(&self.load_id, &self.stored),
            SystemColumns::Native => native(&self.load_id, &self.stored),
        };
        read().map_err(|e| match e.hint_text() {
            Some(_) => e,
            None => e.hint("it was written by a newer version, or by something else: load into another dataset"),
        })
    }
}

fn native(load_id: &str, stored: &Stored) -> Result<Committed> {
    let unreadable = |what| Error::destination(format!("the {what} stored in the dataset cannot be read"));
    let schema = stored.schema.as_deref().unwrap_or_default();
    let schema = serde_json::from_str(schema).map_err(|e| unreadable("schema").source(e))?;
    let state = stored.state.as_deref().map(serde_json::from_str).transpose();
    let load_id = LoadId::parse(load_id).ok_or_else(|| unreadable("load id"))?;
    Ok(Committed { load_id, schema, state: state.map_err(|e| unreadable("state").source(e))? })
}

/// The modes in which the dataset has been written, judged by its loads tables.
fn modes(c: &duckdb::Connection, dataset: &str) -> duckdb::Result<Vec<SystemColumns>> {
    let tables = table_names(c, dataset)?;
    let modes = [SystemColumns::Native, SystemColumns::Dlt].into_iter();
    Ok(modes.filter(|m| tables.iter().any(|t| t == m.table_name(SystemTable::Loads))).collect())
}

/// Returns true when the dataset has that load's record.
pub(crate) fn has_load(c: &duckdb::Connection, target: &Target, load_id: &LoadId) -> duckdb::Result<Result<bool>> {
    for mode in modes(c, &target.dataset)? {
        let found: i64 = match mode {
            SystemColumns::Native => {
                let dialect = DuckDialect::ask(c, &target.dataset)?;
                let table = dialect.qualified(&target.dataset, mode.table_name(SystemTable::Loads));
                let sql =
                    format!("SELECT count(*) FROM {table} WHERE load_id::VARCHAR = ? AND pipeline = ? AND status = 0");
                c.query_row(&sql, [load_id.as_str(), &target.pipeline], |r| r.get(0))?
            }
            SystemColumns::Dlt => {
                let state = state(c, target)?;
                let names = match dlt::stored_schema_names(state.as_deref(), &target.pipeline) {
                    Ok(names) => names,
                    Err(e) => return Ok(Err(e)),
                };
                let sql = dlt_queries(c, target)?.count_load(&names, load_id);
                c.query_row(&sql, [], |r| r.get(0))?
            }
        };
        if found > 0 {
            return Ok(Ok(true));
        }
    }
    Ok(Ok(false))
}

/// The id of a pipeline's newest load in whichever mode.
pub(crate) fn newest_load(c: &duckdb::Connection, target: &Target) -> duckdb::Result<Result<Option<LoadId>>> {
    let mut newest = None;
    for mode in modes(c, &target.dataset)? {
        let found = match mode {
            SystemColumns::Native => {
                let dialect = DuckDialect::ask(c, &target.dataset)?;
                let table = dialect.qualified(&target.dataset, mode.table_name(SystemTable::Loads));
                let pipeline = literal(&target.pipeline);
                text(c, &format!("SELECT max(load_id)::VARCHAR FROM {table} WHERE pipeline = {pipeline}"))?
            }
            SystemColumns::Dlt => match dlt::stored_schema_names(state(c, target)?.as_deref(), &target.pipeline) {
                Ok(names) => text(c, &dlt_queries(c, target)?.last_load(&names))?,
                Err(e) => return Ok(Err(e)),
            },
        };
        newest = newest.max(found.as_deref().and_then(LoadId::parse));
    }
    Ok(Ok(newest))
}

/// The newest load of a pipeline in whichever mode.
pub(crate) fn last_committed(c: &duckdb::Connection, target: &Target) -> duckdb::Result<Result<Option<StoredLoad>>> {
    let moment = |l: &StoredLoad| LoadId::parse(&l.load_id).map(|id| id.micros());
    let mut newest: Option<StoredLoad> = None;
    for mode in modes(c, &target.dataset)? {
        let found = match mode {
            SystemColumns::Native => last_native(c, target)?,
            SystemColumns::Dlt => match last_dlt(c, target)? {
                Ok(found) => found,
                Err(e) => return Ok(Err(e)),
            },
        };
        if found.as_ref().map(moment) > newest.as_ref().map(moment) {
            newest = found;
        }
    }
    Ok(Ok(newest))
}

fn last_native(c: &duckdb::Connection, target: &Target) -> duckdb::Result<Option<StoredLoad>> {
    let dialect = DuckDialect::ask(c, &target.dataset)?;
    let table = |t| dialect.qualified(&target.dataset, SystemColumns::Native.table_name(t));
    let (loads, schemas, states) = (table(SystemTable::Loads), table(SystemTable::Schemas), table(SystemTable::State));
    let load_sql = format!(
        "SELECT l.load_id::VARCHAR, s.schema FROM {loads} l JOIN {schemas} s USING (schema_hash, pipeline) WHERE l.pipeline = ? ORDER BY l.load_id DESC LIMIT 1"
    );
    let mut statement = c.prepare(&load_sql)?;
    let mut rows = statement.query([&target.pipeline])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let (load_id, schema) = (row.get(0)?, row.get(1)?);
    let state_sql = format!("SELECT state FROM {states} WHERE pipeline = ? ORDER BY load_id DESC LIMIT 1");
    let mut statement = c.prepare(&state_sql)?;
    let mut rows = statement.query([&target.pipeline])?;
    let state = rows.next()?.map(|r| r.get(0)).transpose()?;
    Ok(Some(StoredLoad { mode: SystemColumns::Native, load_id, stored: Stored { schema: Some(schema), state } }))
}

fn last_dlt(c: &duckdb::Connection, target: &Target) -> duckdb::Result<Result<Option<StoredLoad>>> {
    let queries = dlt_queries(c, target)?;
    let state = state(c, target)?;
    let names = match dlt::stored_schema_names(state.as_deref(), &target.pipeline) {
        Ok(names) => names,
        Err(e) => return Ok(Err(e)),
    };
    let Some(load_id) = text(c, &queries.last_load(&names))? else { return Ok(Ok(None)) };
    let mut schema = None;
    for name in &names {
        schema = match schema {
            None => text(c, &queries.schema(name))?,
            found => found,
        };
    }
    Ok(Ok(Some(StoredLoad { mode: SystemColumns::Dlt, load_id, stored: Stored { schema, state } })))
}

/// The documents of dlt's mode that stand there: of a schema, and of the pipeline.
pub(crate) fn stored(c: &duckdb::Connection, target: &Target, schema: &str) -> duckdb::Result<Stored> {
    if !modes(c, &target.dataset)?.contains(&SystemColumns::Dlt) {
        return Ok(Stored::default());
    }
    let schema = text(c, &dlt_queries(c, target)?.schema(schema))?;
    Ok(Stored { schema, state: state(c, target)? })
}

fn state(c: &duckdb::Connection, target: &Target) -> duckdb::Result<Option<String>> {
    let table = SystemColumns::Dlt.table_name(SystemTable::State);
    match table_names(c, &target.dataset)?.iter().any(|t| t == table) {
        true => text(c, &dlt_queries(c, target)?.state(&target.pipeline)),
        false => Ok(None), // dlt makes it with the first state
    }
}

fn text(c: &duckdb::Connection, sql: &str) -> duckdb::Result<Option<String>> {
    let mut statement = c.prepare(sql)?;
    let mut rows = statement.query([])?;
    rows.next()?.map(|r| r.get::<_, Option<String>>(0)).transpose().map(Option::flatten)
}

fn dlt_queries(c: &duckdb::Connection, target: &Target) -> duckdb::Result<DltQueries> {
    Ok(DltQueries::of(&DuckDialect::ask(c, &target.dataset)?, &target.dataset))
}
