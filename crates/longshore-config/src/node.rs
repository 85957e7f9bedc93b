//! A configuration as a tree that remembers where each value stands.

use serde_json::{Map, Number};
use std::fmt;
use std::sync::Arc;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A place in a file; lines and columns (in characters) count from 1.
    File {
        /// The path as people know it.
        file: Arc<str>,
        /// The line.
        line: u32,
        /// The column.
        column: u32,
    },
    /// A variable of the environment.
    Environment(String),
    /// A flag of the command.
    Flag(String),
    /// A vault or a mounted secret, and the name it was found under.
    Vault(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Origin::Environment(name) => write!(f, "environment variable {name}"),
            Origin::Flag(name) | Origin::Vault(name) => f.write_str(name),
        }
    }
}

/// A value and where it stands.
#[derive(Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it stands.
    pub origin: Origin,
}

/// What TOML, YAML and JSON have in common.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// Any number JSON can write.
    Number(Number),
    /// Text; dates of TOML and YAML too.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and values in the file's order.
    Table(Table),
}

/// Keys and values in the file's order, each key once.
#[derive(Clone, Default, PartialEq)]
pub struct Table {
    /// The entries.
    pub entries: Vec<Entry>,
}

/// One key with its value.
#[derive(Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub origin: Origin,
    /// The value.
    pub value: Node,
}

impl Node {
    /// Returns a text from outside of files.
    pub fn text(text: impl Into<String>, origin: Origin) -> Self {
        Node { value: Value::Text(text.into()), origin }
    }

    /// Returns the table, when it is one.
    pub fn as_table(&self) -> Option<&Table> {
        if let Value::Table(table) = &self.value { Some(table) } else { None }
    }

    /// Returns the text, when it is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    /// Follows keys; numbers lead into lists.
    pub fn at<S: AsRef<str>>(&self, path: &[S]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| match &node.value {
            Value::Table(table) => table.get(key.as_ref()).map(|e| &e.value),
            Value::List(items) => items.get(key.as_ref().parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Returns where the key at the end of a path stands, or the innermost thing on the way to it.
    pub fn origin_of<S: AsRef<str>>(&self, path: &[S]) -> &Origin {
        let (mut node, mut origin) = (self, &self.origin);
        for key in path {
            let next = match &node.value {
                Value::Table(table) => table.get(key.as_ref()).map(|e| (&e.value, &e.origin)),
                Value::List(items) => {
                    key.as_ref().parse::<usize>().ok().and_then(|i| items.get(i)).map(|n| (n, &n.origin))
                }
                _ => None,
            };
            let Some(next) = next else { break };
            (node, origin) = next;
        }
        origin
    }

    /// Lays another tree over this one: tables are merged, everything else is replaced.
    pub fn overlay(&mut self, over: Node) {
        match (&mut self.value, over.value) {
            (Value::Table(below), Value::Table(above)) => {
                for mut entry in above.entries {
                    match below.entries.iter_mut().find(|e| e.key == entry.key) {
                        Some(known) => {
                            if known.value.as_table().is_some() || entry.value.as_table().is_some() {
                                known.value.write_out(&entry.key);
                                entry.value.write_out(&entry.key);
                            }
                            // What is replaced stands where its replacement does; of a table only the parts are.
                            if known.value.as_table().is_none() || entry.value.as_table().is_none() {
                                known.origin = entry.origin;
                            }
                            known.value.overlay(entry.value);
                        }
                        None => below.entries.push(entry),
                    }
                }
            }
            (below, above) => {
                *below = above;
                self.origin = over.origin;
            }
        }
    }

    /// `auth = "api_key"` says no more than the type: the rest may stand elsewhere, and both are one table then.
    pub(crate) fn write_out(&mut self, key: &str) {
        let Value::Text(word) = &self.value else { return };
        if matches!(key, "auth" | "paginator") {
            let value = Node { value: Value::Text(word.clone()), origin: self.origin.clone() };
            let entry = Entry { key: "type".to_owned(), origin: self.origin.clone(), value };
            self.value = Value::Table(Table { entries: vec![entry] });
        }
    }

    /// Returns the plain JSON of it.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(b) => (*b).into(),
            Value::Number(n) => n.clone().into(),
            Value::Text(t) => t.clone().into(),
            Value::List(items) => items.iter().map(Node::to_json).collect(),
            Value::Table(table) => table.to_json().into(),
        }
    }

    /// Says what kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

impl Table {
    /// Returns the entry of a key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.key == key)
    }

    /// Returns the text of a key, when it is one.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.value.as_text()
    }

    /// Returns the plain JSON of it.
    pub fn to_json(&self) -> Map<String, serde_json::Value> {
        self.entries.iter().map(|e| (e.key.clone(), e.value.to_json())).collect()
    }
}

/// Values may be secrets, so none is shown.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::List(items) => f.debug_list().entries(items).finish(),
            Value::Table(table) => table.fmt(f),
            _ => f.write_str(self.kind()),
        }
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.entries.iter().map(|e| (&e.key, &e.value))).finish()
    }
}
