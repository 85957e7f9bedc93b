//! Where the rows go. `longshore query … | head` is no error: what nobody reads any more is let go.

use crate::say::unwritable;
use longshore_core::error::Result;
use std::io::{self, Write};

/// A buffered writer that forgives a reader who has gone.
pub(super) struct Out<W: Write> {
    to: io::BufWriter<Forgiving<W>>,
}

impl<W: Write> Out<W> {
    pub(super) fn new(to: W) -> Self {
        Out { to: io::BufWriter::with_capacity(64 << 10, Forgiving { to, is_closed: false }) }
    }

    /// True when nobody reads any more.
    pub(super) fn is_closed(&self) -> bool {
        self.to.get_ref().is_closed
    }

    /// Writes what is still here.
    pub(super) fn close(mut self) -> Result<()> {
        self.to.flush().map_err(unwritable)
    }
}

impl<W: Write> Write for Out<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

struct Forgiving<W> {
    to: W,
    is_closed: bool,
}

impl<W: Write> Forgiving<W> {
    fn forgive<T>(&mut self, answer: io::Result<T>, instead: T) -> io::Result<T> {
        match answer {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(instead)
            }
            answer => answer,
        }
    }
}

impl<W: Write> Write for Forgiving<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_closed {
            return Ok(bytes.len());
        }
        let answer = self.to.write(bytes);
        self.forgive(answer, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        let answer = self.to.flush();
        self.forgive(answer, ())
    }
}
