//! Finishing what earlier runs left: packages that are sealed but not reported as loaded.

use crate::load::load_package;
use crate::lock::PipelineLock;
use crate::pipeline::{FinishedRun, Pipeline};
use crate::progress::Progress;
use crate::report::{DestinationReport, Outcome, Report, Timings};
use crate::store::StoredPackage;
use longshore_core::destination::CommitOutcome;
use longshore_core::error::{Error, Result};
use std::sync::Arc;
use std::time::Instant;

/// Loads every waiting package; stops at the first that fails.
pub(crate) fn retry(pipeline: &Pipeline, progress: &Progress) -> Result<Vec<FinishedRun>> {
    let lock = Arc::new(PipelineLock::acquire(pipeline.store().folder(), pipeline.name())?);
    pipeline.store().sweep()?;
    let mut finished = Vec::new();
    for package in pipeline.store().pending()? {
        let run = complete(pipeline, package, progress, &lock)?;
        let failed = run.report.outcome == Outcome::Failed;
        finished.push(run);
        if failed {
            break;
        }
    }
    Ok(finished)
}

/// Brings a package to every destination that lacks it.
pub(crate) fn complete(
    pipeline: &Pipeline,
    mut package: StoredPackage,
    progress: &Progress,
    lock: &Arc<PipelineLock>,
) -> Result<FinishedRun> {
    let began = Instant::now();
    let runtime = runtime()?;
    let mut reports = Vec::new();
    for i in 0..package.progress.destinations.len() {
        let url = package.progress.destinations[i].url.clone();
        let started = Instant::now();
        let outcome = match pipeline.find(&url) {
            Ok(destination) => runtime.block_on(load_package(destination.as_ref(), &package, progress)),
            Err(e) => Err(e),
        };
        reports.push(settle(&mut package, i, outcome, started));
    }
    finish(
        pipeline,
        package,
        reports,
        Outcome::Completed,
        Timings { load: began.elapsed().as_secs_f64(), ..Timings::default() },
        lock,
    )
}

/// Notes the outcome of one destination in the package's progress.
pub(crate) fn settle(
    package: &mut StoredPackage,
    index: usize,
    outcome: Result<CommitOutcome>,
    started: Instant,
) -> DestinationReport {
    let entry = &mut package.progress.destinations[index];
    let mut report = DestinationReport {
        destination: entry.url.clone(),
        committed: outcome.is_ok(),
        already: matches!(outcome, Ok(CommitOutcome::AlreadyCommitted)),
        error: None,
        hint: None,
        seconds: started.elapsed().as_secs_f64(),
    };
    match outcome {
        Ok(outcome) => {
            entry.committed = true;
            entry.error = None;
            entry.tables = match outcome {
                CommitOutcome::Committed(counted) => counted,
                CommitOutcome::AlreadyCommitted => package.manifest.tables.clone(),
            };
        }
        Err(e) => {
            let text = chain(&e);
            entry.error = Some(text.clone());
            report.error = Some(text);
            report.hint = e.hint_text().map(str::to_owned);
        }
    }
    report
}

/// An error with its causes in one line.
pub(crate) fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(c) = cause {
        text.push_str(": ");
        text.push_str(c.to_string().trim());
        cause = c.source();
    }
    text
}

/// Saves the progress and makes the report.
pub(crate) fn finish(
    pipeline: &Pipeline,
    package: StoredPackage,
    destinations: Vec<DestinationReport>,
    outcome: Outcome,
    timings: Timings,
    lock: &Arc<PipelineLock>,
) -> Result<FinishedRun> {
    package.save_progress()?;
    let all = destinations.iter().all(|d| d.committed);
    if all {
        package.drop_parts();
    }
    let manifest = &package.manifest;
    let report = Report {
        pipeline: pipeline.name().to_owned(),
        dataset: manifest.target.dataset.clone(),
        load_id: Some(manifest.load_id.clone()),
        outcome: if all { outcome } else { Outcome::Failed },
        counts: manifest.counts,
        tables: manifest.tables.clone(),
        destinations,
        notes: Vec::new(),
        timings,
    };
    let package = all.then_some(package);
    Ok(FinishedRun { report, store: pipeline.store().clone(), package, _lock: Some(Arc::clone(lock)) })
}

/// A runtime of one thread: a destination's calls are few and long.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::internal("cannot start an asynchronous runtime").source(e))
}
