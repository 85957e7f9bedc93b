//! What a program says about a pipeline before it runs.

use crate::pipeline::Pipeline;
use crate::said::Said;
use longshore_core::connect::{Connection, Limits};
use longshore_core::destination::Destination;
use longshore_core::error::{Error, Result};
use longshore_core::naming;
use longshore_core::normalize::{DEFAULT_MAX_NESTING, FieldPath, OnError, SchemaRules, Settings};
use longshore_core::schema::{DataType, SystemColumns};
use longshore_pipeline::{DestinationRef, Progress, SchemaFiles};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

const DEFAULT_MEMORY: u64 = 256 << 20;
const LEAST_MEMORY: u64 = 32 << 20;

/// Gathers a pipeline's settings; made by [`Pipeline::builder`].
///
/// Needed are a name, a data folder, a destination and a table; everything else has a default.
#[derive(Debug, Clone)]
#[must_use]
pub struct PipelineBuilder {
    name: Option<String>,
    data_dir: Option<PathBuf>,
    dataset: Option<String>,
    table: Option<String>,
    urls: Vec<String>,
    custom: Vec<Arc<dyn Destination>>,
    system: SystemColumns,
    max_nesting: u32,
    json_columns: Vec<String>,
    hints: Vec<(String, DataType)>,
    pub(crate) rules: SchemaRules,
    pub(crate) said: Said,
    on_error: OnError,
    threads: Option<usize>,
    memory: u64,
    resume_key: String,
    progress: Progress,
}

/// How a pipeline reads and normalises; the same for all its loads but for the table.
#[derive(Debug, Clone)]
pub(crate) struct LoadSettings {
    pub(crate) dataset: String,
    pub(crate) normalize: Settings,
    pub(crate) on_error: OnError,
    pub(crate) threads: usize,
    pub(crate) memory: u64,
    pub(crate) resume_key: String,
    pub(crate) progress: Progress,
    pub(crate) schema_files: SchemaFiles,
}

impl Default for PipelineBuilder {
    fn default() -> Self {
        PipelineBuilder {
            name: None,
            data_dir: None,
            dataset: None,
            table: None,
            urls: Vec::new(),
            custom: Vec::new(),
            system: SystemColumns::Native,
            max_nesting: DEFAULT_MAX_NESTING,
            json_columns: Vec::new(),
            hints: Vec::new(),
            rules: SchemaRules::default(),
            said: Said::default(),
            on_error: OnError::Fail,
            threads: None,
            memory: DEFAULT_MEMORY,
            resume_key: String::new(),
            progress: Progress::default(),
        }
    }
}

