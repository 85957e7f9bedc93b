//! Turns: of loads that rewrite one table at once, or that belong to one pipeline, one wins and the others begin again
//! from what it left.
//!
//! A load that replaces or merges reads which files there are, and later says which of them do not count any more.
//! Between the two, nobody else may have rewritten the table. So it takes the turn behind the newest one it saw
//! (`<dataset>/_manifests/turns/<table>/<number>.json`, made only if there is none) just before its manifest. In the
//! same way no other load of the pipeline may come between the look at its newest one, which the fence is asked
//! about, and the manifest (`<dataset>/_manifests/runs/<pipeline>/turns/<number>.json`).

use crate::layout::{MANIFESTS, path_safe};
use crate::lease;
use crate::manifest::{self, FileManifest, in_dataset};
use crate::store::Store;
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::package::{LoadId, Target};
use serde::{Deserialize, Serialize};

/// The newest turns of the tables a load rewrites, and of its pipeline.
pub(crate) struct Turns {
    target: Target,
    load_id: LoadId,
    /// Each with its folder and its number.
    tables: Vec<(String, u64)>,
}

/// Who has a turn.
#[derive(Serialize, Deserialize)]
struct Holder {
    pipeline: String,
    load_id: LoadId,
}

impl Turns {
    /// Looks whose turn it was. To be called before the manifests are read.
    ///
    /// A holder without a manifest is dead, or slow: its place is taken, so that it begins again if it lives.
    pub(crate) async fn look<'a>(
        store: &Store,
        target: &Target,
        load_id: &LoadId,
        roots: impl Iterator<Item = &'a str>,
    ) -> Result<Self> {
        let mut turns = Turns { target: target.clone(), load_id: load_id.clone(), tables: Vec::new() };
        let of_tables =
            roots.map(|root| in_dataset(&target.dataset, &format!("{MANIFESTS}/turns/{}", path_safe(root))));
        for folder in of_tables.chain([format!("{}/turns", lease::folder(target))]) {
            let number = newest(store, &folder).await?;
            if number > 0 {
                turns.fence(store, &path(&folder, number)).await?;
            }
            turns.tables.push((folder, number));
        }
        Ok(turns)
    }

    async fn fence(&self, store: &Store, turn: &str) -> Result<()> {
        let holder = store.read(turn).await?.and_then(|bytes| serde_json::from_slice::<Holder>(&bytes).ok());
        let Some(holder) = holder else { return Ok(()) };
        if (&holder.pipeline, &holder.load_id) != (&self.target.pipeline, &self.load_id) {
            let place = manifest::path(&self.target.dataset, &holder.pipeline, &holder.load_id);
            let mark = FileManifest::given_up(&holder.pipeline, &holder.load_id, manifest::OVERTAKEN);
            store.create(&place, serde_json::to_vec(&mark).unwrap_or_default()).await?; // plain data: cannot fail
        }
        Ok(())
    }

    /// Takes the next turns.
    ///
    /// # Errors
    /// When somebody else has rewritten a table since; the load is to begin again.
    pub(crate) async fn take(&self, store: &Store) -> Result<()> {
        let holder = Holder { pipeline: self.target.pipeline.clone(), load_id: self.load_id.clone() };
        let bytes = serde_json::to_vec(&holder).unwrap_or_default(); // plain data: cannot fail
        for (folder, number) in &self.tables {
            let is_ours = store.create(&path(folder, number + 1), bytes.clone()).await?;
            // Old turns are removed: one that was free because it is long over is none.
            if !is_ours || newest(store, folder).await? != number + 1 {
                return Err(Error::new(ErrorKind::Unavailable, "another load was committed at the same time")
                    .hint("run the same command again; nothing is lost"));
            }
        }
        Ok(())
    }

    /// True when somebody else has rewritten a table since.
    pub(crate) async fn are_over(&self, store: &Store) -> Result<bool> {
        for (folder, number) in &self.tables {
            if newest(store, folder).await? != *number {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes the turns before.
    pub(crate) async fn prune(&self, store: &Store) -> Result<()> {
        for (folder, number) in &self.tables {
            let newest = path(folder, number + 1);
            for old in store.list(folder).await?.into_iter().filter(|e| e.path < newest) {
                store.delete(&old.path).await?;
            }
        }
        Ok(())
    }
}

/// The error of a load that is to begin again.
pub(crate) fn overtaken() -> Error {
    Error::new(ErrorKind::Unavailable, "another load was committed at the same time")
        .hint("run the same command again; nothing is lost")
}

fn path(folder: &str, number: u64) -> String {
    format!("{folder}/{number:010}.json")
}

async fn newest(store: &Store, folder: &str) -> Result<u64> {
    let entries = store.list(folder).await?;
    let number = |path: &str| path.rsplit('/').next()?.strip_suffix(".json")?.parse().ok();
    Ok(entries.iter().filter_map(|e| number(&e.path)).max().unwrap_or_default())
}
