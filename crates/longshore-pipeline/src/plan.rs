//! What a load would do, without doing it: the source is read (or its first records), rows are normalised and counted,
//! and each destination is asked what it has. Nothing is written anywhere.

use crate::extract::Extract;
use crate::keys::Keys;
use crate::pipeline::DestinationRef;
use crate::refusals::{Refusals, Refused};
use crate::resume::runtime;
use crate::run::{Run, extract_all};
use crate::sample::Sample;
use crate::standing::standing;
use crate::store::StoredPackage;
use longshore_core::destination::{Committed, Growth};
use longshore_core::error::{Error, Result};
use longshore_core::normalize::Shape;
use longshore_core::package::{Counts, DiscardCount, LoadId, TableCount, Target};
use longshore_core::refresh::{Cleared, without};
use longshore_core::schema::{Retyped, Schema, SchemaChange, Table};
use longshore_core::source::{Source, Start};
use serde::Serialize;
use std::collections::BTreeMap;

/// What a load would do.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// The pipeline.
    pub pipeline: String,
    /// The dataset.
    pub dataset: String,
    /// `Some` when only so many records were asked for.
    pub sample: Option<u64>,
    /// What was read.
    pub counts: Counts,
    /// What the schema's contract would have left out, by table.
    pub discards: Vec<DiscardCount>,
    /// Loads that are sealed and wait: they would be loaded first.
    pub waiting: Vec<LoadId>,
    /// One for each destination.
    pub destinations: Vec<DestinationPlan>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// What it would do at one destination.
#[derive(Debug, Serialize)]
pub struct DestinationPlan {
    /// Its URL, without secrets.
    pub destination: String,
    /// What a load would come to.
    pub verdict: Verdict,
    /// Why it would be refused, and the way out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
    /// What of the records the schema's contract or a limit refuses, each kind once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<Refused>,
    /// Violations of further kinds that are not listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub violations_not_listed: u64,
    /// Tables that would get rows, or change.
    pub tables: Vec<TablePlan>,
    /// The statements that would make room for what is new, in order.
    pub statements: Vec<String>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Why a destination cannot take the load.
#[derive(Debug, Serialize)]
pub struct Refusal {
    /// What is wrong.
    pub error: String,
    /// What to do.
    pub hint: Option<String>,
}

/// In one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Rows fit into the tables as they are.
    None,
    /// Tables or columns would be made or changed, or rows that are there replaced.
    Changes,
    /// The load would not be begun.
    Refused,
}

/// What would become of one table.
#[derive(Debug, Serialize)]
pub struct TablePlan {
    /// The table.
    pub table: String,
    /// It would be made.
    pub is_new: bool,
    /// Columns that it would get, with their types: all of a new table.
    pub columns: Vec<ColumnPlan>,
    /// Columns that would become wider.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub widened: Vec<Retyped>,
    /// Rows of the load.
    pub rows: u64,
    /// Rows that are there; `None` when the table is not there.
    pub existing_rows: Option<u64>,
    /// How the rows would be written.
    pub write: String,
    /// Rows that are there and would go, because the load replaces the table.
    pub removed_rows: u64,
    /// Rows that are there with the key of one of the load, in a root table that it is merged into; `None` where that
    /// cannot be asked (keys of several columns, or very many).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched_rows: Option<u64>,
}

/// A column to be made.
#[derive(Debug, Serialize)]
pub struct ColumnPlan {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: String,
}

impl Plan {
    /// Returns the gravest verdict.
    pub fn verdict(&self) -> Verdict {
        self.destinations.iter().map(|d| d.verdict).max().unwrap_or(Verdict::None)
    }
}

/// What a load brings, whichever way it was found out.
struct Load {
    schema: Schema,
    rows: Vec<TableCount>,
    resources: Vec<String>,
    drops: Vec<String>,
    empties: Vec<String>,
    keys: Keys,
    refused: Refusals,
}

