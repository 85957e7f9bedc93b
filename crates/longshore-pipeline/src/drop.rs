//! Dropping resources: their tables go at the destinations and their state is forgotten, by a load that brings nothing
//! else. It is a package like all others, so a process that dies in the middle is no matter.

use crate::deliver::deliver;
use crate::leases::Leases;
use crate::lock::PipelineLock;
use crate::pipeline::{FinishedRun, Order, Pipeline};
use crate::progress::Progress;
use crate::report::{Outcome, Timings};
use crate::resume::finish;
use crate::run::{FORMAT, now_micros};
use crate::select::{Selection, StatePath};
use crate::standing::{none_fails, standing};
use crate::store::{DestinationProgress, LoadProgress};
use crate::writer::PackageWriter;
use longshore_core::destination::Committed;
use longshore_core::error::{Error, Result};
use longshore_core::lease::Fence;
use longshore_core::package::{Counts, LoadId, Manifest, Target};
use longshore_core::refresh::{Slot, families, nothing_remembered, without};
use longshore_core::schema::SchemaChange;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

/// What is to go.
#[derive(Debug, Clone, Default)]
pub struct DropRequest {
    /// Resources.
    pub resources: Selection,
    /// Parts of the state beside that of the resources.
    pub state_paths: Vec<StatePath>,
    /// Leave the tables alone.
    pub state_only: bool,
}

/// What would go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DropPlan {
    /// The pipeline.
    pub pipeline: String,
    /// The dataset.
    pub dataset: String,
    /// Where.
    pub destinations: Vec<String>,
    /// The load that schema and state are of.
    pub after: Option<LoadId>,
    /// Root tables that go.
    pub resources: Vec<String>,
    /// All tables that go, children before their parents.
    pub tables: Vec<String>,
    /// Parts of the state that are forgotten, as paths.
    pub state: Vec<String>,
}

/// Drops what is asked for, if `agrees` says so of the plan. Returns `None` where it does not.
pub(crate) fn drop_resources(
    pipeline: &Pipeline,
    dataset: &str,
    request: &DropRequest,
    agrees: &mut dyn FnMut(&DropPlan) -> Result<bool>,
) -> Result<Option<FinishedRun>> {
    let store = pipeline.store();
    let lock = Arc::new(PipelineLock::acquire(store, pipeline.name(), pipeline.wait())?);
    store.sweep(None)?;
    nothing_waits(pipeline)?;
    let _leases = Leases::take(pipeline, &[dataset])?;
    let target = Target { pipeline: pipeline.name().to_owned(), dataset: dataset.to_owned() };
    let mut standing = standing(pipeline, &target, pipeline.destinations().iter().map(|_| None).collect())?;
    none_fails(pipeline.destinations(), &mut standing.out)?;
    let Some(known) = standing.known else {
        return Err(Error::config("the pipeline has loaded nothing there, so there is nothing to drop")
            .with("pipeline", pipeline.name())
            .with("dataset", dataset)
            .hint("name the dataset with --dataset and the destination with --destination"));
    };
    let (plan, state) = plan(pipeline, &target, &known, request)?;
    if !agrees(&plan)? {
        return Ok(None);
    }
    let began = Instant::now();
    let load_id = store.next_load_id(now_micros()?.max(known.load_id.micros() + 1000), known.schema.system_columns);
    let manifest = manifest(target, known, load_id, &plan, state);
    let mut writer = PackageWriter::begin(store, &manifest.load_id)?;
    writer.finish()?;
    let destinations = pipeline.destinations().iter();
    let destinations = destinations.map(|d| DestinationProgress { url: d.url.clone(), ..Default::default() }).collect();
    let progress = LoadProgress { destinations, ..LoadProgress::default() };
    let mut packages = [writer.seal(store, &manifest, &progress, || Ok(()))?];
    let mut reports = deliver(pipeline, &mut packages, &Progress::default(), Order::Kept);
    let timings = Timings { load: began.elapsed().as_secs_f64(), ..Timings::default() };
    let [package] = packages;
    finish(pipeline, package, reports.pop().unwrap_or_default(), Outcome::Loaded, timings, &lock).map(Some)
}