impl PipelineBuilder {
    /// The pipeline's name: it keeps packages and schema together. Letters, digits, `_`, `-` and `.`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The working folder, where packages stand until they are loaded. Keep it between runs: what an interrupted run left
    /// is completed from it. Several pipelines may share it.
    pub fn data_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(folder.into());
        self
    }

    /// A destination by its URL, such as `duckdb:///path/to/shop.duckdb`. May be called several times: every load goes to
    /// all of them.
    pub fn destination(mut self, url: impl Into<String>) -> Self {
        self.urls.push(url.into());
        self
    }

    /// A destination object, for instance one of your own. Packages remember it by its `Display` text, so that
    /// must name the place and hold no secret.
    pub fn custom_destination(mut self, destination: Arc<dyn Destination>) -> Self {
        self.custom.push(destination);
        self
    }

    /// The schema or folder the tables stand in; by default `<name>_dataset`.
    pub fn dataset(mut self, name: impl Into<String>) -> Self {
        self.dataset = Some(name.into());
        self
    }

    /// The root table of the records. [`Pipeline::with_table`] gives a pipeline for another one.
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.table = Some(name.into());
        self
    }

    /// Names and form of the loader's own columns; a dataset keeps those it was begun with.
    pub fn system_columns(mut self, system: SystemColumns) -> Self {
        self.system = system;
        self
    }

    /// Levels of nesting that become columns and tables; deeper values stay JSON. By default 1000.
    pub fn max_nesting(mut self, levels: u32) -> Self {
        self.max_nesting = levels;
        self
    }

    /// A path whose objects and lists stay JSON, such as `payload.raw` or `lines.attributes`.
    pub fn json_column(mut self, path: impl Into<String>) -> Self {
        self.json_columns.push(path.into());
        self
    }

    /// The type of a field that would not be inferred, such as `birthday` as [`DataType::Date`].
    pub fn hint(mut self, path: impl Into<String>, data_type: DataType) -> Self {
        self.hints.push((path.into(), data_type));
        self
    }

    /// What happens to records that are not JSON (raw JSON only): fail the load, or keep them in the rejects table.
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }

    /// Threads for normalising and for destinations inside this process; by default one a processor.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// Bytes of memory the load sizes its buffers for; by default 256 MiB, at least 32 MiB.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes.max(LEAST_MEMORY);
        self
    }

    /// Names the work that a load does. When an earlier run with the same key was interrupted after its
    /// package was sealed, this run completes that and reads nothing; see [`Outcome::Completed`](crate::Outcome). Without a
    /// key (the default) an earlier package is completed first, and the input is read all the same.
    pub fn resume_key(mut self, key: impl Into<String>) -> Self {
        self.resume_key = key.into();
        self
    }

    /// Counters to watch the loads by, from any thread.
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// Returns the pipeline; its first load makes the working folder.
    ///
    /// # Errors
    /// `Config` when something is missing or wrong.
    pub fn build(self) -> Result<Pipeline> {
        let name = self.name.clone().ok_or_else(|| missing("a name", ".name(\"shop\")"))?;
        let data_dir = self.data_dir.clone().ok_or_else(|| missing("a working folder", ".data_dir(path)"))?;
        let table = self.table.clone().ok_or_else(|| missing("a table", ".table(\"orders\")"))?;
        check_table(&table)?;
        let dataset = self.dataset.clone().unwrap_or_else(|| format!("{name}_dataset"));
        let dataset =
            naming::normalize_identifier(&dataset).ok_or_else(|| Error::config("the dataset's name is empty"))?;
        let threads = self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZeroUsize::get));
        // The normaliser's buffers take the other part.
        let limits = Limits { threads: Some(threads), memory: Some(self.memory / 8 * 3) };
        let destinations = self.destinations(limits)?;
        let inner = longshore_pipeline::Pipeline::open(&data_dir, &name, destinations.clone())?.connect_with(Arc::new(
            move |url| longshore_destinations::open(&Connection { limits, ..Connection::new(url) }),
        ));
        let paths = |texts: &[String]| texts.iter().map(|p| FieldPath::parse(p)).collect::<Result<Vec<_>>>();
        let hints = self.hints.iter().map(|(path, t)| Ok((FieldPath::parse(path)?, *t))).collect::<Result<Vec<_>>>()?;
        let mut normalize = Settings {
            max_nesting: self.max_nesting,
            json_columns: paths(&self.json_columns)?,
            hints,
            rules: self.rules,
            ..Settings::new(&table, self.system)
        };
        let schema_files = self.said.apply(&mut normalize)?;
        let settings = LoadSettings {
            dataset,
            normalize,
            on_error: self.on_error,
            threads,
            memory: self.memory,
            resume_key: self.resume_key,
            progress: self.progress,
            schema_files,
        };
        Ok(Pipeline::new(name, data_dir, inner, destinations, settings))
    }

    fn destinations(&self, limits: Limits) -> Result<Vec<DestinationRef>> {
        let mut all = Vec::new();
        for url in &self.urls {
            let kind = longshore_destinations::kind(url)?;
            if !url.contains(':') {
                return Err(Error::config(format!("'{url}' names no place")).hint(format!("write {}", kind.example)));
            }
            let connection = Connection { limits, ..Connection::new(longshore_destinations::with_known_scheme(url)) };
            all.push(DestinationRef { url: (kind.canonical)(&connection)?, destination: (kind.open)(&connection)? });
        }
        for destination in &self.custom {
            all.push(DestinationRef { url: destination.to_string(), destination: Arc::clone(destination) });
        }
        if all.is_empty() {
            return Err(missing("a destination", ".destination(url) or .custom_destination(object)"));
        }
        Ok(all)
    }
}

/// A blank name would become `_empty`, which nobody means.
pub(crate) fn check_table(table: &str) -> Result<()> {
    if table.trim().is_empty() {
        return Err(Error::config("the table's name is empty"));
    }
    Ok(())
}

fn missing(what: &str, how: &str) -> Error {
    Error::config(format!("the pipeline has no {}", what.trim_start_matches("a ")))
        .hint(format!("give it {what}: {how}"))
}
