//! Files are read by other programs as they were meant: pyarrow, DuckDB for Python, plain Python, dlt.
#![allow(clippy::unwrap_used)] // in helpers of tests, too

mod common;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray,
    Time64MicrosecondArray, TimestampMicrosecondArray,
};
use longshore_core::connect::Connection;
use longshore_core::schema::DataType;
use longshore_testkit::fixture::{Package, PackageBuilder, load};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

fn one_of_each() -> Package {
    let decimal = Decimal128Array::from(vec![1 << 64]).with_precision_and_scale(38, 0).unwrap();
    let columns: Vec<(&str, DataType, ArrayRef)> = vec![
        ("a_text", DataType::Text, Arc::new(StringArray::from(vec!["naïve"]))),
        ("a_bigint", DataType::Bigint, Arc::new(Int64Array::from(vec![-7]))),
        ("a_double", DataType::Double, Arc::new(Float64Array::from(vec![0.1]))),
        ("a_bool", DataType::Bool, Arc::new(BooleanArray::from(vec![true]))),
        (
            "a_timestamp",
            DataType::Timestamp,
            Arc::new(TimestampMicrosecondArray::from(vec![1_706_745_599_000_001]).with_timezone("UTC")),
        ),
        ("a_json", DataType::Json, Arc::new(StringArray::from(vec![r#"{"k":[1,null]}"#]))),
        ("a_decimal", DataType::Decimal, Arc::new(decimal)),
        ("a_binary", DataType::Binary, Arc::new(BinaryArray::from_vec(vec![b"\x00\xfe"]))),
        ("a_date", DataType::Date, Arc::new(Date32Array::from(vec![19_782]))),
        ("a_time", DataType::Time, Arc::new(Time64MicrosecondArray::from(vec![45_296_000_007]))),
    ];
    PackageBuilder::new("shop", "data", 1).dlt().arrays("t", columns).state(serde_json::json!({"cursor": 1})).build()
}

fn python() -> String {
    if let Ok(python) = std::env::var("LONGSHORE_PYTHON") {
        return python;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/get-python");
    let found = Command::new(script).output().expect("the script runs");
    String::from_utf8(found.stdout).expect("a path").trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn others_read_the_files() {
    let python = python();
    for query in [
        "",
        "?compression=zstd",
        "?format=jsonl",
        "?format=jsonl&compression=gzip",
        "?format=csv",
        "?format=csv&compression=gzip",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("lake");
        let destination = common::open(&Connection::new(format!("{}{query}", place.display()))).unwrap();
        load(&*destination, &one_of_each()).await.unwrap();
        let form = ["jsonl", "csv"].into_iter().find(|f| query.contains(f)).unwrap_or("parquet");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readback.py");
        let done = Command::new(&python).arg(script).arg(&place).arg(form).output().unwrap();
        assert!(done.status.success(), "{query}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_gathered_into_files_of_the_target_size() {
    let folder = tempfile::tempdir().unwrap();
    let destination = common::open(&Connection::new(format!(
        "{}?target_file_size=64KB&row_group_rows=5000",
        folder.path().display()
    )))
    .unwrap();
    let ids: ArrayRef =
        Arc::new(StringArray::from_iter_values((0..40_000).map(|i| format!("{:x}", i * 2_654_435_761_u64))));
    let package =
        PackageBuilder::new("shop", "data", 1).arrays("t", vec![("v", DataType::Text, ids)]).build().in_parts_of(500);
    load(&*destination, &package).await.unwrap();
    let sizes: Vec<u64> = std::fs::read_dir(folder.path().join("data/t"))
        .unwrap()
        .map(|f| f.unwrap().metadata().unwrap().len())
        .collect();
    assert!((3..=8).contains(&sizes.len()), "80 parts became files of {sizes:?} bytes");
}
