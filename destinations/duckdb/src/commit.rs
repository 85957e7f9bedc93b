//! The commit: tables without rows, the load's record, schema and state, all in the transaction the
//! rows were staged in; then the rows are counted back.

use crate::error::from_message;
use crate::hints;
use crate::limits;
use crate::merge::{lacking_root_ids, merge_all, merged_tables, replaced_tables, staging};
use crate::tables;
use crate::transaction::Transaction;
use longshore_core::destination::{CommitOutcome, Staged};
use longshore_core::dlt::Documents;
use longshore_core::error::{Error, Result};
use longshore_core::package::{Manifest, TableCount};
use longshore_core::schema::{SystemColumns, SystemTable};
use longshore_sql::{Dialect, load_records, system_table, validity_table};
use tracing::debug;

/// Commits what was staged and says what the tables hold now.
pub(crate) fn commit(
    load: &mut Transaction,
    manifest: &Manifest,
    staged: &[Staged],
    threads: usize,
) -> Result<CommitOutcome> {
    if is_committed(load, manifest)? {
        return Ok(CommitOutcome::AlreadyCommitted);
    }
    check_fence(load)?;
    for receipt in staged.iter().filter(|r| r.rows > 0) {
        let is_staged = |name: &str| load.tables.contains_key(name);
        let beside = manifest.schema.table(&receipt.table).map(|t| staging(t, &manifest.load_id).name);
        if !is_staged(&receipt.table) && !beside.is_some_and(|name| is_staged(&name)) {
            return Err(Error::internal("a receipt names a table that was not staged").with("table", &receipt.table));
        }
    }
    let merged = merged_tables(load, manifest);
    let backfill = lacking_root_ids(load, manifest);
    for table in &manifest.schema.tables {
        load.ensure_table(&validity_table(table, load.opening.system_columns))?;
    }
    hints::describe(load, manifest)?;
    write_records(load, manifest)?;
    let is_small = is_small(load, manifest);
    if !is_small {
        load.use_threads(threads)?;
    }
    load.allow_commit()?;
    for table in replaced_tables(manifest) {
        load.empty(&table)?;
    }
    for statement in backfill {
        load.execute(&statement)?;
    }
    let counted = merge_all(load, manifest, &merged)?;
    hints::check_unique(load, manifest)?;
    load.execute("COMMIT")?;
    load.keep_file();
    let counts = count_back(load, manifest, &counted)?;
    if is_small {
        checkpoint_uncompressed(load);
    }
    Ok(CommitOutcome::Committed(counts))
}

/// With no more than a vector in the whole dataset, there is nothing for a second thread, and choosing compressions takes
/// longer than writing without.
fn is_small(load: &Transaction, manifest: &Manifest) -> bool {
    let before: u64 = load.tables.values().map(|t| t.before).sum();
    before + manifest.tables.iter().map(|t| t.rows).sum::<u64>() <= limits::VECTOR
}

/// Writes what was committed from the log into the file, which closing would do too, but with compressions. The next load
/// that adds rows has these compressed as well.
fn checkpoint_uncompressed(load: &mut Transaction) {
    for statement in ["SET force_compression = 'uncompressed'", "CHECKPOINT", "SET force_compression = 'auto'"] {
        if let Err(e) = load.execute(statement) {
            // Somebody else in this process writes too: then it is done at the end.
            debug!(error = %e, statement, "no checkpoint");
        }
    }
}

fn is_committed(load: &Transaction, manifest: &Manifest) -> Result<bool> {
    if load.remembered.is_empty() {
        return Ok(false);
    }
    let found = load.remembered.has_load(&load.reader()?, &load.opening.target, &manifest.load_id);
    found.map_err(|e| from_message(&e.to_string(), &load.path))?
}

/// The file is ours alone: what stood there when the load began stands there still.
fn check_fence(load: &Transaction) -> Result<()> {
    let (fence, target) = (&load.opening.fence, &load.opening.target);
    if fence.is_open() || load.is_new() {
        return Ok(());
    }
    let newest = load.remembered.newest_load(&load.reader()?, target);
    fence.check(newest.map_err(|e| from_message(&e.to_string(), &load.path))??.as_ref(), target)
}

fn write_records(load: &mut Transaction, manifest: &Manifest) -> Result<()> {
    let system = load.opening.system_columns;
    for table in [SystemTable::Loads, SystemTable::Schemas, SystemTable::State] {
        load.ensure_table(&system_table(system, table))?;
    }
    let documents = documents(load, manifest)?;
    for sql in load_records(&load.dialect, &load.opening.target, manifest, documents.as_ref()) {
        load.execute(&sql)?;
    }
    Ok(())
}

/// In dlt's mode, the schema and state as dlt stores them. The file is ours alone, so what was committed before the
/// load is what stands there.
fn documents(load: &Transaction, manifest: &Manifest) -> Result<Option<Documents>> {
    if load.opening.system_columns == SystemColumns::Native {
        return Ok(None);
    }
    let stored = load.remembered.stored(&load.reader()?, &load.opening.target, &manifest.schema.name);
    let stored = stored.map_err(|e| from_message(&e.to_string(), &load.path))?;
    Documents::of(manifest, &stored, "dlt.destinations.duckdb").map(Some)
}

/// Counts the load's tables; those it merged were counted before. The file is ours alone, so what a table has more than
/// before is what this load brought.
fn count_back(load: &Transaction, manifest: &Manifest, merged: &[TableCount]) -> Result<Vec<TableCount>> {
    let was_merged = |t: &TableCount| merged.iter().any(|m| m.table == t.table);
    let uncounted: Vec<&TableCount> = manifest.tables.iter().filter(|t| !was_merged(t)).collect();
    let mut counted = merged.to_vec();
    if uncounted.is_empty() {
        return Ok(counted);
    }
    let names = uncounted.iter().map(|t| load.dialect.qualified(&load.opening.target.dataset, &t.table));
    let now = tables::count(&load.reader()?, &names.collect::<Vec<_>>());
    let now = now.map_err(|e| from_message(&e.to_string(), &load.path))?;
    let brought = |(wanted, now): (&&TableCount, u64)| {
        let before = load.tables.get(&wanted.table).map_or(0, |t| t.before);
        TableCount { table: wanted.table.clone(), rows: now.saturating_sub(before) }
    };
    counted.extend(uncounted.iter().zip(now).map(brought));
    let place = |t: &TableCount| manifest.tables.iter().position(|m| m.table == t.table);
    counted.sort_by_key(place);
    Ok(counted)
}
