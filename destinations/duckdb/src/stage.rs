//! Staging: parts go straight into the tables, inside the load's open transaction, where nobody
//! else sees them.

use crate::chunk::{Chunk, Source, VECTOR_ROWS};
use crate::destination::table_names;
use crate::error::from_message;
use crate::ffi::{Appender, Connection, Database};
use crate::types::DuckDialect;
use async_trait::async_trait;
use longshore_core::destination::{CommitOutcome, Load, Opening, Staged};
use longshore_core::error::{Error, Result};
use longshore_core::package::{Manifest, Part};
use longshore_core::schema::{Column, ColumnRole, DataType, Table};
use longshore_sql::{add_column, create_schema, create_table, identifier, qualified};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A load under way: one connection with one open transaction.
#[derive(Debug)]
pub(crate) struct DuckLoad {
    inner: Mutex<Inner>,
}

/// The load's state; the order of fields is the order of closing: appenders before the connection.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) tables: BTreeMap<String, OpenTable>,
    pub(crate) connection: Option<Connection>,
    pub(crate) opening: Opening,
    pub(crate) path: PathBuf,
    /// Threads the commit may use.
    pub(crate) threads: usize,
    /// The file did not exist before: it goes away again if the load does.
    is_new: bool,
    /// Receipts by part number: a part that comes again is here already.
    staged: BTreeMap<u64, Staged>,
}

/// A table of the dataset as it is now.
#[derive(Debug)]
pub(crate) struct OpenTable {
    /// Column names in the table's order.
    columns: Vec<String>,
    /// Rows it had before the load.
    pub(crate) before: u64,
    /// Rows this load appended.
    pub(crate) appended: u64,
    /// True once this load took out the rows it had before.
    emptied: bool,
    writer: Option<Writer>,
}

#[derive(Debug)]
struct Writer {
    /// Column names of the parts it was made for.
    part_columns: Vec<String>,
    chunk: Chunk,
    appender: Appender,
    /// Rows since the last flush.
    buffered: usize,
}

/// An appender keeps 204,800 rows by itself, and leaves that much of every table to the commit.
/// Flushed earlier, row groups are compressed while the input is still being read.
const FLUSH_ROWS: usize = 16_384;

impl DuckLoad {
    pub(crate) fn begin(
        database: Arc<Database>,
        path: &Path,
        opening: &Opening,
        is_new: bool,
        threads: usize,
    ) -> Result<Self> {
        let failed = |m: String| from_message(&m, path);
        let reader = database.reader().map_err(failed)?;
        let tables = existing_tables(&reader, &opening.target.dataset).map_err(|e| failed(e.to_string()))?;
        drop(reader);
        let mut connection = Connection::new(database).map_err(failed)?;
        // With more threads DuckDB's own would wait busily for rows while the normaliser needs them.
        connection.execute("SET threads = 1").map_err(failed)?;
        connection.execute("BEGIN").map_err(failed)?;
        connection.execute(&create_schema(&opening.target.dataset)).map_err(failed)?;
        let inner = Inner {
            tables,
            connection: Some(connection),
            opening: opening.clone(),
            path: path.to_path_buf(),
            threads,
            is_new,
            staged: BTreeMap::new(),
        };
        Ok(DuckLoad { inner: Mutex::new(inner) })
    }
}

#[async_trait]
impl Load for DuckLoad {
    async fn stage(&self, part: &Part) -> Result<Staged> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.stage(part).map_err(|e| e.with("table", &part.table.name))
    }

    async fn commit(self: Box<Self>, manifest: &Manifest, staged: &[Staged]) -> Result<CommitOutcome> {
        let mut inner = self.inner.into_inner().unwrap_or_else(PoisonError::into_inner);
        crate::commit::commit(&mut inner, manifest, staged)
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        Ok(()) // dropping rolls back
    }
}

impl Inner {
    /// Runs a statement in the load's transaction.
    pub(crate) fn execute(&mut self, sql: &str) -> Result<()> {
        let connection = self.connection.as_mut().ok_or_else(|| Error::internal("the load is over"))?;
        connection.execute(sql).map_err(|m| from_message(&m, &self.path))
    }

