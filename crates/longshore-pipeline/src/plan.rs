//! What a load would do, without doing it: the source is read (or its first records), rows are normalised and counted,
//! and each destination is asked what it has. Nothing is written anywhere.

use crate::extract::Extract;
use crate::keys::{At, Keys};
use crate::merge_rules;
use crate::pipeline::DestinationRef;
use crate::refusals::{Refusals, Refused};
use crate::repeated_keys::RepeatedKeys;
use crate::resume::runtime;
use crate::run::{Run, extract_all};
use crate::sample::Sample;
use crate::standing::standing;
use crate::store::StoredPackage;
use crate::table_plan::{Load, TablePlan, tables, versions_begin};
use crate::touched::Touched;
use crate::unique_values::UniqueValues;
use arrow_array::{Array, ArrayRef, RecordBatch};
use longshore_core::destination::{Committed, Cost, Growth, TableSize};
use longshore_core::error::{Error, Result};
use longshore_core::normalize::Shape;
use longshore_core::package::{Counts, DiscardCount, LoadId, TableCount, Target};
use longshore_core::refresh::{Cleared, without};
use longshore_core::schema::{Schema, SchemaChange, SystemTable};
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
    /// `Some` when only so many records of each resource were asked for.
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
    /// The load is there already: it would not be loaded again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_there: bool,
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
    /// What the load would be billed, where the destination bills.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
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
    /// Rows are added to the tables as they are.
    None,
    /// Tables or columns would be made or changed, or rows that are there replaced, deleted or ended.
    Changes,
    /// The load would not be begun.
    Refused,
}

impl Plan {
    /// Returns the gravest verdict.
    pub fn verdict(&self) -> Verdict {
        self.destinations.iter().map(|d| d.verdict).max().unwrap_or(Verdict::None)
    }
}

impl Load {
    /// Looks whether the rules of its merges can be kept, and returns what the user should know.
    fn check_rules(&mut self, counts: &Counts) -> Vec<String> {
        let rows = |t: &TableSize| TableCount { table: t.table.clone(), rows: t.rows };
        let tables: Vec<TableCount> = self.sizes.iter().map(rows).collect();
        match merge_rules::check(&self.schema, &self.resources, &tables, counts) {
            Ok(notes) => notes,
            Err(e) => {
                self.broken_rules = Some(e);
                Vec::new()
            }
        }
    }

    /// Says of which columns that must be unique a plan does not know whether they would be.
    fn unknown_values(&self, destinations: &[DestinationRef]) -> Option<String> {
        let are_checked = destinations.iter().any(|d| d.destination.capabilities().checks_unique);
        let unknown = self.unique.unknown();
        (are_checked && !unknown.is_empty()).then(|| {
            format!("whether each value of {} would be there once is not looked at: the load does", unknown.join(", "))
        })
    }
}

/// Rows and their size, by table.
#[derive(Default)]
struct Sizes(BTreeMap<String, TableSize>);

impl Sizes {
    fn add(&mut self, table: &str, rows: &RecordBatch) {
        let size =
            self.0.entry(table.to_owned()).or_insert_with(|| TableSize { table: table.to_owned(), rows: 0, bytes: 0 });
        size.rows += rows.num_rows() as u64;
        let bytes = |c: &ArrayRef| c.to_data().get_slice_memory_size().unwrap_or_default() as u64;
        size.bytes += rows.columns().iter().map(bytes).sum::<u64>();
    }
}

