//! The commit: in one transaction, new tables and columns, all rows, the load's record, schema and state.

use crate::catalog::{self, Kinds, Tables};
use crate::late::{self, copy_parts};
use crate::merge::{empty_replaced, fill_root_ids, merge_all};
use crate::session::Session;
use crate::stage::{Inner, StagedTable, check_names};
use crate::staging::{lock_key, make_schema};
use crate::types::PostgresDialect;
use crate::{obstacles, rights, rounding};
use longshore_core::destination::{CommitOutcome, Staged, rejects_table};
use longshore_core::dlt::Documents;
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::package::{Manifest, TableCount, Target};
use longshore_core::schema::{Column, ColumnType, SystemColumns, SystemTable, Table};
use longshore_sql::{
    add_column, create_table, drop_table, hinted, identifier, inexact_values, literal, load_records, qualified,
    system_table, validity_table, widen_column,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tracing::{debug, info};

/// Tries of the transaction, when what went wrong may pass: staged rows are still there.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Commits what was staged and says what came of it.
pub(crate) async fn commit(load: &mut Inner, manifest: &Manifest, staged: &[Staged]) -> Result<CommitOutcome> {
    load.finish_staging().await?;
    if let Some(unknown) = staged.iter().find(|r| !load.has_rows_of(&r.table)) {
        return Err(Error::internal("a receipt names a table that was not staged").with("table", &unknown.table));
    }
    let wanted = wanted_tables(load, manifest)?;
    let mut pause = FIRST_PAUSE;
    let mut attempt = Attempt { number: 1, reached_commit: false, reconnected: false };
    loop {
        let e = match try_commit(load, manifest, &wanted, &mut attempt).await {
            Err(e) if e.is_retryable() && attempt.number < TRIES => e,
            outcome => return outcome,
        };
        info!(attempt = attempt.number, error = %e, "the commit failed, trying again");
        attempt.number += 1;
        tokio::time::sleep(pause).await;
        pause *= 2;
        match take_over(load, &mut attempt).await {
            Err(e) if !e.is_retryable() || attempt.number >= TRIES => return Err(e),
            // Not retaken yet: the next try fails at once, and this is tried again.
            _ => {}
        }
    }
}

/// What earlier tries of this commit have come to.
struct Attempt {
    number: u32,
    /// One of them sent COMMIT: if the load's record is there, it was ours.
    reached_commit: bool,
    reconnected: bool,
}

/// After a failure: ends the transaction, or the whole session where it does not answer, and begins another.
async fn take_over(load: &mut Inner, attempt: &mut Attempt) -> Result<()> {
    if !load.control.client.is_closed() && load.control.batch("ROLLBACK").await.is_ok() {
        return Ok(());
    }
    let session = load.engine.connect().await?;
    // The old session may still hold its locks, if only the connection to it is gone.
    let old = load.control.pid;
    session.execute(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = {old} AND application_name = 'longshore' AND usename = current_user")).await?;
    load.control = session;
    attempt.reconnected = true;
    load.staging.lock(&load.control).await
}

async fn try_commit(
    load: &mut Inner,
    manifest: &Manifest,
    wanted: &[Table],
    attempt: &mut Attempt,
) -> Result<CommitOutcome> {
    if load.control.client.is_closed() {
        return Err(Error::new(ErrorKind::Unavailable, "the connection to PostgreSQL was lost"));
    }
    let target = &load.opening.target;
    make_schema(&load.control, &target.dataset).await?;
    let existing = catalog::tables(&load.control, &target.dataset, Kinds::All).await?;
    rights::check_rest(&load.control, &load.opening, &existing, wanted).await?;
    let mut has_changes = !changes(&existing, wanted).is_empty() || dropped(load, &existing).next().is_some();
    loop {
        begin(&load.control, manifest, target, has_changes).await?;
        if catalog::has_load(&load.control, target, &manifest.load_id).await? {
            load.control.batch("ROLLBACK").await?;
            return Ok(match attempt.reached_commit {
                true => CommitOutcome::Committed(counts(load, manifest)),
                false => CommitOutcome::AlreadyCommitted,
            });
        }
        let fence = &load.opening.fence;
        if !fence.is_open() {
            fence.check(catalog::newest_load(&load.control, target).await?.as_ref(), target)?;
        }
        let mut existing = catalog::tables(&load.control, &target.dataset, Kinds::All).await?;
        if has_changes {
            drop_tables(load, &existing).await?;
            existing.retain(|table, _| !load.opening.drops.contains(table));
        }
        let changes = changes(&existing, wanted);
        let names = wanted.iter().map(|t| t.name.as_str());
        obstacles::check_names(&load.control, &load.opening.target.dataset, names).await?;
        if !changes.is_empty() && !has_changes {
            // Somebody dropped something meanwhile: it takes the lock of those who change things.
            load.control.batch("ROLLBACK").await?;
            has_changes = true;
            continue;
        }
        check_late(load, &existing, wanted)?;
        fill(load, manifest, wanted, &changes, attempt).await?;
        let documents = documents(load, manifest).await?;
        for sql in load_records(&PostgresDialect, &load.opening.target, manifest, documents.as_ref()) {
            load.control.batch(&sql).await?;
        }
        attempt.reached_commit = true;
        load.control.batch("COMMIT").await?;
        debug!(load_id = %manifest.load_id, "committed");
        return Ok(CommitOutcome::Committed(counts(load, manifest)));
    }
}

/// Tables that go and are there.
fn dropped<'a>(load: &'a Inner, existing: &'a Tables) -> impl Iterator<Item = &'a String> {
    load.opening.drops.iter().filter(|table| existing.contains_key(*table))
}

async fn drop_tables(load: &Inner, existing: &Tables) -> Result<()> {
    let dataset = &load.opening.target.dataset;
    for table in dropped(load, existing) {
        let gone = load.control.batch(&drop_table(&PostgresDialect, dataset, table)).await;
        gone.map_err(|e| match e.is_retryable() {
            true => e,
            false => e.with("table", table).with("dataset", dataset).hint(
                "views that need it have to go first, then run again; or give the package up (drop-package), and take only the rows with --refresh drop_data",
            ),
        })?;
    }
    Ok(())
}

/// Rows that wait for a table whose columns somebody changed meanwhile have the wrong form: the load begins again.
fn check_late(load: &Inner, existing: &Tables, wanted: &[Table]) -> Result<()> {
    let is_changed =
        |t: &&Table| existing.contains_key(&t.name) && !load.late.of(&t.name).is_empty() && !late::takes(existing, t);
    match wanted.iter().find(is_changed) {
        None => Ok(()),
        Some(table) => Err(Error::new(ErrorKind::Unavailable, "the table was changed by somebody else meanwhile")
            .with("table", &table.name)),
    }
}

/// In dlt's mode, the schema and state as dlt stores them, going on from those that stand there.
async fn documents(load: &Inner, manifest: &Manifest) -> Result<Option<Documents>> {
    if load.opening.system_columns == SystemColumns::Native {
        return Ok(None);
    }
    let stored = catalog::stored(&load.control, &load.opening.target, &manifest.schema.name).await?;
    Documents::of(manifest, &stored, "dlt.destinations.postgres").map(Some)
}

/// Opens the transaction. Loads of one pipeline go one after the other, so that none is committed twice; those of
/// different pipelines go at once, unless one of them changes the dataset's tables, or both replace or merge into the
/// same one: neither would see the rows that the other brings. Each statement has to see what was committed before it.
async fn begin(session: &Session, manifest: &Manifest, target: &Target, has_changes: bool) -> Result<()> {
    let dataset = &target.dataset;
    let pipeline_key = lock_key(&["pipeline", dataset, &target.pipeline]);
    let dataset_key = lock_key(&["dataset", dataset]);
    let shared = if has_changes { "" } else { "_shared" };
    // In one order for all, so that none waits for another in a circle.
    let rewritten = manifest.replaced().chain(manifest.merged()).map(|t| lock_key(&["table", dataset, &t.name]));
    let rewritten: BTreeSet<i64> = rewritten.collect();
    let table_locks: String = rewritten.iter().map(|key| format!("SELECT pg_advisory_xact_lock({key}); ")).collect();
    session.batch("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    session
        .batch(&format!(
            "SELECT set_config(name, CASE reset_val WHEN 'off' THEN 'on' ELSE reset_val END, true) FROM pg_settings \
             WHERE name = 'synchronous_commit'; SELECT pg_advisory_xact_lock({pipeline_key}); \
             SELECT pg_advisory_xact_lock{shared}({dataset_key}); {table_locks}SET LOCAL lock_timeout = '10s'"
        ))
        .await
}

/// All tables that are to be there after the load.
fn wanted_tables(load: &Inner, manifest: &Manifest) -> Result<Vec<Table>> {
    let system = load.opening.system_columns;
    let mut wanted: Vec<Table> = manifest.schema.tables.iter().map(|t| validity_table(t, system)).collect();
    let rejects = rejects_table(system);
    if load.has_rows_of(&rejects.name) {
        wanted.push(rejects);
    }
    wanted.extend([SystemTable::Loads, SystemTable::Schemas, SystemTable::State].map(|t| system_table(system, t)));
    wanted.iter().try_for_each(check_names)?;
    Ok(wanted)
}

/// What a table needs before it can take the load's rows.
pub(crate) enum Change<'a> {
    Table,
    /// Columns it lacks, and those that are to be wider, with the type they have.
    Columns(Vec<&'a Column>, Vec<(&'a Column, ColumnType)>),
}

pub(crate) fn changes<'a>(existing: &Tables, wanted: &'a [Table]) -> BTreeMap<&'a str, Change<'a>> {
    let change = |table: &'a Table| {
        let Some(columns) = existing.get(&table.name) else { return Some((table.name.as_str(), Change::Table)) };
        let known = |c: &Column| columns.iter().find(|known| known.name == c.name);
        let missing: Vec<_> = table.columns.iter().filter(|c| known(c).is_none()).collect();
        let was = |c: &Column| known(c).and_then(|known| known.column_type).filter(|was| c.outgrows(*was));
        let wider: Vec<_> = table.columns.iter().filter_map(|c| Some((c, was(c)?))).collect();
        let is_changed = !missing.is_empty() || !wider.is_empty();
        is_changed.then_some((table.name.as_str(), Change::Columns(missing, wider)))
    };
    wanted.iter().filter_map(change).collect()
}

