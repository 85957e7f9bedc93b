//! A record as a tree that can be changed: scalars stay the text they came as, so numbers do not change. So does what
//! is deeper than [`MOST_LEVELS`], for trees are gone through by recursion.

use crate::doc::{MOST_LEVELS, Val};
use longshore_core::json::Kind;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tree {
    /// A scalar as it is written, quotes included; or a list or object that is too deep to be looked into.
    Leaf(Box<str>),
    /// A list.
    List(Vec<Tree>),
    /// Keys as they are written between their quotes, in order.
    Object(Vec<(Box<str>, Tree)>),
}

impl Tree {
    /// Builds the tree of a value.
    pub(crate) fn of(value: Val<'_>) -> Tree {
        Tree::down_to(value, MOST_LEVELS)
    }

    fn down_to(value: Val<'_>, levels: usize) -> Tree {
        match value.kind() {
            Kind::Array if levels > 0 => {
                Tree::List(value.elements().map(|element| Tree::down_to(element, levels - 1)).collect())
            }
            Kind::Object if levels > 0 => {
                let entry = |(key, value): (Val<'_>, Val<'_>)| {
                    let raw = key.raw_text();
                    (Box::from(&raw[1..raw.len() - 1]), Tree::down_to(value, levels - 1))
                };
                Tree::Object(value.entries().map(entry).collect())
            }
            _ => Tree::Leaf(value.raw_text().into()),
        }
    }

    /// Returns the tree of a value of the configuration.
    pub(crate) fn of_value(value: &serde_json::Value) -> Tree {
        use serde_json::Value;
        match value {
            Value::Array(list) => Tree::List(list.iter().map(Tree::of_value).collect()),
            Value::Object(table) => Tree::Object(table.iter().map(|(k, v)| (raw_key(k), Tree::of_value(v))).collect()),
            scalar => Tree::Leaf(scalar.to_string().into()),
        }
    }

    pub(crate) fn text(text: &str) -> Tree {
        Tree::Leaf(quoted(text).into())
    }

    pub(crate) fn null() -> Tree {
        Tree::Leaf("null".into())
    }

