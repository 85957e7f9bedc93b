//! Parquet: row groups encoded column by column, with the encodings that suit the values.

use super::{Encoded, is_id, places};
use crate::config::Compression;
use crate::sink::Sink;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{Field, Schema as ArrowSchema, SchemaRef};
use longshore_core::error::{Error, Result};
use longshore_core::schema::{Column, ColumnRole, DataType, Table};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression as Codec, Encoding, LogicalType, Type as PhysicalType, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr, WriterVersion};
use parquet::file::statistics::Statistics;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type, TypePtr};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::sync::Arc;

/// Schema and properties of the files of one table.
#[derive(Debug)]
pub(crate) struct Shape {
    table: Table,
    arrow: SchemaRef,
    root: TypePtr,
    properties: WriterPropertiesPtr,
    columns: ArrowRowGroupWriterFactory,
}

/// Values of a column that are looked at before it gets a dictionary or none.
const SAMPLE: usize = 4096;
/// Rows that the column writers are given at once.
const BATCH: usize = 4096;

impl Shape {
    pub(crate) fn new(compression: Compression, table: &Table, first: &[RecordBatch]) -> Result<Self> {
        let arrow: SchemaRef = Arc::new(ArrowSchema::new(table.columns.iter().map(field).collect::<Vec<_>>()));
        let properties = Arc::new(properties(compression, table, first));
        let schema = ArrowSchemaConverter::new().convert(&arrow).map_err(|e| failed(e, table))?;
        let root = with_json(&schema.root_schema_ptr(), table).map_err(|e| failed(e, table))?;
        let plain = SerializedFileWriter::new(io::sink(), Arc::clone(&root), Arc::clone(&properties));
        let plain = plain.map_err(|e| failed(e, table))?;
        let columns = ArrowRowGroupWriterFactory::new(&plain, Arc::clone(&arrow));
        Ok(Shape { table: table.clone(), arrow, root, properties, columns })
    }

    /// Encodes one row group.
    pub(crate) fn encode(&self, batches: &[RecordBatch]) -> Result<Encoded> {
        let failed = |e| failed(e, &self.table);
        let mut writers = self.columns.create_column_writers(0).map_err(failed)?;
        for batch in batches {
            let places = places(&self.table, batch);
            for ((place, field), writer) in places.iter().zip(self.arrow.fields()).zip(&mut writers) {
                let array: ArrayRef = match place {
                    Some(at) => Arc::clone(batch.column(*at)),
                    None => new_null_array(field.data_type(), batch.num_rows()),
                };
                for leaf in compute_leaves(field, &array).map_err(failed)? {
                    writer.write(&leaf).map_err(failed)?;
                }
            }
        }
        let chunks = writers.into_iter().map(|w| w.close()).collect::<Result<_, _>>().map_err(failed)?;
        Ok(Encoded::Columns { chunks, rows: batches.iter().map(|b| b.num_rows() as u64).sum() })
    }

    pub(crate) fn open(&self, sink: Sink) -> Result<SerializedFileWriter<Sink>> {
        SerializedFileWriter::new(sink, Arc::clone(&self.root), Arc::clone(&self.properties))
            .map_err(|e| failed(e, &self.table))
    }
}

/// Puts a row group behind the others.
pub(crate) fn append(writer: &mut SerializedFileWriter<Sink>, chunks: Vec<ArrowColumnChunk>) -> Result<()> {
    let append = || {
        let mut group = writer.next_row_group()?;
        for chunk in chunks {
            chunk.append_to_row_group(&mut group)?;
        }
        group.close().map(|_| ())
    };
    append().map_err(unwritten)
}

/// Writes the footer.
pub(crate) fn finish(writer: SerializedFileWriter<Sink>) -> Result<Sink> {
    writer.into_inner().map_err(unwritten)
}

/// Returns the least and the greatest value of ids and keys over all row groups; none of a column where a row group
/// does not say. `place` is that of a column in the file.
pub(crate) fn bounds(
    groups: &[RowGroupMetaData],
    table: &Table,
    place: impl Fn(&Column) -> Option<usize>,
) -> BTreeMap<String, [Value; 2]> {
    let is_key = |name: &String| table.write.primary_key.contains(name) || table.write.merge_key.contains(name);
    let wanted = |c: &Column| matches!(c.role, Some(ColumnRole::RowId | ColumnRole::RootId)) || is_key(&c.name);
    let columns = table.columns.iter().filter(|c| wanted(c));
    let of_all = |at: usize| {
        let mut all: Option<[Value; 2]> = None;
        for group in groups {
            let statistics = group.column(at).statistics()?;
            if statistics.null_count_opt() == Some(group.num_rows() as u64) {
                continue; // no value looked for is there
            }
            let [low, high] = of_group(statistics)?;
            all = Some(match all {
                None => [low, high],
                Some([least, greatest]) => [lesser(least, low, true), lesser(greatest, high, false)],
            });
        }
        all
    };
    columns.filter_map(|c| Some((c.name.clone(), of_all(place(c)?)?))).collect()
}

