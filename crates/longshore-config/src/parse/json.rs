//! JSON: checked by `serde_json`, which is strict and bounds the depth; places by `jsonc-parser`.

use super::{Places, duplicate, must_be_table};
use crate::node::{Entry, Node, Table, Value};
use crate::problem::{Problem, Problems};
use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use serde::de::IgnoredAny;

pub(super) fn parse(text: &str, places: &Places<'_>) -> Result<Node, Problems> {
    if let Err(e) = serde_json::from_str::<IgnoredAny>(text) {
        let message = e.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        let origin = places.line(e.line(), e.column());
        return Err(Problems::one(Problem::new(&origin, "", format!("not JSON: {message}"))));
    }
    let failed = |message: String| Problems::one(Problem::new(&places.line(1, 1), "", format!("not JSON: {message}")));
    let parsed = jsonc_parser::parse_to_ast(text, &jsonc_parser::CollectOptions::default(), &Default::default());
    let tree = parsed.map_err(|e| failed(e.kind().to_string()))?.value;
    let tree = tree.ok_or_else(|| failed("the file is empty".to_owned()))?;
    let mut problems = Vec::new();
    let node = node(&tree, places, &mut problems);
    Problems::none(problems)?;
    must_be_table(node, places)
}

fn node(from: &ast::Value<'_>, places: &Places<'_>, problems: &mut Vec<Problem>) -> Node {
    let origin = places.at(from.start());
    let value = match from {
        ast::Value::NullKeyword(_) => Value::Null,
        ast::Value::BooleanLit(b) => Value::Bool(b.value),
        ast::Value::StringLit(s) => Value::Text(s.value.to_string()),
        ast::Value::NumberLit(n) => match n.value.parse() {
            Ok(number) => Value::Number(number),
            Err(_) => {
                problems.push(Problem::new(&origin, "", "the number is too large"));
                Value::Null
            }
        },
        ast::Value::Array(a) => Value::List(a.elements.iter().map(|e| node(e, places, problems)).collect()),
        ast::Value::Object(o) => Value::Table(table(o, places, problems)),
    };
    Node { value, origin }
}

fn table(from: &ast::Object<'_>, places: &Places<'_>, problems: &mut Vec<Problem>) -> Table {
    let mut table = Table::default();
    for property in &from.properties {
        let (key, origin) = (property.name.as_str(), places.at(property.start()));
        if table.get(key).is_some() {
            problems.push(duplicate(&origin, key));
        }
        let value = node(&property.value, places, problems);
        table.entries.push(Entry { key: key.to_owned(), origin, value });
    }
    table
}
