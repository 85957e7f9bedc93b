//! The fuzz targets' assertions on generated input: a short run in every test run.

use longshore_testkit::fuzz;
use proptest::prelude::*;

/// Pieces of JSON and of what breaks it.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\":",
        "\"\"",
        "\"é\"",
        "\\",
        "\\u",
        "\\ud83d",
        "\n",
        "\r\n",
        " ",
        "null",
        "true",
        "0",
        "-0",
        "1e400",
        "1.5",
        "12345678901234567890",
        "\"2024-01-01T00:00:00Z\"",
        "{\"a\":1}",
        "{\"a\":[1,[2]]}",
        "{\"_row_id\":1}",
        "{\"a\":1,\"a\":2}",
        "{\"_dlt_id\":null}",
        "{\"\":{\"__\":[{}]}}",
    ]);
    prop_oneof![8 => known.prop_map(|s| s.as_bytes().to_vec()), 1 => prop::collection::vec(any::<u8>(), 0..6)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_bytes_are_read_without_a_panic(pieces in prop::collection::vec(piece(), 0..24)) {
        fuzz::json(&pieces.concat());
    }

    #[test]
    fn any_text_has_a_name(text in any::<String>()) {
        fuzz::naming(&text);
    }

    #[test]
    fn any_text_of_name_characters_has_a_name(text in "[a-zA-Z0-9_+*@| .-]{0,12}") {
        fuzz::naming(&text);
    }
}
