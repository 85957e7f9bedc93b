//! The schema grows while a load is staged and from load to load.

use super::place::{Place, counts};
use super::{Case, cases};
use longshore_core::Result;

pub(super) fn cases() -> Vec<Case> {
    cases![
        columns_are_added_while_staging,
        tables_are_added_while_staging,
        a_part_may_have_fewer_columns_than_an_earlier_one,
        columns_are_added_by_a_later_load,
        columns_are_added_behind_those_of_earlier_loads,
        tables_are_added_by_a_later_load,
        columns_without_values_are_added_too,
        a_value_that_does_not_fit_brings_its_variant_column,
    ]
}

async fn columns_are_added_while_staging(at: Place) -> Result<()> {
    let package = at
        .package(1)
        .json("t", r#"{"a":1}"#)
        .json("t", r#"{"a":2,"b":"x"}"#)
        .json("t", r#"{"c":true} {"a":4}"#)
        .build();
    assert_eq!(package.parts.len(), 3);
    assert_eq!(counts(at.load(&package).await?), [("t".to_owned(), 4)]);
    at.check("t", &["a", "b", "c"], r#"[1,null,null] [2,"x",null] [null,null,true] [4,null,null]"#).await?;
    assert_eq!(at.read("t").await?.columns, ["a", "_row_id", "_load_id", "b", "c"]);
    Ok(())
}

async fn tables_are_added_while_staging(at: Place) -> Result<()> {
    let package =
        at.package(1).json("t", r#"{"a":1}"#).json("t", r#"{"a":2,"l":[{"m":[7]}]}"#).json("u", r#"{"b":3}"#).build();
    at.load(&package).await?;
    at.check("t", &["a"], "[1] [2]").await?;
    at.check("t__l__m", &["value"], "[7]").await?;
    at.check("u", &["b"], "[3]").await
}

/// Blocks are normalised at once: one that needed nothing new knows the table as it was.
async fn a_part_may_have_fewer_columns_than_an_earlier_one(at: Place) -> Result<()> {
    let mut package =
        at.package(1).json("t", r#"{"a":1}"#).json("t", r#"{"a":2,"b":"x","c":true}"#).json("t", r#"{"a":3}"#).build();
    let narrow = at.package(1).json("t", r#"{"a":1}"#).json("t", r#"{"a":2}"#).json("t", r#"{"a":3}"#).build();
    package.parts[2] = narrow.parts[2].clone();
    package.manifest.parts[2] = narrow.manifest.parts[2].clone();
    assert_eq!((package.parts[1].table.columns.len(), package.parts[2].table.columns.len()), (5, 3));
    at.load(&package).await?;
    at.check("t", &["a", "b", "c"], r#"[1,null,null] [2,"x",true] [3,null,null]"#).await
}

async fn columns_are_added_by_a_later_load(at: Place) -> Result<()> {
    let first = at.package(1).json("t", r#"{"a":1,"l":[1]}"#).build();
    let second = at.package(2).after(&first).json("t", r#"{"b":{"c":2.5},"l":["x"]}"#).build();
    at.load(&first).await?;
    at.load(&second).await?;
    at.check("t", &["a", "b__c"], "[1,null] [null,2.5]").await?;
    at.check("t__l", &["value", "value__v_text"], r#"[1,null] [null,"x"]"#).await
}

async fn columns_are_added_behind_those_of_earlier_loads(at: Place) -> Result<()> {
    let first = at.package(1).json("t", r#"{"b":1}"#).build();
    let second = at.package(2).after(&first).json("t", r#"{"a":2,"b":3}"#).build();
    at.load(&first).await?;
    at.load(&second).await?;
    assert_eq!(at.read("t").await?.columns, ["b", "_row_id", "_load_id", "a"]);
    Ok(())
}

async fn tables_are_added_by_a_later_load(at: Place) -> Result<()> {
    let first = at.package(1).json("t", r#"{"a":1}"#).build();
    let second = at.package(2).after(&first).json("t", r#"{"l":[1]}"#).json("u", r#"{"b":2}"#).build();
    at.load(&first).await?;
    at.load(&second).await?;
    at.check("t", &["a"], "[1] [null]").await?;
    at.check("t__l", &["value"], "[1]").await?;
    at.check("u", &["b"], "[2]").await?;
    assert_eq!(at.open().await?.last_committed(&at.target()).await?.map(|c| c.schema), Some(second.manifest.schema));
    Ok(())
}

/// A column may be in the schema of a load that brings no rows of its table.
async fn columns_without_values_are_added_too(at: Place) -> Result<()> {
    let first = at.package(1).json("t", r#"{"a":1}"#).build();
    let mut second = at.package(2).after(&first).json("t", r#"{"a":2,"b":3}"#).build();
    second.parts.clear();
    second.manifest.tables.clear();
    at.load(&first).await?;
    at.load(&second).await?;
    at.check("t", &["a"], "[1]").await?;
    let third = at.package(3).after(&second).json("t", r#"{"a":4,"b":5}"#).build();
    assert!(third.manifest.change.is_empty());
    at.load(&third).await?;
    at.check("t", &["a", "b"], "[1,null] [4,5]").await
}

async fn a_value_that_does_not_fit_brings_its_variant_column(at: Place) -> Result<()> {
    let package = at.package(1).json("t", r#"{"v":1}"#).json("t", r#"{"v":"x"} {"v":18446744073709551616}"#).build();
    at.load(&package).await?;
    at.check(
        "t",
        &["v", "v__v_text", "v__v_decimal"],
        r#"[1,null,null] [null,"x",null] [null,null,"18446744073709551616"]"#,
    )
    .await
}
