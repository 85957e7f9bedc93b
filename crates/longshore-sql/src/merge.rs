//! Merging staged rows into the tables they belong to: statements for the transaction of the commit.
//!
//! dlt's strategies (`dlt/destinations/sql_jobs.py`), for a root table with all its children at once: which rows
//! go is decided by the root alone and noted in a scratch table, and children follow their root's id. So a list
//! that became empty loses its old rows, and nothing of a record that goes stays behind.

use crate::dialect::Dialect;
use crate::quote::literal;
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::schema::{Column, ColumnRole, DataType, DedupSort, MergeStrategy, SystemColumns, Table};

/// A root table with its children, and where their staged rows are.
pub struct Family<'a> {
    /// The dataset of the tables themselves.
    pub dataset: &'a str,
    /// Names of the loader's columns.
    pub system: SystemColumns,
    /// The load's moment, in microseconds since 1970: when versions of `scd2` change.
    pub moment: i64,
    /// The root table, with the rules of the merge.
    pub root: &'a Table,
    /// Its children at any depth.
    pub children: Vec<&'a Table>,
    /// The quoted name of a table's staged rows; `None` when the load brings none. A staged table has all columns
    /// of its table but the validity columns.
    pub staged: &'a (dyn Fn(&str) -> Option<String> + Sync),
}

/// Returns the statements that merge a family's staged rows. None of them can be seen before the commit.
///
/// # Errors
/// When a column the rules name is not in the table.
pub fn merge(dialect: &dyn Dialect, family: &Family<'_>) -> Result<Vec<String>> {
    let Some(staged) = (family.staged)(&family.root.name) else { return Ok(Vec::new()) };
    family.root.write.check().map_err(|e| e.with("table", &family.root.name))?;
    let plan = Plan::new(dialect, family, staged)?;
    Ok(match family.root.write.strategy {
        MergeStrategy::Scd2 => plan.versions(),
        strategy => plan.by_key(strategy),
    })
}

/// Returns the table as it stands in the destination: with the validity columns of `scd2` before all others.
pub fn validity_table(table: &Table, system: SystemColumns) -> Table {
    let write = &table.write;
    if !(table.is_root() && write.merges() && write.strategy == MergeStrategy::Scd2) {
        return table.clone();
    }
    let validity = write.validity(system);
    let mut whole = table.clone();
    let columns = [validity.valid_from, validity.valid_to].map(|name| Column::data(name, DataType::Timestamp));
    whole.columns.splice(0..0, columns);
    whole
}

/// The pieces of SQL that the statements are made of.
struct Plan<'a> {
    dialect: &'a dyn Dialect,
    family: &'a Family<'a>,
    target: String,
    staged: String,
    row_id: String,
    /// `order` puts staged rows in the order their records came.
    order: String,
    primary_key: Vec<String>,
    merge_key: Vec<String>,
    /// True for staged rows `s` that stand for a deletion.
    deleted: Option<String>,
    dedup: Option<String>,
}

impl<'a> Plan<'a> {
    fn new(dialect: &'a dyn Dialect, family: &'a Family<'a>, staged: String) -> Result<Self> {
        let (root, write) = (family.root, &family.root.write);
        let keys = |names: &[String]| names.iter().map(|n| key(dialect, root, n)).collect::<Result<Vec<_>>>();
        let identifier = |name: &str| dialect.identifier(name);
        let row_id = identifier(&family.system.column(ColumnRole::RowId).name);
        let deleted = write.hard_delete.as_deref().and_then(|name| root.column(name)).map(|c| match c.data_type {
            DataType::Bool => format!("COALESCE(s.{}, FALSE)", identifier(&c.name)),
            _ => format!("s.{} IS NOT NULL", identifier(&c.name)),
        });
        let direction = |sort: &DedupSort| if sort.descending { "DESC" } else { "ASC" };
        let sort = write.dedup_sort.as_ref().filter(|sort| root.column(&sort.column).is_some());
        Ok(Plan {
            dialect,
            family,
            target: dialect.qualified(family.dataset, &root.name),
            staged,
            order: dialect.staged_order(family.system, &row_id),
            row_id,
            primary_key: keys(&write.primary_key)?,
            merge_key: keys(&write.merge_key)?,
            deleted,
            dedup: sort.map(|s| format!("s.{} {} NULLS LAST, ", identifier(&s.column), direction(s))),
        })
    }

