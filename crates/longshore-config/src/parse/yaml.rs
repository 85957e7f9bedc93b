//! YAML, from the events of `saphyr-parser`; scalars as the core schema of YAML 1.2 reads them.

use super::{MAX_DEPTH, Places, duplicate, must_be_table};
use crate::node::{Entry, Node, Origin, Table, Value};
use crate::problem::{Problem, Problems};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::Number;
use std::collections::HashMap;

/// Aliases may not blow a small file up to more values than this.
const MAX_NODES: usize = 1 << 20;

pub(super) fn parse(text: &str, places: &Places<'_>) -> Result<Node, Problems> {
    let mut builder = Builder { places, stack: Vec::new(), anchors: HashMap::new(), nodes: 0, root: None };
    for event in Parser::new_from_str(text) {
        let read = event.map_err(|e| {
            let origin = places.line(e.marker().line(), e.marker().col() + 1);
            Problem::new(&origin, "", format!("not YAML: {}", e.info()))
        });
        read.and_then(|(event, span)| builder.take(event, span)).map_err(Problems::one)?;
    }
    builder.root.map_or_else(|| Ok(places.table()), |root| must_be_table(root, places))
}

struct Builder<'a> {
    places: &'a Places<'a>,
    stack: Vec<Open>,
    /// Finished values by anchor, with how many nodes they are.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    root: Option<Node>,
}

/// A list or table under way.
struct Open {
    origin: Origin,
    anchor: usize,
    first_node: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Table(Table, Option<(String, Origin)>),
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let origin = self.places.line(span.start.line(), span.start.col() + 1);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = tag.is_some_and(|t| t.suffix == "str") || style != ScalarStyle::Plain;
                let value = if is_text { Value::Text(text.into_owned()) } else { plain(&text) };
                self.nodes += 1;
                self.close(Node { value, origin }, anchor, self.nodes - 1)
            }
            Event::SequenceStart(anchor, _) => self.open(origin, anchor, Content::List(Vec::new())),
            Event::MappingStart(anchor, _) => self.open(origin, anchor, Content::Table(Table::default(), None)),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.stack.pop() else { return Ok(()) };
                let value = match open.content {
                    Content::List(items) => Value::List(items),
                    Content::Table(table, _) => Value::Table(with_merged(table)?),
                };
                self.close(Node { value, origin: open.origin }, open.anchor, open.first_node)
            }
            Event::Alias(id) => {
                let unknown = || Problem::new(&origin, "", "the alias has no anchor before it");
                let (node, nodes) = self.anchors.get(&id).cloned().ok_or_else(unknown)?;
                self.nodes += nodes;
                if self.nodes > MAX_NODES {
                    return Err(Problem::new(&origin, "", "the aliases make the file too large"));
                }
                let first = self.nodes - nodes;
                self.close(node, 0, first)
            }
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(Problem::new(&origin, "", "the file holds more than one YAML document").hint("remove the '---'"))
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, origin: Origin, anchor: usize, content: Content) -> Result<(), Problem> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(Problem::new(&origin, "", format!("more than {MAX_DEPTH} levels of nesting")));
        }
        self.nodes += 1;
        self.stack.push(Open { origin, anchor, first_node: self.nodes - 1, content });
        Ok(())
    }

    /// Puts a finished value where it belongs.
    fn close(&mut self, node: Node, anchor: usize, first_node: usize) -> Result<(), Problem> {
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), self.nodes - first_node));
        }
        let Some(open) = self.stack.last_mut() else {
            self.root.get_or_insert(node);
            return Ok(());
        };
        match &mut open.content {
            Content::List(items) => items.push(node),
            Content::Table(table, pending) => match pending.take() {
                Some((key, origin)) => table.entries.push(Entry { key, origin, value: node }),
                None => {
                    let key = match &node.value {
                        Value::List(_) | Value::Table(_) => {
                            return Err(Problem::new(&node.origin, "", "a key must be text"));
                        }
                        Value::Text(text) => text.clone(),
                        other => Node { value: other.clone(), origin: node.origin.clone() }.to_json().to_string(),
                    };
                    if table.get(&key).is_some() {
                        return Err(duplicate(&node.origin, &key));
                    }
                    *pending = Some((key, node.origin));
                }
            },
        }
        Ok(())
    }
}

/// Puts in what `<<: *defaults` brings: keys that the table does not have itself, of several tables the first one's
/// (<https://yaml.org/type/merge.html>; 1.2 leaves it to its readers, and dlt's is one that does it).
fn with_merged(mut table: Table) -> Result<Table, Problem> {
    let Some(at) = table.entries.iter().position(|e| e.key == "<<") else { return Ok(table) };
    let merge = table.entries.remove(at).value;
    let tables = match merge.value {
        Value::List(items) => items,
        value => vec![Node { value, origin: merge.origin }],
    };
    for node in tables {
        let kind = node.kind();
        let Value::Table(from) = node.value else {
            let message = format!("'<<' takes a table or a list of tables, this is {kind}");
            return Err(Problem::new(&node.origin, "", message));
        };
        for entry in from.entries {
            if table.get(&entry.key).is_none() {
                table.entries.push(entry);
            }
        }
    }
    Ok(table)
}

/// YAML 1.2's core schema, so `no` and `on` are text.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let radix = |prefix, radix| i128::from_str_radix(text.strip_prefix(prefix)?, radix).ok();
    let integer = radix("0x", 16).or_else(|| radix("0o", 8)).or_else(|| text.parse().ok());
    if let Some(number) = integer.and_then(Number::from_i128) {
        return Value::Number(number);
    }
    let digits = text.trim_start_matches(['-', '+', '.']);
    let float = digits.starts_with(|c: char| c.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    float.and_then(Number::from_f64).map_or_else(|| Value::Text(text.to_owned()), Value::Number)
}
