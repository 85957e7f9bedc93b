//! What came of a run.

use crate::store::StoredPackage;
use longshore_core::package::{Counts, DiscardCount, LoadId, TableCount};
use serde::Serialize;

/// The result of one run, for people and as JSON.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The pipeline.
    pub pipeline: String,
    /// The dataset.
    pub dataset: String,
    /// The load the run made or completed; `None` when there was nothing.
    pub load_id: Option<LoadId>,
    /// What the run did.
    pub outcome: Outcome,
    /// Records read, normalised, rejected; bytes.
    pub counts: Counts,
    /// What the schema contract had left out, by table.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub discards: Vec<DiscardCount>,
    /// Rows per table of the load.
    pub tables: Vec<TableCount>,
    /// One entry a destination.
    pub destinations: Vec<DestinationReport>,
    /// Things the user should know, whole sentences.
    pub notes: Vec<String>,
    /// Where the time went.
    pub timings: Timings,
}

impl Report {
    /// What a sealed package says of its load, with what came of it at the destinations.
    pub(crate) fn of(
        package: &StoredPackage,
        outcome: Outcome,
        destinations: Vec<DestinationReport>,
        timings: Timings,
    ) -> Self {
        let manifest = &package.manifest;
        Report {
            pipeline: manifest.target.pipeline.clone(),
            dataset: manifest.target.dataset.clone(),
            load_id: Some(manifest.load_id.clone()),
            outcome,
            counts: manifest.counts,
            discards: manifest.discards.clone(),
            tables: manifest.tables.clone(),
            destinations,
            notes: Vec::new(),
            timings,
        }
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It loaded its input.
    Loaded,
    /// It completed the load that an earlier run of the same command had begun, and ended.
    Completed,
    /// It brought a package that was kept to other destinations.
    Replayed,
    /// A destination failed; see which of them the package waits for.
    Failed,
}

/// What came of the load at one destination.
#[derive(Debug, Clone, Serialize)]
pub struct DestinationReport {
    /// The destination as URL, without secrets.
    pub destination: String,
    /// True when the rows are there.
    pub committed: bool,
    /// True when they were there already.
    pub already: bool,
    /// True when the package waits for the destination: the next run and `retry` bring it there.
    pub waits: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Seconds from the first part staged to the commit counted back.
    pub seconds: f64,
}

/// Seconds per step; steps overlap where a destination stages early.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Timings {
    /// Reading, normalising and writing the package.
    pub normalise: f64,
    /// From the seal to the last commit.
    pub load: f64,
    /// The whole run.
    pub total: f64,
}
