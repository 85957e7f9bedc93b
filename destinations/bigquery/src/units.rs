//! What a commit has to do, in pieces that must not be torn apart: each is done in one transaction.

use crate::stage::StagedRows;
use crate::tables::Ensured;
use longshore_core::package::Manifest;
use longshore_core::schema::{ColumnRole, SystemColumns, Table};
use std::collections::BTreeMap;

/// A transaction may change 100 tables (https://cloud.google.com/bigquery/quotas); the loader's own are three of them.
pub(crate) const TABLES_A_TRANSACTION: usize = 90;

/// A piece of a commit.
pub(crate) struct Unit<'a> {
    pub(crate) kind: Kind<'a>,
    /// Tables it changes.
    pub(crate) tables: Vec<&'a str>,
    /// Staged rows it brings.
    pub(crate) staged: Vec<&'a StagedRows>,
}

/// What is done to the tables.
pub(crate) enum Kind<'a> {
    /// Rows are added to one table.
    Append,
    /// A root table and its children lose their rows and get the staged ones.
    Replace,
    /// Staged rows are merged into a root table and its children.
    Merge(&'a Table),
    /// Rows that came without root ids get them.
    RootIds(Vec<&'a Table>),
}

/// Returns all there is to do, in order.
pub(crate) fn units<'a>(
    manifest: &'a Manifest,
    staged: &'a [StagedRows],
    there: &BTreeMap<String, Ensured>,
    gone: &'a [String],
) -> Vec<Unit<'a>> {
    let mut units = Vec::new();
    if !gone.is_empty() {
        let tables = gone.iter().map(String::as_str).collect();
        units.push(Unit { kind: Kind::Replace, tables, staged: Vec::new() });
    }
    let lacking = lacking_root_ids(manifest, there);
    if !lacking.is_empty() {
        let tables = lacking.iter().map(|t| t.name.as_str()).collect();
        units.push(Unit { kind: Kind::RootIds(lacking), tables, staged: Vec::new() });
    }
    let filled: Vec<&StagedRows> = staged.iter().filter(|s| s.rows > 0).collect();
    let mut taken: Vec<&str> = Vec::new();
    let is_replaced = |t: &Table| manifest.replaced().any(|r| r.name == t.name);
    let dropped = manifest.schema.tables.iter().filter(|t| t.is_root() && manifest.drops.contains(&t.name));
    let dropped = dropped.filter(|t| !is_replaced(t));
    let replaced = manifest.replaced().chain(dropped).map(|t| (t, Kind::Replace));
    for (root, kind) in replaced.chain(manifest.merged().map(|t| (t, Kind::Merge(t)))) {
        let children = manifest.schema.children_of(&root.name);
        let tables: Vec<&str> = children.into_iter().chain([root]).map(|t| t.name.as_str()).collect();
        // Rows to be merged come behind those that go.
        let waits = matches!(kind, Kind::Replace) && root.write.merges();
        let staged = filled.iter().copied().filter(|s| !waits && tables.contains(&s.table.as_str()));
        let staged: Vec<&StagedRows> = staged.filter(|s| !taken.contains(&s.table.as_str())).collect();
        if waits {
            units.push(Unit { kind, tables, staged });
            continue;
        }
        taken.extend(&tables);
        units.push(Unit { kind, tables, staged });
    }
    let rest = filled.into_iter().filter(|s| !taken.contains(&s.table.as_str()));
    units.extend(rest.map(|s| Unit { kind: Kind::Append, tables: vec![&s.table], staged: vec![s] }));
    units
}

/// Tables with rows that came without root ids, parents first: dlt's mode has them only where rows are merged. The load's own
/// change names them too, for the column may be there from a try of this load that did not commit.
fn lacking_root_ids<'a>(manifest: &'a Manifest, there: &BTreeMap<String, Ensured>) -> Vec<&'a Table> {
    let system = manifest.schema.system_columns;
    let root_id = system.column(ColumnRole::RootId).name;
    let in_change = |table: &Table| {
        let change = manifest.change.tables.iter().find(|c| c.table == table.name && !c.is_new);
        change.is_some_and(|c| c.columns.iter().any(|c| c.role == Some(ColumnRole::RootId)))
    };
    let added = |table: &Table| there.get(&table.name).is_some_and(|e| e.added.contains(&root_id));
    let lacks = |t: &&Table| t.system(ColumnRole::RootId).is_some() && (added(t) || in_change(t));
    match system {
        SystemColumns::Native => Vec::new(),
        SystemColumns::Dlt => manifest.schema.tables.iter().filter(lacks).collect(),
    }
}
