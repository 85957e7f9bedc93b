//! Merging into files. The statements that merge in a database run in a DuckDB of the load's own, on nothing but the
//! ids and keys of the root rows; what they did says which rows go and which come. Then only the files that have rows
//! that go (or that end, with `scd2`) are written anew, row by row: nothing is ever in memory together.

mod children;
mod member;
mod root;

pub(crate) use member::{STAGING, numbered, staging};

use crate::engine::Engine;
use crate::local::Local;
use crate::manifest::{DataFile, FileColumn, Tables};
use crate::scan;
use crate::stage::{Context, Inner, StagedFile};
use arrow_schema::Field;
use longshore_core::error::{Error, Result};
use longshore_core::package::{Manifest, TableCount};
use longshore_core::schema::{Column, ColumnRole, ColumnType, DataType, SystemColumns, Table};
use longshore_sql::{Dialect, identifier};
use member::{Member, ORDER};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Files of a load by table, in their order.
pub(crate) type Files = BTreeMap<String, Vec<StagedFile>>;

/// What merging did.
#[derive(Default)]
pub(crate) struct Merged {
    /// Columns of the tables that were merged.
    pub(crate) columns: BTreeMap<String, Vec<FileColumn>>,
    /// Files that do not count any more.
    pub(crate) removed: BTreeMap<String, Vec<String>>,
    /// Rows that were to be merged, counted.
    pub(crate) counts: Vec<TableCount>,
}

/// Merges every family that has new rows: their files become those that the tables are to have.
///
/// # Errors
/// When records lack their key, or a file cannot be read.
pub(crate) async fn merge_all(
    inner: &mut Inner,
    manifest: &Manifest,
    files: &mut Files,
    current: &Tables,
) -> Result<Merged> {
    let mut merged = Merged::default();
    for root in manifest.merged() {
        let family: Vec<&Table> = [root].into_iter().chain(manifest.schema.children_of(&root.name)).collect();
        let system = manifest.schema.system_columns;
        let mut members: Vec<Member> = {
            let staged = |t: &Table| files.get(&t.name).map_or(&[][..], Vec::as_slice);
            family.iter().map(|t| Member::new(t, system, staged(t), current.get(&t.name))).collect()
        };
        let children = members.split_off(1);
        let Some(member) = members.pop() else { continue };
        let mut run = Run::new(inner, system, manifest, member, children)?;
        run.run(&mut merged).await.map_err(|e| e.with("table", &root.name))?;
        for table in family {
            files.remove(&table.name).into_iter().flatten().for_each(|f| f.written.discard(None));
        }
        files.extend(inner.finish()?.into_iter().filter(|(_, made)| !made.is_empty()));
    }
    Ok(merged)
}

/// One family's merge.
struct Run<'a> {
    inner: &'a mut Inner,
    context: Arc<Context>,
    engine: Engine,
    local: Local,
    system: SystemColumns,
    /// The load's moment.
    moment: i64,
    root: Member,
    children: Vec<Member>,
    /// Root ids are filled in.
    fills: bool,
}

/// DuckDB's SQL for the statements of a merge.
struct FileDialect;

impl Dialect for FileDialect {
    fn staged_order(&self, _: SystemColumns, _: &str) -> String {
        identifier(ORDER)
    }

    fn type_name(&self, data_type: DataType) -> &'static str {
        scan::plain_name(data_type)
    }

    fn sized_type_name(&self, column_type: ColumnType) -> String {
        scan::type_name(column_type)
    }
}

/// Memory of DuckDB when nothing else is said.
const MEMORY: u64 = 256 << 20;
/// Below that DuckDB does not work well.
const LEAST_MEMORY: u64 = 64 << 20;

