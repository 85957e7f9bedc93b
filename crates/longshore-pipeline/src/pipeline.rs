//! A pipeline: a name, its working folder, and how it is run.

use crate::drop::{DropPlan, DropRequest};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::report::Report;
use crate::run::Run;
use crate::schema_files::SchemaFiles;
use crate::store::Store;
use crate::sync::Synced;
use longshore_core::destination::Destination;
use longshore_core::error::{Error, Result};
use longshore_core::naming;
use longshore_core::normalize::{OnError, Settings};
use longshore_core::refresh::Refresh;
use longshore_core::source::Source;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A destination and the URL it was named by, which finds it again for a package that waits.
#[derive(Debug, Clone)]
pub struct DestinationRef {
    /// The URL without secrets, absolute: kept with packages.
    pub url: String,
    /// The destination.
    pub destination: Arc<dyn Destination>,
}

/// Behind what a package may be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Behind what it went on from.
    Kept,
    /// Behind whatever stands there.
    Any,
}

/// Finds the destination of a package that an earlier run left, by its URL.
pub type Connect = Arc<dyn Fn(&str) -> Result<Arc<dyn Destination>> + Send + Sync>;

/// How long a run waits for another one of the same pipeline, when nothing else is said.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(15);
/// After how long without a sign of life a run's lease in a folder or bucket is free, when nothing else is said.
pub const DEFAULT_LEASE_TIME: Duration = Duration::from_secs(30);

/// What one run does beside reading its source.
#[derive(Clone)]
pub struct RunOptions {
    /// Dataset the tables stand in.
    pub dataset: String,
    /// Name of the source, which dlt names a schema after; without it the pipeline's. Counts in dlt's mode, for a
    /// pipeline's first load.
    pub schema_name: Option<String>,
    /// Rules of normalising, one for each of the source's resources; each names its root table.
    pub resources: Vec<Settings>,
    /// What goes before the load: it begins from scratch there.
    pub refresh: Option<Refresh>,
    /// What to do with malformed records.
    pub on_error: OnError,
    /// Normalising threads; at least one.
    pub threads: usize,
    /// Stands for the command: when an earlier run of the same command was interrupted after its
    /// package was sealed, this run completes that and ends. Empty: never ends early.
    pub fingerprint: String,
    /// Folders the schema is written to and read from.
    pub schema_files: SchemaFiles,
    /// Counters others may watch.
    pub progress: Progress,
}

/// A pipeline with its working folder.
#[derive(Clone)]
pub struct Pipeline {
    name: String,
    store: Store,
    destinations: Vec<DestinationRef>,
    connect: Option<Connect>,
    keep_packages: usize,
    wait: Duration,
    lease_time: Duration,
}

impl Pipeline {
    /// Returns the pipeline of that name in a data folder, which is made by the first run.
    ///
    /// # Errors
    /// When the name cannot be a folder's name, or no destination or one twice is named.
    pub fn open(data_dir: &Path, name: &str, destinations: Vec<DestinationRef>) -> Result<Self> {
        naming::check_pipeline_name(name)?;
        if destinations.is_empty() {
            return Err(Error::config("a pipeline needs a destination"));
        }
        none_twice(&destinations)?;
        Ok(Pipeline {
            name: name.to_owned(),
            store: Store::of(data_dir, name),
            destinations,
            connect: None,
            keep_packages: 0,
            wait: DEFAULT_WAIT,
            lease_time: DEFAULT_LEASE_TIME,
        })
    }

    /// Tells how to find destinations of earlier packages that this run does not name.
    #[must_use]
    pub fn connect_with(mut self, connect: Connect) -> Self {
        self.connect = Some(connect);
        self
    }

    /// Keeps the rows of the newest `count` loaded packages, for [`Pipeline::replay`].
    #[must_use]
    pub fn keep_packages_of(mut self, count: usize) -> Self {
        self.keep_packages = count;
        self
    }

