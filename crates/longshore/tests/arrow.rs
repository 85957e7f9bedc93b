//! Arrow batches become tables without a change of value.
#![allow(clippy::unwrap_used)]

mod common;

use arrow_buffer::i256;
use common::{Place, columns, rows};
use longshore::Pipeline;
use longshore::arrow_array::types::{Float32Type, Int32Type};
use longshore::arrow_array::*;
use longshore::arrow_schema::{DataType, Field, Schema, TimeUnit};
use std::sync::Arc;

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

/// Loads one column and returns the tables' rows.
#[track_caller]
fn check(array: ArrayRef, expect_columns: &[&str], expect_rows: &[&str]) {
    let place = Place::new();
    let pipeline = place.pipeline();
    pipeline.load_arrow([batch(vec![("c", array)])]).unwrap();
    assert_eq!(columns(&pipeline, "t"), expect_columns);
    assert_eq!(rows(&pipeline, "t"), expect_rows);
}

#[track_caller]
fn refused(array: ArrayRef, words: &str) {
    let place = Place::new();
    let pipeline = place.pipeline();
    let error = pipeline
        .load_arrow([batch(vec![("good", Arc::new(Int32Array::from(vec![1; array.len()]))), ("c", array)])])
        .unwrap_err();
    assert!(error.to_string().contains(words) && error.to_string().contains("column c"), "{error}");
    assert!(pipeline.tables().unwrap().is_empty());
}

#[test]
fn numbers() {
    check(Arc::new(Int8Array::from(vec![Some(-1), None, Some(3)])), &["c: Int64"], &["c=-1", "", "c=3"]);
    check(
        Arc::new(UInt64Array::from(vec![1, u64::MAX])),
        &["c: Int64", "c__v_decimal: Decimal128(38, 0)"],
        &["c=1", "c__v_decimal=18446744073709551615"],
    );
    check(Arc::new(Float32Array::from(vec![0.1, 1.0])), &["c: Float64"], &["c=0.10000000149011612", "c=1.0"]);
    check(
        Arc::new(Float64Array::from(vec![f64::NAN, 1e300, f64::NEG_INFINITY])),
        &["c: Float64", "c__v_text: Utf8"],
        &["c__v_text=NaN", "c=1e300", "c__v_text=-Infinity"],
    );
    check(Arc::new(BooleanArray::from(vec![true, false])), &["c: Boolean"], &["c=true", "c=false"]);
}

#[test]
fn decimals_are_exact() {
    let whole = Decimal128Array::from(vec![10i128.pow(37) + 1]).with_precision_and_scale(38, 0).unwrap();
    check(Arc::new(whole), &["c: Decimal128(38, 0)"], &["c=10000000000000000000000000000000000001"]);
    let money = Decimal128Array::from(vec![1250, -1]).with_precision_and_scale(10, 2).unwrap();
    check(Arc::new(money), &["c: Float64"], &["c=12.5", "c=-0.01"]);
    let long = Decimal128Array::from(vec![12_345_678_901_234_567_890_123]).with_precision_and_scale(30, 5).unwrap();
    check(Arc::new(long), &["c: Float64", "c__v_text: Utf8"], &["c__v_text=123456789012345678.90123"]);
    let wide = Decimal256Array::from(vec![i256::from_string(&"9".repeat(60)).unwrap()])
        .with_precision_and_scale(60, 0)
        .unwrap();
    check(Arc::new(wide), &["c: Decimal128(38, 0)", "c__v_text: Utf8"], &[&format!("c__v_text={}", "9".repeat(60))]);
}

#[test]
fn texts_stay_texts() {
    check(
        Arc::new(StringArray::from(vec!["2024-01-01T00:00:00Z", "a\"b\u{0}"])),
        &["c: Utf8"],
        &["c=2024-01-01T00:00:00Z", "c=a\"b\u{0}"],
    );
    check(Arc::new(StringViewArray::from(vec!["12"])), &["c: Utf8"], &["c=12"]);
    let dictionary: DictionaryArray<Int32Type> = vec!["2024-01-01", "x", "x"].into_iter().collect();
    check(Arc::new(dictionary), &["c: Utf8"], &["c=2024-01-01", "c=x", "c=x"]);
}

#[test]
fn bytes() {
    let values: Vec<&[u8]> = vec![b"\x00\xff", b""];
    check(Arc::new(BinaryArray::from(values.clone())), &["c: Binary"], &["c=00ff", ""]);
    check(Arc::new(BinaryViewArray::from_iter_values(values)), &["c: Binary"], &["c=00ff", ""]);
    check(Arc::new(FixedSizeBinaryArray::try_from_iter([b"ab"].into_iter()).unwrap()), &["c: Binary"], &["c=6162"]);
}

#[test]
fn days_and_times() {
    check(Arc::new(Date32Array::from(vec![19_723, -1])), &["c: Date32"], &["c=2024-01-01", "c=1969-12-31"]);
    check(Arc::new(Date64Array::from(vec![86_400_000])), &["c: Date32"], &["c=1970-01-02"]);
    check(Arc::new(Time32SecondArray::from(vec![3_661])), &["c: Time64(µs)"], &["c=01:01:01"]);
    check(Arc::new(Time64NanosecondArray::from(vec![1_000])), &["c: Time64(µs)"], &["c=00:00:00.000001"]);
    let timestamp = "c: Timestamp(µs, \"UTC\")";
    check(Arc::new(TimestampSecondArray::from(vec![0])), &[timestamp], &["c=1970-01-01T00:00:00Z"]);
    check(Arc::new(TimestampNanosecondArray::from(vec![1_500_000_000])), &[timestamp], &["c=1970-01-01T00:00:01.500Z"]);
    let berlin = TimestampMicrosecondArray::from(vec![-1]).with_timezone("Europe/Berlin");
    check(Arc::new(berlin), &[timestamp], &["c=1969-12-31T23:59:59.999999Z"]);
    let far = TimestampSecondArray::from(vec![253_402_300_800]);
    check(Arc::new(far), &[timestamp, "c__v_text: Utf8"], &["c__v_text=10000-01-01T00:00:00+00:00"]);
}