/// Returns a DuckDB that stays within what the load may have when it reads these files.
pub(crate) fn engine<'f>(inner: &mut Inner, files: impl Iterator<Item = &'f DataFile>) -> Result<Engine> {
    let config = Arc::clone(&inner.context.config);
    let memory = config.memory.map_or(MEMORY, |m| (m / 2).max(LEAST_MEMORY));
    let (a_thread, threads) = (scan::thread_memory(files), config.threads.unwrap_or(2).max(1));
    Engine::within(memory, threads, a_thread, &inner.workspace()?.join("spill"))
}

impl<'a> Run<'a> {
    fn new(
        inner: &'a mut Inner,
        system: SystemColumns,
        manifest: &Manifest,
        root: Member,
        children: Vec<Member>,
    ) -> Result<Self> {
        let context = Arc::clone(&inner.context);
        let there = [&root].into_iter().chain(&children).flat_map(|m| &m.there).map(|(file, _)| file);
        let engine = engine(inner, there)?;
        let local = Local::new(&context.store, &context.opening.target.dataset)?;
        let moment = i64::try_from(manifest.load_id.micros()).unwrap_or(i64::MAX);
        Ok(Run { inner, context, engine, local, system, moment, root, children, fills: false })
    }

    async fn run(&mut self, merged: &mut Merged) -> Result<()> {
        self.engine.execute("CREATE SCHEMA staged; CREATE SCHEMA met; CREATE SCHEMA roots")?;
        let members = || [&self.root].into_iter().chain(&self.children);
        for member in members().filter(|m| m.has_new_rows()) {
            let name = member.staged_name();
            self.engine.execute(&format!("CREATE VIEW {name} AS {}", member.staged()))?;
            let rows = self.engine.number(&format!("SELECT count(*) FROM {name}"))?;
            merged.counts.push(TableCount { table: member.table.name.clone(), rows });
        }
        merged.columns.extend(members().map(|m| (m.table.name.clone(), m.columns())));
        self.check()?;
        self.meet().await?;
        self.decide()?;
        let touched = self.touched_of_root().await?;
        let mut removed = vec![(self.root.table.name.clone(), self.root.paths(&touched))];
        self.write_root(&touched)?;
        self.fill_root_ids().await?;
        for at in 0..self.children.len() {
            let touched = self.touched_of_child(at).await?;
            removed.push((self.children[at].table.name.clone(), self.children[at].paths(&touched)));
            self.write_child(at, &touched).await?;
        }
        merged.removed.extend(removed.into_iter().filter(|(_, paths)| !paths.is_empty()));
        Ok(())
    }

    /// In dlt's mode, files of another form than the load writes are written anew whatever is in them: dlt reads all files of
    /// a table in the form of the first.
    fn of_other_form(&self, member: &Member) -> Vec<usize> {
        let form = self.context.config.format.name();
        let is_other = |i: &usize| member.there[*i].0.format.name() != form;
        let all = if self.system == SystemColumns::Dlt { member.there.len() } else { 0 };
        (0..all).filter(is_other).collect()
    }

    /// Brings files of a table here, where they are in a bucket.
    async fn bring(&mut self, child: Option<usize>, files: &[usize]) -> Result<()> {
        let member = child.map_or(&self.root, |at| &self.children[at]);
        let (store, dataset) = (&self.context.store, &self.context.opening.target.dataset);
        self.local.bring(store, dataset, files.iter().map(|i| &member.there[*i].0)).await
    }

    /// Puts the rows of a query into the files that a table gets.
    fn write(&mut self, table: &Arc<Table>, query: &str) -> Result<()> {
        let inner = &mut *self.inner;
        self.engine.stream(query, |batch| {
            let fits =
                |(c, f): (&Column, &Arc<Field>)| c.name == *f.name() && c.column_type().arrow() == *f.data_type();
            let schema = batch.schema();
            if batch.num_columns() != table.columns.len() || !table.columns.iter().zip(schema.fields()).all(fits) {
                return Err(Error::internal("merged rows do not have their table's columns").with("table", &table.name));
            }
            inner.put(table, batch)
        })
    }

    /// A system column's name, quoted.
    fn name(&self, role: ColumnRole) -> String {
        identifier(&self.system.column(role).name)
    }
}
