//! Records of one load with the same primary key, where rows' ids are made of it (dlt's mode): found while the load is
//! normalised, so that its package is not sealed. Memory does not grow with the input: what is beyond it goes to files.

use crate::part_file::write_error;
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::package::{Part, PartRows};
use longshore_core::schema::{ColumnRole, DataType, MergeStrategy, Table};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// Ids in memory: this is about 8 MB.
const MOST: usize = 250_000;
/// Files, each with ids that are in no other: a set of one of them is in memory at a time.
const FILES: usize = 64;
/// dlt's ids have 14 characters.
const ID_BYTES: usize = 16;

/// The number of a table, and an id in it.
type Key = [u8; 2 + ID_BYTES];

/// The ids of the load so far.
#[derive(Debug)]
pub(crate) struct RepeatedKeys {
    /// Root tables and their keys.
    tables: Vec<(String, String)>,
    seen: HashSet<Key>,
    most: usize,
    /// Where ids go that memory has no room for; without a place they are not looked at.
    folder: Option<PathBuf>,
    files: Option<Files>,
    /// The table in which a key came twice.
    found: Option<usize>,
    /// There were ids that were not looked at.
    is_partial: bool,
}

impl RepeatedKeys {
    /// Looks at the first ids only, and writes nothing.
    pub(crate) fn of_the_first() -> Self {
        RepeatedKeys {
            tables: Vec::new(),
            seen: HashSet::new(),
            most: MOST,
            folder: None,
            files: None,
            found: None,
            is_partial: false,
        }
    }

    /// Looks at all; `folder` is made when memory is not enough, and gone after [`RepeatedKeys::check`].
    pub(crate) fn of_all(folder: PathBuf) -> Self {
        RepeatedKeys { folder: Some(folder), ..RepeatedKeys::of_the_first() }
    }

    /// Takes the rows of a part that is in memory.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub(crate) fn add_part(&mut self, part: &Part) -> Result<()> {
        match &part.rows {
            PartRows::Memory(batches) => batches.iter().try_for_each(|rows| self.add(&part.table, rows)),
            _ => Ok(()),
        }
    }

    /// Takes some rows of a table.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub(crate) fn add(&mut self, table: &Table, rows: &RecordBatch) -> Result<()> {
        if self.found.is_some() || !has_ids_of_keys(table) {
            return Ok(());
        }
        if self.folder.is_none() && self.seen.len() >= self.most {
            self.is_partial |= rows.num_rows() > 0;
            return Ok(());
        }
        let ids = table.system(ColumnRole::RowId).and_then(|c| rows.column_by_name(&c.name));
        let Some(ids) = ids.and_then(|ids| ids.as_string_opt::<i32>()) else { return Ok(()) };
        let number = self.number_of(table);
        let mut ids = ids.iter().flatten().filter(|id| id.len() <= ID_BYTES);
        while let Some(id) = ids.next() {
            let mut key = [0; 2 + ID_BYTES];
            key[..2].copy_from_slice(&(number as u16).to_le_bytes());
            key[2..2 + id.len()].copy_from_slice(id.as_bytes());
            if let Some(files) = &mut self.files {
                files.write(&key)?;
            } else if !self.seen.insert(key) {
                self.found = Some(number);
                return Ok(());
            } else if self.seen.len() >= self.most && !self.spill()? {
                self.is_partial = ids.next().is_some();
                return Ok(());
            }
        }
        Ok(())
    }

    fn number_of(&mut self, table: &Table) -> usize {
        self.tables.iter().position(|(name, _)| *name == table.name).unwrap_or_else(|| {
            self.tables.push((table.name.clone(), table.write.primary_key.join(", ")));
            self.tables.len() - 1
        })
    }

    /// Gives all ids to files. False when there is no place for them.
    fn spill(&mut self) -> Result<bool> {
        let Some(folder) = &self.folder else { return Ok(false) };
        let mut files = Files::begin(folder)?;
        for key in std::mem::take(&mut self.seen) {
            files.write(&key)?;
        }
        self.files = Some(files);
        Ok(true)
    }

    /// Returns true when there were ids that were not looked at.
    pub(crate) fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// How many ids are looked at where there is no place for more.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Ends a load that has such records.
    ///
    /// # Errors
    /// When it has, or the files cannot be read.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let (None, Some(files)) = (self.found, self.files.take()) {
            self.found = files.repeated()?;
        }
        let Some((table, key)) = self.found.and_then(|number| self.tables.get(number)) else { return Ok(()) };
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

/// Ids on the disk. Equal ones are in the same file.
#[derive(Debug)]
struct Files {
    folder: PathBuf,
    open: Vec<BufWriter<File>>,
}