/// Plans a run of a source; `sample` ends the reading after so many records.
pub(crate) fn plan(run: &Run<'_>, source: &mut dyn Source, sample: Option<u64>) -> Result<Plan> {
    let pipeline = run.pipeline;
    let target = Target { pipeline: pipeline.name().to_owned(), dataset: run.options.dataset.clone() };
    let destinations = pipeline.destinations();
    let refusals: Vec<Option<Error>> = destinations.iter().map(|d| run.refusal(d).err()).collect();
    let mut standing = standing(pipeline, &target, refusals.iter().map(|_| None).collect())?;
    let mut notes = std::mem::take(&mut standing.notes);
    let state = standing.known.as_ref().and_then(|k| k.state.clone());
    let Cleared { schema: known, state, drops, empties } = run.cleared(run.schema(standing.known.take())?, state);
    let can_widen = run.resources().iter().all(|r| r.rules.can_widen);
    let schema = run.options.schema_files.apply(known, can_widen)?;
    let mut resources = run.resources();
    resources.iter_mut().for_each(|r| r.rules.survey = true);
    let shape =
        Shape::with_resources(schema.clone(), resources).ok_or_else(|| Error::config("the run has no resources"))?;
    let load_id = pipeline.store().next_load_id(crate::run::now_micros()?, schema.system_columns);
    let mut source = Sample::new(source, sample);
    source.begin(&Start { load_id: load_id.clone(), state, journal: None })?;
    let (mut rows, mut keys) = (BTreeMap::<String, u64>::new(), Keys::default());
    let extract = Extract::new(&mut source, shape, load_id, run.options.on_error, run.options.progress.clone());
    let extracted = extract_all(extract, run.options.threads.max(1), |batches| {
        for (_, tables) in batches {
            for batch in tables {
                *rows.entry(batch.table.name.clone()).or_default() += batch.rows.num_rows() as u64;
                keys.add(&batch.table, &batch.rows);
            }
        }
        Ok(())
    })?;
    notes.extend(source.notes());
    let load = Load {
        schema: extracted.shape.schema().clone(),
        rows: rows.into_iter().map(|(table, rows)| TableCount { table, rows }).collect(),
        resources: extracted.shape.resource_tables(),
        drops,
        empties,
        keys,
        refused: extracted.refused,
    };
    let outs = refusals.into_iter().zip(standing.out).map(|(refused, out)| refused.or(out));
    let plans = destinations.iter().zip(outs).map(|(d, out)| match out {
        Some(why) => refused(d, &why),
        None => at_destination(d, &target, &load).unwrap_or_else(|e| refused(d, &e)),
    });
    Ok(Plan {
        pipeline: target.pipeline.clone(),
        dataset: target.dataset.clone(),
        sample,
        counts: extracted.counts,
        discards: extracted.discards,
        waiting: waiting(run)?,
        destinations: plans.collect(),
        notes,
    })
}

/// Plans the loading of a package that is sealed.
pub(crate) fn plan_package(destinations: &[DestinationRef], package: &StoredPackage) -> Result<Plan> {
    let manifest = &package.manifest;
    let mut keys = Keys::default();
    for part in package.parts().filter(|p| p.table.is_root() && p.table.write.merges()) {
        part.batches()?.try_for_each(|rows| rows.map(|rows| keys.add(&part.table, &rows)))?;
    }
    let load = Load {
        schema: manifest.schema.clone(),
        rows: manifest.tables.clone(),
        resources: manifest.resources.clone(),
        drops: manifest.drops.clone(),
        empties: manifest.empties.clone(),
        keys,
        refused: Refusals::default(),
    };
    let plans = destinations.iter().map(|d| {
        let planned = at_destination(d, &manifest.target, &load);
        planned.unwrap_or_else(|e| refused(d, &e))
    });
    Ok(Plan {
        pipeline: manifest.target.pipeline.clone(),
        dataset: manifest.target.dataset.clone(),
        sample: None,
        counts: manifest.counts,
        discards: manifest.discards.clone(),
        waiting: Vec::new(),
        destinations: plans.collect(),
        notes: Vec::new(),
    })
}

fn waiting(run: &Run<'_>) -> Result<Vec<LoadId>> {
    let packages = run.pipeline.store().pending()?;
    Ok(packages.into_iter().map(|p| p.manifest.load_id).collect())
}

fn refused(destination: &DestinationRef, why: &Error) -> DestinationPlan {
    DestinationPlan {
        destination: destination.url.clone(),
        verdict: Verdict::Refused,
        refused: Some(Refusal { error: why.to_string(), hint: why.hint_text().map(str::to_owned) }),
        violations: Vec::new(),
        violations_not_listed: 0,
        tables: Vec::new(),
        statements: Vec::new(),
    }
}

fn by_contract(violations: &[Refused], more: u64) -> Refusal {
    let count = violations.iter().map(|v| v.count).sum::<u64>() + more;
    let first = violations.first().map_or("", |v| v.hint);
    Refusal {
        error: format!("the schema's contract, or a limit, refuses {count} values or rows of the load"),
        hint: Some(first.to_owned()),
    }
}

