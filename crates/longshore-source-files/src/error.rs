//! Everything that can go wrong between an input's name and its records.

use std::io;
use std::path::PathBuf;

/// Why inputs could not be found, opened, read or cut into records.
///
/// Offsets are bytes from the start of the *decompressed* input, from 0; lines count from 1.
#[derive(Debug, thiserror::Error)]
// The messages say what each variant and field means.
#[allow(missing_docs)]
#[non_exhaustive]
pub enum Error {
    #[error("no input given: name a file, a directory, a pattern such as 'data/*.json', or - for stdin")]
    NoInput,
    #[error("no such file or directory: {}; check the path or quote a pattern", path.display())]
    Missing { path: PathBuf },
    #[error("pattern '{pattern}' matches no file; check it with ls, or quote it so that the shell leaves it alone")]
    NothingMatches { pattern: String },
    #[error(
        "pattern '{pattern}' is not valid: {reason} at character {at}; put special characters in [ ] to match them as they are"
    )]
    BadPattern { pattern: String, reason: String, at: usize },
    #[error(
        "directory {} holds no file that ends in .json, .jsonl, .ndjson, .csv, .parquet or .arrow (texts also with .gz or .zst); name files of other endings with a pattern such as '{}/*'",
        path.display(), path.display()
    )]
    EmptyDirectory { path: PathBuf },
    #[error("stdin (-) is given {times} times; it can be read only once, so name it once")]
    StdinTwice { times: usize },
    #[error("cannot open {name}: {cause}; check that the path exists and may be read")]
    Open { name: String, cause: io::Error },
    #[error("cannot read {name} after {at} bytes: {cause}; check the disk or the program that writes to the pipe")]
    Read { name: String, at: u64, cause: io::Error },
    #[error(
        "{name} is cut off: its {format} data ends early after {compressed} compressed bytes ({at} bytes of text); copy or download the file again"
    )]
    Truncated { name: String, format: &'static str, compressed: u64, at: u64 },
    #[error(
        "{name} holds damaged {format} data, at compressed byte {compressed} or before it: {cause}; copy or download the file again"
    )]
    Corrupt {
        name: String,
        format: &'static str,
        /// How far the decoder came: what is damaged often still looks like data for a while.
        compressed: u64,
        cause: io::Error,
    },
    #[error(
        "{name} is compressed twice: there is {inner} inside its {outer}; take the outer one off first: {} -dc {name} | longshore load -",
        if *outer == "gzip" { "gzip" } else { "zstd" }
    )]
    Twice { name: String, outer: &'static str, inner: &'static str },
    #[error("{name} is {what}, which is not read as text; {so}")]
    Foreign {
        name: String,
        what: &'static str,
        /// What to do.
        so: &'static str,
    },
    #[error("{name} is {encoding} text, and only UTF-8 is read; convert it with: iconv -f {encoding} -t UTF-8")]
    NotUtf8 {
        name: String,
        /// As iconv calls it.
        encoding: &'static str,
    },
    #[error("{name}: found {found} at byte {offset} (line {line}) where {expected} must stand; repair the input there")]
    Stray { name: String, offset: u64, line: u64, found: String, expected: &'static str },
    #[error(
        "{name}: the input ends inside the {what} that begins at byte {offset} (line {line}); it may be cut off, so fetch it again"
    )]
    Unterminated { name: String, what: &'static str, offset: u64, line: u64 },
    #[error(
        "{name}: the string that ends at byte {offset} (line {line}) has no closing quote on its line; repair the input there"
    )]
    BrokenString { name: String, offset: u64, line: u64 },
    #[error(
        "{name}: the record at byte {offset} (line {line}) is larger than the limit of {limit} bytes; {}raise --memory",
        match hint { Some(path) => format!("load its parts with --select '{path}' or "), None => String::new() }
    )]
    TooLarge {
        name: String,
        offset: u64,
        line: u64,
        limit: usize,
        /// A path to the elements of the array that is (or may be) too large.
        hint: Option<String>,
    },
    #[error(
        "{name}: more than {limit} levels of nesting at byte {offset} (line {line}) on the way of the selected path; give a path without '..'"
    )]
    TooDeep { name: String, offset: u64, line: u64, limit: usize },
    #[error(
        "cannot use the path '{path}': {reason} at character {at}\n  {path}\n  {:>width$}\nsupported are $ .name ['name'] [\"name\"] [0] [*] .* ..name ..[*], as in $.data[*] or $['odd key'][*].items[*]",
        "^", width = *at
    )]
    Path {
        path: String,
        /// 1-based position in characters.
        at: usize,
        reason: &'static str,
    },
}

/// `Result` with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;
