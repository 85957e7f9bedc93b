//! A pipeline and what can be loaded with it.

use crate::arrow;
use crate::builder::{LoadSettings, PipelineBuilder, check_table};
use crate::feed::{Feed, Message, SpareBuffers, WAITING_BLOCKS};
use crate::records::BlockWriter;
use crate::stream::source_failed;
use arrow_array::{RecordBatch, RecordBatchReader};
use longshore_core::error::{Error, Result};
use longshore_core::naming;
use longshore_core::normalize::FieldPath;
use longshore_core::package::{LoadId, TableCount};
use longshore_core::schema::DataType;
use longshore_core::source::Source;
use longshore_pipeline::store::Store;
use longshore_pipeline::{DestinationRef, FinishedRun, Order, Outcome, Report, RunOptions};
use longshore_source_files::{BlockReader, Input, JsonSource, Options, Select, to_error};
use serde::Serialize;
use std::error::Error as StdError;
use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;

/// A name, a working folder, destinations, and how records become tables. Clones are the same pipeline.
///
/// One load at a time: a second one waits a few seconds for the first, then fails with
/// [`ErrorKind::Busy`](crate::ErrorKind::Busy).
#[derive(Debug, Clone)]
pub struct Pipeline {
    name: String,
    data_dir: PathBuf,
    inner: longshore_pipeline::Pipeline,
    destinations: Vec<DestinationRef>,
    settings: Arc<LoadSettings>,
    select: Option<String>,
}

impl Pipeline {
    /// Returns a builder without settings.
    pub fn builder() -> PipelineBuilder {
        PipelineBuilder::default()
    }

    pub(crate) fn new(
        name: String,
        data_dir: PathBuf,
        inner: longshore_pipeline::Pipeline,
        destinations: Vec<DestinationRef>,
        settings: LoadSettings,
    ) -> Self {
        Pipeline { name, data_dir, inner, destinations, settings: Arc::new(settings), select: None }
    }

    /// Returns the same pipeline for the records of another root table.
    ///
    /// # Errors
    /// When the name is empty.
    pub fn with_table(&self, table: &str) -> Result<Pipeline> {
        check_table(table)?;
        let mut settings = LoadSettings::clone(&self.settings);
        settings.normalize.table = naming::normalize_table_name(table);
        Ok(Pipeline { settings: Arc::new(settings), ..self.clone() })
    }

    /// Returns the same pipeline for raw JSON whose records stand inside a wrapper, such as `$.data[*]`.
    ///
    /// # Errors
    /// When the path cannot be read; the message shows where.
    pub fn with_select(&self, path: &str) -> Result<Pipeline> {
        Select::parse(path).map_err(to_error)?;
        Ok(Pipeline { select: Some(path.to_owned()), ..self.clone() })
    }

    /// Loads records: anything serde can serialise. They are read and serialised on this thread.
    ///
    /// A float that is not a number or infinite becomes null, as `serde_json` writes it.
    ///
    /// # Errors
    /// When a record cannot be serialised, or the load fails; see the [crate]'s words on reports.
    pub fn load_records<I>(&self, records: I) -> Result<Report>
    where
        I: IntoIterator,
        I::Item: Serialize,
    {
        self.feed_records(records, |record, blocks| blocks.push(&record))
    }

