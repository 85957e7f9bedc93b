//! What counts as a record, for all shapes of input and all block sizes.
#![allow(clippy::unwrap_used)] // a helper that cannot go on has found a flaw

mod common;

use common::{BLOCK_SIZES, check, records};
use longshore_source_files::{BlockReader, Error, Input, Options, Select};
use std::io::Cursor;

#[test]
fn top_level_values() {
    for (input, expected) in [
        ("", &[][..]),
        (" \r\n\t\n ", &[]),
        ("\u{feff}", &[]),
        ("\u{feff}{\"a\":1}", &["{\"a\":1}"]),
        ("{\"a\":1}\n{\"a\":2}\n", &["{\"a\":1}", "{\"a\":2}"]),
        ("{\"a\":1}\r\n\r\n\r\n{\"a\":2}", &["{\"a\":1}", "{\"a\":2}"]),
        ("{\"a\":1}{\"a\":2} {\"a\":3}", &["{\"a\":1}", "{\"a\":2}", "{\"a\":3}"]),
        ("{\n  \"a\": [\n    1,\n    {}\n  ]\n}\n", &["{\n  \"a\": [\n    1,\n    {}\n  ]\n}"]),
        ("{\n\"a\":1\n}{\n\"b\":2\n}\n", &["{\n\"a\":1\n}", "{\n\"b\":2\n}"]),
        ("1 2\n\"x\"\"y\" true\nnull\n-1.5e3", &["1", "2", "\"x\"", "\"y\"", "true", "null", "-1.5e3"]),
        ("{\"a\":\"}\\\"{[\\\\\"}\n{\"b\":\"]\"}", &["{\"a\":\"}\\\"{[\\\\\"}", "{\"b\":\"]\"}"]),
    ] {
        check(input, None, expected);
    }
}

#[test]
fn top_level_arrays() {
    for (input, expected) in [
        ("[]", &[][..]),
        ("[ ]\n[]", &[]),
        ("[1]", &["1"]),
        ("\u{feff} [1, 22 ,333\n]", &["1", "22", "333"]),
        ("[{\"a\":[1,2]},\n {\"a\":[]}\n]\n", &["{\"a\":[1,2]}", "{\"a\":[]}"]),
        ("[[1,2],[[3]],\"]\",\"\\\"\"]", &["[1,2]", "[[3]]", "\"]\"", "\"\\\"\""]),
        ("[1,2]\n[3]\r\n[]\n[4]", &["1", "2", "3", "4"]),
        ("[1,2][3]{\"a\":4}[5]6", &["1", "2", "3", "{\"a\":4}", "5", "6"]),
        ("{\"a\":1}\n[{\"b\":1},\n{\"b\":2}]\n{\"c\":1}", &["{\"a\":1}", "{\"b\":1}", "{\"b\":2}", "{\"c\":1}"]),
    ] {
        check(input, None, expected);
    }
}

#[test]
fn joined_files_have_their_marks_in_the_middle() {
    for (input, path, expected) in [
        ("\u{feff}[1,2]\n\u{feff}[3]\r\n\u{feff}", None, &["1", "2", "3"][..]),
        ("[1]\u{feff}[2]\u{feff}\u{feff}", None, &["1", "2"]),
        ("[1]\u{feff}{\"a\":2}[3]", None, &["1", "{\"a\":2}", "3"]),
        ("\u{feff}{\"d\":[1]}\n\u{feff}{\"d\":[2]}\n", Some("$.d[*]"), &["1", "2"]),
    ] {
        check(input, path, expected);
    }
}

#[test]
fn a_path_is_right_where_it_leads_to_a_list_without_elements() {
    for (input, path, expected) in [
        ("{\"d\":[{}]}", "$.d[*]", true),
        ("{\"d\":[]}", "$.d[*]", true),
        ("{\"d\":[]}", "$.d", true),
        ("{\"d\":null}", "$.d[*]", true),
        ("{\"d\":{}}", "$.d.*", true),
        ("[]", "$[*].d[*]", true),
        (" \n", "$.d[*]", true),
        ("{}", "$.d[*]", false),
        ("{\"d\":[]}", "$.e[*]", false),
        ("{\"d\":7}", "$.d[*]", false),
        ("{\"d\":[]}", "$.d[0]", false),
        ("{\"e\":[],\"d\":{\"e\":null}}", "$.d[*].x", false),
    ] {
        let options = Options { select: Some(Select::parse(path).unwrap()), block_bytes: 1, ..Options::default() };
        let mut reader = BlockReader::new(vec![Input::reader("test", Cursor::new(input))], options);
        while reader.next_block().unwrap().is_some() {}
        assert_eq!(reader.is_path_right(), expected, "{input} {path}");
    }
}

