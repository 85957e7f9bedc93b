//! Finishing what earlier runs left: packages that are sealed but not reported as loaded.

use crate::deliver::deliver;
use crate::leases::Leases;
use crate::lock::PipelineLock;
use crate::pipeline::{DestinationRef, FinishedRun, Order, Pipeline};
use crate::progress::Progress;
use crate::report::{DestinationReport, Outcome, Report, Timings};
use crate::store::{DestinationProgress, StoredPackage};
use longshore_core::destination::CommitOutcome;
use longshore_core::error::{Error, Result};
use longshore_core::package::LoadId;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

/// Loads every waiting package, in each destination up to the first that fails there.
pub(crate) fn retry(pipeline: &Pipeline, progress: &Progress, order: Order) -> Result<Vec<FinishedRun>> {
    let lock = Arc::new(PipelineLock::acquire(pipeline.store(), pipeline.name(), pipeline.wait())?);
    pipeline.store().sweep(None)?;
    let _leases = Leases::take(pipeline, &datasets(&pipeline.store().pending()?))?;
    complete(pipeline, progress, order, &lock)
}

/// Datasets that packages go to.
pub(crate) fn datasets(packages: &[StoredPackage]) -> Vec<&str> {
    let datasets: BTreeSet<&str> = packages.iter().map(|p| p.manifest.target.dataset.as_str()).collect();
    datasets.into_iter().collect()
}

/// Brings all waiting packages to the destinations that lack them.
pub(crate) fn complete(
    pipeline: &Pipeline,
    progress: &Progress,
    order: Order,
    lock: &Arc<PipelineLock>,
) -> Result<Vec<FinishedRun>> {
    let began = Instant::now();
    let mut packages = pipeline.store().pending()?;
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    let reports = deliver(pipeline, &mut packages, progress, order);
    let seconds = began.elapsed().as_secs_f64();
    let timings = Timings { load: seconds, total: seconds, ..Timings::default() };
    let finished = packages.into_iter().zip(reports);
    finished.map(|(package, reports)| finish(pipeline, package, reports, Outcome::Completed, timings, lock)).collect()
}

/// What earlier runs left behind, after trying to finish it.
pub(crate) struct Earlier {
    /// The load of this very command, when the run has nothing more to do than say so.
    pub(crate) own: Option<FinishedRun>,
    /// That load had failed; it was not merely interrupted.
    pub(crate) own_had_failed: bool,
    /// Stands for the content of its input, where that cannot be read again.
    pub(crate) own_digest: Option<String>,
    /// For each of the pipeline's destinations, why it takes nothing new.
    pub(crate) out: Vec<Option<Error>>,
}

/// Finishes sealed packages of earlier runs. `fingerprint` stands for the command of this one.
pub(crate) fn finish_earlier(
    pipeline: &Pipeline,
    fingerprint: &str,
    progress: &Progress,
    lock: &Arc<PipelineLock>,
    notes: &mut Vec<String>,
) -> Result<Earlier> {
    let out = pipeline.destinations().iter().map(|_| None).collect();
    let mut earlier = Earlier { own: None, own_had_failed: false, own_digest: None, out };
    recheck(pipeline, notes)?;
    give_to_ours(pipeline, fingerprint, notes)?;
    let before = pipeline.store().pending()?;
    for (finished, before) in complete(pipeline, progress, Order::Kept, lock)?.into_iter().zip(&before) {
        let had_failed = before.progress.destinations.iter().any(|d| d.error.is_some());
        let same = before.is_of(fingerprint) && lacking(pipeline, before).is_empty();
        let load_id = before.manifest.load_id.clone();
        let failed = finished.report.outcome == Outcome::Failed;
        // A source with state goes on from it: its command is meant to be run again and again. The input of any
        // other would be loaded twice where it is loaded already.
        // Nor is anything refreshed twice.
        let refreshes = !before.manifest.drops.is_empty() || !before.manifest.empties.is_empty();
        if same && (refreshes || !(had_failed && before.manifest.state.is_some())) {
            earlier.own = Some(of_ours(pipeline, finished, notes));
            (earlier.own_had_failed, earlier.own_digest) = (had_failed, before.progress.digest.clone());
        } else if failed {
            note_waiting(pipeline, &load_id, &finished, &mut earlier.out, notes);
        } else {
            notes.push(format!("completed load {load_id}, which an earlier run had left, before beginning this one"));
            // Run again, its command would read the same input: a pipe it compares, a source with state goes on.
            let reads_again = before.progress.digest.is_none() && before.manifest.state.is_none();
            if reads_again && !before.progress.fingerprint.is_empty() && !before.is_of(fingerprint) {
                finished.acknowledge_untold()?;
            } else {
                finished.acknowledge()?;
            }
        }
    }
    if earlier.own.is_none() {
        earlier.own = told_now(pipeline, fingerprint, lock)?;
    }
    Ok(earlier)
}