fn at_destination(at: &DestinationRef, target: &Target, load: &Load) -> Result<DestinationPlan> {
    let destination = at.destination.as_ref();
    let runtime = runtime()?;
    let committed: Option<Committed> = runtime.block_on(destination.last_committed(target))?;
    let existing = match &committed {
        Some(_) => runtime.block_on(destination.tables(&target.dataset))?,
        // Another pipeline's dataset, or none at all.
        None => runtime.block_on(destination.tables(&target.dataset)).unwrap_or_default(),
    };
    let system = load.schema.system_columns;
    let before = committed.map_or_else(|| Schema::new(&load.schema.name, system), |c| c.schema);
    let change = SchemaChange::between(&without(before, &load.drops), &load.schema);
    let growth = Growth {
        dataset: &target.dataset,
        drops: &load.drops,
        schema: &load.schema,
        change: &change,
        existing: &existing,
    };
    let mut tables = tables(load, &change, &existing);
    tables.extend(gone(load, &existing));
    for table in tables.iter_mut().filter(|t| t.existing_rows.is_some()) {
        table.matched_rows = runtime.block_on(load.keys.count(destination, &target.dataset, &table.table));
    }
    let (violations, violations_not_listed) = load.refused.clone().into_parts();
    let changes = !change.is_empty() || !load.drops.is_empty() || tables.iter().any(|t| t.removed_rows > 0);
    Ok(DestinationPlan {
        destination: at.url.clone(),
        verdict: match (violations.is_empty(), changes) {
            (false, _) => Verdict::Refused,
            (_, true) => Verdict::Changes,
            _ => Verdict::None,
        },
        refused: (!violations.is_empty()).then(|| by_contract(&violations, violations_not_listed)),
        violations,
        violations_not_listed,
        statements: destination.statements(&growth),
        tables,
    })
}

fn root_of<'a>(schema: &'a Schema, table: &'a Table) -> &'a Table {
    match table.parent.as_deref().and_then(|p| schema.table(p)) {
        Some(parent) => root_of(schema, parent),
        None => table,
    }
}

/// Tables that go and do not come again.
fn gone<'a>(load: &'a Load, existing: &'a [TableCount]) -> impl Iterator<Item = TablePlan> + 'a {
    let is_gone = |t: &&TableCount| load.drops.contains(&t.table) && load.schema.table(&t.table).is_none();
    existing.iter().filter(is_gone).map(|t| TablePlan {
        table: t.table.clone(),
        is_new: false,
        columns: Vec::new(),
        widened: Vec::new(),
        rows: 0,
        existing_rows: Some(t.rows),
        write: "drop".to_owned(),
        removed_rows: t.rows,
        matched_rows: None,
    })
}

fn tables(load: &Load, change: &SchemaChange, existing: &[TableCount]) -> Vec<TablePlan> {
    let replaced = |table: &Table| {
        let root = root_of(&load.schema, table);
        let is_replaced = root.write.replaces() && load.resources.contains(&root.name);
        is_replaced || load.empties.contains(&root.name) || load.drops.contains(&table.name)
    };
    let mut plans = Vec::new();
    for table in &load.schema.tables {
        let rows = load.rows.iter().find(|t| t.table == table.name).map_or(0, |t| t.rows);
        let change = change.tables.iter().find(|c| c.table == table.name);
        let existing_rows = existing.iter().find(|t| t.table == table.name).map(|t| t.rows);
        let removed_rows = if replaced(table) { existing_rows.unwrap_or_default() } else { 0 };
        if rows == 0 && change.is_none() && removed_rows == 0 {
            continue;
        }
        let column = |c: &longshore_core::schema::Column| ColumnPlan {
            name: c.name.clone(),
            data_type: c.column_type().to_string(),
        };
        plans.push(TablePlan {
            table: table.name.clone(),
            is_new: change.is_some_and(|c| c.is_new),
            columns: change.map_or_else(Vec::new, |c| c.columns.iter().map(column).collect()),
            widened: change.map_or_else(Vec::new, |c| c.retyped.clone()),
            rows,
            existing_rows,
            write: table.write.to_string(),
            removed_rows,
            matched_rows: None,
        });
    }
    let rejects = load.rows.iter().filter(|t| load.schema.table(&t.table).is_none());
    plans.extend(rejects.map(|t| TablePlan {
        table: t.table.clone(),
        is_new: !existing.iter().any(|e| e.table == t.table),
        columns: Vec::new(),
        widened: Vec::new(),
        rows: t.rows,
        existing_rows: existing.iter().find(|e| e.table == t.table).map(|e| e.rows),
        write: "append".to_owned(),
        removed_rows: 0,
        matched_rows: None,
    }));
    plans
}
