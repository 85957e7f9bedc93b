//! A destination whose calls fail, lose their reply or hang, as ordered.

use async_trait::async_trait;
use longshore_core::capabilities::Capabilities;
use longshore_core::destination::{CommitOutcome, Committed, Destination, Load, Opening, Staged};
use longshore_core::lease::{LeaseAnswer, LeaseRequest};
use longshore_core::package::{LoadId, Manifest, Part, TableCount, Target};
use longshore_core::schema::Schema;
use longshore_core::{Error, ErrorKind, Result};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;

/// What goes wrong. Calls of `stage` and `commit` are counted from 0 over the wrapper's life, so a
/// fault happens once and the next try passes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The n-th `begin` fails.
    Begin(u64),
    /// The n-th `stage` fails and nothing of the part arrives.
    Stage(u64),
    /// The n-th `stage` brings the part, but its receipt is lost.
    StageReplyLost(u64),
    /// The n-th `stage` never returns.
    StageHangs(u64),
    /// The n-th `commit` fails before anything happens.
    Commit(u64),
    /// The n-th `commit` happens, but its reply is lost.
    CommitReplyLost(u64),
    /// The n-th `commit` never returns, and nothing happens.
    CommitHangs(u64),
    /// Every call of any kind fails, from the n-th `begin` on: the destination is gone.
    Gone(u64),
}

/// A destination with faults; otherwise what it wraps.
#[derive(Debug, Clone)]
pub struct FaultyDestination {
    inner: Arc<dyn Destination>,
    plan: Arc<Plan>,
}

#[derive(Debug)]
struct Plan {
    faults: Mutex<Vec<Fault>>,
    kind: ErrorKind,
    begins: AtomicU64,
    stages: AtomicU64,
    commits: AtomicU64,
}

impl FaultyDestination {
    /// Returns `inner` with those faults; their errors are of the kind `Unavailable`.
    pub fn new(inner: Arc<dyn Destination>, faults: &[Fault]) -> Self {
        Self::failing_with(ErrorKind::Unavailable, inner, faults)
    }

    /// Returns `inner` with those faults and errors of that kind.
    pub fn failing_with(kind: ErrorKind, inner: Arc<dyn Destination>, faults: &[Fault]) -> Self {
        let (begins, stages, commits) = Default::default();
        let plan = Plan { faults: Mutex::new(faults.to_vec()), kind, begins, stages, commits };
        FaultyDestination { inner, plan: Arc::new(plan) }
    }

    /// Ends all faults: the destination works from here on.
    pub fn heal(&self) {
        self.plan.faults().clear();
    }

    /// Returns how often `begin` was called.
    pub fn begins(&self) -> u64 {
        self.plan.begins.load(Ordering::SeqCst)
    }

    /// Returns how often `stage` was called.
    pub fn stages(&self) -> u64 {
        self.plan.stages.load(Ordering::SeqCst)
    }

    /// Returns how often `commit` was called.
    pub fn commits(&self) -> u64 {
        self.plan.commits.load(Ordering::SeqCst)
    }
}

impl Plan {
    fn faults(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner) // a list is whole at any time
    }

    fn has(&self, fault: Fault) -> bool {
        self.faults().contains(&fault)
    }

    fn fail<T>(&self, what: &str) -> Result<T> {
        Err(Error::new(self.kind, format!("injected fault: {what}")))
    }

    /// Fails every call once the destination is gone.
    fn check_gone(&self) -> Result<()> {
        let begins = self.begins.load(Ordering::SeqCst);
        match self.faults().iter().any(|f| matches!(f, Fault::Gone(n) if begins > *n)) {
            true => self.fail("the destination is gone"),
            false => Ok(()),
        }
    }
}

impl fmt::Display for FaultyDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Destination for FaultyDestination {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    async fn last_committed(&self, target: &Target) -> Result<Option<Committed>> {
        self.plan.check_gone()?;
        self.inner.last_committed(target).await
    }

    async fn is_committed(&self, target: &Target, load_id: &LoadId) -> Result<bool> {
        self.plan.check_gone()?;
        self.inner.is_committed(target, load_id).await
    }

    async fn lease(&self, request: &LeaseRequest<'_>) -> Result<LeaseAnswer> {
        self.plan.check_gone()?;
        self.inner.lease(request).await
    }

    fn check(&self, schema: &Schema) -> Result<()> {
        self.inner.check(schema)
    }

    async fn begin(&self, opening: &Opening) -> Result<Box<dyn Load>> {
        let number = self.plan.begins.fetch_add(1, Ordering::SeqCst);
        self.plan.check_gone()?;
        if self.plan.has(Fault::Begin(number)) {
            return self.plan.fail("begin");
        }
        let inner = self.inner.begin(opening).await?;
        Ok(Box::new(FaultyLoad { inner, plan: Arc::clone(&self.plan) }))
    }

    async fn query(&self, dataset: &str, sql: &str) -> Result<Vec<RecordBatch>> {
        self.plan.check_gone()?;
        self.inner.query(dataset, sql).await
    }

    async fn tables(&self, dataset: &str) -> Result<Vec<TableCount>> {
        self.plan.check_gone()?;
        self.inner.tables(dataset).await
    }
}

