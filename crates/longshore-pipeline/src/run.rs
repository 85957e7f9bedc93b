//! One run, from what earlier runs left to the report.

use crate::extract::{Extract, Extracted};
use crate::load::{Step, commit, load_package, stage};
use crate::lock::PipelineLock;
use crate::pipeline::{FinishedRun, Pipeline, RunOptions};
use crate::progress::{Progress, Stage};
use crate::report::{DestinationReport, Outcome, Timings};
use crate::resume::{chain, complete, finish, runtime, settle};
use crate::store::{DestinationProgress, LoadProgress, StoredPackage};
use crate::writer::PackageWriter;
use longshore_core::destination::{CommitOutcome, Committed, Destination, Opening, Staged};
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::normalize::{Settings, Shape};
use longshore_core::package::{LoadId, Manifest, Part, Target};
use longshore_core::schema::{Schema, SchemaChange, SystemColumns};
use longshore_core::source::Source;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tracing::{debug, info};

/// Version of the manifest's form.
const FORMAT: u32 = 1;
/// Parts that may wait for a destination that stages early.
const WAITING_PARTS: usize = 24;
/// Recursion follows the nesting of lists, which the nesting limit bounds at 1000 by default.
const WORKER_STACK: usize = 64 << 20;

/// A run of a pipeline.
pub(crate) struct Run<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) options: RunOptions,
}

