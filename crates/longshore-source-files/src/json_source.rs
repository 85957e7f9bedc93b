//! The block reader as a [`Source`]: what a pipeline reads.

use crate::{BlockReader, Layout, Pool, Progress};
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::source::{Block, JsonBlock, Source};
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// Files, streams and the path that selects their records.
pub struct JsonSource {
    reader: BlockReader,
    pool: Pool,
    progress: Progress,
    select: Option<String>,
    /// Set for stdin, which cannot be read again.
    digest: Option<Box<Xxh3>>,
}

impl JsonSource {
    /// Returns a source of what the reader reads. `select` is the path given to the reader.
    pub fn new(reader: BlockReader, select: Option<String>) -> Self {
        let (pool, progress) = (reader.pool(), reader.progress());
        JsonSource { reader, pool, progress, select, digest: None }
    }

    /// Keeps a digest of what is read.
    #[must_use]
    pub fn with_digest(mut self) -> Self {
        self.digest = Some(Box::default());
        self
    }

    /// Returns counters for progress bars.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// A path that ends at a list means its elements.
    fn selects_pages(&self) -> bool {
        self.select.as_ref().is_some_and(|s| !s.trim_end().ends_with("[*]"))
    }
}

impl Source for JsonSource {
    fn waits_for_destinations(&self) -> bool {
        self.digest.is_some() // a pipe
    }

    fn next_block(&mut self) -> Result<Option<Block>> {
        let Some(block) = self.reader.next_block().map_err(to_error)? else { return Ok(None) };
        if let Some(digest) = &mut self.digest {
            digest.update(&block.bytes);
        }
        let (records, pages) = match block.layout {
            Layout::Sequence => (None, true),
            Layout::Records(ranges) => (Some(ranges), self.selects_pages()),
        };
        Ok(Some(Block::Json(JsonBlock {
            resource: 0,
            origin: Arc::from(block.source.name.as_str()),
            bytes: block.bytes,
            records,
            pages,
            offset: block.offset,
            line: block.line,
        })))
    }

    fn recycle(&self, buffer: Vec<u8>) {
        self.pool.recycle(buffer);
    }

    fn digest(&self) -> Option<String> {
        self.digest.as_ref().map(|d| format!("{:032x}", d.digest128()))
    }

    fn finish(&mut self) -> Result<()> {
        match &self.select {
            Some(path) if !self.reader.is_path_right() => Err(selects_nothing(path)),
            _ => Ok(()),
        }
    }
}

/// The error for a path that leads nowhere in all of the input.
pub(crate) fn selects_nothing(path: &str) -> Error {
    Error::input(format!("the path '{path}' selects nothing in the whole input"))
        .hint("look at the input's first bytes: the path begins at its top level")
}

/// What to do next stands behind the last semicolon of the reader's messages. What a file elsewhere cannot be read for says it
/// itself.
pub fn to_error(error: crate::Error) -> Error {
    use crate::Error::{BadPattern, NoInput, Path, Read, StdinTwice};
    let error = match error {
        Read { name, at, cause } => match cause.downcast::<Error>() {
            Ok(own) => return own,
            Err(cause) => Read { name, at, cause },
        },
        error => error,
    };
    let kind = match error {
        BadPattern { .. } | NoInput | Path { .. } | StdinTwice { .. } => ErrorKind::Config,
        _ => ErrorKind::Input,
    };
    let text = error.to_string();
    match text.rsplit_once("; ") {
        Some((message, hint)) => Error::new(kind, message).hint(hint),
        None => Error::new(kind, text),
    }
}
