//! What a merge does to rows of child tables: they follow their root's id.

use super::Run;
use super::member::ORDER;
use crate::scan::FILE;
use longshore_core::error::Result;
use longshore_core::schema::{ColumnRole, SystemColumns};
use longshore_sql::{identifier, qualified};
use std::sync::Arc;

impl Run<'_> {
    /// In dlt's mode, files that came before the first merge have no root ids: makes a table of them, by way of the
    /// parents. Such files are written anew, with their ids. Versions (`scd2`) need none: no row goes.
    pub(super) async fn fill_root_ids(&mut self) -> Result<()> {
        self.fills = self.system == SystemColumns::Dlt
            && !self.is_versioned()
            && (0..self.children.len()).any(|at| !self.lacking(at).is_empty());
        if !self.fills {
            return Ok(());
        }
        let [row_id, parent_id, root_id] =
            [ColumnRole::RowId, ColumnRole::ParentId, ColumnRole::RootId].map(|role| self.system.column(role).name);
        for at in 0..self.children.len() {
            let all: Vec<usize> = (0..self.children[at].there.len()).collect();
            self.bring(Some(at), &all).await?;
            let child = &self.children[at];
            let rows = child.rows(&[&row_id, &parent_id, &root_id], &all, &self.local);
            let of_parent = |parent: &str| self.children.iter().any(|c| c.table.name == parent);
            let (join, found) = match child.table.parent.as_deref().filter(|p| of_parent(p)) {
                Some(parent) => {
                    let parent = qualified("roots", parent);
                    (format!("LEFT JOIN {parent} p ON p.row_id = d.{}", identifier(&parent_id)), "p.root_id".to_owned())
                }
                None => (String::new(), format!("d.{}", identifier(&parent_id))),
            };
            self.engine.execute(&format!(
                "CREATE TABLE {} AS SELECT d.{} AS row_id, any_value(COALESCE(d.{}, {found})) AS root_id \
                 FROM ({rows}) d {join} GROUP BY 1",
                qualified("roots", &child.table.name),
                identifier(&row_id),
                identifier(&root_id)
            ))?;
        }
        Ok(())
    }

    /// Files without the column of root ids.
    fn lacking(&self, child: usize) -> Vec<usize> {
        let root_id = self.system.column(ColumnRole::RootId).name;
        let there = &self.children[child].there;
        (0..there.len()).filter(|i| there[*i].1.iter().all(|c| c.name != root_id)).collect()
    }

    /// The rows of files with their root ids, as `d`.
    fn rows_of(&self, child: usize, columns: &[&str], files: &[usize]) -> String {
        let (member, [row_id, root_id]) = (&self.children[child], [ColumnRole::RowId, ColumnRole::RootId]);
        let rows = member.rows(columns, files, &self.local);
        if !self.fills {
            return format!("({rows}) d");
        }
        let (row_id, root_id) = (self.name(row_id), self.name(root_id));
        format!(
            "(SELECT r.* REPLACE (COALESCE(r.{root_id}, f.root_id) AS {root_id}) FROM ({rows}) r \
             LEFT JOIN {} f ON f.row_id = r.{row_id}) d",
            qualified("roots", &member.table.name)
        )
    }

    /// Files that have rows that go.
    pub(super) async fn touched_of_child(&mut self, at: usize) -> Result<Vec<usize>> {
        let mut touched = if self.fills { self.lacking(at) } else { Vec::new() };
        if self.engine.number("SELECT count(*) FROM gone")? == 0 {
            return Ok(touched);
        }
        let [row_id, root_id] = [ColumnRole::RowId, ColumnRole::RootId].map(|role| self.system.column(role).name);
        let candidates = self.children[at].candidates(&self.engine, &[&root_id], "gone", &["row_id"])?;
        self.bring(Some(at), &candidates).await?;
        let rows = self.rows_of(at, &[&row_id, &root_id], &candidates);
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
            format!("ANTI JOIN ({there}) t ON t.{row_id} = s.{row_id}")
        } else {
            format!("SEMI JOIN came k ON k.row_id = s.{root_id}")
        };
        let staged = self.children[at].staged_name();
        Ok(format!("SELECT max(s.{}) AS place FROM {staged} s {which} GROUP BY s.{row_id}", identifier(ORDER)))
    }
}
