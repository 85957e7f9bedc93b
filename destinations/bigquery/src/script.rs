//! One transaction of a load, as a script of BigQuery's.

use crate::names::{identifier, qualified};
use crate::query::parameter;
use crate::stage::{Place, StagedRows};
use crate::tables::Ensured;
use crate::types::{STAGED_ROW, conversion, type_name};
use crate::units::{Kind, Unit};
use longshore_core::error::{Error, Result};
use longshore_core::package::Manifest;
use longshore_core::schema::{Column, SystemColumns, SystemTable};
use serde_json::Value;
use std::collections::BTreeMap;

/// One transaction of a load.
pub(crate) struct Script<'a> {
    pub(crate) load: &'a Place,
    pub(crate) manifest: &'a Manifest,
    /// Tables as they are in the dataset.
    pub(crate) there: &'a BTreeMap<String, Ensured>,
    pub(crate) step: &'a [Unit<'a>],
    pub(crate) number: usize,
    pub(crate) is_last: bool,
}

/// A script's statements, and what it may refuse to do.
pub(crate) struct Text {
    pub(crate) sql: String,
    /// The script answers `refused 2` for the third of them.
    pub(crate) refusals: Vec<Error>,
}

/// Errors by number, with the statements that find them.
pub(crate) struct Refusals {
    /// The counts that stand in every answer.
    counts: Vec<String>,
    errors: Vec<Error>,
}

impl Refusals {
    /// Returns the statement that ends the script with that error if the query counts anything.
    pub(crate) fn add(&mut self, query: &str, error: Error) -> String {
        let statement = self.end_if(&format!("({query}) > 0"), &format!("refused {}", self.errors.len()));
        self.errors.push(error);
        statement
    }

    fn end_if(&self, condition: &str, word: &str) -> String {
        format!("IF {condition} THEN ROLLBACK TRANSACTION; {}; RETURN; END IF", self.answer(word))
    }

    fn answer(&self, word: &str) -> String {
        let columns: Vec<String> = [format!("'{word}' AS outcome")].into_iter().chain(self.counts.clone()).collect();
        format!("SELECT {}", columns.join(", "))
    }
}

