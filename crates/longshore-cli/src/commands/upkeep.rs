//! `longshore pipeline NAME drop` and `sync`: what changes a pipeline at its destinations, or its working folder by them.

use crate::args::{AtArgs, DropArgs, PipelineArgs, SyncArgs};
use crate::error::FAILED;
use crate::place::{Addresses, Place};
use crate::say::say;
use crate::summary;
use longshore_core::connect::Limits;
use longshore_core::error::{Error, Result};
use longshore_core::package::LoadId;
use longshore_pipeline::{DropPlan, DropRequest, Outcome, Pipeline, Selection, StatePath, Synced};
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

fn place(data_dir: &Path, name: &str, at: &AtArgs) -> Result<(Pipeline, String)> {
    let addresses = Addresses::here(Limits::default())?;
    let place = Place::of_loads(&addresses, data_dir, at.place.said(Some(name)))?;
    let pipeline = Pipeline::open(data_dir, name, place.all().to_vec())?.connect_with(addresses.as_connect());
    Ok((at.turn.apply(pipeline), place.dataset))
}

pub(super) fn drop_resources(data_dir: &Path, args: &PipelineArgs, what: &DropArgs) -> Result<ExitCode> {
    let resources = if what.all { Selection::all() } else { Selection::parse(&what.resources)? };
    let state_paths = what.state_paths.iter().map(|p| StatePath::parse(p)).collect::<Result<Vec<_>>>()?;
    if !what.all && what.resources.is_empty() && state_paths.is_empty() {
        return Err(Error::config("nothing is named that is to be dropped")
            .hint("name resources, or say --all, or --state-paths for parts of the state"));
    }
    let request = DropRequest { resources, state_paths, state_only: what.state_only };
    let (pipeline, dataset) = place(data_dir, &args.name, &what.at)?;
    let mut shown = None;
    let finished = pipeline.drop_resources(&dataset, &request, |plan| {
        shown = Some(plan.clone());
        if !args.json {
            print_plan(plan);
        }
        if what.yes { Ok(true) } else { ask() }
    })?;
    let Some(finished) = finished else {
        say!("nothing was dropped");
        return Ok(ExitCode::SUCCESS);
    };
    let plan = shown.unwrap_or_default();
    if args.json {
        say!("{:#}", json!({ "dropped": plan, "report": finished.report }));
    } else if finished.report.outcome != Outcome::Failed {
        let id = finished.report.load_id.as_ref().map_or("", LoadId::as_str);
        say!("Dropped, as load {id}");
    }
    summary::print_failures(&finished.report);
    pipeline.note_trace(&finished.report)?;
    let failed = finished.acknowledge()?.outcome == Outcome::Failed;
    Ok(ExitCode::from(if failed { FAILED } else { 0 }))
}

fn print_plan(plan: &DropPlan) {
    say!("Pipeline {}, dataset {} at {}", plan.pipeline, plan.dataset, plan.destinations.join(", "));
    let list = |what: &str, items: &[String]| {
        if !items.is_empty() {
            say!("  {what}");
            items.iter().for_each(|item| say!("    {item}"));
        }
    };
    let mut tables = plan.tables.clone();
    tables.reverse(); // parents first, for reading
    list("these tables go, with all their rows:", &tables);
    list("this is forgotten:", &plan.state);
}

/// Asks on the terminal. Where there is none, nobody can agree.
fn ask() -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Error::config("nobody is here to be asked whether that is meant").hint("say --yes in scripts"));
    }
    let mut err = std::io::stderr();
    let _ = write!(err, "Drop this? [y/N] ").and_then(|()| err.flush()); // the answer is read all the same
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|e| Error::config("no answer can be read").source(e))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

pub(super) fn sync(data_dir: &Path, args: &PipelineArgs, what: &SyncArgs) -> Result<ExitCode> {
    let (pipeline, dataset) = place(data_dir, &args.name, &what.at)?;
    let synced = pipeline.sync(&dataset, what.drop_overtaken)?;
    match args.json {
        true => say!("{:#}", json!(synced)),
        false => print_synced(&synced),
    }
    Ok(ExitCode::SUCCESS)
}

fn print_synced(synced: &Synced) {
    match (&synced.from, &synced.load_id) {
        (Some(from), Some(load_id)) => {
            let state = match synced.sources.as_slice() {
                [] => "no state".to_owned(),
                sources => format!("the state of {}", sources.join(", ")),
            };
            say!(
                "Pipeline {} has the schema ({} tables) and {state} of load {load_id}, from dataset {} at {from}",
                synced.pipeline,
                synced.tables,
                synced.dataset
            );
        }
        _ => say!(
            "Dataset {} at {} has nothing of pipeline {}: a run that loads there begins from scratch. If its loads are \
             elsewhere, say where with --destination and --dataset",
            synced.dataset,
            synced.asked.join(", "),
            synced.pipeline
        ),
    }
    let ids = |ids: &[LoadId]| ids.iter().map(LoadId::as_str).collect::<Vec<_>>().join(", ");
    if synced.removed > 0 {
        say!("  {} records of earlier loads were removed from the working folder", synced.removed);
    }
    if let Some(load_id) = &synced.interrupted {
        say!("  what an interrupted run had fetched was removed ({load_id})");
    }
    if !synced.kept.is_empty() {
        say!("  loaded packages that have their rows still stay: {}", ids(&synced.kept));
    }
    if !synced.dropped.is_empty() {
        say!("  packages that another run was faster than were removed: {}", ids(&synced.dropped));
    }
    if !synced.waiting.is_empty() {
        say!("  WARNING: packages wait, and stay: {}", ids(&synced.waiting));
    }
    if !synced.overtaken.is_empty() {
        say!("  of these, another run was faster than {}: remove them with --drop-overtaken", ids(&synced.overtaken));
    }
}