/// Makes what is missing and moves the rows. Tables that get columns come last: from then on readers have to wait.
async fn fill(
    load: &Inner,
    manifest: &Manifest,
    wanted: &[Table],
    changes: &BTreeMap<&str, Change<'_>>,
    attempt: &Attempt,
) -> Result<()> {
    empty_replaced(load, manifest, changes).await?;
    let mut order: Vec<&Table> = wanted.iter().collect();
    order.sort_by_key(|t| matches!(changes.get(t.name.as_str()), Some(Change::Columns(..))));
    for table in order {
        let filled = fill_table(load, table, changes.get(table.name.as_str()), attempt).await;
        filled.map_err(|e| explained(load, table, e))?;
    }
    fill_root_ids(load, manifest, changes).await?;
    merge_all(load, manifest).await?;
    make_hinted(load, manifest, changes).await
}

/// An error with its place, and as far as that can be known, with what helps.
pub(crate) fn explained(load: &Inner, table: &Table, e: Error) -> Error {
    let dataset = &load.opening.target.dataset;
    let e = rounding::name_suspects(e, &load.existing, table);
    let e = rights::explained(e, dataset, table, &load.engine.config.user);
    e.with("table", &table.name).with("dataset", dataset)
}

/// Makes the indexes and descriptions that hints ask for, of columns that are new here or of which they are new. Last, so
/// that an index is made at once and over all rows.
async fn make_hinted(load: &Inner, manifest: &Manifest, changes: &BTreeMap<&str, Change<'_>>) -> Result<()> {
    let dataset = &load.opening.target.dataset;
    for table in &manifest.schema.tables {
        let said = manifest.change.tables.iter().find(|c| c.table == table.name).map_or(&[][..], |c| &c.hinted);
        let is_asked = |c: &&Column| match changes.get(table.name.as_str()) {
            Some(Change::Table) => true,
            Some(Change::Columns(missing, _)) if missing.iter().any(|m| m.name == c.name) => true,
            _ => said.iter().any(|h| h.column == c.name),
        };
        for column in table.columns.iter().filter(is_asked) {
            for sql in hinted(&PostgresDialect, dataset, &table.name, column) {
                load.control.batch(&sql).await?;
            }
        }
    }
    Ok(())
}