/// Long texts are cut: the bounds lie further apart then.
fn of_group(statistics: &Statistics) -> Option<[Value; 2]> {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().filter(|t| !t.contains('\0')).map(Value::from);
    match statistics {
        // Old files have texts in another order.
        Statistics::ByteArray(_) if statistics.is_min_max_deprecated() => None,
        Statistics::Int64(numbers) => Some([(*numbers.min_opt()?).into(), (*numbers.max_opt()?).into()]),
        Statistics::ByteArray(_) => Some([text(statistics.min_bytes_opt()?)?, text(statistics.max_bytes_opt()?)?]),
        _ => None,
    }
}

/// The lesser of two numbers or texts, or the greater.
fn lesser(a: Value, b: Value, least: bool) -> Value {
    let b_is_less = match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => b < a,
        _ => b.as_str() < a.as_str(),
    };
    if b_is_less == least { b } else { a }
}

/// All columns may be null but system columns, so a later file may lack them.
fn field(column: &Column) -> Field {
    Field::new(&column.name, column.column_type().arrow(), column.nullable)
}

/// Returns the schema with JSON columns that say so, as Parquet's own type for them.
fn with_json(root: &TypePtr, table: &Table) -> Result<TypePtr, ParquetError> {
    let fields = root.get_fields().iter().zip(&table.columns).map(|(field, column)| {
        if column.data_type != DataType::Json {
            return Ok(Arc::clone(field));
        }
        let made = Type::primitive_type_builder(field.name(), PhysicalType::BYTE_ARRAY)
            .with_repetition(field.get_basic_info().repetition())
            .with_logical_type(Some(LogicalType::Json));
        made.build().map(Arc::new)
    });
    let fields = fields.collect::<Result<Vec<_>, ParquetError>>()?;
    Type::group_type_builder(root.name()).with_fields(fields).build().map(Arc::new)
}

fn properties(compression: Compression, table: &Table, first: &[RecordBatch]) -> WriterProperties {
    let codec = match compression {
        Compression::Snappy => Codec::SNAPPY,
        Compression::Zstd => Codec::ZSTD(ZstdLevel::default()),
        Compression::None | Compression::Gzip => Codec::UNCOMPRESSED,
    };
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(concat!("longshore ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(codec)
        .set_write_batch_size(BATCH)
        // Minimum and maximum of each row group; those of each page cost more than readers gain.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true);
    for column in &table.columns {
        let path = ColumnPath::from(vec![column.name.clone()]);
        let whole = matches!(column.data_type, DataType::Bigint | DataType::Timestamp | DataType::Time);
        if is_id(column.role) || !repeats(column, first) {
            properties = properties.set_column_dictionary_enabled(path.clone(), false);
            // Rising numbers are nearly nothing as differences.
            if whole {
                properties = properties.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
            }
        }
    }
    properties.build()
}

/// True when a dictionary pays: at most half of the first values are different ones.
fn repeats(column: &Column, first: &[RecordBatch]) -> bool {
    let arrays = first.iter().filter_map(|b| b.column_by_name(&column.name));
    let (mut seen, mut different) = (0, 0);
    for array in arrays {
        let rows = array.len().min(SAMPLE - seen);
        let array = array.slice(0, rows);
        let present = rows - array.null_count();
        seen += present;
        different += match column.data_type {
            DataType::Text | DataType::Json => array.as_string::<i32>().iter().flatten().collect::<HashSet<_>>().len(),
            DataType::Bigint => array.as_primitive::<Int64Type>().iter().flatten().collect::<HashSet<_>>().len(),
            DataType::Double => {
                let values = array.as_primitive::<arrow_array::types::Float64Type>();
                values.iter().flatten().map(f64::to_bits).collect::<HashSet<_>>().len()
            }
            DataType::Timestamp => {
                let values = array.as_primitive::<arrow_array::types::TimestampMicrosecondType>();
                values.iter().flatten().collect::<HashSet<_>>().len()
            }
            _ => 0,
        };
        if seen >= SAMPLE {
            break;
        }
    }
    different * 2 <= seen
}

fn failed(e: ParquetError, table: &Table) -> Error {
    Error::destination("the rows cannot be written as Parquet").with("table", &table.name).source(e)
}

/// The sink's own error is inside.
fn unwritten(e: ParquetError) -> Error {
    match e {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(io) => super::text::unwritten(*io),
            Err(inner) => Error::destination("the Parquet file cannot be written").source(inner),
        },
        e => Error::destination("the Parquet file cannot be written").source(e),
    }
}
