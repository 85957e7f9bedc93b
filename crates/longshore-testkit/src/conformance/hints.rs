//! Columns with sizes: every value comes back as it was, and what is too large has its own place.

use super::place::Place;
use super::{Case, cases};
use longshore_core::Result;
use longshore_core::capabilities::{Capabilities, Widening};
use longshore_core::normalize::Settings;
use longshore_core::schema::{Disposition, MergeStrategy, SystemColumns, WriteRules};

pub(super) fn cases(capabilities: &Capabilities) -> Vec<Case> {
    let mut cases = cases![
        decimals_keep_every_digit,
        sizes_hold_what_fits_and_nothing_else,
        sizes_are_known_to_a_later_load,
        moments_without_a_time_zone_are_what_they_were,
        described_columns_are_loaded_again,
    ];
    if capabilities.dispositions.merge.contains(&MergeStrategy::DeleteInsert) {
        cases.extend(cases![sized_rows_are_merged]);
    }
    if capabilities.widens != Widening::Never {
        cases.extend(cases![a_size_becomes_larger_in_place]);
    }
    cases
}

/// Settings with hints as the command's flag gives them.
fn hinted(hints: &[&str]) -> Settings {
    let mut settings = Settings::new("t", SystemColumns::Native);
    hints.iter().for_each(|hint| settings.add_hint(hint).expect("the hint is one"));
    settings
}

const DECIMALS: &str = r#"{"id":1,"v":12.34} {"id":2,"v":-0.05} {"id":3,"v":"5.60"} {"id":4,"v":99999999} {"id":5,"v":0}
    {"id":6,"v":1e3} {"id":7,"v":-99999999.99}"#;
const DECIMAL_ROWS: &str = r#"[1,"12.34"] [2,"-0.05"] [3,"5.6"] [4,"99999999"] [5,"0"] [6,"1000"] [7,"-99999999.99"]"#;

async fn decimals_keep_every_digit(at: Place) -> Result<()> {
    let hints = [
        "v=decimal:precision=10:scale=2",
        "w=decimal",
        "x=decimal:precision=38:scale=38",
        "y=decimal:precision=4:scale=1",
    ];
    let more = r#"{"id":8,"w":-1.000000001,"x":0.00000000000000000000000000000000000001,"y":-999.9}
        {"id":9,"w":29999999999999999999999999999.999999999,"x":-0.99999999999999999999999999999999999999,"y":0.1}"#;
    let package = at.package(1).hinted(&hinted(&hints)).json("t", DECIMALS).json("t", more).build();
    at.load(&package).await?;
    at.check("t", &["id", "v"], &format!("{DECIMAL_ROWS} [8,null] [9,null]")).await?;
    let rows = at.read("t").await?.select(&["id", "w", "x", "y"]);
    let rows: Vec<_> = rows.into_iter().filter(|r| r[0].as_i64() > Some(7)).collect();
    let expect = serde_json::json!([
        [8, "-1.000000001", "0.00000000000000000000000000000000000001", "-999.9"],
        [9, "29999999999999999999999999999.999999999", "-0.99999999999999999999999999999999999999", "0.1"]
    ]);
    assert_eq!(serde_json::json!(rows), expect);
    Ok(())
}

