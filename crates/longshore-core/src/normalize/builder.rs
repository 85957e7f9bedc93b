//! Growing one column of one block: typed values with gaps that become nulls.

use super::cast::cast_array;
use crate::schema::{ColumnType, DataType};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use std::sync::Arc;

/// The values of one column; rows that were skipped are null.
#[derive(Debug)]
pub(super) struct ColumnBuilder {
    pub(super) data_type: DataType,
    column_type: ColumnType,
    /// Every value of the type fits.
    pub(super) is_plain: bool,
    pub(super) values: Values,
    nulls: NullBufferBuilder,
    rows: usize,
}

/// The values by how they are stored.
#[derive(Debug)]
pub(super) enum Values {
    /// bigint, timestamp, time
    Int(Vec<i64>),
    Double(Vec<f64>),
    Bool(BooleanBufferBuilder),
    /// text, json, binary: bytes and where each value ends
    Bytes {
        bytes: Vec<u8>,
        ends: Vec<i32>,
    },
    Decimal(Vec<i128>),
    Date(Vec<i32>),
}

impl ColumnBuilder {
    /// Returns an empty column with room for so many rows, and bytes of texts.
    pub(super) fn new(column_type: impl Into<ColumnType>, rows: usize, bytes: usize) -> Self {
        let column_type = column_type.into();
        let data_type = column_type.data_type;
        let values = match data_type {
            DataType::Bigint | DataType::Timestamp | DataType::Time => Values::Int(Vec::with_capacity(rows)),
            DataType::Double => Values::Double(Vec::with_capacity(rows)),
            DataType::Bool => Values::Bool(BooleanBufferBuilder::new(rows)),
            DataType::Text | DataType::Json | DataType::Binary => {
                let mut ends = Vec::with_capacity(rows + 1);
                ends.push(0);
                Values::Bytes { bytes: Vec::with_capacity(bytes), ends }
            }
            DataType::Decimal => Values::Decimal(Vec::with_capacity(rows)),
            DataType::Date => Values::Date(Vec::with_capacity(rows)),
        };
        let is_plain = column_type.is_plain();
        ColumnBuilder { data_type, column_type, is_plain, values, nulls: NullBufferBuilder::new(rows), rows: 0 }
    }

