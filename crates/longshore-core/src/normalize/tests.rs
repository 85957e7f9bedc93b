//! The normaliser as data: JSON in, tables out, through one `check`.

use super::*;
use crate::schema::{Column, ColumnRole, Schema, SystemColumns};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType as ArrowType;

fn settings(system: SystemColumns) -> Settings {
    Settings::new("t", system)
}

/// Normalises and prints: a line a table with its columns, a line a row; system columns as `#row`,
/// `^parent`, `@position`.
fn tables(input: &str, settings: Settings) -> String {
    let mut shape = Shape::new(Schema::new("p", settings.system), settings);
    let block = RecordBytes { bytes: input.as_bytes(), records: None, pages: true };
    let block = normalize(&mut shape, &mut Tape::default(), block, OnError::Fail).expect("valid input");
    let batches =
        block.assemble(&shape, &LoadId::from_micros(1_577_836_800_000_000, SystemColumns::Native), &Offsets::default());
    let mut out = String::new();
    for batch in batches {
        out.push_str(&format!("{}:", batch.table.name));
        let columns: Vec<&Column> = batch.table.columns.iter().filter(|c| c.role != Some(ColumnRole::LoadId)).collect();
        for c in columns.iter().filter(|c| c.role.is_none()) {
            out.push_str(&format!(" {}:{}", c.name, c.data_type));
        }
        out.push('\n');
        for row in 0..batch.rows.num_rows() {
            let mut cells: Vec<_> = columns.iter().zip(batch.rows.columns()).collect();
            cells.sort_by_key(|(c, _)| c.role.is_some());
            let cells = cells.iter().filter_map(|(c, array)| cell(c, array, row));
            out.push_str(&format!("  {}\n", cells.collect::<Vec<_>>().join(" ")));
        }
    }
    out
}

fn cell(column: &Column, array: &ArrayRef, row: usize) -> Option<String> {
    let ordinal = |a: &ArrayRef| a.as_primitive::<Int64Type>().value(row) & 0xfff;
    Some(match column.role {
        Some(ColumnRole::RowId) => format!("#{}", ordinal(array)),
        Some(ColumnRole::ParentId) => format!("^{}", ordinal(array)),
        Some(ColumnRole::ListIndex) => format!("@{}", ordinal(array)),
        Some(_) => return None,
        None if array.is_null(row) => "-".to_owned(),
        None => match array.data_type() {
            ArrowType::Utf8 => format!("{:?}", array.as_string::<i32>().value(row)),
            ArrowType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
            ArrowType::Float64 => format!("{:?}", array.as_primitive::<Float64Type>().value(row)),
            ArrowType::Boolean => array.as_boolean().value(row).to_string(),
            ArrowType::Decimal128(..) => format!("{}d", array.as_primitive::<Decimal128Type>().value(row)),
            ArrowType::Timestamp(..) => format!("{}us", array.as_primitive::<TimestampMicrosecondType>().value(row)),
            other => panic!("no cell for {other}"),
        },
    })
}

#[test]
fn byte_order_marks_between_values_are_passed_over() {
    let joined = "{\"a\":1}\n\u{feff}{\"a\":2}\u{feff}\u{feff}[{\"a\":3}]\u{feff}";
    let plain = "{\"a\":1}{\"a\":2}[{\"a\":3}]";
    let native = || settings(SystemColumns::Native);
    assert_eq!(tables(joined, native()), tables(plain, native()));
}

#[track_caller]
fn check(input: &str, expect: &str) {
    check_with(settings(SystemColumns::Native), input, expect);
}

#[track_caller]
fn check_with(settings: Settings, input: &str, expect: &str) {
    let trim = |s: &str| s.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("\n");
    assert_eq!(trim(&tables(input, settings)), trim(expect));
}

#[test]
fn flattening_takes_scalars_first_and_dicts_last_one_first() {
    check(
        r#"{"x":{"p":1},"a":1,"y":{"q":1,"w":{"r":1}},"z":{"s":1},"b":2}"#,
        "t: a:bigint b:bigint z__s:bigint y__q:bigint y__w__r:bigint x__p:bigint
         1 2 1 1 1 1 #0",
    );
}

#[test]
fn lists_become_child_tables() {
    check(
        r#"{"id":1,"tags":["a",null,"b"],"lines":[{"sku":"x","tax":[{"r":1.5}]},{}]} {"id":2,"tags":[],"c":{"m":[7]}}"#,
        r#"t: id:bigint
             1 #0
             2 #1
           t__tags: value:text
             "a" #0 ^0 @0
             - #1 ^0 @1
             "b" #2 ^0 @2
           t__lines: sku:text
             "x" #0 ^0 @0
             - #1 ^0 @1
           t__lines__tax: r:double
             1.5 #0 ^0 @0
           t__c__m: value:bigint
             7 #0 ^1 @0"#,
    );
}

