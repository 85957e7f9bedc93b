//! Readers see nothing of a load before its commit, and then a whole unit at once.

use super::place::Place;
use super::{Case, cases};
use crate::fixture::{Package, stage};
use crate::rows::shared;
use arrow_array::Int64Array;
use longshore_core::Result;
use longshore_core::capabilities::{Atomicity, Capabilities};
use longshore_core::schema::DataType;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) fn cases(capabilities: &Capabilities) -> Vec<Case> {
    let mut all = cases![
        staged_rows_are_invisible_until_the_commit,
        an_open_load_does_not_hide_earlier_rows,
        nothing_is_left_of_a_dropped_load,
        nothing_is_left_of_an_aborted_load,
        an_aborted_load_can_be_loaded_again,
        nothing_is_left_of_a_load_whose_part_breaks_off,
    ];
    all.extend(match capabilities.atomicity {
        Atomicity::Package => cases![all_tables_of_a_load_appear_at_once],
        Atomicity::Table => cases![all_rows_of_a_table_appear_at_once],
        Atomicity::File => cases![all_rows_of_a_part_appear_at_once],
    });
    all
}

async fn staged_rows_are_invisible_until_the_commit(at: Place) -> Result<()> {
    let package = at.orders(1);
    let destination = at.open().await?;
    let load = destination.begin(&package.opening()).await?;
    let staged = stage(&*load, &package).await?;
    at.check_nothing_in("orders").await?;
    at.check_nothing_in("orders__lines").await?;
    load.commit(&package.manifest, &staged).await?;
    at.check_orders(1).await
}

async fn an_open_load_does_not_hide_earlier_rows(at: Place) -> Result<()> {
    let first = at.orders(1);
    at.load(&first).await?;
    let second = at.package(2).after(&first).json("orders", r#"{"id":3,"more":"columns","tags":["new"]}"#).build();
    let destination = at.open().await?;
    let load = destination.begin(&second.opening()).await?;
    stage(&*load, &second).await?;
    at.check_orders(1).await?;
    drop(load);
    drop(destination);
    at.check_orders(1).await
}

async fn nothing_is_left_of_a_dropped_load(at: Place) -> Result<()> {
    let package = at.orders(1);
    let destination = at.open().await?;
    let load = destination.begin(&package.opening()).await?;
    stage(&*load, &package).await?;
    drop(load);
    drop(destination);
    at.check_nothing_of(&package).await
}

async fn nothing_is_left_of_an_aborted_load(at: Place) -> Result<()> {
    let package = at.orders(1);
    let destination = at.open().await?;
    let load = destination.begin(&package.opening()).await?;
    stage(&*load, &package).await?;
    load.abort().await?;
    drop(destination);
    at.check_nothing_of(&package).await
}

async fn an_aborted_load_can_be_loaded_again(at: Place) -> Result<()> {
    let package = at.orders(1);
    let destination = at.open().await?;
    let load = destination.begin(&package.opening()).await?;
    load.stage(&package.parts[0]).await?;
    load.abort().await?;
    crate::fixture::load(&*destination, &package).await?;
    drop(destination);
    at.check_orders(1).await
}

async fn nothing_is_left_of_a_load_whose_part_breaks_off(at: Place) -> Result<()> {
    let package = at.orders(1);
    let broken = package.clone().in_batches_of(1).with_broken_part(1);
    at.load(&broken).await.expect_err("the part's reader fails");
    at.check_nothing_of(&package).await?;
    at.load(&package).await?;
    at.check_orders(1).await
}

/// Rows of each table of [`growing`], in each of its two parts.
const ROWS: usize = 2000;

fn growing(at: &Place) -> Package {
    let ids = || vec![("id", DataType::Bigint, shared(Int64Array::from_iter_values(0..ROWS as i64)))];
    at.package(1).arrays("a", ids()).arrays("b", ids()).arrays("a", ids()).arrays("b", ids()).build()
}

/// Commits a load while a reader looks, and returns what it saw of tables `a` and `b`, in the
/// order it looked; the last look is after the commit.
async fn watch(at: &Place) -> Result<Vec<(&'static str, usize)>> {
    let package = growing(at);
    let destination = at.open().await?;
    let load = destination.begin(&package.opening()).await?;
    let staged = stage(&*load, &package).await?;
    let done = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn(look(at.clone(), Arc::clone(&done)));
    tokio::task::yield_now().await;
    let outcome = load.commit(&package.manifest, &staged).await;
    done.store(true, Ordering::SeqCst);
    let seen = reader.await.expect("the reader does not panic")?;
    outcome?;
    Ok(seen)
}

async fn look(at: Place, done: Arc<AtomicBool>) -> Result<Vec<(&'static str, usize)>> {
    let mut seen = Vec::new();
    loop {
        let last = done.load(Ordering::SeqCst);
        // Each table is looked at after the other, so whichever comes first is found out.
        for table in ["a", "b", "a"] {
            let rows = at.site.read(at.site.dataset(), table).await?.unwrap_or_default().rows.len();
            seen.push((table, rows));
        }
        if last {
            return Ok(seen);
        }
        tokio::task::yield_now().await;
    }
}

async fn all_tables_of_a_load_appear_at_once(at: Place) -> Result<()> {
    let seen = watch(&at).await?;
    let first = seen.iter().position(|(_, rows)| *rows > 0).expect("the rows are visible after the commit");
    assert!(
        seen[first..].iter().all(|(_, rows)| *rows == 2 * ROWS),
        "a reader saw part of a load: {:?}",
        &seen[first..]
    );
    Ok(())
}

async fn all_rows_of_a_table_appear_at_once(at: Place) -> Result<()> {
    let seen = watch(&at).await?;
    for table in ["a", "b"] {
        let counts: Vec<usize> = seen.iter().filter(|(t, _)| *t == table).map(|(_, rows)| *rows).collect();
        assert!(
            counts.iter().all(|rows| *rows == 0 || *rows == 2 * ROWS),
            "a reader saw part of '{table}': {counts:?}"
        );
        assert!(counts.is_sorted() && counts.last() == Some(&(2 * ROWS)), "{counts:?}");
    }
    Ok(())
}

async fn all_rows_of_a_part_appear_at_once(at: Place) -> Result<()> {
    let seen = watch(&at).await?;
    for table in ["a", "b"] {
        let counts: Vec<usize> = seen.iter().filter(|(t, _)| *t == table).map(|(_, rows)| *rows).collect();
        assert!(counts.iter().all(|rows| rows % ROWS == 0), "a reader saw part of a file of '{table}': {counts:?}");
        assert!(counts.is_sorted() && counts.last() == Some(&(2 * ROWS)), "{counts:?}");
    }
    Ok(())
}
