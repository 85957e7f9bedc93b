//! A table that takes part in a merge: its columns afterwards, the rows that came, the files that are there.

use crate::config::{Compression, FileFormat};
use crate::engine::Engine;
use crate::local::Local;
use crate::manifest::{self, CurrentTable, DataFile, FileColumn};
use crate::scan;
use crate::stage::StagedFile;
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{Field, Schema as ArrowSchema};
use longshore_core::error::{Error, Result};
use longshore_core::schema::{Column, ColumnRole, DataType, SystemColumns, Table};
use longshore_sql::{identifier, literal, validity_table};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;

/// The form of files with rows that are to be merged.
pub(crate) const STAGING: FileFormat = FileFormat::Parquet(Compression::Snappy);
/// The column of such files that says in which order the rows came; no column of a table is named so.
pub(crate) const ORDER: &str = "_longshore order";

/// One table of a family.
pub(crate) struct Member {
    /// With all columns it has after the merge.
    pub(crate) table: Arc<Table>,
    /// Files with the rows that came; their paths are whole.
    staged: Vec<(DataFile, Vec<FileColumn>)>,
    /// Files that are there.
    pub(crate) there: Vec<(DataFile, Vec<FileColumn>)>,
}

/// Returns the table whose files hold rows to be merged. Records without their key are refused with a good message
/// later, so any value may be missing.
pub(crate) fn staging(table: &Table) -> Table {
    let order = Column::data(ORDER, DataType::Bigint);
    let columns = table.columns.iter().map(|c| Column { nullable: !is_always_there(c), ..c.clone() });
    Table { columns: [order].into_iter().chain(columns).collect(), ..table.clone() }
}

/// Returns rows with their numbers, from `first` on.
pub(crate) fn numbered(batch: &RecordBatch, first: u64) -> Result<RecordBatch> {
    let first = first as i64;
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(first..first + batch.num_rows() as i64));
    let mut fields = vec![Arc::new(Field::new(ORDER, DataType::Bigint.arrow(), false))];
    fields.extend(batch.schema().fields().iter().cloned());
    let columns = [numbers].into_iter().chain(batch.columns().iter().cloned()).collect();
    RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), columns)
        .map_err(|e| Error::internal("rows cannot be numbered").source(e))
}

/// Rows that came before a table was merged may lack its keys, root ids and hashes.
fn is_always_there(column: &Column) -> bool {
    use ColumnRole::{ListIndex, LoadId, ParentId, RowId};
    matches!(column.role, Some(RowId | LoadId | ParentId | ListIndex))
}

impl Member {
    pub(crate) fn new(
        table: &Table,
        system: SystemColumns,
        staged: &[StagedFile],
        current: Option<&CurrentTable>,
    ) -> Self {
        let in_files = manifest::columns(&staging(table));
        let staged = staged.iter().filter_map(|f| {
            let path = f.written.path()?.display().to_string();
            Some((DataFile { path, ..f.file.clone() }, in_files[..f.file.columns.min(in_files.len())].to_vec()))
        });
        let whole = validity_table(table, system);
        let mut columns = manifest::columns(&whole);
        manifest::add_columns(&mut columns, current.map_or(&[], |c| &c.columns));
        let column = |c: &FileColumn| match whole.column(&c.name) {
            Some(k) => {
                Column { nullable: !is_always_there(k), role: k.role, ..Column::of_type(&c.name, c.column_type) }
            }
            None => Column::of_type(&c.name, c.column_type),
        };
        let table = Table { columns: columns.iter().map(column).collect(), ..table.clone() };
        let there = current.map(|c| c.files.clone()).unwrap_or_default();
        Member { table: Arc::new(table), staged: staged.collect(), there }
    }

    /// True when the load brought rows.
    pub(crate) fn has_new_rows(&self) -> bool {
        !self.staged.is_empty()
    }

    /// The quoted name of the rows that came.
    pub(crate) fn staged_name(&self) -> String {
        format!("staged.{}", identifier(&self.table.name))
    }

    /// The query of the rows that came, with all columns and [`ORDER`].
    pub(crate) fn staged(&self) -> String {
        let mut columns = self.columns();
        columns.push(FileColumn { name: ORDER.to_owned(), column_type: DataType::Bigint.into() });
        scan::select(&columns, self.staged.iter(), |f| PathBuf::from(&f.path), false)
    }

    /// The query of rows that are there, with [`scan::FILE`]: some columns (all of them, when none are named) of some
    /// files.
    pub(crate) fn rows(&self, columns: &[&str], files: &[usize], local: &Local) -> String {
        let mut wanted = self.columns();
        wanted.retain(|c| columns.is_empty() || columns.contains(&c.name.as_str()));
        scan::select(&wanted, files.iter().map(|i| &self.there[*i]), |f| local.path(f), true)
    }

    pub(crate) fn columns(&self) -> Vec<FileColumn> {
        manifest::columns(&self.table)
    }

    /// Returns the paths of files below the dataset's folder.
    pub(crate) fn paths(&self, files: &[usize]) -> Vec<String> {
        files.iter().map(|i| self.there[*i].0.path.clone()).collect()
    }

    /// Returns the places of files among those that are there.
    pub(crate) fn places(&self, paths: &[String], local: &Local) -> Vec<usize> {
        let is_one = |f: &DataFile| paths.iter().any(|p| *p == local.path(f).display().to_string());
        (0..self.there.len()).filter(|i| is_one(&self.there[*i].0)).collect()
    }

    /// Returns the files that may have rows whose `keys` are among the values of the table `values`: the columns
    /// `named` there, in the same order. Those of which nothing is known may.
    pub(crate) fn candidates(
        &self,
        engine: &Engine,
        keys: &[&str],
        values: &str,
        named: &[&str],
    ) -> Result<Vec<usize>> {
        let (mut candidates, mut rows) = (Vec::new(), Vec::new());
        for (i, (file, _)) in self.there.iter().enumerate() {
            match keys.iter().map(|k| self.bounds(file, k)).collect::<Option<Vec<String>>>() {
                Some(bounds) => rows.push(format!("({i}, {})", bounds.join(", "))),
                None => candidates.push(i),
            }
        }
        if !rows.is_empty() {
            let columns: Vec<String> = (0..keys.len()).map(|k| format!("low{k}, high{k}")).collect();
            let within = |(k, name): (usize, &&str)| format!("v.{} BETWEEN f.low{k} AND f.high{k}", identifier(name));
            let within: Vec<String> = named.iter().enumerate().map(within).collect();
            let found: Vec<u64> = engine.list(&format!(
                "SELECT place::UBIGINT FROM (VALUES {}) f(place, {}) WHERE EXISTS (SELECT 1 FROM {values} v WHERE {})",
                rows.join(", "),
                columns.join(", "),
                within.join(" AND ")
            ))?;
            candidates.extend(found.into_iter().map(|i| i as usize));
        }
        candidates.sort_unstable();
        Ok(candidates)
    }

    fn bounds(&self, file: &DataFile, column: &str) -> Option<String> {
        let data_type = self.table.column(column)?.data_type;
        let value = |v: &Value| match (data_type, v) {
            (DataType::Bigint, Value::Number(n)) => Some(format!("({n})::BIGINT")),
            (DataType::Text, Value::String(text)) => Some(literal(text)),
            _ => None,
        };
        let [low, high] = file.bounds.get(column)?;
        Some(format!("{}, {}", value(low)?, value(high)?))
    }
}
