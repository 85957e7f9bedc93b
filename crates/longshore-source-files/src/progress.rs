//! How far the reading has come, for progress bars on other threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Counters that a [`BlockReader`](crate::BlockReader) keeps up to date. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    counters: Arc<Counters>,
}

/// One look at the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Bytes taken from the disk or pipe, compressed where the input is.
    pub raw_bytes: u64,
    /// Bytes of JSON text read.
    pub text_bytes: u64,
    /// The sum of all inputs' sizes on disk, in the unit of `raw_bytes`; `None` with a pipe.
    pub total_raw_bytes: Option<u64>,
    /// Inputs read to their end.
    pub inputs_done: usize,
    /// Inputs in all.
    pub inputs: usize,
}

#[derive(Debug, Default)]
struct Counters {
    raw: AtomicU64,
    text: AtomicU64,
    done: AtomicUsize,
    total: Option<u64>,
    inputs: usize,
}

impl Progress {
    /// The present state of all counters.
    pub fn stats(&self) -> Stats {
        let c = &*self.counters;
        Stats {
            raw_bytes: c.raw.load(Ordering::Relaxed),
            text_bytes: c.text.load(Ordering::Relaxed),
            total_raw_bytes: c.total,
            inputs_done: c.done.load(Ordering::Relaxed),
            inputs: c.inputs,
        }
    }

    pub(crate) fn new(inputs: usize, total: Option<u64>) -> Progress {
        let counters = Counters { total, inputs, ..Counters::default() };
        Progress { counters: Arc::new(counters) }
    }

    pub(crate) fn add_raw(&self, bytes: usize) {
        self.counters.raw.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_text(&self, bytes: usize) {
        self.counters.text.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn finish_input(&self) {
        self.counters.done.fetch_add(1, Ordering::Relaxed);
    }
}
