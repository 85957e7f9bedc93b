//! Settings of the DuckDB destination.

use longshore_core::connect::Connection;
use longshore_core::error::{Error, Result};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// What a user can set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The database file; made if it is missing.
    pub path: PathBuf,
    /// Threads DuckDB may use; by default as many as there are processors.
    pub threads: Option<usize>,
    /// Bytes DuckDB may use for its buffers; by default 64 MiB, or two thirds of what destinations may use.
    pub memory: Option<u64>,
}

/// The keys of its section in `longshore.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(alias = "database")]
    path: Option<PathBuf>,
    threads: Option<usize>,
    memory: Option<u64>,
}

/// Enough for row groups under way in a few dozen columns; what does not fit is spilled beside the file. With more, DuckDB only
/// keeps what it has written.
pub(crate) const DEFAULT_MEMORY: u64 = 64 << 20;

/// What DuckDB itself takes for no file at all. Longshore opens the file anew in each of its steps.
const IN_MEMORY: &str = ":memory:";

const HOW_TO_NAME: &str = "write duckdb:///path/to/file.duckdb";

impl Config {
    /// Returns the settings for a file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Config { path: path.into(), threads: None, memory: None }
    }

    /// Reads the URL, then the settings `path`, `threads` and `memory` where the URL leaves them open.
    ///
    /// # Errors
    /// When no file is named, one in memory is, or a setting is wrong.
    pub fn from_connection(connection: &Connection) -> Result<Self> {
        let settings: Settings = connection.settings()?;
        let path = match (connection.url.contains(':'), settings.path) {
            (false, Some(path)) => path,
            _ => Config::from_url(&connection.url)?.path,
        };
        if path.file_name().is_some_and(|name| name == IN_MEMORY) {
            return Err(Error::config("a database in memory is gone when the load is over").hint(HOW_TO_NAME));
        }
        // DuckDB puts the home folder there, and nothing else that handles the file does.
        if path.to_string_lossy().starts_with('~') {
            return Err(Error::config(format!("the '~' of '{}' does not stand for the home folder", path.display()))
                .hint("write that folder out; a file whose name begins so is ./~…"));
        }
        let limits = connection.limits;
        Ok(Config {
            path,
            threads: settings.threads.or(limits.threads),
            memory: settings.memory.or(limits.memory.map(share)),
        })
    }

    /// Reads `duckdb:///folder/shop.duckdb`, `duckdb:shop.duckdb` and the like.
    ///
    /// Three slashes mean an absolute file where its folder exists, otherwise a relative one (dlt and
    /// SQLAlchemy read them so); four always an absolute one.
    ///
    /// # Errors
    /// When no file is named, or settings stand behind it.
    pub fn from_url(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("duckdb:").unwrap_or(url);
        if let Some((_, settings)) = rest.split_once('?') {
            return Err(Error::config(format!("'?{settings}' would become part of the file's name"))
                .with("destination", url)
                .hint(format!(
                    "{HOW_TO_NAME}: what DuckDB may use is said by --threads and --memory, or by 'threads' and \
                    'memory' of its section in longshore.toml; a file whose name has a ? is its 'path' there"
                )));
        }
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if path.trim_matches('/').is_empty() {
            return Err(Error::config(format!("the destination '{url}' names no file")).hint(HOW_TO_NAME));
        }
        if let Some(absolute) = path.strip_prefix("//") {
            return Ok(Config::new(format!("/{absolute}")));
        }
        Ok(Config::new(resolve_three_slashes(path)))
    }
}

/// What DuckDB gets of the bytes that destinations may use; the rest is for rows that wait, and for what DuckDB does not count.
fn share(memory: u64) -> u64 {
    memory / 3 * 2
}

/// An absolute file, when it or its folder exists; files at the root of the file system are
/// practically always meant to be in this folder.
fn resolve_three_slashes(path: &str) -> PathBuf {
    let absolute = Path::new(path);
    let in_folder = absolute.parent().is_some_and(|p| p != Path::new("/") && p.is_dir());
    if absolute.is_relative() || in_folder || absolute.exists() {
        return absolute.to_path_buf();
    }
    let relative = PathBuf::from(path.trim_start_matches('/'));
    let folder = relative.parent().is_none_or(|p| p.as_os_str().is_empty() || p.is_dir());
    if folder { relative } else { absolute.to_path_buf() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_files() {
        let path = |url: &str| Config::from_url(url).map(|c| c.path.display().to_string());
        assert_eq!(path("duckdb:///tmp/shop.duckdb").unwrap(), "/tmp/shop.duckdb");
        assert_eq!(path("duckdb:////shop.duckdb").unwrap(), "/shop.duckdb");
        assert_eq!(path("duckdb:///shop-that-is-not-there.duckdb").unwrap(), "shop-that-is-not-there.duckdb");
        assert_eq!(path("duckdb:dir/shop.duckdb").unwrap(), "dir/shop.duckdb");
        assert!(path("duckdb:///").is_err());
        let settings = path("duckdb:///tmp/shop.duckdb?memory=1G").unwrap_err();
        assert_eq!(settings.message(), "'?memory=1G' would become part of the file's name");
    }

    #[test]
    fn a_tilde_is_neither_a_folder_nor_home() {
        let error = Config::from_connection(&Connection::new("duckdb://~/shop.duckdb")).unwrap_err();
        assert_eq!(error.message(), "the '~' of '~/shop.duckdb' does not stand for the home folder");
        assert!(Config::from_connection(&Connection::new("duckdb://./~shop.duckdb")).is_ok());
    }

    #[test]
    fn no_file_is_called_like_a_database_in_memory() {
        for url in ["duckdb::memory:", "duckdb:///:memory:", "duckdb://:memory:"] {
            let error = Config::from_connection(&Connection::new(url)).expect_err(url);
            assert_eq!(error.message(), "a database in memory is gone when the load is over", "{url}");
        }
    }
}
