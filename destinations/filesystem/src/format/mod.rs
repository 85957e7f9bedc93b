//! Rows into the bytes of a data file. What costs time, encoding a piece of rows, needs nothing but the
//! piece, so that several threads can do it; pieces are then put behind one another in order.

mod parquet;
mod text;

pub(crate) use self::parquet::bounds;

use crate::config::FileFormat;
use crate::sink::Sink;
use ::parquet::arrow::arrow_writer::ArrowColumnChunk;
use ::parquet::file::writer::SerializedFileWriter;
use arrow_array::RecordBatch;
use longshore_core::error::Result;
use longshore_core::schema::{Column, ColumnRole, Table};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is the same for all files of a table with the same columns.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) format: FileFormat,
    pub(crate) table: Table,
    parquet: Option<parquet::Shape>,
}

/// A piece of rows, encoded.
pub(crate) enum Encoded {
    /// A row group.
    Columns { chunks: Vec<ArrowColumnChunk>, rows: u64 },
    /// Lines, compressed by themselves.
    Lines { bytes: Vec<u8>, rows: u64, longest: u64 },
}

/// A data file under way.
#[expect(clippy::large_enum_variant, reason = "one a table is open at once")]
pub(crate) enum OpenFile {
    Parquet(Box<SerializedFileWriter<Sink>>),
    Text(Sink),
}

impl Spec {
    /// Returns the spec of a table; the first rows say which columns gain by a dictionary.
    pub(crate) fn new(format: FileFormat, table: &Table, first: &[RecordBatch]) -> Result<Self> {
        let parquet = match format {
            FileFormat::Parquet(compression) => Some(parquet::Shape::new(compression, table, first)?),
            _ => None,
        };
        Ok(Spec { format, table: table.clone(), parquet })
    }

    /// Encodes rows that have the spec's columns or fewer.
    pub(crate) fn encode(&self, batches: &[RecordBatch]) -> Result<Encoded> {
        match (&self.parquet, self.format) {
            (Some(shape), _) => shape.encode(batches),
            (None, FileFormat::Csv(compression)) => text::csv(&self.table, batches, compression),
            (None, format) => text::jsonl(&self.table, batches, format.compression()),
        }
    }

    /// Begins a file.
    pub(crate) fn open(&self, mut sink: Sink) -> Result<OpenFile> {
        match (&self.parquet, self.format) {
            (Some(shape), _) => shape.open(sink).map(|w| OpenFile::Parquet(Box::new(w))),
            (None, FileFormat::Csv(compression)) => {
                text::write(&mut sink, &text::header(&self.table, compression)?)?;
                Ok(OpenFile::Text(sink))
            }
            (None, _) => Ok(OpenFile::Text(sink)),
        }
    }
}

impl OpenFile {
    /// Puts a piece behind what is there.
    pub(crate) fn append(&mut self, piece: Encoded) -> Result<()> {
        match (self, piece) {
            (OpenFile::Parquet(writer), Encoded::Columns { chunks, .. }) => parquet::append(writer, chunks),
            (OpenFile::Text(sink), Encoded::Lines { bytes, .. }) => text::write(sink, &bytes),
            _ => Err(longshore_core::error::Error::internal("a piece came to a file of another form")),
        }
    }

    /// Bytes written so far.
    pub(crate) fn written(&self) -> u64 {
        match self {
            OpenFile::Parquet(writer) => writer.inner().written(),
            OpenFile::Text(sink) => sink.written(),
        }
    }

    /// Bytes that wait in memory.
    pub(crate) fn held(&self) -> usize {
        match self {
            OpenFile::Parquet(writer) => writer.inner().held(),
            OpenFile::Text(sink) => sink.held(),
        }
    }

    /// The least and the greatest value of the columns that merges look for.
    pub(crate) fn bounds(&self, table: &Table) -> BTreeMap<String, [Value; 2]> {
        match self {
            OpenFile::Parquet(writer) => {
                let place = |column: &Column| table.columns.iter().position(|c| c.name == column.name);
                bounds(writer.flushed_row_groups(), table, place)
            }
            OpenFile::Text(_) => BTreeMap::new(),
        }
    }

    /// Ends the file and gives its sink back.
    pub(crate) fn finish(self) -> Result<Sink> {
        match self {
            OpenFile::Parquet(writer) => parquet::finish(*writer),
            OpenFile::Text(sink) => Ok(sink),
        }
    }
}

impl Encoded {
    pub(crate) fn rows(&self) -> u64 {
        let (Encoded::Columns { rows, .. } | Encoded::Lines { rows, .. }) = self;
        *rows
    }

    /// Bytes of the longest line; 0 where there are none.
    pub(crate) fn longest(&self) -> u64 {
        match self {
            Encoded::Columns { .. } => 0,
            Encoded::Lines { longest, .. } => *longest,
        }
    }
}

/// For each column of the table, its place in a batch of it; the load id is in batches here.
fn places(table: &Table, batch: &RecordBatch) -> Vec<Option<usize>> {
    table.columns.iter().map(|c| batch.schema_ref().index_of(&c.name).ok()).collect()
}

/// Ids rise, or are as good as random: no value comes often.
fn is_id(role: Option<ColumnRole>) -> bool {
    matches!(role, Some(ColumnRole::RowId | ColumnRole::ParentId | ColumnRole::RootId))
}