#[test]
fn lists_in_lists_make_a_table_between() {
    check(
        "{\"l\":[[1,2],[],[[3]]]}",
        "t:
           #0
         t__l:
           #0 ^0 @0
           #1 ^0 @1
           #2 ^0 @2
         t__l__list: value:bigint
           1 #0 ^0 @0
           2 #1 ^0 @1
           - #2 ^2 @0
         t__l__list__list: value:bigint
           3 #0 ^2 @0",
    );
}

#[test]
fn nesting_limit_keeps_json() {
    let limited = |n| Settings { max_nesting: n, ..settings(SystemColumns::Native) };
    let input = r#"{"a":{"b":{"c":1}},"l":[{"m":[1]}]}"#;
    check_with(
        limited(0),
        input,
        r#"t: a:json l:json
        "{\"b\":{\"c\":1}}" "[{\"m\":[1]}]" #0"#,
    );
    check_with(
        limited(1),
        input,
        r#"t: a__b:json
        "{\"c\":1}" #0
        t__l: m:json
        "[1]" #0 ^0 @0"#,
    );
}

#[test]
fn json_columns_are_kept_at_their_path() {
    let path = |p| FieldPath::parse(p).unwrap();
    let settings = Settings { json_columns: vec![path("$.l[*].attr"), path("raw")], ..settings(SystemColumns::Native) };
    check_with(
        settings,
        r#"{"l":[{"attr":{"x":1},"b":{"attr":2}}],"raw":"text"}"#,
        r#"
        t: raw:json
          "\"text\"" #0
        t__l: attr:json b__attr:bigint
          "{\"x\":1}" 2 #0 ^0 @0"#,
    );
}

#[test]
fn a_value_that_does_not_fit_goes_to_a_variant() {
    check(
        r#"{"v":1} {"v":"x"} {"v":2.5} {"v":true} {"v":3.0} {"v":"4"} {"v":"04"} {"v":{"k":1}} {"v":[1]}"#,
        r#"t: v:bigint v__v_text:text v__v_double:double v__v_bool:bool v__k:bigint
             1 - - - - #0
             - "x" - - - #1
             - - 2.5 - - #2
             - - - true - #3
             3 - - - - #4
             4 - - - - #5
             - "04" - - - #6
             - - - - 1 #7
             - - - - - #8
           t__v: value:bigint
             1 #0 ^8 @0"#,
    );
}

#[test]
fn numbers_keep_every_digit() {
    check(
        r#"{"v":1} {"v":9223372036854775807} {"v":9223372036854775808} {"v":1234567890123456789012345678901234567890} {"w":0.12345678901234567890} {"w":1e400} {"w":0.1}"#,
        r#"t: v:bigint v__v_decimal:decimal v__v_text:text w:double w__v_text:text
             1 - - - - #0
             9223372036854775807 - - - - #1
             - 9223372036854775808d - - - #2
             - - "1234567890123456789012345678901234567890" - - #3
             - - - - "0.12345678901234567890" #4
             - - - - "1e400" #5
             - - - 0.1 - #6"#,
    );
}

#[test]
fn iso_texts_are_timestamps_and_dates_stay_text() {
    check(
        r#"{"at":"1970-01-01T00:00:01Z","day":"1970-01-01"} {"at":"1970-01-01T01:00:00+01:00"} {"at":"soon"}"#,
        r#"t: at:timestamp day:text at__v_text:text
             1000000us "1970-01-01" - #0
             0us - - #1
             - - "soon" #2"#,
    );
}

#[test]
fn keys_that_collide_both_survive() {
    let tag = |k: &str| crate::naming::tag(k);
    check(
        r#"{"userId":1,"user_id":2} {"user_id":3} {"userId":4}"#,
        &format!(
            "t: user_id:bigint user_id_{}:bigint
             1 2 #0
             - 3 #1
             4 - #2",
            tag("user_id")
        ),
    );
    check(
        r#"{"Items":[1],"items":[2]} {"items":[3]}"#,
        &format!(
            "t:
             #0
             #1
           t__items: value:bigint
             1 #0 ^0 @0
           t__items_{}: value:bigint
             2 #0 ^0 @0
             3 #1 ^1 @0",
            tag("items")
        ),
    );
    check(
        r#"{"a__b":1,"a":{"b":2}}"#,
        &format!(
            "t: a__b:bigint a__b_{}:bigint
             1 2 #0",
            tag("a.b")
        ),
    );
}

#[test]
fn a_repeated_key_keeps_all_values() {
    check(
        r#"{"a":1,"a":2,"a":3} {"a":4}"#,
        "t: a:bigint a_2:bigint a_3:bigint
             1 2 3 #0
             4 - - #1",
    );
}

