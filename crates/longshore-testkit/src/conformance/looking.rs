//! What people look at: the list of tables and queries.

use super::place::Place;
use super::{Case, cases};
use crate::rows::Rows;
use longshore_core::Result;
use longshore_core::schema::{SystemColumns, SystemTable};
use serde_json::json;

pub(super) fn cases() -> Vec<Case> {
    cases![
        tables_are_listed_by_name_with_their_rows,
        the_loaders_own_tables_are_listed,
        a_query_is_answered,
        a_query_finds_a_table_without_rows,
        a_query_for_an_unknown_table_is_an_error,
        a_query_changes_nothing,
        the_name_is_for_people,
    ]
}

async fn tables_are_listed_by_name_with_their_rows(at: Place) -> Result<()> {
    let first =
        at.package(1).json("b", r#"{"l":[1,2,3]} {"l":[4]}"#).json("a", r#"{"x":1}"#).empty_table("c", &[]).build();
    at.load(&first).await?;
    at.load(&at.package(2).after(&first).json("a", r#"{"x":2}"#).build()).await?;
    let tables = at.open().await?.tables(at.site.dataset()).await?;
    assert!(tables.is_sorted_by(|a, b| a.table < b.table), "tables come by name, each once: {tables:?}");
    let own: Vec<(&str, u64)> =
        tables.iter().map(|t| (t.table.as_str(), t.rows)).filter(|(t, _)| !t.starts_with('_')).collect();
    assert_eq!(own, [("a", 2), ("b", 2), ("b__l", 4), ("c", 0)]);
    Ok(())
}

async fn the_loaders_own_tables_are_listed(at: Place) -> Result<()> {
    at.load(&at.orders(1)).await?;
    let tables = at.open().await?.tables(at.site.dataset()).await?;
    for table in [SystemTable::Loads, SystemTable::Schemas, SystemTable::State] {
        let name = SystemColumns::Native.table_name(table);
        assert!(tables.iter().any(|t| t.table == name && t.rows == 1), "one row in '{name}' is not listed: {tables:?}");
    }
    Ok(())
}

async fn a_query_is_answered(at: Place) -> Result<()> {
    at.load(&at.orders(1)).await?;
    let batches = at.open().await?.query(at.site.dataset(), "SELECT * FROM orders").await?;
    assert_eq!(Rows::from_batches(&batches)?.select(&["id"]), [[json!(1)], [json!(2)]]);
    Ok(())
}

async fn a_query_finds_a_table_without_rows(at: Place) -> Result<()> {
    at.load(&at.package(1).empty_table("nobody", &[]).build()).await?;
    let batches = at.open().await?.query(at.site.dataset(), "SELECT * FROM nobody").await?;
    assert_eq!(batches.iter().map(|b| b.num_rows()).sum::<usize>(), 0);
    Ok(())
}

async fn a_query_for_an_unknown_table_is_an_error(at: Place) -> Result<()> {
    at.load(&at.orders(1)).await?;
    at.open().await?.query(at.site.dataset(), "SELECT * FROM nowhere").await.expect_err("there is no such table");
    Ok(())
}

async fn a_query_changes_nothing(at: Place) -> Result<()> {
    at.load(&at.orders(1)).await?;
    let destination = at.open().await?;
    for sql in
        ["DROP TABLE orders__lines", "DELETE FROM orders", "CREATE TABLE more (id int)", "SELECT 1; DELETE FROM orders"]
    {
        let _ = destination.query(at.site.dataset(), sql).await; // an error, or an answer without effect
        assert!(destination.tables(at.site.dataset()).await?.iter().all(|t| t.table != "more"));
    }
    drop(destination);
    at.check_orders(1).await
}

async fn the_name_is_for_people(at: Place) -> Result<()> {
    let name = at.open().await?.to_string();
    assert!(name.contains(':') && !name.contains('\n'), "'{name}' is no name such as 'duckdb:///shop.duckdb'");
    Ok(())
}
