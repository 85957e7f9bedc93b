//! What a merge does to root rows.

use super::member::ORDER;
use super::{FileDialect, Run};
use crate::scan::{self, FILE};
use longshore_core::error::Result;
use longshore_core::schema::{Column, ColumnRole, DataType, MergeStrategy, Table};
use longshore_sql::{Dialect, Family, checks, identifier, literal, merge, qualified, validity_table};
use std::sync::Arc;

/// Ids and keys of the rows that came.
const KEYS: &str = "staged_keys";

impl Run<'_> {
    /// Refuses records that cannot be merged.
    pub(super) fn check(&self) -> Result<()> {
        let name = self.root.staged_name();
        for (query, error) in checks(&FileDialect, &self.family(&self.root.table, &|_| Some(name.clone())))? {
            if self.engine.number(&query)? > 0 {
                return Err(error);
            }
        }
        Ok(())
    }

    fn family<'f>(&self, root: &'f Table, staged: &'f (dyn Fn(&str) -> Option<String> + Sync)) -> Family<'f> {
        Family { dataset: "met", system: self.system, moment: self.moment, root, children: Vec::new(), staged }
    }

    /// The root table with nothing but what decides.
    fn slim(&self) -> Table {
        let (whole, write) = (&*self.root.table, &self.root.table.write);
        let mut names: Vec<&str> = write.primary_key.iter().chain(&write.merge_key).map(String::as_str).collect();
        names.extend(write.hard_delete.as_deref());
        names.extend(write.dedup_sort.as_ref().map(|sort| sort.column.as_str()));
        let decides = |c: &&Column| {
            matches!(c.role, Some(ColumnRole::RowId | ColumnRole::RowHash)) || names.contains(&c.name.as_str())
        };
        let order = Column::data(ORDER, DataType::Bigint);
        Table { columns: whole.columns.iter().filter(decides).cloned().chain([order]).collect(), ..whole.clone() }
    }

    /// Makes the table `met` of the rows that are there and meet new ones: all that the merge may touch.
    pub(super) async fn meet(&mut self) -> Result<()> {
        let slim = self.slim();
        let names: Vec<String> = slim.columns.iter().map(|c| identifier(&c.name)).collect();
        let staged = self.root.staged_name();
        self.engine.execute(&format!("CREATE TABLE {KEYS} AS SELECT {} FROM {staged}", names.join(", ")))?;
        let candidates = self.candidates()?;
        self.bring(None, &candidates).await?;
        let stored = validity_table(&slim, self.system);
        let types: Vec<String> = stored
            .columns
            .iter()
            .map(|c| format!("{} {}", identifier(&c.name), scan::type_name(c.column_type())))
            .collect();
        // A number a row instead of a path.
        let paths: Vec<String> = candidates
            .iter()
            .map(|i| literal(&self.local.path(&self.root.there[*i].0).display().to_string()))
            .collect();
        let met = qualified("met", &slim.name);
        let file_type = if paths.is_empty() { "VARCHAR".to_owned() } else { format!("ENUM ({})", paths.join(", ")) };
        self.engine.execute(&format!("CREATE TABLE {met} ({}, {} {file_type})", types.join(", "), identifier(FILE)))?;
        let mut columns: Vec<&str> = stored.columns.iter().map(|c| c.name.as_str()).collect();
        columns.retain(|c| *c != ORDER);
        let rows = self.root.rows(&columns, &candidates, &self.local);
        let quoted: Vec<String> = columns.iter().copied().chain([FILE]).map(identifier).collect();
        let quoted = quoted.join(", ");
        let meets = self.meets("d");
        self.engine.execute(&format!("INSERT INTO {met} ({quoted}) SELECT {quoted} FROM ({rows}) d WHERE {meets}"))
    }

    /// Files that may have rows that meet new ones.
    fn candidates(&self) -> Result<Vec<usize>> {
        let write = &self.root.table.write;
        let all = || (0..self.root.there.len()).collect();
        let of = |key: &[String]| {
            let names: Vec<&str> = key.iter().map(String::as_str).collect();
            if names.is_empty() { Ok(Vec::new()) } else { self.root.candidates(&self.engine, &names, KEYS, &names) }
        };
        let mut found = match (write.strategy, write.merge_key.is_empty()) {
            (MergeStrategy::Cdc | MergeStrategy::Scd2, true) => return Ok(all()),
            (MergeStrategy::Scd2, false) => of(&write.merge_key)?,
            (MergeStrategy::Upsert | MergeStrategy::InsertOnly, _) => of(&write.primary_key)?,
            _ => [of(&write.primary_key)?, of(&write.merge_key)?].concat(),
        };
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// True for a row that is there and meets a new one.
    fn meets(&self, d: &str) -> String {
        let write = &self.root.table.write;
        let by = |key: &[String]| {
            let same: Vec<String> = key.iter().map(|k| format!("s.{0} = {d}.{0}", identifier(k))).collect();
            format!("EXISTS (SELECT 1 FROM {KEYS} s WHERE {})", same.join(" AND "))
        };
        let (primary, grouped) = (&write.primary_key, &write.merge_key);
        match write.strategy {
            MergeStrategy::Scd2 if grouped.is_empty() => self.holds(d),
            MergeStrategy::Scd2 => format!("{} AND {}", self.holds(d), by(grouped)),
            MergeStrategy::Cdc if grouped.is_empty() => "true".to_owned(),
            MergeStrategy::Upsert | MergeStrategy::InsertOnly => by(primary),
            MergeStrategy::DeleteInsert | MergeStrategy::Cdc => {
                [primary, grouped].into_iter().filter(|k| !k.is_empty()).map(|k| by(k)).collect::<Vec<_>>().join(" OR ")
            }
        }
    }

    /// True for a version that has not ended (`scd2`).
    fn holds(&self, d: &str) -> String {
        let validity = self.root.table.write.validity(self.system);
        let until = identifier(&validity.valid_to);
        match validity.active {
            Some(active) => format!("({d}.{until} = {} OR {d}.{until} IS NULL)", FileDialect.moment(active)),
            None => format!("{d}.{until} IS NULL"),
        }
    }

    /// Merges ids and keys; makes the tables `came` of new rows, `gone` of rows that go, `ended` of versions that end.
    pub(super) fn decide(&self) -> Result<()> {
        let slim = self.slim();
        let met = qualified("met", &slim.name);
        let (row_id, file, order) = (self.name(ColumnRole::RowId), identifier(FILE), identifier(ORDER));
        self.engine.execute(&format!("CREATE TABLE was AS SELECT {row_id} AS row_id, {file} AS file FROM {met}"))?;
        for statement in merge(&FileDialect, &self.family(&slim, &|_| Some(KEYS.to_owned())))? {
            self.engine.execute(&statement)?;
        }
        let mut came = String::new();
        let mut ended = "SELECT row_id, file, NULL::TIMESTAMPTZ AS until FROM was WHERE false".to_owned();
        if self.is_versioned() {
            let validity = slim.write.validity(self.system);
            let [from, to] = [&validity.valid_from, &validity.valid_to].map(|n| identifier(n));
            came = format!(", {from} AS valid_from, {to} AS valid_to");
            ended = format!(
                "SELECT m.{row_id} AS row_id, any_value(m.{file}) AS file, any_value(m.{to}) AS until FROM {met} m \
                 WHERE m.{file} IS NOT NULL AND NOT ({}) GROUP BY 1",
                self.holds("m")
            );
        }
        self.engine.execute(&format!(
            "CREATE TABLE came AS SELECT {row_id} AS row_id, {order} AS place{came} FROM {met} WHERE {file} IS NULL; \
             CREATE TABLE ended AS {ended}; \
             CREATE TABLE gone AS SELECT w.row_id, w.file FROM was w \
             ANTI JOIN (SELECT {row_id} AS row_id FROM {met} WHERE {file} IS NOT NULL) m ON m.row_id = w.row_id; \
             DROP TABLE was; DROP TABLE {met}; DROP TABLE {KEYS}"
        ))
    }

    pub(super) fn is_versioned(&self) -> bool {
        self.root.table.write.strategy == MergeStrategy::Scd2
    }

    /// Files that have rows that go or end.
    pub(super) async fn touched_of_root(&mut self) -> Result<Vec<usize>> {
        let other_form = self.of_other_form(&self.root);
        self.bring(None, &other_form).await?;
        let query = "SELECT DISTINCT file::VARCHAR FROM (SELECT file FROM gone UNION ALL SELECT file FROM ended)";
        let paths: Vec<String> = self.engine.list(query)?;
        let mut touched = [other_form, self.root.places(&paths, &self.local)].concat();
        touched.sort_unstable();
        touched.dedup();
        Ok(touched)
    }

    /// Writes the rows of the touched files that stay, and the new ones.
    pub(super) fn write_root(&mut self, touched: &[usize]) -> Result<()> {
        let table = Arc::clone(&self.root.table);
        self.inner.is_merged(&table.name);
        let row_id = self.name(ColumnRole::RowId);
        let validity = self.is_versioned().then(|| table.write.validity(self.system));
        let value = |c: &Column, ended: bool| {
            let name = identifier(&c.name);
            match &validity {
                Some(v) if ended && c.name == v.valid_to => format!("COALESCE(e.until, d.{name}) AS {name}"),
                Some(v) if !ended && c.name == v.valid_from => format!("k.valid_from AS {name}"),
                Some(v) if !ended && c.name == v.valid_to => format!("k.valid_to AS {name}"),
                _ => format!("d.{name}"),
            }
        };
        let values = |ended| table.columns.iter().map(|c| value(c, ended)).collect::<Vec<_>>().join(", ");
        if !touched.is_empty() {
            let rows = self.root.rows(&[], touched, &self.local);
            let which = match validity {
                Some(_) => format!("LEFT JOIN ended e ON e.row_id = d.{row_id} AND {}", self.holds("d")),
                None => format!("ANTI JOIN gone g ON g.row_id = d.{row_id}"),
            };
            self.write(&table, &format!("SELECT {} FROM ({rows}) d {which}", values(true)))?;
        }
        let (staged, order) = (self.root.staged_name(), identifier(ORDER));
        let new = format!("SELECT {} FROM {staged} d JOIN came k ON k.place = d.{order}", values(false));
        self.write(&table, &new)
    }
}