async fn fill_table(load: &Inner, table: &Table, change: Option<&Change<'_>>, attempt: &Attempt) -> Result<()> {
    let (dataset, session) = (&load.opening.target.dataset, &load.control);
    let staged = load.tables.get(&table.name);
    let moved = match (change, staged) {
        (Some(Change::Table), Some(staged)) if staged.may_become => become_table(load, table).await?,
        (change, staged) => {
            match change {
                Some(Change::Table) => session.batch(&create_table(&PostgresDialect, dataset, table)).await?,
                Some(Change::Columns(missing, wider)) => {
                    widen_columns(session, dataset, &table.name, wider).await?;
                    for column in missing {
                        session.batch(&add_column(&PostgresDialect, dataset, &table.name, column)).await?;
                    }
                }
                None => {}
            }
            // Rows to be merged wait until all tables are there.
            if table.write.merges() {
                return Ok(());
            }
            let copied = copy_parts(session, dataset, load.late.of(&table.name), &load.load_id).await?;
            match staged {
                Some(staged) => copied + move_rows(load, table, staged).await?,
                None => copied,
            }
        }
    };
    let expected = load.rows_of(&table.name);
    if moved != expected {
        // A server that crashed in between has lost what was staged, and it has to be staged anew.
        let kind = if attempt.reconnected { ErrorKind::Unavailable } else { ErrorKind::Integrity };
        return Err(Error::new(kind, format!("{moved} of {expected} staged rows are there")));
    }
    Ok(())
}

