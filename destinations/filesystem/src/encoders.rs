//! The threads that encode.

use crate::format::{Encoded, Spec};
use arrow_array::RecordBatch;
use longshore_core::error::{Error, Result};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

type Job = Box<dyn FnOnce() + Send>;

/// Threads that encode, and the pieces under way in the order they came.
pub(crate) struct Encoders {
    jobs: Sender<Job>,
    under_way: VecDeque<(String, Arc<Spec>, Receiver<Result<Encoded>>)>,
    /// A piece whose result was looked at already.
    finished: Option<Result<Encoded>>,
    limit: usize,
}

impl Encoders {
    pub(crate) fn start(threads: usize) -> Result<Self> {
        let (jobs, receive) = channel::<Job>();
        let receive = Arc::new(Mutex::new(receive));
        for number in 0..threads {
            let receive = Arc::clone(&receive);
            let work = move || {
                loop {
                    // Held only while waiting: one thread waits, the others work.
                    let job = receive.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(job) = job else { return };
                    job();
                }
            };
            let thread = std::thread::Builder::new().name(format!("encode-{number}")).spawn(work);
            thread.map_err(|e| Error::internal("cannot start a thread").source(e))?;
        }
        Ok(Encoders { jobs, under_way: VecDeque::new(), finished: None, limit: threads + 1 })
    }

    pub(crate) fn is_full(&self) -> bool {
        self.under_way.len() >= self.limit
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    pub(crate) fn submit(&mut self, table: &str, spec: Arc<Spec>, batches: Vec<RecordBatch>) {
        let (send, receive) = sync_channel(1);
        let with = Arc::clone(&spec);
        let job: Job = Box::new(move || {
            let encoded = with.encode(&batches);
            drop(batches);
            let _ = send.send(encoded); // nobody listens when the load was dropped
        });
        let _ = self.jobs.send(job); // threads live as long as this sender
        self.under_way.push_back((table.to_owned(), spec, receive));
    }

    /// True when the oldest piece needs no waiting.
    pub(crate) fn has_finished(&mut self) -> bool {
        if self.finished.is_none() {
            self.finished = self.under_way.front().and_then(|(.., receive)| receive.try_recv().ok());
        }
        self.finished.is_some()
    }

    /// Waits for the oldest piece.
    pub(crate) fn next(&mut self) -> Option<(String, Arc<Spec>, Result<Encoded>)> {
        let (table, spec, receive) = self.under_way.pop_front()?;
        let piece = match self.finished.take() {
            Some(piece) => piece,
            None => receive.recv().unwrap_or_else(|_| Err(Error::internal("a thread that encodes panicked"))),
        };
        Some((table, spec, piece))
    }
}
