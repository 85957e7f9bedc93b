//! Loads from scratch: tables go, or lose their rows, in the step that brings the new ones.

use super::place::Place;
use super::{Case, cases};
use crate::fixture::{Package, stage};
use longshore_core::Result;
use longshore_core::capabilities::Capabilities;
use longshore_core::destination::CommitOutcome;
use longshore_core::schema::{Disposition, MergeStrategy, WriteRules};
use serde_json::json;

pub(super) fn cases(capabilities: &Capabilities) -> Vec<Case> {
    let mut all = cases![
        dropped_tables_are_made_anew,
        dropped_tables_stay_until_the_commit,
        dropped_tables_go_for_good,
        dropping_what_is_not_there_is_no_matter,
        a_drop_that_is_repeated_takes_nothing_more,
        dlts_schema_has_nothing_of_what_was_dropped,
        the_state_is_forgotten,
    ];
    if capabilities.remakes {
        all.extend(cases![a_column_comes_again_with_another_type]);
    } else {
        all.extend(cases![a_column_cannot_come_again_with_another_type]);
    }
    if capabilities.dispositions.replace {
        all.extend(cases![emptied_tables_keep_their_columns, a_table_is_emptied_and_replaced_at_once]);
    }
    if capabilities.dispositions.merge.contains(&MergeStrategy::DeleteInsert) {
        all.extend(cases![
            an_emptied_table_is_merged_into,
            a_dropped_table_is_merged_into,
            a_dropped_table_of_dlts_mode_is_merged_into,
        ]);
    }
    all
}

const FIRST: &str = r#"{"id":1,"a":1,"l":[{"x":1},{"x":2}]} {"id":2,"a":2,"m":[3]}"#;

