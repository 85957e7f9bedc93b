//! What is set for tables arrives there, read back with Google's own client; and what BigQuery would refuse is refused in words.

#[allow(dead_code)] // the other tests use the rest
mod server;

use longshore_core::connect::Connection;
use longshore_core::destination::{CommitOutcome, Destination};
use longshore_core::error::Result;
use longshore_core::schema::{Disposition, WriteRules};
use longshore_testkit::fixture::{Package, PackageBuilder, load};
use serde_json::{Value, json};
use server::Server;
use std::sync::{Arc, LazyLock};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

fn open(settings: Value) -> Arc<dyn Destination> {
    let mut connection = Connection::new(SERVER.url());
    connection.settings = settings.as_object().cloned().expect("settings");
    longshore_destination_bigquery::open(&connection).expect("the settings are right")
}

fn run(destination: &dyn Destination, package: &Package) -> Result<CommitOutcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(load(destination, package))
}

const ORDERS: &str = r#"{"id":1,"at":"2024-01-02T03:04:05Z","price":12345678901234567890,"note":"x"}"#;

#[test]
fn a_table_is_made_as_it_is_set_and_stays_so_when_it_is_replaced() {
    let tag = "projects/p/locations/eu/taxonomies/1/policyTags/2";
    let destination = open(json!({
        "labels": {"team": "sales"},
        "tables": {"orders": {
            "partition_by": {"column": "at", "every": "month"}, "partition_expiration_days": 90000,
            "cluster_by": ["id"], "description": "Orders of the shop", "labels": {"tier": "gold"},
            "expiration_days": 30,
            "columns": {
                "price": {"type": "NUMERIC", "description": "net"},
                "note": {"policy_tags": [tag]},
            },
        }},
    }));
    let replace = WriteRules { disposition: Disposition::Replace, ..WriteRules::default() };
    let package = |n| PackageBuilder::new("options", "options", n).writing(replace.clone());
    let first = package(1).json("orders", ORDERS).build();
    run(&*destination, &first).expect("it is loaded");
    let expect = |description: &str| {
        let table = SERVER.describe("options", "orders");
        assert_eq!(table["timePartitioning"]["type"], "MONTH", "{table}");
        assert_eq!(table["timePartitioning"]["field"], "at");
        assert_eq!(table["clustering"], json!({"fields": ["id"]}));
        assert_eq!(table["description"], description);
        assert_eq!(table["labels"]["tier"], "gold");
        assert!(table["expirationTime"].is_string(), "{table}");
        let field = |name: &str| {
            let fields = table["schema"]["fields"].as_array().expect("fields");
            fields.iter().find(|f| f["name"] == name).expect("a field").clone()
        };
        assert_eq!((&field("price")["type"], &field("price")["description"]), (&json!("NUMERIC"), &json!("net")));
        assert_eq!(field("note")["policyTags"], json!({"names": [tag]}));
    };
    expect("Orders of the shop");
    let again = package(2).after(&first).json("orders", &ORDERS.replace('}', r#","more":true}"#)).build();
    run(&*open(json!({"tables": {"orders": {"description": "Orders"}}})), &again).expect("it is replaced");
    expect("Orders");
    assert_eq!(SERVER.read("options", "orders").expect("a table").rows.len(), 1);
}

#[test]
fn a_number_that_numeric_cannot_hold_changes_nothing() {
    let destination = open(json!({"tables": {"t": {"columns": {"n": {"type": "NUMERIC"}}}}}));
    let package = |n, number: &str| {
        PackageBuilder::new("numeric", "numeric", n).json("t", &format!("{{\"n\":{number}}}")).build()
    };
    run(&*destination, &package(1, "12345678901234567890")).expect("it fits");
    run(&*destination, &package(2, "99999999999999999999999999999999999999")).expect_err("it does not fit");
    assert_eq!(SERVER.read("numeric", "t").expect("a table").rows.len(), 1);
}

#[test]
fn what_is_not_in_the_table_is_named() {
    let destination = open(json!({"tables": {"t": {"partition_by": "nosuch"}}}));
    let package = PackageBuilder::new("unknown", "unknown", 1).json("t", r#"{"id":1}"#).build();
    let error = run(&*destination, &package).expect_err("no such column");
    assert!(error.to_string().contains("partition_by") && error.to_string().contains("nosuch"), "{error}");
}

#[test]
fn names_of_300_characters_are_made_and_301_refused() {
    use longshore_core::schema::{Column, DataType, Table};
    // The emulator makes folders of names, so that only columns can be that long there.
    let destination = open(json!({}));
    let name = "n".repeat(300);
    let package = PackageBuilder::new("long", "long", 1).json("t", &format!("{{\"{name}\":1}}")).build();
    run(&*destination, &package).expect("300 is allowed");
    assert!(SERVER.read("long", "t").expect("a table").columns.contains(&name));
    let mut longer = PackageBuilder::new("longer", "longer", 1).json("t", r#"{"id":1}"#).build();
    let mut table = Table::new("u", None);
    table.columns = vec![Column::data(format!("{name}n"), DataType::Text)];
    longer.manifest.schema.tables.push(table);
    let error = run(&*destination, &longer).expect_err("301 is not");
    assert!(error.to_string().contains("300 bytes"), "{error}");
    assert!(SERVER.read("longer", "t").is_none(), "nothing is made before it is refused");
}
