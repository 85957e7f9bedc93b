//! What a run is doing right now, readable from another thread.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Counters of a run; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    stage: AtomicU8,
    records: AtomicU64,
    bytes: AtomicU64,
    rows: AtomicU64,
    destinations: Mutex<Vec<DestinationState>>,
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// Opening the destinations, finishing earlier packages.
    Start,
    /// Reading and normalising; staging where the destination allows it.
    Normalise,
    /// The package is sealed, rows go to the destinations.
    Load,
    /// Making the rows visible.
    Commit,
    /// Over.
    Done,
}

impl Progress {
    /// Returns where the run is.
    pub fn stage(&self) -> Stage {
        match self.0.stage.load(Ordering::Relaxed) {
            0 => Stage::Start,
            1 => Stage::Normalise,
            2 => Stage::Load,
            3 => Stage::Commit,
            _ => Stage::Done,
        }
    }

    /// Returns records normalised so far.
    pub fn records(&self) -> u64 {
        self.0.records.load(Ordering::Relaxed)
    }

    /// Returns bytes normalised so far, decompressed.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Returns rows of all tables made so far.
    pub fn rows(&self) -> u64 {
        self.0.rows.load(Ordering::Relaxed)
    }

    /// Returns rows staged so far, in all destinations together.
    pub fn staged(&self) -> u64 {
        self.destinations().iter().map(DestinationState::staged).sum()
    }

    /// Returns how far each destination is, in the order they were first met.
    pub fn destinations(&self) -> Vec<DestinationState> {
        self.0.destinations.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn destination(&self, url: &str) -> DestinationState {
        let mut all = self.0.destinations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.iter().find(|d| d.url() == url) {
            return known.clone();
        }
        let state = DestinationState(Arc::new(DestinationCounters { url: url.to_owned(), ..Default::default() }));
        all.push(state.clone());
        state
    }

    pub(crate) fn enter(&self, stage: Stage) {
        self.0.stage.store(stage as u8, Ordering::Relaxed);
    }

    pub(crate) fn add_block(&self, records: u64, bytes: u64) {
        self.0.records.fetch_add(records, Ordering::Relaxed);
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn add_rows(&self, rows: u64) {
        self.0.rows.fetch_add(rows, Ordering::Relaxed);
    }
}

/// How far one destination is; clones share it.
#[derive(Debug, Clone)]
pub struct DestinationState(Arc<DestinationCounters>);

#[derive(Debug, Default)]
struct DestinationCounters {
    url: String,
    step: AtomicU8,
    staged: AtomicU64,
}

/// What a destination is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum DestinationStep {
    /// Nothing yet.
    Waiting,
    /// Taking rows, invisible to readers.
    Staging,
    /// Making the rows visible.
    Committing,
    /// The rows are there and counted back.
    Committed,
}

impl DestinationState {
    /// Returns the destination's URL, without secrets.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// Returns what it is doing.
    pub fn step(&self) -> DestinationStep {
        match self.0.step.load(Ordering::Relaxed) {
            0 => DestinationStep::Waiting,
            1 => DestinationStep::Staging,
            2 => DestinationStep::Committing,
            _ => DestinationStep::Committed,
        }
    }

    /// Returns rows staged so far; a load that is tried again counts its rows again.
    pub fn staged(&self) -> u64 {
        self.0.staged.load(Ordering::Relaxed)
    }

    pub(crate) fn enter(&self, step: DestinationStep) {
        self.0.step.store(step as u8, Ordering::Relaxed);
    }

    pub(crate) fn add_staged(&self, rows: u64) {
        self.enter(DestinationStep::Staging);
        self.0.staged.fetch_add(rows, Ordering::Relaxed);
    }
}