async fn sizes_hold_what_fits_and_nothing_else(at: Place) -> Result<()> {
    let hints = [
        "n=bigint:precision=16",
        "i=bigint:precision=32",
        "s=text:precision=3",
        "d=decimal:precision=4:scale=2",
        "b=bigint:precision=8",
    ];
    let records = r#"{"n":32767,"i":-2147483648,"s":"äöü","d":12.34,"b":-128} {"n":32768,"i":2147483648,"s":"abcd","d":12.345,"b":128}
        {"n":-32768,"i":0,"s":"","d":-99.99,"b":127}"#;
    let package = at.package(1).hinted(&hinted(&hints)).json("t", records).build();
    at.load(&package).await?;
    let columns = ["n", "i", "s", "d", "b"];
    at.check(
        "t",
        &columns,
        r#"[32767,-2147483648,"äöü","12.34",-128] [null,null,null,null,null] [-32768,0,"","-99.99",127]"#,
    )
    .await?;
    let columns = ["n__v_bigint", "i__v_bigint", "s__v_text", "d__v_double", "b__v_bigint"];
    let nothing = "[null,null,null,null,null]";
    at.check("t", &columns, &format!(r#"{nothing} [32768,2147483648,"abcd",12.345,128] {nothing}"#)).await
}

/// The second load's rows go into a table that is there, whose schema alone knows the sizes.
async fn sizes_are_known_to_a_later_load(at: Place) -> Result<()> {
    let hints = ["v=decimal:precision=10:scale=2", "n=bigint:precision=16", "s=text:precision=5"];
    let first = at.package(1).hinted(&hinted(&hints)).json("t", r#"{"id":0,"v":1.5,"n":1,"s":"a"}"#).build();
    let second = at.package(2).after(&first).json("t", DECIMALS).json("t", r#"{"id":8,"n":-7,"s":"b"}"#).build();
    assert!(second.manifest.change.is_empty(), "{:?}", second.manifest.change);
    at.load(&first).await?;
    at.load(&second).await?;
    at.check("t", &["id", "v"], &format!(r#"[0,"1.5"] {DECIMAL_ROWS} [8,null]"#)).await?;
    let columns = at.open().await?.last_committed(&at.target()).await?.map(|c| c.schema);
    assert_eq!(columns, Some(second.manifest.schema));
    Ok(())
}

async fn moments_without_a_time_zone_are_what_they_were(at: Place) -> Result<()> {
    let hints = [
        "a=timestamp:timezone=false",
        "b=timestamp:precision=3:timezone=false",
        "c=timestamp:precision=0:timezone=false",
        "d=time:precision=0",
    ];
    let records = r#"{"a":"2024-02-29T12:00:00.123456+02:00","b":"2024-02-29T12:00:00.123","c":"1969-12-31T23:59:59Z","d":"12:34:56"}
        {"a":"2024-02-29","b":"2024-02-29T12:00:00.1234","c":null}"#;
    let package = at.package(1).hinted(&hinted(&hints)).json("t", records).build();
    at.load(&package).await?;
    let expect = serde_json::json!([
        "2024-02-29T10:00:00.123456Z",
        "2024-02-29T12:00:00.123000Z",
        "1969-12-31T23:59:59.000000Z",
        "12:34:56.000000"
    ]);
    let rows = at.read("t").await?.select(&["a", "b", "c", "d"]);
    assert!(rows.iter().any(|r| serde_json::json!(r) == expect), "{rows:?}");
    assert_eq!(at.read("t").await?.column("b").iter().filter(|v| v.is_null()).count(), 1, "a digit was lost");
    Ok(())
}

/// Indexes and descriptions are made once, and stand in no load's way.
async fn described_columns_are_loaded_again(at: Place) -> Result<()> {
    let hints = ["id=bigint:unique:description=it's the key", "v=:index:sort:description=plain"];
    let first = at.package(1).hinted(&hinted(&hints)).json("t", r#"{"id":1,"v":"a"}"#).build();
    at.load(&first).await?;
    let second = at.package(2).after(&first).hinted(&hinted(&["w=:index:description=later", "v=:unique"]));
    let second = second.json("t", r#"{"id":2,"v":"b","w":1}"#).json("t", r#"{"id":3,"v":"c","x":true}"#).build();
    at.load(&second).await?;
    let third = at.package(3).after(&second).json("t", r#"{"id":4,"w":0.5}"#).build();
    at.load(&third).await?;
    at.check("t", &["id", "v"], r#"[1,"a"] [2,"b"] [3,"c"] [4,null]"#).await
}

async fn sized_rows_are_merged(at: Place) -> Result<()> {
    let merge = WriteRules { disposition: Disposition::Merge, primary_key: vec!["id".into()], ..WriteRules::default() };
    let hints = [
        "v=decimal:precision=10:scale=2",
        "t=timestamp:timezone=false",
        "n=bigint:precision=16",
        "id=bigint:unique",
        "l.p=decimal:precision=5:scale=3",
    ];
    let first = at.package(1).hinted(&hinted(&hints)).writing(merge.clone());
    let first = first
        .json("t", r#"{"id":1,"v":1.25,"t":"2024-01-01","n":5,"l":[{"p":1.125}]} {"id":2,"v":2,"l":[{"p":2}]}"#)
        .build();
    let second = at.package(2).after(&first).writing(merge);
    let second = second
        .json("t", r#"{"id":2,"v":-0.01,"t":"2024-01-02T01:00:00","l":[{"p":0.5},{"p":99.999}]} {"id":3}"#)
        .build();
    at.load(&first).await?;
    at.load(&second).await?;
    at.check("t", &["id", "v", "n"], r#"[1,"1.25",5] [2,"-0.01",null] [3,null,null]"#).await?;
    at.check("t__l", &["p"], r#"["1.125"] ["0.5"] ["99.999"]"#).await
}

async fn a_size_becomes_larger_in_place(at: Place) -> Result<()> {
    let hints = ["v=decimal:precision=4:scale=2", "n=bigint:precision=16", "s=text:precision=2"];
    let first = at.package(1).hinted(&hinted(&hints)).json("t", r#"{"v":1.5,"n":1,"s":"a"}"#).build();
    let mut second = at.package(2).after(&first).json("t", r#"{"v":2.25,"n":2,"s":"b"}"#);
    second =
        second.resized("t", "v", "decimal:precision=12:scale=3").resized("t", "n", "bigint").resized("t", "s", "text");
    let second = second.json("t", r#"{"v":123456789.125,"n":70000,"s":"longer"}"#).build();
    assert_eq!(second.manifest.change.tables[0].retyped.len(), 3);
    at.load(&first).await?;
    at.load(&second).await?;
    at.check("t", &["v", "n", "s"], r#"["1.5",1,"a"] ["2.25",2,"b"] ["123456789.125",70000,"longer"]"#).await
}
