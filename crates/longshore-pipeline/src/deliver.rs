//! Bringing sealed packages to the destinations that lack them: destinations side by side, each taking the
//! packages in order and stopping at the first that fails there.

use crate::load::load_package;
use crate::pipeline::{Order, Pipeline};
use crate::progress::Progress;
use crate::report::DestinationReport;
use crate::resume::{runtime, settle};
use crate::store::StoredPackage;
use longshore_core::destination::CommitOutcome;
use longshore_core::error::{Error, Result};
use longshore_core::lease::Fence;
use std::collections::BTreeSet;
use std::thread;
use std::time::Instant;

/// What came of one package at one destination.
struct Delivery {
    package: usize,
    destination: usize,
    url: String,
    outcome: Result<CommitOutcome>,
    seconds: f64,
}

/// Brings packages, oldest first, wherever they are lacking. Returns a report a destination for each package;
/// the packages' progress is noted, not yet saved.
pub(crate) fn deliver(
    pipeline: &Pipeline,
    packages: &mut [StoredPackage],
    progress: &Progress,
    order: Order,
) -> Vec<Vec<DestinationReport>> {
    let mut reports: Vec<Vec<DestinationReport>> = packages.iter().map(there_already).collect();
    let lacking = packages.iter().flat_map(|p| p.progress.destinations.iter()).filter(|d| !d.committed);
    let urls: BTreeSet<String> = lacking.map(|d| d.url.clone()).collect();
    let shared = &*packages;
    let loaded = pipeline.store().loaded().unwrap_or_default(); // what cannot be read allows nothing
    let loaded = &loaded;
    let deliveries: Vec<Delivery> = thread::scope(|scope| {
        let threads: Vec<_> = urls
            .iter()
            .map(|url| scope.spawn(move || deliver_to(pipeline, url, shared, loaded, progress, order)))
            .collect();
        threads.into_iter().flat_map(|t| t.join().unwrap_or_default()).collect()
    });
    for d in deliveries {
        reports[d.package][d.destination] = settle(&mut packages[d.package], &d.url, d.outcome, d.seconds);
    }
    reports
}

/// Reports that hold when nothing is done; for those that lack the package until something is.
fn there_already(package: &StoredPackage) -> Vec<DestinationReport> {
    let report = |d: &crate::store::DestinationProgress| DestinationReport {
        destination: d.url.clone(),
        committed: d.committed,
        already: d.committed,
        waits: !d.committed && !package.loaded,
        error: (!d.committed).then(|| "a thread that loaded it panicked".to_owned()),
        hint: None,
        seconds: 0.0,
    };
    package.progress.destinations.iter().map(report).collect()
}

fn deliver_to(
    pipeline: &Pipeline,
    url: &str,
    packages: &[StoredPackage],
    loaded: &[StoredPackage],
    progress: &Progress,
    order: Order,
) -> Vec<Delivery> {
    let state = progress.destination(url);
    // Loads of this working folder are no strangers to one another.
    let is_there = |p: &&StoredPackage| p.progress.destinations.iter().any(|d| d.url == url && d.committed);
    let mut own = loaded.iter().chain(packages).filter(is_there).map(|p| p.manifest.load_id.clone()).max();
    let mut failed = None;
    let mut deliveries = Vec::new();
    for (package, p) in packages.iter().enumerate() {
        let Some(destination) = p.progress.destinations.iter().position(|d| d.url == url && !d.committed) else {
            continue;
        };
        let began = Instant::now();
        let outcome = match &failed {
            Some(earlier) => Err(waits_for(earlier)),
            None => pipeline.find(url).and_then(|d| {
                let fence = match order {
                    Order::Kept => p.manifest.fence.clone().and(own.as_ref()),
                    Order::Any => Fence::Open,
                };
                runtime()?.block_on(load_package(d.as_ref(), p, &fence, &state))
            }),
        };
        match &outcome {
            Ok(_) => own = own.max(Some(p.manifest.load_id.clone())),
            Err(_) => _ = failed.get_or_insert_with(|| p.manifest.load_id.clone()),
        }
        deliveries.push(Delivery {
            url: url.to_owned(),
            package,
            destination,
            outcome,
            seconds: began.elapsed().as_secs_f64(),
        });
    }
    deliveries
}

/// A destination takes packages in order: what comes later waits.
fn waits_for(earlier: &longshore_core::package::LoadId) -> Error {
    Error::destination(format!("the earlier package {earlier} is not loaded there yet, and goes first"))
        .hint("remove the cause of the earlier failure and run again")
}
