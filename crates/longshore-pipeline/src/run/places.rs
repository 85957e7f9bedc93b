//! A run and its destinations: they open while the source is read, and commit side by side.

use super::Run;
use crate::load::load_package;
use crate::pipeline::Pipeline;
use crate::progress::Stage;
use crate::report::DestinationReport;
use crate::resume::{chain, left_out, runtime, settle};
use crate::stager::Stager;
use crate::standing::none_left;
use crate::store::{DestinationProgress, LoadProgress, StoredPackage};
use longshore_core::destination::{CommitOutcome, Opening};
use longshore_core::error::{Error, Result};
use std::thread::{self, Scope};
use std::time::Instant;
use tracing::debug;

impl Run<'_> {
    /// Begins to open loads where destinations stage early.
    pub(super) fn start_stagers<'scope>(
        &self,
        scope: &'scope Scope<'scope, '_>,
        opening: &Opening,
        out: &[Option<Error>],
    ) -> Result<Vec<Stager<'scope>>> {
        let start = |(destination, out): (_, &Option<Error>)| match out {
            Some(_) => Ok(Stager::none()),
            None => Stager::start(scope, destination, opening, &self.options.progress),
        };
        self.pipeline.destinations().iter().zip(out).map(start).collect()
    }

    /// What is known of the load before any destination has it.
    pub(super) fn load_progress(&self, digest: Option<String>, behind: &[bool]) -> LoadProgress {
        let destinations = self.pipeline.destinations().iter().zip(behind).filter(|(_, behind)| !**behind);
        let destinations = destinations.map(|(d, _)| DestinationProgress {
            url: d.url.clone(),
            committed: false,
            error: None,
            tables: Vec::new(),
        });
        LoadProgress { fingerprint: self.options.fingerprint.clone(), digest, destinations: destinations.collect() }
    }

    /// Commits everywhere, side by side: a destination that fails or takes long does not hold up the others.
    pub(super) fn load(
        &self,
        mut package: StoredPackage,
        stagers: Vec<Stager<'_>>,
        out: &[Option<Error>],
    ) -> (StoredPackage, Vec<DestinationReport>) {
        self.options.progress.enter(Stage::Commit);
        let shared = &package;
        let load_one = |i: usize, stager: Stager<'_>| {
            let began = Instant::now();
            let outcome = match (&out[i], stager.commit(shared)) {
                (Some(why), _) => Err(left_out(why)),
                (None, Some(Ok(outcome))) => Ok(outcome),
                (None, early) => self.load_late(i, shared, early),
            };
            (outcome, began.elapsed().as_secs_f64())
        };
        let outcomes: Vec<(Result<CommitOutcome>, f64)> = thread::scope(|scope| {
            let load_one = &load_one;
            let threads: Vec<_> =
                stagers.into_iter().enumerate().map(|(i, s)| scope.spawn(move || load_one(i, s))).collect();
            let panicked = || (Err(Error::internal("a loading thread panicked")), 0.0);
            threads.into_iter().map(|t| t.join().unwrap_or_else(|_| panicked())).collect()
        });
        let settled = self.pipeline.destinations().iter().zip(outcomes);
        let reports = settled.map(|(d, (outcome, seconds))| settle(&mut package, &d.url, outcome, seconds)).collect();
        (package, reports)
    }

    /// Loads from the package's files: destinations that do not stage early, and those where it
    /// failed for a reason that may pass.
    fn load_late(
        &self,
        index: usize,
        package: &StoredPackage,
        early: Option<Result<CommitOutcome>>,
    ) -> Result<CommitOutcome> {
        if let Some(Err(e)) = early {
            debug!(error = %chain(&e), "early staging failed");
            if !e.is_retryable() {
                return Err(e);
            }
        }
        self.options.progress.enter(Stage::Load);
        let destination = &self.pipeline.destinations()[index];
        let state = self.options.progress.destination(&destination.url);
        let fence = &package.manifest.fence;
        runtime()?.block_on(load_package(destination.destination.as_ref(), package, fence, &state))
    }
}

/// Waits until loads are open. A destination that cannot begin is left out, unless it is the only one.
pub(super) fn ready(pipeline: &Pipeline, stagers: &mut [Stager<'_>], out: &mut [Option<Error>]) -> Result<()> {
    for (stager, out) in stagers.iter_mut().zip(out.iter_mut()) {
        if let Err(e) = stager.ready() {
            *out = Some(e);
            *stager = Stager::none();
        }
    }
    none_left(pipeline.destinations(), out)
}
