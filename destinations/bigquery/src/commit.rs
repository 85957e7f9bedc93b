//! The commit: one script with one transaction brings all staged rows, the load's record, schema and state.
//!
//! Tables and columns are made before it, since no transaction of BigQuery's may change a table of the dataset; that is only ever
//! more, and may be repeated. The script is a job whose id is made from the load: a second process that commits the same load
//! finds the job. It looks for the load's record first, so that even another job would change nothing.

use crate::error::Failure;
use crate::names::{identifier, qualified};
use crate::query::{Answer, parameter, rows_of_job};
use crate::stage::{Inner, Place, StagedRows};
use crate::types::{conversion, type_name};
use crate::{jobs, read, tables};
use futures_util::{StreamExt, TryStreamExt, stream};
use longshore_core::destination::{CommitOutcome, rejects_table};
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::package::{Manifest, TableCount};
use longshore_core::schema::{Column, SystemColumns, SystemTable, Table};
use longshore_sql::system_table;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tracing::{debug, info};

/// A transaction may change 100 tables; the loader's own are three of them.
const TABLES_A_TRANSACTION: usize = 90;
/// Jobs of one commit that are tried, or found to have failed.
const ATTEMPTS: u32 = 30;
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Names and types of a table's columns, as they are in the dataset.
type Columns = Vec<(String, String)>;

/// Commits what was staged and says what came of it.
pub(crate) async fn commit(load: &mut Inner, manifest: &Manifest) -> Result<CommitOutcome> {
    let staged = load.finish_staging().await?;
    let load = &load.place;
    let target = &load.opening.target;
    if read::has_load(&load.api, &target.dataset, &manifest.load_id).await? {
        return Ok(CommitOutcome::AlreadyCommitted);
    }
    let there = ensure_tables(load, manifest, &staged).await?;
    let filled: Vec<&StagedRows> = staged.iter().filter(|s| s.rows > 0).collect();
    let steps: Vec<&[&StagedRows]> = match filled.len() > TABLES_A_TRANSACTION {
        true => filled.chunks(TABLES_A_TRANSACTION).collect(),
        false => vec![&filled],
    };
    let mut counted = BTreeMap::new();
    for (number, step) in steps.iter().enumerate() {
        let script = Script { load, manifest, there: &there, number, is_last: number + 1 == steps.len() };
        match run(load, &script.job_name(), &script.text(step)?, &script.parameters(), step).await? {
            Outcome::Committed(rows) => counted.extend(step.iter().map(|s| s.table.clone()).zip(rows)),
            Outcome::Already if script.is_last => return Ok(CommitOutcome::AlreadyCommitted),
            // An earlier try has done this step.
            Outcome::Already => counted.extend(step.iter().map(|s| (s.table.clone(), s.rows))),
        }
    }
    debug!(load_id = %manifest.load_id, "committed");
    let count =
        |t: &TableCount| TableCount { table: t.table.clone(), rows: counted.get(&t.table).copied().unwrap_or(0) };
    Ok(CommitOutcome::Committed(manifest.tables.iter().map(count).collect()))
}

/// Makes what is missing of all tables that are to be there after the load.
async fn ensure_tables(load: &Place, manifest: &Manifest, staged: &[StagedRows]) -> Result<BTreeMap<String, Columns>> {
    let system = load.opening.system_columns;
    let mut wanted = manifest.schema.tables.clone();
    let rejects = rejects_table(system);
    if staged.iter().any(|s| s.table == rejects.name) {
        wanted.push(rejects);
    }
    wanted.extend([SystemTable::Loads, SystemTable::Schemas, SystemTable::State].map(|t| system_table(system, t)));
    // Refused before the first table is made.
    let longest = load.api.config.max_identifier_length;
    wanted.iter().try_for_each(|t| crate::names::check_names(t, longest))?;
    let dataset = &load.opening.target.dataset;
    let ensure = |table: Table| async move {
        let columns = tables::ensure(&load.api, dataset, &table).await?;
        Ok::<_, Error>((table.name, columns))
    };
    stream::iter(wanted.into_iter().map(ensure)).buffer_unordered(8).try_collect().await
}

/// What a script found.
enum Outcome {
    /// Rows inserted, one number a table.
    Committed(Vec<u64>),
    Already,
}

