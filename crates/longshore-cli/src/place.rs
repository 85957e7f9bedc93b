//! Which pipeline, destination and dataset a command means.

mod rule;

pub(crate) use rule::Said;

use crate::surroundings;
use longshore_config::{Project, Target};
use longshore_core::connect::{Connection, Limits};
use longshore_core::destination::Destination;
use longshore_core::error::{Error, Result};
use longshore_core::naming;

use longshore_destinations::KINDS;
use longshore_pipeline::{Connect, DestinationRef};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Pipeline, destinations and dataset, with the defaults filled in.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) pipeline: String,
    pub(crate) destinations: Vec<DestinationRef>,
    pub(crate) dataset: String,
    /// What the destinations were found by.
    pub(crate) words: Vec<String>,
    /// Who chose the destinations.
    by: By,
}

/// Who chose a place.
#[derive(Debug, Clone, PartialEq, Eq)]
enum By {
    /// The user, by a flag or a variable.
    User,
    /// The project's file.
    Project(String),
    /// The pipeline's last load.
    LastLoad,
    /// Nobody: it is the default.
    Nobody,
}

impl Place {
    /// The place that is named, the defaults filled in.
    pub(crate) fn find(
        addresses: &Addresses,
        pipeline: &str,
        destinations: &[String],
        dataset: Option<&str>,
    ) -> Result<Self> {
        naming::check_pipeline_name(pipeline)?;
        let default = ["duckdb".to_owned()];
        let words = if destinations.is_empty() { &default[..] } else { destinations };
        let destinations = words.iter().map(|word| addresses.open(word, pipeline)).collect::<Result<Vec<_>>>()?;
        let dataset = dataset.map_or_else(|| format!("{pipeline}_dataset"), str::to_owned);
        let dataset =
            naming::normalize_identifier(&dataset).ok_or_else(|| Error::config("the dataset's name is empty"))?;
        Ok(Place { pipeline: pipeline.to_owned(), destinations, dataset, words: words.to_vec(), by: By::User })
    }
}

/// From names and URLs to destinations, by what the project says of them.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    project: Arc<Project>,
    limits: Limits,
}

impl Addresses {
    pub(crate) fn new(project: Arc<Project>, limits: Limits) -> Self {
        Addresses { project, limits }
    }

    /// Those of the project in the current folder, which may have no file at all.
    pub(crate) fn here(limits: Limits) -> Result<Self> {
        let project = Project::open(surroundings::of(Path::new("."), None)?)?;
        Ok(Addresses::new(Arc::new(project), limits))
    }

    /// The project.
    pub(crate) fn project(&self) -> &Project {
        &self.project
    }

    /// Finds what a word of `--destination` means.
    pub(crate) fn open(&self, word: &str, pipeline: &str) -> Result<DestinationRef> {
        let (url, connection) = self.find(word, pipeline)?;
        Ok(DestinationRef { url, destination: longshore_destinations::open(&connection)? })
    }

    /// The URL without secrets that a word means, and the connection with them.
    pub(crate) fn find(&self, word: &str, pipeline: &str) -> Result<(String, Connection)> {
        let connection = self.connection(word, pipeline)?;
        let url = (longshore_destinations::kind(&connection.url)?.canonical)(&connection)?;
        // A URL without its password may be one that the project knows.
        let configured = if word.contains([':', '/']) { self.configured(&url) } else { None };
        Ok((url, configured.unwrap_or(connection)))
    }

    /// Opens the destination of a package that an earlier run left. The package knows its URL without secrets; they
    /// are those of the project's destination with the same URL, if there is one.
    pub(crate) fn reopen(&self, url: &str) -> Result<Arc<dyn Destination>> {
        let connection = match self.configured(url) {
            Some(connection) => connection,
            None => {
                self.connect(Target { name: None, url: url.to_owned(), settings: Default::default(), section: None })
            }
        };
        longshore_destinations::open(&connection)
    }

    /// The same as a function, for pipelines.
    pub(crate) fn as_connect(&self) -> Connect {
        let addresses = self.clone();
        Arc::new(move |url| addresses.reopen(url))
    }

    /// The connection of a word, with its default place filled in.
    pub(crate) fn connection(&self, word: &str, pipeline: &str) -> Result<Connection> {
        let mut target = self.project.destination(word, &kinds())?;
        // A kind's bare name means its default place: a file named after the pipeline, in this folder.
        if target.url == "duckdb" && !["path", "database"].iter().any(|key| target.settings.contains_key(*key)) {
            target.url = format!("duckdb:{pipeline}.duckdb");
        }
        Ok(self.connect(target))
    }

    /// The one place where a destination is given the environment.
    fn connect(&self, target: Target) -> Connection {
        let (limits, environment) = (self.limits, surroundings::environment());
        let url = longshore_destinations::with_known_scheme(&target.url);
        Connection { url, settings: target.settings, environment, limits }
    }

    /// The project's destination with that canonical URL. One that cannot be read now is not the one.
    fn configured(&self, canonical: &str) -> Option<Connection> {
        let names = self.project.destinations().into_iter().map(str::to_owned);
        let names = names.chain(kinds().into_iter().map(str::to_owned));
        let connections = names.filter_map(|name| self.connection(&name, "").ok());
        connections.into_iter().find(|c| {
            let kind = longshore_destinations::kind(&c.url);
            kind.is_ok_and(|k| (k.canonical)(c).is_ok_and(|url| url == canonical))
        })
    }
}

/// Names of the kinds this build has.
pub(crate) fn kinds() -> Vec<&'static str> {
    KINDS.iter().map(|k| k.name).collect()
}

/// Where pipelines live: `--data-dir`, `LONGSHORE_DATA_DIR`, or the platform's data folder.
pub(crate) fn data_dir(given: Option<&PathBuf>) -> Result<PathBuf> {
    use etcetera::BaseStrategy;
    if let Some(dir) = given {
        return Ok(dir.clone());
    }
    let base = etcetera::choose_base_strategy()
        .map_err(|e| Error::config("there is no home folder to work in").hint("give one with --data-dir").source(e))?;
    Ok(longshore_pipeline::default_data_dir(&base.data_dir()))
}
