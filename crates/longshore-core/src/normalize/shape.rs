//! What is known of the data's shape: which key leads to which column, dict or child table.
//!
//! A shape is the schema plus a trie of keys as the source spells them, so that a name is normalised
//! once per distinct key and found again by comparing bytes. Everything that decides where a value
//! goes is either in the schema or follows from it by fixed rules; the trie is only a cache.

use super::rows::Usual;
use super::said::Said;
use super::settings::Settings;
use super::violation::Bar;
use crate::naming;
use crate::schema::{
    Alias, AliasKind, Column, ColumnRole, ColumnType, Conflict, DataType, Schema, SystemColumns, Table,
};
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

    fn adopt(&mut self, table: Table) -> TableId {
        let id = self.tables.len() as TableId;
        let parent = table.parent.as_ref().and_then(|p| self.by_name.get(p)).copied().unwrap_or(NONE);
        let columns = table.columns.iter().enumerate().map(|(i, c)| (c.name.clone(), i as ColumnId)).collect();
        self.by_name.insert(table.name.clone(), id);
        self.tables.push(TableShape {
            ident_path: vec![table.name.clone()],
            parent,
            raw_path: Vec::new(),
            columns,
            roots: Vec::new(),
            complete: table.system(ColumnRole::RowId).is_some(),
            is_new: false,
            required: Vec::new(),
            usual: Usual::default(),
        });
        self.schema.tables.push(table);
        id
    }

    /// Returns the root table, made if it is new and may be.
    pub(super) fn root(&mut self) -> Result<TableId, Bar> {
        if !self.by_name.contains_key(&self.root_table_name()) {
            self.may_add_table(NONE, &[])?;
        }
        Ok(self.root_table())
    }

    /// Returns the root table, made if it is new.
    pub(super) fn root_table(&mut self) -> TableId {
        let name = self.root_table_name();
        let id = match self.by_name.get(&name) {
            Some(&id) => id,
            None => {
                self.version += 1;
                let id = self.adopt(Table::new(name, None));
                self.tables[id as usize].is_new = true;
                id
            }
        };
        self.tables[id as usize].ident_path = vec![self.settings.table.clone()];
        if self.schema.tables[id as usize].write != self.settings.write {
            self.write_as_told(id);
        }
        id
    }

    /// A root table and its children are written by the same rules, from this load on.
    fn write_as_told(&mut self, root: TableId) {
        self.version += 1;
        for id in (0..self.tables.len() as TableId).filter(|&id| self.root_of(id) == root).collect::<Vec<_>>() {
            self.schema.tables[id as usize].write = self.settings.write.clone();
            if self.tables[id as usize].complete {
                self.extra_columns(id);
            }
        }
    }

    /// Adds the system columns that the way of writing needs.
    fn extra_columns(&mut self, table: TableId) {
        let is_root = self.tables[table as usize].parent == NONE;
        for &role in self.settings.system.extra_roles(is_root, &self.schema.tables[table as usize].write) {
            self.system_column(table, role);
        }
    }

    /// Returns the node of a table's rows when `level` nesting levels are left.
    pub(super) fn top(&mut self, table: TableId, level: i64) -> NodeId {
        if let Some(&(_, node)) = self.tables[table as usize].roots.iter().find(|(l, _)| *l == level) {
            return node;
        }
        let node = self.push_node(table, Vec::new(), Vec::new(), level, level);
        self.tables[table as usize].required = self.required(table);
        self.tables[table as usize].roots.push((level, node));
        node
    }

    fn push_node(&mut self, table: TableId, raw: Vec<String>, path: Vec<String>, level: i64, row_level: i64) -> NodeId {
        self.nodes.push(Node {
            table,
            edges: Vec::new(),
            index: HashMap::new(),
            raw_path: raw,
            path,
            level,
            row_level,
        });
        (self.nodes.len() - 1) as NodeId
    }

    /// Returns the edge of a key, made if it is new. `guess` is the edge that most likely comes
    /// next; records of one source mostly have the same keys in the same order.
    #[inline]
    pub(super) fn edge(&mut self, node: NodeId, key: &[u8], guess: u32) -> u32 {
        let n = &self.nodes[node as usize];
        if n.edges.get(guess as usize).is_some_and(|e| *e.key == *key) {
            return guess;
        }
        match n.index.get(key) {
            Some(&edge) => edge,
            None => self.new_edge(node, key),
        }
    }

    fn new_edge(&mut self, node: NodeId, key: &[u8]) -> u32 {
        let key_text = String::from_utf8_lossy(key).into_owned();
        let n = &self.nodes[node as usize];
        let mut full = self.tables[n.table as usize].raw_path.clone();
        full.extend(n.raw_path.iter().cloned());
        full.push(key_text);
        if self.said.meet(self.resource, &full) {
            self.version += 1;
        }
        let n = &self.nodes[node as usize];
        let is_one_of = |paths: &[super::FieldPath]| paths.iter().any(|p| p.matches(&full));
        let ignored = is_one_of(&self.settings.rules.ignore);
        let flattened = is_one_of(&self.settings.rules.flatten);
        let stays_json = ignored || n.level <= 0 || is_one_of(&self.settings.json_columns);
        let n = &mut self.nodes[node as usize];
        let id = n.edges.len() as u32;
        n.index.insert(key.into(), id);
        let unknown = Edge {
            key: key.into(),
            fragment: None,
            scalar: NONE,
            object: NONE,
            list: NONE,
            stays_json,
            ignored,
            flattened,
        };
        n.edges.push(unknown);
        id
    }

    /// Returns the normalised name of an edge's key, distinct among keys without letters and digits.
    fn fragment(&mut self, node: NodeId, edge: u32) -> String {
        if let Some(fragment) = &self.nodes[node as usize].edges[edge as usize].fragment {
            return fragment.clone();
        }
        let raw = self.raw_path(node, edge);
        let key = raw.last().cloned().unwrap_or_default();
        let mut fragment = naming::normalize_key_within(&key, self.settings.max_identifier_length);
        // Such keys all become `x`, `_empty` and the like: the first keeps the name, for good.
        if !key.chars().any(|c| c.is_ascii_alphanumeric() || c.is_numeric()) {
            let table = self.nodes[node as usize].table as usize;
            let known = self.schema.tables[table].aliases.iter().find(|a| a.kind == AliasKind::Key && a.path == raw);
            if let Some(alias) = known {
                fragment = alias.name.clone();
            } else {
                if self.is_taken(node, &fragment, &raw) {
                    fragment = format!("{fragment}_{}", naming::tag(&key));
                }
                self.version += 1;
                self.schema.tables[table].aliases.push(Alias {
                    path: raw,
                    name: fragment.clone(),
                    kind: AliasKind::Key,
                });
            }
        }
        self.nodes[node as usize].edges[edge as usize].fragment = Some(fragment.clone());
        fragment
    }

    /// Returns true when another key beside `raw` has that name already.
    fn is_taken(&self, node: NodeId, fragment: &str, raw: &[String]) -> bool {
        let n = &self.nodes[node as usize];
        let beside = |a: &Alias| a.path.len() == raw.len() && a.path[..raw.len() - 1] == raw[..raw.len() - 1];
        let aliases = &self.schema.tables[n.table as usize].aliases;
        let mut path: Vec<&str> = n.path.iter().map(String::as_str).collect();
        path.push(fragment);
        let column = naming::shorten_fragments(&path, self.settings.max_identifier_length);
        aliases.iter().any(|a| a.kind == AliasKind::Key && a.name == fragment && beside(a))
            || self.tables[n.table as usize].columns.contains_key(&column)
    }

    /// Keys from the row down to the edge, as spelled.
    pub(super) fn raw_path(&self, node: NodeId, edge: u32) -> Vec<String> {
        let n = &self.nodes[node as usize];
        let mut raw = n.raw_path.clone();
        raw.push(String::from_utf8_lossy(&n.edges[edge as usize].key).into_owned());
        raw
    }

    /// Returns the dict below an edge.
    pub(super) fn object(&mut self, node: NodeId, edge: u32) -> NodeId {
        let known = self.nodes[node as usize].edges[edge as usize].object;
        if known != NONE {
            return known;
        }
        let fragment = self.fragment(node, edge);
        let raw = self.raw_path(node, edge);
        let n = &self.nodes[node as usize];
        let mut path = n.path.clone();
        path.push(fragment);
        let (table, level, row_level) = (n.table, n.level - 1, n.row_level);
        let child = self.push_node(table, raw, path, level, row_level);
        self.nodes[node as usize].edges[edge as usize].object = child;
        child
    }

    /// Returns the column of an edge's scalars, made with the type `infer` says if it is new and may be.
    pub(super) fn column(
        &mut self,
        node: NodeId,
        edge: u32,
        infer: impl FnOnce() -> DataType,
    ) -> Result<ColumnId, Bar> {
        let known = self.nodes[node as usize].edges[edge as usize].scalar;
        if known < BARRED {
            return Ok(known);
        }
        let raw = self.raw_path(node, edge);
        let table = self.nodes[node as usize].table;
        let aliases = &self.schema.tables[table as usize].aliases;
        let name = match aliases.iter().find(|a| a.kind == AliasKind::Column && a.path == raw) {
            Some(alias) => alias.name.clone(),
            None => self.column_name(node, edge),
        };
        let column = match self.tables[table as usize].columns.get(&name) {
            Some(&column) => {
                self.describe(node, edge, table, column);
                column
            }
            None => {
                let may = self.may_add_column(table, &name);
                if may.is_err() {
                    self.nodes[node as usize].edges[edge as usize].scalar = BARRED;
                }
                may?;
                let column = self.hinted(node, edge, Column::data(name, DataType::Text), infer);
                self.push_column(table, column)
            }
        };
        self.nodes[node as usize].edges[edge as usize].scalar = column;
        Ok(column)
    }

    /// Returns a new column with what is known of it: by hints, or its first value.
    fn hinted(&self, node: NodeId, edge: u32, column: Column, infer: impl FnOnce() -> DataType) -> Column {
        let data_type = self.hint(node, edge).unwrap_or_else(infer);
        let mut column = Column { data_type, ..column };
        if !self.settings.rules.columns.is_empty() {
            let full = self.full_path(node, edge);
            if let Some(hint) = self.settings.rules.columns.iter().find(|h| h.path.matches(&full)) {
                column.properties = hint.properties.clone();
                // Rows that are there already have no value.
                let is_new = self.tables[self.nodes[node as usize].table as usize].is_new;
                column.nullable = !(hint.nullable == Some(false) && is_new);
            }
        }
        column
    }

    /// Takes what a hint says of a column that is there; its type stays what it is.
    fn describe(&mut self, node: NodeId, edge: u32, table: TableId, column: ColumnId) {
        if self.settings.rules.columns.is_empty() {
            return;
        }
        let full = self.full_path(node, edge);
        let Some(hint) = self.settings.rules.columns.iter().find(|h| h.path.matches(&full)) else { return };
        let known = &mut self.schema.tables[table as usize].columns[column as usize];
        let described = known.properties.described_by(&hint.properties);
        if known.role.is_none() && described != known.properties {
            known.properties = described;
            self.version += 1;
        }
    }

    pub(super) fn column_name(&mut self, node: NodeId, edge: u32) -> String {
        if let Some(name) = self.hinted_name(node, edge) {
            return name;
        }
        let fragment = self.fragment(node, edge);
        let n = &self.nodes[node as usize];
        let mut path: Vec<&str> = n.path.iter().map(String::as_str).collect();
        path.push(&fragment);
        let name = naming::shorten_fragments(&path, self.settings.max_identifier_length);
        let is_root = self.tables[n.table as usize].parent == NONE;
        let system = self.settings.system;
        // A field that has the name of a system column keeps its value under another name.
        let roles = system.roles(is_root).iter().chain(system.extra_roles(is_root, &self.settings.write));
        // An earlier load may have written it another way, with more of them.
        let is_there = self.schema.tables[n.table as usize].column(&name).is_some_and(|c| c.role.is_some());
        match is_there || roles.map(|&r| system.column(r)).any(|c| c.name == name) {
            true => format!("{name}_source"),
            false => name,
        }
    }

    fn hinted_name(&self, node: NodeId, edge: u32) -> Option<String> {
        let hints = &self.settings.rules.columns;
        if hints.iter().all(|h| h.name.is_none()) {
            return None;
        }
        let full = self.full_path(node, edge);
        hints.iter().filter(|h| h.path.matches(&full)).find_map(|h| h.name.clone())
    }

    fn hint(&self, node: NodeId, edge: u32) -> Option<DataType> {
        if self.settings.hints.is_empty() && self.settings.json_columns.is_empty() {
            return None;
        }
        let full = self.full_path(node, edge);
        let named = self.settings.hints.iter().find(|(p, _)| p.matches(&full)).map(|(_, t)| *t);
        // Whatever its first value is: the same for every order of records.
        let is_json = || self.settings.json_columns.iter().any(|p| p.matches(&full));
        named.or_else(|| is_json().then_some(DataType::Json))
    }

    /// Returns the variant column of that name, made if it is new and may be.
    pub(super) fn variant_column(
        &mut self,
        table: TableId,
        name: String,
        infer: impl FnOnce() -> DataType,
    ) -> Result<ColumnId, Bar> {
        if let Some(&id) = self.tables[table as usize].columns.get(&name) {
            return Ok(id);
        }
        self.may_add_variant(table)?;
        Ok(self.push_column(table, Column { variant: true, ..Column::data(name, infer()) }))
    }

    fn push_column(&mut self, table: TableId, mut column: Column) -> ColumnId {
        self.version += 1;
        let is_plain = column.role.is_none() && !column.variant && column.data_type == DataType::Bigint;
        column.exact_double = is_plain && self.may_widen();
        let columns = &mut self.schema.tables[table as usize].columns;
        let id = columns.len() as ColumnId;
        self.tables[table as usize].columns.insert(column.name.clone(), id);
        columns.push(column);
        id
    }

    fn may_widen(&self) -> bool {
        let said = self.settings.rules.on_type_conflict;
        said.unwrap_or(Conflict::usual(self.settings.system)) == Conflict::Widen
    }

    /// Gives a key another column, for good, because the one its name says has a value already in
    /// the same row: `<name>_<tag of the keys>`.
    pub(super) fn alias_column(
        &mut self,
        node: NodeId,
        edge: u32,
        data_type: DataType,
        ordinal: u32,
    ) -> Result<ColumnId, Bar> {
        let raw = self.raw_path(node, edge);
        let name = self.alias_name(&raw, node, edge, ordinal);
        let table = self.nodes[node as usize].table;
        let column = match self.tables[table as usize].columns.get(&name) {
            Some(&column) => column,
            None => {
                self.may_add_column(table, &name)?;
                self.push_column(table, Column::data(name.clone(), data_type))
            }
        };
        self.add_alias(table, Alias { path: raw, name, kind: AliasKind::Column });
        self.nodes[node as usize].edges[edge as usize].scalar = column;
        Ok(column)
    }

    fn alias_name(&mut self, raw: &[String], node: NodeId, edge: u32, ordinal: u32) -> String {
        let base = self.column_name(node, edge);
        let source = raw.join(".");
        let tag = naming::tag(&if ordinal == 0 { source.clone() } else { format!("{source} {ordinal}") });
        naming::shorten(&format!("{base}_{tag}"), &source, self.settings.max_identifier_length)
    }

    fn add_alias(&mut self, table: TableId, alias: Alias) {
        let aliases = &mut self.schema.tables[table as usize].aliases;
        self.version += 1;
        self.epoch += 1;
        match aliases.iter_mut().find(|a| a.kind == alias.kind && a.path == alias.path) {
            Some(old) => *old = alias,
            None => aliases.push(alias),
        }
    }

    /// Returns the child table of an edge's lists, made if it is new and may be, and the levels left in it.
    pub(super) fn list(&mut self, node: NodeId, edge: u32) -> Result<(TableId, i64), Bar> {
        let level = self.nodes[node as usize].row_level - 1;
        let known = self.nodes[node as usize].edges[edge as usize].list;
        if known < BARRED {
            return Ok((known, level));
        }
        let raw = self.raw_path(node, edge);
        let owner = self.nodes[node as usize].table;
        let mut ident_path = self.child_path(node, edge);
        let name = match self.table_alias(owner, &raw) {
            Some(name) => {
                // Its child tables are named after it, not after the key.
                ident_path = vec![name.clone()];
                name
            }
            None => self.table_name(&ident_path),
        };
        if self.belongs_elsewhere(&name, owner) {
            return Ok((self.alias_list(node, edge, 0)?, level));
        }
        let id = self.child_table((node, edge), name, ident_path)?;
        self.nodes[node as usize].edges[edge as usize].list = id;
        Ok((id, level))
    }

    fn table_alias(&self, owner: TableId, raw: &[String]) -> Option<String> {
        let aliases = &self.schema.tables[owner as usize].aliases;
        aliases.iter().find(|a| a.kind == AliasKind::Table && a.path == raw).map(|a| a.name.clone())
    }

    /// Returns the name that the table of an edge's lists has or would have.
    pub(super) fn list_name(&mut self, node: NodeId, edge: u32) -> String {
        let raw = self.raw_path(node, edge);
        let owner = self.nodes[node as usize].table;
        self.table_alias(owner, &raw).unwrap_or_else(|| {
            let path = self.child_path(node, edge);
            self.table_name(&path)
        })
    }

    fn child_path(&mut self, node: NodeId, edge: u32) -> Vec<String> {
        let fragment = self.fragment(node, edge);
        let n = &self.nodes[node as usize];
        let mut path = self.tables[n.table as usize].ident_path.clone();
        path.extend(n.path.iter().cloned());
        path.push(fragment);
        path
    }

    fn table_name(&self, ident_path: &[String]) -> String {
        let path: Vec<&str> = ident_path.iter().map(String::as_str).collect();
        naming::shorten_fragments(&path, self.settings.max_identifier_length)
    }

    fn child_table(
        &mut self,
        (node, edge): (NodeId, u32),
        name: String,
        ident_path: Vec<String>,
    ) -> Result<TableId, Bar> {
        let owner = self.nodes[node as usize].table;
        let full = self.full_path(node, edge);
        let id = match self.by_name.get(&name) {
            Some(&id) => id,
            None => {
                let may = self.may_add_table(owner, &full);
                if may.is_err() {
                    self.nodes[node as usize].edges[edge as usize].list = BARRED;
                }
                may?;
                self.version += 1;
                let owner = &self.schema.tables[owner as usize];
                let table = Table { write: owner.write.clone(), ..Table::new(name, Some(owner.name.clone())) };
                let id = self.adopt(table);
                self.tables[id as usize].is_new = true;
                id
            }
        };
        let table = &mut self.tables[id as usize];
        if table.raw_path.is_empty() {
            table.ident_path = ident_path;
            table.raw_path = full;
        }
        Ok(id)
    }

    /// Returns true when a table of that name has rows of another parent table, or none: `a__b` is
    /// both the list `b` in a dict `a` and the list `b` in elements of a list `a`. dlt lets them share
    /// the table; its ids name the parent row whatever its table.
    fn belongs_elsewhere(&self, name: &str, owner: TableId) -> bool {
        let Some(&id) = self.by_name.get(name) else { return false };
        let parent = self.tables[id as usize].parent;
        match self.settings.system {
            SystemColumns::Native => parent != owner,
            SystemColumns::Dlt => parent == NONE,
        }
    }

    /// Gives a key's lists another child table, for good, because the one its name says has rows of
    /// the same parent row already.
    pub(super) fn alias_list(&mut self, node: NodeId, edge: u32, ordinal: u32) -> Result<TableId, Bar> {
        let raw = self.raw_path(node, edge);
        let source = raw.join(".");
        let tag = naming::tag(&if ordinal == 0 { source } else { format!("{source} {ordinal}") });
        let mut ident_path = self.child_path(node, edge);
        if let Some(last) = ident_path.last_mut() {
            last.push('_');
            last.push_str(&tag);
        }
        let name = self.table_name(&ident_path);
        let owner = self.nodes[node as usize].table;
        if self.belongs_elsewhere(&name, owner) {
            return self.alias_list(node, edge, ordinal + 1);
        }
        let id = self.child_table((node, edge), name.clone(), ident_path)?;
        self.add_alias(owner, Alias { path: raw, name, kind: AliasKind::Table });
        self.nodes[node as usize].edges[edge as usize].list = id;
        Ok(id)
    }

    /// Adds the system columns behind the columns of the table's first row.
    pub(super) fn complete(&mut self, table: TableId) {
        if self.tables[table as usize].complete {
            return;
        }
        self.tables[table as usize].complete = true;
        let system = self.settings.system;
        self.extra_columns(table);
        for &role in system.roles(self.tables[table as usize].parent == NONE) {
            self.system_column(table, role);
        }
    }

    /// Adds one system column, unless the table has it.
    pub(super) fn system_column(&mut self, table: TableId, role: ColumnRole) {
        if self.schema.tables[table as usize].system(role).is_none() {
            self.push_column(table, self.settings.system.column(role));
        }
    }

    /// Returns the topmost table above (or at) `table`.
    pub(super) fn root_of(&self, mut table: TableId) -> TableId {
        while self.tables[table as usize].parent != NONE {
            table = self.tables[table as usize].parent;
        }
        table
    }

    /// Returns true for the dict that is the row itself.
    pub(super) fn is_top(&self, node: NodeId) -> bool {
        self.nodes[node as usize].raw_path.is_empty()
    }

    /// Type of a column, with its size.
    pub(super) fn column_type(&self, table: TableId, column: ColumnId) -> ColumnType {
        self.schema.tables[table as usize].columns[column as usize].column_type()
    }
}

pub(super) fn root_table_name(settings: &Settings) -> String {
    naming::shorten(&settings.table, &settings.table, settings.max_identifier_length)
}
