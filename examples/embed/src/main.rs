//! Loads Rust values into a DuckDB file and looks at the tables they became.

use arrow_cast::pretty::pretty_format_batches;
use longshore::Pipeline;
use serde::Serialize;

#[derive(Serialize)]
struct Order {
    id: u64,
    placed_at: &'static str,
    customer: Customer,
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Customer {
    name: &'static str,
    country: Option<&'static str>,
}

#[derive(Serialize)]
struct Line {
    sku: &'static str,
    quantity: u32,
    price: f64,
}

fn orders() -> Vec<Order> {
    let line = |sku, quantity, price| Line { sku, quantity, price };
    vec![
        Order {
            id: 1,
            placed_at: "2025-11-01T09:30:00Z",
            customer: Customer { name: "Ada", country: Some("GB") },
            lines: vec![line("anchor", 1, 120.0), line("rope", 20, 1.25)],
        },
        Order {
            id: 2,
            placed_at: "2025-11-01T11:05:00Z",
            customer: Customer { name: "Grace", country: None },
            lines: vec![line("rope", 5, 1.25)],
        },
    ]
}

fn main() -> anyhow::Result<()> {
    // A program of your own keeps this folder: what an interrupted run left is completed from it.
    let folder = tempfile::tempdir()?;

    let pipeline = Pipeline::builder()
        .name("shop")
        .data_dir(folder.path().join("longshore"))
        .destination(format!("duckdb://{}", folder.path().join("shop.duckdb").display()))
        .table("orders")
        .build()?;
    let report = pipeline.load_records(orders())?;

    println!("{} records became:", report.counts.normalised);
    for table in &report.tables {
        println!("  {}: {} rows", table.table, table.rows);
    }

    // Lists became a child table: `_parent_id` is the `_row_id` of the order.
    let rows = pipeline.query(
        "SELECT o.id, o.placed_at, o.customer__name, l.sku, l.quantity * l.price AS total
         FROM orders o JOIN orders__lines l ON l._parent_id = o._row_id
         ORDER BY o.id, l._list_idx",
    )?;
    println!("{}", pretty_format_batches(&rows)?);
    Ok(())
}
