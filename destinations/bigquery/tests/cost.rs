//! What a load would be billed: asked by dry runs, which the emulator answers with 0. Here a strict double answers as the API's
//! documentation says (https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobStatistics).

#[allow(dead_code)] // the other tests use the rest
mod server;

use longshore_core::connect::Connection;
use longshore_core::destination::{Cost, Growth, TableSize};
use longshore_core::package::TableCount;
use longshore_core::schema::{Disposition, MergeStrategy, Schema, SchemaChange, WriteRules};
use longshore_testkit::fixture::PackageBuilder;
use serde_json::{Value, json};
use server::double::{Double, Pair};

const MIB: u64 = 1 << 20;

fn schema(disposition: Disposition) -> Schema {
    let primary_key = if disposition == Disposition::Merge { vec!["id".to_owned()] } else { Vec::new() };
    let rules = WriteRules { disposition, strategy: MergeStrategy::DeleteInsert, primary_key, ..WriteRules::default() };
    let package = PackageBuilder::new("cost", "shop", 1).writing(rules);
    package.json("orders", r#"{"id":1,"lines":[{"sku":"a"}]}"#).build().manifest.schema
}

fn ask(double: &Double, schema: &Schema) -> Cost {
    let url = format!("bigquery://p?endpoint={}", double.url);
    let destination = longshore_destination_bigquery::open(&Connection::new(url)).expect("the settings are right");
    let existing = ["_loads", "orders", "orders__lines"].map(|t| TableCount { table: t.into(), rows: 5 });
    let change = SchemaChange::between(schema, schema);
    let growth = Growth { dataset: "shop", drops: &[], schema, change: &change, rejects: false, existing: &existing };
    let size = |table: &str, bytes| TableSize { table: table.into(), rows: 1, bytes };
    let sizes = [size("orders", 3), size("orders__lines", 11 * MIB + 1)];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let cost = runtime.block_on(destination.cost(&growth, &sizes)).expect("it is answered").expect("BigQuery bills");
    double.knew_all();
    cost
}

fn table(columns: &[(&str, &str)]) -> Value {
    let fields = columns.iter().map(|(name, kind)| json!({"name": name, "type": kind})).collect::<Vec<_>>();
    json!({"kind": "bigquery#table", "schema": {"fields": fields}})
}

fn pairs() -> Vec<Pair> {
    let statistics = json!({
        "totalBytesProcessed": "41943041",
        "query": {"statementType": "SELECT", "totalBytesBilled": "0", "referencedTables": [{"tableId": "orders"}]},
    });
    vec![
        ("GET /datasets/shop HTTP", 200, json!({"kind": "bigquery#dataset", "location": "EU"})),
        ("GET /datasets/shop/tables/orders HTTP", 200, table(&[("id", "INTEGER"), ("_row_id", "INTEGER")])),
        ("GET /datasets/shop/tables/orders%5F%5Flines HTTP", 200, table(&[("sku", "STRING"), ("_root_id", "INTEGER")])),
        ("POST /jobs HTTP", 200, json!({"status": {"state": "DONE"}, "statistics": statistics})),
    ]
}

#[test]
fn a_merge_is_billed_for_what_its_statements_would_read() {
    let double = Double::start(pairs());
    let cost = ask(&double, &schema(Disposition::Merge));
    let found: Vec<(&str, u64, bool)> =
        cost.items.iter().map(|i| (i.what.as_str(), i.bytes_billed / MIB, i.is_dry_run)).collect();
    let expected = [
        ("moving the 1 new rows of orders from their staging table", 10, false),
        ("moving the 1 new rows of orders__lines from their staging table", 12, false),
        ("looking whether the load is there already", 41, true),
        ("looking for rows of orders with the keys of new ones", 41, true),
        ("taking old rows out of orders__lines", 41, true),
        ("taking old rows out of orders", 41, true),
    ];
    assert_eq!(found, expected, "{cost:#?}");
    assert_eq!(cost.bytes_billed, cost.items.iter().map(|i| i.bytes_billed).sum::<u64>());
    let asked = double.bodies();
    assert!(asked.iter().all(|b| b["configuration"]["dryRun"] == true && b["jobReference"]["location"] == "EU"));
    let queries: Vec<&str> = asked.iter().filter_map(|b| b["configuration"]["query"]["query"].as_str()).collect();
    let doomed = "SELECT d.`_row_id` AS row_id FROM `shop`.`orders` d WHERE EXISTS (SELECT 1 FROM (SELECT CAST(NULL AS INT64) AS `id`, CAST(NULL AS INT64) AS `_row_id`) s WHERE s.`id` = d.`id`)";
    assert!(queries.contains(&doomed), "{queries:#?}");
    assert!(
        queries.iter().any(|q| q.starts_with("DELETE FROM `shop`.`orders__lines` WHERE `_root_id` IN (")),
        "{queries:#?}"
    );
}

#[test]
fn appending_and_replacing_read_nothing_that_is_there() {
    for disposition in [Disposition::Append, Disposition::Replace] {
        let double = Double::start(pairs());
        let cost = ask(&double, &schema(disposition));
        assert_eq!(cost.items.iter().filter(|i| i.is_dry_run).count(), 1, "{cost:#?}");
    }
}
