//! Every type, its extremes and its nulls come back as they were.

use super::place::{Place, assert_rows};
use super::{Case, cases};
use crate::rows::{double, shared, timestamp};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray,
    Time64MicrosecondArray, TimestampMicrosecondArray, new_null_array,
};
use longshore_core::schema::{DECIMAL_PRECISION, DataType};
use longshore_core::{ErrorKind, Result};
use serde_json::{Value, json};

pub(super) fn cases() -> Vec<Case> {
    cases![
        every_type_comes_back,
        nulls_of_every_type_stay_null,
        whole_numbers_reach_64_bits,
        doubles_keep_every_bit,
        decimals_keep_38_digits,
        texts_keep_every_character,
        text_with_nul_is_kept_or_escaped_or_the_load_is_refused,
        a_text_of_a_megabyte_is_kept,
        instants_reach_from_year_1_to_9999,
        days_and_times_of_day_reach_their_ends,
        bytes_keep_every_value,
        json_stays_json,
    ]
}

/// Loads one column of one type and asserts what comes back, in row order.
async fn check_column(at: &Place, data_type: DataType, array: ArrayRef, expect: Vec<Value>) -> Result<()> {
    let numbers = shared(Int64Array::from_iter_values(0..array.len() as i64));
    let package = at.package(1).arrays("t", vec![("n", DataType::Bigint, numbers), ("v", data_type, array)]).build();
    at.load(&package).await?;
    let found = at.read_typed(&package, "t").await?.select(&["n", "v"]);
    assert_rows(data_type.as_str(), found, expect.into_iter().enumerate().map(|(n, v)| vec![json!(n), v]).collect());
    Ok(())
}

fn decimals(values: Vec<Option<i128>>) -> ArrayRef {
    shared(Decimal128Array::from(values).with_precision_and_scale(DECIMAL_PRECISION, 0).expect("a valid precision"))
}

fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> ArrayRef {
    shared(StringArray::from_iter_values(values))
}

