//! What the end of a Parquet file says: columns, and the least and greatest of ids and keys.

use super::{Content, unreadable};
use crate::config::{Compression, FileFormat};
use crate::format::bounds;
use arrow_schema::{DataType as ArrowType, Field, TimeUnit};
use longshore_core::error::{Error, Result};
use longshore_core::schema::{Column, DataType, Table};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::fs::File;
use std::path::Path;

pub(super) fn read(path: &Path, table: &Table) -> Result<Content> {
    let file = File::open(path).map_err(|e| crate::error::from_io(e, path))?;
    let reader = SerializedFileReader::new(file).map_err(unreadable)?;
    let metadata = reader.metadata();
    let described = metadata.file_metadata().schema_descr();
    let arrow = parquet_to_arrow_schema(described, None).map_err(unreadable)?;
    for field in arrow.fields() {
        if let Some(column) = table.column(field.name()) {
            keeps_digits(field, column)?;
        }
    }
    let columns = arrow.fields().iter().map(|f| (f.name().clone(), Some(data_type(f.data_type())))).collect();
    let place = |column: &Column| {
        let field = arrow.field_with_name(&column.name).ok()?;
        let is_same = *field.data_type() == column.column_type().arrow();
        let leaf = |at: &usize| described.column(*at).path().parts() == [column.name.clone()];
        (0..described.num_columns()).find(leaf).filter(|_| is_same)
    };
    let bounds = bounds(metadata.row_groups(), table, place);
    let largest = metadata.row_groups().iter().map(|group| group.total_byte_size()).max().unwrap_or_default();
    // How it is compressed, the file itself says.
    let format = FileFormat::Parquet(Compression::None);
    Ok(Content { format, columns, longest_line: u64::try_from(largest).unwrap_or_default(), bounds })
}

/// DuckDB reads larger decimals as doubles, and rounds digits that do not fit.
fn keeps_digits(field: &Field, column: &Column) -> Result<()> {
    let keeps = match (field.data_type(), column.data_type) {
        (ArrowType::Decimal256(precision, _), _) if *precision > 38 => false,
        (ArrowType::Decimal128(_, scale) | ArrowType::Decimal256(_, scale), DataType::Decimal) => {
            i16::from(*scale) <= i16::from(column.column_type().decimal_size().1)
        }
        _ => true,
    };
    if keeps {
        return Ok(());
    }
    Err(Error::destination("dlt wrote decimals with more digits than the column has, and merging would lose some")
        .with("column", &column.name)
        .hint("load the whole table once with --write-disposition replace, which takes dlt's files away"))
}

/// The type of a column that no schema knows.
fn data_type(arrow: &ArrowType) -> DataType {
    match arrow {
        ArrowType::Boolean => DataType::Bool,
        ArrowType::Int8 | ArrowType::Int16 | ArrowType::Int32 | ArrowType::Int64 => DataType::Bigint,
        ArrowType::UInt8 | ArrowType::UInt16 | ArrowType::UInt32 => DataType::Bigint,
        ArrowType::Float16 | ArrowType::Float32 | ArrowType::Float64 => DataType::Double,
        ArrowType::Timestamp(TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond, Some(_)) => {
            DataType::Timestamp
        }
        ArrowType::Date32 => DataType::Date,
        ArrowType::Time32(_) | ArrowType::Time64(TimeUnit::Microsecond) => DataType::Time,
        ArrowType::Binary | ArrowType::LargeBinary => DataType::Binary,
        ArrowType::List(_) | ArrowType::Struct(_) | ArrowType::Map(..) => DataType::Json,
        // As text, every other value keeps what it says.
        _ => DataType::Text,
    }
}
