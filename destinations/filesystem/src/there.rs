//! The files that rows of a load are merged into: those that count and stay, without those that are gone, and with those
//! that dlt wrote.

use crate::adopt::{self, Adopted};
use crate::gone::{self, Gone};
use crate::manifest::{CurrentTable, Tables};
use crate::merge::Files;
use crate::stage::{Context, Inner};
use crate::turns::{self, Turns};
use longshore_core::error::Result;
use longshore_core::package::Manifest;
use longshore_core::schema::{SystemColumns, Table};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What there is before a merge.
pub(crate) struct There {
    pub(crate) tables: Tables,
    /// Files that a manifest named, and that count no more.
    pub(crate) gone: Gone,
    /// Files that count from this load on; they are in the tables.
    pub(crate) adopted: Adopted,
}

/// Looks for the files of the tables `names`, which new rows meet.
pub(crate) async fn look(
    inner: &mut Inner,
    manifest: &Manifest,
    mut names: Vec<String>,
    current: &Tables,
    turns: &Turns,
) -> Result<There> {
    let context = Arc::clone(&inner.context);
    let emptied = emptied(manifest);
    let mut tables = staying(manifest, &emptied, current);
    let gone = leave_out_gone(&context, &names, &mut tables, turns).await?;
    names.retain(|name| !emptied.contains(name.as_str()));
    let adopted = match adopt::adopt(inner, manifest, &names, &mut tables).await {
        // Another load has written them anew.
        Err(e) if turns.are_over(&context.store).await? => return Err(turns::overtaken().source(e)),
        outcome => outcome?,
    };
    Ok(There { tables, gone, adopted })
}

/// The tables whose rows go whatever the load brings: nothing is merged into these.
fn emptied(manifest: &Manifest) -> BTreeSet<&str> {
    let roots = manifest.schema.tables.iter().filter(|t| t.is_root() && manifest.is_emptied(t));
    let families = roots.flat_map(|t| manifest.schema.children_of(&t.name).into_iter().chain([t]));
    families.map(|t| t.name.as_str()).chain(manifest.drops.iter().map(String::as_str)).collect()
}

/// The tables without the files of those that are emptied.
fn staying(manifest: &Manifest, emptied: &BTreeSet<&str>, current: &Tables) -> Tables {
    let of = |(name, table): (&String, &CurrentTable)| {
        let columns = if manifest.drops.contains(name) { Vec::new() } else { table.columns.clone() };
        let files = if emptied.contains(name.as_str()) { Vec::new() } else { table.files.clone() };
        (name.clone(), CurrentTable { columns, files })
    };
    current.iter().map(of).collect()
}

/// The tables that new rows meet.
pub(crate) fn met(manifest: &Manifest, files: &Files) -> Vec<String> {
    let mut names = Vec::new();
    for root in manifest.merged() {
        let family: Vec<&Table> = [root].into_iter().chain(manifest.schema.children_of(&root.name)).collect();
        if family.iter().any(|t| files.contains_key(&t.name)) {
            names.extend(family.iter().map(|t| t.name.clone()));
        }
    }
    names
}

/// Looks whether the files that rows are merged into are there. In dlt's mode, where dlt deletes files without a manifest,
/// those that are gone do not count any more; otherwise their rows are lost, which is refused.
async fn leave_out_gone(load: &Context, names: &[String], there: &mut Tables, turns: &Turns) -> Result<Gone> {
    let dataset = &load.opening.target.dataset;
    let gone = gone::find(&load.store, dataset, there, names).await?;
    if gone.is_empty() {
        return Ok(gone);
    }
    if turns.are_over(&load.store).await? {
        return Err(turns::overtaken());
    }
    if load.opening.system_columns != SystemColumns::Dlt {
        return Err(gone::refused(&load.store, dataset, there, &gone).await?);
    }
    gone::forget(there, &gone);
    Ok(gone)
}
