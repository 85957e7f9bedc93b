//! Arrow columns in the binary format of `COPY`: per row the number of fields, per field its length and its bytes, all
//! big-endian (PostgreSQL's documentation, "COPY", "Binary Format"; the fields are what the types' `recv` functions read).

use crate::text;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use longshore_core::schema::{ColumnRole, ColumnType, DataType, Table};

/// What a stream of rows begins with: signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with: a row of -1 fields.
const TRAILER: [u8; 2] = [0xff, 0xff];
const NULL: [u8; 4] = (-1i32).to_be_bytes();

/// From 1970 to 2000, where PostgreSQL's calendar begins.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;

/// Rows of one table on their way, all with the same columns.
#[derive(Debug)]
pub(crate) struct Rows {
    /// Their columns: the first so many of the table's.
    pub(crate) columns: usize,
    /// How many there are.
    pub(crate) count: u64,
    bytes: Vec<u8>,
}

impl Rows {
    pub(crate) fn new(columns: usize) -> Self {
        Rows { columns, count: 0, bytes: HEADER.to_vec() }
    }

    /// Size so far, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends some rows of a batch, which has the table's columns without that of the load id.
    /// Returns true when characters were written that stand for ones PostgreSQL cannot hold.
    pub(crate) fn append(&mut self, table: &Table, batch: &RecordBatch, load_id: &Constant) -> bool {
        let mut arrays = batch.columns().iter();
        let fields: Vec<Field<'_>> = table
            .columns
            .iter()
            .filter_map(|c| match c.role {
                Some(ColumnRole::LoadId) => Some(Field::Constant(load_id.of(c.data_type))),
                _ => arrays.next().map(|array| Field::of(c.column_type(), array)),
            })
            .collect();
        let count = (fields.len() as i16).to_be_bytes();
        for row in 0..batch.num_rows() {
            self.bytes.extend_from_slice(&count);
            for field in &fields {
                field.write(row, &mut self.bytes);
            }
        }
        self.count += batch.num_rows() as u64;
        fields.iter().any(Field::is_changed)
    }

    /// Takes what is there so far; the stream goes on.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let room = self.bytes.len();
        std::mem::replace(&mut self.bytes, Vec::with_capacity(room))
    }

    /// Ends the stream and returns what was not taken of it.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&TRAILER);
        self.bytes
    }
}

/// The load id as a field, ready to be written: as a number, and as a text.
#[derive(Debug, Clone)]
pub(crate) struct Constant {
    number: Vec<u8>,
    text: Vec<u8>,
}

impl Constant {
    pub(crate) fn new(load_id: &str) -> Self {
        let mut number = NULL.to_vec();
        if let Ok(n) = load_id.parse::<i64>() {
            number.clear();
            sized(&mut number, &n.to_be_bytes());
        }
        let mut text = Vec::new();
        sized(&mut text, load_id.as_bytes());
        Constant { number, text }
    }

    fn of(&self, data_type: DataType) -> &[u8] {
        if data_type == DataType::Bigint { &self.number } else { &self.text }
    }
}

