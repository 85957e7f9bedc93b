//! Loading an asynchronous stream, on whatever runtime polls it.

use crate::feed::{Feed, Message, SpareBuffers, WAITING_BLOCKS};
use crate::pipeline::Pipeline;
use crate::records::BlockWriter;
use futures_core::Stream;
use longshore_core::error::{Error, Result};
use longshore_pipeline::Report;
use serde::Serialize;
use std::error::Error as StdError;
use std::future::poll_fn;
use std::pin::pin;
use tokio::sync::{mpsc, oneshot};

impl Pipeline {
    /// Loads the records of a stream. Dropping the future before the last record is read gives the load up.
    ///
    /// # Errors
    /// As [`Pipeline::load_records`].
    pub async fn load_stream<S>(&self, records: S) -> Result<Report>
    where
        S: Stream,
        S::Item: Serialize,
    {
        self.feed_stream(records, |record, blocks| blocks.push(&record)).await
    }

    /// Loads the records of a stream that may fail; nothing is loaded then.
    ///
    /// # Errors
    /// As [`Pipeline::try_load_records`].
    pub async fn try_load_stream<S, T, E>(&self, records: S) -> Result<Report>
    where
        S: Stream<Item = std::result::Result<T, E>>,
        T: Serialize,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.feed_stream(records, |record, blocks| blocks.push(&record.map_err(source_failed)?)).await
    }

    async fn feed_stream<S: Stream>(
        &self,
        records: S,
        mut push: impl FnMut(S::Item, &mut BlockWriter) -> Result<()>,
    ) -> Result<Report> {
        let (send, mut receive) = mpsc::channel(WAITING_BLOCKS);
        let (done, outcome) = oneshot::channel();
        let spare = SpareBuffers::default();
        let mut feed = Feed::new(move || receive.blocking_recv(), spare.clone());
        let pipeline = self.clone();
        let thread = std::thread::Builder::new().name("load".into()).spawn(move || {
            let _ = done.send(pipeline.run_here(&mut feed, Vec::new(), Vec::new())); // nobody waits: the future was dropped
        });
        thread.map_err(|e| Error::internal("cannot start a thread").source(e))?;

        let mut blocks = BlockWriter::new("stream", self.memory(), spare);
        let mut records = pin!(records);
        let last = loop {
            let Some(record) = poll_fn(|cx| records.as_mut().poll_next(cx)).await else { break Message::End };
            if let Err(e) = push(record, &mut blocks) {
                break Message::Failed(e);
            }
            if blocks.is_full() && !hand_on(&send, &mut blocks).await {
                break Message::End; // the load is over already, the outcome says why
            }
        };
        if matches!(last, Message::End) {
            hand_on(&send, &mut blocks).await;
        }
        let _ = send.send(last).await; // as above
        drop(send);
        outcome.await.unwrap_or_else(|_| Err(Error::internal("the load's thread panicked")))
    }
}

/// Returns false when nobody takes blocks any more.
async fn hand_on(send: &mpsc::Sender<Message>, blocks: &mut BlockWriter) -> bool {
    match blocks.take() {
        Some(block) => send.send(Message::Block(block)).await.is_ok(),
        None => true,
    }
}

/// The caller's error as ours.
pub(crate) fn source_failed(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    Error::input("the records failed").hint("nothing was loaded").source(cause)
}
