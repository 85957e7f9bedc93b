//! Records of one load with the same primary key, where rows' ids are made of it (dlt's mode): found while the load is
//! normalised, so that its package is not sealed. Only the first keys are remembered; the destination's own check sees
//! all of them.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::package::{Part, PartRows};
use longshore_core::schema::{ColumnRole, DataType, MergeStrategy, Table};
use std::collections::{HashMap, HashSet};

/// Memory does not grow with the input: this is about 8 MB.
const MOST: usize = 250_000;
/// dlt's ids have 14 characters.
const ID_BYTES: usize = 16;

/// The ids of the load so far, by root table.
#[derive(Debug, Default)]
pub(crate) struct RepeatedKeys {
    seen: HashMap<String, HashSet<[u8; ID_BYTES]>>,
    count: usize,
    /// A table and its key, where one came twice.
    found: Option<(String, String)>,
}

impl RepeatedKeys {
    /// Takes the rows of a part that is in memory.
    pub(crate) fn add_part(&mut self, part: &Part) {
        if let PartRows::Memory(batches) = &part.rows {
            batches.iter().for_each(|rows| self.add(&part.table, rows));
        }
    }

    /// Takes some rows of a table.
    pub(crate) fn add(&mut self, table: &Table, rows: &RecordBatch) {
        if self.found.is_some() || self.count >= MOST || !has_ids_of_keys(table) {
            return;
        }
        let ids = table.system(ColumnRole::RowId).and_then(|c| rows.column_by_name(&c.name));
        let Some(ids) = ids.and_then(|ids| ids.as_string_opt::<i32>()) else { return };
        let seen = self.seen.entry(table.name.clone()).or_default();
        for id in ids.iter().flatten().filter(|id| id.len() <= ID_BYTES) {
            let mut key = [0; ID_BYTES];
            key[..id.len()].copy_from_slice(id.as_bytes());
            if !seen.insert(key) {
                self.found = Some((table.name.clone(), table.write.primary_key.join(", ")));
                return;
            }
        }
        self.count += rows.num_rows();
    }

    /// Ends a load that has such records.
    ///
    /// # Errors
    /// When it has.
    pub(crate) fn check(&self) -> Result<()> {
        let Some((table, key)) = &self.found else { return Ok(()) };
        Err(Error::new(ErrorKind::Data, "records of one load have the same primary key")
            .with("table", table)
            .with("key", key)
            .hint("nothing was loaded; with dlt's system columns this strategy needs a key that is unique in a load, and delete-insert does not"))
    }
}

fn has_ids_of_keys(table: &Table) -> bool {
    use MergeStrategy::{Cdc, InsertOnly, Upsert};
    table.is_root()
        && table.write.merges()
        && matches!(table.write.strategy, Upsert | InsertOnly | Cdc)
        && table.system(ColumnRole::RowId).is_some_and(|c| c.data_type == DataType::Text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, StringArray};
    use longshore_core::schema::{Disposition, SystemColumns, WriteRules};
    use std::sync::Arc;

    fn found(strategy: MergeStrategy, blocks: &[&[&str]]) -> bool {
        let mut table = Table::new("t", None);
        table.columns = vec![SystemColumns::Dlt.column(ColumnRole::RowId)];
        let (disposition, primary_key) = (Disposition::Merge, vec!["id".to_owned()]);
        table.write = WriteRules { disposition, strategy, primary_key, ..WriteRules::default() };
        let mut keys = RepeatedKeys::default();
        for ids in blocks {
            let ids: ArrayRef = Arc::new(StringArray::from(ids.to_vec()));
            keys.add(&table, &RecordBatch::try_from_iter([("_dlt_id", ids)]).unwrap());
        }
        keys.check().is_err()
    }

    #[test]
    fn a_key_that_comes_twice_is_found_in_any_block() {
        let (once, twice): (&[&[&str]], &[&[&str]]) = (&[&["a", "b"], &["c"]], &[&["a", "b"], &["a"]]);
        assert!(found(MergeStrategy::Upsert, twice) && found(MergeStrategy::Cdc, &[&["a", "a"]]));
        assert!(!found(MergeStrategy::Upsert, once));
        assert!(!found(MergeStrategy::DeleteInsert, twice), "its ids are the load's");
    }
}
