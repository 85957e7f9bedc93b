//! What a contract leaves out is nowhere, what it lets through is all there.

use super::place::Place;
use super::{Case, cases};
use longshore_core::Result;
use longshore_core::normalize::SchemaRules;
use longshore_core::schema::{Contract, ContractMode};

pub(super) fn cases() -> Vec<Case> {
    cases![
        discarded_values_are_null_or_have_no_column,
        discarded_rows_take_their_children_along,
        tables_that_may_not_be_made_are_not_there,
        rejected_records_leave_nothing_behind,
    ]
}

fn rules(mode: ContractMode) -> SchemaRules {
    SchemaRules { contract: Some(Contract::all(mode)), ..SchemaRules::default() }
}

const KNOWN: &str = r#"{"id":1,"l":[{"a":1}]}"#;
const NEW: &str =
    r#"{"id":2,"q":1,"l":[{"a":2,"z":1},{"a":3}],"m":[1]} {"id":"x","l":[{"a":4}]} {"id":3,"l":[{"a":"y"}]}"#;

async fn discarded_values_are_null_or_have_no_column(at: Place) -> Result<()> {
    let first = at.package(1).json("t", KNOWN).build();
    let second = at.package(2).rules(rules(ContractMode::DiscardValue)).after(&first).json("t", NEW).build();
    assert!(second.manifest.change.is_empty());
    at.load(&first).await?;
    at.load(&second).await?;
    at.check("t", &["id"], "[1] [2] [null] [3]").await?;
    at.check("t__l", &["a"], "[1] [2] [3] [4] [null]").await
}

async fn discarded_rows_take_their_children_along(at: Place) -> Result<()> {
    let first = at.package(1).json("t", KNOWN).build();
    let second = at.package(2).rules(rules(ContractMode::DiscardRow)).after(&first).json("t", NEW).build();
    assert!(second.manifest.change.is_empty());
    at.load(&first).await?;
    at.load(&second).await?;
    at.check("t", &["id"], "[1] [3]").await?;
    at.check("t__l", &["a"], "[1]").await
}

async fn tables_that_may_not_be_made_are_not_there(at: Place) -> Result<()> {
    let contract = Contract { tables: ContractMode::DiscardRow, ..Contract::default() };
    let first = at.package(1).json("t", KNOWN).build();
    let second = at.package(2).rules(SchemaRules { contract: Some(contract), ..SchemaRules::default() }).after(&first);
    let second = second.json("t", NEW).build();
    at.load(&first).await?;
    at.load(&second).await?;
    at.check("t", &["id", "q"], "[1,null] [2,1] [null,null] [3,null]").await?;
    assert!(at.site.read(at.site.dataset(), "t__m").await?.is_none());
    Ok(())
}

async fn rejected_records_leave_nothing_behind(at: Place) -> Result<()> {
    let first = at.package(1).json("t", KNOWN).build();
    let records = r#"{"id":4,"l":[{"a":5},{"a":6,"z":1}]} {"id":5,"l":[{"a":7}]}"#;
    let second = at.package(2).rules(rules(ContractMode::Reject)).after(&first).json("t", records).build();
    assert_eq!((second.manifest.counts.read, second.manifest.counts.normalised), (2, 1));
    at.load(&first).await?;
    at.load(&second).await?;
    at.check("t", &["id"], "[1] [5]").await?;
    at.check("t__l", &["a"], "[1] [7]").await
}
