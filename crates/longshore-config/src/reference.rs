//! References in the tree: `{ secret = "shop.api_token" }`, `{ env = "NAME" }`, and as texts `secret("shop.api_token")`.

use crate::lookup::{Lookup, TO_FILL_IN, Wanted, is_placeholder};
use crate::node::{Node, Origin, Table, Value};
use crate::problem::Problem;
use longshore_core::connect::Secret;

/// A value that stands elsewhere.
enum Reference<'a> {
    Secret(&'a str),
    Env(&'a str),
}

impl Reference<'_> {
    /// A variable is a secret where its name says so: others hold addresses and dates.
    fn is_secret(&self) -> bool {
        const TELLING: [&str; 7] = ["TOKEN", "SECRET", "PASS", "KEY", "CREDENTIAL", "AUTH", "SIGNATURE"];
        match self {
            Reference::Secret(_) => true,
            Reference::Env(name) => TELLING.iter().any(|word| name.to_uppercase().contains(word)),
        }
    }
}

/// Keys below which anything may stand, a secret too, under any name.
const FREE: [&str; 4] = ["headers", "params", "json", "data"];

/// Collects what stands in secret files and was laid over headers, parameters and bodies.
pub(crate) fn stood_in(node: &Node, files: &[&str], free: bool, secrets: &mut Vec<Secret>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| stood_in(item, files, free, secrets)),
        Value::Table(table) => table.entries.iter().for_each(|entry| {
            stood_in(&entry.value, files, free || FREE.contains(&entry.key.as_str()), secrets);
        }),
        _ => {
            if free && matches!(&node.origin, Origin::File { file, .. } if files.contains(&&**file)) {
                leaves(node, secrets);
            }
        }
    }
}

/// Texts and numbers of a value.
fn leaves(node: &Node, secrets: &mut Vec<Secret>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| leaves(item, secrets)),
        Value::Table(table) => table.entries.iter().for_each(|entry| leaves(&entry.value, secrets)),
        Value::Text(text) => secrets.push(Secret::new(text.as_str())),
        Value::Number(number) => secrets.push(Secret::new(number.to_string())),
        Value::Null | Value::Bool(_) => {}
    }
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

/// Reads a text that is a reference as it is written in programs: `secret("shop.api_token")`.
fn called(text: &str) -> Option<Reference<'_>> {
    let (what, rest) = text.trim().split_once('(')?;
    let quoted = rest.strip_suffix(')')?.trim();
    let name = ['"', '\''].into_iter().find_map(|quote| quoted.strip_prefix(quote)?.strip_suffix(quote))?;
    match what.trim_end() {
        "secret" => Some(Reference::Secret(name)),
        "env" => Some(Reference::Env(name)),
        _ => None,
    }
}

fn of(node: &Node) -> Option<Reference<'_>> {
    match &node.value {
        Value::Table(table) => reference(table),
        Value::Text(text) => called(text),
        _ => None,
    }
}

/// Puts in what the references of a tree stand for; `path` is where the tree stands.
pub(crate) fn put_in(node: &mut Node, path: &str, lookup: &mut Lookup<'_>, problems: &mut Vec<Problem>) {
    let reference = of(node);
    let is_secret = reference.as_ref().is_some_and(Reference::is_secret);
    let found = match reference {
        Some(Reference::Secret(name)) => secret(name, path, &node.origin, lookup),
        Some(Reference::Env(name)) => env(name, path, &node.origin, lookup),
        None => return put_in_parts(node, path, lookup, problems),
    };
    match found {
        Ok(mut found) => {
            if is_secret {
                leaves(&found, &mut lookup.secrets);
            }
            // As if it had come from the environment: a token may be digits only.
            if let Value::Number(number) = &found.value {
                found.value = Value::Text(number.to_string());
            }
            *node = found;
        }
        Err(_) if is_secret && lookup.stars => *node = Node::text("***", node.origin.clone()),
        Err(problem) => problems.push(problem),
    }
}

fn put_in_parts(node: &mut Node, path: &str, lookup: &mut Lookup<'_>, problems: &mut Vec<Problem>) {
    let below = |key: &dyn std::fmt::Display| if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
    match &mut node.value {
        Value::List(items) => {
            for (i, item) in items.iter_mut().enumerate() {
                put_in(item, &below(&i), lookup, problems);
            }
        }
        Value::Table(table) => {
            for entry in &mut table.entries {
                put_in(&mut entry.value, &below(&entry.key), lookup, problems);
            }
        }
        Value::Text(text) if is_placeholder(text) && !lookup.stars => {
            problems.push(
                Problem::new(&node.origin, path, "the value is still to be filled in")
                    .hint("put in what belongs there, or take the line away"),
            );
        }
        _ => {}
    }
}

/// Where the secrets that references of these trees name may stand, each as the keys that lead there.
pub(crate) fn names<'n>(trees: impl Iterator<Item = &'n Node>) -> Vec<Vec<String>> {
    fn collect(node: &Node, into: &mut Vec<Vec<String>>) {
        if let Some(Reference::Secret(name)) = of(node) {
            let words: Vec<String> = name.split('.').map(str::to_owned).collect();
            let (sections, key) = words.split_at(words.len() - 1); // a split gives one word at least
            let shortest = if is_shortened(sections) { 0 } else { sections.len() };
            into.extend((shortest..=sections.len()).map(|n| [&sections[..n], key].concat()));
            return;
        }
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| collect(item, into)),
            Value::Table(table) => table.entries.iter().for_each(|entry| collect(&entry.value, into)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    trees.for_each(|tree| collect(tree, &mut found));
    found
}

fn is_shortened<S: AsRef<str>>(sections: &[S]) -> bool {
    sections.first().is_some_and(|first| matches!(first.as_ref(), "sources" | "destination"))
}

/// A name that begins as dlt's do is shortened as dlt's are; any other is meant exactly, so that one API's token
/// cannot be sent to another.
fn secret(name: &str, path: &str, origin: &Origin, lookup: &mut Lookup<'_>) -> Result<Node, Problem> {
    let words: Vec<&str> = name.split('.').collect();
    let [sections @ .., key] = words.as_slice() else { return Err(unnamed(name, path, origin)) };
    if words.iter().any(|w| w.trim().is_empty()) {
        return Err(unnamed(name, path, origin));
    }
    let shorten = is_shortened(sections);
    lookup.tried.clear();
    let found = lookup.find(&Wanted { sections, inner: &[], key, secret: true, shorten })?;
    if let (None, Some(unasked)) = (&found, &mut lookup.unasked) {
        unasked.push(path.to_owned());
        return Ok(Node::text("***", origin.clone()));
    }
    found.filter(|n| !matches!(n.value, Value::Table(_))).ok_or_else(|| {
        let waits = lookup.tried.iter().find_map(|place| place.strip_suffix(TO_FILL_IN));
        let what = match waits {
            Some(place) => format!("the secret '{name}' is still to be filled in: {}", place.trim_end()),
            None => format!("the secret '{name}' is not to be found"),
        };
        Problem::new(origin, path, what)
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