/// The load of this command that a run of another one completed meanwhile, as long as all destinations have it.
fn told_now(pipeline: &Pipeline, fingerprint: &str, lock: &Arc<PipelineLock>) -> Result<Option<FinishedRun>> {
    let Some(package) = pipeline.store().untold_of(fingerprint).filter(|p| lacking(pipeline, p).is_empty()) else {
        return Ok(None);
    };
    let (target, load_id) = (&package.manifest.target, &package.manifest.load_id);
    let (runtime, mut reports) = (runtime()?, Vec::new());
    for d in pipeline.destinations() {
        // One that cannot be asked said once that it has it.
        if matches!(runtime.block_on(d.destination.is_committed(target, load_id)), Ok(false)) {
            return Ok(None);
        }
        let (destination, committed, already) = (d.url.clone(), true, true);
        let (waits, error, hint, seconds) = (false, None, None, 0.0);
        reports.push(DestinationReport { destination, committed, already, waits, error, hint, seconds });
    }
    let report = Report::of(&package, Outcome::Completed, reports, Timings::default());
    let (store, package) = (pipeline.store().clone(), Some(package));
    Ok(Some(FinishedRun { report, store, package, _lock: Some(Arc::clone(lock)) }))
}

/// A waiting package of this very command goes to destinations that only this run names too (one whose address was
/// corrected): read anew, its records would stand twice where they are already.
fn give_to_ours(pipeline: &Pipeline, fingerprint: &str, notes: &mut Vec<String>) -> Result<()> {
    for mut package in pipeline.store().pending()? {
        // A source with state goes on behind what it has read.
        if !package.is_of(fingerprint) || package.manifest.state.is_some() || !package.has_rows() {
            continue;
        }
        let (lacking, load_id) = (lacking(pipeline, &package), package.manifest.load_id.clone());
        let refused = lacking.iter().find_map(|d| Some((d, d.destination.check(&package.manifest.schema).err()?)));
        match refused {
            None => {}
            Some(_) if lacking.len() == pipeline.destinations().len() => continue, // what it reads anew is nowhere twice
            Some((d, why)) => return Err(cannot_take(pipeline.name(), &load_id, &d.url, why)),
        }
        for d in lacking {
            notes.push(format!(
                "this input stands in load {load_id}, which an earlier run had read for other destinations: it goes to {} too",
                d.url
            ));
            package.progress.destinations.push(DestinationProgress { url: d.url.clone(), ..Default::default() });
        }
        package.save_progress()?;
    }
    Ok(())
}

/// The pipeline's destinations that a package does not go to.
fn lacking<'a>(pipeline: &'a Pipeline, package: &StoredPackage) -> Vec<&'a DestinationRef> {
    let goes_to = |d: &&DestinationRef| package.progress.destinations.iter().any(|p| p.url == d.url);
    pipeline.destinations().iter().filter(|d| !goes_to(d)).collect()
}

fn cannot_take(pipeline: &str, load_id: &LoadId, url: &str, why: Error) -> Error {
    let message = "this input waits in a load of an earlier run, which this destination cannot take as it is";
    Error::destination(message).with("pipeline", pipeline).with("load", load_id).with("destination", url).source(why).hint(
        format!("load it into this destination by a command of its own, or give the waiting load up: longshore pipeline {pipeline} drop-package {load_id}"),
    )
}

/// What came of this command's load at the destinations of this run; that it waits for others is a note.
fn of_ours(pipeline: &Pipeline, mut finished: FinishedRun, notes: &mut Vec<String>) -> FinishedRun {
    let report = &mut finished.report;
    let all = std::mem::take(&mut report.destinations).into_iter();
    let (ours, others) = all.partition::<Vec<_>, _>(|d| pipeline.names(&d.destination));
    report.destinations = ours;
    if let Some(load_id) = &report.load_id
        && let Some(other) = others.iter().find(|d| !d.committed)
    {
        notes.push(format!(
            "load {load_id} still waits for {}, which an earlier run of this command named. The same input is loaded anew only when it is there too, or was given up: longshore pipeline {} drop-package {load_id}",
            other.destination, report.pipeline
        ));
        if report.destinations.iter().all(|d| d.committed) {
            report.outcome = Outcome::Completed;
        }
    }
    finished
}