/// Two families.
fn first(at: &Place) -> Package {
    at.package(1).json("t", FIRST).json("u", r#"{"id":7}"#).state(json!({"sources": {"s": {"at": 1}}})).build()
}

/// Asserts that a reader sees no such table, or one without rows and columns of ours.
async fn check_gone(at: &Place, table: &str) -> Result<()> {
    assert_eq!(at.site.read(at.site.dataset(), table).await?.map(|rows| rows.rows.len()), None, "'{table}' is there");
    let listed = at.open().await?.tables(at.site.dataset()).await?;
    assert!(listed.iter().all(|t| t.table != table), "'{table}' is listed: {listed:?}");
    Ok(())
}

async fn dropped_tables_are_made_anew(at: Place) -> Result<()> {
    let first = first(&at);
    let second = at.package(2).after(&first).dropping("t").json("t", r#"{"id":3,"b":"x","l":[{"y":5}]}"#).build();
    let third = at.package(3).after(&second).json("t", r#"{"id":4,"a":true}"#).build();
    at.load(&first).await?;
    let outcome = at.load(&second).await?;
    assert!(matches!(outcome, CommitOutcome::Committed(_)));
    at.check("t", &["id", "b"], r#"[3,"x"]"#).await?;
    at.check("t__l", &["y"], "[5]").await?;
    check_gone(&at, "t__m").await?;
    at.check("u", &["id"], "[7]").await?;
    let last = at.open().await?.last_committed(&at.target()).await?.expect("a load was committed");
    assert_eq!(last.schema, second.manifest.schema);
    if at.open().await?.capabilities().remakes {
        assert!(!at.read("t").await?.columns.iter().any(|c| c == "a"), "a column of the table before is there");
        at.load(&third).await?;
        at.check("t", &["id", "b", "a"], r#"[3,"x",null] [4,null,true]"#).await?;
    }
    Ok(())
}

async fn dropped_tables_stay_until_the_commit(at: Place) -> Result<()> {
    let first = first(&at);
    let second = at.package(2).after(&first).dropping("t").json("t", r#"{"id":3}"#).build();
    at.load(&first).await?;
    for commits in [false, true] {
        let destination = at.open().await?;
        let load = destination.begin(&second.opening()).await?;
        let staged = stage(&*load, &second).await?;
        at.check("t", &["id"], "[1] [2]").await?;
        at.check("t__l", &["x"], "[1] [2]").await?;
        match commits {
            false => load.abort().await?,
            true => _ = load.commit(&second.manifest, &staged).await?,
        }
        drop(destination);
        let expect = if commits { "[3]" } else { "[1] [2]" };
        at.check("t", &["id"], expect).await?;
    }
    check_gone(&at, "t__l").await
}

async fn dropped_tables_go_for_good(at: Place) -> Result<()> {
    let first = first(&at);
    let second = at.package(2).after(&first).dropping("t").build();
    let third = at.package(3).after(&second).json("t", r#"{"id":9}"#).build();
    at.load(&first).await?;
    at.load(&second).await?;
    for table in ["t", "t__l", "t__m"] {
        check_gone(&at, table).await?;
    }
    at.check("u", &["id"], "[7]").await?;
    at.load(&third).await?;
    at.check("t", &["id"], "[9]").await
}

async fn dropping_what_is_not_there_is_no_matter(at: Place) -> Result<()> {
    let first = first(&at);
    let second = at.package(2).after(&first).dropping("t").json("t", r#"{"id":3}"#).build();
    at.load(&second).await?;
    at.check("t", &["id"], "[3]").await
}

async fn a_drop_that_is_repeated_takes_nothing_more(at: Place) -> Result<()> {
    let first = first(&at);
    let second = at.package(2).after(&first).dropping("t").json("t", r#"{"id":3}"#).build();
    let third = at.package(3).after(&second).json("t", r#"{"id":4}"#).build();
    for package in [&first, &second, &third] {
        at.load(package).await?;
    }
    assert_eq!(at.load(&second).await?, CommitOutcome::AlreadyCommitted);
    at.check("t", &["id"], "[3] [4]").await
}

async fn dlts_schema_has_nothing_of_what_was_dropped(at: Place) -> Result<()> {
    let first = at.package(1).dlt().json("t", FIRST).json("u", r#"{"id":7}"#).build();
    let second = at.package(2).dlt().after(&first).dropping("t").json("t", r#"{"id":3,"b":1}"#).build();
    let third = at.package(3).dlt().after(&second).dropping("u").build();
    for package in [&first, &second, &third] {
        at.load(package).await?;
        let last = at.open().await?.last_committed(&at.target()).await?.expect("a load was committed");
        assert_eq!(last.schema, package.manifest.schema);
    }
    at.check("t", &["id", "b"], "[3,1]").await?;
    check_gone(&at, "u").await
}

async fn the_state_is_forgotten(at: Place) -> Result<()> {
    for (number, dlt) in [(1, false), (3, true)] {
        let package = |n: u64| {
            let package = at.package(number + n);
            let package = if dlt { package.dlt() } else { package };
            package.json(if dlt { "d" } else { "n" }, r#"{"id":1}"#)
        };
        let remembered = json!({"sources": {"s": {"resources": {"t": {"incremental": {"at": {"last_value": 1}}}}}}});
        let nothing = longshore_core::refresh::nothing_remembered();
        for state in [remembered, nothing] {
            let is_second = u64::from(state["sources"] == json!({}));
            at.load(&package(is_second).state(state.clone()).build()).await?;
            let last = at.open().await?.last_committed(&at.target()).await?.expect("a load was committed");
            assert_eq!(last.state, Some(state));
        }
    }
    Ok(())
}

async fn a_column_comes_again_with_another_type(at: Place) -> Result<()> {
    let first = at.package(1).json("t", r#"{"a":"text","l":[1]}"#).build();
    let second = at.package(2).after(&first).dropping("t").json("t", r#"{"a":5,"l":[true]}"#).build();
    at.load(&first).await?;
    at.load(&second).await?;
    at.check("t", &["a"], "[5]").await?;
    at.check("t__l", &["value"], "[true]").await
}

async fn a_column_cannot_come_again_with_another_type(at: Place) -> Result<()> {
    let first = at.package(1).json("t", r#"{"a":"text"}"#).build();
    let second = at.package(2).after(&first).dropping("t").json("t", r#"{"a":5}"#).build();
    at.load(&first).await?;
    assert!(at.load(&second).await.is_err(), "a table cannot be made anew there");
    at.check("t", &["a"], r#"["text"]"#).await
}

async fn emptied_tables_keep_their_columns(at: Place) -> Result<()> {
    let first = first(&at);
    let second = at.package(2).after(&first).emptying("t").json("t", r#"{"id":3,"l":[{"x":5}]}"#).build();
    let third = at.package(3).after(&second).emptying("t").build();
    at.load(&first).await?;
    at.load(&second).await?;
    at.check("t", &["id", "a"], "[3,null]").await?;
    at.check("t__l", &["x"], "[5]").await?;
    at.check_nothing_in("t__m").await?;
    at.check("u", &["id"], "[7]").await?;
    at.load(&third).await?;
    for table in ["t", "t__l", "t__m"] {
        at.check(table, &[], "").await?;
    }
    at.check("u", &["id"], "[7]").await
}

async fn a_table_is_emptied_and_replaced_at_once(at: Place) -> Result<()> {
    let replace = WriteRules { disposition: Disposition::Replace, ..WriteRules::default() };
    let first = first(&at);
    let second = at.package(2).after(&first).emptying("t").writing(replace.clone());
    let second = second.json("t", r#"{"id":3,"l":[{"x":5}]}"#).build();
    let third = at.package(3).after(&second).dropping("t").writing(replace).json("t", r#"{"id":4,"l":[]}"#).build();
    at.load(&first).await?;
    at.load(&second).await?;
    at.check("t", &["id"], "[3]").await?;
    at.check("t__l", &["x"], "[5]").await?;
    at.load(&third).await?;
    at.check("t", &["id"], "[4]").await
}

fn merging() -> WriteRules {
    WriteRules { disposition: Disposition::Merge, primary_key: vec!["id".to_owned()], ..WriteRules::default() }
}

/// The load's own records are merged with one another all the same.
const TWICE: &str = r#"{"id":3,"l":[{"x":5}]} {"id":1,"l":[{"x":6}]} {"id":3,"l":[{"x":7}]}"#;

async fn check_merged(at: &Place) -> Result<()> {
    at.check("t", &["id"], "[3] [1]").await?;
    at.check("t__l", &["x"], "[6] [7]").await
}

async fn an_emptied_table_is_merged_into(at: Place) -> Result<()> {
    let first = first(&at);
    let second = at.package(2).after(&first).emptying("t").writing(merging()).json("t", TWICE).build();
    at.load(&first).await?;
    at.load(&second).await?;
    check_merged(&at).await?;
    at.check_nothing_in("t__m").await
}

async fn a_dropped_table_is_merged_into(at: Place) -> Result<()> {
    let first = first(&at);
    let second = at.package(2).after(&first).dropping("t").writing(merging()).json("t", TWICE).build();
    let third = at.package(3).after(&second).writing(merging()).json("t", r#"{"id":3,"l":[]}"#).build();
    at.load(&first).await?;
    at.load(&second).await?;
    check_merged(&at).await?;
    at.load(&third).await?;
    at.check("t__l", &["x"], "[6]").await
}

async fn a_dropped_table_of_dlts_mode_is_merged_into(at: Place) -> Result<()> {
    let first = at.package(1).dlt().json("t", FIRST).build();
    let second = at.package(2).dlt().after(&first).dropping("t").writing(merging()).json("t", TWICE).build();
    let third = at.package(3).dlt().after(&second).emptying("t").writing(merging()).json("t", TWICE).build();
    at.load(&first).await?;
    for package in [&second, &third] {
        at.load(package).await?;
        check_merged(&at).await?;
    }
    Ok(())
}