/// One column of a batch.
enum Field<'a> {
    Constant(&'a [u8]),
    /// Whole numbers of 64 bits, and moments, to which the epoch is applied.
    Whole(&'a ArrayRef, &'a [i64], i64),
    /// Whole numbers of so many bytes, fewer than eight.
    Short(&'a ArrayRef, &'a [i64], usize),
    Double(&'a ArrayRef, &'a [f64]),
    Bool(&'a ArrayRef),
    Date(&'a ArrayRef, &'a [i32]),
    /// With the digits behind the point.
    Decimal(&'a ArrayRef, &'a [i128], u8),
    /// Bytes as they are: bytea, and text without a NUL.
    Bytes(&'a ArrayRef, &'a [i32], &'a [u8]),
    /// Text in which a NUL was seen.
    Text(&'a ArrayRef, &'a [i32], &'a [u8]),
    /// `jsonb`: a version before the text; true when every text can go as it is.
    Json(&'a ArrayRef, &'a [i32], &'a [u8], bool),
}

impl<'a> Field<'a> {
    fn of(column_type: ColumnType, array: &'a ArrayRef) -> Self {
        match column_type.data_type {
            DataType::Bigint if column_type.precision().is_some() => {
                let bytes = if column_type.precision() <= Some(16) { 2 } else { 4 };
                Field::Short(array, array.as_primitive::<Int64Type>().values(), bytes)
            }
            DataType::Bigint => Field::Whole(array, array.as_primitive::<Int64Type>().values(), 0),
            DataType::Timestamp => {
                Field::Whole(array, array.as_primitive::<TimestampMicrosecondType>().values(), EPOCH_MICROS)
            }
            DataType::Time => Field::Whole(array, array.as_primitive::<Time64MicrosecondType>().values(), 0),
            DataType::Double => Field::Double(array, array.as_primitive::<Float64Type>().values()),
            DataType::Bool => Field::Bool(array),
            DataType::Date => Field::Date(array, array.as_primitive::<Date32Type>().values()),
            DataType::Decimal => {
                let (_, scale) = column_type.decimal_size();
                Field::Decimal(array, array.as_primitive::<Decimal128Type>().values(), scale)
            }
            DataType::Binary => {
                let a = array.as_binary::<i32>();
                Field::Bytes(array, a.value_offsets(), a.value_data())
            }
            DataType::Text | DataType::Json => {
                let a = array.as_string::<i32>();
                let (offsets, bytes) = (a.value_offsets(), a.value_data());
                // A slice of an array still points at all of its bytes.
                let own = &bytes[offsets[0] as usize..offsets[offsets.len() - 1] as usize];
                match column_type.data_type {
                    DataType::Json => Field::Json(array, offsets, bytes, text::is_clean_json(own)),
                    _ if text::is_clean_text(own) => Field::Bytes(array, offsets, bytes),
                    _ => Field::Text(array, offsets, bytes),
                }
            }
        }
    }

    /// True when some value may not have gone as it was.
    fn is_changed(&self) -> bool {
        match self {
            Field::Text(..) => true,
            // Most escapes are harmless, so these are looked at again.
            Field::Json(_, offsets, bytes, false) => {
                offsets.windows(2).any(|ends| text::json(slice(bytes, ends)) != slice(bytes, ends))
            }
            _ => false,
        }
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) {
        let is_null = match self {
            Field::Constant(bytes) => return out.extend_from_slice(bytes),
            Field::Short(array, ..) => array.is_null(row),
            Field::Whole(array, ..) | Field::Double(array, ..) | Field::Bool(array) | Field::Date(array, ..) => {
                array.is_null(row)
            }
            Field::Decimal(array, ..) | Field::Bytes(array, ..) | Field::Text(array, ..) | Field::Json(array, ..) => {
                array.is_null(row)
            }
        };
        if is_null {
            return out.extend_from_slice(&NULL);
        }
        match self {
            Field::Constant(_) => {}
            // Beyond what PostgreSQL can hold the number stays out of its range, and is refused there.
            Field::Whole(_, values, epoch) => fixed(out, values[row].saturating_sub(*epoch).to_be_bytes()),
            Field::Double(_, values) => fixed(out, values[row].to_be_bytes()),
            Field::Bool(array) => sized(out, &[u8::from(array.as_boolean().value(row))]),
            Field::Date(_, values) => sized(out, &values[row].saturating_sub(EPOCH_DAYS).to_be_bytes()),
            // Values beyond were given another place when they were normalised.
            Field::Short(_, values, bytes) => sized(out, &values[row].to_be_bytes()[8 - bytes..]),
            Field::Decimal(_, values, scale) => numeric(out, values[row], *scale),
            Field::Bytes(_, offsets, bytes) => sized(out, slice(bytes, &offsets[row..row + 2])),
            Field::Text(_, offsets, bytes) => sized(out, &text::text(slice(bytes, &offsets[row..row + 2]))),
            Field::Json(_, offsets, bytes, is_clean) => {
                let value = slice(bytes, &offsets[row..row + 2]);
                let value = if *is_clean { value.into() } else { text::json(value) };
                out.extend_from_slice(&(value.len() as i32 + 1).to_be_bytes());
                out.push(1);
                out.extend_from_slice(&value);
            }
        }
    }
}

fn slice<'a>(bytes: &'a [u8], ends: &[i32]) -> &'a [u8] {
    &bytes[ends[0] as usize..ends[1] as usize]
}

fn sized(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Length and value of eight bytes in one go: the most frequent field by far.
fn fixed(out: &mut Vec<u8>, value: [u8; 8]) {
    let mut field = [0; 12];
    field[3] = 8;
    field[4..].copy_from_slice(&value);
    out.extend_from_slice(&field);
}

/// `numeric`: digits to the base of 10,000, without zeros at either end; the weight is the power of the first. The point
/// stands between two digits.
fn numeric(out: &mut Vec<u8>, value: i128, scale: u8) {
    let unit = 10u128.pow(u32::from(scale)); // at most 38
    let (mut whole, mut fraction) = (value.unsigned_abs() / unit, value.unsigned_abs() % unit);
    // From the lowest to the highest: up to ten before the point, and ten behind it.
    let mut digits = [0u16; 20];
    let behind = usize::from(scale).div_ceil(4);
    for i in (0..behind).rev() {
        let width = if i == behind - 1 { (u32::from(scale) + 3) % 4 + 1 } else { 4 };
        let base = 10u128.pow(width);
        digits[behind - 1 - i] = (fraction % base * 10u128.pow(4 - width)) as u16;
        fraction /= base;
    }
    let mut used = behind;
    while whole > 0 {
        digits[used] = (whole % 10_000) as u16;
        whole /= 10_000;
        used += 1;
    }
    let first = digits[..used].iter().rposition(|d| *d != 0).map_or(0, |i| i + 1);
    let zeros = digits[..first].iter().take_while(|d| **d == 0).count();
    let sign: u16 = if value < 0 { 0x4000 } else { 0 };
    let weight = if first == 0 { 0 } else { first as i16 - 1 - behind as i16 };
    let count = first - zeros;
    out.extend_from_slice(&(8 + 2 * count as i32).to_be_bytes());
    for part in [count as u16, weight as u16, sign, u16::from(scale)] {
        out.extend_from_slice(&part.to_be_bytes());
    }
    for digit in digits[zeros..first].iter().rev() {
        out.extend_from_slice(&digit.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore_core::schema::{Column, SystemColumns};
    use std::sync::Arc;

    #[test]
    fn numerics_have_no_zeros_at_their_ends() {
        let scaled = |value, scale| {
            let mut out = Vec::new();
            numeric(&mut out, value, scale);
            let parts: Vec<u16> = out[4..].chunks(2).map(|b| u16::from_be_bytes([b[0], b[1]])).collect();
            assert_eq!(out[..4], (out.len() as i32 - 4).to_be_bytes());
            parts
        };
        let of = |value| scaled(value, 0);
        assert_eq!(of(0), [0, 0, 0, 0]);
        assert_eq!(of(-1_0000_0000), [1, 2, 0x4000, 0, 1]);
        assert_eq!(of(12_3456_0000), [2, 2, 0, 0, 12, 3456]);
        assert_eq!(of(10i128.pow(38) - 1)[..5], [10, 9, 0, 0, 99]);
        assert_eq!(scaled(1234, 2), [2, 0, 0, 2, 12, 3400]);
        assert_eq!(scaled(-5, 3), [1, 0xffff, 0x4000, 3, 50]);
        assert_eq!(scaled(5, 6), [1, 0xfffe, 0, 6, 500]);
        assert_eq!(scaled(10_000, 4), [1, 0, 0, 4, 1]);
        assert_eq!(scaled(12_3456_7890, 5), [3, 1, 0, 5, 1, 2345, 6789]);
        assert_eq!(scaled(1, 38)[..5], [1, (-10i16) as u16, 0, 38, 100]);
        assert_eq!(scaled(0, 9), [0, 0, 0, 9]);
    }

    #[test]
    fn a_row_has_its_fields_in_the_order_of_the_table() {
        let mut table = Table::new("t", None);
        table.columns = vec![
            Column::data("v", DataType::Text),
            SystemColumns::Native.column(ColumnRole::LoadId),
            Column::data("n", DataType::Bigint),
        ];
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("v", Arc::new(arrow_array::StringArray::from(vec![Some("a\0"), None]))),
            ("n", Arc::new(arrow_array::Int64Array::from(vec![-1, 7]))),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap();
        let mut rows = Rows::new(3);
        assert!(rows.append(&table, &batch, &Constant::new("5")));
        assert_eq!(rows.count, 2);
        let mut expect = HEADER.to_vec();
        for (text, number) in [(Some("a\\u0000"), -1i64), (None, 7)] {
            expect.extend_from_slice(&[0, 3]);
            match text {
                Some(text) => sized(&mut expect, text.as_bytes()),
                None => expect.extend_from_slice(&NULL),
            }
            fixed(&mut expect, 5i64.to_be_bytes());
            fixed(&mut expect, number.to_be_bytes());
        }
        expect.extend_from_slice(&TRAILER);
        assert_eq!(rows.finish(), expect);
    }
}
