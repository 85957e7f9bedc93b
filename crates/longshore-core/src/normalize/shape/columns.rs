//! Which column a key's values go to, and what it is: by name, hint, first value, or the schema as it was.

use super::{BARRED, ColumnId, NONE, NodeId, Shape, TableId};
use crate::naming;
use crate::normalize::violation::Bar;
use crate::schema::{Alias, AliasKind, Column, ColumnRole, ColumnType, Conflict, DataType};

impl Shape {
    /// Returns the column of an edge's scalars, made with the type `infer` says if it is new and may be.
    pub(in crate::normalize) fn column(
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

    pub(in crate::normalize) fn column_name(&mut self, node: NodeId, edge: u32) -> String {
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
    pub(in crate::normalize) fn variant_column(
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
    pub(in crate::normalize) fn alias_column(
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

    pub(super) fn add_alias(&mut self, table: TableId, alias: Alias) {
        let aliases = &mut self.schema.tables[table as usize].aliases;
        self.version += 1;
        self.epoch += 1;
        match aliases.iter_mut().find(|a| a.kind == alias.kind && a.path == alias.path) {
            Some(old) => *old = alias,
            None => aliases.push(alias),
        }
    }

    /// Adds the system columns behind the columns of the table's first row.
    pub(in crate::normalize) fn complete(&mut self, table: TableId) {
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

    /// Adds the system columns that the way of writing needs.
    pub(super) fn extra_columns(&mut self, table: TableId) {
        let is_root = self.tables[table as usize].parent == NONE;
        for &role in self.settings.system.extra_roles(is_root, &self.schema.tables[table as usize].write) {
            self.system_column(table, role);
        }
    }

    /// Adds one system column, unless the table has it.
    pub(in crate::normalize) fn system_column(&mut self, table: TableId, role: ColumnRole) {
        if self.schema.tables[table as usize].system(role).is_none() {
            self.push_column(table, self.settings.system.column(role));
        }
    }

    /// Type of a column, with its size.
    pub(in crate::normalize) fn column_type(&self, table: TableId, column: ColumnId) -> ColumnType {
        self.schema.tables[table as usize].columns[column as usize].column_type()
    }
}