#[test]
fn selected_values() {
    let nested = r#"{"x":[9,{"data":[0]}],"data":[{"items":[1,2]},{"items":[]},{"no":1},{"items":[{"i":3}]}],"odd key":{"p":1,"q":[2]}}"#;
    for (path, expected) in [
        ("$", &[nested][..]),
        ("$.data[*].items[*]", &["1", "2", "{\"i\":3}"]),
        ("$.data[*].items", &["[1,2]", "[]", "[{\"i\":3}]"]),
        ("$.data[0].items[1]", &["2"]),
        ("$['odd key'][*]", &["1", "[2]"]),
        ("$['odd key'].*", &["1", "[2]"]),
        ("$..i", &["3"]),
        ("$..items[*]", &["1", "2", "{\"i\":3}"]),
        ("$..data", &["[0]", r#"[{"items":[1,2]},{"items":[]},{"no":1},{"items":[{"i":3}]}]"#]),
        ("$.x[1]..data[*]", &["0"]),
        ("$.nothing[*]", &[]),
        ("$[*].items", &[]),
    ] {
        check(nested, Some(path), expected);
    }
}

#[test]
fn selected_values_of_many_top_level_values() {
    for (input, path, expected) in [
        ("[{\"x\":1},{\"x\":[2]}]", "$[*].x", &["1", "[2]"][..]),
        ("[{\"rows\":[1,2]},{\"rows\":[3]}]", "$[0].rows[*]", &["1", "2"]),
        ("{\"d\":[1]}\n{\"d\":[2,3]}\r\n\n{\"e\":[4]}\n", "$.d[*]", &["1", "2", "3"]),
        ("{\"d\":1}{\"d\":2}3 \"d\" [4]", "$.d", &["1", "2"]),
        ("1 [2]", "$", &["1", "[2]"]),
        ("{ \"d\\u0061\\/\" : 1 , \"\\ud83d\\ude00\" : 2 }", "$['da/']", &["1"]),
        ("{ \"d\\u0061\\/\" : 1 , \"\\ud83d\\ude00\" : 2 }", "$['\u{1F600}']", &["2"]),
        ("\u{feff}{\"a\":{\n\"b\":[\n{\"c\":1},\n{\"c\":2}\n]\n}}", "$.a.b[*]", &["{\"c\":1}", "{\"c\":2}"]),
    ] {
        check(input, Some(path), expected);
    }
}

#[test]
fn broken_wrappers_are_errors_with_a_place() {
    for (input, path, message) in [
        ("[1,\n2", None, "inside the array that begins at byte 0 (line 1)"),
        ("[1,\n {\"a\":[1}", None, "inside the record that begins at byte 5 (line 2)"),
        ("[\"a", None, "inside the record that begins at byte 1 (line 1)"),
        ("[1,\n2 3]", None, "at byte 6 (line 2) where ',' or ']' must stand"),
        ("[1,]", None, "found ']' at byte 3 (line 1) where a value must stand"),
        ("{\"d\":[1,2", Some("$.d[*]"), "inside the object that begins at byte 0 (line 1)"),
        ("{\"d\" [1,2]}", Some("$.d[*]"), "at byte 5 (line 1) where ':' must stand"),
        ("{d:[1,2]}", Some("$.d[*]"), "at byte 1 (line 1) where a name in quotes must stand"),
        ("{\"d\":[\"a\nb\"]}", Some("$.d[*]"), "the string that ends at byte 8 (line 1) has no closing quote"),
    ] {
        for block in BLOCK_SIZES {
            let error = records(input.as_bytes(), block, path).1.expect(input);
            assert!(error.to_string().contains(message), "{block} {input}: {error}");
        }
    }
}

#[test]
fn records_before_an_error_are_given_out() {
    for block in BLOCK_SIZES {
        let (found, error) = records(b"[1,22,333,]", block, None);
        assert_eq!(found, ["1", "22", "333"]);
        assert!(matches!(error, Some(Error::Stray { offset: 10, .. })));
    }
}

#[test]
fn malformed_lines_never_stop_a_sequence() {
    let good = "{\"id\":1,\"s\":\"x\"}\n";
    for bad in ["{\"id\":", "{\"id\":1,\"s\":\"x", "{\"id\":[1,", "}", "{\"id\":\"\\", "{]", "{\"id\":1},", "\"", "@#!"]
    {
        let input = [&good.repeat(20), bad, "\n", &good.repeat(50)].concat();
        for block in BLOCK_SIZES {
            let (blocks, error) = common::blocks(input.as_bytes(), block, None);
            assert!(error.is_none(), "{bad} {block}");
            let all: String = blocks.iter().map(|b| String::from_utf8_lossy(&b.bytes)).collect();
            // White space between blocks is dropped.
            assert_eq!(all.replace('\n', ""), input.replace('\n', ""), "{bad} {block}");
            // The damage takes at most the next line along.
            let lines = common::lines_taken_one_by_one(&blocks, good.trim_end());
            assert!(lines >= 69, "{bad} {block}: {lines}");
        }
    }
}

#[test]
fn damaged_lines_are_given_out_for_the_parser_to_refuse() {
    let good = "{\"d\":[1,2]}\n";
    for bad in ["{\"d\":[1,2}", "{\"d\":[1,2", "{\"d\":\"x", "}", "{\"d\":[1 2]}", "{\"d\":[1,", "{\"d\":", "{\"d"] {
        let input = [&good.repeat(30), bad, "\n", &good.repeat(30)].concat();
        for block in [200, 1000, 4 << 20] {
            let (found, error) = records(input.as_bytes(), block, Some("$.d[*]"));
            assert!(error.is_none(), "{bad} {block} {error:?}");
            let numbers = found.iter().filter(|r| *r == "1" || *r == "2").count();
            let refused = found.iter().filter(|r| r.starts_with(bad)).count();
            assert!(numbers >= 118 && refused == 1, "{bad} {block}: {numbers} {refused}");
        }
    }
}

#[test]
fn limits() {
    let record = format!("{{\"meta\":{{\"x\":1}},\"data\":[{}\n1]}}", "1,\n".repeat(1000));
    for (input, path, hint) in [
        (record.clone(), None, "'$.data[*]'"),
        (format!("[{record}]"), None, "'$[*].data[*]'"),
        (format!("{{\"a\":[{record}]}}"), Some("$.a[*]"), "'$.a[*].data[*]'"),
    ] {
        let options = Options {
            select: path.map(|p| longshore_source_files::Select::parse(p).unwrap()),
            block_bytes: 16,
            max_record_bytes: 500,
        };
        let (_, error) = common::blocks_with(input.as_bytes(), options);
        let error = error.expect("too large").to_string();
        assert!(error.contains(hint) && error.contains("line 1") && error.contains("--memory"), "{error}");
    }
}

#[test]
fn deep_nesting_and_huge_records() {
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    let object = ["{\"a\":".repeat(100_000), "1".to_owned(), "}".repeat(100_000)].concat();
    for block in [1000, 4 << 20] {
        assert_eq!(records(deep.as_bytes(), block, None).0, [&deep[1..deep.len() - 1]]);
        assert_eq!(records(object.as_bytes(), block, None).0, [&object[..]]);
        assert_eq!(records(object.as_bytes(), block, Some("$..b")).0.len(), 0);
    }
    // Unoptimised code takes a minute for the full size.
    let size = if cfg!(debug_assertions) { 9_000_000 } else { 50_000_000 };
    let huge = format!("{{\"s\":\"{}\"}}", "x\\\"".repeat(size / 3));
    for wrap in [format!("{huge}\n{huge}\n1"), format!("[{huge},\n{huge}, 1]")] {
        let (found, error) = records(wrap.as_bytes(), 4 << 20, None);
        assert!(error.is_none() && found.len() == 3 && found[0] == huge && found[1] == huge);
    }
}