impl Run<'_> {
    pub(crate) fn run(&self, source: &mut dyn Source) -> Result<FinishedRun> {
        let began = Instant::now();
        let store = self.pipeline.store();
        let lock = Arc::new(PipelineLock::acquire(store.folder(), self.pipeline.name())?);
        let swept = store.sweep()?;
        let mut notes = Vec::new();
        if !swept.is_empty() {
            notes.push("an earlier run was interrupted before its package was complete; nothing of it had been loaded, and its files were removed".to_owned());
        }
        let mut earlier = self.finish_earlier(&lock, &mut notes)?;
        let digest = earlier.as_ref().and_then(|e| e.package.as_ref()).and_then(|p| p.progress.digest.clone());
        // A pipe has to be read to know whether it brings the same again.
        if let (Some(done), None) = (&earlier, &digest)
            && done.report.outcome != Outcome::Failed
        {
            notes.push(already_note(done));
        }
        if digest.is_none()
            && let Some(done) = earlier
        {
            return Ok(with_notes(done, notes, began));
        }
        let earlier_load = earlier.as_ref().and_then(|e| e.report.load_id.clone());
        let target = Target { pipeline: self.pipeline.name().to_owned(), dataset: self.options.dataset.clone() };
        let known = self.last_committed(&target)?;
        let load_id = store.next_load_id(now_micros()?, self.system());
        let extracted = self.extract_and_load(source, target, known, load_id, &mut earlier)?;
        let Some((package, reports, mut timings)) = extracted else {
            let done = earlier.ok_or_else(|| Error::internal("an input was found again without its load"))?;
            notes.push(already_note(&done));
            return Ok(with_notes(done, notes, began));
        };
        if let Some(load_id) = earlier_load {
            notes.push(format!("completed load {load_id}, which an earlier run had left; this run's input was another, and was loaded too"));
        }
        timings.total = began.elapsed().as_secs_f64();
        self.options.progress.enter(Stage::Done);
        let finished = finish(self.pipeline, package, reports, Outcome::Loaded, timings, &lock)?;
        Ok(with_notes(finished, notes, began))
    }

    /// Finishes sealed packages. Returns the run's result when one came from this very command.
    fn finish_earlier(&self, lock: &Arc<PipelineLock>, notes: &mut Vec<String>) -> Result<Option<FinishedRun>> {
        for package in self.pipeline.store().pending()? {
            let had_failed = package.progress.destinations.iter().any(|d| d.error.is_some());
            let same = !self.options.fingerprint.is_empty() && package.progress.fingerprint == self.options.fingerprint;
            let ours = |url: &str| self.pipeline.destinations().iter().any(|d| d.url == url);
            let concerns_us = package.progress.destinations.iter().any(|d| ours(&d.url));
            let load_id = package.manifest.load_id.clone();
            let finished = complete(self.pipeline, package, &self.options.progress, lock)?;
            let failed = finished.report.outcome == Outcome::Failed;
            if same && had_failed && !failed {
                notes.push("the load had failed before; it is complete now".to_owned());
            }
            if same {
                return Ok(Some(finished));
            }
            if failed && concerns_us {
                return Err(blocked(self.pipeline.name(), &load_id, &finished));
            }
            if failed {
                notes.push(format!(
                    "package {load_id} still waits for another destination: see 'longshore pipeline {} packages'",
                    self.pipeline.name()
                ));
                continue;
            }
            notes.push(format!("completed load {load_id}, which an earlier run had left, before beginning this one"));
            finished.acknowledge()?;
        }
        Ok(None)
    }

    /// The newest schema and state any of the destinations knows.
    fn last_committed(&self, target: &Target) -> Result<Option<Committed>> {
        let runtime = runtime()?;
        let mut newest: Option<Committed> = None;
        for d in self.pipeline.destinations() {
            let found = runtime.block_on(d.destination.last_committed(target))?;
            if found.as_ref().map(|f| &f.load_id) > newest.as_ref().map(|n| &n.load_id) {
                newest = found;
            }
        }
        Ok(newest)
    }

    fn extract_and_load(
        &self,
        source: &mut dyn Source,
        target: Target,
        known: Option<Committed>,
        load_id: LoadId,
        earlier: &mut Option<FinishedRun>,
    ) -> Result<Option<Loaded>> {
        let began = Instant::now();
        let options = &self.options;
        let schema = self.schema(known)?;
        let shape = Shape::with_resources(schema.clone(), self.resources())
            .ok_or_else(|| Error::config("the run has no resources"))?;
        let opening =
            Opening { target: target.clone(), load_id: load_id.clone(), system_columns: schema.system_columns };
        let mut writer = PackageWriter::begin(self.pipeline.store(), &load_id)?;
        options.progress.enter(Stage::Normalise);
        thread::scope(|scope| {
            let mut stagers = self.start_stagers(scope, &opening)?;
            let extract = Extract::new(source, shape, load_id.clone(), options.on_error, options.progress.clone());
            let extracted =
                extract_all(extract, options.threads.max(1), &mut writer, |part| hand_on(&mut stagers, part))?;
            let loaded_digest =
                earlier.as_ref().and_then(|e| e.package.as_ref()).and_then(|p| p.progress.digest.clone());
            if loaded_digest.is_some() && extracted.digest == loaded_digest {
                return Ok(None); // dropping the writer and the stagers leaves nothing
            }
            // Another input: the earlier load is over before this one's package exists, so that never
            // two packages of one command wait.
            if let Some(earlier) = earlier.take() {
                earlier.acknowledge()?;
            }
            let (parts, tables) = writer.finish()?;
            let schema_after = extracted.shape.schema().clone();
            let manifest = Manifest {
                format: FORMAT,
                load_id,
                target,
                change: SchemaChange::between(&schema, &schema_after),
                schema: schema_after,
                state: extracted.state,
                counts: extracted.counts,
                tables,
                parts,
            };
            let package = self.seal(&mut writer, manifest, extracted.digest)?;
            let normalise = began.elapsed().as_secs_f64();
            info!(load_id = %package.manifest.load_id, seconds = normalise, "package sealed");
            let (package, reports) = self.load(package, stagers)?;
            let load = began.elapsed().as_secs_f64() - normalise;
            Ok(Some((package, reports, Timings { normalise, load, total: 0.0 })))
        })
    }

    /// The schema to begin with. A dataset keeps the system columns it was begun with.
    fn schema(&self, known: Option<Committed>) -> Result<Schema> {
        let system = self.system();
        let Some(known) = known else { return Ok(Schema::new(self.pipeline.name(), system)) };
        if known.schema.system_columns == system {
            return Ok(known.schema);
        }
        let name = |s| if s == SystemColumns::Dlt { "dlt" } else { "native" };
        Err(Error::config("the dataset was loaded with other system columns")
            .with("dataset", &self.options.dataset)
            .hint(format!("add --system-columns {}, or load into another dataset", name(known.schema.system_columns))))
    }

    /// Names must fit every destination.
    fn resources(&self) -> Vec<Settings> {
        let lengths = self.pipeline.destinations().iter().map(|d| d.destination.capabilities().max_identifier_length);
        let shortest = lengths.min().unwrap_or(usize::MAX);
        let mut resources = self.options.resources.clone();
        for settings in &mut resources {
            settings.max_identifier_length = settings.max_identifier_length.min(shortest);
        }
        resources
    }

    fn system(&self) -> SystemColumns {
        self.options.resources.first().map(|r| r.system).unwrap_or_default()
    }

    fn start_stagers<'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        opening: &Opening,
    ) -> Result<Vec<Stager<'scope>>> {
        let mut stagers = Vec::new();
        for d in self.pipeline.destinations() {
            if !d.destination.capabilities().stages_early {
                stagers.push(Stager { steps: None, thread: None });
                continue;
            }
            let (send, receive) = sync_channel(WAITING_PARTS);
            let (ready, is_ready) = sync_channel(1);
            let (destination, opening, progress) =
                (Arc::clone(&d.destination), opening.clone(), self.options.progress.clone());
            let thread = thread::Builder::new()
                .name("stage".into())
                .spawn_scoped(scope, move || stage_early(destination.as_ref(), &opening, &receive, &ready, &progress));
            let thread = thread.map_err(|e| Error::internal("cannot start a thread").source(e))?;
            // A destination that cannot even begin is known before anything is read.
            is_ready.recv().unwrap_or_else(|_| Err(Error::internal("a staging thread ended")))?;
            stagers.push(Stager { steps: Some(send), thread: Some(thread) });
        }
        Ok(stagers)
    }

    fn seal(&self, writer: &mut PackageWriter, manifest: Manifest, digest: Option<String>) -> Result<StoredPackage> {
        let destinations = self.pipeline.destinations().iter();
        let destinations = destinations.map(|d| DestinationProgress {
            url: d.url.clone(),
            committed: false,
            error: None,
            tables: Vec::new(),
        });
        let progress = LoadProgress {
            fingerprint: self.options.fingerprint.clone(),
            digest,
            destinations: destinations.collect(),
        };
        let package = self.pipeline.store().seal(writer.folder(), &manifest, &progress)?;
        writer.sealed();
        Ok(package)
    }

    fn load(
        &self,
        mut package: StoredPackage,
        stagers: Vec<Stager<'_>>,
    ) -> Result<(StoredPackage, Vec<DestinationReport>)> {
        self.options.progress.enter(Stage::Commit);
        let manifest = Arc::new(package.manifest.clone());
        let mut reports = Vec::new();
        for (i, stager) in stagers.into_iter().enumerate() {
            let started = Instant::now();
            let outcome = match stager.commit(&manifest) {
                Some(Ok(outcome)) => Ok(outcome),
                early => self.load_late(i, &package, early),
            };
            reports.push(settle(&mut package, i, outcome, started));
        }
        Ok((package, reports))
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
        let destination = &self.pipeline.destinations()[index].destination;
        runtime()?.block_on(load_package(destination.as_ref(), package, &self.options.progress))
    }
}

