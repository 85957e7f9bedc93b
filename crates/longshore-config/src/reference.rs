//! References in the tree: `{ secret = "shop.api_token" }`, `{ env = "NAME" }`.

use crate::lookup::{Lookup, Wanted};
use crate::node::{Node, Origin, Table, Value};
use crate::problem::Problem;

/// A value that stands elsewhere.
enum Reference<'a> {
    Secret(&'a str),
    Env(&'a str),
}

/// Reads a table that is a reference and nothing else.
fn reference(table: &Table) -> Option<Reference<'_>> {
    let [entry] = table.entries.as_slice() else { return None };
    match (entry.key.as_str(), entry.value.as_text()) {
        ("secret", Some(name)) => Some(Reference::Secret(name)),
        ("env", Some(name)) => Some(Reference::Env(name)),
        _ => None,
    }
}

/// Puts in what the references of a tree stand for; `path` is where the tree stands.
pub(crate) fn put_in(node: &mut Node, path: &str, lookup: &mut Lookup<'_>, problems: &mut Vec<Problem>) {
    let below = |key: &dyn std::fmt::Display| if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
    match &mut node.value {
        Value::List(items) => {
            for (i, item) in items.iter_mut().enumerate() {
                put_in(item, &below(&i), lookup, problems);
            }
        }
        Value::Table(table) => {
            let found = match reference(table) {
                Some(Reference::Secret(name)) => secret(name, path, &node.origin, lookup),
                Some(Reference::Env(name)) => env(name, path, &node.origin, lookup),
                None => {
                    for entry in &mut table.entries {
                        put_in(&mut entry.value, &below(&entry.key), lookup, problems);
                    }
                    return;
                }
            };
            match found {
                Ok(found) => *node = found,
                Err(problem) => problems.push(problem),
            }
        }
        _ => {}
    }
}

/// A name that begins as dlt's do is shortened as dlt's are; any other is meant exactly, so that one API's token
/// cannot be sent to another.
fn secret(name: &str, path: &str, origin: &Origin, lookup: &mut Lookup<'_>) -> Result<Node, Problem> {
    let words: Vec<&str> = name.split('.').collect();
    let [sections @ .., key] = words.as_slice() else { return Err(unnamed(name, path, origin)) };
    if words.iter().any(|w| w.trim().is_empty()) {
        return Err(unnamed(name, path, origin));
    }
    let shorten = matches!(sections.first(), Some(&("sources" | "destination")));
    lookup.tried.clear();
    let found = lookup.find(&Wanted { sections, inner: &[], key, secret: true, shorten })?;
    found.filter(|n| !matches!(n.value, Value::Table(_))).ok_or_else(|| {
        Problem::new(origin, path, format!("the secret '{name}' is not to be found"))
            .hint(format!("looked, in this order, in:\n    {}", lookup.tried.join("\n    ")))
    })
}

fn env(name: &str, path: &str, origin: &Origin, lookup: &Lookup<'_>) -> Result<Node, Problem> {
    let value = lookup.surroundings.environment.get(name);
    let value = value.ok_or_else(|| {
        Problem::new(origin, path, format!("the environment variable {name} is not set")).hint("set it, or export it")
    })?;
    Ok(Node::text(value.as_str(), Origin::Environment(name.to_owned())))
}

fn unnamed(name: &str, path: &str, origin: &Origin) -> Problem {
    Problem::new(origin, path, format!("'{name}' cannot name a secret")).hint("write it as shop.api_token")
}
