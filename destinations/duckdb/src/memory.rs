//! What a dataset remembers: which loads it has, the newest schema and state of a pipeline.

use crate::tables::table_names;
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

/// What a dataset can be asked, judged by the loader's tables that it has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Remembered {
    dialect: DuckDialect,
    /// The modes in which it has been written.
    modes: Vec<SystemColumns>,
    /// dlt makes its table of states with the first state.
    has_dlt_state: bool,
}

impl Remembered {
    /// Asks a connection for the dataset's tables.
    pub(crate) fn ask(c: &duckdb::Connection, dataset: &str) -> duckdb::Result<Self> {
        let tables = table_names(c, dataset)?;
        if tables.is_empty() {
            return Ok(Remembered::default());
        }
        Ok(Remembered::of(DuckDialect::ask(c, dataset)?, tables.iter().map(String::as_str)))
    }

    /// The same of a dataset whose tables are known.
    pub(crate) fn of<'a>(dialect: DuckDialect, tables: impl Iterator<Item = &'a str> + Clone) -> Self {
        let has = |name: &str| tables.clone().any(|t| t == name);
        let modes = [SystemColumns::Native, SystemColumns::Dlt].into_iter();
        let modes = modes.filter(|m| has(m.table_name(SystemTable::Loads))).collect();
        let has_dlt_state = has(SystemColumns::Dlt.table_name(SystemTable::State));
        Remembered { dialect, modes, has_dlt_state }
    }

    /// True when it has no load of anybody.
    pub(crate) fn is_empty(&self) -> bool {
        self.modes.is_empty()
    }

    /// Returns true when the dataset has that load's record.
    pub(crate) fn has_load(
        &self,
        c: &duckdb::Connection,
        target: &Target,
        load_id: &LoadId,
    ) -> duckdb::Result<Result<bool>> {
        for mode in &self.modes {
            let found: i64 = match mode {
                SystemColumns::Native => {
                    let table = self.native(target, SystemTable::Loads);
                    let sql = format!(
                        "SELECT count(*) FROM {table} WHERE load_id::VARCHAR = ? AND pipeline = ? AND status = 0"
                    );
                    c.query_row(&sql, [load_id.as_str(), &target.pipeline], |r| r.get(0))?
                }
                SystemColumns::Dlt => {
                    let state = self.state(c, target)?;
                    let names = match dlt::stored_schema_names(state.as_deref(), &target.pipeline) {
                        Ok(names) => names,
                        Err(e) => return Ok(Err(e)),
                    };
                    c.query_row(&self.dlt_queries(target).count_load(&names, load_id), [], |r| r.get(0))?
                }
            };
            if found > 0 {
                return Ok(Ok(true));
            }
        }
        Ok(Ok(false))
    }

    /// The id of a pipeline's newest load in whichever mode.
    pub(crate) fn newest_load(
        &self,
        c: &duckdb::Connection,
        target: &Target,
    ) -> duckdb::Result<Result<Option<LoadId>>> {
        let mut newest = None;
        for mode in &self.modes {
            let found = match mode {
                SystemColumns::Native => {
                    let (table, pipeline) = (self.native(target, SystemTable::Loads), literal(&target.pipeline));
                    text(c, &format!("SELECT max(load_id)::VARCHAR FROM {table} WHERE pipeline = {pipeline}"))?
                }
                SystemColumns::Dlt => {
                    match dlt::stored_schema_names(self.state(c, target)?.as_deref(), &target.pipeline) {
                        Ok(names) => text(c, &self.dlt_queries(target).last_load(&names))?,
                        Err(e) => return Ok(Err(e)),
                    }
                }
            };
            newest = newest.max(found.as_deref().and_then(LoadId::parse));
        }
        Ok(Ok(newest))
    }

    /// The newest load of a pipeline in whichever mode.
    pub(crate) fn last_committed(
        &self,
        c: &duckdb::Connection,
        target: &Target,
    ) -> duckdb::Result<Result<Option<StoredLoad>>> {
        let moment = |l: &StoredLoad| LoadId::parse(&l.load_id).map(|id| id.micros());
        let mut newest: Option<StoredLoad> = None;
        for mode in &self.modes {
            let found = match mode {
                SystemColumns::Native => self.last_native(c, target)?,
                SystemColumns::Dlt => match self.last_dlt(c, target)? {
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

    fn last_native(&self, c: &duckdb::Connection, target: &Target) -> duckdb::Result<Option<StoredLoad>> {
        let [loads, schemas, states] =
            [SystemTable::Loads, SystemTable::Schemas, SystemTable::State].map(|t| self.native(target, t));
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

    fn last_dlt(&self, c: &duckdb::Connection, target: &Target) -> duckdb::Result<Result<Option<StoredLoad>>> {
        let queries = self.dlt_queries(target);
        let state = self.state(c, target)?;
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
    pub(crate) fn stored(&self, c: &duckdb::Connection, target: &Target, schema: &str) -> duckdb::Result<Stored> {
        if !self.modes.contains(&SystemColumns::Dlt) {
            return Ok(Stored::default());
        }
        let schema = text(c, &self.dlt_queries(target).schema(schema))?;
        Ok(Stored { schema, state: self.state(c, target)? })
    }

    fn state(&self, c: &duckdb::Connection, target: &Target) -> duckdb::Result<Option<String>> {
        match self.has_dlt_state {
            true => text(c, &self.dlt_queries(target).state(&target.pipeline)),
            false => Ok(None),
        }
    }

    fn native(&self, target: &Target, table: SystemTable) -> String {
        self.dialect.qualified(&target.dataset, SystemColumns::Native.table_name(table))
    }

    fn dlt_queries(&self, target: &Target) -> DltQueries {
        DltQueries::of(&self.dialect, &target.dataset)
    }
}

fn text(c: &duckdb::Connection, sql: &str) -> duckdb::Result<Option<String>> {
    let mut statement = c.prepare(sql)?;
    let mut rows = statement.query([])?;
    rows.next()?.map(|r| r.get::<_, Option<String>>(0)).transpose().map(Option::flatten)
}
