//! Loading from scratch: which tables go or lose their rows before a load's own come, and what of the state is forgotten.
//! The words are dlt's.

use crate::schema::Schema;
use serde_json::{Value, json};

/// What goes before a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshMode {
    /// All tables and all state of the sources.
    DropSources,
    /// Tables and state of the resources that are loaded.
    DropResources,
    /// Rows and cursors of the resources that are loaded; tables and schema stay.
    DropData,
}

/// What a run loads from scratch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refresh {
    /// What goes.
    pub mode: RefreshMode,
    /// Whose tables.
    pub tables: Tables,
    /// Whose state.
    pub slots: Vec<Slot>,
}

/// Root tables that a refresh is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tables {
    /// All that the pipeline has, also of resources that are no longer declared.
    All,
    /// Those of some of the run's resources, by number, and others by name.
    Of(Vec<usize>, Vec<String>),
}

/// A part of the state: of a source, or of one of its resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The source.
    pub source: String,
    /// The resource; `None` for all that the source remembers.
    pub resource: Option<String>,
}

/// What is left of schema and state, and what has to go at the destination.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cleared {
    /// The schema without the tables that go.
    pub schema: Schema,
    /// The state without what is forgotten.
    pub state: Option<Value>,
    /// Tables that go, children before their parents.
    pub drops: Vec<String>,
    /// Root tables that lose their rows.
    pub empties: Vec<String>,
}

impl Refresh {
    /// Takes out of schema and state what a run begins without; `resources` are the root tables of its resources.
    pub fn apply(&self, schema: Schema, mut state: Option<Value>, resources: &[String]) -> Cleared {
        let is_meant = |root: &String| match &self.tables {
            Tables::All => true,
            Tables::Of(numbers, names) => {
                names.contains(root) || numbers.iter().any(|n| resources.get(*n) == Some(root))
            }
        };
        let roots = schema.tables.iter().filter(|t| t.is_root()).map(|t| t.name.clone());
        let roots: Vec<String> = roots.filter(is_meant).collect();
        if let Some(state) = &mut state {
            self.slots.iter().for_each(|slot| slot.forget(state, self.mode == RefreshMode::DropData));
        }
        match self.mode {
            RefreshMode::DropData => Cleared { schema, state, drops: Vec::new(), empties: roots },
            RefreshMode::DropSources | RefreshMode::DropResources => {
                let drops = families(&schema, &roots);
                Cleared { schema: without(schema, &drops), state, drops, empties: Vec::new() }
            }
        }
    }
}

/// Returns root tables with all that are below them, children before their parents.
pub fn families(schema: &Schema, roots: &[String]) -> Vec<String> {
    let family = |root: &String| {
        let mut names: Vec<String> = schema.children_of(root).into_iter().map(|t| t.name.clone()).collect();
        names.reverse();
        names.push(root.clone());
        names
    };
    roots.iter().flat_map(family).collect()
}

/// Returns a schema without some of its tables.
pub fn without(mut schema: Schema, tables: &[String]) -> Schema {
    schema.tables.retain(|t| !tables.contains(&t.name));
    schema
}

/// Returns the state that a load writes to say that nothing is remembered: without one, the older state would count on.
pub fn nothing_remembered() -> Value {
    json!({ "sources": {} })
}

impl Slot {
    /// Takes what is meant out of a pipeline's state; `only_cursors` leaves what is no cursor.
    pub fn forget(&self, state: &mut Value, only_cursors: bool) {
        let Some(sources) = state.get_mut("sources").and_then(Value::as_object_mut) else { return };
        let Some(resource) = &self.resource else {
            sources.shift_remove(&self.source);
            return;
        };
        let Some(source) = sources.get_mut(&self.source).and_then(Value::as_object_mut) else { return };
        // Where sources of files note what they have read.
        if let Some(files) = source.get_mut("files").and_then(Value::as_object_mut) {
            files.shift_remove(resource);
        }
        let Some(resources) = source.get_mut("resources").and_then(Value::as_object_mut) else { return };
        match resources.get_mut(resource).and_then(Value::as_object_mut).filter(|_| only_cursors) {
            Some(remembered) => _ = remembered.shift_remove("incremental"),
            None => _ = resources.shift_remove(resource),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{SystemColumns, Table};

    fn schema() -> Schema {
        let mut schema = Schema::new("s", SystemColumns::Native);
        for (name, parent) in [("a", None), ("a__b", Some("a")), ("a__b__c", Some("a__b")), ("d", None)] {
            schema.tables.push(Table::new(name, parent.map(str::to_owned)));
        }
        schema
    }

    fn state() -> Value {
        let resources = json!({"a": {"incremental": {"at": 1}, "seen": 2}, "d": {"incremental": {"at": 3}}});
        json!({"sources": {"shop": {"resources": resources}, "drop": {"files": {"a": {"f": 1}, "d": {"f": 2}}}}})
    }

    fn slot(source: &str, resource: Option<&str>) -> Slot {
        Slot { source: source.into(), resource: resource.map(str::to_owned) }
    }

    #[test]
    fn tables_go_with_those_below_them() {
        let refresh = |mode, tables| Refresh { mode, tables, slots: vec![slot("shop", Some("a"))] };
        let resources = ["a".to_owned(), "new".to_owned()];
        let one = Tables::Of(vec![0, 1], Vec::new());
        let cleared = refresh(RefreshMode::DropResources, one.clone()).apply(schema(), Some(state()), &resources);
        assert_eq!(cleared.drops, ["a__b__c", "a__b", "a"]);
        assert_eq!(cleared.schema.tables.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["d"]);
        assert!(cleared.empties.is_empty());
        let left = cleared.state.unwrap();
        assert_eq!(left["sources"]["shop"]["resources"], json!({"d": {"incremental": {"at": 3}}}));
        assert_eq!(left["sources"]["drop"], state()["sources"]["drop"]);

        let cleared = refresh(RefreshMode::DropData, one).apply(schema(), Some(state()), &resources);
        assert_eq!((cleared.drops.len(), cleared.empties), (0, vec!["a".to_owned()]));
        assert_eq!(cleared.schema, schema());
        assert_eq!(cleared.state.unwrap()["sources"]["shop"]["resources"]["a"], json!({"seen": 2}));

        let cleared = refresh(RefreshMode::DropSources, Tables::All).apply(schema(), None, &resources);
        assert_eq!(cleared.drops, ["a__b__c", "a__b", "a", "d"]);
        assert!(cleared.schema.tables.is_empty() && cleared.state.is_none());
    }

    #[test]
    fn a_slot_is_a_source_or_one_of_its_resources() {
        let mut of = state();
        slot("shop", None).forget(&mut of, false);
        slot("drop", Some("a")).forget(&mut of, true);
        slot("unknown", Some("a")).forget(&mut of, false);
        assert_eq!(of, json!({"sources": {"drop": {"files": {"d": {"f": 2}}}}}));
    }
}
