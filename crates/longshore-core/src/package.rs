//! The load package: one sealed, immutable bundle of rows, schema, state and counts.
//!
//! The words here are pure data; the files they stand for are written and read by
//! `longshore-pipeline`.

use crate::error::Result;
use crate::lease::Fence;
use crate::schema::{Schema, SchemaChange, SystemColumns, Table};
use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Identifies one load: the moment it began, in microseconds since 1970, as text.
///
/// Native mode writes the number (`1763826000123456`; a bigint column, which costs nothing to store),
/// dlt mode Unix seconds with six decimals, as dlt does (`1763826000.123456`; a text column).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LoadId(String);

impl LoadId {
    /// Returns the load id of that moment.
    pub fn from_micros(micros: u64, system: SystemColumns) -> Self {
        match system {
            SystemColumns::Native => LoadId(micros.to_string()),
            SystemColumns::Dlt => LoadId(format!("{:010}.{:06}", micros / 1_000_000, micros % 1_000_000)),
        }
    }

    /// Reads a load id written by [`LoadId::from_micros`] or by dlt.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |s: &str| !s.is_empty() && s.len() <= 18 && s.bytes().all(|b| b.is_ascii_digit());
        (digits(whole) && digits(fraction)).then(|| LoadId(text.to_owned()))
    }

    /// Returns the moment, in microseconds since 1970.
    pub fn micros(&self) -> u64 {
        match self.0.split_once('.') {
            None => self.0.parse().unwrap_or(0),
            Some((seconds, fraction)) => {
                let micros = format!("{fraction:0<6.6}").parse::<u64>().unwrap_or(0);
                seconds.parse::<u64>().unwrap_or(0).saturating_mul(1_000_000).saturating_add(micros)
            }
        }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialOrd for LoadId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for LoadId {
    /// By moment; the two ways of writing are told apart only where it is the same.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.micros().cmp(&other.micros()).then_with(|| self.0.cmp(&other.0))
    }
}

impl fmt::Display for LoadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a load goes inside a destination, and for which pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The pipeline's name.
    pub pipeline: String,
    /// The schema, dataset or folder the tables stand in.
    pub dataset: String,
}

/// Everything about a sealed package but the rows themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this file's form.
    pub format: u32,
    /// The load.
    pub load_id: LoadId,
    /// Where it was meant to go.
    pub target: Target,
    /// Which loads of the pipeline may stand in a dataset that this one is brought to.
    #[serde(default, skip_serializing_if = "Fence::is_open")]
    pub fence: Fence,
    /// Tables that go with all they have, before those of the schema are made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drops: Vec<String>,
    /// Root tables that lose their rows, with those of the tables below them, before the load's rows come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub empties: Vec<String>,
    /// Root tables of the resources that took part, with or without records.
    #[serde(default)]
    pub resources: Vec<String>,
    /// The whole schema after this load.
    pub schema: Schema,
    /// What the load adds to the schema it began from.
    pub change: SchemaChange,
    /// The source's state after this load; `None` when the source keeps none.
    pub state: Option<serde_json::Value>,
    /// Records read, normalised, rejected and discarded.
    pub counts: Counts,
    /// What the schema contract had left out, by table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discards: Vec<DiscardCount>,
    /// Rows per table, in table order. Tables without rows in this load are not listed.
    pub tables: Vec<TableCount>,
    /// The files with the rows.
    pub parts: Vec<PartFile>,
}

/// Records of one load: `read = normalised + rejected + discarded`, always.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Records the source gave.
    pub read: u64,
    /// Records that became rows.
    pub normalised: u64,
    /// Records kept whole in the rejects table.
    pub rejected: u64,
    /// Records that the schema contract had left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub discarded: u64,
    /// Bytes read, decompressed.
    pub bytes: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// What the schema contract had left out of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscardCount {
    /// The table, perhaps one that was not made.
    pub table: String,
    /// Rows left out. Rows below them are left out with them and not counted.
    pub rows: u64,
    /// Values left out of rows that stay.
    pub values: u64,
}

impl DiscardCount {
    /// Adds to the counts of several tables.
    pub fn add(counts: &mut Vec<DiscardCount>, table: &str, rows: u64, values: u64) {
        match counts.iter_mut().find(|c| c.table == table) {
            Some(count) => (count.rows, count.values) = (count.rows + rows, count.values + values),
            None => counts.push(DiscardCount { table: table.to_owned(), rows, values }),
        }
    }
}

