//! Runs of one pipeline that overlap: one has the lease, and a load that another run was faster than is refused.

use super::place::Place;
use super::{Case, cases};
use crate::fixture::{Package, PackageBuilder, load};
use longshore_core::capabilities::Capabilities;
use longshore_core::destination::{CommitOutcome, Destination};
use longshore_core::lease::{Holder, Lease, LeaseAnswer, LeaseRequest, Leases};
use longshore_core::{ErrorKind, Result};
use serde_json::json;
use std::time::{Duration, Instant};

pub(super) fn cases(capabilities: &Capabilities) -> Vec<Case> {
    let mut all = cases![
        a_load_that_went_on_from_what_stands_there_commits,
        a_load_that_another_run_was_faster_than_is_refused,
        the_same_holds_in_dlts_mode,
        a_load_that_knows_of_nothing_is_refused_where_something_stands,
        loads_of_another_pipeline_are_no_matter,
        a_committed_load_is_found_done_whatever_came_after_it,
        older_loads_may_be_missing,
    ];
    all.extend(match capabilities.leases {
        Leases::None => cases![everybody_has_the_lease],
        Leases::Session => cases![of_two_runs_one_has_the_lease, a_lease_leaves_nothing],
        Leases::Expiring => cases![
            of_two_runs_one_has_the_lease,
            a_lease_leaves_nothing,
            a_lease_that_is_not_renewed_is_free,
            a_run_takes_over_from_a_dead_one_of_its_own_folder,
        ],
    });
    all
}