/// Copies what was staged into the table. Returns how many rows.
async fn move_rows(load: &Inner, table: &Table, staged: &StagedTable) -> Result<u64> {
    let columns: Vec<String> = staged.columns.iter().map(|c| identifier(&c.name)).collect();
    let (columns, from) = (columns.join(", "), qualified(&load.staging.schema, &staged.name));
    let into = qualified(&load.opening.target.dataset, &table.name);
    let rows = load.control.execute(&format!("INSERT INTO {into} ({columns}) SELECT {columns} FROM {from}")).await?;
    load.control.batch(&format!("DROP TABLE {from}")).await?;
    Ok(rows)
}

/// Makes columns of a table wider, rows that are there included.
pub(crate) async fn widen_columns(
    session: &Session,
    schema: &str,
    table: &str,
    wider: &[(&Column, ColumnType)],
) -> Result<()> {
    for &(column, from) in wider {
        if let Some(query) = inexact_values(&PostgresDialect, schema, table, column, from)
            && session.value(&query).await?.is_some_and(|n| n != "0")
        {
            return Err(Error::new(
                ErrorKind::Data,
                "the column cannot become double: it has whole numbers beyond 2^53",
            )
            .with("field", &column.name)
            .hint("another pipeline wrote them: load into another table or dataset"));
        }
        session.batch(&widen_column(&PostgresDialect, schema, table, column, from)).await?;
    }
    Ok(())
}

/// Makes the staging table the table itself: no row is written again. Returns how many it has.
async fn become_table(load: &Inner, table: &Table) -> Result<u64> {
    let (dataset, session) = (&load.opening.target.dataset, &load.control);
    let Some(staged) = load.tables.get(&table.name) else { return Ok(0) };
    let from = qualified(&load.staging.schema, &staged.name);
    for column in &table.columns[staged.columns.len().min(table.columns.len())..] {
        session.batch(&add_column(&PostgresDialect, &load.staging.schema, &staged.name, column)).await?;
    }
    let rows = session.value(&format!("SELECT count(*) FROM {from}")).await?;
    session.batch(&format!("ALTER TABLE {from} SET SCHEMA {}", identifier(dataset))).await?;
    let renamed = format!("ALTER TABLE {} RENAME TO {}", qualified(dataset, &staged.name), identifier(&table.name));
    session.batch(&renamed).await?;
    grant_defaults(session, dataset, &table.name).await?;
    Ok(rows.and_then(|r| r.parse().ok()).unwrap_or_default())
}

/// Gives the rights that a table made in this schema has by default (`ALTER DEFAULT PRIVILEGES IN SCHEMA`): a table that
/// is moved there does not get them by itself.
async fn grant_defaults(session: &Session, dataset: &str, table: &str) -> Result<()> {
    let sql = format!(
        "SELECT a.privilege_type, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END, \
         CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END FROM pg_default_acl d \
         JOIN pg_namespace n ON n.oid = d.defaclnamespace CROSS JOIN LATERAL aclexplode(d.defaclacl) a \
         WHERE d.defaclobjtype = 'r' AND n.nspname = {} AND pg_get_userbyid(d.defaclrole) = current_user",
        literal(dataset)
    );
    for row in session.rows(&sql).await? {
        let text = |i| row.get(i).unwrap_or_default();
        let into = qualified(dataset, table);
        session.batch(&format!("GRANT {} ON {into} TO {}{}", text(0), text(1), text(2))).await?;
    }
    Ok(())
}

/// Rows of this load in each of its tables, as the server counted them when it moved them: a count of the whole tables
/// would read all that earlier loads brought.
fn counts(load: &Inner, manifest: &Manifest) -> Vec<TableCount> {
    manifest.tables.iter().map(|t| TableCount { table: t.table.clone(), rows: load.rows_of(&t.table) }).collect()
}