impl Script<'_> {
    /// What its jobs' ids begin with.
    pub(crate) fn job_name(&self) -> String {
        format!("longshore{}_commit_{}", self.load.staging.key, self.number)
    }

    fn system(&self) -> SystemColumns {
        self.load.opening.system_columns
    }

    fn own(&self, table: SystemTable) -> String {
        qualified(&self.load.opening.target.dataset, self.system().table_name(table))
    }

    pub(crate) fn parameters(&self) -> Vec<Value> {
        let kind = if self.system() == SystemColumns::Native { "INT64" } else { "STRING" };
        let mut parameters = vec![
            parameter("load_id", kind, self.manifest.load_id.as_str()),
            parameter("pipeline", "STRING", &self.load.opening.target.pipeline),
            parameter("hash", "STRING", self.manifest.schema.hash()),
        ];
        if self.is_last {
            parameters.push(parameter("schema", "STRING", self.manifest.schema.to_json()));
            parameters.extend(self.manifest.state.as_ref().map(|s| parameter("state", "STRING", s.to_string())));
        }
        parameters
    }

    /// Returns the statements: is it done already, the rows, are they all there, the load's own records.
    pub(crate) fn text(&self) -> Result<Text> {
        let loads = self.own(SystemTable::Loads);
        let staged: Vec<&StagedRows> = self.step.iter().flat_map(|unit| &unit.staged).copied().collect();
        let counts: Vec<String> = (0..staged.len()).map(|i| format!("n{i}")).collect();
        let mut refusals = Refusals { counts: counts.clone(), errors: Vec::new() };
        let mut lines = Vec::new();
        if !counts.is_empty() {
            lines.push(format!("DECLARE {} INT64 DEFAULT 0", counts.join(", ")));
        }
        lines.push("BEGIN TRANSACTION".to_owned());
        // Status 0 is a committed load; a step of a load with more tables than a transaction may change has its own.
        let done = if self.is_last { "0".to_owned() } else { format!("0, {}", self.number + 1) };
        let known = format!("EXISTS (SELECT 1 FROM {loads} WHERE load_id = @load_id AND status IN ({done}))");
        lines.push(refusals.end_if(&known, "already"));
        lines.extend(self.fence(&loads, &mut refusals));
        let mut next_count = counts.iter();
        for unit in self.step {
            lines.extend(self.unit(unit, &mut next_count, &mut refusals)?);
        }
        if !staged.is_empty() {
            let wrong: Vec<String> = staged.iter().zip(&counts).map(|(s, n)| format!("{n} <> {}", s.rows)).collect();
            lines.push(refusals.end_if(&wrong.join(" OR "), "miscounted"));
        }
        lines.extend(self.records());
        lines.push("COMMIT TRANSACTION".to_owned());
        lines.push(refusals.answer("committed"));
        Ok(Text { sql: lines.join(";\n") + ";", refusals: refusals.errors })
    }

    /// The statement that refuses the load if another run of the pipeline has loaded meanwhile.
    fn fence(&self, loads: &str, refusals: &mut Refusals) -> Option<String> {
        let fence = &self.load.opening.fence;
        let newer = match (fence.after()?, self.system()) {
            (None, _) => String::new(),
            (Some(known), SystemColumns::Native) => format!(" AND load_id > {}", known.micros()),
            (Some(known), SystemColumns::Dlt) => format!(" AND load_id > '{known}'"),
        };
        let own = if self.system() == SystemColumns::Native { "pipeline" } else { "schema_name" };
        let query = format!("SELECT COUNT(*) FROM {loads} WHERE {own} = @pipeline AND status = 0{newer}");
        Some(refusals.add(&query, fence.overtaken(None, &self.load.opening.target)))
    }

    fn unit<'c>(
        &self,
        unit: &Unit<'_>,
        counts: &mut impl Iterator<Item = &'c String>,
        refusals: &mut Refusals,
    ) -> Result<Vec<String>> {
        let mut lines = match &unit.kind {
            Kind::Append | Kind::Merge(_) => Vec::new(),
            Kind::Replace => self.empty(unit),
            Kind::RootIds(tables) => self.root_ids(tables),
        };
        for (staged, count) in unit.staged.iter().zip(counts) {
            lines.extend(match unit.kind {
                Kind::Merge(_) => vec![format!("SET {count} = {}", self.count(staged))],
                _ => vec![self.fill(staged)?, format!("SET {count} = @@row_count")],
            });
        }
        if let Kind::Merge(root) = &unit.kind {
            lines.extend(self.merge(root, unit, refusals).map_err(|e| e.with("table", &root.name))?);
        }
        Ok(lines)
    }

    /// Counts a table's staged rows: free of charge, since it is known without reading them.
    fn count(&self, staged: &StagedRows) -> String {
        let count = |(file, _): &(String, Vec<Column>)| {
            format!("(SELECT COUNT(*) FROM {})", qualified(&self.load.staging.dataset, file))
        };
        staged.files.iter().map(count).collect::<Vec<_>>().join(" + ")
    }

    /// The statement that adds a table's staged rows to it.
    fn fill(&self, staged: &StagedRows) -> Result<String> {
        let widest = staged.files.iter().map(|(_, c)| c).max_by_key(|c| c.len());
        let columns = widest.map_or(&[][..], |c| c.as_slice());
        let names: Vec<String> = columns.iter().map(|c| identifier(&c.name)).collect();
        let into = qualified(&self.load.opening.target.dataset, &staged.table);
        Ok(format!("INSERT INTO {into} ({}) {}", names.join(", "), self.rows(staged, columns, false)?))
    }

    /// The query of a table's staged rows, with those columns, as the table they go to wants them; `ordered` with the rows'
    /// numbers, where they are numbered.
    pub(crate) fn rows(&self, staged: &StagedRows, columns: &[Column], ordered: bool) -> Result<String> {
        let Some(there) = self.there.get(&staged.table) else {
            return Err(Error::internal("a table was staged that the load does not have").with("table", &staged.table));
        };
        let order = if ordered && staged.is_ordered { format!(", {}", identifier(STAGED_ROW)) } else { String::new() };
        let selects: Result<Vec<String>> =
            staged.files.iter().map(|(file, has)| self.select(file, has, columns, there, &order)).collect();
        Ok(selects?.join(" UNION ALL "))
    }

    /// Selects the rows of one staging table; `more` ends the list of columns.
    fn select(&self, file: &str, has: &[Column], columns: &[Column], there: &Ensured, more: &str) -> Result<String> {
        let expression = |(i, column): (usize, &Column)| {
            let kind = there.columns.iter().find(|(name, _)| name.to_lowercase() == column.name.to_lowercase());
            let kind = kind.map_or(type_name(column.data_type), |(_, kind)| kind.as_str());
            let name = identifier(&column.name);
            if i >= has.len() {
                return Ok(format!("CAST(NULL AS {kind}) AS {name}"));
            }
            match conversion(&name, column.data_type, kind) {
                Some(sql) if sql == name => Ok(name),
                Some(sql) => Ok(format!("{sql} AS {name}")),
                None => Err(Error::internal("a column's type has changed").with("column", &column.name)),
            }
        };
        let list: Vec<String> = columns.iter().enumerate().map(expression).collect::<Result<_>>()?;
        Ok(format!("SELECT {}{more} FROM {}", list.join(", "), qualified(&self.load.staging.dataset, file)))
    }

    /// The statements that write the load's own records.
    fn records(&self) -> Vec<String> {
        let (loads, manifest) = (self.own(SystemTable::Loads), self.manifest);
        let status = if self.is_last { 0 } else { self.number + 1 };
        let rows: u64 = manifest.tables.iter().map(|t| t.rows).sum();
        let counts = manifest.counts;
        let record = match self.system() {
            SystemColumns::Native => format!(
                "INSERT INTO {loads} (load_id, pipeline, schema_hash, records, rejected, `rows`, status, inserted_at) VALUES (@load_id, @pipeline, @hash, {}, {}, {rows}, {status}, CURRENT_TIMESTAMP())",
                counts.read, counts.rejected
            ),
            SystemColumns::Dlt => format!(
                "INSERT INTO {loads} (load_id, schema_name, status, inserted_at, schema_version_hash) VALUES (@load_id, @pipeline, {status}, CURRENT_TIMESTAMP(), @hash)"
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
        statements.push(self.schema_record());
        statements.extend(manifest.state.as_ref().map(|s| self.state_record(&s.to_string())));
        statements
    }

    fn schema_record(&self) -> String {
        let schemas = self.own(SystemTable::Schemas);
        let (known, insert) = match self.system() {
            SystemColumns::Native => (
                "schema_hash = @hash AND pipeline = @pipeline",
                format!(
                    "INSERT INTO {schemas} (schema_hash, pipeline, load_id, inserted_at, schema) VALUES (@hash, @pipeline, @load_id, CURRENT_TIMESTAMP(), @schema)"
                ),
            ),
            SystemColumns::Dlt => (
                "version_hash = @hash AND schema_name = @pipeline",
                format!(
                    "INSERT INTO {schemas} (version, engine_version, inserted_at, schema_name, version_hash, schema) SELECT COALESCE(MAX(version), 0) + 1, 11, CURRENT_TIMESTAMP(), @pipeline, @hash, @schema FROM {schemas} WHERE schema_name = @pipeline"
                ),
            ),
        };
        format!("IF NOT EXISTS (SELECT 1 FROM {schemas} WHERE {known}) THEN {insert}; END IF")
    }

    fn state_record(&self, state: &str) -> String {
        let states = self.own(SystemTable::State);
        match self.system() {
            SystemColumns::Native => format!(
                "INSERT INTO {states} (pipeline, load_id, inserted_at, state) VALUES (@pipeline, @load_id, CURRENT_TIMESTAMP(), @state)"
            ),
            SystemColumns::Dlt => {
                let id = longshore_core::hash::content_hash(format!("{}{state}", self.manifest.load_id).as_bytes());
                let id = &id[..14.min(id.len())];
                format!(
                    "INSERT INTO {states} (version, engine_version, pipeline_name, state, created_at, version_hash, _dlt_load_id, _dlt_id) SELECT COALESCE(MAX(version), 0) + 1, 4, @pipeline, @state, CURRENT_TIMESTAMP(), CAST(NULL AS STRING), @load_id, '{id}' FROM {states} WHERE pipeline_name = @pipeline"
                )
            }
        }
    }
}