/// Runs a script under the first name whose job has not failed; a failure that passes is tried again under the next.
async fn run(load: &Place, name: &str, sql: &str, parameters: &[Value], step: &[&StagedRows]) -> Result<Outcome> {
    let (api, location) = (&load.api, load.staging.location.as_str());
    let (mut tries, mut pause) = (0, FIRST_PAUSE);
    for attempt in 0..ATTEMPTS {
        let id = format!("{name}_{attempt}");
        let job = json!({
            "jobReference": {"projectId": api.config.project, "jobId": id, "location": location},
            "configuration": {"query": {
                "query": sql, "useLegacySql": false, "parameterMode": "NAMED", "queryParameters": parameters,
            }},
        });
        let is_new = jobs::insert(api, &job).await?;
        match jobs::wait(api, &id, Some(location)).await {
            Ok(_) => return outcome(&rows_of_job(api, &id, location).await?, step),
            // It failed in an earlier run of this load; what it failed of may be gone.
            Err(failure @ Failure::Refused(_)) if !is_new => debug!(?failure, "an earlier commit failed"),
            Err(failure) if failure.is_passing() && tries < TRIES && matches!(failure, Failure::Refused(_)) => {
                info!(?failure, "the commit failed, trying again");
                tries += 1;
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(failure) => return Err(Error::from(failure).with("dataset", &load.opening.target.dataset)),
        }
    }
    Err(Error::new(ErrorKind::Unavailable, "too many commits of this load have failed"))
}

/// Reads the script's last answer: a word and the counts.
fn outcome(answer: &Answer, step: &[&StagedRows]) -> Result<Outcome> {
    let row = answer.rows.first().map_or(&[][..], |r| r.as_slice());
    let word = row.first().and_then(Value::as_str).unwrap_or_default();
    let numbers = row.iter().skip(1).filter_map(|v| v.as_str().and_then(|n| n.parse().ok()));
    let numbers: Vec<u64> = numbers.collect();
    match word {
        "committed" => Ok(Outcome::Committed(numbers)),
        "already" => Ok(Outcome::Already),
        "miscounted" => {
            let wrong = step.iter().zip(&numbers).find(|(s, n)| s.rows != **n);
            let (table, text) = wrong.map_or(("", "rows are missing".to_owned()), |(s, n)| {
                (s.table.as_str(), format!("{n} of {} staged rows are there", s.rows))
            });
            Err(Error::new(ErrorKind::Integrity, text)
                .with("table", table)
                .hint("nothing was committed: run the same command again"))
        }
        _ => Err(Error::internal("the commit's script gave no answer")),
    }
}

/// One transaction of a load, as a script.
struct Script<'a> {
    load: &'a Place,
    manifest: &'a Manifest,
    there: &'a BTreeMap<String, Columns>,
    number: usize,
    is_last: bool,
}

impl Script<'_> {
    /// What its jobs' ids begin with.
    fn job_name(&self) -> String {
        format!("longshore{}_commit_{}", self.load.staging.key, self.number)
    }

    fn system(&self) -> SystemColumns {
        self.load.opening.system_columns
    }

    fn own(&self, table: SystemTable) -> String {
        qualified(&self.load.opening.target.dataset, self.system().table_name(table))
    }

    fn parameters(&self) -> Vec<Value> {
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

    fn text(&self, step: &[&StagedRows]) -> Result<String> {
        let loads = self.own(SystemTable::Loads);
        let counts: Vec<String> = (0..step.len()).map(|i| format!("n{i}")).collect();
        let answer = |word: &str| {
            [format!("SELECT '{word}' AS outcome"), counts.join(", ")].join(if counts.is_empty() { "" } else { ", " })
        };
        let mut lines = Vec::new();
        if !counts.is_empty() {
            lines.push(format!("DECLARE {} INT64 DEFAULT 0", counts.join(", ")));
        }
        lines.push("BEGIN TRANSACTION".to_owned());
        // Status 0 is a committed load; a step of a load with more tables than a transaction may change has its own.
        let done = if self.is_last { "0".to_owned() } else { format!("0, {}", self.number + 1) };
        lines.push(format!(
            "IF EXISTS (SELECT 1 FROM {loads} WHERE load_id = @load_id AND status IN ({done})) THEN ROLLBACK TRANSACTION; {}; RETURN; END IF",
            answer("already")
        ));
        for (staged, count) in step.iter().zip(&counts) {
            lines.extend(self.fill(staged)?);
            lines.push(format!("SET {count} = @@row_count"));
        }
        if !step.is_empty() {
            let wrong: Vec<String> = step.iter().zip(&counts).map(|(s, n)| format!("{n} <> {}", s.rows)).collect();
            lines.push(format!(
                "IF {} THEN ROLLBACK TRANSACTION; {}; RETURN; END IF",
                wrong.join(" OR "),
                answer("miscounted")
            ));
        }
        lines.extend(self.records());
        lines.push("COMMIT TRANSACTION".to_owned());
        lines.push(answer("committed"));
        Ok(lines.join(";\n") + ";")
    }

    /// The statements that bring a table's staged rows into it; the last one's row count is the table's.
    /// Appending is all there is so far: replacing and merging are other statements here.
    fn fill(&self, staged: &StagedRows) -> Result<Vec<String>> {
        let Some(there) = self.there.get(&staged.table) else {
            return Err(Error::internal("a table was staged that the load does not have").with("table", &staged.table));
        };
        let widest = staged.files.iter().map(|(_, c)| c).max_by_key(|c| c.len());
        let columns = widest.map_or(&[][..], |c| c.as_slice());
        let selects: Result<Vec<String>> =
            staged.files.iter().map(|(file, has)| self.select(file, has, columns, there)).collect();
        let names: Vec<String> = columns.iter().map(|c| identifier(&c.name)).collect();
        let into = qualified(&self.load.opening.target.dataset, &staged.table);
        Ok(vec![format!("INSERT INTO {into} ({}) {}", names.join(", "), selects?.join(" UNION ALL "))])
    }

    /// Selects the rows of one staging table, as the table they go to wants them.
    fn select(&self, file: &str, has: &[Column], columns: &[Column], there: &Columns) -> Result<String> {
        let expression = |(i, column): (usize, &Column)| {
            let kind = there.iter().find(|(name, _)| name.to_lowercase() == column.name.to_lowercase());
            let kind = kind.map_or(type_name(column.data_type), |(_, kind)| kind.as_str());
            if i >= has.len() {
                return Ok(format!("CAST(NULL AS {kind})"));
            }
            conversion(&identifier(&column.name), column.data_type, kind)
                .ok_or_else(|| Error::internal("a column's type has changed").with("column", &column.name))
        };
        let list: Result<Vec<String>> = columns.iter().enumerate().map(expression).collect();
        Ok(format!("SELECT {} FROM {}", list?.join(", "), qualified(&self.load.staging.dataset, file)))
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