    /// Forgets that the file was made by this load: it holds a commit now.
    pub(crate) fn keep_file(&mut self) {
        self.is_new = false;
    }

    fn stage(&mut self, part: &Part) -> Result<Staged> {
        if let Some(receipt) = self.staged.get(&part.number) {
            return Ok(receipt.clone());
        }
        let table = self.place(&part.table)?;
        let mut rows = 0;
        for batch in part.batches()? {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            self.append(&table, &batch)?;
        }
        let receipt = Staged { part: part.number, table: part.table.name.clone(), rows };
        self.staged.insert(part.number, receipt.clone());
        Ok(receipt)
    }

    /// Makes ready the table that a part's rows go to: the table itself, emptied first when it is replaced, or one
    /// beside it when they are to be merged.
    fn place<'a>(&mut self, table: &'a Table) -> Result<Cow<'a, Table>> {
        let table = match table.write.merges() {
            true => Cow::Owned(self.staging(table)),
            false => Cow::Borrowed(table),
        };
        self.ensure_table(&table)?;
        if table.write.replaces() {
            self.empty(&table.name)?;
        }
        Ok(table)
    }

    /// The table that holds rows to be merged until the commit; made and dropped in the load's transaction.
    pub(crate) fn staging(&self, table: &Table) -> Table {
        let name = format!("_staging_{}_{}", self.opening.load_id, table.name);
        Table { name, ..table.clone() }
    }

    /// Takes out the rows a table had before this load.
    pub(crate) fn empty(&mut self, table: &str) -> Result<()> {
        let Some(open) = self.tables.get_mut(table).filter(|t| !t.emptied) else { return Ok(()) };
        (open.emptied, open.before) = (true, 0);
        let dataset = &self.opening.target.dataset;
        self.execute(&format!("DELETE FROM {}", qualified(dataset, table)))
    }

    /// Makes the table, or the columns it lacks.
    pub(crate) fn ensure_table(&mut self, table: &Table) -> Result<()> {
        let dataset = self.opening.target.dataset.clone();
        let Some(open) = self.tables.get_mut(&table.name) else {
            self.execute(&create_table(&DuckDialect, &dataset, table))?;
            let columns = table.columns.iter().map(|c| c.name.clone()).collect();
            let open = OpenTable { columns, before: 0, appended: 0, emptied: false, writer: None };
            self.tables.insert(table.name.clone(), open);
            return Ok(());
        };
        let same = |c: &Column| open.columns.iter().any(|known| known.eq_ignore_ascii_case(&c.name));
        let missing: Vec<Column> = table.columns.iter().filter(|c| !same(c)).cloned().collect();
        if missing.is_empty() {
            return Ok(());
        }
        // An appender is bound to the columns of its table: what it holds goes in first.
        if let Some(mut writer) = open.writer.take() {
            writer.appender.flush().map_err(|m| from_message(&m, &self.path))?;
        }
        open.columns.extend(missing.iter().map(|c| c.name.clone()));
        for column in &missing {
            self.execute(&add_column(&DuckDialect, &dataset, &table.name, column))?;
        }
        Ok(())
    }

    fn append(&mut self, table: &Table, batch: &arrow_array::RecordBatch) -> Result<()> {
        let path = self.path.clone();
        let failed = |m: String| from_message(&m, &path);
        let dataset = self.opening.target.dataset.clone();
        let load_id = self.opening.load_id.as_str().to_owned();
        let (Some(open), Some(connection)) = (self.tables.get_mut(&table.name), self.connection.as_mut()) else {
            return Err(Error::internal("a batch came for a table that was not made"));
        };
        let is_same = |w: &Writer| w.part_columns.iter().eq(table.columns.iter().map(|c| &c.name));
        if !open.writer.as_ref().is_some_and(is_same) {
            if let Some(mut writer) = open.writer.take() {
                writer.appender.flush().map_err(failed)?;
            }
            let appender = connection.appender(&dataset, &table.name).map_err(failed)?;
            let chunk = Chunk::new(sources(&open.columns, table), &load_id);
            let part_columns = table.columns.iter().map(|c| c.name.clone()).collect();
            open.writer = Some(Writer { part_columns, chunk, appender, buffered: 0 });
        }
        let Some(writer) = open.writer.as_mut() else { return Err(Error::internal("no writer")) };
        let mut first = 0;
        while first < batch.num_rows() {
            let rows = VECTOR_ROWS.min(batch.num_rows() - first);
            writer.chunk.fill(batch, first, rows);
            writer.appender.append(&writer.chunk).map_err(failed)?;
            first += rows;
        }
        writer.buffered += batch.num_rows();
        if writer.buffered >= FLUSH_ROWS {
            writer.appender.flush().map_err(failed)?;
            writer.buffered = 0;
        }
        open.appended += batch.num_rows() as u64;
        Ok(())
    }

    /// Asks for a whole number in the load's transaction.
    pub(crate) fn number(&mut self, sql: &str) -> Result<u64> {
        let connection = self.connection.as_mut().ok_or_else(|| Error::internal("the load is over"))?;
        let number = connection.number(sql).map_err(|m| from_message(&m, &self.path))?;
        Ok(number.try_into().unwrap_or(0)) // counts are not negative
    }

    /// Returns true when the table has that column already.
    pub(crate) fn has_column(&self, table: &str, column: &str) -> bool {
        self.tables.get(table).is_some_and(|t| t.columns.iter().any(|c| c.eq_ignore_ascii_case(column)))
    }

    /// Brings everything appended into the tables.
    pub(crate) fn flush(&mut self) -> Result<()> {
        for (name, table) in &mut self.tables {
            if let Some(mut writer) = table.writer.take() {
                writer.appender.flush().map_err(|m| from_message(&m, &self.path).with("table", name))?;
            }
        }
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for table in self.tables.values_mut() {
            if let Some(writer) = &mut table.writer {
                writer.appender.discard();
            }
        }
        self.tables.clear();
        self.connection = None; // rolls back, and closes the database if nobody else has it
        if self.is_new {
            // Best effort: an empty database file is harmless.
            let _ = std::fs::remove_file(&self.path);
            let mut wal = self.path.clone().into_os_string();
            wal.push(".wal");
            let _ = std::fs::remove_file(wal);
        }
    }
}

