//! Printing to stdout where a reader may have gone: `longshore tables | head -1` is no error. A full disk is one.

use longshore_core::error::Error;
use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

/// Why something could not be printed: the first time.
static FAILURE: OnceLock<io::Error> = OnceLock::new();

/// Prints a line to stdout; a closed pipe is ignored.
macro_rules! say {
    ($($words:tt)*) => {
        $crate::say::line(format_args!($($words)*))
    };
}

pub(crate) use say;

pub(crate) fn line(words: Arguments<'_>) {
    note(writeln!(io::stdout(), "{words}"));
}

/// Why not everything was printed that was said.
pub(crate) fn failure() -> Option<Error> {
    note(io::stdout().flush());
    FAILURE.get().map(|e| unwritable(io::Error::new(e.kind(), e.to_string())))
}

pub(crate) fn unwritable(e: io::Error) -> Error {
    Error::destination("cannot write to stdout").source(e)
}

fn note(written: io::Result<()>) {
    if let Err(e) = written
        && e.kind() != ErrorKind::BrokenPipe
    {
        let _ = FAILURE.set(e); // the first one says it
    }
}
