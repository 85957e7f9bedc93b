//! DuckDB's errors in Longshore's words.

use longshore_core::error::{Error, ErrorKind};
use longshore_duckdb::wants_memory;
use std::path::Path;

/// Returns the error DuckDB's message stands for.
pub(crate) fn from_message(message: &str, path: &Path) -> Error {
    let error = |kind, text: &str| Error::new(kind, text).with("file", path.display()).source(message.to_owned());
    // What follows is the statement, in which any word may stand.
    let message = message.split("\n\nLINE ").next().unwrap_or(message);
    if is_locked(message) {
        let holder = holder(message).map_or_else(String::new, |h| format!(" by {h}"));
        return error(ErrorKind::Busy, &format!("the database file is in use{holder}"))
            .hint("close the other program, or let it finish, and run the same command again");
    }
    // DuckDB would open a file of SQLite's by an extension, which it is not allowed to fetch.
    let foreign = ["not a valid DuckDB database file", "sqlite_scanner", "Is a directory"];
    if foreign.iter().any(|f| message.contains(f)) {
        return error(ErrorKind::Destination, "the file is not a DuckDB database")
            .hint("name another file, or move this one away");
    }
    if ["Could not read enough bytes", "Corrupt database file"].iter().any(|f| message.contains(f)) {
        return error(ErrorKind::Destination, "the database file is damaged or cut off")
            .hint("bring it back from a copy, or move it away and load again");
    }
    let full = ["No space left", "disk full", "File too large", "Disk quota exceeded"];
    if full.iter().any(|f| message.contains(f)) {
        return error(ErrorKind::Destination, "the disk is full, or a limit on file sizes is reached")
            .hint("make room and run the same command again");
    }
    if message.contains("attached in read-only mode") {
        return error(ErrorKind::Destination, "a query only reads, and this one would change something")
            .hint("change the database with DuckDB itself");
    }
    if wants_memory(message) {
        return error(ErrorKind::Destination, "DuckDB needs more memory than it may have")
            .hint("let it have more with --memory, or fewer --threads, which need less");
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
    fn too_little_memory_says_what_helps() {
        let message = "TransactionContext Error: Failed to commit: failed to pin block of size 256.0 KiB (95.8 MiB/96.0 MiB used)";
        let error = from_message(message, Path::new("/x"));
        assert!(error.hint_text().is_some_and(|h| h.contains("--memory")), "{error}");
    }

    #[test]
    fn what_a_query_says_is_no_error() {
        let message = "Catalog Error: Table with name t does not exist!\nDid you mean \"u\"?\n\nLINE 1: SELECT 'No space left' FROM t\n        ^";
        let error = from_message(message, Path::new("/x"));
        assert_eq!(error.message(), "DuckDB refused");
        let cause = std::error::Error::source(&error).expect("DuckDB's text").to_string();
        assert_eq!(cause, message);
    }

    #[test]
    fn the_holder_of_a_lock_is_named() {
        let message = "IO Error: Could not set lock on file \"/x\": Conflicting lock is held in /usr/bin/python3.11 (PID 42). See also";
        let error = from_message(message, Path::new("/x"));
        assert_eq!(error.kind(), ErrorKind::Busy);
        assert!(error.to_string().contains("/usr/bin/python3.11 (PID 42)"), "{error}");
    }

    #[test]
    fn files_that_cannot_be_a_database_are_called_so() {
        let folder = std::env::temp_dir().join(format!("longshore-no-duckdb-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let settings = [("autoinstall_known_extensions", "false".to_owned())];
        let said = |name: &str, content: Option<Vec<u8>>| {
            let path = folder.join(name);
            match content {
                Some(bytes) => std::fs::write(&path, bytes).unwrap(),
                None => std::fs::create_dir_all(&path).unwrap(),
            }
            let message = crate::ffi::Database::open(&path, crate::ffi::Access::Read, &settings).unwrap_err();
            from_message(&message, &path).message().to_owned()
        };
        let whole = folder.join("whole.duckdb");
        duckdb::Connection::open(&whole).unwrap().execute_batch("CREATE TABLE t AS FROM range(9)").unwrap();
        let whole = std::fs::read(whole).unwrap();
        let of_sqlite = [b"SQLite format 3\0".as_slice(), &[0; 20_000]].concat();
        assert_eq!(said("sqlite.duckdb", Some(of_sqlite)), "the file is not a DuckDB database");
        assert_eq!(said("folder.duckdb", None), "the file is not a DuckDB database");
        assert_eq!(said("text.duckdb", Some(vec![b'a'; 20_000])), "the file is not a DuckDB database");
        assert_eq!(said("cut.duckdb", Some(whole[..13_000].to_vec())), "the database file is damaged or cut off");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
