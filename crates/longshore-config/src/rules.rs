//! The rules of a schema that `[pipeline]` and sources say for all of their resources.

use crate::node::Node;
use crate::problem::Problem;
use crate::section::Section;
use longshore_core::error::Error;
use longshore_core::misspelt::suggest;
use longshore_core::schema::{Conflict, Contract, ContractMode};

const CONTRACT: &str = "schema_contract";
const CONFLICT: &str = "on_type_conflict";
const ENTITIES: [&str; 3] = ["tables", "columns", "data_type"];

/// What is wrong with a section's own `schema_contract` and `on_type_conflict`.
pub fn rule_problems(section: &Section) -> Vec<Problem> {
    [contract(section), conflict(section)].into_iter().filter_map(Result::err).collect()
}

/// Checks the contract of a section: a mode, or a table of modes.
pub(crate) fn contract(section: &Section) -> Result<(), Problem> {
    let Some(node) = section.tree.at(&[CONTRACT]) else { return Ok(()) };
    let Some(table) = node.as_table() else {
        return Contract::from_value(&node.to_json()).map(drop).map_err(|e| wrong(section, &[CONTRACT], node, &e));
    };
    for entry in &table.entries {
        let path = [CONTRACT, entry.key.as_str()];
        let alone = serde_json::json!({ &entry.key: entry.value.to_json() });
        if let Err(e) = Contract::from_value(&alone) {
            let near = if ENTITIES.contains(&entry.key.as_str()) { None } else { suggest(&entry.key, ENTITIES) };
            return Err(wrong(section, &path, &entry.value, &e).maybe_hint(near));
        }
    }
    Ok(())
}

fn conflict(section: &Section) -> Result<(), Problem> {
    let Some(node) = section.tree.at(&[CONFLICT]) else { return Ok(()) };
    let Some(word) = node.as_text() else {
        return Err(section.problem(&[CONFLICT], format!("'{CONFLICT}' must be text, this is {}", node.kind())));
    };
    let near = || suggest(word, Conflict::ALL.map(Conflict::as_str));
    Conflict::parse(word).map(drop).map_err(|e| section.problem_of(&[CONFLICT], &e).maybe_hint(near()))
}

/// The error at its place, with the mode that was probably meant.
fn wrong(section: &Section, path: &[&str], node: &Node, error: &Error) -> Problem {
    let word = node.as_text().filter(|word| ContractMode::parse(word).is_err());
    let near = word.and_then(|word| suggest(word, ContractMode::ALL.map(ContractMode::as_str)));
    section.problem_of(path, error).maybe_hint(near)
}
