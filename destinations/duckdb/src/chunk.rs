//! Arrow columns as DuckDB vectors: numbers copied as they lie, texts pointed at where they are.
#![allow(unsafe_code)]

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use duckdb::ffi;
use longshore_core::schema::{ColumnType, DataType};
use std::ffi::CString;
use std::ptr;

/// Rows a DuckDB vector holds.
pub(crate) const VECTOR_ROWS: usize = 2048;

/// Where a column of the destination's table gets its values from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The batch's column of that index.
    Column(usize),
    /// The load id, the same in every row.
    LoadId,
    /// Nowhere: null.
    Missing,
}

/// Fills DuckDB's chunks with rows of one table of one load.
#[derive(Debug)]
pub(crate) struct Filler {
    types: Vec<ColumnType>,
    load_id: ffi::duckdb_value,
    null: ffi::duckdb_value,
}

impl Filler {
    pub(crate) fn new(types: Vec<ColumnType>, load_id: &str) -> Self {
        // SAFETY: plain constructors; the values are destroyed with the filler.
        unsafe { Filler { types, load_id: load_id_value(load_id), null: ffi::duckdb_create_null_value() } }
    }

    /// Fills a chunk with up to [`VECTOR_ROWS`] rows of a batch, one of `sources` for each column. The
    /// batch must live until DuckDB has taken the chunk: long texts are not copied.
    ///
    /// # Safety
    /// `chunk` is alive and has columns of the filler's types.
    pub(crate) unsafe fn fill(
        &self,
        chunk: ffi::duckdb_data_chunk,
        sources: &[Source],
        batch: &RecordBatch,
        first: usize,
        rows: usize,
    ) {
        // SAFETY: the caller's; no more than VECTOR_ROWS rows are written to any vector.
        unsafe {
            for (i, (source, column_type)) in sources.iter().zip(&self.types).enumerate() {
                let vector = ffi::duckdb_data_chunk_get_vector(chunk, i as u64);
                match source {
                    Source::Column(c) => fill(vector, column_type.data_type, batch.column(*c), first, rows),
                    Source::LoadId => ffi::duckdb_vector_reference_value(vector, self.load_id),
                    Source::Missing => ffi::duckdb_vector_reference_value(vector, self.null),
                }
            }
            ffi::duckdb_data_chunk_set_size(chunk, rows as u64);
        }
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        // SAFETY: each made once, destroyed once.
        unsafe {
            ffi::duckdb_destroy_value(&mut self.load_id);
            ffi::duckdb_destroy_value(&mut self.null);
        }
    }
}

/// A number in native mode, a text in dlt mode.
///
/// # Safety
/// The caller destroys the value.
unsafe fn load_id_value(load_id: &str) -> ffi::duckdb_value {
    let text = CString::new(load_id).unwrap_or_default(); // digits and a point: no NUL
    // SAFETY: plain constructors; the text is copied.
    match load_id.parse::<i64>() {
        Ok(number) => unsafe { ffi::duckdb_create_int64(number) },
        Err(_) => unsafe { ffi::duckdb_create_varchar(text.as_ptr()) },
    }
}

/// Returns the type of what the package has; DuckDB casts it into a narrower column.
///
/// # Safety
/// The caller destroys the type.
pub(crate) unsafe fn logical_type(column_type: ColumnType) -> ffi::duckdb_logical_type {
    let data_type = column_type.data_type;
    let id = match data_type {
        DataType::Text | DataType::Json => ffi::DUCKDB_TYPE_DUCKDB_TYPE_VARCHAR,
        DataType::Bigint => ffi::DUCKDB_TYPE_DUCKDB_TYPE_BIGINT,
        DataType::Double => ffi::DUCKDB_TYPE_DUCKDB_TYPE_DOUBLE,
        DataType::Bool => ffi::DUCKDB_TYPE_DUCKDB_TYPE_BOOLEAN,
        DataType::Timestamp if !column_type.is_zoned() => ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP,
        DataType::Timestamp => ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_TZ,
        DataType::Binary => ffi::DUCKDB_TYPE_DUCKDB_TYPE_BLOB,
        DataType::Date => ffi::DUCKDB_TYPE_DUCKDB_TYPE_DATE,
        DataType::Time => ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIME,
        // SAFETY: plain constructors.
        // 16 bytes a value, whatever its precision.
        DataType::Decimal => return unsafe { ffi::duckdb_create_decimal_type(38, column_type.decimal_size().1) },
    };
    // SAFETY: plain constructors; the alias makes the type equal to DuckDB's JSON, so that
    // appending does not parse every value again.
    unsafe {
        let made = ffi::duckdb_create_logical_type(id);
        if data_type == DataType::Json {
            ffi::duckdb_logical_type_set_alias(made, c"JSON".as_ptr());
        }
        made
    }
}

