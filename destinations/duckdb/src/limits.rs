//! What memory DuckDB cannot do without, whatever it is held to. With less it gives a load up, at the commit at the latest.

use arrow_array::{Array, RecordBatch};
use std::collections::VecDeque;

/// What cannot be spilled while a thread appends to a table, for each of its columns: a block of 256 KiB for values and one
/// that says which are null.
const COLUMN: u64 = 2 << 18;
/// What is wanted beside that, such as dictionaries. Measured with 31 tables.
const OTHER: u64 = 64 << 20;
/// What stays in memory of each column of a table that has rows of an open transaction: its last ones, up to a vector of 16
/// bytes each. Measured with 1,000 tables of 7 and 11 columns.
const END: u64 = 32 << 10;
/// Rows that are in memory together, whatever their size, when they are committed and when a checkpoint reads them: a vector.
pub(crate) const VECTOR: u64 = 2048;
/// Texts no longer than this never make a vector that matters.
const LONG_TEXT: u64 = 16 << 10;

/// Returns what appending takes, to a table with so many columns on so many threads, while other tables of the load have
/// `others` columns together.
pub(crate) fn appending(columns: usize, threads: usize, others: usize) -> u64 {
    (columns * threads.max(1)) as u64 * COLUMN + others as u64 * END + OTHER
}

/// Returns what a checkpoint takes, which goes through all columns of all tables that changed, and whose largest vector has
/// so many bytes. Measured with 31 tables of 473 columns, and with texts of 100 KB to 50 MB.
pub(crate) fn checkpoint(columns: u64, vector: u64) -> u64 {
    columns * (3 << 18) + vector * 3 / 2
}

/// The most bytes that [`VECTOR`] rows in a row have, of rows that pass by.
#[derive(Debug, Default)]
pub(crate) struct Vectors {
    /// Rows and bytes of the last pieces, the newest at the end.
    recent: VecDeque<(u64, u64)>,
    rows: u64,
    bytes: u64,
    largest: u64,
}

impl Vectors {
    /// Takes rows that come behind those that came before.
    pub(crate) fn pass(&mut self, batch: &RecordBatch) {
        let mut from = 0;
        while from < batch.num_rows() {
            let rows = (batch.num_rows() - from).min(VECTOR as usize);
            let bytes: usize = batch
                .columns()
                .iter()
                // A column that cannot say its size has none that varies.
                .map(|c| c.slice(from, rows).to_data().get_slice_memory_size().unwrap_or(0))
                .sum();
            self.push(rows as u64, bytes as u64);
            from += rows;
        }
    }

    /// Takes some rows of that many bytes, no more than a vector's.
    pub(crate) fn push(&mut self, rows: u64, bytes: u64) {
        self.recent.push_back((rows, bytes));
        (self.rows, self.bytes) = (self.rows + rows, self.bytes + bytes);
        while let Some(&(oldest, size)) = self.recent.front().filter(|(oldest, _)| self.rows - oldest >= VECTOR) {
            self.recent.pop_front();
            (self.rows, self.bytes) = (self.rows - oldest, self.bytes - size);
        }
        self.largest = self.largest.max(self.bytes);
    }

    /// Returns the largest vector there can be among them.
    pub(crate) fn largest(&self) -> u64 {
        self.largest
    }
}

/// Returns true when DuckDB's statistics of a column ("… Max String Length: 5000]…") tell of long texts, or do not tell.
pub(crate) fn has_long_texts(statistics: &str) -> bool {
    let length = statistics.split("Max String Length: ").nth(1).map(|rest| {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..digits].parse::<u64>().unwrap_or(u64::MAX)
    });
    length.is_none_or(|length| length > LONG_TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::StringArray;
    use std::sync::Arc;

    #[test]
    fn the_largest_vector_is_found_wherever_it_begins() {
        let mut vectors = Vectors::default();
        vectors.push(2048, 10);
        vectors.push(100, 1000);
        vectors.push(1900, 500);
        assert!(vectors.largest() >= 1500 && vectors.largest() <= 1510, "{}", vectors.largest());
        for _ in 0..10 {
            vectors.push(2048, 700);
        }
        assert_eq!(vectors.largest(), 1510);
    }

    #[test]
    fn sizes_are_those_of_the_slice() {
        let texts = Arc::new(StringArray::from_iter_values(
            (0..10_000).map(|i| "a".repeat(if i == 9_000 { 1 << 20 } else { 1 })),
        ));
        let batch = RecordBatch::try_from_iter([("t", texts as _)]).unwrap();
        let mut vectors = Vectors::default();
        vectors.pass(&batch);
        assert!((1 << 20..2 << 20).contains(&vectors.largest()), "{}", vectors.largest());
    }

    #[test]
    fn statistics_tell_of_long_texts() {
        let said =
            |n: &str| format!("[Min: aaaaaaaa, Max: b, Has Unicode: false, Max String Length: {n}][Has Null: false]");
        assert!(!has_long_texts(&said("5000")) && has_long_texts(&said("50000")) && has_long_texts("[No stats]"));
    }
}
