//! Loading a package into one destination: stage, commit, count back, try again.

use crate::progress::{DestinationState, DestinationStep};
use crate::store::StoredPackage;
use longshore_core::destination::{CommitOutcome, Destination, Load, Opening, Staged};
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::lease::Fence;
use longshore_core::package::{Manifest, Part, TableCount};
use std::sync::Arc;
use std::time::Duration;
use tracing::{debug, warn};

/// Tries of a load whose failure may pass.
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Loads a sealed package from its files, behind what the fence allows. Safe to call again after any outcome.
pub(crate) async fn load_package(
    destination: &dyn Destination,
    package: &StoredPackage,
    fence: &Fence,
    state: &DestinationState,
) -> Result<CommitOutcome> {
    let mut pause = FIRST_PAUSE;
    for attempt in 1.. {
        match try_load(destination, package, fence, state).await {
            Err(e) if e.is_retryable() && attempt < TRIES => {
                warn!(destination = %destination, attempt, error = %e, "the load failed, trying again");
                tokio::time::sleep(pause).await;
                pause *= 4;
            }
            outcome => return outcome,
        }
    }
    Err(Error::internal("no try left"))
}

async fn try_load(
    destination: &dyn Destination,
    package: &StoredPackage,
    fence: &Fence,
    state: &DestinationState,
) -> Result<CommitOutcome> {
    let manifest = &package.manifest;
    if destination.is_committed(&manifest.target, &manifest.load_id).await? {
        return Ok(CommitOutcome::AlreadyCommitted);
    }
    let opening = Opening { fence: fence.clone(), ..Opening::of(manifest) };
    let load = destination.begin(&opening).await?;
    let mut staged = Vec::new();
    for part in package.parts() {
        staged.push(stage(load.as_ref(), &part, state).await?);
    }
    commit(load, manifest, &staged, state).await
}

/// Stages one part.
pub(crate) async fn stage(load: &dyn Load, part: &Part, state: &DestinationState) -> Result<Staged> {
    let staged = load.stage(part).await?;
    state.add_staged(staged.rows);
    Ok(staged)
}

/// Commits, and believes it only when every count agrees: manifest = staged = counted back.
pub(crate) async fn commit(
    load: Box<dyn Load>,
    manifest: &Manifest,
    staged: &[Staged],
    state: &DestinationState,
) -> Result<CommitOutcome> {
    let mut sums: Vec<TableCount> = Vec::new();
    for receipt in staged {
        match sums.iter_mut().find(|t| t.table == receipt.table) {
            Some(sum) => sum.rows += receipt.rows,
            None => sums.push(TableCount { table: receipt.table.clone(), rows: receipt.rows }),
        }
    }
    agree(manifest, &sums, "staged")?;
    state.enter(DestinationStep::Committing);
    let outcome = load.commit(manifest, staged).await?;
    if let CommitOutcome::Committed(counted) = &outcome {
        agree(manifest, counted, "counted back after the commit")?;
        debug!(load_id = %manifest.load_id, "committed");
    }
    state.enter(DestinationStep::Committed);
    Ok(outcome)
}

fn agree(manifest: &Manifest, found: &[TableCount], what: &str) -> Result<()> {
    for wanted in &manifest.tables {
        let rows = found.iter().find(|t| t.table == wanted.table).map_or(0, |t| t.rows);
        if rows != wanted.rows {
            let message = format!("{rows} rows were {what}, the package has {}", wanted.rows);
            return Err(Error::new(ErrorKind::Integrity, message)
                .with("table", &wanted.table)
                .with("load", &manifest.load_id)
                .hint("the load is not trusted: look at the destination, then retry or drop the package"));
        }
    }
    Ok(())
}

/// A message to the thread of a destination that stages early.
pub(crate) enum Step {
    /// Another part.
    Part(Part),
    /// There are no more.
    AllParts,
    /// The package is sealed, and these are its files.
    Commit(Arc<Manifest>, Vec<Part>),
}
