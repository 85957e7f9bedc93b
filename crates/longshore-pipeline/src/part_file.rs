//! One file of a package: record batches of one table in Arrow's IPC stream format, with a checksum.
//!
//! Arrow IPC with LZ4 and not Parquet: it is written several times faster and read without decoding
//! (figures in docs/benchmarks.md).

use arrow_array::RecordBatch;
use arrow_ipc::CompressionType;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::Schema;
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::normalize::cast_batch;
use longshore_core::package::{PartFile, PartFileReader};
use longshore_core::schema::Table;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Writes a part file.
pub(crate) struct PartFileWriter {
    path: PathBuf,
    writer: StreamWriter<Hashing>,
    table: String,
    columns: usize,
    schema: Schema,
    rows: u64,
}

impl PartFileWriter {
    /// Creates the file for a table as it is now.
    pub(crate) fn create(path: PathBuf, table: &Table, schema: &Schema) -> Result<Self> {
        let failed = |e: Box<dyn std::error::Error + Send + Sync>| write_error(&path, e);
        let file = File::create_new(&path).map_err(|e| failed(e.into()))?;
        let options = IpcWriteOptions::default()
            .try_with_compression(Some(CompressionType::LZ4_FRAME))
            .map_err(|e| failed(e.into()))?;
        let sink = Hashing { file, hash: crc32fast::Hasher::new(), bytes: 0 };
        let writer = StreamWriter::try_new_with_options(sink, schema, options).map_err(|e| failed(e.into()))?;
        Ok(PartFileWriter {
            path,
            writer,
            table: table.name.clone(),
            columns: table.columns.len(),
            schema: schema.clone(),
            rows: 0,
        })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(|e| write_error(&self.path, e.into()))
    }

    /// Returns true when the table has still the columns the file has, with the same types.
    pub(crate) fn fits(&self, table: &Table, schema: &Schema) -> bool {
        self.columns == table.columns.len() && self.schema == *schema
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.writer.get_ref().bytes
    }

    /// Ends the file. It still has to be brought to the disk.
    pub(crate) fn finish(mut self) -> Result<(PartFile, PathBuf)> {
        let path = self.path;
        self.writer.finish().map_err(|e| write_error(&path, e.into()))?;
        let sink = self.writer.get_ref();
        let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let crc32 = format!("{:08x}", sink.hash.clone().finalize());
        let part =
            PartFile { table: self.table, file, columns: self.columns, rows: self.rows, bytes: sink.bytes, crc32 };
        Ok((part, path))
    }
}

/// A write error of the working folder, with the way out.
pub(crate) fn write_error(path: &Path, source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    let text = source.to_string();
    let is_full = text.contains("No space left") || text.contains("os error 28");
    let message = if is_full { "the disk of the working folder is full" } else { "cannot write to the working folder" };
    Error::storage(message)
        .with("file", path.display())
        .hint("make room or check the rights, or choose another folder with --data-dir; nothing was loaded")
        .source(source)
}

/// Counts and hashes what goes into a file.
struct Hashing {
    file: File,
    hash: crc32fast::Hasher,
    bytes: u64,
}

impl Write for Hashing {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(buffer)?;
        self.hash.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// A part file of a sealed package.
#[derive(Debug)]
pub(crate) struct StoredPart {
    pub(crate) path: PathBuf,
    pub(crate) crc32: String,
    pub(crate) rows: u64,
    /// The table as it is at the end of the load: columns may have become wider behind this part.
    pub(crate) table: Arc<Table>,
}

impl PartFileReader for StoredPart {
    fn path(&self) -> &Path {
        &self.path
    }

    fn rows(&self) -> u64 {
        self.rows
    }

    fn open(&self) -> Result<Box<dyn Iterator<Item = Result<RecordBatch>> + Send>> {
        self.check()?;
        let path = self.path.clone();
        let file = File::open(&path).map_err(|e| damaged(&path).source(e))?;
        let reader = StreamReader::try_new(BufReader::with_capacity(1 << 20, file), None)
            .map_err(|e| damaged(&path).source(e))?;
        let table = Arc::clone(&self.table);
        let batches = reader.map(move |batch| batch.map_err(|e| damaged(&path).source(e)));
        Ok(Box::new(batches.map(move |batch| cast_batch(&batch?, &table))))
    }
}

impl StoredPart {
    fn check(&self) -> Result<()> {
        let mut file = File::open(&self.path).map_err(|e| damaged(&self.path).source(e))?;
        let mut hash = crc32fast::Hasher::new();
        let mut buffer = vec![0; 1 << 18];
        loop {
            match file.read(&mut buffer).map_err(|e| damaged(&self.path).source(e))? {
                0 => break,
                n => hash.update(&buffer[..n]),
            }
        }
        let found = format!("{:08x}", hash.finalize());
        if found == self.crc32 {
            return Ok(());
        }
        Err(damaged(&self.path).source(format!("its checksum is {found}, the manifest says {}", self.crc32)))
    }
}

fn damaged(path: &Path) -> Error {
    // <pipeline>/packages/<load id>/<file>
    let pipeline = path.ancestors().nth(3).and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    Error::new(ErrorKind::Storage, "a file of the package is missing or damaged")
        .with("file", path.display())
        .hint(format!("drop the package with 'longshore pipeline {pipeline} drop-package' and load the input again"))
}
