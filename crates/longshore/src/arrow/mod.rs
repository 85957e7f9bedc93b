//! How Arrow batches become tables.
//!
//! Batches are written as lines of JSON in chunks and go the way of all records, with hints from their schema so
//! that types survive. What maps to what:
//!
//! | Arrow | column |
//! |---|---|
//! | Boolean | bool |
//! | Int8 to Int64, UInt8 to UInt64 | bigint; a UInt64 beyond 64 signed bits goes to `<column>__v_decimal` |
//! | Float16, Float32, Float64 | double, widened exactly; NaN and infinities go as text to `<column>__v_text` |
//! | Decimal32 to Decimal256, scale 0 or less | decimal, up to 38 digits; longer ones go to `<column>__v_text` |
//! | Decimal32 to Decimal256 with a scale | double where it holds the digits exactly, otherwise `<column>__v_text` |
//! | Utf8, LargeUtf8, Utf8View | text, also where it looks like a timestamp |
//! | Binary, LargeBinary, BinaryView, FixedSizeBinary | binary |
//! | Date32, Date64 | date |
//! | Time32, Time64 | time |
//! | Timestamp | timestamp; without a time zone it is taken for UTC |
//! | Struct | columns `<column>__<field>` |
//! | List, LargeList, FixedSizeList, ListView, LargeListView | a child table |
//! | Map with text keys | a json column |
//! | Dictionary, RunEndEncoded | as their values |
//! | Null | none |
//! | Duration, Interval, Union, maps with other keys | refused: cast them first |
//!
//! Tables keep microseconds, so a time or timestamp with nanoseconds beyond them is refused rather than cut, and so is a
//! Date64 that is no whole day; a timestamp outside of the years 1 to 9999 goes to `<column>__v_text`. As with all
//! records, a column that has nothing but nulls is not made.

mod encode;
mod plan;

pub(crate) use plan::Plan;
