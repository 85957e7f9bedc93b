//! Rows that come as Arrow columns: a column that is what its place in the table holds goes over whole, without
//! looking at its values; only the others take the way of JSON.
//!
//! The way of JSON is for what needs a decision value by value: a column whose type the table has otherwise (its
//! values are coerced, or become variants), numbers and times that Longshore's types do not hold, lists and structs
//! that are to be unnested, and all columns where a row's id follows from the whole record, or where hints and contracts
//! are asked value by value. On that way, too, columns have the types of the file, and stay JSON unless they are to be unnested.

use super::identity::Identity;
use super::settings::Unnest;
use super::shape::{ColumnId, NodeId, Shape, TableId};
use super::{BadRecord, NormalizedBlock, OnError, RecordBytes, normalize};
use crate::json::Tape;
use crate::naming;
use crate::schema::{ColumnRole, DataType, SystemColumns};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampNanosecondType, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType as ArrowType, TimeUnit};
use rows::json_texts;

mod rows;

/// Normalises rows that come as columns, adding to the shape what they have that is new.
///
/// # Errors
/// With [`OnError::Fail`] the first row that cannot be read, which only a shape of JSON can be.
pub fn normalize_columns(
    shape: &mut Shape,
    tape: &mut Tape,
    batch: &RecordBatch,
    on_error: OnError,
) -> Result<NormalizedBlock, BadRecord> {
    if !shape.takes_whole_columns() {
        let all: Vec<usize> = (0..batch.num_columns()).collect();
        return by_json_alone(shape, tape, batch, &all, on_error);
    }
    let base = (shape.version, shape.epoch);
    let table = shape.root_table();
    let (mut whole, by_json) = split(shape, table, batch);
    let required = shape.excuse(table, &whole);
    let done = by_json_alone(shape, tape, batch, &by_json, on_error);
    shape.tables[table as usize].required = required;
    let mut done = done?;
    if done.rows.table(table).rows as usize != batch.num_rows() {
        // Rows were left out, so that columns would not stand beside theirs: all of it as JSON.
        let all: Vec<usize> = (0..batch.num_columns()).collect();
        done = by_json_alone(shape, tape, batch, &all, on_error)?;
        whole.clear();
    }
    whole.iter().for_each(|(column, array)| shape.note_large_column(table, *column, array));
    done.base = base;
    done.changed = base != (shape.version, shape.epoch);
    done.rows.table(table).whole = whole;
    Ok(done)
}

fn by_json_alone(
    shape: &mut Shape,
    tape: &mut Tape,
    batch: &RecordBatch,
    columns: &[usize],
    on_error: OnError,
) -> Result<NormalizedBlock, BadRecord> {
    let base = (shape.version, shape.epoch);
    let (arrays, kept) = as_the_file_says(shape, batch, columns);
    let (bytes, records) = rows::as_json(batch.num_rows(), &arrays);
    let done = normalize(shape, tape, RecordBytes { bytes: &bytes, records: Some(&records), pages: false }, on_error);
    // Records that come as JSON may have objects at the same place.
    kept.iter().for_each(|&(node, edge)| shape.nodes[node as usize].edges[edge as usize].stays_json = false);
    let mut done = done?;
    done.base = base;
    done.changed = base != (shape.version, shape.epoch);
    Ok(done)
}

/// A name with its values.
type Named<'a> = (&'a str, ArrayRef);

/// Makes new columns with the types that the file says, and keeps lists and structs as JSON that nobody asked to unnest.
/// Returns the columns' values in the form of these types, and the keys that are kept as JSON for this block alone.
fn as_the_file_says<'a>(
    shape: &mut Shape,
    batch: &'a RecordBatch,
    columns: &[usize],
) -> (Vec<Named<'a>>, Vec<(NodeId, u32)>) {
    let fields = batch.schema_ref().fields();
    let mut arrays: Vec<Named<'a>> =
        columns.iter().map(|&i| (fields[i].name().as_str(), ArrayRef::clone(batch.column(i)))).collect();
    let mut kept = Vec::new();
    if batch.num_rows() == 0 {
        return (arrays, kept);
    }
    // Where a contract lets no table be made, the first record is told so.
    let Ok(table) = shape.root() else { return (arrays, kept) };
    let top = shape.top(table, i64::from(shape.settings.max_nesting));
    let system = shape.settings.system;
    for (i, (name, array)) in arrays.iter_mut().enumerate() {
        let edge = shape.edge(top, name.as_bytes(), i as u32);
        let known = &mut shape.nodes[top as usize].edges[edge as usize];
        // dlt keeps the id a row brings.
        if known.ignored || (system == SystemColumns::Dlt && *name == system.column(ColumnRole::RowId).name) {
            continue;
        }
        if array.data_type().is_nested() {
            if known.flattened || shape.settings.unnest.is_asked(name) {
                continue;
            }
            if !std::mem::replace(&mut known.stays_json, true) {
                kept.push((top, edge));
            }
            // A contract that bars the column decides value by value.
            let _ = shape.column(top, edge, || DataType::Json);
            continue;
        }
        let Some((data_type, own)) = own_column(array, &shape.settings.unnest, name) else { continue };
        let column = shape.column(top, edge, || data_type);
        if column.is_ok_and(|column| shape.column_type(table, column) == data_type.into()) {
            *array = own;
        }
    }
    (arrays, kept)
}

