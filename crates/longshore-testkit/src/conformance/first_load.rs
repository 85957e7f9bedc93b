//! The first load into an empty dataset.

use super::place::{Place, counts, expected_counts};
use super::{Case, cases};
use longshore_core::Result;
use longshore_core::destination::CommitOutcome;
use longshore_core::schema::DataType;
use serde_json::Value;

pub(super) fn cases() -> Vec<Case> {
    cases![
        creates_tables_and_rows,
        child_rows_name_their_parent_root_and_position,
        native_tables_have_native_system_columns,
        dlt_tables_have_dlts_system_columns,
        every_row_has_the_load_id_where_its_table_has_one,
        columns_stand_in_the_order_of_the_schema,
        a_table_without_rows_is_created,
        a_package_without_tables_is_recorded,
        the_commit_counts_what_was_staged,
        rejected_records_are_kept_whole,
    ]
}

async fn creates_tables_and_rows(at: Place) -> Result<()> {
    at.load(&at.package(1).json("items", r#"{"id":1,"name":"a"} {"id":2,"price":{"net":1.5}}"#).build()).await?;
    at.check("items", &["id", "name", "price__net"], r#"[1,"a",null] [2,null,1.5]"#).await
}

async fn child_rows_name_their_parent_root_and_position(at: Place) -> Result<()> {
    let records =
        r#"{"id":1,"lines":[{"sku":"a","tags":["x","y"]},{"sku":"b"}]} {"id":2,"lines":[{"sku":"c","tags":["z"]}]}"#;
    at.load(&at.package(1).json("orders", records).build()).await?;
    let (orders, lines, tags) =
        (at.read("orders").await?, at.read("orders__lines").await?, at.read("orders__lines__tags").await?);
    let find = |rows: &crate::rows::Rows, id: &Value, column: &str| {
        let found = rows.column("_row_id").iter().position(|v| v == id);
        rows.column(column)[found.unwrap_or_else(|| panic!("no row {id} to take '{column}' of"))].clone()
    };
    let mut linked: Vec<String> = Vec::new();
    for tag in tags.select(&["value", "_parent_id", "_root_id", "_list_idx"]) {
        let order = find(&orders, &tag[2], "id");
        assert_eq!(find(&lines, &tag[1], "_parent_id"), tag[2], "a line's order is the root of its tags");
        linked.push(format!("{order} {} {} {}", find(&lines, &tag[1], "sku"), tag[3], tag[0]));
    }
    linked.sort();
    assert_eq!(linked, ["1 \"a\" 0 \"x\"", "1 \"a\" 1 \"y\"", "2 \"c\" 0 \"z\""]);
    Ok(())
}

async fn native_tables_have_native_system_columns(at: Place) -> Result<()> {
    at.load(&at.package(1).json("t", r#"{"l":[1]}"#).build()).await?;
    assert_eq!(at.read("t").await?.columns, ["_row_id", "_load_id"]);
    assert_eq!(at.read("t__l").await?.columns, ["value", "_row_id", "_parent_id", "_root_id", "_list_idx", "_load_id"]);
    Ok(())
}

async fn dlt_tables_have_dlts_system_columns(at: Place) -> Result<()> {
    let package = at.package(1).dlt().json("t", r#"{"id":1,"l":[1]}"#).build();
    at.load(&package).await?;
    let (root, child) = (at.read("t").await?, at.read("t__l").await?);
    assert_eq!(root.columns, ["id", "_dlt_load_id", "_dlt_id"]);
    assert_eq!(child.columns, ["value", "_dlt_parent_id", "_dlt_list_idx", "_dlt_id"]);
    assert_eq!(child.column("_dlt_parent_id"), root.column("_dlt_id"));
    assert_eq!(root.column("_dlt_load_id"), [package.manifest.load_id.as_str()]);
    Ok(())
}

async fn every_row_has_the_load_id_where_its_table_has_one(at: Place) -> Result<()> {
    let (first, second) = (at.orders(1), at.orders(2));
    at.load(&first).await?;
    at.load(&second).await?;
    for table in ["orders", "orders__lines"] {
        let mut ids: Vec<Value> = at.read(table).await?.column("_load_id");
        ids.sort_by_key(|v| v.to_string());
        // A whole number in native mode.
        let (a, b) = (first.manifest.load_id.micros(), second.manifest.load_id.micros());
        assert_eq!(ids, [a, a, b, b], "'{table}'");
    }
    Ok(())
}

async fn columns_stand_in_the_order_of_the_schema(at: Place) -> Result<()> {
    let package = at.package(1).json("t", r#"{"zeta":1,"alpha":{"y":2,"x":3},"mid":4} {"late":5}"#).build();
    at.load(&package).await?;
    assert_eq!(at.read("t").await?.columns, ["zeta", "mid", "alpha__y", "alpha__x", "_row_id", "_load_id", "late"]);
    Ok(())
}

async fn a_table_without_rows_is_created(at: Place) -> Result<()> {
    let columns = DataType::ALL.map(|t| (format!("a_{t}"), t));
    let columns: Vec<(&str, DataType)> = columns.iter().map(|(name, t)| (name.as_str(), *t)).collect();
    let package = at.package(1).empty_table("nobody", &columns).json("items", r#"{"id":1}"#).build();
    assert_eq!(counts(at.load(&package).await?), [("items".to_owned(), 1)]);
    let rows = at.read("nobody").await?;
    assert_eq!(rows.rows.len(), 0);
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).chain(["_row_id", "_load_id"]).collect();
    assert_eq!(rows.columns, names);
    // It takes rows later.
    let later = at.package(2).after(&package).json("nobody", r#"{"a_bigint":1,"a_text":"x"}"#).build();
    at.load(&later).await?;
    at.check("nobody", &["a_bigint", "a_text", "a_json"], r#"[1,"x",null]"#).await
}

async fn a_package_without_tables_is_recorded(at: Place) -> Result<()> {
    let package = at.package(1).state(serde_json::json!({"cursor": 7})).build();
    assert_eq!(at.load(&package).await?, CommitOutcome::Committed(Vec::new()));
    let destination = at.open().await?;
    assert!(destination.is_committed(&at.target(), &package.manifest.load_id).await?);
    let last = destination.last_committed(&at.target()).await?.expect("a load was committed");
    assert_eq!(
        (last.load_id, last.schema, last.state),
        (package.manifest.load_id, package.manifest.schema, package.manifest.state)
    );
    Ok(())
}

async fn the_commit_counts_what_was_staged(at: Place) -> Result<()> {
    let first = at.package(1).json("orders", r#"{"lines":[1,2,3]} {"lines":[4]}"#).json("items", r#"{"id":1}"#).build();
    let outcome = counts(at.load(&first).await?);
    assert_eq!(outcome, expected_counts(&first));
    assert_eq!(outcome, [("items".to_owned(), 1), ("orders".to_owned(), 2), ("orders__lines".to_owned(), 4)]);
    // Rows of earlier loads are not counted again, nor tables this load does not bring.
    let second = at.package(2).after(&first).json("orders", r#"{"lines":[5]}"#).build();
    assert_eq!(counts(at.load(&second).await?), [("orders".to_owned(), 1), ("orders__lines".to_owned(), 1)]);
    Ok(())
}

async fn rejected_records_are_kept_whole(at: Place) -> Result<()> {
    let package = at.package(1).json("items", r#"{"id":1}"#);
    let package =
        package.reject("a.jsonl", 7, "expected a value", "{\"id\":\n'x'}").reject("b.jsonl", 1, "damaged", "").build();
    let outcome = counts(at.load(&package).await?);
    assert_eq!(outcome, expected_counts(&package));
    at.check(
        "_rejects",
        &["table_name", "source", "line", "byte_offset", "reason", "record"],
        r#"["items","a.jsonl",7,700,"expected a value","{\"id\":\n'x'}"] ["items","b.jsonl",1,100,"damaged",""]"#,
    )
    .await?;
    assert_eq!(at.read("_rejects").await?.column("_load_id"), [package.manifest.load_id.micros(); 2]);
    // The table belongs to the loader, not to the pipeline's schema.
    let last = at.open().await?.last_committed(&at.target()).await?.expect("a load was committed");
    assert!(last.schema.table("_rejects").is_none());
    Ok(())
}
