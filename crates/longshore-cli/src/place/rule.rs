//! The rule by which a command finds what was loaded, where the user does not name it: the project in this folder,
//! then the pipeline's last load, then the defaults.

use super::{Addresses, By, Place};
use longshore_config::Project;
use longshore_core::error::Result;
use longshore_core::naming;
use longshore_pipeline::DestinationRef;
use longshore_pipeline::store::Store;
use std::path::Path;

/// What flags and variables say of a place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) pipeline: Option<&'a str>,
    pub(crate) destinations: &'a [String],
    pub(crate) dataset: Option<&'a str>,
}

/// A place as far as it is known.
struct Known {
    destinations: Vec<String>,
    dataset: Option<String>,
    by: By,
}

impl Known {
    /// Takes what is still open.
    fn fill(&mut self, destinations: &[String], dataset: Option<&str>, by: By) {
        if self.destinations.is_empty() && !destinations.is_empty() {
            self.destinations = destinations.to_vec();
            self.by = by;
        }
        self.dataset = self.dataset.take().or_else(|| dataset.map(str::to_owned));
    }

    fn is_open(&self) -> bool {
        self.destinations.is_empty() || self.dataset.is_none()
    }
}

impl Place {
    /// Where a pipeline's loads are: what is said; then, for the project's pipeline (which is meant when none is
    /// named), what the project says; then the place of the last load; then the defaults.
    pub(crate) fn of_loads(addresses: &Addresses, data_dir: &Path, said: Said<'_>) -> Result<Place> {
        let project = addresses.project();
        let own = Place::pipeline_of(project);
        let pipeline = said.pipeline.unwrap_or(&own);
        let mut known = Known { destinations: Vec::new(), dataset: None, by: By::Nobody };
        known.fill(said.destinations, said.dataset, By::User);
        if pipeline == own {
            let settings = project.pipeline();
            known.fill(&settings.destinations, settings.dataset.as_deref(), By::Project(project.file().to_owned()));
        }
        if known.is_open()
            && let Ok(store) = Store::existing(data_dir, pipeline)
            && let Some(last) = store.last_place()?
        {
            known.fill(&last.destinations, Some(&last.dataset), By::LastLoad);
        }
        let place = Place::find(addresses, pipeline, &known.destinations, known.dataset.as_deref())?;
        // Nothing needs to be said of a last load that went where one expects it.
        let by = if known.by == By::LastLoad && place.is_default(addresses) { By::User } else { known.by };
        Ok(Place { by, ..place })
    }

    /// As [`Place::of_loads`], for commands that only read: where nothing says which pipeline is meant and the default one has never
    /// loaded, it is the one that loaded last.
    pub(crate) fn to_read(addresses: &Addresses, data_dir: &Path, said: Said<'_>) -> Result<Place> {
        let (place, project) = (Place::of_loads(addresses, data_dir, said)?, addresses.project());
        let is_named = said.pipeline.is_some() || project.pipeline().name.is_some() || !project.sources().is_empty();
        let has_default = Path::new(&format!("{}.duckdb", place.pipeline)).exists();
        if is_named || place.by != By::Nobody || has_default {
            return Ok(place);
        }
        let dataset = said.dataset.and_then(naming::normalize_identifier);
        match longshore_pipeline::last_loaded(data_dir, dataset.as_deref())? {
            Some(last) => {
                let place = Place::of_loads(addresses, data_dir, Said { pipeline: Some(&last), ..said })?;
                Ok(Place { by: By::LastLoad, ..place })
            }
            None => Ok(place),
        }
    }

    /// The pipeline of a project: the name it says, its only source, or the default.
    pub(crate) fn pipeline_of(project: &Project) -> String {
        let only = if let [only] = project.sources().as_slice() { Some((*only).to_owned()) } else { None };
        project.pipeline().name.clone().or(only).unwrap_or_else(|| "longshore".to_owned())
    }

    fn is_default(&self, addresses: &Addresses) -> bool {
        let default = Place::find(addresses, &self.pipeline, &[], None);
        let urls = |place: &Place| place.destinations.iter().map(|d| d.url.clone()).collect::<Vec<_>>();
        default.is_ok_and(|default| default.dataset == self.dataset && urls(&default) == urls(self))
    }

    /// The destination of a command that asks only one: the first. Says which, where the user might not know.
    pub(crate) fn first(&self) -> &DestinationRef {
        let first = &self.destinations[0]; // there is always one
        match self.destinations.len() {
            1 => self.say_choice(&first.url, ""),
            n => {
                self.say_choice(&first.url, &format!("; it is the first of {n}, name another one with --destination"));
            }
        }
        first
    }

    /// All destinations. Says which, where the user might not know.
    pub(crate) fn all(&self) -> &[DestinationRef] {
        let urls: Vec<&str> = self.destinations.iter().map(|d| d.url.as_str()).collect();
        self.say_choice(&urls.join(", "), "");
        &self.destinations
    }

    /// On stderr: stdout is for what was asked.
    fn say_choice(&self, at: &str, more: &str) {
        let why = match &self.by {
            By::User if more.is_empty() => return,
            By::User => String::new(),
            By::Project(file) => format!(", as {file} says"),
            By::LastLoad => format!(", where pipeline {} last loaded to", self.pipeline),
            By::Nobody => {
                format!(", the default of pipeline {}, because nothing says where it loads to", self.pipeline)
            }
        };
        eprintln!("note: dataset {} at {at}{why}{more}", self.dataset);
    }
}
