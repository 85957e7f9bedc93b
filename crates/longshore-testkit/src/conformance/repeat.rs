//! Any call may be made again; a load counts once.

use super::place::{Place, counts, expected_counts};
use super::{Case, cases};
use crate::fault::{Fault, FaultyDestination};
use crate::fixture::{Package, load, stage};
use longshore_core::Result;
use longshore_core::destination::{CommitOutcome, Destination};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_committed_load_is_not_loaded_again,
        a_committed_load_is_not_loaded_again_from_a_new_session,
        a_commit_whose_reply_was_lost_is_found_done,
        a_part_whose_receipt_was_lost_counts_once,
        a_part_staged_twice_counts_once,
        a_load_that_broke_off_is_loaded_anew,
        a_repeat_changes_nothing_even_if_the_package_were_another,
        a_later_load_after_a_repeat_is_loaded,
    ]
}

/// Asserts that a package's rows, schema and state stand there exactly once.
async fn check_once(at: &Place, package: &Package) -> Result<()> {
    at.check_orders(1).await?;
    let last = at.open().await?.last_committed(&at.target()).await?.expect("a load was committed");
    assert_eq!(
        (&last.load_id, &last.schema, &last.state),
        (&package.manifest.load_id, &package.manifest.schema, &package.manifest.state)
    );
    Ok(())
}

async fn a_committed_load_is_not_loaded_again(at: Place) -> Result<()> {
    let package = at.orders(1);
    let destination = at.open().await?;
    assert_eq!(counts(load(&*destination, &package).await?), expected_counts(&package));
    for _ in 0..2 {
        assert_eq!(load(&*destination, &package).await?, CommitOutcome::AlreadyCommitted);
    }
    drop(destination);
    check_once(&at, &package).await
}

async fn a_committed_load_is_not_loaded_again_from_a_new_session(at: Place) -> Result<()> {
    let package = at.orders(1);
    at.load(&package).await?;
    assert_eq!(at.load(&package).await?, CommitOutcome::AlreadyCommitted);
    check_once(&at, &package).await
}

async fn a_commit_whose_reply_was_lost_is_found_done(at: Place) -> Result<()> {
    let package = at.orders(1);
    let destination = FaultyDestination::new(at.open().await?, &[Fault::CommitReplyLost(0)]);
    load(&destination, &package).await.expect_err("the reply is lost");
    drop(destination);
    assert!(at.open().await?.is_committed(&at.target(), &package.manifest.load_id).await?);
    assert_eq!(at.load(&package).await?, CommitOutcome::AlreadyCommitted);
    check_once(&at, &package).await
}

async fn a_part_whose_receipt_was_lost_counts_once(at: Place) -> Result<()> {
    let package = at.orders(1);
    let destination = FaultyDestination::new(at.open().await?, &[Fault::StageReplyLost(1)]);
    let opened = destination.begin(&package.opening()).await?;
    let first = opened.stage(&package.parts[0]).await?;
    opened.stage(&package.parts[1]).await.expect_err("the receipt is lost");
    let second = opened.stage(&package.parts[1]).await?;
    assert_eq!(counts(opened.commit(&package.manifest, &[first, second]).await?), expected_counts(&package));
    drop(destination);
    check_once(&at, &package).await
}

async fn a_part_staged_twice_counts_once(at: Place) -> Result<()> {
    let package = at.orders(1);
    let destination = at.open().await?;
    let opened = destination.begin(&package.opening()).await?;
    let early = opened.stage(&package.parts[0]).await?;
    let staged = stage(&*opened, &package).await?;
    assert_eq!(staged[0], early);
    assert_eq!(counts(opened.commit(&package.manifest, &staged).await?), expected_counts(&package));
    drop(destination);
    check_once(&at, &package).await
}

/// After an error of `stage` a caller drops the load and begins it again, from its first part on.
async fn a_load_that_broke_off_is_loaded_anew(at: Place) -> Result<()> {
    let package = at.orders(1);
    let destination = at.open().await?;
    load(&*destination, &package.clone().with_broken_part(0)).await.expect_err("the part's reader fails");
    assert_eq!(counts(load(&*destination, &package).await?), expected_counts(&package));
    drop(destination);
    check_once(&at, &package).await
}

/// The load id decides alone: what comes again under it is not even looked at.
async fn a_repeat_changes_nothing_even_if_the_package_were_another(at: Place) -> Result<()> {
    let package = at.orders(1);
    at.load(&package).await?;
    let other = at.package(1).json("orders", r#"{"id":9}"#).state(serde_json::json!({"cursor": 99})).build();
    assert_eq!(at.load(&other).await?, CommitOutcome::AlreadyCommitted);
    check_once(&at, &package).await
}

async fn a_later_load_after_a_repeat_is_loaded(at: Place) -> Result<()> {
    let package = at.orders(1);
    let destination = at.open().await?;
    load(&*destination, &package).await?;
    load(&*destination, &package).await?;
    let next = at.package(2).after(&package).json("orders", r#"{"id":3}"#).build();
    assert_eq!(counts(load(&*destination, &next).await?), [("orders".to_owned(), 1)]);
    drop(destination);
    at.check("orders", &["id"], "[1] [2] [3]").await
}
