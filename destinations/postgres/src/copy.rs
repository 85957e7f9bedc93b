//! The connections that send rows: each takes the next stream that waits and copies it into its staging table.

use crate::session::{Engine, Session};
use bytes::Bytes;
use futures_util::SinkExt;
use longshore_core::error::{Error, ErrorKind, Result};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;

/// Rows in the binary format, ready to be sent.
#[derive(Debug)]
pub(crate) struct Stream {
    /// The `COPY` statement.
    pub(crate) sql: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) rows: u64,
    /// The dataset's table, for messages.
    pub(crate) table: String,
}

/// Pieces in which a stream is handed to the driver.
const PIECE: usize = 256 << 10;

/// The connections of one load.
#[derive(Debug)]
pub(crate) struct Senders {
    queue: Option<Sender<Stream>>,
    tasks: Vec<JoinHandle<()>>,
    failure: Arc<Mutex<Option<Error>>>,
}

impl Senders {
    /// Starts them; each connects when there is something to send.
    pub(crate) fn start(engine: &Arc<Engine>) -> Result<Self> {
        let count = engine.config.connections;
        let (queue, waiting) = mpsc::channel(count);
        let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
        let failure = Arc::new(Mutex::new(None));
        let mut tasks = Vec::new();
        for _ in 0..count {
            let (own, waiting, failure) = (Arc::clone(engine), Arc::clone(&waiting), Arc::clone(&failure));
            tasks.push(engine.spawn(async move {
                if let Err(e) = send_all(&own, &waiting).await {
                    // The first failure is the cause of the others.
                    failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(e);
                    waiting.lock().await.close();
                }
            })?);
        }
        Ok(Senders { queue: Some(queue), tasks, failure })
    }

    /// Hands a stream over; waits while all connections are busy.
    pub(crate) async fn send(&self, stream: Stream) -> Result<()> {
        match &self.queue {
            Some(queue) if queue.send(stream).await.is_ok() => Ok(()),
            _ => Err(self.take_failure()),
        }
    }

    /// Waits until everything has arrived.
    pub(crate) async fn finish(&mut self) -> Result<()> {
        self.queue = None;
        let mut panicked = false;
        for task in self.tasks.drain(..) {
            panicked |= task.await.is_err();
        }
        let failed = self.failure.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if panicked || failed { Err(self.take_failure()) } else { Ok(()) }
    }

    /// Breaks everything off.
    pub(crate) fn abort(&mut self) {
        self.queue = None;
        self.tasks.drain(..).for_each(|task| task.abort());
    }

    fn take_failure(&self) -> Error {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.unwrap_or_else(|| Error::new(ErrorKind::Unavailable, "the load broke off before"))
    }
}

async fn send_all(engine: &Arc<Engine>, waiting: &tokio::sync::Mutex<Receiver<Stream>>) -> Result<()> {
    let mut session: Option<Session> = None;
    loop {
        let next = waiting.lock().await.recv().await;
        let Some(stream) = next else { return Ok(()) };
        let session = match &mut session {
            Some(session) => session,
            none => none.insert(open(engine).await?),
        };
        let table = stream.table.clone();
        send(session, stream).await.map_err(|e| e.with("table", table))?;
    }
}

async fn open(engine: &Arc<Engine>) -> Result<Session> {
    let session = engine.connect().await?;
    // What is staged is worth nothing after a crash; the commit waits for the disk.
    session.batch("SET synchronous_commit = off").await?;
    Ok(session)
}

async fn send(session: &Session, stream: Stream) -> Result<()> {
    let expected = stream.rows;
    let arrived = session
        .wait(async {
            let sink = session.client.copy_in(&stream.sql).await?;
            let mut sink = std::pin::pin!(sink);
            let mut rest = Bytes::from(stream.bytes);
            while !rest.is_empty() {
                let piece = rest.split_to(rest.len().min(PIECE));
                sink.feed(piece).await?;
            }
            sink.finish().await
        })
        .await?;
    if arrived != expected {
        return Err(Error::new(ErrorKind::Integrity, format!("{arrived} of {expected} rows arrived")));
    }
    Ok(())
}
