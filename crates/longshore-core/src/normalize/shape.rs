//! What is known of the data's shape: which key leads to which column, dict or child table.
//!
//! A shape is the schema plus a trie of keys as the source spells them, so that a name is normalised
//! once per distinct key and found again by comparing bytes. Everything that decides where a value
//! goes is either in the schema or follows from it by fixed rules; the trie is only a cache.

mod columns;
mod tables;
mod trie;

use super::rows::Usual;
use super::said::Said;
use super::settings::Settings;
use crate::naming;
use crate::schema::{ColumnRole, Schema, Table};
use hashbrown::HashMap;
use std::sync::Arc;

pub(super) type TableId = u32;
pub(super) type ColumnId = u32;
pub(super) type NodeId = u32;

/// Not known yet.
pub(super) const NONE: u32 = u32::MAX;
/// The contract lets no column or table be made here.
pub(super) const BARRED: u32 = u32::MAX - 1;

/// The schema of a load so far and the trie over it.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Of the resource that is being normalised.
    pub(super) settings: Arc<Settings>,
    pub(super) resources: Arc<[Arc<Settings>]>,
    /// Which of them that is.
    resource: usize,
    pub(super) said: Said,
    pub(super) schema: Schema,
    pub(super) tables: Vec<TableShape>,
    pub(super) nodes: Vec<Node>,
    pub(super) by_name: HashMap<String, TableId>,
    /// Grows with every addition to the schema.
    pub(super) version: u64,
    /// Grows when a key that had a place gets another one.
    pub(super) epoch: u64,
}

/// What is known of one table beside its schema.
#[derive(Debug, Clone)]
pub(super) struct TableShape {
    /// Names of the path from the root table, each normalised, none shortened: child tables are
    /// named after it.
    pub(super) ident_path: Vec<String>,
    pub(super) parent: TableId,
    /// Keys as the source spells them, from the record down to the list.
    pub(super) raw_path: Vec<String>,
    pub(super) columns: HashMap<String, ColumnId>,
    /// Columns that were JSON before this load.
    json: Vec<String>,
    /// Top nodes by the nesting levels left: lists in lists reach a table with fewer.
    pub(super) roots: Vec<(i64, NodeId)>,
    /// True once the table has its system columns.
    pub(super) complete: bool,
    /// True when this load made it.
    pub(super) is_new: bool,
    /// Columns that every row must have.
    pub(super) required: Vec<Required>,
    /// Only for speed.
    pub(super) usual: Usual,
}

/// A column that every row of a table must have a value of.
#[derive(Debug, Clone)]
pub(super) struct Required {
    pub(super) name: String,
    /// It is the table's for certain, even before the first value.
    pub(super) is_own: bool,
    /// It is in the key by which the table is merged.
    pub(super) is_key: bool,
}

/// A dict at one place of a table's rows.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) table: TableId,
    pub(super) edges: Vec<Edge>,
    index: HashMap<Box<[u8]>, u32>,
    /// Keys from the row down, as spelled and as normalised.
    raw_path: Vec<String>,
    path: Vec<String>,
    /// Nesting levels left at this dict.
    level: i64,
    /// Nesting levels left at the row the dict stands in.
    row_level: i64,
}

/// A key of a dict and where its values go, each found at the first value that needs it.
#[derive(Debug, Clone)]
pub(super) struct Edge {
    pub(super) key: Box<[u8]>,
    fragment: Option<String>,
    pub(super) scalar: ColumnId,
    pub(super) object: NodeId,
    pub(super) list: TableId,
    /// Dicts and lists stay JSON here, or are ignored.
    pub(super) stays_json: bool,
    pub(super) ignored: bool,
    /// A list's elements become columns by their position.
    pub(super) flattened: bool,
}

impl Shape {
    /// Returns the shape of a dataset with that schema, for records of one resource.
    pub fn new(schema: Schema, settings: Settings) -> Self {
        let settings = Arc::new(settings);
        Shape::of(schema, Arc::clone(&settings), Arc::from([settings]))
    }

    /// Returns the shape of a dataset with that schema, for records of several resources; `None` without any.
    pub fn with_resources(schema: Schema, resources: Vec<Settings>) -> Option<Self> {
        let resources: Arc<[Arc<Settings>]> = resources.into_iter().map(Arc::new).collect();
        Some(Shape::of(schema, Arc::clone(resources.first()?), Arc::clone(&resources)))
    }

    /// Turns to the records of another resource.
    pub fn turn_to(&mut self, resource: usize) {
        if let Some(settings) = self.resources.get(resource) {
            self.settings = Arc::clone(settings);
            self.resource = resource;
        }
    }

    fn of(schema: Schema, settings: Arc<Settings>, resources: Arc<[Arc<Settings>]>) -> Self {
        let mut shape = Shape {
            settings,
            said: Said::of(&resources),
            resources,
            resource: 0,
            schema: Schema { imported: schema.imported, ..Schema::new(schema.name, schema.system_columns) },
            tables: Vec::new(),
            nodes: Vec::new(),
            by_name: HashMap::new(),
            version: 0,
            epoch: 0,
        };
        for table in schema.tables {
            shape.adopt(table);
        }
        // What a resource without records does to its tables is for its rules of today to say.
        for resource in (0..shape.resources.len()).rev() {
            shape.turn_to(resource);
            if shape.by_name.contains_key(&shape.root_table_name()) {
                shape.root_table();
            }
        }
        shape
    }

    /// Returns the root tables of the resources, whether or not they have records yet.
    pub fn resource_tables(&self) -> Vec<String> {
        self.resources.iter().map(|settings| root_table_name(settings)).collect()
    }

    /// Returns what is known by now of the tables that the resources may fill: those of the schema with the ones below
    /// them, and root tables that would be new, without columns.
    pub fn known_tables(&self) -> Vec<Table> {
        let of = |settings: &Arc<Settings>| -> Vec<Table> {
            let name = root_table_name(settings);
            match self.schema.table(&name) {
                Some(root) => [root].into_iter().chain(self.schema.children_of(&name)).cloned().collect(),
                None => vec![Table { write: settings.write.clone(), ..Table::new(name, None) }],
            }
        };
        self.resources.iter().flat_map(of).collect()
    }

    fn root_table_name(&self) -> String {
        root_table_name(&self.settings)
    }

    /// Returns the schema as it is now.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Returns a number that grows with every change of the schema.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns a number that grows when a key that had a place gets another one.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Returns the root table's name.
    pub fn root_name(&self) -> &str {
        &self.settings.table
    }

    /// Returns true when the root table is there and has a system column of that role.
    pub(super) fn root_has(&self, role: ColumnRole) -> bool {
        let root = self.by_name.get(&self.root_table_name());
        root.is_some_and(|&t| self.schema.tables[t as usize].system(role).is_some())
    }
}

pub(super) fn root_table_name(settings: &Settings) -> String {
    naming::shorten(&settings.table, &settings.table, settings.max_identifier_length)
}