    /// Returns the value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Tree> {
        let Tree::Object(entries) = self else { return None };
        let raw = raw_key(key);
        entries.iter().rev().find(|(k, _)| *k == raw).map(|(_, v)| v)
    }

    /// Puts a value under a key: in place where the key is there, else last. Not an object: nothing.
    pub(crate) fn set(&mut self, key: &str, value: Tree) {
        let Tree::Object(entries) = self else { return };
        let raw = raw_key(key);
        match entries.iter_mut().find(|(k, _)| *k == raw) {
            Some((_, old)) => *old = value,
            None => entries.push((raw, value)),
        }
    }

    /// Takes a key out.
    pub(crate) fn remove(&mut self, key: &str) -> Option<Tree> {
        let Tree::Object(entries) = self else { return None };
        let raw = raw_key(key);
        let at = entries.iter().position(|(k, _)| *k == raw)?;
        Some(entries.remove(at).1)
    }

    /// Gives a key another name, in its place; a key that has the name already goes.
    pub(crate) fn rename(&mut self, old: &str, new: &str) {
        if self.get(old).is_none() || old == new {
            return;
        }
        self.remove(new);
        let Tree::Object(entries) = self else { return };
        let (from, to) = (raw_key(old), raw_key(new));
        for (key, _) in entries.iter_mut().filter(|(k, _)| *k == from) {
            *key = to.clone();
        }
    }

    /// Calls `change` for the value at the end of keys, `*` meaning all elements or values. Lists on the way are gone through.
    pub(crate) fn at(&mut self, keys: &[String], change: &mut dyn FnMut(&mut Tree)) {
        let Some((key, rest)) = keys.split_first() else { return change(self) };
        match self {
            Tree::List(elements) if key == "*" => elements.iter_mut().for_each(|e| e.at(rest, change)),
            Tree::List(elements) => elements.iter_mut().for_each(|e| e.at(keys, change)),
            Tree::Object(entries) => {
                let raw = raw_key(key);
                entries.iter_mut().filter(|(k, _)| key == "*" || *k == raw).for_each(|(_, v)| v.at(rest, change));
            }
            Tree::Leaf(_) => {}
        }
    }

    pub(crate) fn is_object(&self) -> bool {
        matches!(self, Tree::Object(_))
    }

    /// Keeps what stands at the end of paths, and what leads there; false where that is nothing. Lists on the way are
    /// gone through; their objects stay, so that elements keep their number.
    pub(crate) fn keep(&mut self, paths: &[&[String]]) -> bool {
        if paths.iter().any(|path| path.is_empty()) {
            return true;
        }
        match self {
            Tree::List(elements) => {
                let below: Vec<&[String]> =
                    paths.iter().map(|path| if path[0] == "*" { &path[1..] } else { *path }).collect();
                elements.retain_mut(|element| element.keep(&below) || element.is_object());
                true
            }
            Tree::Object(entries) => {
                entries.retain_mut(|(raw, value)| {
                    let fits = |path: &&&[String]| path[0] == "*" || raw_key(&path[0]) == *raw;
                    let below: Vec<&[String]> = paths.iter().filter(fits).map(|path| &path[1..]).collect();
                    !below.is_empty() && value.keep(&below)
                });
                !entries.is_empty()
            }
            Tree::Leaf(_) => false,
        }
    }

    /// Calls `change` for it, or for each element of a list.
    pub(crate) fn each(&mut self, change: &mut dyn FnMut(&mut Tree)) {
        match self {
            Tree::List(elements) => elements.iter_mut().for_each(|e| e.each(change)),
            other => change(other),
        }
    }

    /// Puts objects at the end of keys and on the way, where nothing or null stands there.
    pub(crate) fn make_objects(&mut self, keys: &[String]) {
        if *self == Tree::null() {
            *self = Tree::Object(Vec::new());
        }
        let Some((key, rest)) = keys.split_first() else { return };
        match self {
            Tree::List(elements) => {
                let below = if key == "*" { rest } else { keys };
                elements.iter_mut().for_each(|e| e.make_objects(below));
            }
            Tree::Object(entries) => {
                let raw = raw_key(key);
                if key != "*" && !entries.iter().any(|(k, _)| *k == raw) {
                    entries.push((raw.clone(), Tree::Object(Vec::new())));
                }
                entries.iter_mut().filter(|(k, _)| key == "*" || *k == raw).for_each(|(_, v)| v.make_objects(rest));
            }
            Tree::Leaf(_) => {}
        }
    }

    /// Writes it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Tree::Leaf(text) => out.extend_from_slice(text.as_bytes()),
            Tree::List(elements) => {
                out.push(b'[');
                for (i, element) in elements.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    element.write(out);
                }
                out.push(b']');
            }
            Tree::Object(entries) => {
                out.push(b'{');
                for (i, (key, value)) in entries.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    out.push(b'"');
                    out.extend_from_slice(key.as_bytes());
                    out.extend_from_slice(b"\":");
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// A scalar as plain text: a text without quotes, everything else as it is written.
    pub(crate) fn plain(&self) -> Option<String> {
        match self {
            Tree::Leaf(raw) if raw.starts_with('"') => serde_json::from_str(raw).ok(),
            Tree::Leaf(raw) if &**raw == "null" => None,
            Tree::Leaf(raw) => Some(raw.to_string()),
            _ => None,
        }
    }

    /// With keys in order, compact: dlt hashes records in this form.
    pub(crate) fn sorted(&self) -> Tree {
        match self {
            Tree::Leaf(raw) => Tree::Leaf(raw.clone()),
            Tree::List(list) => Tree::List(list.iter().map(Tree::sorted).collect()),
            Tree::Object(entries) => {
                let mut entries: Vec<_> = entries.iter().map(|(k, v)| (k.clone(), v.sorted())).collect();
                entries.sort_by(|a, b| a.0.cmp(&b.0));
                Tree::Object(entries)
            }
        }
    }
}

/// A text with quotes and escapes.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn raw_key(key: &str) -> Box<str> {
    let quoted = quoted(key);
    quoted[1..quoted.len() - 1].into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doc::Doc;

    #[test]
    fn what_is_not_changed_stays_as_it_was() {
        let text = r#"{"id":1.50,"long":123456789012345678901,"s":"a\u00e4","l":[{"p":1},{"p":2}]}"#;
        let doc = Doc::parse(text.into()).unwrap();
        let mut tree = Tree::of(doc.root());
        assert_eq!(tree.to_bytes(), text.as_bytes());
        tree.rename("id", "key");
        tree.set("new", Tree::text("x\"y"));
        tree.at(&["l".into(), "p".into()], &mut |v| *v = Tree::null());
        let changed =
            r#"{"key":1.50,"long":123456789012345678901,"s":"a\u00e4","l":[{"p":null},{"p":null}],"new":"x\"y"}"#;
        assert_eq!(String::from_utf8(tree.to_bytes()).unwrap(), changed);
    }

    #[test]
    fn what_is_too_deep_to_be_looked_into_stays_as_it_was() {
        let deep = format!("{{\"a\":{}1.50{}}}", "[{\"b\":".repeat(50_000), "}]".repeat(50_000));
        let doc = Doc::parse(deep.clone().into_bytes()).unwrap();
        let mut tree = Tree::of(doc.root());
        assert_eq!(tree.clone().sorted().to_bytes(), deep.as_bytes());
        tree.set("c", Tree::null());
        assert!(tree.to_bytes().ends_with(b"}],\"c\":null}"));
        assert!(doc.root().to_value()["a"][0]["b"][0].is_object(), "what is not too deep can be looked for");
    }
}