    /// Waits so long for another run of the pipeline before that is an error.
    #[must_use]
    pub fn waiting(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Lets leases in folders and buckets be free when they were not renewed for so long.
    #[must_use]
    pub fn lease_time_of(mut self, time: Duration) -> Self {
        self.lease_time = time.max(Duration::from_secs(1));
        self
    }

    /// Loads a source: finishes what earlier runs left, extracts, seals a package, loads it.
    ///
    /// The report says what came of it; a destination that failed is in the report, not an error.
    /// Call [`FinishedRun::acknowledge`] when the user has seen it.
    ///
    /// # Errors
    /// When nothing could be sealed or an earlier package cannot be finished.
    pub fn run(&self, source: &mut dyn Source, options: RunOptions) -> Result<FinishedRun> {
        Run { pipeline: self, options }.run(source)
    }

    /// Says what [`Pipeline::run`] would do, without doing it; `sample` ends the reading after so many records.
    ///
    /// # Errors
    /// When the source cannot be read or normalised, or no destination answers. One that would refuse the load is in
    /// the plan.
    pub fn plan(&self, source: &mut dyn Source, options: RunOptions, sample: Option<u64>) -> Result<Plan> {
        crate::plan::plan(&Run { pipeline: self, options }, source, sample)
    }

    /// Says what loading a package that still has its rows would do at the pipeline's destinations.
    ///
    /// # Errors
    /// When there is no such package; without a load id, when not exactly one waits.
    pub fn plan_package(&self, load_id: Option<&str>) -> Result<Plan> {
        crate::plan::plan_package(&self.destinations, &self.store.find_package(load_id)?)
    }

    /// Loads packages that wait, and nothing new. With [`Order::Any`] also behind loads of other runs that came
    /// meanwhile.
    ///
    /// # Errors
    /// When one cannot be read, or its destination is not to be found.
    pub fn retry(&self, progress: &Progress, order: Order) -> Result<Vec<FinishedRun>> {
        crate::resume::retry(self, progress, order)
    }

    /// Brings the packages that still have their rows to the pipeline's destinations, oldest first, whatever
    /// destinations they were made for. Those that are there already stay as they are.
    ///
    /// # Errors
    /// When a package cannot be read, or none has its rows.
    pub fn replay(&self, progress: &Progress) -> Result<Vec<Report>> {
        crate::replay::replay(self, progress)
    }

    /// Takes resources away at all destinations: tables with those below them, and what the state remembers of them.
    /// `agrees` is shown what would go, while nobody else may load; where it says no, nothing is done.
    ///
    /// # Errors
    /// When packages wait, a destination does not answer, or nothing there is what is meant. A destination that fails
    /// after that is in the report, and the package waits for it.
    pub fn drop_resources(
        &self,
        dataset: &str,
        request: &DropRequest,
        mut agrees: impl FnMut(&DropPlan) -> Result<bool>,
    ) -> Result<Option<FinishedRun>> {
        crate::drop::drop_resources(self, dataset, request, &mut agrees)
    }

    /// Forgets what the working folder knows and takes over what the destinations know. Packages that wait stay; with
    /// `drop_overtaken` without those that another run was faster than.
    ///
    /// # Errors
    /// When a destination does not answer; then nothing is forgotten.
    pub fn sync(&self, dataset: &str, drop_overtaken: bool) -> Result<Synced> {
        crate::sync::sync(self, dataset, drop_overtaken)
    }

    /// Keeps a run's report for `pipeline NAME trace`.
    ///
    /// # Errors
    /// When the working folder cannot be written.
    pub fn note_trace(&self, report: &Report) -> Result<()> {
        let trace = serde_json::to_value(report).map_err(|e| Error::internal("the report is no JSON").source(e))?;
        self.store.write_trace(&trace)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn destinations(&self) -> &[DestinationRef] {
        &self.destinations
    }

    /// Returns true for a destination of this run.
    pub(crate) fn names(&self, url: &str) -> bool {
        self.destinations.iter().any(|d| d.url == url)
    }

    pub(crate) fn keep_packages(&self) -> usize {
        self.keep_packages
    }

    pub(crate) fn wait(&self) -> Duration {
        self.wait
    }

    pub(crate) fn lease_time(&self) -> Duration {
        self.lease_time
    }

    pub(crate) fn find(&self, url: &str) -> Result<Arc<dyn Destination>> {
        if let Some(found) = self.destinations.iter().find(|d| d.url == url) {
            return Ok(Arc::clone(&found.destination));
        }
        match &self.connect {
            Some(connect) => connect(url),
            None => {
                Err(Error::config("a package waits for a destination that this run does not name")
                    .with("destination", url))
            }
        }
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("name", &self.name).field("store", &self.store).finish_non_exhaustive()
    }
}

/// A run that is over but for the user's having been told.
#[derive(Debug)]
#[must_use = "a run that is not acknowledged is completed again by the next one"]
pub struct FinishedRun {
    /// What came of it.
    pub report: Report,
    pub(crate) store: Store,
    pub(crate) package: Option<crate::store::StoredPackage>,
    pub(crate) _lock: Option<Arc<crate::lock::PipelineLock>>,
}

impl FinishedRun {
    /// Files the package as loaded. The last act of a run: if the process dies before it, the next
    /// run of the same command says that the load was there already, and ends.
    ///
    /// # Errors
    /// When the working folder cannot be written.
    pub fn acknowledge(self) -> Result<Report> {
        if let Some(package) = &self.package {
            self.store.acknowledge(package)?;
        }
        Ok(self.report)
    }

    /// Files the package as loaded; its own command is still to be told of it.
    pub(crate) fn acknowledge_untold(self) -> Result<()> {
        self.package.as_ref().map_or(Ok(()), |package| self.store.acknowledge_untold(package))
    }
}

/// A load goes to each place once: its two commits would be in each other's way.
fn none_twice(destinations: &[DestinationRef]) -> Result<()> {
    for (i, d) in destinations.iter().enumerate() {
        if destinations[..i].iter().any(|before| before.url == d.url) {
            return Err(Error::config("the same destination is named twice")
                .with("destination", &d.url)
                .hint("name each destination once; different words may mean the same place"));
        }
    }
    Ok(())
}

/// Returns where pipelines live when nobody says otherwise, given the platform's data folder.
pub fn default_data_dir(platform_data: &Path) -> PathBuf {
    platform_data.join("longshore")
}