/// Plans a run of a source; `sample` ends the reading after so many records of each resource.
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
    let mut source = Sample::new(source, shape.resource_tables(), sample);
    source.begin(&Start { load_id: load_id.clone(), state, journal: None })?;
    let (mut sizes, mut keys, mut repeated) = (Sizes::default(), Keys::default(), RepeatedKeys::of_the_first());
    let mut unique = UniqueValues::default();
    let extract = Extract::new(&mut source, shape, load_id, run.options.on_error, run.options.progress.clone());
    let mut extracted = extract_all(extract, run.options.threads.max(1), |batches| {
        for (_, tables) in batches {
            for batch in tables {
                sizes.add(&batch.table.name, &batch.rows);
                keys.add(&batch.table, &batch.rows);
                unique.add(&batch.table, &batch.rows);
                repeated.add(&batch.table, &batch.rows)?;
            }
        }
        Ok(())
    })?;
    notes.extend(source.notes());
    notes.extend(run.finish_shape(&mut extracted.shape));
    let mut load = Load {
        schema: extracted.shape.schema().clone(),
        sizes: sizes.0.into_values().collect(),
        resources: extracted.shape.resource_tables(),
        drops,
        empties,
        keys,
        unique,
        refused: extracted.refused,
        is_whole: sample.is_none(),
        broken_rules: None,
    };
    notes.extend(repeated.is_partial().then(|| {
        format!(
            "records with the same primary key were looked for among the first {} only: the load looks at all",
            repeated.most()
        )
    }));
    load.broken_rules = repeated.check().err();
    notes.extend(load.check_rules(&extracted.counts));
    notes.extend(load.unknown_values(destinations));
    let waiting = pipeline.store().pending()?;
    notes.extend(waiting.iter().filter(|p| p.is_of(&run.options.fingerprint) && p.manifest.state.is_none()).map(|p| {
        format!("this input waits in load {}, read by an earlier run of this command: the load would complete that and end, and what follows here would be the load after it", p.manifest.load_id)
    }));
    notes.extend(pipeline.store().untold_of(&run.options.fingerprint).map(|p| {
        format!("load {} of an earlier run of this command was completed by another one: the load would say so and end, and what follows here would be the load after it", p.manifest.load_id)
    }));
    let outs = refusals.into_iter().zip(standing.out).map(|(refused, out)| refused.or(out));
    let plans = destinations.iter().zip(outs).map(|(d, out)| match out.as_ref().or(load.broken_rules.as_ref()) {
        Some(why) => refused(d, why),
        None => at_destination(d, &target, &load).unwrap_or_else(|e| refused(d, &e)),
    });
    Ok(Plan {
        pipeline: target.pipeline.clone(),
        dataset: target.dataset.clone(),
        sample,
        counts: extracted.counts,
        discards: extracted.discards,
        waiting: waiting.into_iter().map(|p| p.manifest.load_id).collect(),
        destinations: plans.collect(),
        notes,
    })
}

/// Plans the loading of a package that is sealed.
pub(crate) fn plan_package(destinations: &[DestinationRef], package: &StoredPackage) -> Result<Plan> {
    let manifest = &package.manifest;
    let (mut sizes, mut keys, mut unique) = (Sizes::default(), Keys::default(), UniqueValues::default());
    for part in package.parts() {
        for rows in part.batches()? {
            let rows = rows?;
            sizes.add(&part.table.name, &rows);
            unique.add(&part.table, &rows);
            if part.table.is_root() && part.table.write.merges() {
                keys.add(&part.table, &rows);
            }
        }
    }
    let mut load = Load {
        schema: manifest.schema.clone(),
        sizes: sizes.0.into_values().collect(),
        resources: manifest.resources.clone(),
        drops: manifest.drops.clone(),
        empties: manifest.empties.clone(),
        keys,
        unique,
        refused: Refusals::default(),
        is_whole: true,
        broken_rules: None,
    };
    let mut notes = load.check_rules(&manifest.counts);
    notes.extend(load.unknown_values(destinations));
    let runtime = runtime()?;
    let plans = destinations.iter().map(|d| {
        // One that cannot be asked says why below.
        if let Ok(true) = runtime.block_on(d.destination.is_committed(&manifest.target, &manifest.load_id)) {
            return DestinationPlan { is_there: true, ..nothing(d, Verdict::None) };
        }
        match &load.broken_rules {
            Some(why) => refused(d, why),
            None => at_destination(d, &manifest.target, &load).unwrap_or_else(|e| refused(d, &e)),
        }
    });
    Ok(Plan {
        pipeline: manifest.target.pipeline.clone(),
        dataset: manifest.target.dataset.clone(),
        sample: None,
        counts: manifest.counts,
        discards: manifest.discards.clone(),
        waiting: Vec::new(),
        destinations: plans.collect(),
        notes,
    })
}