    /// Loads records that may fail on the way, such as rows of a cursor; nothing is loaded then.
    ///
    /// # Errors
    /// The first failed record, as the source of the error, and those of [`Pipeline::load_records`].
    pub fn try_load_records<I, T, E>(&self, records: I) -> Result<Report>
    where
        I: IntoIterator<Item = std::result::Result<T, E>>,
        T: Serialize,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.feed_records(records, |record, blocks| blocks.push(&record.map_err(source_failed)?))
    }

    /// Loads raw JSON: an array of records, a single one, NDJSON, or values one after the other; gzip and zstd are
    /// recognised.
    ///
    /// # Errors
    /// When it is malformed, or the load fails.
    pub fn load_json(&self, json: impl Into<Vec<u8>>) -> Result<Report> {
        self.load_reader("json", Cursor::new(json.into()))
    }

    /// Loads raw JSON as [`Pipeline::load_json`], block by block from a reader; `name` stands for it in messages.
    ///
    /// # Errors
    /// When it cannot be read or is malformed, or the load fails.
    pub fn load_reader(&self, name: &str, reader: impl Read + Send + 'static) -> Result<Report> {
        self.load_inputs(vec![Input::reader(name, reader)])
    }

    /// Loads files: paths, folders and patterns such as `data/*.json.gz`. `-` stands for standard input.
    ///
    /// # Errors
    /// When there are none, one cannot be read or is malformed, or the load fails.
    pub fn load_files<I>(&self, files: I) -> Result<Report>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let names: Vec<String> = files.into_iter().map(Into::into).collect();
        self.load_inputs(Input::resolve(&names).map_err(to_error)?)
    }

    /// Loads Arrow batches of one schema, by the mapping of [`arrow`](crate::arrow).
    ///
    /// # Errors
    /// When a column has a type that cannot be mapped or a value that would change, or the load fails.
    pub fn load_arrow(&self, batches: impl IntoIterator<Item = RecordBatch>) -> Result<Report> {
        let mut batches = batches.into_iter().peekable();
        let Some(schema) = batches.peek().map(RecordBatch::schema) else { return self.load_records(Vec::<()>::new()) };
        self.feed_arrow(&schema, batches.map(Ok))
    }

    /// Loads what an Arrow reader gives, such as a Parquet or IPC file.
    ///
    /// # Errors
    /// When the reader fails, and as [`Pipeline::load_arrow`].
    pub fn load_arrow_reader(&self, reader: impl RecordBatchReader) -> Result<Report> {
        let schema = reader.schema();
        self.feed_arrow(&schema, reader.map(|batch| batch.map_err(source_failed)))
    }

    /// Loads a source of your own.
    ///
    /// # Errors
    /// When the source fails, or the load does.
    pub fn run(&self, source: &mut dyn Source) -> Result<Report> {
        on_own_thread(|| self.run_here(source, Vec::new(), Vec::new()))
    }

    /// Loads the packages that wait because an earlier run was interrupted or a destination failed.
    ///
    /// # Errors
    /// When one cannot be loaded; it goes on waiting.
    pub fn retry(&self) -> Result<Vec<Report>> {
        on_own_thread(|| {
            self.inner
                .retry(&self.settings.progress, Order::Kept)?
                .into_iter()
                .map(|finished| self.acknowledge(finished))
                .collect()
        })
    }

    /// Returns the packages that wait, oldest first.
    ///
    /// # Errors
    /// When the working folder cannot be read.
    pub fn waiting(&self) -> Result<Vec<LoadId>> {
        let pending = Store::existing(&self.data_dir, &self.name)?.pending()?;
        Ok(pending.into_iter().map(|package| package.manifest.load_id).collect())
    }

    /// Gives a package that waits up: its records are not loaded.
    ///
    /// # Errors
    /// When there is none of that load id.
    pub fn drop_package(&self, load_id: &LoadId) -> Result<()> {
        Store::existing(&self.data_dir, &self.name)?.drop_package(load_id.as_str())
    }

    /// Runs a query on the dataset in the first destination.
    ///
    /// # Errors
    /// When the destination refuses it.
    pub fn query(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        let destination = &self.destinations[0].destination;
        on_own_thread(|| runtime()?.block_on(destination.query(&self.settings.dataset, sql)))
    }

    /// Returns the tables of the dataset in the first destination with their row counts, the loader's own included.
    ///
    /// # Errors
    /// When the destination cannot be read.
    pub fn tables(&self) -> Result<Vec<TableCount>> {
        let destination = &self.destinations[0].destination;
        on_own_thread(|| runtime()?.block_on(destination.tables(&self.settings.dataset)))
    }

    pub(crate) fn memory(&self) -> u64 {
        self.settings.memory
    }

    fn load_inputs(&self, inputs: Vec<Input>) -> Result<Report> {
        let memory = self.settings.memory;
        let options = Options {
            select: self.select.as_deref().map(Select::parse).transpose().map_err(to_error)?,
            block_bytes: (memory / 96).clamp(256 << 10, 4 << 20) as usize,
            // A record, its tape and its columns are in memory at once.
            max_record_bytes: memory.clamp(64 << 20, 1 << 30) as usize,
        };
        self.run(&mut JsonSource::new(BlockReader::new(inputs, options), self.select.clone()))
    }

    fn feed_records<I: IntoIterator>(
        &self,
        records: I,
        push: impl Fn(I::Item, &mut BlockWriter) -> Result<()>,
    ) -> Result<Report> {
        self.feed("records", Vec::new(), Vec::new(), |blocks, hand_on| {
            for record in records {
                push(record, blocks)?;
                if blocks.is_full() && !hand_on(blocks) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn feed_arrow(
        &self,
        schema: &arrow_schema::Schema,
        batches: impl Iterator<Item = Result<RecordBatch>>,
    ) -> Result<Report> {
        let plan = arrow::Plan::of(schema)?;
        let (hints, json) = plan.paths()?;
        self.feed("arrow batches", hints, json, |blocks, hand_on| {
            for batch in batches {
                if !plan.write(&batch?, blocks, hand_on)? {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Runs a load on threads of its own, fed from this one. `fill` puts records into blocks and hands full ones on, until
    /// it is told that nobody takes them any more: then the load's own outcome says why.
    fn feed(
        &self,
        origin: &str,
        hints: Vec<(FieldPath, DataType)>,
        json: Vec<FieldPath>,
        fill: impl FnOnce(&mut BlockWriter, &dyn Fn(&mut BlockWriter) -> bool) -> Result<()>,
    ) -> Result<Report> {
        let (send, receive) = sync_channel(WAITING_BLOCKS);
        let spare = SpareBuffers::default();
        let mut feed = Feed::new(move || receive.recv().ok(), spare.clone());
        thread::scope(|scope| {
            let load = thread::Builder::new()
                .name("load".into())
                .spawn_scoped(scope, move || self.run_here(&mut feed, hints, json));
            let load = load.map_err(|e| Error::internal("cannot start a thread").source(e))?;
            let send = send; // dropped before the scope waits for the thread, also when the caller's iterator panics
            let hand_on = |blocks: &mut BlockWriter| match blocks.take() {
                Some(block) => send.send(Message::Block(block)).is_ok(),
                None => true,
            };
            let mut blocks = BlockWriter::new(origin, self.settings.memory, spare);
            let last = match fill(&mut blocks, &hand_on) {
                Ok(()) => {
                    hand_on(&mut blocks);
                    Message::End
                }
                Err(e) => Message::Failed(e),
            };
            let _ = send.send(last); // nobody there: the outcome says why
            load.join().unwrap_or_else(|_| Err(Error::internal("the load's thread panicked")))
        })
    }

    /// Runs a load on this thread, which must not be one of an asynchronous runtime.
    pub(crate) fn run_here(
        &self,
        source: &mut dyn Source,
        hints: Vec<(FieldPath, DataType)>,
        json: Vec<FieldPath>,
    ) -> Result<Report> {
        let settings = &self.settings;
        let mut normalize = settings.normalize.clone();
        normalize.hints.extend(hints); // the first that fits is taken: the caller's own
        normalize.json_columns.extend(json);
        let options = RunOptions {
            dataset: settings.dataset.clone(),
            schema_name: None,
            refresh: None,
            resources: vec![normalize],
            on_error: settings.on_error,
            threads: settings.threads,
            fingerprint: settings.resume_key.clone(),
            schema_files: settings.schema_files.clone(),
            progress: settings.progress.clone(),
        };
        let finished = self.inner.run(source, options)?;
        self.acknowledge(finished)
    }

    /// Files a finished load; one that failed at a destination is an error, so that `?` does not pass over it.
    fn acknowledge(&self, finished: FinishedRun) -> Result<Report> {
        self.inner.note_trace(&finished.report)?;
        let report = finished.acknowledge()?;
        if report.outcome != Outcome::Failed {
            return Ok(report);
        }
        let failed = report.destinations.iter().find(|d| !d.committed);
        let reason = failed.and_then(|d| d.error.clone()).unwrap_or_default();
        let hint = failed.and_then(|d| d.hint.clone());
        let mut error =
            Error::destination(format!("the load failed at a destination: {reason}")).with("pipeline", &self.name);
        if let Some(destination) = failed {
            error = error.with("destination", &destination.destination);
        }
        if let Some(load_id) = &report.load_id {
            error = error.with("load", load_id);
        }
        let waits = "the package waits in the working folder and goes first at the next run";
        Err(error.hint(hint.map_or_else(|| waits.to_owned(), |h| format!("{h}; {waits}"))))
    }
}

/// The pipeline waits for its destinations with a runtime of its own, which cannot be started on a thread of another.
fn on_own_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("load".into()).spawn_scoped(scope, work);
        let thread = thread.map_err(|e| Error::internal("cannot start a thread").source(e))?;
        thread.join().unwrap_or_else(|_| Err(Error::internal("the load's thread panicked")))
    })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::internal("cannot start a runtime").source(e))
}
