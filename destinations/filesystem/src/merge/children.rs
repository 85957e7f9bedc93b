//! What a merge does to rows of child tables: they follow their root's id.

use super::Run;
use super::member::ORDER;
use crate::scan::FILE;
use longshore_core::error::{Error, Result};
use longshore_core::schema::{ColumnRole, SystemColumns};
use longshore_sql::{identifier, qualified};
use std::sync::Arc;

impl Run<'_> {
    /// In dlt's mode, files that came before the first merge have no root ids. Such files are written anew, with their ids:
    /// those of the roots' own children are their parents', the others' are found by tables of all rows that have children.
    /// Versions (`scd2`) need none: no row goes.
    pub(super) async fn fill_root_ids(&mut self) -> Result<()> {
        self.fills = self.system == SystemColumns::Dlt
            && !self.is_versioned()
            && (0..self.children.len()).any(|at| !self.lacking(at).is_empty());
        let parents = if self.fills { self.parents() } else { Vec::new() };
        let ids = [ColumnRole::RowId, ColumnRole::ParentId, ColumnRole::RootId];
        let names = ids.map(|role| self.system.column(role).name);
        for at in parents {
            let all: Vec<usize> = (0..self.children[at].there.len()).collect();
            self.bring(Some(at), &all).await?;
            let rows = self.children[at].rows(&names.each_ref().map(String::as_str), &all, &self.local);
            let (join, root_id) = self.root_of(at);
            let (row_id, roots) = (self.name(ColumnRole::RowId), qualified("roots", &self.children[at].table.name));
            // Distinct rows can go to disk, which any_value() of texts cannot.
            self.engine.execute(&format!(
                "CREATE TABLE {roots} AS SELECT DISTINCT * FROM (SELECT r.{row_id} AS row_id, {root_id} AS root_id \
                 FROM ({rows}) r {join}) WHERE root_id IS NOT NULL"
            ))?;
            let twice =
                format!("SELECT count(*) FROM (SELECT 1 FROM {roots} GROUP BY row_id HAVING count(*) > 1 LIMIT 1)");
            if self.engine.number(&twice)? > 0 {
                return Err(Error::destination(
                    "rows of different records have the same id, and their children cannot be told apart",
                )
                .with("child table", &self.children[at].table.name)
                .with("column", &names[0]));
            }
        }
        Ok(())
    }

    /// Child tables that have child tables; their own parents come before them.
    fn parents(&self) -> Vec<usize> {
        let is_parent = |at: &usize| {
            let name = Some(self.children[*at].table.name.as_str());
            self.children.iter().any(|c| c.table.parent.as_deref() == name)
        };
        (0..self.children.len()).filter(is_parent).collect()
    }

    /// What finds the root's id of a row `r` of a child table: a join, and the value.
    fn root_of(&self, child: usize) -> (String, String) {
        let [parent_id, root_id] = [ColumnRole::ParentId, ColumnRole::RootId].map(|role| self.name(role));
        let of_parent = |parent: &&str| self.children.iter().any(|c| c.table.name == *parent);
        match self.children[child].table.parent.as_deref().filter(of_parent) {
            Some(parent) => {
                let join = format!("LEFT JOIN {} p ON p.row_id = r.{parent_id}", qualified("roots", parent));
                (join, format!("COALESCE(r.{root_id}, p.root_id)"))
            }
            None => (String::new(), format!("COALESCE(r.{root_id}, r.{parent_id})")),
        }
    }

    /// Files without the column of root ids.
    fn lacking(&self, child: usize) -> Vec<usize> {
        let root_id = self.system.column(ColumnRole::RootId).name;
        let there = &self.children[child].there;
        (0..there.len()).filter(|i| there[*i].1.iter().all(|c| c.name != root_id)).collect()
    }

    /// The rows of files with their root ids, as `d`.
    fn rows_of(&self, child: usize, columns: &[&str], files: &[usize]) -> String {
        let rows = self.children[child].rows(columns, files, &self.local);
        if !self.fills {
            return format!("({rows}) d");
        }
        let (join, root_id) = self.root_of(child);
        format!("(SELECT r.* REPLACE ({root_id} AS {}) FROM ({rows}) r {join}) d", self.name(ColumnRole::RootId))
    }

    /// Files that have rows that go, or are to be written anew in any case.
    pub(super) async fn touched_of_child(&mut self, at: usize) -> Result<Vec<usize>> {
        let mut touched = self.of_other_form(&self.children[at]);
        touched.extend(if self.fills { self.lacking(at) } else { Vec::new() });
        touched.sort_unstable();
        touched.dedup();
        self.bring(Some(at), &touched).await?;
        if self.engine.number("SELECT count(*) FROM gone")? == 0 {
            return Ok(touched);
        }
        let ids = [ColumnRole::ParentId, ColumnRole::RootId];
        let [parent_id, root_id] = ids.map(|role| self.system.column(role).name);
        let candidates = self.children[at].candidates(&self.engine, &[&root_id], "gone", &["row_id"])?;
        self.bring(Some(at), &candidates).await?;
        let rows = self.rows_of(at, &[&parent_id, &root_id], &candidates);
        let (file, root_id) = (identifier(FILE), identifier(&root_id));
        let paths: Vec<String> = self
            .engine
            .list(&format!("SELECT DISTINCT d.{file} FROM {rows} SEMI JOIN gone g ON g.row_id = d.{root_id}"))?;
        touched.extend(self.children[at].places(&paths, &self.local));
        touched.sort_unstable();
        touched.dedup();
        Ok(touched)
    }

    /// Writes the rows of the touched files that stay, and those of new roots.
    pub(super) async fn write_child(&mut self, at: usize, touched: &[usize]) -> Result<()> {
        let table = Arc::clone(&self.children[at].table);
        self.inner.is_merged(&table.name);
        let names: Vec<String> = table.columns.iter().map(|c| format!("d.{}", identifier(&c.name))).collect();
        let (names, root_id) = (names.join(", "), self.name(ColumnRole::RootId));
        if !touched.is_empty() {
            let rows = self.rows_of(at, &[], touched);
            self.write(&table, &format!("SELECT {names} FROM {rows} ANTI JOIN gone g ON g.row_id = d.{root_id}"))?;
        }
        if !self.children[at].has_new_rows() {
            return Ok(());
        }
        let (staged, order) = (self.children[at].staged_name(), identifier(ORDER));
        let which = match self.system {
            SystemColumns::Native => format!("SEMI JOIN came k ON k.row_id = d.{root_id}"),
            SystemColumns::Dlt => {
                let new = self.one_an_id(at).await?;
                self.engine.execute(&format!("CREATE OR REPLACE TABLE chosen AS {new}"))?;
                format!("SEMI JOIN chosen k ON k.place = d.{order}")
            }
        };
        self.write(&table, &format!("SELECT {names} FROM {staged} d {which}"))
    }

    /// In dlt's mode, equal records have equal ids: one row each. Rows of versions (`scd2`) that were there before are
    /// there already.
    async fn one_an_id(&mut self, at: usize) -> Result<String> {
        let [row_id, root_id] = [ColumnRole::RowId, ColumnRole::RootId].map(|role| self.name(role));
        let which = if self.is_versioned() {
            let all: Vec<usize> = (0..self.children[at].there.len()).collect();
            self.bring(Some(at), &all).await?;
            let there = self.children[at].rows(&[&self.system.column(ColumnRole::RowId).name], &all, &self.local);
            // Nor do those of records that stand for a deletion come.
            let below = match self.root.table.write.hard_delete {
                Some(_) => format!(" WHERE {}", self.is_below(at)),
                None => String::new(),
            };
            format!("ANTI JOIN ({there}) t ON t.{row_id} = s.{row_id}{below}")
        } else {
            format!("SEMI JOIN came k ON k.row_id = s.{root_id}")
        };
        let staged = self.children[at].staged_name();
        Ok(format!("SELECT max(s.{}) AS place FROM {staged} s {which} GROUP BY s.{row_id}", identifier(ORDER)))
    }

    /// True for a row `s` that came below a root that comes. Tables of versions have no root ids in dlt's mode.
    fn is_below(&self, at: usize) -> String {
        let [row_id, parent_id] = [ColumnRole::RowId, ColumnRole::ParentId].map(|role| self.name(role));
        let parent = self.children[at].table.parent.as_deref();
        let ids = match self.children.iter().position(|c| parent == Some(c.table.name.as_str())) {
            Some(parent) => {
                let staged = self.children[parent].staged_name();
                format!("SELECT s.{row_id} FROM {staged} s WHERE {}", self.is_below(parent))
            }
            None => "SELECT row_id FROM came".to_owned(),
        };
        format!("s.{parent_id} IN ({ids})")
    }
}