/// # Safety
/// `vector` has room for `rows` values of the array's type.
unsafe fn fill(vector: ffi::duckdb_vector, data_type: DataType, array: &ArrayRef, first: usize, rows: usize) {
    // SAFETY: the data pointer belongs to a vector of that type with room for VECTOR_ROWS values.
    unsafe {
        let data = ffi::duckdb_vector_get_data(vector);
        match data_type {
            DataType::Bigint => copy(array.as_primitive::<Int64Type>().values(), first, rows, data),
            DataType::Double => copy(array.as_primitive::<Float64Type>().values(), first, rows, data),
            DataType::Timestamp => copy(array.as_primitive::<TimestampMicrosecondType>().values(), first, rows, data),
            DataType::Date => copy(array.as_primitive::<Date32Type>().values(), first, rows, data),
            DataType::Time => copy(array.as_primitive::<Time64MicrosecondType>().values(), first, rows, data),
            DataType::Decimal => copy(array.as_primitive::<Decimal128Type>().values(), first, rows, data),
            DataType::Bool => {
                let values = array.as_boolean().values();
                let out = std::slice::from_raw_parts_mut(data.cast::<bool>(), rows);
                for (i, slot) in out.iter_mut().enumerate() {
                    *slot = values.value(first + i);
                }
            }
            DataType::Text | DataType::Json => {
                let array = array.as_string::<i32>();
                texts(array.value_offsets(), array.value_data(), first, rows, data);
            }
            DataType::Binary => {
                let array = array.as_binary::<i32>();
                texts(array.value_offsets(), array.value_data(), first, rows, data);
            }
        }
        if let Some(nulls) = array.nulls().filter(|n| n.null_count() > 0) {
            ffi::duckdb_vector_ensure_validity_writable(vector);
            let words = ffi::duckdb_vector_get_validity(vector);
            let bits = nulls.inner().slice(first, rows);
            for (i, word) in bits.bit_chunks().iter_padded().take(rows.div_ceil(64)).enumerate() {
                *words.add(i) = word;
            }
        }
    }
}

/// # Safety
/// `to` has room for `rows` values.
unsafe fn copy<T: Copy>(values: &[T], first: usize, rows: usize, to: *mut std::ffi::c_void) {
    let values = &values[first..first + rows];
    // SAFETY: source and target do not overlap, both hold `rows` values.
    unsafe { ptr::copy_nonoverlapping(values.as_ptr(), to.cast(), rows) };
}

/// Writes DuckDB's 16-byte strings: up to 12 bytes inside, longer ones as a pointer into `bytes`.
///
/// # Safety
/// `to` has room for `rows` strings; `bytes` outlives their use.
unsafe fn texts(offsets: &[i32], bytes: &[u8], first: usize, rows: usize, to: *mut std::ffi::c_void) {
    // SAFETY: see above.
    let out = unsafe { std::slice::from_raw_parts_mut(to.cast::<[u8; 16]>(), rows) };
    for (slot, ends) in out.iter_mut().zip(offsets[first..].windows(2)) {
        let text = &bytes[ends[0] as usize..ends[1] as usize];
        let mut string = [0; 16];
        string[..4].copy_from_slice(&(text.len() as u32).to_ne_bytes());
        if text.len() <= 12 {
            string[4..4 + text.len()].copy_from_slice(text);
        } else {
            string[4..8].copy_from_slice(&text[..4]);
            string[8..].copy_from_slice(&(text.as_ptr() as usize).to_ne_bytes());
        }
        *slot = string;
    }
}