/// Tells the columns that go over whole, with their places, from those that go by JSON.
fn split(shape: &mut Shape, table: TableId, batch: &RecordBatch) -> (Vec<(ColumnId, ArrayRef)>, Vec<usize>) {
    let fields = batch.schema_ref().fields();
    let names: Vec<String> = fields.iter().map(|f| naming::normalize_key(f.name()).to_string()).collect();
    if Identity::of(shape) != Identity::None {
        return (Vec::new(), (0..fields.len()).collect());
    }
    let mut whole = Vec::new();
    let mut by_json = Vec::new();
    for (i, field) in fields.iter().enumerate() {
        let is_alone = names.iter().filter(|n| **n == names[i]).count() == 1;
        let placed = if is_alone { place(shape, table, field.name(), i, batch.column(i)) } else { None };
        match placed {
            Some((column, array)) => whole.push((i, column, array)),
            None => by_json.push(i),
        }
    }
    // What is unnested may take the name of another column, which is found out value by value only.
    let below = |i: usize| by_json.iter().any(|&j| names[i].starts_with(&format!("{}__", names[j])));
    let (moved, whole): (Vec<_>, Vec<_>) = whole.into_iter().partition(|(i, ..)| below(*i));
    by_json.extend(moved.into_iter().map(|(i, ..)| i));
    by_json.sort_unstable();
    (whole.into_iter().map(|(_, column, array)| (column, array)).collect(), by_json)
}

/// Returns the column of a field, made if it is new, and its values as that column has them; `None` where its values
/// have to be looked at.
fn place(
    shape: &mut Shape,
    table: TableId,
    name: &str,
    index: usize,
    array: &ArrayRef,
) -> Option<(ColumnId, ArrayRef)> {
    let system = shape.settings.system;
    if system == SystemColumns::Dlt && *name == system.column(ColumnRole::RowId).name {
        return None; // dlt keeps the id a row brings
    }
    if !shape.settings.rules.ignore.is_empty() {
        return None; // what is left out is known by its path
    }
    let (data_type, array) = own_column(array, &shape.settings.unnest, name)?;
    let top = shape.top(table, i64::from(shape.settings.max_nesting));
    let edge = shape.edge(top, name.as_bytes(), index as u32);
    // A contract that bars the column decides value by value.
    let column = shape.column(top, edge, || data_type).ok()?;
    let nullable =
        shape.schema.tables[table as usize].columns[column as usize].nullable && !shape.is_required(table, column);
    // Values of a column with a size are looked at one by one.
    let fits = shape.column_type(table, column) == data_type.into() && (nullable || array.null_count() == 0);
    fits.then_some((column, array))
}

/// Returns a column's type in Longshore's words and its values in the form of that type (see
/// [`DataType::arrow`]); `None` where no type holds all of them as they are.
fn own_column(array: &ArrayRef, unnest: &Unnest, name: &str) -> Option<(DataType, ArrayRef)> {
    use ArrowType as A;
    let data_type = match array.data_type() {
        A::Boolean => DataType::Bool,
        A::Int8 | A::Int16 | A::Int32 | A::Int64 | A::UInt8 | A::UInt16 | A::UInt32 => DataType::Bigint,
        A::UInt64 if array.as_primitive::<UInt64Type>().iter().flatten().all(|v| i64::try_from(v).is_ok()) => {
            DataType::Bigint
        }
        A::Float16 | A::Float32 | A::Float64 => DataType::Double,
        A::Decimal32(_, 0) | A::Decimal64(_, 0) | A::Decimal128(_, 0) => DataType::Decimal,
        A::Utf8 | A::LargeUtf8 | A::Utf8View => DataType::Text,
        A::Binary | A::LargeBinary | A::BinaryView | A::FixedSizeBinary(_) => DataType::Binary,
        A::Date32 | A::Date64 => DataType::Date,
        A::Time32(_) | A::Time64(TimeUnit::Microsecond) => DataType::Time,
        A::Time64(_) if has_whole_micros(&cast(array, &A::Int64)?) => DataType::Time,
        A::Timestamp(TimeUnit::Nanosecond, _) => {
            let nanos = array.as_primitive::<TimestampNanosecondType>();
            nanos.iter().flatten().all(|v| v % 1000 == 0).then_some(DataType::Timestamp)?
        }
        A::Timestamp(..) => DataType::Timestamp,
        A::Dictionary(_, values) if !values.is_nested() => {
            return own_column(&cast(array, values)?, unnest, name);
        }
        A::RunEndEncoded(_, values) if !values.data_type().is_nested() => {
            return own_column(&cast(array, values.data_type())?, unnest, name);
        }
        nested if nested.is_nested() && !unnest.is_asked(name) => {
            return Some((DataType::Json, json_texts(array)));
        }
        _ => return None,
    };
    Some((data_type, cast(array, &data_type.arrow())?))
}

fn has_whole_micros(nanos: &ArrayRef) -> bool {
    nanos.as_primitive::<Int64Type>().iter().flatten().all(|v| v % 1000 == 0)
}

/// Casts; `None` when a value would be lost.
fn cast(array: &ArrayRef, to: &ArrowType) -> Option<ArrayRef> {
    if array.data_type() == to {
        return Some(std::sync::Arc::clone(array));
    }
    cast_with_options(array, to, &CastOptions { safe: false, ..CastOptions::default() }).ok()
}

#[cfg(test)]
mod tests;