    /// Records with the key of a new one go, then the new ones come.
    fn by_key(&self, strategy: MergeStrategy) -> Vec<String> {
        let (keep, mut statements) = self.scratch("_longshore_keep", &self.kept(strategy));
        if strategy != MergeStrategy::InsertOnly {
            let (doomed, make) = self.scratch("_longshore_doomed", &self.doomed(strategy));
            statements.extend(make);
            let root_id = self.dialect.identifier(&self.family.system.column(ColumnRole::RootId).name);
            for child in &self.family.children {
                let child = self.dialect.qualified(self.family.dataset, &child.name);
                statements.push(format!("DELETE FROM {child} WHERE {root_id} IN (SELECT row_id FROM {doomed})"));
            }
            let (target, row_id) = (&self.target, &self.row_id);
            let near = self.near("");
            statements.push(format!("DELETE FROM {target} WHERE {row_id} IN (SELECT row_id FROM {doomed}){near}"));
            statements.push(format!("DROP TABLE {doomed}"));
        }
        statements.push(self.insert_root(&keep, "", ""));
        statements.extend(self.insert_children(&keep));
        statements.push(format!("DROP TABLE {keep}"));
        statements
    }

    /// Row ids of the staged roots that are to be in the table afterwards: one a key.
    fn kept(&self, strategy: MergeStrategy) -> String {
        let (staged, row_id) = (&self.staged, &self.row_id);
        let mut conditions: Vec<String> = self.deleted.iter().map(|d| format!("NOT {d}")).collect();
        if strategy == MergeStrategy::InsertOnly {
            conditions.push(format!("NOT {}", self.is_there(&self.primary_key)));
        }
        if self.primary_key.is_empty() {
            return format!("SELECT s.{row_id} AS row_id FROM {staged} s{}", where_all(&conditions));
        }
        // The survivor of a key is chosen first: when it stands for a deletion, none of its key comes.
        let flags = if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") };
        let keys: Vec<String> = self.primary_key.iter().map(|k| format!("s.{k}")).collect();
        let dedup = self.dedup.as_deref().unwrap_or_default();
        format!(
            "SELECT row_id FROM (SELECT s.{row_id} AS row_id, {flags} AS stays, \
             row_number() OVER (PARTITION BY {} ORDER BY {dedup}s.{} DESC) AS place FROM {staged} s) t \
             WHERE place = 1 AND stays",
            keys.join(", "),
            self.order
        )
    }

    /// Row ids of the roots that go.
    fn doomed(&self, strategy: MergeStrategy) -> String {
        let (target, row_id) = (&self.target, &self.row_id);
        let with = |key: &[String]| {
            let (same, near) = (equal(key, "s", "d"), self.near("d."));
            format!(
                "SELECT d.{row_id} AS row_id FROM {target} d WHERE EXISTS (SELECT 1 FROM {} s WHERE {same}){near}",
                self.staged
            )
        };
        let everything = || format!("SELECT d.{row_id} AS row_id FROM {target} d");
        let (primary, merge) = (!self.primary_key.is_empty(), !self.merge_key.is_empty());
        match (strategy, primary, merge) {
            (MergeStrategy::Cdc, _, false) => everything(),
            (MergeStrategy::Upsert, ..) | (_, true, false) => with(&self.primary_key),
            (_, false, _) => with(&self.merge_key),
            (_, true, true) => format!("{} UNION DISTINCT {}", with(&self.primary_key), with(&self.merge_key)),
        }
    }

