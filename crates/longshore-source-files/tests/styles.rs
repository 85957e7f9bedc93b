//! The same values printed in any style give the same records, for any block size.
#![allow(clippy::unwrap_used)] // a helper that cannot go on has found a flaw

mod common;

use common::records;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Json {
    Raw(&'static str),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

const RAW: [&str; 7] = ["null", "true", "false", "0", "-12", "1.5e-3", "\"\\u00e9\\n\""];

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z \\[\\]{},:\"\\\\é]{0,12}", "[\"\\\\]{0,140}", "[x]{50,80}",]
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![prop::sample::select(&RAW[..]).prop_map(Json::Raw), text().prop_map(Json::Text),];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::Array),
            prop::collection::vec((text(), inner), 0..5).prop_map(Json::Object),
        ]
    })
}

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// `space` stands wherever white space may, with `feed` for new lines.
fn print(json: &Json, feed: &str, space: &str) -> String {
    match json {
        Json::Raw(raw) => (*raw).to_owned(),
        Json::Text(text) => quote(text),
        Json::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| print(item, feed, space)).collect();
            format!("[{feed}{}{feed}]", items.join(&format!("{space},{feed}")))
        }
        Json::Object(members) => {
            let member =
                |(name, value): &(String, Json)| format!("{}{space}:{space}{}", quote(name), print(value, feed, space));
            let members: Vec<_> = members.iter().map(member).collect();
            format!("{{{feed}{}{feed}}}", members.join(&format!(",{feed}")))
        }
    }
}

/// What the records of a sequence are: arrays stand for their elements.
fn flat(values: &[Json], feed: &str, space: &str) -> Vec<String> {
    let mut all = Vec::new();
    for value in values {
        match value {
            Json::Array(items) => all.extend(items.iter().map(|item| print(item, feed, space))),
            other => all.push(print(other, feed, space)),
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn records_do_not_depend_on_blocks(
        values in prop::collection::vec(json(), 0..8),
        feed in prop::sample::select(&["", "\n", "\n  ", "\r\n\t", " "][..]),
        space in prop::sample::select(&["", " ", "\n"][..]),
        between in prop::sample::select(&["\n", "\r\n", "\n\n \n", " ", ""][..]),
        bom in any::<bool>(),
        block in 1usize..200,
    ) {
        let printed: Vec<String> = values.iter().map(|v| print(v, feed, space)).collect();
        // Without anything between them two numbers would be one.
        let between = if between.is_empty() && values.iter().any(|v| matches!(v, Json::Raw(_))) { " " } else { between };
        let bom = if bom { "\u{feff}" } else { "" };
        let sequence = format!("{bom}{}{between}", printed.join(between));
        let array = format!("{bom}[{feed}{}{feed}]\n", printed.join(&format!("{space},{feed}")));
        let wrapped = format!("{{{feed}\"a\":[0],{feed}\"d\"{space}:{space}{},\"z\":{{}}}}", array.trim_start_matches('\u{feff}'));
        let flat = flat(&values, feed, space);
        for block in [1, 2, 3, 7, 64, block, 4 << 20] {
            let (found, error) = records(sequence.as_bytes(), block, None);
            prop_assert!(error.is_none(), "{error:?}");
            prop_assert_eq!(&found, &flat, "block {} of {:?}", block, &sequence);
            let (found, error) = records(array.as_bytes(), block, None);
            prop_assert!(error.is_none(), "{error:?}");
            prop_assert_eq!(&found, &printed, "block {} of {:?}", block, &array);
            let (found, error) = records(wrapped.as_bytes(), block, Some("$.d[*]"));
            prop_assert!(error.is_none(), "{error:?}");
            prop_assert_eq!(&found, &printed, "block {} of {:?}", block, &wrapped);
        }
    }

    #[test]
    fn no_bytes_make_it_panic_or_lose_a_sequence(
        bytes in prop::collection::vec(prop::sample::select(&b"{}[]\",:\\\n 1a\xC3"[..]), 0..80),
        block in 1usize..40,
        path in prop::sample::select(&[None, Some("$.a[*]"), Some("$..a"), Some("$[*]"), Some("$")][..]),
    ) {
        let (blocks, error) = common::blocks(&bytes, block, path);
        // The brackets around an array's elements are no part of any record.
        if path.is_none() && !bytes.contains(&b'[') {
            prop_assert!(error.is_none(), "{error:?}");
            let kept: Vec<u8> = blocks.iter().flat_map(|b| b.bytes.clone()).filter(|b| !b.is_ascii_whitespace()).collect();
            let all: Vec<u8> = bytes.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
            prop_assert_eq!(kept, all);
        }
    }

    #[test]
    fn damage_to_one_line_of_many_is_no_error(
        lines in 2usize..30,
        // Damage to the first line, before any whole one, may end the reading.
        at in 21usize..200,
        put in prop::sample::select(&b"{}[]\",:\\\n 1a"[..]),
        // A damaged line is told apart as long as a block holds a few lines.
        block in 100usize..400,
    ) {
        let mut bytes = "{\"d\":[1,{\"x\":\"y\"}]}\n".repeat(lines).into_bytes();
        let at = at.min(bytes.len() - 1);
        bytes[at] = put;
        let (found, _) = records(&bytes, block, Some("$.d[*]"));
        let (sequence, error) = common::blocks(&bytes, block, None);
        prop_assert!(error.is_none(), "{error:?}");
        let kept: usize = sequence.iter().map(|b| b.bytes.iter().filter(|b| !b.is_ascii_whitespace()).count()).sum();
        prop_assert_eq!(kept, bytes.iter().filter(|b| !b.is_ascii_whitespace()).count());
        // At most the damaged line and the one behind it are lost.
        prop_assert!(found.len() + 4 >= lines * 2, "{} of {lines}: {found:?} {}", found.len(), String::from_utf8_lossy(&bytes));
    }
}