/// One value of each type and its canonical form.
fn one_of_each() -> Vec<(&'static str, DataType, ArrayRef, Value)> {
    vec![
        ("a_text", DataType::Text, texts(["naïve"]), json!("naïve")),
        ("a_bigint", DataType::Bigint, shared(Int64Array::from(vec![-7])), json!(-7)),
        ("a_double", DataType::Double, shared(Float64Array::from(vec![0.1])), json!(0.1)),
        ("a_bool", DataType::Bool, shared(BooleanArray::from(vec![true])), json!(true)),
        (
            "a_timestamp",
            DataType::Timestamp,
            instants(vec![Some(1_706_745_599_000_001)]),
            json!("2024-01-31T23:59:59.000001Z"),
        ),
        ("a_json", DataType::Json, texts([r#"{"k":[1,null]}"#]), json!({"k": [1, null]})),
        ("a_decimal", DataType::Decimal, decimals(vec![Some(1 << 64)]), json!("18446744073709551616")),
        ("a_binary", DataType::Binary, shared(BinaryArray::from_vec(vec![b"\x00\xfe"])), json!("00fe")),
        ("a_date", DataType::Date, shared(Date32Array::from(vec![19_782])), json!("2024-02-29")),
        (
            "a_time",
            DataType::Time,
            shared(Time64MicrosecondArray::from(vec![45_296_000_007])),
            json!("12:34:56.000007"),
        ),
    ]
}

fn instants(values: Vec<Option<i64>>) -> ArrayRef {
    shared(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
}

async fn every_type_comes_back(at: Place) -> Result<()> {
    let all = one_of_each();
    assert_eq!(all.len(), DataType::ALL.len());
    let columns = all.iter().map(|(name, data_type, array, _)| (*name, *data_type, ArrayRef::clone(array))).collect();
    let package = at.package(1).arrays("t", columns).build();
    at.load(&package).await?;
    let names: Vec<&str> = all.iter().map(|(name, ..)| *name).collect();
    let expect = all.iter().map(|(.., value)| value.clone()).collect();
    assert_rows("all types", at.read_typed(&package, "t").await?.select(&names), vec![expect]);
    Ok(())
}

async fn nulls_of_every_type_stay_null(at: Place) -> Result<()> {
    let all = one_of_each();
    let nulls =
        all.iter().map(|(name, data_type, ..)| (*name, *data_type, new_null_array(&data_type.arrow(), 2))).collect();
    let values = all.iter().map(|(name, data_type, array, _)| (*name, *data_type, ArrayRef::clone(array))).collect();
    let package = at.package(1).arrays("t", nulls).arrays("t", values).build();
    at.load(&package).await?;
    let rows = at.read_typed(&package, "t").await?;
    for (name, .., value) in &all {
        let mut found = rows.column(name);
        found.retain(|v| !v.is_null());
        assert_eq!((rows.rows.len(), found), (3, vec![value.clone()]), "'{name}'");
    }
    Ok(())
}

async fn whole_numbers_reach_64_bits(at: Place) -> Result<()> {
    let values = vec![i64::MIN, i64::MIN + 1, -1, 0, 1, 1 << 53 | 1, i64::MAX];
    let expect = values.iter().map(|&v| json!(v)).collect();
    check_column(&at, DataType::Bigint, shared(Int64Array::from(values)), expect).await
}

async fn doubles_keep_every_bit(at: Place) -> Result<()> {
    let values = vec![
        f64::MIN,
        f64::MAX,
        0.0,
        -0.0,
        f64::MIN_POSITIVE,
        5e-324,
        -5e-324,
        2.225e-308,
        f64::EPSILON,
        0.1,
        1.0 / 3.0,
        1e22,
        9_007_199_254_740_993.0,
        123_456_789.123_456_78,
    ];
    let expect = values.iter().map(|&v| double(v)).collect();
    check_column(&at, DataType::Double, shared(Float64Array::from(values)), expect).await
}

async fn decimals_keep_38_digits(at: Place) -> Result<()> {
    let most = 10i128.pow(38) - 1;
    let values = [most, -most, 0, 1, -1, i128::from(u64::MAX), 10i128.pow(37)];
    let expect = values.iter().map(|v| json!(v.to_string())).collect();
    check_column(&at, DataType::Decimal, decimals(values.map(Some).to_vec()), expect).await
}

async fn texts_keep_every_character(at: Place) -> Result<()> {
    let values = [
        "",
        " ",
        "  two spaces  ",
        "it's \"quoted\"",
        "back\\slash \\n \\N \\.",
        "tab\tline\nreturn\rend",
        "a,b;c|d",
        "😀 👩‍👩‍👧 e\u{301}",
        "日本語",
        "\u{feff}bom",
        "\u{1}\u{1f}\u{7f}",
        "\u{10ffff}",
        "NULL",
        "null",
        "''; DROP TABLE t; --",
        "$1 %s {} ${x}",
        "0x00",
        "1e5",
    ];
    check_column(&at, DataType::Text, texts(values), values.iter().map(|&v| json!(v)).collect()).await
}

async fn text_with_nul_is_kept_or_escaped_or_the_load_is_refused(at: Place) -> Result<()> {
    let package = at.package(1).json("t", r#"{"v":"a\u0000b"}"#).build();
    match at.load(&package).await {
        // Kept, or written as its escape where the destination has no such character.
        Ok(_) if at.read("t").await?.column("v") == ["a\\u0000b"] => Ok(()),
        Ok(_) => at.check("t", &["v"], r#"["a\u0000b"]"#).await,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Data, "a value that cannot be stored is an error about data: {error}");
            let named = |key| error.context().iter().any(|(k, _)| *k == key);
            assert!(named("table") && named("column"), "the error names table and column: {error}");
            at.check_nothing_of(&package).await
        }
    }
}

async fn a_text_of_a_megabyte_is_kept(at: Place) -> Result<()> {
    let long = "0123456789abcdé".repeat(1 << 16);
    check_column(&at, DataType::Text, texts(["short", &long, ""]), vec![json!("short"), json!(long), json!("")]).await
}

async fn instants_reach_from_year_1_to_9999(at: Place) -> Result<()> {
    let values = [-62_135_596_800_000_000, 253_402_300_799_999_999, 0, -1, 1, 951_782_400_000_000];
    assert_eq!(timestamp(values[0]), "0001-01-01T00:00:00.000000Z");
    assert_eq!(timestamp(values[1]), "9999-12-31T23:59:59.999999Z");
    let expect = values.iter().map(|&v| json!(timestamp(v))).collect();
    check_column(&at, DataType::Timestamp, instants(values.map(Some).to_vec()), expect).await
}

async fn days_and_times_of_day_reach_their_ends(at: Place) -> Result<()> {
    let days = shared(Date32Array::from(vec![-719_162, 2_932_896, 0, -1]));
    let times = shared(Time64MicrosecondArray::from(vec![0, 86_399_999_999, 1, 43_200_000_000]));
    let package =
        at.package(1).arrays("t", vec![("day", DataType::Date, days), ("time", DataType::Time, times)]).build();
    at.load(&package).await?;
    at.check(
        "t",
        &["day", "time"],
        r#"["0001-01-01","00:00:00.000000"] ["9999-12-31","23:59:59.999999"] ["1970-01-01","00:00:00.000001"] ["1969-12-31","12:00:00.000000"]"#,
    )
    .await
}

async fn bytes_keep_every_value(at: Place) -> Result<()> {
    let all: Vec<u8> = (0..=255).collect();
    let values: Vec<&[u8]> = vec![b"", b"\0", b"\\x41", b"'\"", &all];
    let expect = values.iter().map(|v| json!(crate::rows::hex(v))).collect();
    check_column(&at, DataType::Binary, shared(BinaryArray::from_vec(values)), expect).await
}

async fn json_stays_json(at: Place) -> Result<()> {
    let values = [
        r#"{"b":1,"a":{"deep":[1,[2,{"x":null}]]}}"#,
        "[]",
        "{}",
        "[1.5,true,false,null]",
        "12",
        r#"{"text":"it's \"q\" \\ é 😀 \n"}"#,
        r#"{"":{"with space":1}}"#,
    ];
    let expect = values.iter().map(|v| serde_json::from_str(v).expect("JSON")).collect();
    check_column(&at, DataType::Json, texts(values), expect).await
}
