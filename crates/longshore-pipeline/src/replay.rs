//! Bringing packages that are still kept to a destination that came later.

use crate::deliver::deliver;
use crate::leases::Leases;
use crate::lock::PipelineLock;
use crate::pipeline::{Order, Pipeline};
use crate::progress::Progress;
use crate::report::{Outcome, Report, Timings};
use crate::resume::{datasets, finish};
use crate::store::{DestinationProgress, StoredPackage};
use longshore_core::error::{Error, Result};
use std::sync::Arc;
use std::time::Instant;

/// Replays every package that has its rows, oldest first.
pub(crate) fn replay(pipeline: &Pipeline, progress: &Progress) -> Result<Vec<Report>> {
    let began = Instant::now();
    let store = pipeline.store();
    let lock = Arc::new(PipelineLock::acquire(store, pipeline.name(), pipeline.wait())?);
    let mut packages = store.loaded()?;
    packages.extend(store.pending()?);
    let known = packages.len();
    packages.retain(StoredPackage::has_rows);
    if packages.is_empty() {
        return Err(Error::config(format!("none of the pipeline's {known} packages has its rows any more"))
            .with("pipeline", pipeline.name())
            .hint("packages keep their rows when they are loaded with --keep-packages N"));
    }
    let gone = known - packages.len();
    let _leases = Leases::take(pipeline, &datasets(&packages))?;
    for package in &mut packages {
        add_destinations(pipeline, package);
    }
    // What stands there came from this very working folder, or the user knows.
    let deliveries = deliver(pipeline, &mut packages, progress, Order::Any);
    let timings = Timings { load: began.elapsed().as_secs_f64(), ..Timings::default() };
    let mut reports = Vec::new();
    for (package, mut destinations) in packages.into_iter().zip(deliveries) {
        destinations.retain(|d| pipeline.names(&d.destination));
        if package.loaded {
            package.save_progress()?;
            let all = destinations.iter().all(|d| d.committed);
            let outcome = if all { Outcome::Replayed } else { Outcome::Failed };
            reports.push(Report::of(&package, outcome, destinations, timings));
        } else {
            let all = package.progress.destinations.iter().all(|d| d.committed);
            let finished = finish(pipeline, package, destinations, Outcome::Replayed, timings, &lock)?;
            reports.push(if all { finished.acknowledge()? } else { finished.report });
        }
    }
    if let Some(first) = reports.first_mut().filter(|_| gone > 0) {
        first.notes.push(format!("{gone} of {known} packages have no rows any more and were not replayed"));
    }
    Ok(reports)
}

fn add_destinations(pipeline: &Pipeline, package: &mut StoredPackage) {
    let known = &mut package.progress.destinations;
    for d in pipeline.destinations() {
        // What is noted here may be out of date (a dataset that was dropped): the destination itself is asked.
        known.retain(|k| k.url != d.url);
        known.push(DestinationProgress { url: d.url.clone(), ..DestinationProgress::default() });
    }
}
