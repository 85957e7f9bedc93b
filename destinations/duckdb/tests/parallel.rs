//! A table that is too long for one thread: several make row groups of their own, and nothing is lost.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type};
use arrow_array::{Int64Array, StringArray};
use longshore_core::connect::Connection;
use longshore_core::destination::CommitOutcome;
use longshore_core::schema::DataType;
use longshore_testkit::fixture::PackageBuilder;
use std::sync::Arc;

const ROWS: i64 = 400_000;

#[tokio::test]
async fn all_rows_of_a_long_table_arrive_once() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("duckdb:///{}", folder.path().join("long.duckdb").display());
    let mut connection = Connection::new(&url);
    connection.limits.threads = Some(2);
    let destination = longshore_destination_duckdb::open(&connection).unwrap();

    let numbers = Arc::new(Int64Array::from_iter_values(0..ROWS));
    let texts = StringArray::from_iter((0..ROWS).map(|n| (n % 3 > 0).then(|| format!("a text of row number {n}"))));
    let columns = vec![("n", DataType::Bigint, numbers as _), ("t", DataType::Text, Arc::new(texts) as _)];
    let package = PackageBuilder::new("long", "data", 1).arrays("long", columns).build();

    let load = destination.begin(&package.opening()).await.unwrap();
    let mut staged = Vec::new();
    for part in &package.parts {
        staged.push(load.stage(part).await.unwrap());
    }
    let outcome = load.commit(&package.manifest, &staged).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed(_)));

    let sql = "SELECT count(*), count(DISTINCT n), sum(n)::DECIMAL(38,0), count(*) FILTER (t = 'a text of row number ' || n), \
               count(*) FILTER (t IS NULL AND n % 3 = 0) FROM long";
    let answer = destination.query("data", sql).await.unwrap();
    let count = |column: usize| answer[0].column(column).as_primitive::<Int64Type>().value(0);
    assert_eq!((count(0), count(1)), (ROWS, ROWS));
    assert_eq!(answer[0].column(2).as_primitive::<Decimal128Type>().value(0), i128::from(ROWS * (ROWS - 1) / 2));
    assert_eq!(count(3) + count(4), ROWS);
}
