//! What a run may use of the machine.

use longshore_config::{LEAST_MEMORY, MOST_THREADS, memory_size};
use longshore_core::connect::Limits;
use longshore_core::error::{Error, Result};
use std::num::NonZeroUsize;

/// Memory a load stays within when nobody says otherwise, if the machine has twice as much.
const DEFAULT_MEMORY: u64 = 256 << 20;

/// Threads to use: as given, or one a processor.
pub(crate) fn threads(given: Option<usize>) -> Result<usize> {
    let most = MOST_THREADS as usize;
    match given {
        None => Ok(std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(most)),
        Some(n) if (1..=most).contains(&n) => Ok(n),
        Some(n) => Err(Error::config(format!("{n} is no number of threads"))
            .hint(format!("write 1 to {most}; without --threads there are as many as there are processors"))),
    }
}

/// What destinations inside this process may use of it.
pub(crate) fn limits(threads: usize, memory: u64) -> Limits {
    Limits { threads: Some(threads), memory: Some(memory / 8 * 3) }
}

/// Reads `256M`; the default is half of what the process may have, at most 256 MiB.
pub(crate) fn memory(given: Option<&str>) -> Result<u64> {
    let Some(text) = given else {
        let limit = cgroup_limit().unwrap_or(u64::MAX);
        return Ok((limit / 2).clamp(LEAST_MEMORY, DEFAULT_MEMORY));
    };
    memory_size(text)
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
    fn no_amount_of_memory_is_too_much() {
        let most = memory(Some("16777215T")).unwrap();
        assert_eq!(limits(1, most).memory, Some(most / 8 * 3));
    }

    #[test]
    fn threads_have_bounds() {
        assert_eq!((threads(Some(1)).unwrap(), threads(Some(1024)).unwrap()), (1, 1024));
        assert!(threads(None).unwrap() >= 1);
        for wrong in [0, 1025, 100_000] {
            assert!(threads(Some(wrong)).unwrap_err().hint_text().unwrap_or_default().starts_with("write 1 to 1024"));
        }
    }
}