impl Files {
    fn begin(folder: &Path) -> Result<Self> {
        let open = || {
            fs::create_dir_all(folder)?;
            let file = |number: usize| Ok(BufWriter::new(File::create(path(folder, number))?));
            (0..FILES).map(file).collect::<io::Result<Vec<_>>>()
        };
        Ok(Files { folder: folder.to_owned(), open: open().map_err(|e| write_error(folder, e.into()))? })
    }

    fn write(&mut self, key: &Key) -> Result<()> {
        let number = crc32fast::hash(key) as usize % FILES;
        self.open[number].write_all(key).map_err(|e| write_error(&self.folder, e.into()))
    }

    /// Returns the table of a key that is there twice, and removes the files.
    fn repeated(self) -> Result<Option<usize>> {
        let Files { folder, mut open } = self;
        let failed = |e: io::Error| write_error(&folder, e.into());
        open.iter_mut().try_for_each(BufWriter::flush).map_err(failed)?;
        drop(open);
        let mut found = None;
        for number in 0..FILES {
            found = repeated_in(&path(&folder, number)).map_err(failed)?;
            if found.is_some() {
                break;
            }
        }
        fs::remove_dir_all(&folder).map_err(failed)?;
        Ok(found)
    }
}

fn path(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("{number:02}"))
}

fn repeated_in(path: &Path) -> io::Result<Option<usize>> {
    let keys = fs::metadata(path)?.len() as usize / size_of::<Key>();
    let (mut file, mut seen) = (BufReader::new(File::open(path)?), HashSet::with_capacity(keys));
    for _ in 0..keys {
        let mut key: Key = [0; 2 + ID_BYTES];
        file.read_exact(&mut key)?;
        if !seen.insert(key) {
            return Ok(Some(u16::from_le_bytes([key[0], key[1]]).into()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, StringArray};
    use longshore_core::schema::{Disposition, SystemColumns, WriteRules};
    use std::sync::Arc;

    fn table(name: &str, strategy: MergeStrategy) -> Table {
        let mut table = Table::new(name, None);
        table.columns = vec![SystemColumns::Dlt.column(ColumnRole::RowId)];
        let (disposition, primary_key) = (Disposition::Merge, vec!["id".to_owned()]);
        table.write = WriteRules { disposition, strategy, primary_key, ..WriteRules::default() };
        table
    }

    fn rows(ids: &[&str]) -> RecordBatch {
        let ids: ArrayRef = Arc::new(StringArray::from(ids.to_vec()));
        RecordBatch::try_from_iter([("_dlt_id", ids)]).unwrap()
    }

    fn found(strategy: MergeStrategy, blocks: &[&[&str]]) -> bool {
        let table = table("t", strategy);
        let mut keys = RepeatedKeys::of_the_first();
        for ids in blocks {
            keys.add(&table, &rows(ids)).unwrap();
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

    #[test]
    fn it_is_known_when_there_are_more_than_are_looked_at() {
        let is_partial = |blocks: &[&[&str]]| {
            let mut keys = RepeatedKeys { most: 2, ..RepeatedKeys::of_the_first() };
            for ids in blocks {
                keys.add(&table("t", MergeStrategy::Upsert), &rows(ids)).unwrap();
            }
            keys.is_partial()
        };
        assert!(!is_partial(&[&["a"], &["b"]]) && !is_partial(&[&["a", "b"], &[]]));
        assert!(is_partial(&[&["a", "b", "c"]]) && is_partial(&[&["a", "b"], &["c"]]));
    }

    #[test]
    fn keys_that_memory_has_no_room_for_are_looked_at_too() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("keys");
        let ids: Vec<String> = (0..500).map(|n| format!("id {n}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let (t, u) = (table("t", MergeStrategy::Upsert), table("u", MergeStrategy::Upsert));
        let found = |last: &str| {
            let mut keys = RepeatedKeys { most: 3, ..RepeatedKeys::of_all(folder.clone()) };
            keys.add(&t, &rows(&ids)).unwrap();
            keys.add(&u, &rows(&[&ids[..], &[last]].concat())).unwrap();
            assert!(folder.exists());
            let found = keys.check().err().map(|e| e.to_string());
            assert!(!folder.exists(), "the package would have it");
            found
        };
        assert_eq!(found("another"), None, "one id in two tables is none that comes twice");
        // Before there were files, at their beginning, and at their end.
        for twice in ["id 1", "id 2", "id 499"] {
            assert!(found(twice).is_some_and(|e| e.contains("table u")), "{twice}");
        }
    }
}
