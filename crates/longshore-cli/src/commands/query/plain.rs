//! Values that a format has no form for, at whatever depth, as values that it has one for.

use super::moments;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, TimestampMillisecondType, TimestampSecondType};
use arrow_array::{Array, ArrayRef, FixedSizeListArray, LargeListArray, ListArray, MapArray, StringArray, StructArray};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType, FieldRef, Fields, TimeUnit};
use std::sync::Arc;

type Answer<T> = Result<T, ArrowError>;

/// For formats of text: moments that no calendar has, decimals with more digits than their type admits.
pub(super) fn for_text(array: &ArrayRef) -> Answer<ArrayRef> {
    leaves(array, &|leaf| match leaf.data_type() {
        DataType::Date32 | DataType::Timestamp(..) | DataType::Time64(_) => moments::texts(leaf),
        DataType::Decimal128(_, scale) if is_long(leaf) => cast(leaf, &DataType::Decimal256(39, *scale)).map(Some),
        DataType::Union(..) => text(leaf),
        _ => Ok(None),
    })
}

/// For Parquet, all batches of a column together, since their type has to be the same.
pub(super) fn for_parquet(batches: &[ArrayRef]) -> Answer<Vec<ArrayRef>> {
    let is_long = batches.iter().any(has_long);
    let one = |array: &ArrayRef| {
        leaves(array, &|leaf| match leaf.data_type() {
            DataType::Decimal128(_, scale) if is_long => text(&cast(leaf, &DataType::Decimal256(39, *scale))?),
            DataType::Interval(_) | DataType::Union(..) => text(leaf),
            DataType::Timestamp(TimeUnit::Second, zone) => Ok(Some(milliseconds(leaf, zone.clone()))),
            _ => Ok(None),
        })
    };
    batches.iter().map(one).collect()
}

/// Values as texts, each changed by `change`; null stays null.
pub(super) fn texts(array: &ArrayRef, change: impl Fn(String) -> String) -> Answer<StringArray> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array, &options)?;
    let nulls = array.logical_nulls();
    let is_null = |row| nulls.as_ref().is_some_and(|n| n.is_null(row));
    let cell = |row| formatter.value(row).try_to_string().map(|text| Some(change(text)));
    (0..array.len()).map(|row| if is_null(row) { Ok(None) } else { cell(row) }).collect()
}

/// Parquet counts no seconds: they would be plain numbers there. Infinite moments stay that.
fn milliseconds(array: &ArrayRef, zone: Option<Arc<str>>) -> ArrayRef {
    let seconds = array.as_primitive::<TimestampSecondType>();
    let scaled = seconds.unary::<_, TimestampMillisecondType>(|s| s.saturating_mul(1000).max(-i64::MAX));
    Arc::new(scaled.with_timezone_opt(zone))
}

fn text(array: &ArrayRef) -> Answer<Option<ArrayRef>> {
    Ok(Some(Arc::new(texts(array, |text| text)?)))
}

/// DuckDB's whole numbers of 128 bits come as decimals of 38 digits and may have 39.
fn is_long(array: &ArrayRef) -> bool {
    let most = 10u128.pow(u32::from(arrow_schema::DECIMAL128_MAX_PRECISION));
    array.as_primitive::<Decimal128Type>().iter().flatten().any(|v| v.unsigned_abs() >= most)
}

fn has_long(array: &ArrayRef) -> bool {
    let found = std::cell::Cell::new(false);
    let look = leaves(array, &|leaf| {
        let is_decimal = matches!(leaf.data_type(), DataType::Decimal128(..));
        found.set(found.get() || is_decimal && is_long(leaf));
        Ok(None)
    });
    look.is_ok() && found.get()
}

/// Changes the values that hold no others; `change` says `None` for what stays.
fn leaves(array: &ArrayRef, change: &dyn Fn(&ArrayRef) -> Answer<Option<ArrayRef>>) -> Answer<ArrayRef> {
    let nulls = array.nulls().cloned();
    Ok(match array.data_type() {
        DataType::List(field) => {
            let list = array.as_list::<i32>();
            let values = leaves(list.values(), change)?;
            Arc::new(ListArray::try_new(of(field, &values), list.offsets().clone(), values, nulls)?)
        }
        DataType::LargeList(field) => {
            let list = array.as_list::<i64>();
            let values = leaves(list.values(), change)?;
            Arc::new(LargeListArray::try_new(of(field, &values), list.offsets().clone(), values, nulls)?)
        }
        DataType::FixedSizeList(field, size) => {
            let values = leaves(array.as_fixed_size_list().values(), change)?;
            Arc::new(FixedSizeListArray::try_new(of(field, &values), *size, values, nulls)?)
        }
        DataType::Struct(_) => Arc::new(members(array.as_struct(), change)?),
        DataType::Map(field, is_ordered) => {
            let map = array.as_map();
            let entries = with_text_keys(&members(map.entries(), change)?)?;
            let field = Arc::new(field.as_ref().clone().with_data_type(entries.data_type().clone()));
            Arc::new(MapArray::try_new(field, map.offsets().clone(), entries, nulls, *is_ordered)?)
        }
        _ => change(array)?.unwrap_or_else(|| Arc::clone(array)),
    })
}

fn members(array: &StructArray, change: &dyn Fn(&ArrayRef) -> Answer<Option<ArrayRef>>) -> Answer<StructArray> {
    let columns = array.columns().iter().map(|c| leaves(c, change)).collect::<Answer<Vec<_>>>()?;
    let fields: Fields = array.fields().iter().zip(&columns).map(|(f, c)| of(f, c)).collect();
    StructArray::try_new_with_length(fields, columns, array.nulls().cloned(), array.len())
}

/// JSON's keys are texts.
fn with_text_keys(entries: &StructArray) -> Answer<StructArray> {
    let mut columns = entries.columns().to_vec();
    if let Some(keys) = columns.first_mut().filter(|k| !k.data_type().is_string()) {
        *keys = Arc::new(texts(keys, |text| text)?);
    }
    let fields: Fields = entries.fields().iter().zip(&columns).map(|(f, c)| of(f, c)).collect();
    StructArray::try_new_with_length(fields, columns, entries.nulls().cloned(), entries.len())
}

/// The field with the type of its changed values.
fn of(field: &FieldRef, values: &ArrayRef) -> FieldRef {
    Arc::new(field.as_ref().clone().with_data_type(values.data_type().clone()))
}
