//! Cuts the bytes of one input into pieces of whole records.

mod faults;

use std::collections::VecDeque;
use std::ops::Range;

use memchr::memchr_iter;

use crate::error::Result;
use crate::pool::Pool;
use crate::reader::{Layout, Options};
use crate::select::Select;
use crate::sequence::{Split, Splitter, same_key_line};
use crate::source::Source;
use crate::value::skip_space;
use crate::walk::{Stop, TopLevel, Walker};

pub(crate) struct Cutter {
    name: String,
    source: Source,
    pool: Pool,
    block_bytes: usize,
    max_record_bytes: usize,
    /// The bytes up to `filled` are read and not yet given out; the rest has no meaning.
    buf: Vec<u8>,
    filled: usize,
    /// How far to fill before the next look.
    want: usize,
    eof: bool,
    /// Bytes on disk, if `buf` gets them as they are.
    size: Option<u64>,
    /// Place of `buf[0]`.
    offset: u64,
    line: u64,
    mode: Mode,
    /// Place of the top-level value under way, once its begin has left the buffer.
    top: Option<(u64, u64)>,
    ready: VecDeque<Result<Piece>>,
}

/// A block without the names only the reader knows.
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    pub(crate) layout: Layout,
    pub(crate) offset: u64,
    pub(crate) line: u64,
}

enum Mode {
    /// Before the first value.
    Start,
    Sequence(Splitter),
    Walk(Box<Walker>),
}

impl Cutter {
    /// `skipped` is the number of bytes before the first one `source` gives.
    pub(crate) fn new(
        name: String,
        source: Source,
        skipped: u64,
        size: Option<u64>,
        options: &Options,
        pool: Pool,
    ) -> Cutter {
        let mode = match &options.select {
            Some(select) => Mode::Walk(Box::new(Walker::new(select.clone(), TopLevel::Select))),
            None => Mode::Start,
        };
        let block_bytes = options.block_bytes.max(1);
        Cutter {
            name,
            source,
            block_bytes,
            max_record_bytes: options.max_record_bytes.max(block_bytes),
            buf: pool.take(),
            pool,
            filled: 0,
            want: block_bytes,
            eof: false,
            size,
            offset: skipped,
            line: 1,
            mode,
            top: None,
            ready: VecDeque::new(),
        }
    }