    /// Versions: what is no longer among the new records ends, what is new among them begins.
    fn versions(&self) -> Vec<String> {
        let (target, staged, row_id) = (&self.target, &self.staged, &self.row_id);
        let validity = self.family.root.write.validity(self.family.system);
        let [from, to] = [&validity.valid_from, &validity.valid_to].map(|name| self.dialect.identifier(name));
        let moment = self.dialect.moment(validity.boundary.unwrap_or(self.family.moment));
        let active = validity.active.map(|a| self.dialect.moment(a));
        // Rows that other ways of writing brought have no validity: they hold.
        let is_active = |of: &str| match &active {
            Some(active) => format!("({of}.{to} = {active} OR {of}.{to} IS NULL)"),
            None => format!("{of}.{to} IS NULL"),
        };
        let hash = self.hash();
        let mut same_group = String::new();
        if !self.merge_key.is_empty() {
            same_group = format!(" AND EXISTS (SELECT 1 FROM {staged} s WHERE {})", equal(&self.merge_key, "s", "d"));
        }
        let live = self.deleted.iter().map(|d| format!("NOT {d}")).collect::<Vec<_>>();
        let known = format!("EXISTS (SELECT 1 FROM {target} d WHERE d.{hash} = s.{hash} AND {})", is_active("d"));
        let mut new = live.clone();
        new.push(format!("NOT {known}"));
        let kept = format!(
            "SELECT row_id FROM (SELECT s.{row_id} AS row_id, row_number() OVER (PARTITION BY s.{hash} ORDER BY s.{} DESC) AS place FROM {staged} s{}) t WHERE place = 1",
            self.order,
            where_all(&new)
        );
        let (keep, mut statements) = self.scratch("_longshore_keep", &kept);
        let mut still = vec![format!("s.{hash} = d.{hash}")];
        still.extend(live);
        // By an alias: a table may be called as the staged rows are here.
        statements.push(format!(
            "UPDATE {target} AS d SET {to} = {moment} WHERE {} AND NOT EXISTS (SELECT 1 FROM {staged} s{}){same_group}",
            is_active("d"),
            where_all(&still)
        ));
        let end = active.unwrap_or_else(|| "NULL".to_owned());
        statements.push(self.insert_root(&keep, &format!("{from}, {to}, "), &format!("{moment}, {end}, ")));
        statements.extend(match self.family.system {
            SystemColumns::Native => self.insert_children(&keep),
            SystemColumns::Dlt => self.insert_new_children(&keep),
        });
        statements.push(format!("DROP TABLE {keep}"));
        statements
    }

    /// The column that tells versions apart. dlt's row id is the hash itself.
    fn hash(&self) -> String {
        let role = match self.family.system {
            SystemColumns::Native => ColumnRole::RowHash,
            SystemColumns::Dlt => ColumnRole::RowId,
        };
        self.dialect.identifier(&self.family.system.column(role).name)
    }

    /// One row an id: in dlt mode equal records have equal ids.
    fn insert_root(&self, keep: &str, more_columns: &str, more_values: &str) -> String {
        let (target, staged, row_id) = (&self.target, &self.staged, &self.row_id);
        let columns = columns(self.dialect, self.family.root);
        let chosen = format!("IN (SELECT row_id FROM {keep})");
        match self.family.system {
            SystemColumns::Native => format!(
                "INSERT INTO {target} ({more_columns}{columns}) SELECT {more_values}{columns} FROM {staged} WHERE {row_id} {chosen}"
            ),
            SystemColumns::Dlt => format!(
                "INSERT INTO {target} ({more_columns}{columns}) SELECT {more_values}{columns} FROM (SELECT s.*, \
                 row_number() OVER (PARTITION BY s.{row_id} ORDER BY s.{} DESC) AS _longshore_place FROM {staged} s \
                 WHERE s.{row_id} {chosen}) t WHERE _longshore_place = 1",
                self.order
            ),
        }
    }

    fn insert_children(&self, keep: &str) -> Vec<String> {
        let root_id = self.dialect.identifier(&self.family.system.column(ColumnRole::RootId).name);
        self.children_with_rows(|_, target, staged, columns| match self.family.system {
            SystemColumns::Native => format!(
                "INSERT INTO {target} ({columns}) SELECT {columns} FROM {staged} WHERE {root_id} IN (SELECT row_id FROM {keep})"
            ),
            SystemColumns::Dlt => self.one_an_id(
                target,
                staged,
                columns,
                &format!("s.{root_id} IN (SELECT row_id FROM {keep})"),
            ),
        })
    }

    /// Children of versions that were there before are there already: their ids follow from their parents'. Those of
    /// records that stand for a deletion do not come, as their records do not.
    fn insert_new_children(&self, keep: &str) -> Vec<String> {
        let row_id = &self.row_id;
        self.children_with_rows(|child, target, staged, columns| {
            let mut new = format!("NOT EXISTS (SELECT 1 FROM {target} d WHERE d.{row_id} = s.{row_id})");
            if self.deleted.is_some() {
                new = format!("{new} AND {}", self.is_below(child, keep));
            }
            self.one_an_id(target, staged, columns, &new)
        })
    }

    /// True for a staged row `s` below one of the kept roots. Tables of versions have no root ids in dlt's mode.
    fn is_below(&self, child: &Table, keep: &str) -> String {
        let parent_id = self.dialect.identifier(&self.family.system.column(ColumnRole::ParentId).name);
        let parent = self.family.children.iter().find(|c| child.parent.as_deref() == Some(c.name.as_str()));
        let ids = match parent.and_then(|p| Some((p, (self.family.staged)(&p.name)?))) {
            Some((parent, staged)) => {
                format!("SELECT s.{} FROM {staged} s WHERE {}", self.row_id, self.is_below(parent, keep))
            }
            None => format!("SELECT row_id FROM {keep}"),
        };
        format!("s.{parent_id} IN ({ids})")
    }

