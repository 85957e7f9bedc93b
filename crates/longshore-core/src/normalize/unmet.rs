//! What was said of fields that no record had: a slip of the pen, or a column that is wanted all the same.

use super::shape::{NodeId, Shape, TableId, root_table_name};
use super::{FieldPath, Settings, Unnest};
use std::sync::Arc;

impl Shape {
    /// Returns the root table of a resource with the node of its records; `None` where it has none.
    fn records(&self, settings: &Settings) -> Option<(TableId, NodeId)> {
        let table = *self.by_name.get(&root_table_name(settings))?;
        let (_, node) = self.tables[table as usize].roots.first()?;
        Some((table, *node))
    }

    /// Returns the paths of which something is said and that no record had, nor an earlier load: of resources with records.
    pub fn unmet_paths(&self) -> Vec<String> {
        let mut unmet = Vec::new();
        for (resource, settings) in self.resources.iter().enumerate() {
            if self.records(settings).is_none() {
                continue;
            }
            let root = root_table_name(settings);
            let paths = self.said.unmet(resource).filter(|p| !p.is_in(&self.schema, &root));
            let renamed = |p: &FieldPath| {
                let hinted = settings.rules.columns.iter().filter(|h| h.path == *p).find_map(|h| h.name.as_deref());
                hinted.is_some_and(|name| self.schema.tables.iter().any(|t| t.column(name).is_some()))
            };
            unmet.extend(paths.filter(|p| !renamed(p)).map(|p| p.to_string()));
        }
        unmet
    }

    /// Returns the paths with a hint for a column where all values are lists or objects: there the hint does nothing.
    pub fn vain_hints(&self) -> Vec<String> {
        let mut vain = Vec::new();
        for settings in self.resources.iter() {
            let root = root_table_name(settings);
            let typed = settings.hints.iter().map(|(path, _)| path);
            let hinted = settings.rules.columns.iter().filter(|h| h.name.is_none()).map(|h| &h.path);
            for path in typed.chain(hinted).filter(|p| p.is_nested_in(&self.schema, &root)) {
                let path = path.to_string();
                if !vain.contains(&path) {
                    vain.push(path);
                }
            }
        }
        vain
    }

    /// Returns the columns that are to be unnested and have neither lists nor objects in any value: there is nothing to unnest.
    pub fn vain_unnests(&self) -> Vec<String> {
        let mut vain = Vec::new();
        for settings in self.resources.iter() {
            let Unnest::Columns(names) = &settings.unnest else { continue };
            let root = root_table_name(settings);
            for name in names {
                let path = FieldPath::from_keys([name.clone()]);
                let is_flat = path.is_in(&self.schema, &root) && !path.has_below(&self.schema, &root);
                if is_flat && !vain.contains(name) {
                    vain.push(name.clone());
                }
            }
        }
        vain
    }

    /// Makes the columns of fields whose type is said and that no record had, as dlt does: of resources with records, and of
    /// the record itself. Returns their paths. A contract that lets no column be made has its way, and a key is not made up.
    pub fn make_unmet_columns(&mut self) -> Vec<String> {
        let mut made = Vec::new();
        for resource in 0..self.resources.len() {
            self.turn_to(resource);
            let settings = Arc::clone(&self.settings);
            let Some((table, node)) = self.records(&settings) else { continue };
            let wanted: Vec<FieldPath> = self.said.unmet(resource).filter(|p| p.keys().len() == 1).cloned().collect();
            for path in wanted {
                let Some((_, data_type)) = settings.hints.iter().find(|(hinted, _)| *hinted == path) else { continue };
                let edge = self.edge(node, path.keys()[0].as_bytes(), 0);
                let name = self.column_name(node, edge);
                let is_key = settings.write.primary_key.iter().chain(&settings.write.merge_key).any(|k| *k == name);
                let is_there = self.tables[table as usize].columns.contains_key(&name);
                if !is_key && !is_there && self.column(node, edge, || *data_type).is_ok() {
                    made.push(path.to_string());
                }
            }
        }
        made
    }
}
