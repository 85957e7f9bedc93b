//! Lists as columns: the same records as with child tables, in one table.

#[allow(dead_code)] // the other tests use the rest
mod server;

use longshore_core::connect::Connection;
use longshore_core::destination::{CommitOutcome, Destination};
use longshore_core::error::Result;
use longshore_core::package::TableCount;
use longshore_core::schema::{Disposition, WriteRules};
use longshore_testkit::fixture::{Package, PackageBuilder, load};
use serde_json::{Value, json};
use server::Server;
use std::sync::{Arc, LazyLock};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

fn open(nested: &[&str]) -> Arc<dyn Destination> {
    let mut connection = Connection::new(SERVER.url());
    connection.settings.insert("nested".into(), json!(nested));
    longshore_destination_bigquery::open(&connection).expect("the settings are right")
}

fn run(nested: &[&str], package: &Package) -> Result<CommitOutcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(load(&*open(nested), package))
}

/// The named fields of the rows, in the order of their ids.
fn read(dataset: &str, table: &str, fields: &[&str]) -> Value {
    let rows = SERVER.read(dataset, table).unwrap_or_else(|| panic!("{table} is there"));
    let at = |name: &str| rows.columns.iter().position(|c| c == name).unwrap_or_else(|| panic!("{name} in {rows:?}"));
    let mut found: Vec<Value> = rows.rows.iter().map(|r| fields.iter().map(|f| r[at(f)].clone()).collect()).collect();
    found.sort_by_key(|row| row[0].as_i64());
    found.into()
}

const ORDERS: &str = r#"
    {"id":1,"lines":[{"sku":"b","taxes":[{"rate":0.5},{"rate":0.25}]},{"sku":"a","doc":{}}],"tags":["x",null,"y"]}
    {"id":2,"lines":[]}
    {"id":3}"#;

#[test]
fn lists_are_columns_with_all_their_elements_in_order() {
    let package = PackageBuilder::new("nested", "nested_all", 1).json("orders", ORDERS).build();
    let outcome = run(&["orders"], &package).expect("it is loaded");
    // Counted back like the rows of tables.
    assert_eq!(outcome, CommitOutcome::Committed(package.manifest.tables.clone()));
    let count = |table: &str, rows| TableCount { table: table.into(), rows };
    assert!(package.manifest.tables.contains(&count("orders__lines__taxes", 2)), "{:?}", package.manifest.tables);
    let taxes = json!([{"rate": 0.5, "_list_idx": 0}, {"rate": 0.25, "_list_idx": 1}]);
    let lines = json!([
        {"sku": "b", "_list_idx": 0, "taxes": taxes}, {"sku": "a", "_list_idx": 1, "taxes": []},
    ]);
    let tags = json!([
        {"value": "x", "_list_idx": 0}, {"value": null, "_list_idx": 1}, {"value": "y", "_list_idx": 2},
    ]);
    assert_eq!(
        read("nested_all", "orders", &["id", "lines", "tags"]),
        json!([[1, lines, tags], [2, [], []], [3, [], []]])
    );
    assert!(SERVER.read("nested_all", "orders__lines").is_none(), "there is no table beside");
    assert_eq!(run(&["orders"], &package).expect("a repeat"), CommitOutcome::AlreadyCommitted);
}

#[test]
fn columns_in_lists_grow_and_old_elements_stay() {
    let first = PackageBuilder::new("nested", "nested_grows", 1)
        .json("orders", r#"{"id":1,"lines":[{"sku":"a"}],"others":[{"n":1}]}"#)
        .build();
    run(&["orders.lines"], &first).expect("it is loaded");
    let later = r#"{"id":2,"lines":[{"price":1.5,"sku":"b","parts":[{"n":1}]}]} {"id":3,"lines":[{"sku":"c"}],"others":[{"n":2}]}"#;
    let second = PackageBuilder::new("nested", "nested_grows", 2).after(&first).json("orders", later).build();
    run(&["orders.lines"], &second).expect("it grows");
    let line =
        |sku: &str, price: Value, parts: Value| json!({"sku": sku, "_list_idx": 0, "price": price, "parts": parts});
    assert_eq!(
        read("nested_grows", "orders", &["id", "lines"]),
        json!([
            [1, [line("a", Value::Null, json!([]))]],
            [2, [line("b", json!(1.5), json!([{"n": 1, "_list_idx": 0}]))]],
            [3, [line("c", Value::Null, json!([]))]],
        ])
    );
    // What is not named is a table as always.
    assert_eq!(read("nested_grows", "orders__others", &["n"]), json!([[1], [2]]));
}

#[test]
fn rows_are_replaced_and_merged_with_their_lists() {
    for (dataset, rules) in [
        ("nested_replace", WriteRules { disposition: Disposition::Replace, ..WriteRules::default() }),
        (
            "nested_merge",
            WriteRules { disposition: Disposition::Merge, primary_key: vec!["id".into()], ..WriteRules::default() },
        ),
    ] {
        let package = |n| PackageBuilder::new("nested", dataset, n).writing(rules.clone());
        let first = package(1).json("orders", r#"{"id":1,"l":[1,2]} {"id":2,"l":[3],"t":[{"n":1}]}"#).build();
        run(&["orders.l"], &first).expect("it is loaded");
        let second = package(2).after(&first).json("orders", r#"{"id":2,"l":[4,5],"t":[{"n":2}]}"#).build();
        run(&["orders.l"], &second).expect("it is loaded");
        let item = |value: i64, place: i64| json!({"value": value, "_list_idx": place});
        let new = json!([2, [item(4, 0), item(5, 1)]]);
        let expected = match rules.disposition {
            Disposition::Merge => json!([[1, [item(1, 0), item(2, 1)]], new]),
            _ => json!([new]),
        };
        assert_eq!(read(dataset, "orders", &["id", "l"]), expected, "{dataset}");
        assert_eq!(read(dataset, "orders__t", &["n"]), json!([[2]]), "{dataset}");
    }
}

#[test]
fn what_cannot_be_a_column_is_refused() {
    let table = PackageBuilder::new("nested", "nested_refused", 1).json("t", r#"{"id":1,"l":[1]}"#).build();
    run(&[], &table).expect("it is a table");
    let again =
        PackageBuilder::new("nested", "nested_refused", 2).after(&table).json("t", r#"{"id":2,"l":[2]}"#).build();
    let error = run(&["t"], &again).expect_err("it is a table already");
    assert!(error.to_string().contains("t__l"), "{error}");

    let column = PackageBuilder::new("nested", "nested_column", 1).json("t", r#"{"id":1,"l":[1]}"#).build();
    run(&["t"], &column).expect("it is a column");
    let again =
        PackageBuilder::new("nested", "nested_column", 2).after(&column).json("t", r#"{"id":2,"l":[2]}"#).build();
    let error = run(&[], &again).expect_err("it is a column already");
    assert!(error.to_string().contains("column l"), "{error}");
    assert!(SERVER.read("nested_column", "t__l").is_none(), "nothing is made before it is refused");

    let both =
        PackageBuilder::new("nested", "nested_both", 1).json("t", r#"{"id":1,"l":[1]} {"id":2,"l":"x"}"#).build();
    let error = run(&["t"], &both).expect_err("a list and a value");
    assert!(error.to_string().contains("column l") && error.hint_text().is_some(), "{error:?}");

    let dlt = PackageBuilder::new("nested", "nested_dlt", 1).dlt().json("t", r#"{"id":1,"l":[1]}"#);
    let error = run(&["*"], &dlt.build()).expect_err("dlt has no such columns");
    assert!(error.to_string().contains("dlt"), "{error}");
}
