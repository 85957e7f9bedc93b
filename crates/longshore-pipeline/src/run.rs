//! One run, from what earlier runs left to the report.

mod places;

use self::places::ready;
use crate::acceptance::accepted_by;
use crate::extract::{Extract, Extracted, NumberedBatches};
use crate::leases::Leases;
use crate::lock::PipelineLock;
use crate::merge_rules;
use crate::pipeline::{DestinationRef, FinishedRun, Pipeline, RunOptions};
use crate::progress::Stage;
use crate::repeated_keys::RepeatedKeys;
use crate::report::{DestinationReport, Outcome, Timings};
use crate::resume::{chain, finish, finish_earlier};
use crate::stager::{Stager, WAITING_PARTS, hand_on};
use crate::standing::{Standing, none_left, standing};
use crate::store::StoredPackage;
use crate::writer::PackageWriter;
use longshore_core::capabilities::Widening;
use longshore_core::destination::{Committed, Opening};
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::lease::Fence;
use longshore_core::normalize::{Settings, Shape};
use longshore_core::package::{LoadId, Manifest, Target};
use longshore_core::refresh::{Cleared, nothing_remembered};
use longshore_core::schema::{Disposition, Schema, SchemaChange, SystemColumns, SystemTable};
use longshore_core::source::{Source, Start};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tracing::info;