/// Rows of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCount {
    /// The table.
    pub table: String,
    /// Its rows in this load.
    pub rows: u64,
}

/// One file of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartFile {
    /// Whose rows it holds.
    pub table: String,
    /// File name inside the package's folder.
    pub file: String,
    /// How many of the table's columns it has: the first so many, the load id counted but not stored.
    pub columns: usize,
    /// Rows in it.
    pub rows: u64,
    /// Size on disk.
    pub bytes: u64,
    /// CRC-32 of the file, as eight hexadecimal digits.
    pub crc32: String,
}

impl Manifest {
    /// Returns the root tables whose earlier rows go, whether or not new ones come.
    pub fn replaced(&self) -> impl Iterator<Item = &Table> {
        let takes_part = move |t: &Table| self.resources.contains(&t.name);
        let goes = move |t: &&Table| t.is_root() && (self.is_emptied(t) || (takes_part(t) && t.write.replaces()));
        self.schema.tables.iter().filter(goes)
    }

    /// Returns true for a root table whose earlier rows go however the load writes it.
    pub fn is_emptied(&self, table: &Table) -> bool {
        self.empties.contains(&table.name)
    }

    /// Returns the root tables this load merges its rows into.
    pub fn merged(&self) -> impl Iterator<Item = &Table> {
        self.schema.tables.iter().filter(|t| t.is_root() && t.write.merges() && self.rows(&t.name) > 0)
    }

    /// Returns the rows of a table in this load.
    pub fn rows(&self, table: &str) -> u64 {
        self.tables.iter().find(|t| t.table == table).map_or(0, |t| t.rows)
    }
}

/// A batch of rows on its way to a destination, with the table it belongs to as of that batch.
///
/// `rows` has the table's columns in order, without the load id column, which is the same for all
/// rows of a load and is added by the destination.
#[derive(Debug, Clone)]
pub struct Part {
    /// Number of the part in its load, from 0: a repeat of the same load repeats the numbers.
    pub number: u64,
    /// The table, with the columns known when the part was made. Later parts may have more.
    pub table: Arc<Table>,
    /// Where the rows are.
    pub rows: PartRows,
}

/// Rows in memory, or in a file that is read batch by batch.
#[derive(Debug, Clone)]
pub enum PartRows {
    /// Just normalised.
    Memory(Arc<[RecordBatch]>),
    /// In a sealed package.
    File(Arc<dyn PartFileReader>),
}

/// Opens a part's file; given by `longshore-pipeline`, which knows the format.
pub trait PartFileReader: fmt::Debug + Send + Sync {
    /// Returns the file's path, for destinations that can read it themselves.
    fn path(&self) -> &Path;
    /// Returns how many rows the package's manifest says it has.
    fn rows(&self) -> u64;
    /// Reads the rows, batch by batch, after checking the checksum.
    fn open(&self) -> Result<Box<dyn Iterator<Item = Result<RecordBatch>> + Send>>;
}

impl Part {
    /// Returns the rows as an iterator of batches.
    pub fn batches(&self) -> Result<Box<dyn Iterator<Item = Result<RecordBatch>> + Send>> {
        match &self.rows {
            PartRows::Memory(batches) => {
                let batches = Arc::clone(batches);
                Ok(Box::new((0..batches.len()).map(move |i| Ok(batches[i].clone()))))
            }
            PartRows::File(file) => file.open(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LoadId;
    use crate::schema::SystemColumns::{Dlt, Native};

    #[test]
    fn load_ids_are_moments_and_sort_by_them() {
        let micros = 1_763_826_000_000_042;
        assert_eq!(LoadId::from_micros(micros, Native).as_str(), "1763826000000042");
        assert_eq!(LoadId::from_micros(micros, Dlt).as_str(), "1763826000.000042");
        assert_eq!(LoadId::from_micros(micros, Dlt).micros(), micros);
        assert_eq!(LoadId::parse("1763826000.5").map(|l| l.micros()), Some(1_763_826_000_500_000));
        assert!(LoadId::parse("../etc").is_none());
        assert!(LoadId::from_micros(1, Native) < LoadId::from_micros(2_000_000, Dlt));
    }
}
