//! Parts of every size, from memory and from files.

use super::place::{Place, counts, expected_counts};
use super::{Case, cases};
use crate::fixture::Package;
use crate::rows::shared;
use arrow_array::{Int64Array, StringArray};
use longshore_core::Result;
use longshore_core::capabilities::Capabilities;
use longshore_core::destination::Staged;
use longshore_core::schema::DataType;

const MANY: i64 = 200_000;

pub(super) fn cases(capabilities: &Capabilities) -> Vec<Case> {
    let mut all = cases![
        a_receipt_names_part_table_and_rows,
        parts_in_files_are_as_parts_in_memory,
        many_small_parts_are_all_kept,
        a_part_of_many_batches_is_kept,
        a_part_without_rows_is_no_trouble,
        one_large_part_is_kept,
    ];
    all.extend(match capabilities.concurrency.get() {
        1 => cases![parts_of_several_tables_may_be_interleaved],
        _ => cases![parts_of_different_tables_may_be_staged_at_once],
    });
    all
}

/// Two tables that take turns, in several blocks.
fn two_tables(at: &Place) -> Package {
    let blocks = (0..6).map(|n| match n % 2 {
        0 => ("items", format!(r#"{{"id":{n}}} {{"id":{},"tags":["a","b"]}}"#, n + 100)),
        _ => ("users", format!(r#"{{"id":{n},"name":"u{n}"}}"#)),
    });
    blocks.fold(at.package(1), |package, (table, records)| package.json(table, &records)).build()
}

async fn check_two_tables(at: &Place) -> Result<()> {
    at.check("items", &["id"], "[0] [2] [4] [100] [102] [104]").await?;
    at.check("items__tags", &["value"], &r#"["a"] ["b"] "#.repeat(3)).await?;
    at.check("users", &["id", "name"], r#"[1,"u1"] [3,"u3"] [5,"u5"]"#).await
}

async fn a_receipt_names_part_table_and_rows(at: Place) -> Result<()> {
    let package = at.orders(1);
    let destination = at.open().await?;
    let load = destination.begin(&package.opening()).await?;
    let staged = crate::fixture::stage(&*load, &package).await?;
    let receipt = |part, table: &str, rows| Staged { part, table: table.to_owned(), rows };
    assert_eq!(staged, [receipt(0, "orders", 2), receipt(1, "orders__lines", 2)]);
    load.abort().await
}

async fn parts_in_files_are_as_parts_in_memory(at: Place) -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let package = two_tables(&at).in_files(folder.path())?;
    assert_eq!(counts(at.load(&package).await?), expected_counts(&package));
    check_two_tables(&at).await
}

async fn many_small_parts_are_all_kept(at: Place) -> Result<()> {
    let ids = shared(Int64Array::from_iter_values(0..100));
    let package = at.package(1).arrays("t", vec![("id", DataType::Bigint, ids)]).build().in_parts_of(1);
    assert_eq!(package.parts.len(), 100);
    assert_eq!(counts(at.load(&package).await?), [("t".to_owned(), 100)]);
    let expect: String = (0..100).map(|n| format!("[{n}] ")).collect();
    at.check("t", &["id"], &expect).await
}

async fn a_part_of_many_batches_is_kept(at: Place) -> Result<()> {
    let ids = shared(Int64Array::from_iter_values(0..1000));
    let package = at.package(1).arrays("t", vec![("id", DataType::Bigint, ids)]).build().in_batches_of(7);
    assert_eq!(package.parts.len(), 1);
    assert_eq!(counts(at.load(&package).await?), [("t".to_owned(), 1000)]);
    let expect: String = (0..1000).map(|n| format!("[{n}] ")).collect();
    at.check("t", &["id"], &expect).await
}

async fn a_part_without_rows_is_no_trouble(at: Place) -> Result<()> {
    let none = shared(Int64Array::from(Vec::<i64>::new()));
    let one = shared(Int64Array::from(vec![1]));
    let mut package = at
        .package(1)
        .arrays("t", vec![("id", DataType::Bigint, none)])
        .arrays("t", vec![("id", DataType::Bigint, one)])
        .build();
    // Neither a batch without rows nor a part without batches.
    let mut empty = package.parts[0].clone();
    empty.number = 2;
    empty.rows = longshore_core::package::PartRows::Memory(Vec::new().into());
    package.parts.push(empty);
    assert_eq!(counts(at.load(&package).await?), [("t".to_owned(), 1)]);
    at.check("t", &["id"], "[1]").await
}

async fn one_large_part_is_kept(at: Place) -> Result<()> {
    let ids = shared(Int64Array::from_iter_values(0..MANY));
    let names = shared(StringArray::from_iter_values((0..MANY).map(|n| format!("name {}", n % 1000))));
    let columns = vec![("id", DataType::Bigint, ids), ("name", DataType::Text, names)];
    let package = at.package(1).arrays("t", columns).build().in_batches_of(60_000);
    assert_eq!(counts(at.load(&package).await?), [("t".to_owned(), MANY as u64)]);
    let rows = at.read("t").await?;
    let (ids, names) = (rows.column("id"), rows.column("name"));
    let mut seen = vec![false; MANY as usize];
    for (id, name) in ids.iter().zip(&names) {
        let id = id.as_i64().expect("every id is a whole number");
        assert_eq!(name.as_str(), Some(format!("name {}", id % 1000).as_str()));
        assert!(!std::mem::replace(&mut seen[id as usize], true), "row {id} stands there twice");
    }
    assert_eq!(ids.len(), MANY as usize);
    Ok(())
}

async fn parts_of_several_tables_may_be_interleaved(at: Place) -> Result<()> {
    let package = two_tables(&at);
    assert_eq!(counts(at.load(&package).await?), expected_counts(&package));
    check_two_tables(&at).await
}

async fn parts_of_different_tables_may_be_staged_at_once(at: Place) -> Result<()> {
    let package = two_tables(&at);
    let destination = at.open().await?;
    let load = destination.begin(&package.opening()).await?;
    // Three tables, two at once; parts of a table in order.
    let stage = async |wanted: &[&str]| -> Result<Vec<Staged>> {
        let mut staged = Vec::new();
        for part in package.parts.iter().filter(|p| wanted.contains(&p.table.name.as_str())) {
            staged.push(load.stage(part).await?);
        }
        Ok(staged)
    };
    let (some, others) = tokio::join!(stage(&["items"]), stage(&["users", "items__tags"]));
    let staged = [some?, others?].concat();
    assert_eq!(counts(load.commit(&package.manifest, &staged).await?), expected_counts(&package));
    check_two_tables(&at).await
}