/// A process that died after its last commit leaves a package that all destinations have. Should the rows be gone since
/// then (a file that was removed), it is loaded again, or is no longer this pipeline's last word.
fn recheck(pipeline: &Pipeline, notes: &mut Vec<String>) -> Result<()> {
    for mut package in pipeline.store().pending()? {
        if !package.progress.destinations.iter().all(|d| d.committed) {
            continue;
        }
        let (manifest, has_rows) = (&package.manifest, package.has_rows());
        let (target, load_id) = (&manifest.target, &manifest.load_id);
        let mut is_gone = false;
        for d in &mut package.progress.destinations {
            let asked = pipeline.find(&d.url).and_then(|to| runtime()?.block_on(to.is_committed(target, load_id)));
            // One that cannot be asked said once that it has it.
            if matches!(asked, Ok(false)) {
                (is_gone, d.committed) = (true, !has_rows);
                let then = if has_rows { "it is loaded again" } else { "its rows are not kept any longer" };
                notes.push(format!(
                    "load {load_id}, which an earlier run had committed at {}, is not there any more: {then}",
                    d.url
                ));
            }
        }
        if is_gone && has_rows {
            package.save_progress()?;
        } else if is_gone {
            pipeline.store().acknowledge(&package)?;
        }
    }
    Ok(())
}

fn note_waiting(
    pipeline: &Pipeline,
    load_id: &LoadId,
    finished: &FinishedRun,
    out: &mut [Option<Error>],
    notes: &mut Vec<String>,
) {
    let failed = || finished.report.destinations.iter().filter(|d| !d.committed);
    for (d, out) in pipeline.destinations().iter().zip(out.iter_mut()) {
        if let Some(report) = failed().find(|r| r.destination == d.url) {
            out.get_or_insert_with(|| blocked(pipeline.name(), load_id, report));
        }
    }
    if let Some(other) = failed().find(|d| !pipeline.names(&d.destination)) {
        notes.push(format!(
            "package {load_id} still waits for {}: see 'longshore pipeline {} packages'",
            other.destination,
            pipeline.name()
        ));
    }
}

fn blocked(pipeline: &str, load_id: &LoadId, report: &DestinationReport) -> Error {
    let reason = report.error.as_deref().unwrap_or("unknown");
    let give_up = format!("give it up with 'longshore pipeline {pipeline} drop-package {load_id}'");
    let hint = match report.hint.as_deref() {
        Some(hint) if hint.contains("drop-package") => hint.to_owned(),
        Some(hint) => format!("{hint}; or {give_up}"),
        None => format!("remove the cause and run again, or {give_up}"),
    };
    Error::destination(format!("an earlier package cannot be loaded, and goes first: {reason}"))
        .with("pipeline", pipeline)
        .with("load", load_id)
        .with("destination", &report.destination)
        .hint(hint)
}

/// The error of a destination that takes nothing new, for the package that it lacks now too.
pub(crate) fn left_out(error: &Error) -> Error {
    let copy = Error::new(error.kind(), chain(error));
    if let Some(hint) = error.hint_text() { copy.hint(hint) } else { copy }
}

/// Notes the outcome of one destination in the package's progress.
pub(crate) fn settle(
    package: &mut StoredPackage,
    url: &str,
    outcome: Result<CommitOutcome>,
    seconds: f64,
) -> DestinationReport {
    // A destination that is not to get the package at all has no entry.
    let mut none = DestinationProgress::default();
    let entry = package.progress.destinations.iter_mut().find(|d| d.url == url);
    let waits = outcome.is_err() && entry.is_some() && !package.loaded;
    let entry = entry.unwrap_or(&mut none);
    let mut report = DestinationReport {
        destination: url.to_owned(),
        committed: outcome.is_ok(),
        already: matches!(outcome, Ok(CommitOutcome::AlreadyCommitted)),
        waits,
        error: None,
        hint: None,
        seconds,
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
    let everywhere = package.progress.destinations.iter().all(|d| d.committed);
    let loaded = destinations.iter().all(|d| d.committed);
    if everywhere && pipeline.keep_packages() == 0 {
        package.drop_parts();
    }
    let outcome = if loaded { outcome } else { Outcome::Failed };
    let report = Report::of(&package, outcome, destinations, timings);
    let package = everywhere.then_some(package);
    Ok(FinishedRun { report, store: pipeline.store().clone(), package, _lock: Some(Arc::clone(lock)) })
}

/// A runtime of one thread: a destination's calls are few and long.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::internal("cannot start an asynchronous runtime").source(e))
}