/// The thread of a destination that stages while the package is still being written.
struct Stager<'scope> {
    steps: Option<SyncSender<Step>>,
    thread: Option<ScopedJoinHandle<'scope, Result<CommitOutcome>>>,
}

impl Stager<'_> {
    /// Lets the destination commit. `None` when it does not stage early.
    fn commit(self, manifest: &Arc<Manifest>) -> Option<Result<CommitOutcome>> {
        let _ = self.steps?.send(Step::Commit(Arc::clone(manifest))); // a thread that failed says so below
        Some(self.thread?.join().unwrap_or_else(|_| Err(Error::internal("a staging thread panicked"))))
    }
}

fn hand_on(stagers: &mut [Stager<'_>], part: Part) {
    for stager in stagers.iter_mut() {
        let gone = stager.steps.as_ref().is_some_and(|s| s.send(Step::Part(part.clone())).is_err());
        if gone {
            debug!("a destination stopped staging; it is tried again from the sealed package");
        }
    }
}

fn stage_early(
    destination: &dyn Destination,
    opening: &Opening,
    steps: &Receiver<Step>,
    ready: &SyncSender<Result<()>>,
    progress: &Progress,
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
    for step in steps {
        match step {
            Step::Part(part) => staged.push(runtime.block_on(stage(load.as_ref(), &part, progress))?),
            Step::Commit(manifest) => return runtime.block_on(commit(load, &manifest, &staged)),
        }
    }
    runtime.block_on(load.abort())?;
    Err(Error::new(ErrorKind::Internal, "the load was given up"))
}

/// A package with what came of it at each destination.
type Loaded = (StoredPackage, Vec<DestinationReport>, Timings);

fn extract_all(
    extract: Extract<'_>,
    threads: usize,
    writer: &mut PackageWriter,
    hand_on: impl FnMut(Part),
) -> Result<Extracted> {
    let (send, receive) = sync_channel(threads);
    let written = thread::scope(|scope| {
        for i in 0..threads {
            let (extract, send) = (&extract, send.clone());
            let worker = thread::Builder::new().name(format!("normalise-{i}")).stack_size(WORKER_STACK);
            if let Err(e) = worker.spawn_scoped(scope, move || extract.work(&send)) {
                extract.stop(Error::internal("cannot start a thread").source(e));
            }
        }
        drop(send);
        let written = writer.write_all(&receive, hand_on);
        drop(receive); // workers that still want to send see that nobody listens
        written
    });
    // A disk that is full stops the workers too: its own error comes first.
    written?;
    extract.finish()
}

fn with_notes(mut finished: FinishedRun, notes: Vec<String>, began: Instant) -> FinishedRun {
    finished.report.notes = notes;
    finished.report.timings.total = began.elapsed().as_secs_f64();
    finished
}

fn already_note(finished: &FinishedRun) -> String {
    let already = finished.report.destinations.iter().all(|d| d.already);
    let what = if already {
        "had committed its load but not said so; nothing was left to do"
    } else {
        "had been interrupted; its load is complete now"
    };
    format!("an earlier run of this command {what}. Nothing new was read: run the command again for a new load")
}

fn blocked(pipeline: &str, load_id: &LoadId, finished: &FinishedRun) -> Error {
    let reason = finished.report.destinations.iter().find_map(|d| d.error.clone()).unwrap_or_default();
    Error::destination(format!("an earlier package cannot be loaded, and goes first: {reason}"))
        .with("pipeline", pipeline)
        .with("load", load_id)
        .hint(format!(
            "remove the cause and run again, or give it up with 'longshore pipeline {pipeline} drop-package {load_id}'"
        ))
}

fn now_micros() -> Result<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map(|d| d.as_micros() as u64).map_err(|e| Error::internal("the clock is before 1970").source(e))
}
