//! What is remembered from load to load, in dlt's shape:
//! `sources.<source>.resources.<resource>.incremental.<cursor_path>.{initial_value, last_value, unique_hashes}`,
//! and beside these `parents`, for cursors of their own.

use super::{Cursor, IncrementalPlan};
use longshore_core::error::Result;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The furthest value of a cursor, and the records that have it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Observed {
    pub(crate) last: Option<Cursor>,
    pub(crate) hashes: Vec<String>,
}

impl Observed {
    pub(crate) fn to_json(&self) -> Value {
        let last = self.last.as_ref().and_then(|c| serde_json::from_str(&c.raw).ok()).unwrap_or(Value::Null);
        json!({ "last_value": last, "unique_hashes": self.hashes })
    }

    pub(crate) fn from_json(value: &Value) -> Observed {
        let last = value.get("last_value").and_then(|v| Cursor::parse(&v.to_string()));
        let hashes = value.get("unique_hashes").and_then(Value::as_array).into_iter().flatten();
        Observed { last, hashes: hashes.filter_map(Value::as_str).map(str::to_owned).collect() }
    }
}

/// What one resource remembers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    /// Before this load: what ranges are made of.
    before: Observed,
    before_parents: Option<BTreeMap<String, Observed>>,
    /// With what this load has seen.
    now: Observed,
    now_parents: BTreeMap<String, Observed>,
}

impl Memory {
    /// Reads it out of the source's state.
    pub(crate) fn read(state: Option<&Value>, source: &str, resource: &str, plan: &IncrementalPlan) -> Memory {
        let found = state.and_then(|s| {
            s.get("sources")?.get(source)?.get("resources")?.get(resource)?.get("incremental")?.get(plan.path.as_str())
        });
        let Some(found) = found.filter(|_| !plan.is_stateless()) else { return Memory::default() };
        let parents = found.get("parents").and_then(Value::as_object);
        let parents: Option<BTreeMap<_, _>> =
            parents.map(|p| p.iter().map(|(k, v)| (k.clone(), Observed::from_json(v))).collect());
        let before = Observed::from_json(found);
        Memory {
            now: before.clone(),
            now_parents: parents.clone().unwrap_or_default(),
            before,
            before_parents: parents,
        }
    }

    /// Returns what a chain begins from. A parent that is new begins from the start, unless the state knows of no
    /// parents at all (dlt's own).
    pub(crate) fn of(&self, parent: Option<&str>) -> Observed {
        match (parent, &self.before_parents) {
            (Some(key), Some(parents)) => parents.get(key).cloned().unwrap_or_default(),
            _ => self.before.clone(),
        }
    }

    /// Takes in what a page saw. A parent that begins from what is remembered of all together (dlt's state) is known from then on, also
    /// without anything new: else the next load would take it for a new one, and begin from the start.
    pub(crate) fn take(&mut self, plan: &IncrementalPlan, parent: Option<&str>, page: &Observed) -> Result<()> {
        plan.merge(&mut self.now, page)?;
        if let Some(key) = parent {
            let before = self.of(parent);
            if !self.now_parents.contains_key(key) && (page.last.is_some() || before.last.is_some()) {
                self.now_parents.insert(key.to_owned(), before);
            }
            if let Some(own) = self.now_parents.get_mut(key) {
                plan.merge(own, page)?;
            }
        }
        Ok(())
    }

    /// Writes it into the source's state.
    pub(crate) fn write(&self, state: &mut Value, source: &str, resource: &str, plan: &IncrementalPlan) {
        let mut entry = self.now.to_json();
        let initial: Option<Value> = plan.initial_raw().and_then(|raw| serde_json::from_str(raw).ok());
        entry["initial_value"] = initial.unwrap_or(Value::Null);
        if !self.now_parents.is_empty() {
            entry["parents"] =
                self.now_parents.iter().map(|(k, v)| (k.clone(), v.to_json())).collect::<Map<_, _>>().into();
        }
        let mut at = state;
        for key in ["sources", source, "resources", resource, "incremental"] {
            if !at.is_object() {
                *at = json!({});
            }
            at = &mut at[key];
        }
        if !at.is_object() {
            *at = json!({});
        }
        at[plan.path.as_str()] = entry;
    }
}
