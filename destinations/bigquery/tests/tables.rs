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
    assert!(error.to_string().contains("300 characters"), "{error}");
    assert!(SERVER.read("longer", "t").is_none(), "nothing is made before it is refused");
}

#[test]
fn a_merge_that_leaves_partitions_out_finds_the_same_rows() {
    for (dataset, key, promise) in [("near_key", &["id", "day"][..], false), ("near_promise", &["id"], true)] {
        let destination = open(json!({"tables": {"t": {
            "partition_by": "day", "require_partition_filter": true, "stays_in_partition": promise,
        }}}));
        let primary_key = key.iter().map(|k| (*k).to_owned()).collect();
        let rules = WriteRules { disposition: Disposition::Merge, primary_key, ..WriteRules::default() };
        let package = |n| PackageBuilder::new("near", dataset, n).writing(rules.clone());
        let record = |id: u32, day: &str, v: u32| format!(r#"{{"id":{id},"day":"{day}T00:00:00Z","v":{v},"l":[{v}]}}"#);
        let first = [record(1, "2024-01-01", 1), record(2, "2024-01-02", 2), record(3, "2024-02-03", 3)].join("\n");
        let first = package(1).json("t", &first).build();
        run(&*destination, &first).expect("it is loaded");
        let second = [record(2, "2024-01-02", 20), record(4, "2024-01-09", 40)].join("\n");
        let second = package(2).after(&first).json("t", &second).build();
        run(&*destination, &second).expect("it is merged");
        let values = |table: &str, column: &str| {
            let rows = SERVER.read(dataset, table).expect("a table");
            let at = rows.columns.iter().position(|c| c == column).expect("a column");
            let mut values: Vec<i64> = rows.rows.iter().filter_map(|r| r[at].as_i64()).collect();
            values.sort_unstable();
            values
        };
        assert_eq!((values("t", "v"), values("t__l", "value")), (vec![1, 3, 20, 40], vec![1, 3, 20, 40]), "{dataset}");
    }
    // Without either, all of the table has to be looked through, and that is what such a table refuses.
    let destination = open(json!({"tables": {"t": {"partition_by": "day", "require_partition_filter": true}}}));
    let rules = WriteRules { disposition: Disposition::Merge, primary_key: vec!["id".into()], ..WriteRules::default() };
    let record = r#"{"id":1,"day":"2024-01-01T00:00:00Z"}"#;
    let package = PackageBuilder::new("near", "near_none", 1).writing(rules).json("t", record).build();
    let error = run(&*destination, &package).expect_err("it cannot be merged");
    assert!(error.hint_text().is_some_and(|h| h.contains("stays_in_partition")), "{error:?}");
}

#[test]
fn hints_of_columns_partition_cluster_and_describe() {
    let mut package =
        PackageBuilder::new("hints", "hints", 1).json("t", r#"{"id":1,"at":"2024-01-01T00:00:00Z"}"#).build();
    for column in &mut package.manifest.schema.tables[0].columns {
        match column.name.as_str() {
            "at" => column.properties.partition = true,
            "id" => (column.properties.cluster, column.properties.description) = (true, Some("its number".into())),
            _ => {}
        }
    }
    run(&*open(json!({})), &package).expect("it is loaded");
    let table = SERVER.describe("hints", "t");
    assert_eq!(table["timePartitioning"]["field"], "at", "{table}");
    assert_eq!(table["clustering"], json!({"fields": ["id"]}));
    let fields = table["schema"]["fields"].as_array().expect("fields");
    assert!(fields.iter().any(|f| f["description"] == "its number"), "{table}");
}
