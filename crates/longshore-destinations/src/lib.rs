//! The one place that names destinations: a table of kinds, each behind its feature.

use longshore_core::destination::Destination;
use longshore_core::error::{Error, Result};
use std::sync::Arc;

/// What all destinations are told of the machine they run on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Threads a destination inside this process may use.
    pub threads: Option<usize>,
    /// Bytes of memory a destination inside this process may use.
    pub memory: Option<u64>,
}

/// A kind of destination.
pub struct Kind {
    /// The word before the colon of its URLs.
    pub scheme: &'static str,
    /// How its URLs look.
    pub example: &'static str,
    /// Makes the absolute URL under which packages remember a destination.
    pub canonical: fn(&str) -> Result<String>,
    /// Makes the destination of a URL.
    pub open: fn(&str, Limits) -> Result<Arc<dyn Destination>>,
}

/// All kinds this build has.
pub static KINDS: &[Kind] = &[
    #[cfg(feature = "duckdb")]
    Kind {
        scheme: "duckdb",
        example: "duckdb:///path/to/file.duckdb",
        canonical: duckdb::canonical,
        open: duckdb::open,
    },
];

/// Returns the kind a URL names.
///
/// # Errors
/// When there is none: the message lists those there are.
pub fn kind(url: &str) -> Result<&'static Kind> {
    let scheme = url.split(':').next().unwrap_or(url);
    KINDS.iter().find(|k| k.scheme == scheme).ok_or_else(|| {
        let known: Vec<&str> = KINDS.iter().map(|k| k.example).collect();
        Error::config(format!("there is no destination '{scheme}'"))
            .hint(format!("this build has: {}", known.join(", ")))
    })
}

/// Opens the destination of a URL.
///
/// # Errors
/// When the URL names no kind, or the kind refuses it.
pub fn open(url: &str, limits: Limits) -> Result<Arc<dyn Destination>> {
    (kind(url)?.open)(url, limits)
}

#[cfg(feature = "duckdb")]
mod duckdb {
    use super::{Destination, Limits, Result};
    use longshore_core::error::Error;
    use longshore_destination_duckdb::{Config, DuckDb};
    use std::sync::Arc;

    pub(crate) fn canonical(url: &str) -> Result<String> {
        let config = Config::from_url(url)?;
        let path = std::path::absolute(&config.path)
            .map_err(|e| Error::config("the current folder is not to be found").source(e))?;
        Ok(format!("duckdb://{}", path.display()))
    }

    pub(crate) fn open(url: &str, limits: Limits) -> Result<Arc<dyn Destination>> {
        let config = Config { threads: limits.threads, memory: limits.memory, ..Config::from_url(url)? };
        Ok(Arc::new(DuckDb::new(config)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_kind_is_answered_with_the_known_ones() {
        let error = kind("oracle://x").map(|k| k.scheme).unwrap_err();
        assert!(error.hint_text().is_some_and(|h| KINDS.iter().all(|k| h.contains(k.example))));
    }
}
