//! The trie of keys: a node for each dict at one place of a table's rows, an edge for each key of it.

use super::{Edge, NONE, Node, NodeId, Shape, TableId};
use crate::naming;
use crate::normalize::FieldPath;
use crate::schema::{Alias, AliasKind};
use hashbrown::HashMap;

impl Shape {
    /// Returns the node of a table's rows when `level` nesting levels are left.
    pub(in crate::normalize) fn top(&mut self, table: TableId, level: i64) -> NodeId {
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
    pub(in crate::normalize) fn edge(&mut self, node: NodeId, key: &[u8], guess: u32) -> u32 {
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
        let is_one_of = |paths: &[FieldPath]| paths.iter().any(|p| p.matches(&full));
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
        if !stays_json && !flattened && self.was_json(node, id, &full) {
            self.nodes[node as usize].edges[id as usize].stays_json = true;
        }
        id
    }

    /// Returns true for a key whose values went to a JSON column before this load: what is nested goes there too, as in
    /// dlt. Columns that become JSON within the load do not count: which blocks knew of them would be chance.
    fn was_json(&mut self, node: NodeId, edge: u32, full: &[String]) -> bool {
        let table = self.nodes[node as usize].table as usize;
        let is_unnested = || full.first().is_some_and(|top| self.settings.unnest.is_asked(top));
        if self.tables[table].json.is_empty() || is_unnested() {
            return false;
        }
        let raw = self.raw_path(node, edge);
        let alias = |kind| self.schema.tables[table].aliases.iter().find(|a| a.kind == kind && a.path == raw);
        let name = match alias(AliasKind::Column) {
            Some(alias) => alias.name.clone(),
            // The first value of such a key gives it its name.
            None if !has_letters(raw.last().map_or("", String::as_str)) && alias(AliasKind::Key).is_none() => {
                return false;
            }
            None => self.column_name(node, edge),
        };
        self.tables[table].json.contains(&name)
    }

    /// Returns the normalised name of an edge's key, distinct among keys without letters and digits.
    pub(super) fn fragment(&mut self, node: NodeId, edge: u32) -> String {
        if let Some(fragment) = &self.nodes[node as usize].edges[edge as usize].fragment {
            return fragment.clone();
        }
        let raw = self.raw_path(node, edge);
        let key = raw.last().cloned().unwrap_or_default();
        let mut fragment = naming::normalize_key_within(&key, self.settings.max_identifier_length);
        // Such keys all become `x`, `_empty` and the like: the first keeps the name, for good.
        if !has_letters(&key) {
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
    pub(in crate::normalize) fn raw_path(&self, node: NodeId, edge: u32) -> Vec<String> {
        let n = &self.nodes[node as usize];
        let mut raw = n.raw_path.clone();
        raw.push(String::from_utf8_lossy(&n.edges[edge as usize].key).into_owned());
        raw
    }

    /// Returns the dict below an edge.
    pub(in crate::normalize) fn object(&mut self, node: NodeId, edge: u32) -> NodeId {
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

    /// Returns true for the dict that is the row itself.
    pub(in crate::normalize) fn is_top(&self, node: NodeId) -> bool {
        self.nodes[node as usize].raw_path.is_empty()
    }
}

/// Returns true for a key of which naming leaves something.
fn has_letters(key: &str) -> bool {
    key.chars().any(|c| c.is_ascii_alphanumeric() || c.is_numeric())
}