    /// Rows up to the last value.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of the texts so far.
    pub(super) fn text_bytes(&self) -> usize {
        match &self.values {
            Values::Bytes { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }

    /// Makes the column `rows` long, then counts one value more, which the caller pushes.
    #[inline]
    pub(super) fn open(&mut self, row: usize) -> &mut Values {
        if self.rows < row {
            self.pad(row);
        }
        self.nulls.append_non_null();
        self.rows = row + 1;
        &mut self.values
    }

    fn pad(&mut self, rows: usize) {
        let missing = rows - self.rows;
        match &mut self.values {
            Values::Int(v) => v.resize(rows, 0),
            Values::Double(v) => v.resize(rows, 0.0),
            Values::Bool(v) => v.append_n(missing, false),
            Values::Bytes { bytes, ends } => ends.resize(rows + 1, bytes.len() as i32),
            Values::Decimal(v) => v.resize(rows, 0),
            Values::Date(v) => v.resize(rows, 0),
        }
        self.nulls.append_n_nulls(missing);
        self.rows = rows;
    }

    /// Forgets the values from that row on.
    pub(super) fn truncate(&mut self, rows: usize) {
        if self.rows <= rows {
            return;
        }
        match &mut self.values {
            Values::Int(v) => v.truncate(rows),
            Values::Double(v) => v.truncate(rows),
            Values::Bool(v) => v.truncate(rows),
            Values::Bytes { bytes, ends } => {
                ends.truncate(rows + 1);
                bytes.truncate(ends.last().map_or(0, |&end| end as usize));
            }
            Values::Decimal(v) => v.truncate(rows),
            Values::Date(v) => v.truncate(rows),
        }
        self.nulls.truncate(rows);
        self.rows = rows;
    }

    /// Makes the values those of a wider column. False, and nothing changed, when one would not be the same.
    pub(super) fn convert(&mut self, to: ColumnType) -> bool {
        let (rows, from) = (self.rows, self.column_type);
        let empty = ColumnBuilder::new(from, 0, 0);
        let array = std::mem::replace(self, empty).finish(rows);
        let converted = cast_array(&array, to);
        let (array, column_type) = match &converted {
            Ok(converted) => (converted, to),
            Err(_) => (&array, from),
        };
        *self = ColumnBuilder::of(array, column_type);
        converted.is_ok()
    }

    /// Returns a column that goes on behind an array.
    fn of(array: &ArrayRef, column_type: ColumnType) -> Self {
        let mut builder = ColumnBuilder::new(column_type, array.len(), 0);
        for row in (0..array.len()).filter(|&row| array.is_valid(row)) {
            match builder.open(row) {
                Values::Int(values) => values.push(match column_type.data_type {
                    DataType::Timestamp => array.as_primitive::<TimestampMicrosecondType>().value(row),
                    DataType::Time => array.as_primitive::<Time64MicrosecondType>().value(row),
                    _ => array.as_primitive::<Int64Type>().value(row),
                }),
                Values::Double(values) => values.push(array.as_primitive::<Float64Type>().value(row)),
                Values::Decimal(values) => values.push(array.as_primitive::<Decimal128Type>().value(row)),
                values @ Values::Bytes { .. } => match column_type.data_type {
                    DataType::Binary => values.push_bytes(array.as_binary::<i32>().value(row)),
                    _ => values.push_bytes(array.as_string::<i32>().value(row).as_bytes()),
                },
                // No column becomes one of these.
                Values::Bool(values) => values.append(array.as_boolean().value(row)),
                Values::Date(values) => values.push(array.as_primitive::<Date32Type>().value(row)),
            }
        }
        builder
    }

    /// Returns the column as an Arrow array of `rows` values.
    pub(super) fn finish(mut self, rows: usize) -> ArrayRef {
        if self.rows < rows {
            self.pad(rows);
        }
        let nulls = self.nulls.finish();
        match self.values {
            Values::Int(v) => match self.data_type {
                DataType::Timestamp => {
                    let array = PrimitiveArray::<TimestampMicrosecondType>::new(v.into(), nulls);
                    Arc::new(array.with_timezone_opt(self.column_type.is_zoned().then_some("UTC")))
                }
                DataType::Time => Arc::new(PrimitiveArray::<Time64MicrosecondType>::new(v.into(), nulls)),
                _ => Arc::new(PrimitiveArray::<Int64Type>::new(v.into(), nulls)),
            },
            Values::Double(v) => Arc::new(PrimitiveArray::<Float64Type>::new(v.into(), nulls)),
            Values::Bool(mut v) => Arc::new(BooleanArray::new(v.finish(), nulls)),
            Values::Bytes { bytes, ends } => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
                match self.data_type {
                    DataType::Binary => Arc::new(BinaryArray::new(offsets, Buffer::from_vec(bytes), nulls)),
                    _ => Arc::new(StringArray::new(offsets, Buffer::from_vec(bytes), nulls)),
                }
            }
            Values::Decimal(v) => {
                let array = PrimitiveArray::<Decimal128Type>::new(v.into(), nulls);
                // Both are within Arrow's limits, so the call cannot fail.
                let (precision, scale) = self.column_type.decimal_size();
                Arc::new(array.clone().with_precision_and_scale(precision, scale as i8).unwrap_or(array))
            }
            Values::Date(v) => Arc::new(PrimitiveArray::<Date32Type>::new(v.into(), nulls)),
        }
    }
}

impl Values {
    #[inline]
    pub(super) fn push_bytes(&mut self, value: &[u8]) {
        if let Values::Bytes { bytes, ends } = self {
            bytes.extend_from_slice(value);
            ends.push(bytes.len() as i32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_rows_are_null() {
        let mut text = ColumnBuilder::new(DataType::Text, 0, 0);
        text.open(1).push_bytes("é".as_bytes());
        text.open(3).push_bytes(b"");
        let array = text.finish(5);
        let array = array.as_string::<i32>();
        assert_eq!(array.len(), 5);
        assert_eq!((0..5).map(|i| array.is_valid(i)).collect::<Vec<_>>(), [false, true, false, true, false]);
        assert_eq!((array.value(1), array.value(3)), ("é", ""));
    }
}
