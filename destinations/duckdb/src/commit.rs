//! The commit: tables without rows, the load's record, schema and state, all in the transaction the
//! rows were staged in; then the rows are counted back.

use crate::destination::has_load;
use crate::error::from_message;
use crate::merge::{lacking_root_ids, merge_all, merged_tables, replaced_tables, staging};
use crate::stage::Inner;
use longshore_core::destination::{CommitOutcome, Staged};
use longshore_core::error::{Error, Result};
use longshore_core::package::{Manifest, TableCount};
use longshore_core::schema::{SystemColumns, SystemTable};
use longshore_sql::{literal, qualified, system_table, validity_table};

/// Commits what was staged and says what the tables hold now.
pub(crate) fn commit(
    load: &mut Inner,
    manifest: &Manifest,
    staged: &[Staged],
    threads: usize,
) -> Result<CommitOutcome> {
    if is_committed(load, manifest)? {
        return Ok(CommitOutcome::AlreadyCommitted);
    }
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
    write_records(load, manifest)?;
    load.use_threads(threads)?;
    for table in replaced_tables(manifest) {
        load.empty(&table)?;
    }
    for statement in backfill {
        load.execute(&statement)?;
    }
    let counted = merge_all(load, manifest, &merged)?;
    load.execute("COMMIT")?;
    load.keep_file();
    count_back(load, manifest, &counted).map(CommitOutcome::Committed)
}

fn is_committed(load: &Inner, manifest: &Manifest) -> Result<bool> {
    let Some(connection) = &load.connection else { return Err(Error::internal("the load is over")) };
    let failed = |m: String| from_message(&m, &load.path);
    let reader = connection.database().reader().map_err(failed)?;
    has_load(&reader, &load.opening.target.dataset, &manifest.load_id).map_err(|e| failed(e.to_string()))
}

fn write_records(load: &mut Inner, manifest: &Manifest) -> Result<()> {
    let system = load.opening.system_columns;
    for table in [SystemTable::Loads, SystemTable::Schemas, SystemTable::State] {
        load.ensure_table(&system_table(system, table))?;
    }
    let hash = manifest.schema.hash();
    for sql in statements(load, manifest, system, &hash) {
        load.execute(&sql)?;
    }
    Ok(())
}

fn statements(load: &Inner, manifest: &Manifest, system: SystemColumns, hash: &str) -> Vec<String> {
    let table = |t| qualified(&load.opening.target.dataset, system.table_name(t));
    let (loads, schemas, states) = (table(SystemTable::Loads), table(SystemTable::Schemas), table(SystemTable::State));
    let pipeline = literal(&load.opening.target.pipeline);
    let (load_id, hash) = (literal(manifest.load_id.as_str()), literal(hash));
    let schema = literal(&manifest.schema.to_json());
    let now = "now()";
    let rows: u64 = manifest.tables.iter().map(|t| t.rows).sum();
    let counts = manifest.counts;
    let state = manifest.state.as_ref().map(|s| literal(&s.to_string()));
    let mut statements = Vec::new();
    match system {
        SystemColumns::Native => {
            statements.push(format!("INSERT INTO {schemas} SELECT {hash}, {pipeline}, {load_id}, {now}, {schema} WHERE NOT EXISTS (SELECT 1 FROM {schemas} WHERE schema_hash = {hash} AND pipeline = {pipeline})"));
            statements.push(format!(
                "INSERT INTO {loads} VALUES ({load_id}, {pipeline}, {hash}, {}, {}, {rows}, 0, {now})",
                counts.read, counts.rejected
            ));
            statements
                .extend(state.map(|s| format!("INSERT INTO {states} VALUES ({pipeline}, {load_id}, {now}, {s})")));
        }
        SystemColumns::Dlt => {
            statements.push(format!("INSERT INTO {schemas} SELECT (SELECT coalesce(max(version), 0) + 1 FROM {schemas} WHERE schema_name = {pipeline}), 11, {now}, {pipeline}, {hash}, {schema} WHERE NOT EXISTS (SELECT 1 FROM {schemas} WHERE version_hash = {hash} AND schema_name = {pipeline})"));
            statements.push(format!("INSERT INTO {loads} VALUES ({load_id}, {pipeline}, 0, {now}, {hash})"));
            statements.extend(state.map(|s| format!("INSERT INTO {states} SELECT (SELECT coalesce(max(version), 0) + 1 FROM {states} WHERE pipeline_name = {pipeline}), 4, {pipeline}, {s}, {now}, NULL, {load_id}, left(md5({load_id} || {s}), 14)")));
        }
    }
    statements
}

/// Counts the load's tables; those it merged were counted before. The file is ours alone, so what a table has more than before is what
/// this load brought.
fn count_back(load: &Inner, manifest: &Manifest, merged: &[TableCount]) -> Result<Vec<TableCount>> {
    let Some(connection) = &load.connection else { return Err(Error::internal("the load is over")) };
    let failed = |m: String| from_message(&m, &load.path);
    let reader = connection.database().reader().map_err(failed)?;
    // One statement: for a small load, asking table by table would be a good part of its time.
    let count = |(i, t): (usize, &TableCount)| {
        format!("SELECT {i} AS i, count(*) FROM {}", qualified(&load.opening.target.dataset, &t.table))
    };
    let counts: Vec<String> = manifest.tables.iter().enumerate().map(count).collect();
    if counts.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("{} ORDER BY i", counts.join(" UNION ALL "));
    let now: Vec<i64> = reader
        .prepare(&sql)
        .and_then(|mut s| s.query_map([], |r| r.get(1))?.collect())
        .map_err(|e| failed(e.to_string()))?;
    let brought = |(wanted, now): (&TableCount, i64)| {
        if let Some(counted) = merged.iter().find(|m| m.table == wanted.table) {
            return counted.clone();
        }
        let before = load.tables.get(&wanted.table).map_or(0, |t| t.before);
        TableCount { table: wanted.table.clone(), rows: (now as u64).saturating_sub(before) }
    };
    Ok(manifest.tables.iter().zip(now).map(brought).collect())
}