    /// The next piece; `None` at the end of the input. After an error it must not be called.
    pub(crate) fn next(&mut self) -> Result<Option<Piece>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return piece.map(Some);
            }
            self.fill()?;
            if self.eof && self.filled == 0 && !matches!(self.mode, Mode::Walk(_)) {
                return Ok(None);
            }
            match &self.mode {
                Mode::Start => self.start(),
                Mode::Sequence(_) => self.sequence()?,
                Mode::Walk(_) => {
                    if self.walk()? && self.ready.is_empty() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Gives the buffer back for the next input. Returns whether the input had nothing that a path could select.
    pub(crate) fn finish(self) -> bool {
        self.pool.recycle(self.buf);
        matches!(self.mode, Mode::Walk(walker) if walker.met_nothing())
    }

    fn fill(&mut self) -> Result<()> {
        if self.eof || self.filled >= self.want {
            return Ok(());
        }
        let read_so_far = self.offset + self.filled as u64;
        let expected = self.size.map_or(0, |size| size.saturating_sub(read_so_far));
        let expected = usize::try_from(expected).unwrap_or(usize::MAX);
        self.filled = self.source.fill(&mut self.buf, self.filled, self.want, expected)?;
        self.eof = self.filled < self.want;
        Ok(())
    }

    /// The first value decides how the input is cut.
    fn start(&mut self) {
        let first = skip_space(&self.buf[..self.filled], 0);
        match self.buf[..self.filled].get(first) {
            None => self.drop_front(self.filled),
            Some(b'[') => self.walk_arrays(),
            Some(_) => self.mode = Mode::Sequence(Splitter::default()),
        }
    }

    fn walk_arrays(&mut self) {
        let walker = Walker::new(Select::elements(), TopLevel::Arrays);
        self.mode = Mode::Walk(Box::new(walker));
    }

    fn sequence(&mut self) -> Result<()> {
        let Mode::Sequence(splitter) = &mut self.mode else {
            return Ok(());
        };
        let buf = &self.buf[..self.filled];
        match splitter.find(buf, self.eof) {
            Split::At(at) if skip_space(&buf[..at], 0) == at => self.drop_front(at),
            Split::At(at) => self.give(at, Layout::Sequence),
            Split::Array => self.walk_arrays(),
            Split::More { start } => {
                if self.filled - start <= self.max_record_bytes {
                    self.grow(start);
                } else if let Some(at) = same_key_line(buf, start) {
                    *splitter = Splitter::default();
                    self.give(at, Layout::Sequence);
                } else {
                    return Err(self.too_large(start, "$"));
                }
            }
        }
        Ok(())
    }

    /// True when the input has ended between values.
    fn walk(&mut self) -> Result<bool> {
        let Mode::Walk(walker) = &mut self.mode else {
            return Ok(false);
        };
        match walker.run(&self.buf[..self.filled], self.eof) {
            Stop::End => {
                self.give_found(self.filled);
                return Ok(true);
            }
            Stop::Other(at) => {
                self.give_found(at);
                self.mode = Mode::Sequence(Splitter::default());
            }
            Stop::Fault(fault) => {
                let error = self.fault(fault);
                self.give_found(self.filled);
                self.ready.push_back(Err(error));
            }
            Stop::More => self.walk_on()?,
        }
        Ok(false)
    }

    /// Makes room for what the walker waits for.
    fn walk_on(&mut self) -> Result<()> {
        let Mode::Walk(walker) = &mut self.mode else {
            return Ok(());
        };
        if let Some(fault) = walker.damage() {
            // Its end may lie a few lines on; a block may hold few lines.
            if self.filled - walker.keep() > self.block_bytes.saturating_mul(4) {
                return Err(self.fault(fault));
            }
        } else if let Some(top) = walker.top()
            && top > 0
            && top >= self.filled / 2
        {
            // Line-delimited input: begin the next buffer with a whole line, so that a damaged
            // one can be told apart from the rest.
            walker.rewind(top);
        }
        let keep = walker.keep();
        if keep > 0 || !walker.found.is_empty() {
            self.give_found(keep);
            return Ok(());
        }
        if self.filled > self.max_record_bytes {
            let base = walker.path().to_owned();
            return Err(self.too_large(0, &base));
        }
        self.grow(0);
        Ok(())
    }

    /// Doubles the part of the buffer that begins at `start`, within the limit.
    fn grow(&mut self, start: usize) {
        let limit = start.saturating_add(self.max_record_bytes).saturating_add(1);
        self.want = self.filled.saturating_mul(2).min(limit).max(self.filled + 1);
    }

    /// Gives out the walker's records and the buffer up to `at`.
    fn give_found(&mut self, at: usize) {
        let Mode::Walk(walker) = &mut self.mode else {
            return;
        };
        let found: Vec<Range<usize>> = std::mem::take(&mut walker.found);
        if let Some(top) = walker.top().filter(|top| *top < at) {
            self.top = Some(self.place(top));
        }
        if let Mode::Walk(walker) = &mut self.mode {
            walker.shift(at);
        }
        if found.is_empty() {
            self.drop_front(at);
        } else {
            self.give(at, Layout::Records(found));
        }
    }

    /// Gives out the buffer up to `at` and carries the rest over to the next one.
    fn give(&mut self, at: usize, layout: Layout) {
        let mut next = self.pool.take();
        let rest = &self.buf[at..self.filled];
        if next.len() < rest.len() {
            next.resize(rest.len(), 0);
        }
        next[..rest.len()].copy_from_slice(rest);
        let mut bytes = std::mem::replace(&mut self.buf, next);
        bytes.truncate(at);
        let lines = memchr_iter(b'\n', &bytes).count() as u64;
        self.ready.push_back(Ok(Piece { bytes, layout, offset: self.offset, line: self.line }));
        self.moved(at, lines);
    }

    fn drop_front(&mut self, at: usize) {
        let lines = memchr_iter(b'\n', &self.buf[..at]).count() as u64;
        self.buf.copy_within(at..self.filled, 0);
        self.moved(at, lines);
    }

    fn moved(&mut self, by: usize, lines: u64) {
        self.filled -= by;
        self.offset += by as u64;
        self.line += lines;
        self.want = self.block_bytes;
    }
}