/// For each column of the table, where a part's batch has it.
fn sources(columns: &[String], part: &Table) -> Vec<(Source, DataType)> {
    let in_batch: Vec<&Column> = part.columns.iter().filter(|c| c.role != Some(ColumnRole::LoadId)).collect();
    columns
        .iter()
        .map(|name| {
            if let Some(i) = in_batch.iter().position(|c| c.name.eq_ignore_ascii_case(name)) {
                return (Source::Column(i), in_batch[i].data_type);
            }
            match part.system(ColumnRole::LoadId).filter(|c| c.name == *name) {
                Some(c) => (Source::LoadId, c.data_type),
                None => (Source::Missing, DataType::Text),
            }
        })
        .collect()
}

fn existing_tables(c: &duckdb::Connection, dataset: &str) -> duckdb::Result<BTreeMap<String, OpenTable>> {
    let mut tables = BTreeMap::new();
    for name in table_names(c, dataset)? {
        let sql = format!("SELECT count(*) FROM {}.{}", identifier(dataset), identifier(&name));
        let before: i64 = c.query_row(&sql, [], |r| r.get(0))?;
        tables.insert(
            name,
            OpenTable { columns: Vec::new(), before: before as u64, appended: 0, emptied: false, writer: None },
        );
    }
    let sql = "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = current_database() AND schema_name = ? ORDER BY table_name, column_index";
    let mut statement = c.prepare(sql)?;
    let rows = statement.query_map([dataset], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)))?;
    for row in rows {
        let (table, column) = row?;
        if let Some(open) = tables.get_mut(&table) {
            open.columns.push(column);
        }
    }
    Ok(tables)
}
