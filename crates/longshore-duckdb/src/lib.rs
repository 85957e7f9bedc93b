//! What is the same wherever DuckDB is asked: by the destination `duckdb`, and over the files of `filesystem`.

mod answer;

pub use answer::rows;

/// Returns true for a message of DuckDB's that it gave up because of its memory limit.
pub fn wants_memory(message: &str) -> bool {
    ["Out of Memory", "failed to pin block", "could not allocate block", "failed to allocate"]
        .iter()
        .any(|m| message.contains(m))
}
