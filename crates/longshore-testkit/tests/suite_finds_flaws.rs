//! The suite is worth something only if destinations with flaws fail it, in the cases one expects.

use arrow_array::RecordBatch;
use async_trait::async_trait;
use libtest_mimic::Arguments;
use longshore_core::Result;
use longshore_core::capabilities::Capabilities;
use longshore_core::destination::{CommitOutcome, Committed, Destination, Load, Opening, Staged};
use longshore_core::lease::{LeaseAnswer, LeaseRequest, NoLease};
use longshore_core::memory::MemoryDestination;
use longshore_core::package::{LoadId, Manifest, Part, PartRows, TableCount, Target};
use longshore_testkit::conformance;
use longshore_testkit::harness::{Harness, Site};
use longshore_testkit::rows::Rows;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Clone, Copy)]
enum Flaw {
    LosesTheLastRow,
    LoadsAgain,
    ForgetsTheState,
    ShowsWhatIsStaged,
    MixesPipelines,
    GivesTheLeaseTwice,
    ForgetsTheFence,
}

/// A memory destination with a flaw.
#[derive(Debug, Clone)]
struct Flawed {
    inner: MemoryDestination,
    flaw: Flaw,
    commits: Arc<AtomicU64>,
}

struct FlawedLoad {
    inner: Box<dyn Load>,
    of: Flawed,
    opening: Opening,
}

impl fmt::Display for Flawed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl Flawed {
    fn target(&self, target: &Target) -> Target {
        match self.flaw {
            Flaw::MixesPipelines => Target { pipeline: "any".to_owned(), ..target.clone() },
            _ => target.clone(),
        }
    }

    /// A load id nobody used.
    fn other_id(&self) -> LoadId {
        LoadId::from_micros(
            1 + self.commits.fetch_add(1, Ordering::SeqCst),
            longshore_core::schema::SystemColumns::Native,
        )
    }
}

#[async_trait]
impl Destination for Flawed {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }
    async fn last_committed(&self, target: &Target) -> Result<Option<Committed>> {
        self.inner.last_committed(&self.target(target)).await
    }
    async fn is_committed(&self, target: &Target, load_id: &LoadId) -> Result<bool> {
        self.inner.is_committed(target, load_id).await
    }
    async fn lease(&self, request: &LeaseRequest<'_>) -> Result<LeaseAnswer> {
        match self.flaw {
            Flaw::GivesTheLeaseTwice => Ok(LeaseAnswer::Ours(Box::new(NoLease))),
            _ => self.inner.lease(request).await,
        }
    }
    async fn begin(&self, opening: &Opening) -> Result<Box<dyn Load>> {
        let fence = match self.flaw {
            Flaw::ForgetsTheFence => longshore_core::lease::Fence::Open,
            _ => opening.fence.clone(),
        };
        let opening = Opening { target: self.target(&opening.target), fence, ..opening.clone() };
        Ok(Box::new(FlawedLoad { inner: self.inner.begin(&opening).await?, of: self.clone(), opening }))
    }
    async fn query(&self, dataset: &str, sql: &str) -> Result<Vec<RecordBatch>> {
        self.inner.query(dataset, sql).await
    }
    async fn tables(&self, dataset: &str) -> Result<Vec<TableCount>> {
        self.inner.tables(dataset).await
    }
}

#[async_trait]
impl Load for FlawedLoad {
    async fn stage(&self, part: &Part) -> Result<Staged> {
        match self.of.flaw {
            Flaw::LosesTheLastRow => {
                let batches: Vec<RecordBatch> = part.batches()?.collect::<Result<_>>()?;
                let rows = batches.iter().map(|b| b.num_rows() as u64).sum();
                let cut: Vec<RecordBatch> =
                    batches.iter().map(|b| b.slice(0, b.num_rows().saturating_sub(1))).collect();
                let staged = self.inner.stage(&Part { rows: PartRows::Memory(cut.into()), ..part.clone() }).await?;
                Ok(Staged { rows, ..staged })
            }
            Flaw::ShowsWhatIsStaged => {
                let early = self.of.inner.begin(&self.opening).await?;
                let staged = early.stage(part).await?;
                let manifest = longshore_testkit::fixture::PackageBuilder::new("p", &self.opening.target.dataset, 0)
                    .build()
                    .manifest;
                early.commit(&Manifest { load_id: self.of.other_id(), ..manifest }, &[]).await?;
                Ok(staged)
            }
            _ => self.inner.stage(part).await,
        }
    }

    async fn commit(self: Box<Self>, manifest: &Manifest, staged: &[Staged]) -> Result<CommitOutcome> {
        let mut manifest = manifest.clone();
        match self.of.flaw {
            Flaw::LoadsAgain => manifest.load_id = self.of.other_id(),
            Flaw::ForgetsTheState => manifest.state = None,
            _ => {}
        }
        self.inner.commit(&manifest, staged).await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.inner.abort().await
    }
}

#[derive(Debug)]
struct Flaws(Flaw);

struct Place(Flawed);

#[async_trait]
impl Harness for Flaws {
    async fn site(&self) -> Result<Arc<dyn Site>> {
        Ok(Arc::new(Place(Flawed { inner: MemoryDestination::new(), flaw: self.0, commits: Arc::default() })))
    }
}

#[async_trait]
impl Site for Place {
    async fn open(&self) -> Result<Arc<dyn Destination>> {
        Ok(Arc::new(self.0.clone()))
    }
    async fn read(&self, dataset: &str, table: &str) -> Result<Option<Rows>> {
        let batches = self.0.inner.query(dataset, &format!("SELECT * FROM {table}")).await;
        batches.ok().map(|b| Rows::from_batches(&b)).transpose()
    }
}

#[test]
fn each_flaw_fails_the_case_that_names_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {})); // failing is what these cases are here for
    let mut passed = Vec::new();
    for (flaw, case) in [
        (Flaw::LosesTheLastRow, "first_load::creates_tables_and_rows"),
        (Flaw::LosesTheLastRow, "first_load::the_commit_counts_what_was_staged"),
        (Flaw::LoadsAgain, "repeat::a_committed_load_is_not_loaded_again_from_a_new_session"),
        (Flaw::LoadsAgain, "repeat::a_commit_whose_reply_was_lost_is_found_done"),
        (Flaw::ForgetsTheState, "memory_of_loads::the_newest_schema_and_state_are_given"),
        (Flaw::ShowsWhatIsStaged, "visibility::staged_rows_are_invisible_until_the_commit"),
        (Flaw::ShowsWhatIsStaged, "visibility::nothing_is_left_of_a_dropped_load"),
        (Flaw::MixesPipelines, "sharing::two_pipelines_have_schemas_and_states_of_their_own"),
        (Flaw::ForgetsTheFence, "turns::a_load_that_another_run_was_faster_than_is_refused"),
        (Flaw::GivesTheLeaseTwice, "turns::of_two_runs_one_has_the_lease"),
    ] {
        let log = folder.path().join("log").display().to_string();
        let arguments =
            Arguments { filter: Some(case.to_owned()), exact: true, logfile: Some(log), ..Arguments::default() };
        let outcome = libtest_mimic::run(&arguments, conformance::trials(Arc::new(Flaws(flaw))));
        if outcome.num_failed != 1 {
            passed.push((flaw, case));
        }
    }
    std::panic::set_hook(hook);
    assert!(passed.is_empty(), "no such case, or a flaw was not found: {passed:?}");
}