/// A package that waits would bring back what is dropped.
fn nothing_waits(pipeline: &Pipeline) -> Result<()> {
    let pending = pipeline.store().pending()?;
    let Some(first) = pending.first() else { return Ok(()) };
    let ids: Vec<&str> = pending.iter().map(|p| p.manifest.load_id.as_str()).collect();
    let name = pipeline.name();
    Err(Error::config(format!("packages wait, and would bring back what is dropped: {}", ids.join(", ")))
        .with("pipeline", name)
        .hint(format!(
            "load them first (longshore pipeline {name} retry), or give them up (longshore pipeline {name} drop-package {})",
            first.manifest.load_id
        )))
}

/// What would go, and the state that would be left where it would be another.
fn plan(
    pipeline: &Pipeline,
    target: &Target,
    known: &Committed,
    request: &DropRequest,
) -> Result<(DropPlan, Option<Value>)> {
    let roots: Vec<String> = known.schema.tables.iter().filter(|t| t.is_root()).map(|t| t.name.clone()).collect();
    let slots = known.state.as_ref().map(slots).unwrap_or_default();
    let names: BTreeSet<&str> =
        roots.iter().map(String::as_str).chain(slots.iter().filter_map(|s| s.resource.as_deref())).collect();
    request.resources.check(&names)?;
    let resources: Vec<String> = roots.iter().filter(|r| request.resources.matches(r)).cloned().collect();
    let mut left = known.state.clone();
    let mut forgotten = Vec::new();
    for slot in slots.iter().filter(|s| s.resource.as_deref().is_some_and(|r| request.resources.matches(r))) {
        forgotten.extend(slot_paths(known.state.as_ref(), slot));
        left.iter_mut().for_each(|state| slot.forget(state, false));
    }
    for path in &request.state_paths {
        forgotten.extend(left.as_mut().map(|state| path.forget(state)).unwrap_or_default());
    }
    let resources = if request.state_only { Vec::new() } else { resources };
    let plan = DropPlan {
        pipeline: target.pipeline.clone(),
        dataset: target.dataset.clone(),
        destinations: pipeline.destinations().iter().map(|d| d.url.clone()).collect(),
        after: Some(known.load_id.clone()),
        tables: families(&known.schema, &resources),
        resources,
        state: forgotten,
    };
    if plan.tables.is_empty() && plan.state.is_empty() {
        let hint = match names.is_empty() {
            true => "the pipeline has no tables and remembers nothing there".to_owned(),
            false => format!("there are: {}", names.into_iter().collect::<Vec<_>>().join(", ")),
        };
        return Err(Error::config("nothing there is what is to be dropped")
            .with("pipeline", pipeline.name())
            .hint(hint));
    }
    let changes = left != known.state;
    Ok((plan, left.map(tidy).filter(|_| changes)))
}

/// Resources that the state knows.
fn slots(state: &Value) -> Vec<Slot> {
    let sources = state.get("sources").and_then(Value::as_object).into_iter().flatten();
    let of = |(source, remembered): (&String, &Value)| {
        let keys =
            |key: &str| remembered.get(key).and_then(Value::as_object).into_iter().flatten().map(|(k, _)| k.clone());
        let names: BTreeSet<String> = keys("resources").chain(keys("files")).collect();
        let slot = |name| Slot { source: source.clone(), resource: Some(name) };
        names.into_iter().map(slot).collect::<Vec<_>>()
    };
    sources.flat_map(of).collect()
}

/// Where a resource's state stands.
fn slot_paths(state: Option<&Value>, slot: &Slot) -> Vec<String> {
    let resource = slot.resource.as_deref().unwrap_or_default();
    let is_there =
        |key: &&str| state.and_then(|s| s.get("sources")?.get(&slot.source)?.get(*key)?.get(resource)).is_some();
    let keys = ["resources", "files"].into_iter().filter(is_there);
    keys.map(|key| format!("sources.{}.{key}.{resource}", slot.source)).collect()
}

/// A state in which nothing is left says so in one way.
fn tidy(state: Value) -> Value {
    let is_empty = state.as_object().is_none_or(serde_json::Map::is_empty);
    if is_empty { nothing_remembered() } else { state }
}

fn manifest(target: Target, known: Committed, load_id: LoadId, plan: &DropPlan, state: Option<Value>) -> Manifest {
    Manifest {
        format: FORMAT,
        load_id,
        target,
        fence: Fence::After(Some(known.load_id)),
        drops: plan.tables.clone(),
        empties: Vec::new(),
        resources: Vec::new(),
        change: SchemaChange::default(),
        schema: without(known.schema, &plan.tables),
        state,
        counts: Counts::default(),
        discards: Vec::new(),
        tables: Vec::new(),
        parts: Vec::new(),
    }
}