struct FaultyLoad {
    inner: Box<dyn Load>,
    plan: Arc<Plan>,
}

#[async_trait]
impl Load for FaultyLoad {
    async fn stage(&self, part: &Part) -> Result<Staged> {
        let number = self.plan.stages.fetch_add(1, Ordering::SeqCst);
        self.plan.check_gone()?;
        if self.plan.has(Fault::Stage(number)) {
            return self.plan.fail("stage");
        }
        if self.plan.has(Fault::StageHangs(number)) {
            std::future::pending::<()>().await;
        }
        let staged = self.inner.stage(part).await?;
        match self.plan.has(Fault::StageReplyLost(number)) {
            true => self.plan.fail("the reply of stage is lost"),
            false => Ok(staged),
        }
    }

    async fn commit(self: Box<Self>, manifest: &Manifest, staged: &[Staged]) -> Result<CommitOutcome> {
        let number = self.plan.commits.fetch_add(1, Ordering::SeqCst);
        self.plan.check_gone()?;
        if self.plan.has(Fault::Commit(number)) {
            return self.plan.fail("commit");
        }
        if self.plan.has(Fault::CommitHangs(number)) {
            std::future::pending::<()>().await;
        }
        let outcome = self.inner.commit(manifest, staged).await?;
        match self.plan.has(Fault::CommitReplyLost(number)) {
            true => self.plan.fail("the reply of commit is lost"),
            false => Ok(outcome),
        }
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.plan.check_gone()?;
        self.inner.abort().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Package, PackageBuilder, load, stage};
    use longshore_core::memory::MemoryDestination;
    use std::time::Duration;

    fn package() -> Package {
        PackageBuilder::new("shop", "data", 1).json("items", "{\"id\":1}").json("items", "{\"id\":2}").build()
    }

    async fn rows(destination: &dyn Destination) -> u64 {
        let tables = destination.tables("data").await.expect("the memory destination lists tables");
        tables.iter().find(|t| t.table == "items").map_or(0, |t| t.rows)
    }

    fn faulty(faults: &[Fault]) -> (Arc<MemoryDestination>, FaultyDestination) {
        let memory = Arc::new(MemoryDestination::new());
        (Arc::clone(&memory), FaultyDestination::new(memory, faults))
    }

    #[tokio::test]
    async fn a_fault_before_the_commit_happens_once_and_leaves_nothing() {
        for fault in [Fault::Begin(0), Fault::Stage(1), Fault::StageReplyLost(0), Fault::Commit(0)] {
            let (memory, destination) = faulty(&[fault]);
            let error = load(&destination, &package()).await.expect_err("the fault is ordered");
            assert!(error.is_retryable(), "{fault:?}");
            assert_eq!(rows(&*memory).await, 0, "{fault:?}");
            load(&destination, &package()).await.expect("the fault is over");
            assert_eq!(rows(&*memory).await, 2, "{fault:?}");
        }
    }

    #[tokio::test]
    async fn a_lost_reply_of_commit_has_committed() {
        let (memory, destination) = faulty(&[Fault::CommitReplyLost(0)]);
        load(&destination, &package()).await.expect_err("the reply is lost");
        assert_eq!(rows(&*memory).await, 2);
        assert_eq!(load(&destination, &package()).await.expect("works"), CommitOutcome::AlreadyCommitted);
        assert_eq!((rows(&*memory).await, destination.commits()), (2, 2));
    }

    #[tokio::test]
    async fn a_call_that_hangs_can_be_given_up() {
        for fault in [Fault::StageHangs(0), Fault::CommitHangs(0)] {
            let (memory, destination) = faulty(&[fault]);
            let package = package();
            tokio::time::timeout(Duration::from_millis(20), load(&destination, &package)).await.expect_err("hangs");
            assert_eq!(rows(&*memory).await, 0);
            load(&destination, &package).await.expect("the fault is over");
            assert_eq!(rows(&*memory).await, 2);
        }
    }

    #[tokio::test]
    async fn a_destination_that_is_gone_stays_gone_until_healed() {
        let (_, destination) = faulty(&[Fault::Gone(0)]);
        let package = package();
        assert!(
            !destination.is_committed(&package.manifest.target, &package.manifest.load_id).await.expect("not gone yet")
        );
        for _ in 0..2 {
            load(&destination, &package).await.expect_err("gone");
            destination.tables("data").await.expect_err("gone");
        }
        destination.heal();
        let opened = destination.begin(&package.opening()).await.expect("healed");
        assert_eq!(stage(&*opened, &package).await.expect("healed").len(), 2);
        assert_eq!((destination.begins(), destination.stages()), (3, 2));
    }

    #[tokio::test]
    async fn the_kind_of_error_can_be_chosen() {
        let memory = Arc::new(MemoryDestination::new());
        let destination = FaultyDestination::failing_with(ErrorKind::Destination, memory, &[Fault::Begin(0)]);
        let error = load(&destination, &package()).await.expect_err("the fault is ordered");
        assert_eq!((error.kind(), destination.to_string().as_str()), (ErrorKind::Destination, "memory:"));
    }
}
