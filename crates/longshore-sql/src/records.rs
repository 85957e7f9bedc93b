//! A load's own records: its row in the table of loads, the schema, the state.

use crate::dialect::Dialect;
use crate::quote::literal;
use longshore_core::dlt::Documents;
use longshore_core::package::{LoadId, Manifest, Target};
use longshore_core::schema::{SystemColumns, SystemTable};

/// Returns the statements that record a load, for databases with `now()`, `md5` and `left`. They belong into the load's
/// own transaction, behind its rows. `documents` are those of dlt's mode, which has to have them.
pub fn load_records(
    dialect: &dyn Dialect,
    target: &Target,
    manifest: &Manifest,
    documents: Option<&Documents>,
) -> Vec<String> {
    match documents {
        Some(documents) => dlt_records(dialect, target, manifest, documents),
        None => native_records(dialect, target, manifest),
    }
}

fn native_records(dialect: &dyn Dialect, target: &Target, manifest: &Manifest) -> Vec<String> {
    let table = |t| dialect.qualified(&target.dataset, SystemColumns::Native.table_name(t));
    let (loads, schemas, states) = (table(SystemTable::Loads), table(SystemTable::Schemas), table(SystemTable::State));
    let pipeline = literal(&target.pipeline);
    let (load_id, hash) = (literal(manifest.load_id.as_str()), literal(&manifest.schema.hash()));
    let schema = literal(&manifest.schema.to_json());
    let rows: u64 = manifest.tables.iter().map(|t| t.rows).sum();
    let counts = manifest.counts;
    let mut statements = vec![
        format!(
            "INSERT INTO {schemas} SELECT {hash}, {pipeline}, {load_id}, now(), {schema} WHERE NOT EXISTS (SELECT 1 FROM {schemas} WHERE schema_hash = {hash} AND pipeline = {pipeline})"
        ),
        format!(
            "INSERT INTO {loads} VALUES ({load_id}, {pipeline}, {hash}, {}, {}, {rows}, 0, now())",
            counts.read, counts.rejected
        ),
    ];
    let state = manifest.state.as_ref().map(|s| literal(&s.to_string()));
    statements.extend(state.map(|s| format!("INSERT INTO {states} VALUES ({pipeline}, {load_id}, now(), {s})")));
    statements
}

fn dlt_records(dialect: &dyn Dialect, target: &Target, manifest: &Manifest, documents: &Documents) -> Vec<String> {
    use longshore_core::dlt::{SCHEMA_ENGINE, STATE_ENGINE};
    let table = |t| dialect.qualified(&target.dataset, SystemColumns::Dlt.table_name(t));
    let (loads, schemas, states) = (table(SystemTable::Loads), table(SystemTable::Schemas), table(SystemTable::State));
    let schema = &documents.schema;
    let (load_id, name, hash) = (literal(manifest.load_id.as_str()), literal(&schema.name), literal(&schema.hash));
    let mut statements = Vec::new();
    if schema.is_new {
        // dlt takes the newest row of a schema: one that comes back has to be the newest again.
        statements.push(format!("DELETE FROM {schemas} WHERE version_hash = {hash} AND schema_name = {name}"));
        let text = literal(&schema.text);
        statements.push(format!(
            "INSERT INTO {schemas} (version, engine_version, inserted_at, schema_name, version_hash, schema) VALUES ({}, {SCHEMA_ENGINE}, now(), {name}, {hash}, {text})",
            schema.version
        ));
    }
    statements.push(format!(
        "INSERT INTO {loads} (load_id, schema_name, status, inserted_at, schema_version_hash) VALUES ({load_id}, {name}, 0, now(), {hash})"
    ));
    if let Some(state) = &documents.state {
        let (pipeline, text, hash) = (literal(&target.pipeline), literal(&state.text), literal(&state.hash));
        statements.push(format!(
            "INSERT INTO {states} (version, engine_version, pipeline_name, state, created_at, version_hash, _dlt_load_id, _dlt_id) VALUES ({}, {STATE_ENGINE}, {pipeline}, {text}, now(), {hash}, {load_id}, left(md5({load_id} || {pipeline}), 14))",
            state.version
        ));
    }
    statements
}

/// Queries for what a dataset in dlt's mode remembers of a pipeline; each gives at most one row of texts.
#[derive(Debug, Clone)]
pub struct DltQueries {
    loads: String,
    schemas: String,
    states: String,
}

impl DltQueries {
    /// The queries of a dataset.
    pub fn of(dialect: &dyn Dialect, dataset: &str) -> Self {
        let table = |t| dialect.qualified(dataset, SystemColumns::Dlt.table_name(t));
        DltQueries {
            loads: table(SystemTable::Loads),
            schemas: table(SystemTable::Schemas),
            states: table(SystemTable::State),
        }
    }

    /// The newest state of a pipeline, of a load that was completed.
    pub fn state(&self, pipeline: &str) -> String {
        format!(
            "SELECT s.state FROM {} s JOIN {} l ON l.load_id = s._dlt_load_id WHERE s.pipeline_name = {} AND l.status = 0 ORDER BY l.load_id DESC, s.version DESC LIMIT 1",
            self.states,
            self.loads,
            literal(pipeline)
        )
    }

    /// The newest schema of that name.
    pub fn schema(&self, name: &str) -> String {
        format!(
            "SELECT schema FROM {} WHERE schema_name = {} ORDER BY inserted_at DESC, version DESC LIMIT 1",
            self.schemas,
            literal(name)
        )
    }

    /// The id of the newest load of one of these schemas.
    pub fn last_load(&self, names: &[String]) -> String {
        format!(
            "SELECT load_id FROM {} WHERE schema_name IN ({}) AND status = 0 ORDER BY load_id DESC LIMIT 1",
            self.loads,
            list(names)
        )
    }

    /// How many loads of that id these schemas have.
    pub fn count_load(&self, names: &[String], load_id: &LoadId) -> String {
        format!(
            "SELECT count(*) FROM {} WHERE load_id = {} AND schema_name IN ({}) AND status = 0",
            self.loads,
            literal(load_id.as_str()),
            list(names)
        )
    }
}

fn list(names: &[String]) -> String {
    names.iter().map(|n| literal(n)).collect::<Vec<_>>().join(", ")
}
