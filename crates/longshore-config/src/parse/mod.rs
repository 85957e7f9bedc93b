//! Text to tree: TOML, YAML and JSON by the file's ending.

mod json;
mod toml;
mod yaml;

use crate::node::{Node, Origin, Table, Value};
use crate::problem::{Problem, Problems};
use std::sync::Arc;

/// Deeper trees are refused: nobody writes them, and they would cost the stack.
const MAX_DEPTH: usize = 80;

/// Reads a configuration. `file` names it in messages; its ending says how it is written (`.yaml`,
/// `.yml`, `.json`, anything else is TOML).
///
/// # Errors
/// Everything that is wrong with the text, each with line and column.
pub fn parse(file: &str, text: &str) -> Result<Node, Problems> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let places = Places::new(file, text);
    let ending = file.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "yaml" | "yml" => yaml::parse(text, &places),
        "json" => json::parse(text, &places),
        _ => toml::parse(text, &places),
    }
}

/// Turns byte offsets into lines and columns.
struct Places<'a> {
    file: Arc<str>,
    text: &'a str,
    /// Offset of each line's first byte.
    lines: Vec<usize>,
}

impl<'a> Places<'a> {
    fn new(file: &str, text: &'a str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1);
        Places { file: Arc::from(file), text, lines: std::iter::once(0).chain(breaks).collect() }
    }

    fn at(&self, offset: usize) -> Origin {
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines[line - 1]; // the first line begins at 0, so there is one
        let before = self.text.get(start..offset.min(self.text.len())).unwrap_or_default();
        self.line(line, before.chars().count() + 1)
    }

    fn line(&self, line: usize, column: usize) -> Origin {
        let short = |n: usize| u32::try_from(n.max(1)).unwrap_or(u32::MAX);
        Origin::File { file: Arc::clone(&self.file), line: short(line), column: short(column) }
    }

    fn table(&self) -> Node {
        Node { value: Value::Table(Table::default()), origin: self.line(1, 1) }
    }
}

fn duplicate(origin: &Origin, key: &str) -> Problem {
    Problem::new(origin, key, format!("the key '{key}' stands here twice")).hint("remove one of the two")
}

/// A file is a table or empty.
fn must_be_table(node: Node, places: &Places<'_>) -> Result<Node, Problems> {
    match node.value {
        Value::Table(_) => Ok(node),
        Value::Null => Ok(places.table()),
        _ => {
            let message = format!("a configuration is a table of sections, this is {}", node.kind());
            Err(Problems::one(Problem::new(&node.origin, "", message)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str, path: &[&str], file: &str) -> String {
        parse(file, text).unwrap().origin_of(path).to_string()
    }

    #[test]
    fn the_three_formats_make_the_same_tree() {
        let toml = "[pipeline]\nname = \"shop\"\nthreads = 2\n[[list]]\na = 1.5\n[[list]]\nb = [true, \"x\"]\n";
        let yaml = "pipeline:\n  name: shop\n  threads: 2\nlist:\n  - a: 1.5\n  - b: [true, 'x']\n";
        let json = r#"{"pipeline":{"name":"shop","threads":2},"list":[{"a":1.5},{"b":[true,"x"]}]}"#;
        let tree = |file: &str, text: &str| parse(file, text).unwrap().to_json();
        assert_eq!(tree("a.toml", toml), tree("a.json", json));
        assert_eq!(tree("a.yaml", yaml), tree("a.json", json));
    }

    #[test]
    fn keys_have_places() {
        assert_eq!(origin("[pipeline]\nname = 1\n\"ä\" = { b = 2 }", &["pipeline", "ä", "b"], "f.toml"), "f.toml:3:9");
        assert_eq!(origin("a:\n  b: 1\n  c:\n    - d: 1", &["a", "c", "0", "d"], "f.yml"), "f.yml:4:7");
        assert_eq!(origin("{\n \"a\": [1, {\"b\": 2}]}", &["a", "1", "b"], "f.json"), "f.json:2:12");
    }

    #[test]
    fn mistakes_have_places() {
        let first = |file: &str, text: &str| parse(file, text).unwrap_err().0[0].origin.to_string();
        assert_eq!(first("f.toml", "a = 1\nb = = 2\n"), "f.toml:2:5");
        assert_eq!(first("f.toml", "a = 1\na = 2\n"), "f.toml:2:1");
        assert_eq!(first("f.json", "{\"a\": 1,\n \"a\": 2}"), "f.json:2:2");
        assert_eq!(first("f.json", "{\"a\": 1,\n b}"), "f.json:2:2");
        assert_eq!(first("f.yaml", "a: 1\na: 2\n"), "f.yaml:2:1");
        assert!(parse("f.yaml", "a: [1, 2\nb: }").is_err());
        assert!(parse("f.json", "[1]").is_err() && parse("f.yaml", "- 1").is_err());
        assert!(parse("f.toml", "a = 1\nb = \n c = ]\n").unwrap_err().0.len() > 1, "all at once");
    }

    #[test]
    fn empty_files_are_empty_tables() {
        for file in ["f.toml", "f.yaml"] {
            assert!(parse(file, "# nothing\n").unwrap().as_table().unwrap().entries.is_empty());
        }
    }

    #[test]
    fn deep_trees_and_alias_bombs_are_refused() {
        let deep = "[".repeat(5000);
        assert!(parse("f.json", &format!("{{\"a\":{deep}")).is_err());
        assert!(parse("f.yaml", &format!("a: {deep}")).is_err());
        assert!(parse("f.toml", &format!("a = {deep}")).is_err());
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..12 {
            let alias = format!("*a{}", i - 1);
            bomb += &format!("a{i}: &a{i} [{}]\n", vec![alias; 9].join(", "));
        }
        assert!(parse("f.yaml", &bomb).is_err());
    }
}