async fn a_load_that_went_on_from_what_stands_there_commits(at: Place) -> Result<()> {
    let first = at.package(1).fenced(None).json("t", r#"{"a":1}"#).build();
    let second = at.package(2).fenced(Some(&first)).after(&first).json("t", r#"{"a":2}"#).build();
    at.load(&first).await?;
    at.load(&second).await?;
    at.check("t", &["a"], "[1] [2]").await
}

/// Asserts that a load is refused for good, and that only the other ones stand there.
async fn check_refused(at: &Place, package: &Package, newest: &Package) -> Result<()> {
    let destination = at.open().await?;
    let error = load(&*destination, package).await.expect_err("another run was faster");
    assert_eq!(error.kind(), ErrorKind::Destination, "the same again would not help: {error}");
    assert!(error.message().contains("another run of the pipeline has loaded meanwhile"), "{error}");
    assert!(error.hint_text().is_some_and(|h| h.contains("drop-package") && h.contains("retry --force")), "{error}");
    assert!(!destination.is_committed(&at.target(), &package.manifest.load_id).await?);
    let last = destination.last_committed(&at.target()).await?.expect("a load was committed");
    assert_eq!((&last.load_id, &last.schema), (&newest.manifest.load_id, &newest.manifest.schema));
    assert_eq!(last.state, newest.manifest.state);
    Ok(())
}

async fn a_load_that_another_run_was_faster_than_is_refused(at: Place) -> Result<()> {
    let first = at.package(1).json("t", r#"{"a":1}"#).state(json!({"at": 1})).build();
    at.load(&first).await?;
    // Two runs go on from it. The one that commits first may have begun later or earlier.
    for (slow, fast) in [(2, 3), (5, 4)] {
        let known = at.open().await?.last_committed(&at.target()).await?.expect("a load was committed");
        let base = at.package(0).build();
        let base =
            Package { manifest: longshore_core::package::Manifest { load_id: known.load_id, ..base.manifest }, ..base };
        let run = |number: u64| {
            let package = at.package(number).fenced(Some(&base)).after(&first);
            package.json("t", &json!({ "a": number }).to_string()).state(json!({ "at": number })).build()
        };
        let (slow, fast) = (run(slow), run(fast));
        at.load(&fast).await?;
        check_refused(&at, &slow, &fast).await?;
    }
    at.check("t", &["a"], "[1] [3] [4]").await
}

async fn the_same_holds_in_dlts_mode(at: Place) -> Result<()> {
    let state = |n: u64| json!({"sources": {"s": {"resources": {"t": {"incremental": {"at": {"last_value": n}}}}}}});
    let run = |number: u64| at.package(number).dlt();
    let first = run(1).fenced(None).json("t", r#"{"a":1}"#).state(state(1)).build();
    let slow = run(2).fenced(Some(&first)).after(&first).json("t", r#"{"a":2}"#).state(state(2)).build();
    let fast = run(3).fenced(Some(&first)).after(&first).json("t", r#"{"a":3}"#).state(state(3)).build();
    let next = run(4).fenced(Some(&fast)).after(&fast).json("t", r#"{"a":4}"#).build();
    at.load(&first).await?;
    at.load(&fast).await?;
    check_refused(&at, &slow, &fast).await?;
    at.load(&next).await?;
    at.check("t", &["a"], "[1] [3] [4]").await
}

async fn a_load_that_knows_of_nothing_is_refused_where_something_stands(at: Place) -> Result<()> {
    let one = at.package(1).fenced(None).json("t", r#"{"a":1}"#).build();
    let two = at.package(2).fenced(None).json("other", r#"{"b":1}"#).build();
    at.load(&two).await?;
    check_refused(&at, &one, &two).await?;
    // Nothing is wrong with it but its moment.
    let again = Package {
        manifest: longshore_core::package::Manifest { fence: Default::default(), ..one.manifest.clone() },
        ..one
    };
    at.load(&again).await?;
    at.check("t", &["a"], "[1]").await?;
    at.check("other", &["b"], "[1]").await
}

async fn loads_of_another_pipeline_are_no_matter(at: Place) -> Result<()> {
    let dataset = at.site.dataset();
    let of = |pipeline: &str, number: u64| PackageBuilder::new(pipeline, dataset, number).fenced(None);
    at.load(&of("one", 2).json("t", r#"{"a":1}"#).build()).await?;
    at.load(&of("two", 1).json("t", r#"{"a":2}"#).build()).await?;
    at.load(&of("one__2", 3).json("t", r#"{"a":3}"#).build()).await?;
    at.check("t", &["a"], "[1] [2] [3]").await
}

async fn a_committed_load_is_found_done_whatever_came_after_it(at: Place) -> Result<()> {
    let first = at.package(1).fenced(None).json("t", r#"{"a":1}"#).build();
    let second = at.package(2).fenced(Some(&first)).after(&first).json("t", r#"{"a":2}"#).build();
    at.load(&first).await?;
    at.load(&second).await?;
    assert_eq!(at.load(&first).await?, CommitOutcome::AlreadyCommitted);
    at.check("t", &["a"], "[1] [2]").await
}

/// A package is brought to a destination that came later, or that lacks what others have.
async fn older_loads_may_be_missing(at: Place) -> Result<()> {
    let first = at.package(1).json("t", r#"{"a":1}"#).build();
    let second = at.package(2).fenced(Some(&first)).after(&first).json("t", r#"{"a":2}"#).build();
    at.load(&second).await?;
    at.check("t", &["a"], "[2]").await
}

fn holder(number: u64) -> Holder {
    let (run, folder) = (format!("run {number}"), format!("folder {number}"));
    Holder {
        run,
        folder,
        host: format!("host-{number}"),
        process: 7,
        since: 1_763_826_000_000_000,
        pipeline: String::new(),
    }
}

/// Asks for the lease.
async fn ask(at: &Place, destination: &dyn Destination, holder: &Holder, time: Duration) -> Result<LeaseAnswer> {
    destination.lease(&LeaseRequest { target: &at.target(), holder, expires_after: time }).await
}

fn ours(answer: LeaseAnswer) -> Box<dyn Lease> {
    match answer {
        LeaseAnswer::Ours(lease) => lease,
        LeaseAnswer::Held { holder, .. } => panic!("the lease is free, but {holder:?} is said to have it"),
    }
}

fn held(answer: LeaseAnswer) -> (Option<Holder>, Option<Duration>) {
    match answer {
        LeaseAnswer::Held { holder, free_in } => (holder, free_in),
        LeaseAnswer::Ours(_) => panic!("two runs have the lease"),
    }
}

const LONG: Duration = Duration::from_secs(3600);

async fn everybody_has_the_lease(at: Place) -> Result<()> {
    let destination = at.open().await?;
    let one = ours(ask(&at, &*destination, &holder(1), LONG).await?);
    let two = ours(ask(&at, &*destination, &holder(2), LONG).await?);
    one.renew().await?;
    one.release().await?;
    two.release().await
}

async fn of_two_runs_one_has_the_lease(at: Place) -> Result<()> {
    let (one, two) = (at.open().await?, at.open().await?);
    let lease = ours(ask(&at, &*one, &holder(1), LONG).await?);
    let (who, _) = held(ask(&at, &*two, &holder(2), LONG).await?);
    let who = who.expect("it is known who has it");
    assert_eq!((who.host.as_str(), who.process, who.since), ("host-1", 7, holder(1).since));
    // It is there for loading.
    at.load(&at.orders(1)).await?;
    lease.renew().await?;
    held(ask(&at, &*two, &holder(2), LONG).await?);
    lease.release().await?;
    let lease = ours(ask(&at, &*two, &holder(2), LONG).await?);
    held(ask(&at, &*one, &holder(1), LONG).await?);
    lease.release().await?;
    ours(ask(&at, &*one, &holder(1), LONG).await?).release().await
}

async fn a_lease_leaves_nothing(at: Place) -> Result<()> {
    let destination = at.open().await?;
    let lease = ours(ask(&at, &*destination, &holder(1), LONG).await?);
    assert_eq!(destination.last_committed(&at.target()).await?, None);
    assert_eq!(destination.tables(&at.target().dataset).await?, []);
    lease.release().await?;
    assert_eq!(destination.last_committed(&at.target()).await?, None);
    assert_eq!(destination.tables(&at.target().dataset).await?, []);
    Ok(())
}

async fn a_lease_that_is_not_renewed_is_free(at: Place) -> Result<()> {
    let short = Duration::from_millis(1500);
    let (one, two) = (at.open().await?, at.open().await?);
    let lease = ours(ask(&at, &*one, &holder(1), short).await?);
    let (_, free_in) = held(ask(&at, &*two, &holder(2), short).await?);
    assert!(free_in.is_some_and(|left| left <= short), "{free_in:?}");
    let deadline = Instant::now() + Duration::from_secs(20);
    let taken = loop {
        match ask(&at, &*two, &holder(2), LONG).await? {
            LeaseAnswer::Ours(taken) => break taken,
            LeaseAnswer::Held { .. } => assert!(Instant::now() < deadline, "it is never free"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(lease.renew().await.is_err(), "who slept is told");
    lease.release().await?;
    let (who, _) = held(ask(&at, &*one, &holder(3), LONG).await?);
    assert_eq!(who.map(|who| who.run), Some(holder(2).run), "giving back what was lost takes it from nobody");
    taken.release().await
}

async fn a_run_takes_over_from_a_dead_one_of_its_own_folder(at: Place) -> Result<()> {
    let destination = at.open().await?;
    let dead = ours(ask(&at, &*destination, &holder(1), LONG).await?);
    let again = Holder { run: "another run".into(), ..holder(1) };
    let lease = ours(ask(&at, &*destination, &again, LONG).await?);
    held(ask(&at, &*destination, &holder(2), LONG).await?);
    drop(dead);
    lease.release().await
}
