//! Threads that bring rows to destinations while the package is still being written.

use crate::load::{Step, commit, stage};
use crate::pipeline::DestinationRef;
use crate::progress::{DestinationState, Progress};
use crate::resume::runtime;
use crate::store::StoredPackage;
use longshore_core::destination::{CommitOutcome, Destination, Opening, Staged};
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::package::Part;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Scope, ScopedJoinHandle};
use tracing::debug;

/// Parts that may wait for a destination that stages early.
pub(crate) const WAITING_PARTS: usize = 24;

/// The thread of a destination that stages while the package is still being written.
pub(crate) struct Stager<'scope> {
    /// Says once whether the load could begin.
    ready: Option<Receiver<Result<()>>>,
    steps: Option<SyncSender<Step>>,
    thread: Option<ScopedJoinHandle<'scope, Result<CommitOutcome>>>,
}

impl<'scope> Stager<'scope> {
    /// Stands for a destination that is loaded from the sealed package, or not at all.
    pub(crate) fn none() -> Self {
        Stager { ready: None, steps: None, thread: None }
    }

    /// Begins to open a load in the destination; [`Stager::ready`] says what came of it.
    pub(crate) fn start(
        scope: &'scope Scope<'scope, '_>,
        destination: &DestinationRef,
        opening: &Opening,
        progress: &Progress,
    ) -> Result<Self> {
        if !destination.destination.capabilities().stages_early {
            return Ok(Stager::none());
        }
        let (send, receive) = sync_channel(WAITING_PARTS);
        let (ready, is_ready) = sync_channel(1);
        let (opening, state) = (opening.clone(), progress.destination(&destination.url));
        let destination = Arc::clone(&destination.destination);
        let thread = thread::Builder::new()
            .name("stage".into())
            .spawn_scoped(scope, move || stage_early(destination.as_ref(), &opening, &receive, &ready, &state))
            .map_err(|e| Error::internal("cannot start a thread").source(e))?;
        Ok(Stager { ready: Some(is_ready), steps: Some(send), thread: Some(thread) })
    }

    /// Waits until the load is open. May be asked again.
    pub(crate) fn ready(&mut self) -> Result<()> {
        let Some(ready) = self.ready.take() else { return Ok(()) };
        ready.recv().unwrap_or_else(|_| Err(Error::internal("a staging thread ended")))
    }

    /// Says that the input is at its end.
    pub(crate) fn all_parts(&self) {
        let _ = self.steps.as_ref().map(|steps| steps.send(Step::AllParts)); // a thread that failed says so at the commit
    }

    /// Lets the destination commit. `None` when it does not stage early.
    pub(crate) fn commit(self, package: &StoredPackage) -> Option<Result<CommitOutcome>> {
        let step = Step::Commit(Arc::new(package.manifest.clone()), package.parts().collect());
        let _ = self.steps?.send(step); // a thread that failed says so below
        Some(self.thread?.join().unwrap_or_else(|_| Err(Error::internal("a staging thread panicked"))))
    }
}

/// Hands a part to every destination that stages early.
pub(crate) fn hand_on(stagers: &[Stager<'_>], part: Part) {
    let mut steps: Vec<&SyncSender<Step>> = stagers.iter().filter_map(|s| s.steps.as_ref()).collect();
    let last = steps.pop();
    let gone = |step: &SyncSender<Step>, part| step.send(Step::Part(part)).is_err();
    let mut stopped = steps.into_iter().filter(|s| gone(s, part.clone())).count();
    stopped += usize::from(last.is_some_and(|s| gone(s, part)));
    if stopped > 0 {
        debug!("a destination stopped staging; it is tried again from the sealed package");
    }
}

fn stage_early(
    destination: &dyn Destination,
    opening: &Opening,
    steps: &Receiver<Step>,
    ready: &SyncSender<Result<()>>,
    state: &DestinationState,
) -> Result<CommitOutcome> {
    let runtime = runtime()?;
    let load = match runtime.block_on(destination.begin(opening)) {
        Ok(load) => load,
        Err(e) => {
            let _ = ready.send(Err(e)); // the receiver waits for exactly this
            return Err(Error::internal("the load could not begin"));
        }
    };
    let _ = ready.send(Ok(()));
    let mut staged: Vec<Staged> = Vec::new();
    let mut last = 0;
    for step in steps {
        match step {
            Step::Part(part) if !load.stages_early(&part.table) => last = part.number,
            Step::Part(part) => {
                last = part.number;
                staged.push(runtime.block_on(stage(load.as_ref(), &part, state))?);
            }
            Step::AllParts => load.all_staged(),
            Step::Commit(manifest, files) => {
                let late = files.into_iter().filter(|f| !load.stages_early(&f.table));
                // Numbered on from the parts that came early: files are cut in another way.
                for (part, number) in late.zip(last + 1..) {
                    staged.push(runtime.block_on(stage(load.as_ref(), &Part { number, ..part }, state))?);
                }
                return runtime.block_on(commit(load, &manifest, &staged, state));
            }
        }
    }
    runtime.block_on(load.abort())?;
    Err(Error::new(ErrorKind::Internal, "the load was given up"))
}
