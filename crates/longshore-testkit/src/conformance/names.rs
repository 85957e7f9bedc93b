//! Names of tables and columns are taken as they are, whatever the destination's own language says.

use super::place::Place;
use super::{Case, cases};
use crate::fixture::Package;
use crate::rows::shared;
use arrow_array::Int64Array;
use longshore_core::Result;
use longshore_core::capabilities::Capabilities;
use longshore_core::schema::DataType;
use serde_json::json;

/// A limit at or beyond this is none.
const UNLIMITED: usize = 65536;

pub(super) fn cases(capabilities: &Capabilities) -> Vec<Case> {
    let mut all = cases![
        reserved_words_are_names,
        names_with_capitals_keep_them,
        names_with_digits_and_underscores_are_names,
        unicode_names_are_names,
        the_longest_names_are_kept_apart,
        a_hostile_name_does_no_harm,
        a_thousand_columns_are_kept,
    ];
    if capabilities.max_identifier_length < UNLIMITED {
        all.extend(cases![a_name_beyond_the_limit_is_refused]);
    }
    all
}

/// A package with those tables, each with those columns, one row each: the columns' positions.
fn package(at: &Place, tables: &[&str], columns: &[&str]) -> Package {
    let row =
        || columns.iter().zip(0..).map(|(c, n)| (*c, DataType::Bigint, shared(Int64Array::from(vec![n])))).collect();
    tables.iter().fold(at.package(1), |package, table| package.arrays(table, row())).build()
}

/// Loads that package and asserts its names and values.
async fn check_names(at: &Place, tables: &[&str], columns: &[&str]) -> Result<()> {
    at.load(&package(at, tables, columns)).await?;
    for table in tables {
        let rows = at.read(table).await?;
        assert_eq!(&rows.columns[..columns.len()], columns, "columns of '{table}'");
        assert_eq!(rows.select(columns), [(0..columns.len()).map(|n| json!(n)).collect::<Vec<_>>()], "'{table}'");
    }
    Ok(())
}

async fn reserved_words_are_names(at: Place) -> Result<()> {
    let words = [
        "select",
        "table",
        "order",
        "group",
        "from",
        "where",
        "user",
        "values",
        "null",
        "true",
        "default",
        "primary",
        "index",
        "limit",
        "all",
        "case",
        "end",
        "date",
        "timestamp",
        "interval",
        "column",
        "row",
        "rowid",
        "offset",
        "analyze",
    ];
    check_names(&at, &["select", "order", "group", "user", "table", "values"], &words).await
}

async fn names_with_capitals_keep_them(at: Place) -> Result<()> {
    check_names(&at, &["MixedCase", "UPPER"], &["CamelCase", "UPPER", "lower", "oDD"]).await
}

async fn names_with_digits_and_underscores_are_names(at: Place) -> Result<()> {
    check_names(&at, &["_1st", "a__b__c", "_"], &["_2nd", "x", "_3", "a__b", "___", "_9_lives"]).await
}

async fn unicode_names_are_names(at: Place) -> Result<()> {
    check_names(&at, &["größe", "日本語", "_٣abc"], &["straße", "имя", "_٣", "ñ"]).await
}

async fn the_longest_names_are_kept_apart(at: Place) -> Result<()> {
    let limit = at.open().await?.capabilities().max_identifier_length.min(UNLIMITED);
    let name = |last: &str| "n".repeat(limit - 1) + last;
    let (a, b) = (name("a"), name("b"));
    check_names(&at, &[&a, &b], &[&a, &b]).await
}

async fn a_name_beyond_the_limit_is_refused(at: Place) -> Result<()> {
    let long = "n".repeat(at.open().await?.capabilities().max_identifier_length + 1);
    for (table, column) in [(long.as_str(), "id"), ("items", long.as_str())] {
        let package = package(&at, &[table], &[column]);
        at.load(&package).await.expect_err("a name that would be cut is refused");
        at.check_nothing_of(&package).await?;
    }
    Ok(())
}

/// Such names never come from the normaliser; a destination may refuse them or keep them.
async fn a_hostile_name_does_no_harm(at: Place) -> Result<()> {
    let items = at.package(1).json("items", r#"{"id":1}"#).build();
    at.load(&items).await?;
    let hostile = r#"x" (id int); DROP TABLE items; --'../"#;
    for (table, column) in [(hostile, "id"), ("other", hostile)] {
        let number = 2 + u64::from(table == "other");
        let ids = shared(Int64Array::from(vec![7]));
        let package = at.package(number).after(&items).arrays(table, vec![(column, DataType::Bigint, ids)]).build();
        match at.load(&package).await {
            Ok(_) => at.check(table, &[column], "[7]").await?,
            Err(_) => assert!(!at.open().await?.is_committed(&at.target(), &package.manifest.load_id).await?),
        }
        at.check("items", &["id"], "[1]").await?;
    }
    Ok(())
}

async fn a_thousand_columns_are_kept(at: Place) -> Result<()> {
    let columns: Vec<String> = (0..1000).map(|n| format!("column_{n}")).collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    check_names(&at, &["wide"], &columns).await
}
