//! A Parquet file that is uploaded while it is being written.

use crate::types::{STAGED_ROW, staged_type};
use crate::upload::{CHUNK, Chunk};
use crate::wide_json::keep_exact;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray, new_null_array};
use arrow_schema::{DataType as ArrowType, Field, Schema, SchemaRef};
use bytes::Bytes;
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::normalize::cast_array;
use longshore_core::package::LoadId;
use longshore_core::schema::{Column, ColumnRole, DataType, Table};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use std::sync::Arc;
use tokio::sync::mpsc::Sender;

/// Rows that are not in the file yet are brought there when they hold this much memory.
const ROW_GROUP: usize = 16 << 20;

/// The file under way.
pub(crate) struct FileWriter {
    parquet: ArrowWriter<Vec<u8>>,
    schema: SchemaRef,
    columns: Vec<Column>,
    load_id: LoadId,
    /// Number of the file's first row in its table, where rows are numbered.
    first_row: Option<u64>,
    chunks: Sender<Chunk>,
    waiting: Vec<u8>,
    rows: u64,
    /// Bytes that left, or wait for the rest of their chunk.
    pub(crate) written: u64,
}

impl FileWriter {
    /// Begins a file with those columns; it leaves through `chunks`.
    pub(crate) fn new(
        columns: &[Column],
        load_id: &LoadId,
        first_row: Option<u64>,
        chunks: Sender<Chunk>,
    ) -> Result<Self> {
        let field = |c: &Column| Field::new(&c.name, staged_arrow(c), c.nullable);
        let number = first_row.map(|_| Field::new(STAGED_ROW, DataType::Bigint.arrow(), true));
        let schema = Arc::new(Schema::new(columns.iter().map(field).chain(number).collect::<Vec<_>>()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by("longshore".to_owned())
            .build();
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let parquet = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&schema), options).map_err(broken)?;
        let (columns, load_id) = (columns.to_vec(), load_id.clone());
        Ok(FileWriter {
            parquet,
            schema,
            columns,
            load_id,
            first_row,
            chunks,
            waiting: Vec::new(),
            rows: 0,
            written: 0,
        })
    }

    /// True when a part of that table needs no more columns than the file has.
    pub(crate) fn fits(&self, table: &Table) -> bool {
        table.columns.len() <= self.columns.len()
    }

    /// Memory that rows which are not in the file yet hold.
    pub(crate) fn memory(&self) -> usize {
        self.parquet.memory_size()
    }

    /// Adds a batch of a part; columns it lacks are null.
    pub(crate) async fn write(&mut self, table: &Table, batch: &RecordBatch) -> Result<()> {
        let rows = batch.num_rows();
        let mut given = batch.columns().iter();
        let own = table.columns.iter().map(|c| match c.role {
            Some(ColumnRole::LoadId) => None,
            _ => given.next(),
        });
        let own: Vec<Option<&ArrayRef>> = own.collect();
        let array = |(i, c): (usize, &Column)| match (own.get(i).copied().flatten(), c.role) {
            (_, Some(ColumnRole::LoadId)) => constant(&self.load_id, c.data_type, rows),
            (Some(array), _) if c.data_type == DataType::Json => keep_exact(array),
            // BigQuery's moments are all in UTC.
            (Some(array), _) if c.data_type == DataType::Timestamp => in_utc(array),
            (Some(array), _) => Arc::clone(array),
            (None, _) => new_null_array(&staged_arrow(c), rows),
        };
        let number = self.first_row.map(|first| {
            let numbers = (first + self.rows..).take(rows).map(|n| n as i64);
            Arc::new(Int64Array::from_iter_values(numbers)) as ArrayRef
        });
        let arrays = self.columns.iter().enumerate().map(array).chain(number).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|e| Error::internal("a part is not what its table says").with("table", &table.name).source(e))?;
        self.parquet.write(&batch).map_err(broken)?;
        self.rows += rows as u64;
        if self.memory() >= ROW_GROUP {
            self.flush().await?;
        }
        Ok(())
    }

    /// Brings all rows into the file, and what is a whole chunk on its way.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        self.parquet.flush().map_err(broken)?;
        let ready = std::mem::take(self.parquet.inner_mut());
        self.written += ready.len() as u64;
        self.waiting.extend_from_slice(&ready);
        while self.waiting.len() > CHUNK {
            let rest = self.waiting.split_off(CHUNK);
            let bytes = std::mem::replace(&mut self.waiting, rest);
            self.send(bytes, None).await?;
        }
        Ok(())
    }

    /// Ends the file.
    pub(crate) async fn finish(mut self) -> Result<()> {
        self.flush().await?;
        self.parquet.finish().map_err(broken)?;
        let tail = std::mem::take(self.parquet.inner_mut());
        let mut last = std::mem::take(&mut self.waiting);
        last.extend_from_slice(&tail);
        self.send(last, Some(self.rows)).await
    }

    async fn send(&mut self, bytes: Vec<u8>, rows: Option<u64>) -> Result<()> {
        // The upload may have failed: its own error says more, and is looked at first.
        let ended = |_| Error::new(ErrorKind::Unavailable, "the upload ended early");
        self.chunks.send(Chunk { bytes: Bytes::from(bytes), rows }).await.map_err(ended)
    }
}

/// The load id of every row.
fn staged_arrow(column: &Column) -> ArrowType {
    match column.data_type {
        DataType::Decimal => column.column_type().arrow(),
        data_type => staged_type(data_type).arrow(),
    }
}

fn in_utc(array: &ArrayRef) -> ArrayRef {
    cast_array(array, DataType::Timestamp).unwrap_or_else(|_| Arc::clone(array)) // moments are only named otherwise
}

fn constant(load_id: &LoadId, data_type: DataType, rows: usize) -> ArrayRef {
    match data_type {
        DataType::Bigint => Arc::new(Int64Array::from_value(load_id.micros() as i64, rows)),
        _ => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(load_id.as_str(), rows))),
    }
}

fn broken(error: ParquetError) -> Error {
    Error::internal("a Parquet file cannot be written").source(error)
}