/// Version of the manifest's form.
pub(crate) const FORMAT: u32 = 1;
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
        self.check_dispositions()?;
        let store = self.pipeline.store();
        let lock = Arc::new(PipelineLock::acquire(store, self.pipeline.name(), self.pipeline.wait())?);
        // Until the end of the run: the next one reads what this one leaves.
        let mut leases = Leases::take(self.pipeline, &[&self.options.dataset])?;
        let swept = store.sweep(Some(self.pipeline.keep_packages()))?;
        let mut notes = Vec::new();
        let interrupted = store.interrupted();
        if interrupted.is_some() {
            notes.push(
                "an earlier run was interrupted while it read its source; nothing of it had been loaded".to_owned(),
            );
        } else if !swept.is_empty() {
            notes.push("an earlier run was interrupted before its package was complete; nothing of it had been loaded, and its files were removed".to_owned());
        }
        let progress = &self.options.progress;
        let earlier = finish_earlier(self.pipeline, &self.options.fingerprint, progress, &lock, &mut notes)?;
        let (mut own, had_failed, mut out) = (earlier.own, earlier.own_had_failed, earlier.out);
        // A pipe has to be read to know whether it brings the same again.
        let is_over = |own: &FinishedRun| earlier.own_digest.is_none() || own.report.outcome == Outcome::Failed;
        if let Some(done) = own.take_if(|own| is_over(own)) {
            if done.report.outcome != Outcome::Failed {
                notes.push(already_note(&done, had_failed));
            }
            return Ok(with_notes(done, notes, began));
        }
        none_left(self.pipeline.destinations(), &mut out)?;
        let without_lease = self.without_lease(&mut leases, &mut out);
        let earlier_load = own.as_ref().and_then(|e| e.report.load_id.clone());
        let target = Target { pipeline: self.pipeline.name().to_owned(), dataset: self.options.dataset.clone() };
        let standing = standing(self.pipeline, &target, out)?;
        notes.extend(without_lease);
        notes.extend(standing.notes.iter().cloned());
        let load_id = match interrupted {
            Some(id) => LoadId::from_micros(id.micros(), self.system()),
            // Later than all that stands there, whatever the clocks of other machines say.
            None => {
                let last = standing.known.as_ref().map_or(0, |k| k.load_id.micros() + 1000);
                store.next_load_id(now_micros()?.max(last), self.system())
            }
        };
        let mut own = own.map(|own| (own, earlier.own_digest));
        let extracted = self.extract_and_load(source, target, standing, load_id, &mut own, &mut notes)?;
        notes.extend(source.notes());
        let Some((package, reports, mut timings)) = extracted else {
            let (done, _) = own.ok_or_else(|| Error::internal("an input was found again without its load"))?;
            notes.push(already_note(&done, had_failed));
            return Ok(with_notes(done, notes, began));
        };
        notes.extend(from_scratch(&package.manifest));
        if let Some(load_id) = earlier_load {
            notes.push(format!("completed load {load_id}, which an earlier run had left; this run's input was another, and was loaded too"));
        }
        timings.total = began.elapsed().as_secs_f64();
        self.options.progress.enter(Stage::Done);
        let finished = finish(self.pipeline, package, reports, Outcome::Loaded, timings, &lock)?;
        Ok(with_notes(finished, notes, began))
    }

    fn extract_and_load(
        &self,
        source: &mut dyn Source,
        target: Target,
        mut standing: Standing,
        load_id: LoadId,
        earlier: &mut Option<(FinishedRun, Option<String>)>,
        notes: &mut Vec<String>,
    ) -> Result<Option<Loaded>> {
        let began = Instant::now();
        let options = &self.options;
        let state = standing.known.as_ref().and_then(|k| k.state.clone());
        let remembered = state.clone();
        let fence = Fence::After(standing.known.as_ref().map(|k| k.load_id.clone()));
        let Cleared { schema: known, state, drops, empties } = self.cleared(self.schema(standing.known.take())?, state);
        let forgets = state != remembered;
        let can_widen = self.resources().iter().all(|r| r.rules.can_widen);
        let schema = options.schema_files.apply(known.clone(), can_widen)?;
        let shape = Shape::with_resources(schema.clone(), self.resources())
            .ok_or_else(|| Error::config("the run has no resources"))?;
        let opening = Opening {
            target: target.clone(),
            load_id: load_id.clone(),
            system_columns: schema.system_columns,
            fence: fence.clone(),
            drops: drops.clone(),
            tables: shape.known_tables(),
        };
        let journal = self.pipeline.store().journal(&load_id);
        source.begin(&Start { load_id: load_id.clone(), state, journal: Some(journal) })?;
        let mut writer = PackageWriter::begin(self.pipeline.store(), &load_id)?;
        options.progress.enter(Stage::Normalise);
        thread::scope(|scope| {
            // They open while the first blocks are read; one that cannot begin is known before there is a package.
            let mut stagers = self.start_stagers(scope, &opening, &standing.out)?;
            if source.waits_for_destinations() {
                ready(self.pipeline, &mut stagers, &mut standing.out)?;
            }
            let extract = Extract::new(source, shape, load_id.clone(), options.on_error, options.progress.clone());
            let mut repeated = RepeatedKeys::of_all(writer.keys_folder());
            let extracted = extract_all(extract, options.threads.max(1), |batches| {
                let mut room = WAITING_PARTS;
                writer.write_all(batches, |part| {
                    room = room.saturating_sub(1);
                    if room == 0 {
                        ready(self.pipeline, &mut stagers, &mut standing.out)?;
                    }
                    repeated.add_part(&part)?;
                    hand_on(&stagers, part);
                    Ok(())
                })
            });
            // A destination that cannot take the load was known to be so before the input was.
            let mut extracted = match extracted {
                Ok(extracted) => extracted,
                Err(e) => return ready(self.pipeline, &mut stagers, &mut standing.out).and(Err(e)),
            };
            if earlier.as_ref().is_some_and(|(_, digest)| digest.is_some() && *digest == extracted.digest) {
                return Ok(None); // dropping the writer and the stagers leaves nothing
            }
            // Another input: the earlier load is over before this one's package exists, so that never
            // two packages of one command wait.
            if let Some((earlier, _)) = earlier.take() {
                earlier.acknowledge()?;
            }
            stagers.iter().for_each(Stager::all_parts);
            let (parts, tables) = writer.finish()?;
            notes.extend(self.finish_shape(&mut extracted.shape));
            let schema_after = extracted.shape.schema().clone();
            let resources = extracted.shape.resource_tables();
            notes.extend(merge_rules::check(&schema_after, &resources, &tables, &extracted.counts)?);
            repeated.check()?;
            let mut manifest = Manifest {
                format: FORMAT,
                load_id,
                target,
                fence,
                drops,
                empties,
                resources,
                change: SchemaChange::between(&known, &schema_after),
                schema: schema_after,
                state: extracted.state.or_else(|| forgets.then(nothing_remembered)),
                counts: extracted.counts,
                discards: extracted.discards,
                tables,
                parts,
            };
            options.schema_files.write(&mut manifest.schema)?;
            accepted_by(self.pipeline.destinations(), &manifest.schema)?;
            let progress = self.load_progress(extracted.digest, &standing.behind);
            let may_seal = || ready(self.pipeline, &mut stagers, &mut standing.out);
            let package = writer.seal(self.pipeline.store(), &manifest, &progress, may_seal)?;
            let normalise = began.elapsed().as_secs_f64();
            info!(load_id = %package.manifest.load_id, seconds = normalise, "package sealed");
            let (package, reports) = self.load(package, stagers, &standing.out);
            let load = began.elapsed().as_secs_f64() - normalise;
            Ok(Some((package, reports, Timings { normalise, load, total: 0.0 })))
        })
    }

    /// Makes the columns of hints that no record had, when all records are in. Returns notes of what was said of the records
    /// and has no effect, or only that.
    pub(crate) fn finish_shape(&self, shape: &mut Arc<Shape>) -> Vec<String> {
        let shape = Arc::make_mut(shape);
        let unmet = shape.unmet_paths();
        let made = shape.make_unmet_columns();
        let unmet = unmet.into_iter().map(|path| unmet_note(&path, made.contains(&path)));
        let vain = shape.vain_hints().into_iter().map(|path| vain_note(&path));
        let flat = shape.vain_unnests().into_iter().map(|name| flat_note(&name));
        let said = self.options.resources.iter().flat_map(|r| r.rules.notes.iter().cloned());
        unmet.chain(vain).chain(flat).chain(said).collect()
    }

    /// What comes of destinations where the lease could not be taken: one that cannot be reached takes no part.
    fn without_lease(&self, leases: &mut Leases, out: &mut [Option<Error>]) -> Vec<String> {
        let mut notes = Vec::new();
        for (number, e) in leases.troubles.drain(..) {
            let url = &self.pipeline.destinations()[number].url;
            if e.kind() == ErrorKind::Unavailable {
                out[number].get_or_insert(e);
            } else if out[number].is_none() {
                notes.push(format!("two runs at once are told from one another only at their commits, because no lease could be taken at {url}: {}", chain(&e)));
            }
        }
        notes
    }

    /// Schema and state to begin with, without what goes before the load.
    pub(crate) fn cleared(&self, schema: Schema, state: Option<serde_json::Value>) -> Cleared {
        let Some(refresh) = &self.options.refresh else {
            return Cleared { schema, state, ..Cleared::default() };
        };
        let empty = Schema::new(&schema.name, schema.system_columns);
        let shape = Shape::with_resources(empty, self.resources());
        let roots = shape.map_or_else(Vec::new, |shape| shape.resource_tables());
        refresh.apply(schema, state, &roots)
    }

    /// The schema to begin with. A dataset keeps the system columns it was begun with.
    pub(crate) fn schema(&self, known: Option<Committed>) -> Result<Schema> {
        let system = self.system();
        let Some(known) = known else {
            let name = match (system, &self.options.schema_name) {
                (SystemColumns::Native, _) => self.pipeline.name().to_owned(),
                (SystemColumns::Dlt, Some(name)) => longshore_core::dlt::schema_name(name),
                (SystemColumns::Dlt, None) => longshore_core::dlt::schema_name(self.pipeline.name()),
            };
            return Ok(Schema::new(name, system));
        };
        if known.schema.system_columns == system {
            return Ok(known.schema);
        }
        let name = |s| if s == SystemColumns::Dlt { "dlt" } else { "native" };
        Err(Error::config("the dataset was loaded with other system columns")
            .with("dataset", &self.options.dataset)
            .hint(format!("add --system-columns {}, or load into another dataset", name(known.schema.system_columns))))
    }

    /// Names must fit every destination, and columns become wider only where each can do it.
    pub(crate) fn resources(&self) -> Vec<Settings> {
        let lengths = self.pipeline.destinations().iter().map(|d| d.destination.capabilities().max_identifier_length);
        let shortest = lengths.min().unwrap_or(usize::MAX);
        let widens = self.pipeline.destinations().iter().map(|d| d.destination.capabilities().widens).min();
        let mut resources = self.options.resources.clone();
        for settings in &mut resources {
            settings.rules.can_widen = widens.is_some_and(|w| w != Widening::Never);
            settings.rules.only_numbers = widens == Some(Widening::Numbers);
            settings.follow_names();
            settings.max_identifier_length = settings.max_identifier_length.min(shortest);
        }
        resources
    }

    /// What a destination cannot do is refused before anything is touched.
    fn check_dispositions(&self) -> Result<()> {
        self.pipeline.destinations().iter().try_for_each(|d| self.refusal(d))
    }

    /// The error with which a destination's capabilities refuse a resource.
    pub(crate) fn refusal(&self, d: &DestinationRef) -> Result<()> {
        for resource in &self.options.resources {
            if resource.system.owns_table(&resource.table) || is_of_loads(&resource.table) {
                return Err(Error::config("this name is that of a table of the loader's own")
                    .with("table", &resource.table)
                    .hint("choose another name for the table of the records"));
            }
            resource.write.check().map_err(|e| e.with("table", &resource.table))?;
            resource.check()?;
            if d.destination.capabilities().dispositions.can(&resource.write) {
                continue;
            }
            let how = match resource.write.disposition {
                Disposition::Merge => format!("merge by {}", resource.write.strategy),
                _ => "replace".to_owned(),
            };
            return Err(Error::config(format!("the destination cannot {how}"))
                .with("table", &resource.table)
                .with("destination", &d.url)
                .hint("choose another write disposition, or another destination"));
        }
        Ok(())
    }

    fn system(&self) -> SystemColumns {
        self.options.resources.first().map(|r| r.system).unwrap_or_default()
    }
}