#[test]
fn keys_without_letters_have_distinct_names() {
    let tag = |k: &str| crate::naming::tag(k);
    check(
        r#"{"é":1} {"ü":2} {"é":3,"日本":4} {"":5,"__":6}"#,
        &format!(
            "t: x:bigint x_{}:bigint x_{}:bigint _empty:bigint _empty_{}:bigint
             1 - - - - #0
             - 2 - - - #1
             3 - 4 - - #2
             - - - 5 6 #3",
            tag("ü"),
            tag("日本"),
            tag("__")
        ),
    );
}

#[test]
fn a_field_named_like_a_system_column_keeps_its_value() {
    check(
        r#"{"_row_id":7,"_load_id":"mine","l":[{"_parent_id":1,"_list_idx":2,"_root_id":3}]}"#,
        r#"t: _row_id_source:bigint _load_id_source:text
             7 "mine" #0
           t__l: _parent_id_source:bigint _list_idx_source:bigint _root_id_source:bigint
             1 2 3 #0 ^0 @0"#,
    );
}

#[test]
fn lone_surrogates_and_nul_are_kept() {
    check(
        r#"{"a":"x\ud83dy","b":"\u0000"}"#,
        r#"t: a:text b:text
             "x\\ud83dy" "\0" #0"#,
    );
}

#[test]
fn the_same_list_path_of_two_parents_is_two_tables() {
    let tag = crate::naming::tag("b");
    check(
        r#"{"a":{"b":[1]}} {"a":[{"b":[2]}]}"#,
        &format!(
            "t:
             #0
             #1
           t__a__b: value:bigint
             1 #0 ^0 @0
           t__a:
             #0 ^1 @0
           t__a__b_{tag}: value:bigint
             2 #0 ^0 @0"
        ),
    );
}

#[test]
fn records_that_are_no_dicts() {
    check(
        "1 \"x\" [2,[3,4]] null",
        r#"t: value:bigint value__v_text:text
             1 - #0
             - "x" #1
             2 - #2
             - - #3
           t__value: value:bigint
             3 #0 ^3 @0
             4 #1 ^3 @1"#,
    );
}

#[test]
fn bad_records_are_rejected_whole_and_reading_goes_on() {
    let input = "{\"a\":1}\n{\"a\":\n{\"a\":2}\n\n{\"a\":\"x\ny\"}\n{\"a\":3}\n{\"a\":";
    let mut shape = Shape::new(Schema::new("p", SystemColumns::Native), settings(SystemColumns::Native));
    let block = RecordBytes { bytes: input.as_bytes(), records: None, pages: true };
    let block = normalize(&mut shape, &mut Tape::default(), block, OnError::Reject).unwrap();
    let bad: Vec<&str> = block.rejects.iter().map(|b| &input[b.range.clone()]).collect();
    assert_eq!(bad, ["{\"a\":", "{\"a\":\"x", "y\"}", "{\"a\":"]);
    assert_eq!(block.read, 7);
    let batches = block.assemble(&shape, &LoadId::from_micros(0, SystemColumns::Native), &Offsets::default());
    assert_eq!(batches[0].rows.num_rows(), 3);
}

#[test]
fn a_block_is_done_again_only_when_it_and_an_earlier_one_brought_something_new() {
    let base = {
        let mut s = Shape::new(Schema::new("p", SystemColumns::Native), settings(SystemColumns::Native));
        run(&mut s, "{\"a\":1}");
        s
    };
    let (mut first, mut second, mut third) = (base.clone(), base.clone(), base.clone());
    let one = run(&mut first, "{\"b\":1}");
    assert!(one.is_valid_after(&base));
    assert!(run(&mut second, "{\"a\":2}").is_valid_after(&first));
    assert!(!run(&mut third, "{\"b\":\"x\"}").is_valid_after(&first));

    fn run(shape: &mut Shape, input: &str) -> NormalizedBlock {
        let block = RecordBytes { bytes: input.as_bytes(), records: None, pages: true };
        normalize(shape, &mut Tape::default(), block, OnError::Fail).unwrap()
    }
}

#[test]
fn dlt_mode_links_rows_by_dlts_ids() {
    let mut shape = Shape::new(Schema::new("p", SystemColumns::Dlt), settings(SystemColumns::Dlt));
    let block = RecordBytes { bytes: br#"{"_dlt_id":"parent","l":[1]}"#, records: None, pages: true };
    let block = normalize(&mut shape, &mut Tape::default(), block, OnError::Fail).unwrap();
    let batches = block.assemble(&shape, &LoadId::from_micros(0, SystemColumns::Native), &Offsets::default());
    let names: Vec<&str> = batches[1].table.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["value", "_dlt_parent_id", "_dlt_list_idx", "_dlt_id"]);
    assert_eq!(batches[1].rows.column(3).as_string::<i32>().value(0), "uxWb6dg6v/+spA");
}
