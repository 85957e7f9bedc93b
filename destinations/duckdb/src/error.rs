//! DuckDB's errors in Longshore's words.

use longshore_core::error::{Error, ErrorKind};
use std::path::Path;

/// Returns the error DuckDB's message stands for.
pub(crate) fn from_message(message: &str, path: &Path) -> Error {
    let error = |kind, text: &str| Error::new(kind, text).with("file", path.display()).source(message.to_owned());
    if is_locked(message) {
        let holder = holder(message).map_or_else(String::new, |h| format!(" by {h}"));
        return error(ErrorKind::Busy, &format!("the database file is in use{holder}"))
            .hint("close the other program, or let it finish, and run the same command again");
    }
    if message.contains("not a valid DuckDB database file") {
        return error(ErrorKind::Destination, "the file is not a DuckDB database")
            .hint("name another file, or move this one away");
    }
    let full = ["No space left", "disk full", "File too large", "Disk quota exceeded"];
    if full.iter().any(|f| message.contains(f)) {
        return error(ErrorKind::Destination, "the disk is full, or a limit on file sizes is reached")
            .hint("make room and run the same command again");
    }
    if message.contains("Permission denied") || message.contains("read-only") {
        return error(ErrorKind::Destination, "the database file cannot be written")
            .hint("check the rights of the file and its folder");
    }
    if message.contains("Cannot open file") {
        return error(ErrorKind::Destination, "the database file cannot be opened")
            .hint("check that its folder exists and can be written");
    }
    error(ErrorKind::Destination, "DuckDB refused").hint("remove the cause and run the same command again")
}

/// Returns true when another process holds the file.
pub(crate) fn is_locked(message: &str) -> bool {
    message.contains("Could not set lock on file")
}

/// DuckDB says `Conflicting lock is held in /usr/bin/python3 (PID 4711)`.
fn holder(message: &str) -> Option<&str> {
    let rest = message.split_once("Conflicting lock is held in ")?.1;
    let end = rest.find(')').map(|i| i + 1)?;
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_named() {
        let message = "IO Error: Could not set lock on file \"/x\": Conflicting lock is held in /usr/bin/python3.11 (PID 42). See also";
        let error = from_message(message, Path::new("/x"));
        assert_eq!(error.kind(), ErrorKind::Busy);
        assert!(error.to_string().contains("/usr/bin/python3.11 (PID 42)"), "{error}");
    }
}
