//! Small objects are asked for before their turn: a thousand of them one after the other would be a thousand times the way
//! there and back.

use super::find::{File, Place};
use super::remote::{Remote, RemoteReader};
use longshore_core::error::Result;
use std::collections::VecDeque;

/// How many are on their way at once.
const FILES: usize = 16;
/// Larger ones take longer to come than to be asked for, and would be memory.
const BYTES: u64 = 128 << 10;

/// The files that stand first in a queue, as they are being fetched.
#[derive(Default)]
pub(super) struct Ahead {
    readers: VecDeque<RemoteReader>,
}

impl Ahead {
    /// Takes the reader of the file that was taken from the front of the queue, if it was asked for, and asks for those that are
    /// next in it now.
    pub(super) fn take(&mut self, left: &VecDeque<File>) -> Result<Option<RemoteReader>> {
        let own = self.readers.pop_front();
        while self.readers.len() < FILES {
            let Some(Place::Remote(found)) = left.get(self.readers.len()).map(|file| &file.place) else { break };
            let is_small = found.size.is_some_and(|size| size <= BYTES);
            if !is_small || !matches!(found.remote, Remote::Object { .. }) {
                break;
            }
            self.readers.push_back(RemoteReader::open(found)?);
        }
        Ok(own)
    }

    /// The queue is another one now.
    pub(super) fn forget(&mut self) {
        self.readers.clear();
    }
}
