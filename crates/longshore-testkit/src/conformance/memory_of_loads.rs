//! What a destination remembers: which loads it has, with which schema and state.

use super::place::Place;
use super::{Case, cases};
use crate::fixture::stage;
use longshore_core::Result;
use serde_json::json;

pub(super) fn cases() -> Vec<Case> {
    cases![
        nothing_is_known_before_the_first_load,
        looking_creates_nothing,
        a_load_is_committed_from_its_commit_on,
        the_newest_schema_and_state_are_given,
        dlts_documents_give_schema_and_state_back,
        a_state_outlives_loads_that_have_none,
        a_load_before_any_state_has_none,
        states_of_every_shape_come_back,
        the_memory_outlives_the_session,
    ]
}

async fn nothing_is_known_before_the_first_load(at: Place) -> Result<()> {
    let destination = at.open().await?;
    let package = at.orders(1);
    assert_eq!(destination.last_committed(&at.target()).await?, None);
    assert!(!destination.is_committed(&at.target(), &package.manifest.load_id).await?);
    assert_eq!(destination.tables(&at.target().dataset).await?, []);
    Ok(())
}

async fn looking_creates_nothing(at: Place) -> Result<()> {
    let destination = at.open().await?;
    destination.last_committed(&at.target()).await?;
    destination.is_committed(&at.target(), &at.orders(1).manifest.load_id).await?;
    assert_eq!(destination.tables(&at.target().dataset).await?, []);
    Ok(())
}

async fn a_load_is_committed_from_its_commit_on(at: Place) -> Result<()> {
    let (first, second) = (at.orders(1), at.orders(2));
    let destination = at.open().await?;
    let load = destination.begin(&first.opening()).await?;
    let staged = stage(&*load, &first).await?;
    load.commit(&first.manifest, &staged).await?;
    assert!(destination.is_committed(&at.target(), &first.manifest.load_id).await?);
    assert!(!destination.is_committed(&at.target(), &second.manifest.load_id).await?);
    Ok(())
}

async fn the_newest_schema_and_state_are_given(at: Place) -> Result<()> {
    let first = at.package(1).json("t", r#"{"a":1}"#).state(json!({"cursor": 1})).build();
    let second = at.package(2).after(&first).json("t", r#"{"b":"x","l":[1]}"#).state(json!({"cursor": 2})).build();
    for package in [&first, &second] {
        at.load(package).await?;
        let last = at.open().await?.last_committed(&at.target()).await?.expect("a load was committed");
        assert_eq!(last.load_id, package.manifest.load_id);
        assert_eq!(last.schema, package.manifest.schema);
        assert_eq!(last.state, package.manifest.state);
    }
    Ok(())
}

/// In dlt's mode both stand there in dlt's own form.
async fn dlts_documents_give_schema_and_state_back(at: Place) -> Result<()> {
    let state = |n: u64| json!({"sources": {"shop": {"resources": {"t": {"incremental": {"at": {"last_value": n}}}}}}});
    let first = at.package(1).dlt().json("t", r#"{"a":1,"A":2,"l":[{"x":[true]}]}"#).state(state(1)).build();
    let second = at.package(2).dlt().after(&first).json("t", r#"{"a":"x","when":"2024-01-01T00:00:00Z"}"#).build();
    let third = at.package(3).dlt().after(&second).json("t", r#"{"b":0.5}"#).state(state(3)).build();
    for (package, state) in [(&first, state(1)), (&second, state(1)), (&third, state(3))] {
        assert!(!at.open().await?.is_committed(&at.target(), &package.manifest.load_id).await?);
        at.load(package).await?;
        let destination = at.open().await?;
        assert!(destination.is_committed(&at.target(), &package.manifest.load_id).await?);
        let last = destination.last_committed(&at.target()).await?.expect("a load was committed");
        assert_eq!((&last.load_id, &last.schema), (&package.manifest.load_id, &package.manifest.schema));
        assert_eq!(last.state, Some(state));
    }
    Ok(())
}

async fn a_state_outlives_loads_that_have_none(at: Place) -> Result<()> {
    let first = at.package(1).json("t", r#"{"a":1}"#).state(json!({"cursor": 1})).build();
    let second = at.package(2).after(&first).json("t", r#"{"b":2}"#).build();
    let third = at.package(3).after(&second).json("t", r#"{"c":3}"#).build();
    for package in [&first, &second, &third] {
        at.load(package).await?;
    }
    let last = at.open().await?.last_committed(&at.target()).await?.expect("loads were committed");
    assert_eq!(
        (last.load_id, last.schema, last.state),
        (third.manifest.load_id, third.manifest.schema, Some(json!({"cursor": 1})))
    );
    Ok(())
}

async fn a_load_before_any_state_has_none(at: Place) -> Result<()> {
    at.load(&at.package(1).json("t", r#"{"a":1}"#).build()).await?;
    let last = at.open().await?.last_committed(&at.target()).await?.expect("a load was committed");
    assert_eq!(last.state, None);
    Ok(())
}

async fn states_of_every_shape_come_back(at: Place) -> Result<()> {
    let states = [
        json!({}),
        json!({"a": {"b": [1, 2.5, "é 😀 \" '", null, true]}}),
        json!({"big": i64::MAX, "text": "x".repeat(100_000)}),
    ];
    for (state, number) in states.into_iter().zip(1..) {
        at.load(&at.package(number).state(state.clone()).build()).await?;
        let last = at.open().await?.last_committed(&at.target()).await?.expect("a load was committed");
        assert_eq!(last.state, Some(state));
    }
    Ok(())
}

async fn the_memory_outlives_the_session(at: Place) -> Result<()> {
    let package = at.orders(1);
    at.load(&package).await?;
    for _ in 0..2 {
        let destination = at.open().await?;
        assert!(destination.is_committed(&at.target(), &package.manifest.load_id).await?);
        let last = destination.last_committed(&at.target()).await?.expect("a load was committed");
        assert_eq!((last.schema, last.state), (package.manifest.schema.clone(), package.manifest.state.clone()));
    }
    at.check_orders(1).await
}
