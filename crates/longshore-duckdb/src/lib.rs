//! What is the same wherever DuckDB is asked: by the destination `duckdb`, and over the files of `filesystem`.

mod answer;

pub use answer::rows;

/// Lets a connection answer in UTC, so that an answer is the same on every machine.
///
/// # Errors
/// When DuckDB refuses it.
pub fn use_utc(c: &duckdb::Connection) -> duckdb::Result<()> {
    match c.execute_batch("SET TimeZone = 'UTC'") {
        // Built from source, without its extension for time zones, it knows no other.
        Err(e) if e.to_string().contains("unrecognized configuration parameter") => Ok(()),
        answer => answer,
    }
}

/// Returns true for a message of DuckDB's that it gave up because of its memory limit.
pub fn wants_memory(message: &str) -> bool {
    ["Out of Memory", "failed to pin block", "could not allocate block", "failed to allocate"]
        .iter()
        .any(|m| message.contains(m))
}
