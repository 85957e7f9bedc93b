//! Which table a resource's records and a key's lists go to.

use super::{BARRED, ColumnId, NONE, NodeId, Shape, TableId, TableShape};
use crate::naming;
use crate::normalize::rows::Usual;
use crate::normalize::violation::Bar;
use crate::schema::{Alias, AliasKind, ColumnRole, DataType, SystemColumns, Table};

impl Shape {
    pub(super) fn adopt(&mut self, table: Table) -> TableId {
        let id = self.tables.len() as TableId;
        let parent = table.parent.as_ref().and_then(|p| self.by_name.get(p)).copied().unwrap_or(NONE);
        let columns = table.columns.iter().enumerate().map(|(i, c)| (c.name.clone(), i as ColumnId)).collect();
        let json = table.columns.iter().filter(|c| c.data_type == DataType::Json && !c.variant);
        let json = json.map(|c| c.name.clone()).collect();
        self.by_name.insert(table.name.clone(), id);
        self.tables.push(TableShape {
            ident_path: vec![table.name.clone()],
            parent,
            raw_path: Vec::new(),
            columns,
            json,
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
    pub(in crate::normalize) fn root(&mut self) -> Result<TableId, Bar> {
        if !self.by_name.contains_key(&self.root_table_name()) {
            self.may_add_table(NONE, &[])?;
        }
        Ok(self.root_table())
    }

    /// Returns the root table, made if it is new.
    pub(in crate::normalize) fn root_table(&mut self) -> TableId {
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

    /// Returns the child table of an edge's lists, made if it is new and may be, and the levels left in it.
    pub(in crate::normalize) fn list(&mut self, node: NodeId, edge: u32) -> Result<(TableId, i64), Bar> {
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
    pub(in crate::normalize) fn list_name(&mut self, node: NodeId, edge: u32) -> String {
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
    pub(in crate::normalize) fn alias_list(&mut self, node: NodeId, edge: u32, ordinal: u32) -> Result<TableId, Bar> {
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

    /// Returns the topmost table above (or at) `table`.
    pub(in crate::normalize) fn root_of(&self, mut table: TableId) -> TableId {
        while self.tables[table as usize].parent != NONE {
            table = self.tables[table as usize].parent;
        }
        table
    }
}
