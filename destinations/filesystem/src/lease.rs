//! The lease: a small file with its holder, renewed while the run lasts and free when it was not for a while.
//!
//! It is `<dataset>/_manifests/runs/<pipeline>/lease-<number>.json`. Files are only made where there is none of that
//! number, which every store can do; the highest number counts. Whoever takes over from a holder that does not renew
//! its file makes the next one. A holder that slept meanwhile finds its file gone, and its load is refused by the
//! fence.

use crate::layout::{MANIFESTS, path_safe};
use crate::manifest::in_dataset;
use crate::store::Store;
use async_trait::async_trait;
use longshore_core::error::{Error, Result};
use longshore_core::lease::{Holder, Lease, LeaseAnswer, LeaseRequest};
use longshore_core::package::Target;
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Tries, of runs that begin at the same moment.
const TRIES: u32 = 5;

/// What stands in the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    holder: Holder,
    /// When the holder was last heard of, in microseconds since 1970.
    renewed: u64,
    /// For how long that is good, in milliseconds.
    good_for: u64,
}

#[derive(Debug)]
struct StoreLease {
    store: Store,
    path: String,
    holder: Holder,
    good_for: Duration,
}

/// The folder of what keeps a pipeline's runs apart.
pub(crate) fn folder(target: &Target) -> String {
    in_dataset(&target.dataset, &format!("{MANIFESTS}/runs/{}", path_safe(&target.pipeline)))
}

/// Takes the lease of a pipeline in a dataset.
pub(crate) async fn take(store: &Store, request: &LeaseRequest<'_>) -> Result<LeaseAnswer> {
    let folder = folder(request.target);
    for _ in 0..TRIES {
        let files = files(store, &folder).await?;
        let newest = match files.last() {
            Some((_, path)) => read(store, path).await?,
            None => None,
        };
        if let Some(entry) = newest {
            let free_in = entry.free_in(now());
            if entry.holder.folder != request.holder.folder && free_in > Duration::ZERO {
                return Ok(LeaseAnswer::Held { holder: Some(entry.holder), free_in: Some(free_in) });
            }
        }
        let number = files.last().map_or(1, |(number, _)| number + 1);
        let path = format!("{folder}/lease-{number:010}.json");
        let lease =
            StoreLease { store: store.clone(), path, holder: request.holder.clone(), good_for: request.expires_after };
        let is_made = store.create(&lease.path, lease.content()).await?;
        // A request that was tried again may find what it has made itself.
        if is_made || lease.is_held().await? {
            for (_, old) in &files {
                store.delete(old).await?;
            }
            return Ok(LeaseAnswer::Ours(Box::new(lease)));
        }
    }
    Ok(LeaseAnswer::Held { holder: None, free_in: None })
}

/// Lease files with their numbers, in order.
async fn files(store: &Store, folder: &str) -> Result<Vec<(u64, String)>> {
    let number = |path: &str| path.rsplit('/').next()?.strip_prefix("lease-")?.strip_suffix(".json")?.parse().ok();
    let entries = store.list(folder).await?;
    let mut files: Vec<(u64, String)> = entries.into_iter().filter_map(|e| Some((number(&e.path)?, e.path))).collect();
    files.sort();
    Ok(files)
}

async fn read(store: &Store, path: &str) -> Result<Option<Entry>> {
    // What cannot be read is nobody's.
    Ok(store.read(path).await?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64)
}

impl Entry {
    /// In how long it is free. A holder's clock may be wrong: longer than it asked for it has the lease in no case.
    fn free_in(&self, now: u64) -> Duration {
        let good_for = Duration::from_millis(self.good_for);
        good_for.saturating_sub(Duration::from_micros(now.saturating_sub(self.renewed)))
    }
}

impl StoreLease {
    fn content(&self) -> Vec<u8> {
        let good_for = u64::try_from(self.good_for.as_millis()).unwrap_or(u64::MAX);
        let entry = Entry { holder: self.holder.clone(), renewed: now(), good_for };
        serde_json::to_vec(&entry).unwrap_or_default() // plain data: cannot fail
    }

    async fn is_held(&self) -> Result<bool> {
        Ok(read(&self.store, &self.path).await?.is_some_and(|entry| entry.holder.run == self.holder.run))
    }
}

#[async_trait]
impl Lease for StoreLease {
    async fn renew(&self) -> Result<()> {
        if !self.is_held().await? {
            return Err(Error::destination("another run has taken it, because this one was not heard of for too long")
                .with("file", &self.path));
        }
        self.store.write(&self.path, self.content()).await
    }

    async fn release(self: Box<Self>) -> Result<()> {
        match self.is_held().await? {
            true => self.store.delete(&self.path).await,
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_free_when_it_was_not_renewed_for_as_long_as_its_holder_said() {
        let holder = Holder { run: "r".into(), folder: "f".into(), host: "h".into(), process: 1, ..Holder::default() };
        let entry = Entry { holder, renewed: 5_000_000, good_for: 3_000 };
        assert_eq!(entry.free_in(6_000_000), Duration::from_secs(2));
        assert_eq!(entry.free_in(9_000_000), Duration::ZERO);
        assert_eq!(entry.free_in(1), Duration::from_secs(3), "a clock that is ahead");
    }
}
