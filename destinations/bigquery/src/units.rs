//! What a commit has to do, in pieces that must not be torn apart: each is done in one transaction.

use crate::nested::Shape;
use crate::stage::StagedRows;
use crate::tables::Ensured;
use longshore_core::package::Manifest;
use longshore_core::schema::{ColumnRole, SystemColumns, Table};
use std::collections::BTreeMap;

/// A piece of a commit.
pub(crate) struct Unit<'a> {
    pub(crate) kind: Kind<'a>,
    /// Tables it changes, as they stand in the dataset.
    pub(crate) shapes: Vec<&'a Shape>,
    /// Staged rows it brings.
    pub(crate) staged: Vec<&'a StagedRows>,
}

impl Unit<'_> {
    /// How many tables it changes.
    pub(crate) fn changed(&self) -> usize {
        match self.kind {
            Kind::Empty(tables) => tables.len(),
            _ => self.shapes.len(),
        }
    }
}

/// What is done to the tables.
pub(crate) enum Kind<'a> {
    /// Rows are added to one table.
    Append,
    /// Tables that are to go lose their rows.
    Empty(&'a [String]),
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
    shapes: &'a [Shape],
    staged: &'a [StagedRows],
    there: &BTreeMap<String, Ensured>,
    gone: &'a [String],
) -> Vec<Unit<'a>> {
    let mut units = Vec::new();
    if !gone.is_empty() {
        units.push(Unit { kind: Kind::Empty(gone), shapes: Vec::new(), staged: Vec::new() });
    }
    let lacking = lacking_root_ids(manifest, there);
    if !lacking.is_empty() {
        let changed = shapes.iter().filter(|s| lacking.iter().any(|t| t.name == s.table.name)).collect();
        units.push(Unit { kind: Kind::RootIds(lacking), shapes: changed, staged: Vec::new() });
    }
    let filled: Vec<&StagedRows> = staged.iter().filter(|s| s.rows > 0).collect();
    // Rows of a list that is a column come with those of its table.
    let with_rows = |shapes: Vec<&'a Shape>, kind: Kind<'a>| {
        let inner = shapes.iter().flat_map(|s| s.inner().into_iter().map(|(_, list)| list));
        let tables: Vec<&str> = shapes.iter().copied().chain(inner).map(|s| s.table.name.as_str()).collect();
        let staged = filled.iter().copied().filter(|s| tables.contains(&s.table.as_str())).collect();
        Unit { kind, shapes, staged }
    };
    let mut taken: Vec<&str> = Vec::new();
    let is_replaced = |t: &Table| manifest.replaced().any(|r| r.name == t.name);
    let dropped = manifest.schema.tables.iter().filter(|t| t.is_root() && manifest.drops.contains(&t.name));
    let dropped = dropped.filter(|t| !is_replaced(t));
    let replaced = manifest.replaced().chain(dropped).map(|t| (t, Kind::Replace));
    for (root, kind) in replaced.chain(manifest.merged().map(|t| (t, Kind::Merge(t)))) {
        let children = manifest.schema.children_of(&root.name);
        let family: Vec<&str> = children.into_iter().chain([root]).map(|t| t.name.as_str()).collect();
        let own = shapes.iter().filter(|s| family.contains(&s.table.name.as_str()));
        let own: Vec<&Shape> = own.filter(|s| !taken.contains(&s.table.name.as_str())).collect();
        // Rows to be merged come behind those that go.
        if matches!(kind, Kind::Replace) && root.write.merges() {
            units.push(Unit { kind, shapes: own, staged: Vec::new() });
            continue;
        }
        units.push(with_rows(own, kind));
        taken.extend(family);
    }
    let rest = shapes.iter().filter(|s| !taken.contains(&s.table.name.as_str()));
    units.extend(rest.map(|s| with_rows(vec![s], Kind::Append)).filter(|unit| !unit.staged.is_empty()));
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
