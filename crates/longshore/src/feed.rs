//! Records made on the caller's thread, as a source for the pipeline's threads.
//!
//! The caller's iterator or stream need not be `Send` that way, and is read while earlier blocks are normalised.

use longshore_core::error::{Error, Result};
use longshore_core::source::{Block, JsonBlock, Source};
use std::sync::{Arc, Mutex, PoisonError};

/// Blocks that may wait for the normaliser.
pub(crate) const WAITING_BLOCKS: usize = 4;
/// Buffers kept for the next blocks.
const SPARE_BUFFERS: usize = 8;

/// What comes from the caller's side.
#[derive(Debug)]
pub(crate) enum Message {
    Block(JsonBlock),
    /// The input is complete. A feed that merely stops is not: nothing of it is loaded.
    End,
    Failed(Error),
}

/// The pipeline's end of a feed; `receive` waits for the next message, `None` when the other end is gone.
pub(crate) struct Feed<R> {
    receive: R,
    spare: SpareBuffers,
    over: bool,
}

impl<R: FnMut() -> Option<Message> + Send> Feed<R> {
    pub(crate) fn new(receive: R, spare: SpareBuffers) -> Self {
        Feed { receive, spare, over: false }
    }
}

impl<R: FnMut() -> Option<Message> + Send> Source for Feed<R> {
    fn next_block(&mut self) -> Result<Option<Block>> {
        // Every worker asks until it is told of the end.
        if self.over {
            return Ok(None);
        }
        match (self.receive)() {
            Some(Message::Block(block)) => return Ok(Some(block.into())),
            Some(Message::End) => self.over = true,
            Some(Message::Failed(error)) => {
                self.over = true;
                return Err(error);
            }
            None => {
                self.over = true;
                return Err(
                    Error::input("the records stopped before their end").hint("nothing was loaded; run the load again")
                );
            }
        }
        Ok(None)
    }

    fn recycle(&self, buffer: Vec<u8>) {
        self.spare.put(buffer);
    }
}

/// Buffers that have been used, for reuse.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpareBuffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl SpareBuffers {
    pub(crate) fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn put(&self, mut buffer: Vec<u8>) {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE_BUFFERS {
            buffer.clear();
            spare.push(buffer);
        }
    }
}
