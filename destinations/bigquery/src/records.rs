//! A load's own records, in its last transaction: its row in the table of loads, the schema, the state.

use crate::query::parameter;
use crate::script::Script;
use longshore_core::dlt::{Documents, SCHEMA_ENGINE, STATE_ENGINE};
use longshore_core::hash::content_hash;
use longshore_core::schema::SystemTable;
use serde_json::Value;

impl Script<'_> {
    /// True when the load was committed before. Status 0 is a whole load; a step of one with more tables than a transaction
    /// may change has its own.
    pub(crate) fn is_done(&self) -> String {
        let loads = self.own(SystemTable::Loads);
        let done = if self.is_last { "0".to_owned() } else { format!("0, {}", self.number + 1) };
        format!(
            "EXISTS (SELECT 1 FROM {loads} WHERE load_id = @load_id AND {} AND status IN ({done}))",
            self.own_loads()
        )
    }

    /// True for loads of this pipeline.
    pub(crate) fn own_loads(&self) -> &'static str {
        if self.documents.is_some() { "schema_name = @name" } else { "pipeline = @pipeline" }
    }

    /// The values that the statements name.
    pub(crate) fn record_parameters(&self) -> Vec<Value> {
        let text = |name: &str, value: &str| parameter(name, "STRING", value);
        let Some(Documents { schema, state }) = self.documents else {
            let mut parameters = vec![text("hash", &self.manifest.schema.hash())];
            if self.is_last {
                parameters.push(text("schema", &self.manifest.schema.to_json()));
                parameters.extend(self.manifest.state.as_ref().map(|s| text("state", &s.to_string())));
            }
            return parameters;
        };
        let mut parameters = vec![text("name", &schema.name), text("hash", &schema.hash)];
        if self.is_last {
            parameters.push(text("schema", &schema.text));
            parameters.extend(state.iter().flat_map(|s| [text("state", &s.text), text("state_hash", &s.hash)]));
        }
        parameters
    }

    /// The statements.
    pub(crate) fn records(&self) -> Vec<String> {
        let loads = self.own(SystemTable::Loads);
        let status = if self.is_last { 0 } else { self.number + 1 };
        let record = match self.documents {
            None => self.native_load(&loads, status),
            Some(_) => format!(
                "INSERT INTO {loads} (load_id, schema_name, status, inserted_at, schema_version_hash) VALUES (@load_id, @name, {status}, CURRENT_TIMESTAMP(), @hash)"
            ),
        };
        if !self.is_last {
            return vec![record];
        }
        let mut statements = Vec::new();
        if self.number > 0 {
            statements.push(format!("DELETE FROM {loads} WHERE load_id = @load_id AND status <> 0"));
        }
        statements.push(record);
        statements.extend(match self.documents {
            None => self.native_documents(),
            Some(documents) => self.dlt_documents(documents),
        });
        statements
    }

    fn native_load(&self, loads: &str, status: usize) -> String {
        let rows: u64 = self.manifest.tables.iter().map(|t| t.rows).sum();
        let counts = self.manifest.counts;
        format!(
            "INSERT INTO {loads} (load_id, pipeline, schema_hash, records, rejected, `rows`, status, inserted_at) VALUES (@load_id, @pipeline, @hash, {}, {}, {rows}, {status}, CURRENT_TIMESTAMP())",
            counts.read, counts.rejected
        )
    }

    fn native_documents(&self) -> Vec<String> {
        let (schemas, states) = (self.own(SystemTable::Schemas), self.own(SystemTable::State));
        let known = format!("SELECT 1 FROM {schemas} WHERE schema_hash = @hash AND pipeline = @pipeline");
        let mut statements = vec![format!(
            "IF NOT EXISTS ({known}) THEN INSERT INTO {schemas} (schema_hash, pipeline, load_id, inserted_at, schema) VALUES (@hash, @pipeline, @load_id, CURRENT_TIMESTAMP(), @schema); END IF"
        )];
        if self.manifest.state.is_some() {
            statements.push(format!(
                "INSERT INTO {states} (pipeline, load_id, inserted_at, state) VALUES (@pipeline, @load_id, CURRENT_TIMESTAMP(), @state)"
            ));
        }
        statements
    }

    /// dlt's own documents. It takes the newest row of a schema, so one that comes back has to be the newest again.
    fn dlt_documents(&self, Documents { schema, state }: &Documents) -> Vec<String> {
        let (schemas, states) = (self.own(SystemTable::Schemas), self.own(SystemTable::State));
        let mut statements = Vec::new();
        if schema.is_new {
            statements.push(format!("DELETE FROM {schemas} WHERE version_hash = @hash AND schema_name = @name"));
            statements.push(format!(
                "INSERT INTO {schemas} (version, engine_version, inserted_at, schema_name, version_hash, schema) VALUES ({}, {SCHEMA_ENGINE}, CURRENT_TIMESTAMP(), @name, @hash, @schema)",
                schema.version
            ));
        }
        if let Some(state) = state {
            let id = content_hash(format!("{} {}", self.manifest.load_id, self.manifest.target.pipeline).as_bytes());
            let id: String = id.chars().filter(char::is_ascii_alphanumeric).take(14).collect();
            statements.push(format!(
                "INSERT INTO {states} (version, engine_version, pipeline_name, state, created_at, version_hash, _dlt_load_id, _dlt_id) VALUES ({}, {STATE_ENGINE}, @pipeline, @state, CURRENT_TIMESTAMP(), @state_hash, @load_id, '{id}')",
                state.version
            ));
        }
        statements
    }
}
