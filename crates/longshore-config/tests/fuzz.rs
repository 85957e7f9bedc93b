//! Whatever stands in the files, the answer is a project or problems with places, never a panic.

mod common;

use common::Folder;
use longshore_config::node::Origin;
use proptest::prelude::*;

const VALID: [(&str, &str); 4] = [
    ("longshore.toml", include_str!("../../../examples/referral_hero/longshore.toml")),
    ("longshore.toml", include_str!("../../longshore-cli/templates/files.toml")),
    (
        "longshore.yaml",
        "pipeline: &p\n  name: shop\n  destination: [a, \"b:c\"]\nsources:\n  s: {type: files, files: 'x', n: 0x1F}\ndestinations:\n  w: {type: duckdb, <<: *p}\n",
    ),
    (
        "longshore.json",
        r#"{"pipeline":{"threads":2,"memory":"1G"},"sources":{"s":{"type":"x","t":{"secret":"a.b"},"n":[1.5e3,-2,null]}},"vaults":{"v":{"type":"aws"}}}"#,
    ),
];

/// One small change to a text.
#[derive(Debug, Clone)]
enum Change {
    Remove(usize, usize),
    Insert(usize, String),
    Repeat(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let bits = prop::sample::select(vec![
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'''",
        "=",
        ".",
        ",",
        "#",
        "\n",
        "\\",
        "é",
        "\u{0}",
        "\t",
        "- ",
        ": ",
        "&a ",
        "*a",
        "!!str ",
        "1e999",
        "99999999999999999999",
        "inf",
        "0x",
        "1979-05-27T07:32:00Z",
        "secret",
        "type",
        "[[a]]\n",
        "|",
        "?",
        "%",
    ]);
    prop_oneof![
        (any::<usize>(), 1..20usize).prop_map(|(at, n)| Change::Remove(at, n)),
        (any::<usize>(), bits).prop_map(|(at, bit)| Change::Insert(at, bit.to_owned())),
        (any::<usize>(), 1..60usize).prop_map(|(at, n)| Change::Repeat(at, n)),
    ]
}

fn apply(text: &str, changes: &[Change]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for change in changes {
        let place = |at: usize| at % (chars.len() + 1);
        match change {
            Change::Remove(at, n) => {
                let at = place(*at);
                chars.drain(at..(at + n).min(chars.len()));
            }
            Change::Insert(at, bit) => {
                let at = place(*at);
                chars.splice(at..at, bit.chars());
            }
            Change::Repeat(at, n) => {
                let at = place(*at);
                let piece: Vec<char> = chars[at..(at + n).min(chars.len())].to_vec();
                chars.splice(at..at, piece);
            }
        }
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_files_make_a_project_or_problems(
        which in 0..VALID.len(),
        changes in prop::collection::vec(change(), 1..8),
    ) {
        let (name, text) = VALID[which];
        let text = apply(text, &changes);
        let folder = Folder::new().with(name, &text);
        match folder.open() {
            Err(problems) => {
                prop_assert!(!problems.0.is_empty());
                for problem in &problems.0 {
                    let placed = matches!(problem.origin, Origin::File { line: 1.., column: 1.., .. });
                    prop_assert!(placed, "{problem}");
                    prop_assert!(!problem.message.is_empty());
                }
            }
            Ok(project) => {
                for source in project.sources() {
                    let _ = project.source(source).map(|s| s.to_json());
                }
                for destination in project.destinations() {
                    let _ = project.destination(destination, &["duckdb"]);
                }
            }
        }
    }
}

#[test]
fn the_files_it_begins_with_are_valid() {
    for (name, text) in VALID {
        let opened = Folder::new().with(name, text).open();
        assert!(opened.is_ok(), "{name}: {opened:?}");
    }
}
