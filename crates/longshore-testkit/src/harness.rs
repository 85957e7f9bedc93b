//! What a destination gives to be put through the conformance suite.

use crate::rows::Rows;
use async_trait::async_trait;
use longshore_core::Result;
use longshore_core::destination::Destination;
use std::fmt::Debug;
use std::sync::Arc;

/// Makes empty places to load into, one for each test.
#[async_trait]
pub trait Harness: Debug + Send + Sync + 'static {
    /// Returns a place nothing was ever loaded into: its own file, folder, database or prefix.
    async fn site(&self) -> Result<Arc<dyn Site>>;
}

/// One empty place and the ways to it.
#[async_trait]
pub trait Site: Send + Sync + 'static {
    /// Opens the destination there, in a new session each time: what one session committed, the
    /// next must find. The suite drops a session before it opens the next, unless it says otherwise.
    async fn open(&self) -> Result<Arc<dyn Destination>>;

    /// Reads a table back, through another client or at least another connection than the
    /// destination's own; `None` when there is no such table. Is called while a load is open, too.
    async fn read(&self, dataset: &str, table: &str) -> Result<Option<Rows>>;

    /// Returns the dataset to load into. The suite also uses this name with `_two` behind it.
    fn dataset(&self) -> &str {
        "conformance"
    }

    /// Returns how many random sequences of loads are compared with the model when `LONGSHORE_SEQUENCES` says
    /// nothing. Fewer where each statement takes a second.
    fn sequences(&self) -> u64 {
        50
    }

    /// Removes the place; called after each test, whatever its outcome.
    async fn clean(&self) -> Result<()> {
        Ok(())
    }
}
