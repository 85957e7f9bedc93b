//! Benchmark data: nested JSON in three shapes, reproducible for a seed, with the row counts a loader must arrive at.
//!
//! One shape would invite tuning to it, so there are three: [`Shape::Orders`] (what a shop's API returns),
//! [`Shape::Events`] (wide and sparse) and [`Shape::Tree`] (lists of lists, nested twelve deep).

mod clock;
mod events;
mod format;
mod json;
mod orders;
mod rng;
mod tree;

use std::collections::BTreeMap;
use std::io::{self, Write};

pub use format::Format;
use json::Json;
use rng::Rng;

/// Rows per table, under the names a loader in dlt's manner gives them.
pub type RowCounts = BTreeMap<String, u64>;

/// Bytes gathered before they are written out.
const CHUNK: usize = 1 << 20;

/// What kind of records to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// What a shop's API returns: six tables.
    Orders,
    /// Wide and sparse: many keys, few at a time.
    Events,
    /// Lists of lists of numbers, nested deep.
    Tree,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Shape; 3] = [Shape::Orders, Shape::Events, Shape::Tree];

    /// The name on the command line, and the root table's.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Orders => "orders",
            Shape::Events => "events",
            Shape::Tree => "tree",
        }
    }

    /// The shape of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Shape> {
        Shape::ALL.into_iter().find(|shape| shape.name() == name)
    }

    fn records(self, n: u64) -> Box<dyn Records> {
        match self {
            Shape::Orders => Box::new(orders::Orders::new(n)),
            Shape::Events => Box::new(events::Events::new()),
            Shape::Tree => Box::new(tree::Tree::default()),
        }
    }
}

/// A shape's generator: writes one record at a time and counts the rows it becomes.
trait Records {
    fn write(&mut self, i: u64, rng: &mut Rng, out: &mut Json);

    /// Rows of the child tables so far; tables without rows may be missing or zero.
    fn child_rows(&self) -> RowCounts;
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many records.
    pub records: u64,
    /// The size of the file.
    pub bytes: u64,
    /// What every table must hold after a load of the file; tables without rows are left out.
    pub rows: RowCounts,
}

/// Writes `n` records of `shape` to `out`. The same arguments give the same bytes, on every machine.
pub fn generate(shape: Shape, n: u64, seed: u64, format: Format, out: &mut impl Write) -> io::Result<Summary> {
    let mut records = shape.records(n);
    let mut rng = Rng::new(seed);
    let mut frame = format::Frame::new(format, shape.name(), n);
    let mut json = Json { buffer: Vec::with_capacity(CHUNK + CHUNK / 4) };
    let mut bytes = 0;

    frame.open(&mut json.buffer);
    for i in 0..n {
        frame.before_record(i, &mut json.buffer);
        let start = json.buffer.len();
        records.write(i, &mut rng, &mut json);
        frame.after_record(start, &mut json.buffer);
        if json.buffer.len() >= CHUNK {
            bytes += flush(&mut json.buffer, out)?;
        }
    }
    frame.close(&mut json.buffer);
    bytes += flush(&mut json.buffer, out)?;
    out.flush()?;

    let mut rows = records.child_rows();
    rows.retain(|_, count| *count > 0);
    rows.insert(shape.name().to_owned(), n);
    Ok(Summary { records: n, bytes, rows })
}

fn flush(buffer: &mut Vec<u8>, out: &mut impl Write) -> io::Result<u64> {
    out.write_all(buffer)?;
    let written = buffer.len() as u64;
    buffer.clear();
    Ok(written)
}
