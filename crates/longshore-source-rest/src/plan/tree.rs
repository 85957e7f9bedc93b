//! Which resource depends on which.

use crate::config::{Problem, ResourceConfig};
use crate::template::{Part, cut};
use longshore_core::misspelt::suggest;
use serde_json::Value;
use std::collections::BTreeSet;

/// A reference to a field of another resource: its name, the field.
pub(super) type Reference<'t> = (&'t str, &'t str);

/// Reads `resources.parent.field`.
pub(super) fn reference(inner: &str) -> Option<Reference<'_>> {
    inner.strip_prefix("resources.")?.split_once('.').filter(|(r, f)| !r.is_empty() && !f.is_empty())
}

/// Returns the direct parent of each resource, as far as that can be told. Several resources may be named where each
/// is an ancestor of the next.
pub(super) fn parents(configs: &[ResourceConfig], problems: &mut Vec<Problem>) -> Vec<Option<usize>> {
    let mut named: Vec<BTreeSet<usize>> = Vec::new();
    for (i, config) in configs.iter().enumerate() {
        if configs[..i].iter().any(|c| c.name == config.name) {
            problems.push(Problem::new(
                format!("resources[{i}].name"),
                format!("there are two resources named '{}'", config.name),
            ));
        }
        named.push(named_by(configs, i, problems));
    }
    // A resource's parent is the one it names that has all others it names above it.
    let mut parents = vec![None; configs.len()];
    let mut settled: BTreeSet<usize> = (0..configs.len()).filter(|i| named[*i].is_empty()).collect();
    while settled.len() < configs.len() {
        let Some(next) = (0..configs.len()).find(|i| !settled.contains(i) && named[*i].is_subset(&settled)) else {
            let cycle: Vec<&str> =
                (0..configs.len()).filter(|i| !settled.contains(i)).map(|i| configs[i].name.as_str()).collect();
            problems.push(Problem::new(
                "resources",
                format!("resources depend on one another in a circle: {}", cycle.join(", ")),
            ));
            return parents;
        };
        let above = |mut at: usize| {
            let mut all = BTreeSet::from([at]);
            while let Some(parent) = parents[at] {
                all.insert(parent);
                at = parent;
            }
            all
        };
        match named[next].iter().find(|candidate| named[next].is_subset(&above(**candidate))) {
            Some(parent) => parents[next] = Some(*parent),
            None => {
                let names: Vec<&str> = named[next].iter().map(|n| configs[*n].name.as_str()).collect();
                problems.push(
                    Problem::new(
                        format!("resources[{next}]"),
                        format!(
                            "it depends on several resources that do not depend on one another: {}",
                            names.join(", ")
                        ),
                    )
                    .suggest("a resource has one parent, and that parent's own parents"),
                );
            }
        }
        settled.insert(next);
    }
    parents
}

fn named_by(configs: &[ResourceConfig], i: usize, problems: &mut Vec<Problem>) -> BTreeSet<usize> {
    let endpoint = &configs[i].endpoint;
    let mut named = BTreeSet::new();
    let mut see = |name: &str, place: &str| match configs.iter().position(|c| c.name == name) {
        Some(at) => {
            named.insert(at);
        }
        None => {
            let problem =
                Problem::new(format!("resources[{i}].endpoint.{place}"), format!("there is no resource '{name}'"));
            problems.push(match suggest(name, configs.iter().map(|c| c.name.as_str())) {
                Some(near) => problem.suggest(near),
                None => problem,
            });
        }
    };
    let mut text = |text: &str, place: &str| {
        for part in cut(text, &|inner| reference(inner).is_some()) {
            if let Part::Braces(inner) = part {
                see(reference(inner).unwrap_or_default().0, place);
            }
        }
    };
    text(endpoint.path.as_deref().unwrap_or_default(), "path");
    endpoint.headers.values().for_each(|h| text(h.expose(), "headers"));
    endpoint.json.iter().for_each(|v| each_text(v, true, &mut |t| text(t, "json")));
    endpoint.data.iter().for_each(|v| each_text(v, false, &mut |t| text(t, "data")));
    endpoint.params.values().for_each(|v| each_text(v, false, &mut |t| text(t, "params")));
    for (name, param) in &endpoint.params {
        // What lacks its keys is told where the request is read.
        if let Some(parent) = resolved(param).filter(|(resource, _)| !resource.is_empty()) {
            see(parent.0, &format!("params.{name}.resource"));
        }
    }
    named
}

/// Reads `{type: resolve, resource: …, field: …}`.
pub(super) fn resolved(param: &Value) -> Option<Reference<'_>> {
    let is_resolve = param.get("type").and_then(Value::as_str) == Some("resolve");
    let text = |key| param.get(key).and_then(Value::as_str);
    is_resolve.then(|| (text("resource").unwrap_or_default(), text("field").unwrap_or_default()))
}

fn each_text(value: &Value, names_too: bool, see: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(list) => list.iter().for_each(|v| each_text(v, names_too, see)),
        Value::Object(table) => {
            for (name, value) in table {
                if names_too {
                    see(name);
                }
                each_text(value, names_too, see);
            }
        }
        _ => {}
    }
}
