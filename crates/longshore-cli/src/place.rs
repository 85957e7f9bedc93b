//! Which pipeline, destination and dataset a command means.

use crate::args::PlaceArgs;
use longshore_core::connect::{Connection, Limits};
use longshore_core::destination::Destination;
use longshore_core::error::{Error, Result};
use longshore_core::naming;

use longshore_pipeline::DestinationRef;
use std::path::PathBuf;
use std::sync::Arc;

/// Pipeline, destinations and dataset, with the defaults filled in.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) pipeline: String,
    pub(crate) destinations: Vec<DestinationRef>,
    pub(crate) dataset: String,
}

impl Place {
    pub(crate) fn of(args: &PlaceArgs, limits: Limits) -> Result<Self> {
        let mut urls = args.destination.clone();
        if urls.is_empty() {
            urls.push("duckdb".to_owned());
        }
        let destinations = urls.iter().map(|url| open(url, &args.pipeline, limits)).collect::<Result<Vec<_>>>()?;
        let dataset = args.dataset.clone().unwrap_or_else(|| format!("{}_dataset", args.pipeline));
        let dataset =
            naming::normalize_identifier(&dataset).ok_or_else(|| Error::config("the dataset's name is empty"))?;
        Ok(Place { pipeline: args.pipeline.clone(), destinations, dataset })
    }
}

/// A kind's bare name means its default place: a file named after the pipeline, in this folder.
pub(crate) fn open(url: &str, pipeline: &str, limits: Limits) -> Result<DestinationRef> {
    let url = if url == "duckdb" { format!("duckdb:{pipeline}.duckdb") } else { url.to_owned() };
    let connection = connection(&url, limits);
    let kind = longshore_destinations::kind(&url)?;
    let canonical = (kind.canonical)(&connection)?;
    let destination = (kind.open)(&connection)?;
    Ok(DestinationRef { url: canonical, destination })
}

/// Opens the destination of a package that an earlier run left.
pub(crate) fn reopen(url: &str, limits: Limits) -> Result<Arc<dyn Destination>> {
    longshore_destinations::open(&connection(url, limits))
}

/// The one place where a destination is given the environment.
pub(crate) fn connection(url: &str, limits: Limits) -> Connection {
    let text = |s: std::ffi::OsString| s.into_string().ok();
    let environment = std::env::vars_os().filter_map(|(k, v)| Some((text(k)?, text(v)?))).collect();
    Connection { environment, limits, ..Connection::new(url) }
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
