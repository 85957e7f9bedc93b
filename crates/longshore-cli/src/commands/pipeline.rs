//! `longshore pipeline NAME …`: looking after a pipeline and its packages.

use super::{runtime, upkeep};
use crate::args::{Cli, LimitArgs, PipelineAction, PipelineArgs, SchemaFormat, TurnArgs};
use crate::error::FAILED;
use crate::place::{Addresses, data_dir};
use crate::say::say;
use crate::schema_text;
use crate::summary::{self, bytes, number};
use longshore_core::connect::Limits;
use longshore_core::error::{Error, Result};
use longshore_core::package::{LoadId, Manifest};
use longshore_pipeline::store::{DestinationProgress, Known, Store, StoredPackage};
use longshore_pipeline::{DestinationRef, Order, Outcome, Pipeline, Progress};
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn run(cli: &Cli, args: &PipelineArgs) -> Result<ExitCode> {
    let data_dir = data_dir(cli.data_dir.as_ref())?;
    match &args.action {
        PipelineAction::Drop(what) => return upkeep::drop_resources(&data_dir, args, what),
        PipelineAction::Sync(what) => return upkeep::sync(&data_dir, args, what),
        _ => {}
    }
    let store = Store::existing(&data_dir, &args.name)?;
    match &args.action {
        PipelineAction::Info => info(&store, args),
        PipelineAction::Packages => packages(&store, args),
        PipelineAction::Schema { history: true, .. } => history(&store, args),
        PipelineAction::Schema { format, .. } => schema(&store, if args.json { SchemaFormat::Json } else { *format }),
        PipelineAction::Trace => trace(&store, args),
        PipelineAction::Retry { force, limits, turn } => {
            let order = if *force { Order::Any } else { Order::Kept };
            return retry(&data_dir, &store, args, order, (limits, turn));
        }
        PipelineAction::Replay { to, limits, turn } => return replay(&data_dir, args, to, (limits, turn)),
        PipelineAction::Drop(_) | PipelineAction::Sync(_) => Ok(()), // done above: they may be the first to know the pipeline
        PipelineAction::DropPackage { load_id } => drop_package(&store, load_id.as_deref(), args.json),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn all_packages(store: &Store) -> Result<Vec<StoredPackage>> {
    let mut all = store.loaded()?;
    all.extend(store.pending()?);
    Ok(all)
}

fn info(store: &Store, args: &PipelineArgs) -> Result<()> {
    let (loaded, pending) = (store.loaded()?, store.pending()?);
    let newest = loaded.last().or(pending.last());
    if let Some(known) = store.known() {
        return info_of_known(store, args, &known, &pending);
    }
    if args.json {
        say!(
            "{}",
            json!({
                "pipeline": args.name,
                "working_folder": store.folder(),
                "dataset": newest.map(|p| &p.manifest.target.dataset),
                "destinations": newest.map(|p| p.progress.destinations.iter().map(|d| &d.url).collect::<Vec<_>>()),
                "last_load": loaded.last().map(|p| &p.manifest.load_id),
                "tables": newest.map(|p| p.manifest.schema.tables.len()),
                "waiting": pending.iter().map(|p| &p.manifest.load_id).collect::<Vec<_>>(),
            })
        );
        return Ok(());
    }
    say!("Pipeline {} in {}", args.name, store.folder().display());
    if let Some(p) = newest {
        say!("  dataset       {}", p.manifest.target.dataset);
        for d in &p.progress.destinations {
            say!("  destination   {}", d.url);
        }
        say!("  tables        {}", p.manifest.schema.tables.len());
    }
    match loaded.last() {
        Some(p) => say!("  last load     {}: {} records", p.manifest.load_id, number(p.manifest.counts.read)),
        None => say!("  last load     none"),
    }
    say!("  waiting       {} package(s)", pending.len());
    for p in &pending {
        say!("    {}", p.manifest.load_id);
    }
    Ok(())
}

/// What 'sync' took over, as long as nothing was loaded from here since.
fn info_of_known(store: &Store, args: &PipelineArgs, known: &Known, pending: &[StoredPackage]) -> Result<()> {
    let waiting: Vec<&LoadId> = pending.iter().map(|p| &p.manifest.load_id).collect();
    if args.json {
        say!(
            "{}",
            json!({
                "pipeline": args.name,
                "working_folder": store.folder(),
                "dataset": known.dataset,
                "destinations": known.destinations,
                "last_load": known.load_id,
                "tables": known.schema.tables.len(),
                "state": known.state,
                "waiting": waiting,
            })
        );
        return Ok(());
    }
    say!("Pipeline {} in {}", args.name, store.folder().display());
    say!("  dataset       {}", known.dataset);
    known.destinations.iter().for_each(|url| say!("  destination   {url}"));
    say!("  tables        {}", known.schema.tables.len());
    say!("  last load     {} (from elsewhere, by 'sync')", known.load_id);
    say!("  waiting       {} package(s)", pending.len());
    waiting.iter().for_each(|id| say!("    {id}"));
    Ok(())
}

fn packages(store: &Store, args: &PipelineArgs) -> Result<()> {
    let all = all_packages(store)?;
    if args.json {
        say!("{}", Value::Array(all.iter().map(package_json).collect()));
        return Ok(());
    }
    if let Some(load_id) = store.interrupted() {
        say!("{load_id}  INTERRUPTED while its source was read: the next run goes on from what was fetched");
    } else if all.is_empty() {
        say!("Pipeline {} has no packages", args.name);
    }
    for p in &all {
        let state = if p.loaded { "loaded " } else { "WAITING" };
        let m = &p.manifest;
        say!(
            "{}  {state}  {} records, {} rejected, {} in files",
            m.load_id,
            number(m.counts.read),
            number(m.counts.rejected),
            bytes(p.bytes())
        );
        for d in &p.progress.destinations {
            let state = match (d.committed, &d.error) {
                (true, _) => "committed".to_owned(),
                (false, Some(error)) => format!("failed: {error}"),
                (false, None) => "not known to be loaded".to_owned(),
            };
            say!("    {} dataset {}: {state}", d.url, m.target.dataset);
        }
        for t in &m.tables {
            say!("    {}: {} rows", t.table, number(t.rows));
        }
    }
    Ok(())
}

fn package_json(p: &StoredPackage) -> Value {
    json!({
        "load_id": p.manifest.load_id,
        "state": if p.loaded { "loaded" } else { "waiting" },
        "dataset": p.manifest.target.dataset,
        "counts": p.manifest.counts,
        "tables": p.manifest.tables,
        "destinations": p.progress.destinations,
        "bytes": p.bytes(),
        "folder": p.folder,
    })
}

fn schema(store: &Store, format: SchemaFormat) -> Result<()> {
    if let Some(known) = store.known() {
        say!("{}", schema_text::text(&known.schema, &known.dataset, format)?);
        return Ok(());
    }
    let all = all_packages(store)?;
    let newest = all.last().ok_or_else(|| Error::config("nothing has been loaded yet, so there is no schema"))?;
    say!("{}", schema_text::text(&newest.manifest.schema, &newest.manifest.target.dataset, format)?);
    Ok(())
}

/// Loads that changed the schema, with the hash it stands by in the destination.
fn history(store: &Store, args: &PipelineArgs) -> Result<()> {
    let all = all_packages(store)?;
    let mut changed = all.iter().map(|p| &p.manifest).filter(|m| !m.change.is_empty()).peekable();
    if args.json {
        let version = |m: &Manifest| json!({ "load_id": m.load_id, "hash": m.schema.hash(), "change": m.change });
        say!("{}", Value::Array(changed.map(version).collect()));
        return Ok(());
    }
    if changed.peek().is_none() {
        say!(
            "no load of this working folder has changed the schema; the destination has a row for each version, in _schemas or _dlt_version"
        );
    }
    for manifest in changed {
        say!("{}  {}", manifest.load_id, manifest.schema.hash());
        schema_text::changes(manifest).iter().for_each(|line| say!("    {line}"));
    }
    Ok(())
}

fn trace(store: &Store, args: &PipelineArgs) -> Result<()> {
    let trace =
        store.trace().ok_or_else(|| Error::config("this pipeline has not run to its end yet, so there is no trace"))?;
    if args.json {
        say!("{trace}");
        return Ok(());
    }
    let text =
        serde_yaml_ng::to_string(&trace).map_err(|e| Error::internal("the trace cannot be printed").source(e))?;
    say!("{}", text.trim_end());
    Ok(())
}

/// Loads what waits, each package where it was meant to go.
fn retry(
    data_dir: &Path,
    store: &Store,
    args: &PipelineArgs,
    order: Order,
    (limits, turn): (&LimitArgs, &TurnArgs),
) -> Result<ExitCode> {
    let addresses = Addresses::here(limits.read()?)?;
    let mut destinations: Vec<DestinationRef> = Vec::new();
    for package in store.pending()? {
        for d in package.progress.destinations {
            if destinations.iter().all(|known| known.url != d.url) {
                let destination = addresses.reopen(&d.url)?;
                destinations.push(DestinationRef { url: d.url, destination });
            }
        }
    }
    if destinations.is_empty() {
        say!("{}", if args.json { "[]" } else { "no package waits" });
        return Ok(ExitCode::SUCCESS);
    }
    let pipeline = Pipeline::open(data_dir, &args.name, destinations)?.connect_with(addresses.as_connect());
    let pipeline = turn.apply(pipeline);
    let mut failed = false;
    let finished = pipeline.retry(&Progress::default(), order)?;
    if args.json {
        let reports: Vec<_> = finished.iter().map(|f| &f.report).collect();
        say!("{}", json!(reports));
    }
    for finished in finished {
        let shown = if args.json { Ok(()) } else { summary::print(&finished.report, false) };
        summary::print_failures(&finished.report);
        shown?;
        failed |= finished.acknowledge()?.outcome == Outcome::Failed;
    }
    Ok(ExitCode::from(if failed { FAILED } else { 0 }))
}

/// Loads what is still kept, wherever it was meant to go, into the destinations given here.
fn replay(
    data_dir: &Path,
    args: &PipelineArgs,
    to: &[String],
    (limits, turn): (&LimitArgs, &TurnArgs),
) -> Result<ExitCode> {
    let addresses = Addresses::here(limits.read()?)?;
    let destinations = to.iter().map(|url| addresses.open(url, &args.name)).collect::<Result<Vec<_>>>()?;
    // What is kept stays kept: only a load decides that.
    let pipeline = turn
        .apply(Pipeline::open(data_dir, &args.name, destinations)?)
        .keep_packages_of(usize::MAX)
        .connect_with(addresses.as_connect());
    let reports = pipeline.replay(&Progress::default())?;
    if args.json {
        say!("{}", json!(reports));
    }
    for report in &reports {
        if !args.json {
            summary::print(report, false)?;
        }
        summary::print_failures(report);
    }
    let failed = reports.iter().any(|r| r.outcome == Outcome::Failed);
    Ok(ExitCode::from(if failed { FAILED } else { 0 }))
}

fn drop_package(store: &Store, load_id: Option<&str>, json: bool) -> Result<()> {
    let pending = store.pending()?;
    let interrupted = store.interrupted();
    let mut waiting: Vec<&str> = pending.iter().map(|p| p.manifest.load_id.as_str()).collect();
    waiting.extend(interrupted.as_ref().map(LoadId::as_str));
    let id = match (load_id, waiting.as_slice()) {
        (Some(id), _) => id,
        (None, [only]) => only,
        (None, []) => return Err(Error::config("no package waits to be loaded")),
        (None, many) => {
            return Err(Error::config("several packages wait").hint(format!("name one: {}", many.join(", "))));
        }
    };
    let package = pending.iter().find(|p| p.manifest.load_id.as_str() == id);
    let places = package.map(whereabouts).transpose()?.unwrap_or_default();
    store.drop_package(id)?;
    let at = |wanted: Option<bool>| -> Vec<&str> {
        places.iter().filter(|(_, is_there)| *is_there == wanted).map(|(url, _)| *url).collect()
    };
    let (with, without, unknown) = (at(Some(true)), at(Some(false)), at(None));
    if json {
        say!("{}", json!({ "dropped": id, "loaded_at": with, "not_loaded_at": without, "perhaps_loaded_at": unknown }));
        return Ok(());
    }
    let mut what = vec![format!("dropped package {id}")];
    for (places, how) in [(&with, "were loaded"), (&without, "were not loaded"), (&unknown, "may have been loaded")] {
        if places.len() == with.len() + without.len() + unknown.len() && !places.is_empty() {
            what.push(format!("its records {how}"));
        } else if !places.is_empty() {
            what.push(format!("its records {how} at {}", places.join(", ")));
        }
    }
    if package.is_none() {
        what.push("its records were not loaded".to_owned());
    }
    say!("{}", what.join("; "));
    Ok(())
}

/// Whether each destination has the package. A process that was killed behind its commit could not note that, so they
/// are asked; `None` for one that does not answer.
fn whereabouts(package: &StoredPackage) -> Result<Vec<(&str, Option<bool>)>> {
    let addresses = Addresses::here(Limits::default())?;
    let runtime = runtime()?;
    let (target, load_id) = (&package.manifest.target, &package.manifest.load_id);
    let ask = |url: &str| {
        let destination = addresses.reopen(url).ok()?;
        runtime.block_on(destination.is_committed(target, load_id)).ok()
    };
    let asked = |d: &DestinationProgress| if d.committed { Some(true) } else { ask(&d.url) };
    Ok(package.progress.destinations.iter().map(|d| (d.url.as_str(), asked(d))).collect())
}
