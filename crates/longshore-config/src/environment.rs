//! Variables of the environment that stand for keys of a section: `SOURCES__SHOP__CLIENT__BASE_URL`.

use crate::lookup::variable;
use crate::node::{Entry, Node, Origin, Table, Value};
use std::collections::BTreeMap;

/// Puts every variable that begins with the names of `sections` into the tree, at the key that the rest of its name
/// spells. Later prefixes win over earlier ones.
pub(crate) fn overlay(tree: &mut Node, environment: &BTreeMap<String, String>, prefixes: &[Vec<&str>]) {
    for sections in prefixes {
        let prefix = format!("{}__", variable(sections));
        for start in [prefix.clone(), format!("LONGSHORE_{prefix}")] {
            let found = environment.range(start.clone()..).take_while(|(name, _)| name.starts_with(&start));
            for (name, text) in found {
                let keys: Vec<&str> = name[start.len()..].split("__").collect();
                if keys.iter().all(|k| !k.is_empty()) {
                    set(tree, &keys, text, &Origin::Environment(name.clone()));
                }
            }
        }
    }
}

fn set(node: &mut Node, keys: &[&str], text: &str, origin: &Origin) {
    let Some((key, rest)) = keys.split_first() else {
        node.value = value_like(&node.value, text);
        node.origin = origin.clone();
        return;
    };
    match &mut node.value {
        Value::List(items) => {
            let item = key.parse::<usize>().ok().and_then(|i| items.get_mut(i));
            if let Some(item) = item {
                set(item, rest, text, origin);
            }
        }
        Value::Table(table) => {
            let child = child(table, key, origin);
            if rest.is_empty() {
                child.origin = origin.clone();
            } else {
                child.value.write_out(&key.to_lowercase());
            }
            set(&mut child.value, rest, text, origin);
        }
        other => {
            *other = Value::Table(Table::default());
            set(node, keys, text, origin);
        }
    }
}

/// The entry whose name is spelt so in the environment, or a new one in lower case.
fn child<'a>(table: &'a mut Table, key: &str, origin: &Origin) -> &'a mut Entry {
    let known = table.entries.iter().position(|e| variable(&[&e.key]) == *key);
    let at = known.unwrap_or_else(|| {
        let key = key.to_lowercase();
        let value = if is_secret(&key) { Value::Text(String::new()) } else { Value::Null };
        table.entries.push(Entry { key, origin: origin.clone(), value: Node { value, origin: origin.clone() } });
        table.entries.len() - 1
    });
    &mut table.entries[at] // just found or pushed
}

/// A text takes the type of what it replaces. Where nothing stood, it is what JSON says, otherwise text.
fn value_like(known: &Value, text: &str) -> Value {
    if matches!(known, Value::Text(_)) {
        return Value::Text(text.to_owned());
    }
    let value = match text {
        "True" => Some(serde_json::Value::Bool(true)),
        "False" => Some(serde_json::Value::Bool(false)),
        _ => serde_json::from_str(text).ok(),
    };
    value.map_or_else(|| Value::Text(text.to_owned()), from_json)
}

/// Tokens and passwords stay text, though they be digits only.
fn is_secret(key: &str) -> bool {
    ["token", "password", "secret", "key", "passphrase"].iter().any(|word| key.ends_with(word))
}

/// A tree without places, from outside of files.
pub(crate) fn from_json(json: serde_json::Value) -> Value {
    let origin = Origin::Environment(String::new());
    let node = |v| Node { value: from_json(v), origin: origin.clone() };
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(b) => Value::Bool(b),
        serde_json::Value::Number(n) => Value::Number(n),
        serde_json::Value::String(s) => Value::Text(s),
        serde_json::Value::Array(items) => Value::List(items.into_iter().map(node).collect()),
        serde_json::Value::Object(map) => {
            let entries = map.into_iter().map(|(key, v)| Entry { key, origin: origin.clone(), value: node(v) });
            Value::Table(Table { entries: entries.collect() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn variables_replace_and_add_keys() {
        let origin = Origin::Flag("test".into());
        let start = json!({"client": {"base_url": "a", "paginator": "offset", "headers": {"X-Key": "k"}, "retries": 3}, "resources": [{"name": "x"}]});
        let mut tree = Node { value: from_json(start), origin };
        let variables = [
            ("SOURCES__SHOP__CLIENT__BASE_URL", "http://b"),
            ("SOURCES__SHOP__CLIENT__HEADERS__X_KEY", "5"),
            ("LONGSHORE_SOURCES__SHOP__CLIENT__RETRIES", "7"),
            ("SOURCES__SHOP__CLIENT__AUTH__TOKEN", "123"),
            ("SOURCES__SHOP__RESOURCES__0__SELECTED", "False"),
            ("SOURCES__SHOP__CLIENT__PAGINATOR__LIMIT", "9"),
            ("SOURCES__SHOPS__X", "1"),
        ];
        let environment = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        overlay(&mut tree, &environment, &[vec!["sources", "shop"]]);
        assert_eq!(
            tree.to_json(),
            json!({
                "client": {"base_url": "http://b", "paginator": {"type": "offset", "limit": 9}, "headers": {"X-Key": "5"}, "retries": 7, "auth": {"token": "123"}},
                "resources": [{"name": "x", "selected": false}]
            })
        );
    }
}
