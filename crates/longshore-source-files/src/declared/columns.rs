//! Parquet and Arrow files: batches of columns.

use super::find::File as Named;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchReader, StringArray, TimestampMicrosecondArray};
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};
use longshore_core::error::{Error, Result};
use longshore_core::source::ColumnBlock;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::sync::Arc;

/// Rows of a block, at least and at most: within them a block is as large as one of JSON.
const FEWEST_ROWS: u64 = 64;
const MOST_ROWS: u64 = 1 << 16;

/// One file as blocks of columns.
pub(super) struct ColumnBlocks {
    name: Arc<str>,
    schema: SchemaRef,
    batches: Box<dyn Iterator<Item = std::result::Result<RecordBatch, ArrowError>> + Send>,
    /// Of a batch that is larger than a block: what is left of it.
    left: Option<RecordBatch>,
    rows: u64,
    /// All rows, where the file says so.
    total: Option<u64>,
    block_bytes: u64,
    metadata: Option<Named>,
}

impl ColumnBlocks {
    /// Opens a Parquet file; a block has about so many bytes.
    pub(super) fn parquet(named: &Named, file: File, block_bytes: u64, metadata: bool) -> Result<Self> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| {
            let (what, so) = match e.to_string().contains("encrypted") {
                true => ("the file is encrypted, and cannot be read", "write it without encryption"),
                false => ("the file is no Parquet, or a damaged one", "fetch or write it again"),
            };
            wrong(&named.name, what).source(e).hint(so)
        })?;
        let groups = builder.metadata().row_groups();
        let bytes: i64 = groups.iter().map(|g| g.total_byte_size()).sum();
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        let row = u64::try_from(bytes).unwrap_or(0) / rows.max(1);
        let at_once = (block_bytes / row.max(1)).clamp(FEWEST_ROWS, MOST_ROWS) as usize;
        let reader = builder.with_batch_size(at_once).build();
        let reader = reader.map_err(|e| wrong(&named.name, "the file cannot be read").source(e))?;
        Ok(ColumnBlocks::new(named, reader, Some(rows), block_bytes, metadata))
    }

    /// Opens an Arrow file, or a stream of Arrow's in a file.
    pub(super) fn arrow(named: &Named, mut file: File, block_bytes: u64, metadata: bool) -> Result<Self> {
        let failed = |e: ArrowError| {
            wrong(&named.name, "the file is no Arrow IPC, or a damaged one").source(e).hint("write it again")
        };
        let mut magic = [0; 6];
        let is_file = file.read_exact(&mut magic).is_ok() && &magic == b"ARROW1";
        if magic.starts_with(b"FEA1") {
            return Err(wrong(&named.name, "the file is of Feather's first version, and cannot be read")
                .hint("write it as Feather 2, which is Arrow IPC"));
        }
        file.rewind().map_err(|e| wrong(&named.name, "the file cannot be read").source(e))?;
        let file = BufReader::new(file);
        if is_file {
            let reader = FileReader::try_new(file, None).map_err(failed)?;
            return Ok(ColumnBlocks::new(named, reader, None, block_bytes, metadata));
        }
        let reader = StreamReader::try_new(file, None).map_err(failed)?;
        Ok(ColumnBlocks::new(named, reader, None, block_bytes, metadata))
    }

    fn new(
        named: &Named,
        batches: impl RecordBatchReader + Send + 'static,
        total: Option<u64>,
        block_bytes: u64,
        metadata: bool,
    ) -> Self {
        let metadata = metadata.then(|| named.clone());
        let name = Arc::from(named.name.as_str());
        let (schema, batches) = (batches.schema(), Box::new(batches));
        ColumnBlocks { name, schema, batches, left: None, rows: 0, total, block_bytes, metadata }
    }

    /// Returns the next block.
    pub(super) fn next_block(&mut self, resource: usize) -> Result<Option<ColumnBlock>> {
        let batch = match self.left.take() {
            Some(left) => left,
            None => match self.batches.next().transpose() {
                Ok(Some(batch)) => batch,
                Ok(None) => return Ok(None),
                Err(e) => {
                    return Err(wrong(&self.name, "the file is damaged").with("row", self.rows).source(e));
                }
            },
        };
        let row = (batch.get_array_memory_size() / batch.num_rows().max(1)) as u64;
        let most = (2 * self.block_bytes / row.max(1)).clamp(FEWEST_ROWS, MOST_ROWS) as usize;
        if batch.num_rows() > most {
            self.left = Some(batch.slice(most, batch.num_rows() - most));
        }
        let rows = batch.slice(0, most.min(batch.num_rows()));
        let first = self.rows;
        self.rows += rows.num_rows() as u64;
        let rows = match &self.metadata {
            Some(file) => {
                with_metadata(&rows, file).map_err(|e| Error::internal("columns differ in length").source(e))?
            }
            None => rows,
        };
        Ok(Some(ColumnBlock { resource, origin: Arc::clone(&self.name), rows, row: first }))
    }

    /// Returns the file's own columns.
    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Returns how many rows were handed out.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns the part of a file's bytes that the rows since `before` are of all rows.
    pub(super) fn share(&self, size: Option<u64>, before: u64) -> usize {
        let share = (self.rows - before) as f64 / self.total.unwrap_or(u64::MAX).max(1) as f64;
        (size.unwrap_or(0) as f64 * share) as usize
    }
}

/// Puts the file's columns before the others.
fn with_metadata(rows: &RecordBatch, file: &Named) -> std::result::Result<RecordBatch, ArrowError> {
    let count = rows.num_rows();
    let mut own: Vec<(&str, ArrayRef)> =
        vec![("_file_name", Arc::new(StringArray::from_iter_values(std::iter::repeat_n(&file.name, count))))];
    if let Some(size) = file.size.and_then(|s| i64::try_from(s).ok()) {
        own.push(("_file_size", Arc::new(Int64Array::from_value(size, count))));
    }
    if let Some(micros) = i64::try_from(file.changed).ok().filter(|c| *c > 0).and_then(|c| c.checked_mul(1000)) {
        let changed = TimestampMicrosecondArray::from_value(micros, count).with_timezone("UTC");
        own.push(("_file_modified", Arc::new(changed)));
    }
    let schema = rows.schema();
    let taken = |name: &str| own.iter().any(|(own, _)| *own == name);
    let others = schema.fields().iter().zip(rows.columns()).filter(|(f, _)| !taken(f.name()));
    let (mut fields, mut columns): (Vec<_>, Vec<_>) =
        own.iter().map(|(n, c)| (Arc::new(Field::new(*n, c.data_type().clone(), true)), Arc::clone(c))).unzip();
    for (field, column) in others {
        fields.push(Arc::clone(field));
        columns.push(Arc::clone(column));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn wrong(name: &str, what: &str) -> Error {
    Error::input(what).with("file", name)
}
