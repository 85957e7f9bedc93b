//! What was said of fields that no record had: a slip of the pen, or a column that is wanted all the same.

use super::FieldPath;
use super::shape::{Shape, root_table_name};

impl Shape {
    /// Returns the paths of which something is said and that no record had, nor an earlier load: of resources with records.
    pub fn unmet_paths(&self) -> Vec<String> {
        let mut unmet = Vec::new();
        for (resource, settings) in self.resources.iter().enumerate() {
            let root = root_table_name(settings);
            let has_records = self.by_name.get(&root).is_some_and(|&t| !self.tables[t as usize].roots.is_empty());
            let paths = self.said.unmet(resource).filter(|p| has_records && !p.is_in(&self.schema, &root));
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

    /// Makes the columns of fields whose type is said and that no record had, as dlt does: of resources with records, and of
    /// the record itself. Returns their paths. A contract that lets no column be made has its way, and a key is not made up.
    pub fn make_unmet_columns(&mut self) -> Vec<String> {
        let mut made = Vec::new();
        for resource in 0..self.resources.len() {
            self.turn_to(resource);
            let root = self.by_name.get(&root_table_name(&self.settings)).copied();
            let Some((table, node)) = root.and_then(|t| Some((t, self.tables[t as usize].roots.first()?.1))) else {
                continue;
            };
            let settings = self.resources[resource].clone();
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