/// A package with what came of it at each destination.
type Loaded = (StoredPackage, Vec<DestinationReport>, Timings);

/// Runs the normalising threads; `take` gets what they make, and ends when they have ended.
pub(crate) fn extract_all(
    extract: Extract<'_>,
    threads: usize,
    take: impl FnOnce(&Receiver<NumberedBatches>) -> Result<()>,
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
        let written = take(&receive);
        drop(receive); // workers that still want to send see that nobody listens
        written
    });
    // A disk that is full stops the workers too: its own error comes first.
    written?;
    extract.finish()
}

/// Says what a refresh has taken away.
fn from_scratch(manifest: &Manifest) -> Option<String> {
    let (tables, what) = match (manifest.drops.as_slice(), manifest.empties.as_slice()) {
        ([], []) => return None,
        ([], emptied) => (emptied, "were emptied, with those below them,"),
        (dropped, _) => (dropped, "were dropped"),
    };
    Some(format!("from scratch: these tables {what} in the step that brought the new rows: {}", tables.join(", ")))
}

fn with_notes(mut finished: FinishedRun, notes: Vec<String>, began: Instant) -> FinishedRun {
    finished.report.notes = notes;
    finished.report.timings.total = began.elapsed().as_secs_f64();
    finished
}

fn unmet_note(path: &str, is_made: bool) -> String {
    let then = if is_made { "its column is there, without values" } else { "nothing comes of it" };
    format!("no record has the path '{path}', and a flag or the configuration says something of it: {then}")
}

