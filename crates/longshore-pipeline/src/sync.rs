//! Making the working folder agree with the destinations: what it knows goes, what they know is taken over.
//!
//! A run asks the destinations anyway. This is for a folder that is new, or that has lived apart from them: afterwards
//! `pipeline NAME info` and `schema` say what stands there.

use crate::leases::Leases;
use crate::lock::PipelineLock;
use crate::pipeline::Pipeline;
use crate::standing::{ask, none_fails};
use crate::store::{Known, StoredPackage};
use longshore_core::destination::Committed;
use longshore_core::error::Result;
use longshore_core::package::{LoadId, Target};
use serde::Serialize;
use std::sync::Arc;

/// What was taken over, and what became of what was there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Synced {
    /// The pipeline.
    pub pipeline: String,
    /// The dataset.
    pub dataset: String,
    /// The destinations that were asked, as URLs without secrets.
    pub asked: Vec<String>,
    /// The destination whose schema and state count, the newest one; `None` when none has anything of the pipeline.
    pub from: Option<String>,
    /// The load they are of.
    pub load_id: Option<LoadId>,
    /// Root and child tables.
    pub tables: usize,
    /// Sources that remember something.
    pub sources: Vec<String>,
    /// Records of loaded packages that were removed.
    pub removed: usize,
    /// Loads whose source was being read when a process ended: what had been fetched was removed.
    pub interrupted: Option<LoadId>,
    /// Loaded packages that stay, because they still have their rows.
    pub kept: Vec<LoadId>,
    /// Packages that wait, which stay.
    pub waiting: Vec<LoadId>,
    /// Those of them that another run was faster than: they can be loaded only by force.
    pub overtaken: Vec<LoadId>,
    /// Those that were removed.
    pub dropped: Vec<LoadId>,
}

/// Takes over what the destinations know. Packages that wait stay, but with `drop_overtaken` those that another run was
/// faster than.
pub(crate) fn sync(pipeline: &Pipeline, dataset: &str, drop_overtaken: bool) -> Result<Synced> {
    let store = pipeline.store();
    let _lock = Arc::new(PipelineLock::acquire(store, pipeline.name(), pipeline.wait())?);
    let _leases = Leases::take(pipeline, &[dataset])?;
    store.sweep(None)?;
    let target = Target { pipeline: pipeline.name().to_owned(), dataset: dataset.to_owned() };
    let answers = answers(pipeline, &target)?;
    let pending = store.pending()?;
    let mut overtaken: Vec<LoadId> = Vec::new();
    for package in pending.iter().filter(|p| p.manifest.target == target) {
        if is_overtaken(pipeline, package, &pending, &answers, &target) {
            overtaken.push(package.manifest.load_id.clone());
        }
    }
    let dropped = if drop_overtaken { std::mem::take(&mut overtaken) } else { Vec::new() };
    for load_id in &dropped {
        store.drop_package(load_id.as_str())?;
    }
    let interrupted = store.interrupted();
    if let Some(load_id) = &interrupted {
        store.drop_package(load_id.as_str())?;
    }
    let (kept, removed) = store.forget_loaded()?;
    let newest =
        (0..answers.len()).filter(|i| answers[*i].is_some()).max_by_key(|i| answers[*i].as_ref().map(|c| &c.load_id));
    let known = newest.and_then(|i| answers[i].clone());
    let waiting = pending.iter().map(|p| p.manifest.load_id.clone()).filter(|id| !dropped.contains(id));
    let waiting: Vec<LoadId> = waiting.collect();
    let beside: Vec<LoadId> = kept.iter().chain(&waiting).cloned().collect();
    store.write_known(known.as_ref().map(|known| Known::of(known, &target, pipeline, beside)).as_ref())?;
    Ok(Synced {
        pipeline: target.pipeline,
        dataset: target.dataset,
        asked: pipeline.destinations().iter().map(|d| d.url.clone()).collect(),
        from: newest.map(|i| pipeline.destinations()[i].url.clone()),
        load_id: known.as_ref().map(|k| k.load_id.clone()),
        tables: known.as_ref().map_or(0, |k| k.schema.tables.len()),
        sources: known.as_ref().map(sources).unwrap_or_default(),
        removed,
        interrupted,
        kept,
        waiting,
        overtaken,
        dropped,
    })
}

/// What the destinations know. All have to answer: what is not known cannot be taken over.
fn answers(pipeline: &Pipeline, target: &Target) -> Result<Vec<Option<Committed>>> {
    let mut failed: Vec<_> = pipeline.destinations().iter().map(|_| None).collect();
    let mut answers = Vec::new();
    for (i, answer) in ask(pipeline.destinations(), target, &failed).into_iter().enumerate() {
        match answer {
            Ok(known) => answers.push(known),
            Err(e) => failed[i] = Some(e),
        }
    }
    none_fails(pipeline.destinations(), &mut failed)?;
    Ok(answers)
}

/// True when a destination that lacks the package has a load that the package, and those that wait before it, know
/// nothing of.
fn is_overtaken(
    pipeline: &Pipeline,
    package: &StoredPackage,
    pending: &[StoredPackage],
    answers: &[Option<Committed>],
    target: &Target,
) -> bool {
    let lacks = |p: &StoredPackage, url: &str| p.progress.destinations.iter().any(|d| d.url == url && !d.committed);
    pipeline.destinations().iter().zip(answers).any(|(d, answer)| {
        // What another package of this folder has brought there is known.
        let own = pending.iter().filter(|p| p.progress.destinations.iter().any(|at| at.url == d.url && at.committed));
        let own = own.map(|p| p.manifest.load_id.clone()).max();
        let fence = package.manifest.fence.clone().and(own.as_ref());
        lacks(package, &d.url) && fence.check(answer.as_ref().map(|c| &c.load_id), target).is_err()
    })
}

fn sources(known: &Committed) -> Vec<String> {
    let sources = known.state.as_ref().and_then(|s| s.get("sources")).and_then(|s| s.as_object());
    sources.into_iter().flatten().map(|(name, _)| name.clone()).collect()
}
