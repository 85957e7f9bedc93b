//! What a run may use of the machine.

use longshore_core::connect::Limits;
use longshore_core::error::{Error, Result};
use std::num::NonZeroUsize;

/// Memory a load stays within when nobody says otherwise, if the machine has twice as much.
const DEFAULT_MEMORY: u64 = 256 << 20;
const LEAST_MEMORY: u64 = 32 << 20;

/// Threads to use: as given, or one a processor.
pub(crate) fn threads(given: Option<usize>) -> usize {
    given.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZeroUsize::get)).max(1)
}

/// What destinations inside this process may use of it.
pub(crate) fn limits(threads: usize, memory: u64) -> Limits {
    Limits { threads: Some(threads), memory: Some(memory * 3 / 8) }
}

/// Reads `256M`; the default is half of what the process may have, at most 256 MiB.
pub(crate) fn memory(given: Option<&str>) -> Result<u64> {
    let Some(text) = given else {
        let limit = cgroup_limit().unwrap_or(u64::MAX);
        return Ok((limit / 2).clamp(LEAST_MEMORY, DEFAULT_MEMORY));
    };
    let wrong =
        || Error::config(format!("'{text}' is no amount of memory")).hint("write bytes, or 256M, or 2G; at least 32M");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        _ => return Err(wrong()),
    };
    let amount: u64 = digits.parse().map_err(|_| wrong())?;
    amount.checked_mul(1 << shift).filter(|m| *m >= LEAST_MEMORY).ok_or_else(wrong)
}

/// What the control group allows this process (version 2, then 1).
fn cgroup_limit() -> Option<u64> {
    let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    files.iter().find_map(|f| std::fs::read_to_string(f).ok()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_with_its_unit() {
        assert_eq!(memory(Some("64M")).unwrap(), 64 << 20);
        assert_eq!(memory(Some("2g")).unwrap(), 2 << 30);
        assert!(memory(Some("1M")).is_err() && memory(Some("lots")).is_err() && memory(Some("99999999999G")).is_err());
    }
}