fn vain_note(path: &str) -> String {
    format!("the hint of '{path}' does nothing: it is a list or an object, and its fields have hints of their own")
}

fn flat_note(name: &str) -> String {
    format!("unnesting '{name}' does nothing: no value of it is a list or a struct")
}

fn already_note(finished: &FinishedRun, had_failed: bool) -> String {
    let already = finished.report.destinations.iter().all(|d| d.already);
    let what = match (already, had_failed) {
        (true, _) if finished.package.is_none() => "had brought its load here",
        (true, _) if finished.package.as_ref().is_some_and(|p| p.loaded) => {
            "had been interrupted or had failed; another command completed its load meanwhile"
        }
        (true, _) => "had committed its load but not said so; nothing was left to do",
        (false, true) => "had failed; its load is complete now",
        (false, false) => "had been interrupted; its load is complete now",
    };
    // A load that waits for another destination is this command's until it is there too: a note says so.
    let next = if finished.package.is_some() { ": run the command again for a new load" } else { "" };
    format!("an earlier run of this command {what}. Nothing new was read{next}")
}

pub(crate) fn now_micros() -> Result<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map(|d| d.as_micros() as u64).map_err(|e| Error::internal("the clock is before 1970").source(e))
}

/// Destinations know by the table of loads in which mode a dataset is written, so there is none of the other mode's name.
fn is_of_loads(table: &str) -> bool {
    [SystemColumns::Native, SystemColumns::Dlt].iter().any(|mode| mode.table_name(SystemTable::Loads) == table)
}
