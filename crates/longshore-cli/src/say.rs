//! Printing to stdout where a reader may have gone: `longshore tables | head -1` is no error.

/// Prints a line to stdout; a closed pipe is ignored.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stdout(), $($words)*);
    }};
}

pub(crate) use say;