#[test]
fn what_would_change_is_refused() {
    refused(Arc::new(TimestampNanosecondArray::from(vec![1])), "nanoseconds");
    refused(Arc::new(Time64NanosecondArray::from(vec![1])), "nanoseconds");
    refused(Arc::new(Date64Array::from(vec![1])), "no whole day");
    refused(Arc::new(TimestampSecondArray::from(vec![i64::MAX])), "too far");
    refused(Arc::new(Date32Array::from(vec![i32::MAX])), "too far");
    refused(Arc::new(DurationSecondArray::from(vec![1])), "Duration");
    refused(Arc::new(IntervalYearMonthArray::from(vec![1])), "Interval");
}

#[test]
fn lists_and_structs_become_tables_and_columns() {
    let list = ListArray::from_iter_primitive::<Float32Type, _, _>([Some(vec![Some(0.5), None]), None]);
    let days: ArrayRef = Arc::new(Date32Array::from(vec![Some(0), None]));
    let inner = StructArray::from(vec![(Arc::new(Field::new("day.of", DataType::Date32, true)), days)]);
    let place = Place::new();
    let pipeline = place.pipeline();
    pipeline.load_arrow([batch(vec![("l", Arc::new(list)), ("s", Arc::new(inner))])]).unwrap();
    assert_eq!(columns(&pipeline, "t"), ["s__day_of: Date32"]);
    assert_eq!(rows(&pipeline, "t"), ["s__day_of=1970-01-01", ""]);
    assert_eq!(rows(&pipeline, "t__l"), ["value=0.5", ""]);
}

#[test]
fn types_survive_in_lists_of_lists() {
    let bytes = Arc::new(BinaryArray::from(vec![&b"\x01"[..], b"\x02"]));
    let field = |t: &DataType| Arc::new(Field::new("item", t.clone(), true));
    let inner = ListArray::new(field(&DataType::Binary), arrow_buffer::OffsetBuffer::from_lengths([1, 1]), bytes, None);
    let outer =
        ListArray::new(field(inner.data_type()), arrow_buffer::OffsetBuffer::from_lengths([2]), Arc::new(inner), None);
    let place = Place::new();
    let pipeline = place.pipeline();
    pipeline.load_arrow([batch(vec![("l", Arc::new(outer))])]).unwrap();
    assert_eq!(columns(&pipeline, "t__l__list"), ["value: Binary"]);
    assert_eq!(rows(&pipeline, "t__l__list"), ["value=01", "value=02"]);
}

#[test]
fn maps_stay_json() {
    let mut builder = builder::MapBuilder::new(None, builder::StringBuilder::new(), builder::Int32Builder::new());
    builder.keys().append_value("a b");
    builder.values().append_value(1);
    builder.append(true).unwrap();
    check(Arc::new(builder.finish()), &["c: Utf8"], &["c={\"a b\":1}"]);
}

#[test]
fn large_batches_go_in_chunks_and_readers_say_their_schema() {
    let place = Place::new();
    let pipeline = place.pipeline();
    let schema = Arc::new(Schema::new(vec![Field::new("at", DataType::Timestamp(TimeUnit::Millisecond, None), false)]));
    let one = |n: i64| {
        RecordBatch::try_new(
            Arc::clone(&schema),
            vec![Arc::new(TimestampMillisecondArray::from_iter_values(n..n + 50_000))],
        )
    };
    let reader = RecordBatchIterator::new([one(0), one(50_000)], Arc::clone(&schema));
    assert_eq!(pipeline.load_arrow_reader(reader).unwrap().counts.read, 100_000);
    assert_eq!(rows(&pipeline, "t").len(), 100_000);
    assert_eq!(rows(&pipeline, "t")[99_999], "at=1970-01-01T00:01:39.999Z");
}

#[test]
fn another_schema_is_refused_and_a_failing_reader_loads_nothing() {
    let place = Place::new();
    let pipeline = place.pipeline();
    let (a, b) = (
        batch(vec![("a", Arc::new(Int32Array::from(vec![1])))]),
        batch(vec![("b", Arc::new(Int32Array::from(vec![1])))]),
    );
    assert!(pipeline.load_arrow([a.clone(), b]).unwrap_err().to_string().contains("another schema"));
    let broken = vec![
        Ok(a.clone()),
        Err(longshore::arrow_schema::ArrowError::IoError("cut off".into(), std::io::Error::other("x"))),
    ];
    assert!(pipeline.load_arrow_reader(RecordBatchIterator::new(broken, a.schema())).is_err());
    assert!(pipeline.tables().unwrap().is_empty());
}

#[test]
fn the_callers_hint_goes_before_the_schemas() {
    let place = Place::new();
    let builder = place.builder().custom_destination(Arc::new(place.memory.clone()));
    let pipeline: Pipeline = builder.hint("c", longshore::DataType::Timestamp).build().unwrap();
    pipeline.load_arrow([batch(vec![("c", Arc::new(StringArray::from(vec!["1970-01-01T00:00:00Z"])))])]).unwrap();
    assert_eq!(columns(&pipeline, "t"), ["c: Timestamp(µs, \"UTC\")"]);
}
