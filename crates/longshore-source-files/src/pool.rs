//! Used buffers, kept for the blocks to come so that memory stays flat.

use std::sync::{Arc, Mutex, PoisonError};

/// Takes back the bytes of used [`Block`](crate::Block)s, from any thread. Clones share it.
#[derive(Debug, Clone)]
pub struct Pool {
    buffers: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Capacity in bytes above which a buffer is freed: it held one huge record.
    largest: usize,
}

/// More buffers than this are never waiting: the caller bounds its blocks in flight.
const KEPT: usize = 64;

impl Pool {
    /// Gives a buffer back. Its content does not matter.
    pub fn recycle(&self, buffer: Vec<u8>) {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        if buffer.capacity() <= self.largest && buffers.len() < KEPT {
            buffers.push(buffer);
        }
    }

    pub(crate) fn new(block_bytes: usize) -> Pool {
        Pool { buffers: Arc::default(), largest: block_bytes.saturating_mul(2) }
    }

    /// A buffer of any length and content. Its old bytes are left in place on purpose:
    /// growing it back to a block's size then clears next to nothing.
    pub(crate) fn take(&self) -> Vec<u8> {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.pop().unwrap_or_default()
    }
}