fn refused(destination: &DestinationRef, why: &Error) -> DestinationPlan {
    let refusal = Refusal { error: why.to_string(), hint: why.hint_text().map(str::to_owned) };
    DestinationPlan { refused: Some(refusal), ..nothing(destination, Verdict::Refused) }
}

fn nothing(destination: &DestinationRef, verdict: Verdict) -> DestinationPlan {
    DestinationPlan {
        destination: destination.url.clone(),
        verdict,
        is_there: false,
        refused: None,
        violations: Vec::new(),
        violations_not_listed: 0,
        tables: Vec::new(),
        statements: Vec::new(),
        cost: None,
    }
}

fn by_contract(violations: &[Refused], more: u64) -> Refusal {
    let count = violations.iter().map(|v| v.count).sum::<u64>() + more;
    let first = violations.first().map_or("", |v| v.hint);
    Refusal {
        error: format!(
            "the schema's contract, a limit, the rules of the merge or a unique column refuse {count} values or rows of the load"
        ),
        hint: Some(first.to_owned()),
    }
}

fn at_destination(at: &DestinationRef, target: &Target, load: &Load) -> Result<DestinationPlan> {
    let destination = at.destination.as_ref();
    destination.check(&load.schema)?;
    let runtime = runtime()?;
    let committed: Option<Committed> = runtime.block_on(destination.last_committed(target))?;
    let existing = match &committed {
        Some(_) => runtime.block_on(destination.tables(&target.dataset))?,
        // Another pipeline's dataset, or none at all.
        None => runtime.block_on(destination.tables(&target.dataset)).unwrap_or_default(),
    };
    let system = load.schema.system_columns;
    let before = committed.map_or_else(|| Schema::new(&load.schema.name, system), |c| c.schema);
    let before = without(before, &load.drops);
    let mut change = SchemaChange::between(&before, &load.schema);
    let asked = At { destination, dataset: &target.dataset };
    let begun = runtime.block_on(versions_begin(&asked, load, &before, &existing, &mut change));
    let growth = Growth {
        dataset: &target.dataset,
        drops: &load.drops,
        schema: &load.schema,
        change: &change,
        rejects: load.sizes.iter().any(|t| t.table == system.table_name(SystemTable::Rejects)),
        existing: &existing,
    };
    let cost = runtime.block_on(destination.cost(&growth, &load.sizes)).unwrap_or_else(|e| {
        // A plan is of use without it.
        Some(Cost { unknown: Some(e.to_string()), ..Cost::default() })
    });
    let mut tables = tables(load, &change, &existing, &begun);
    let (mut violations, violations_not_listed) = load.refused.clone().into_parts();
    if destination.capabilities().checks_unique {
        let stays = |table: &str| tables.iter().all(|t| t.table != table || t.removed_rows == 0);
        violations.extend(runtime.block_on(load.unique.violations(&asked, &change, stays)));
    }
    let (schema, keys, is_whole) = (&load.schema, &load.keys, load.is_whole);
    let touched = Touched { at: asked, schema, keys, is_whole, may_ask: cost.is_none() };
    runtime.block_on(touched.describe(&mut tables));
    let changes =
        !change.is_empty() || !load.drops.is_empty() || tables.iter().any(|t| t.removed_rows > 0 || t.changes_rows);
    Ok(DestinationPlan {
        destination: at.url.clone(),
        verdict: match (violations.is_empty(), changes) {
            (false, _) => Verdict::Refused,
            (_, true) => Verdict::Changes,
            _ => Verdict::None,
        },
        is_there: false,
        refused: (!violations.is_empty()).then(|| by_contract(&violations, violations_not_listed)),
        violations,
        violations_not_listed,
        statements: destination.statements(&growth),
        cost,
        tables,
    })
}