    fn one_an_id(&self, target: &str, staged: &str, columns: &str, which: &str) -> String {
        let row_id = &self.row_id;
        format!(
            "INSERT INTO {target} ({columns}) SELECT {columns} FROM (SELECT s.*, \
             row_number() OVER (PARTITION BY s.{row_id} ORDER BY s.{} DESC) AS _longshore_place FROM {staged} s \
             WHERE {which}) t WHERE _longshore_place = 1",
            self.order
        )
    }

    fn children_with_rows(&self, statement: impl Fn(&Table, &str, &str, &str) -> String) -> Vec<String> {
        let with_rows = self.family.children.iter().filter_map(|c| Some((*c, (self.family.staged)(&c.name)?)));
        let target = |c: &Table| self.dialect.qualified(self.family.dataset, &c.name);
        with_rows.map(|(c, staged)| statement(c, &target(c), &staged, &columns(self.dialect, c))).collect()
    }

    /// True for a staged row `s` whose key is in the table.
    fn is_there(&self, key: &[String]) -> String {
        format!("EXISTS (SELECT 1 FROM {} d WHERE {}{})", self.target, equal(key, "d", "s"), self.near("d."))
    }

    fn near(&self, of: &str) -> String {
        self.dialect.near(of).map_or_else(String::new, |condition| format!(" AND {condition}"))
    }

    fn scratch(&self, name: &str, query: &str) -> (String, Vec<String>) {
        let (name, statement) = self.dialect.scratch_table(name, query);
        (name, vec![statement])
    }
}

/// Returns queries that count staged records which cannot be merged, with the error when there are any.
///
/// # Errors
/// When a key is not a column of the table.
pub fn checks(dialect: &dyn Dialect, family: &Family<'_>) -> Result<Vec<(String, Error)>> {
    let (root, write) = (family.root, &family.root.write);
    let Some(staged) = (family.staged)(&root.name).filter(|_| !write.primary_key.is_empty()) else {
        return Ok(Vec::new());
    };
    let keys = write.primary_key.iter().map(|k| key(dialect, root, k)).collect::<Result<Vec<_>>>()?;
    let missing: Vec<String> = keys.iter().map(|k| format!("{k} IS NULL")).collect();
    let names = write.primary_key.join(", ");
    let mut checks = vec![(
        format!("SELECT count(*) FROM {staged} WHERE {}", missing.join(" OR ")),
        Error::new(ErrorKind::Data, "records without their primary key cannot be merged")
            .with("table", &root.name)
            .with("key", &names)
            .hint("choose a key that every record has, or leave such records out"),
    )];
    // Their ids follow from the key, so the children of two records with one key could not be told apart.
    if family.system == SystemColumns::Dlt && write.strategy != MergeStrategy::DeleteInsert {
        let keys = keys.join(", ");
        checks.push((
            format!("SELECT count(*) FROM (SELECT {keys} FROM {staged} GROUP BY {keys} HAVING count(*) > 1) t"),
            Error::new(ErrorKind::Data, "records of one load have the same primary key")
                .with("table", &root.name)
                .with("key", &names)
                .hint("with dlt's system columns this strategy needs a key that is unique in a load; delete-insert does not"),
        ));
    }
    Ok(checks)
}

fn key(dialect: &dyn Dialect, table: &Table, name: &str) -> Result<String> {
    let known = || table.columns.iter().filter(|c| c.role.is_none()).map(|c| c.name.as_str()).collect::<Vec<_>>();
    match table.column(name) {
        Some(column) => Ok(dialect.identifier(&column.name)),
        None => Err(Error::config(format!("the key {} is not a column of the table", literal(name)))
            .with("table", &table.name)
            .hint(format!("no record of this load or an earlier one has it; its columns are {}", known().join(", ")))),
    }
}

fn columns(dialect: &dyn Dialect, table: &Table) -> String {
    table.columns.iter().map(|c| dialect.identifier(&c.name)).collect::<Vec<_>>().join(", ")
}

fn equal(key: &[String], a: &str, b: &str) -> String {
    key.iter().map(|k| format!("{a}.{k} = {b}.{k}")).collect::<Vec<_>>().join(" AND ")
}

fn where_all(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
}
