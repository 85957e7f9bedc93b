//! Where a command finds what was loaded. What the words leave open is settled by `place/rule.rs`.

use crate::place::Said;
use clap::Args;

/// Which dataset of which destination; the project's pipeline, if none is named.
#[derive(Debug, Clone, Args)]
pub(crate) struct LoadsArgs {
    /// The pipeline [default: the project's; without one, longshore]
    #[arg(long, value_name = "NAME", env = "LONGSHORE_PIPELINE")]
    pub(crate) pipeline: Option<String>,

    #[command(flatten)]
    pub(crate) at: WhereArgs,
}

/// Where the loads of a pipeline are.
#[derive(Debug, Clone, Args)]
pub(crate) struct WhereArgs {
    /// Where: a name (duckdb) or a URL (duckdb:///shop.duckdb) [default: the project's, else where the pipeline last
    /// loaded to, else <pipeline>.duckdb here]
    #[arg(long, short, value_name = "URL", env = "LONGSHORE_DESTINATION")]
    pub(crate) destination: Vec<String>,

    /// Schema or folder the tables stand in [default: the project's, else the last load's, else <pipeline>_dataset]
    #[arg(long, value_name = "NAME", env = "LONGSHORE_DATASET")]
    pub(crate) dataset: Option<String>,
}

impl LoadsArgs {
    pub(crate) fn said(&self) -> Said<'_> {
        self.at.said(self.pipeline.as_deref())
    }
}

impl WhereArgs {
    pub(crate) fn said<'a>(&'a self, pipeline: Option<&'a str>) -> Said<'a> {
        Said { pipeline, destinations: &self.destination, dataset: self.dataset.as_deref() }
    }
}
