//! Loads orders into a destination of one's own, a folder of JSON lines, and prints the files.

mod jsonl;

use jsonl::JsonLines;
use longshore::Pipeline;
use serde_json::json;
use std::fs;
use std::sync::Arc;

fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("out");

    let pipeline = Pipeline::builder()
        .name("shop")
        .data_dir(folder.path().join("longshore"))
        .custom_destination(Arc::new(JsonLines::new(&out)))
        .table("orders")
        .build()?;
    let report = pipeline.load_records([
        json!({"id": 1, "customer": {"name": "Ada"}, "lines": [{"sku": "anchor"}, {"sku": "rope"}]}),
        json!({"id": 2, "customer": {"name": "Grace"}, "lines": [{"sku": "rope"}]}),
    ])?;
    println!("{} records loaded", report.counts.normalised);

    let load = report.load_id.map(|id| out.join("shop_dataset").join(id.as_str())).unwrap_or_default();
    let mut files = fs::read_dir(load)?.collect::<Result<Vec<_>, _>>()?;
    files.sort_by_key(|f| f.file_name());
    for file in files {
        println!("{}: {} bytes", file.file_name().display(), file.metadata()?.len());
    }
    for table in pipeline.tables()? {
        println!("table {}: {} rows", table.table, table.rows);
    }
    Ok(())
}
