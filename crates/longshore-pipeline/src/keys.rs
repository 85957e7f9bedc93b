//! Keys of records to be merged, for asking a destination how many rows of theirs it has.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use longshore_core::destination::Destination;
use longshore_core::schema::{ColumnRole, MergeStrategy, Table};
use std::collections::{BTreeMap, BTreeSet};

/// More are not asked for: a plan is to be quick.
const MOST: usize = 100_000;
/// Keys in one query.
const A_QUERY: usize = 1_000;

/// Keys by root table, as SQL literals; `None` where there are too many or they cannot be written as one.
#[derive(Debug, Default)]
pub(crate) struct Keys(BTreeMap<String, (String, Option<BTreeSet<String>>)>);

impl Keys {
    /// Takes the keys of a root table's rows.
    pub(crate) fn add(&mut self, table: &Table, rows: &RecordBatch) {
        let Some(column) = key_of(table) else { return };
        let entry = self.0.entry(table.name.clone());
        let (_, keys) = entry.or_insert_with(|| (column.to_owned(), Some(BTreeSet::new())));
        let found = rows.column_by_name(column).and_then(|c| literals(c.as_ref()));
        let found = found.map(|found| found.into_iter().flatten().collect::<Vec<_>>());
        *keys = match (keys.take(), found) {
            (Some(mut keys), Some(found)) if keys.len() + found.len() <= MOST => {
                keys.extend(found);
                Some(keys)
            }
            _ => None,
        };
    }

    /// Counts the rows of a root table that have one of them, and fulfil a condition. `None` where that cannot be asked.
    pub(crate) async fn count(&self, at: &At<'_>, root: &Table, condition: &str) -> Option<u64> {
        self.sum(at, root, |matches| format!("SELECT count(*) FROM {} WHERE {matches}{condition}", quoted(&root.name)))
            .await
    }

    /// Counts the rows of a child table that belong to such rows of its root table.
    pub(crate) async fn count_below(&self, at: &At<'_>, root: &Table, child: &Table) -> Option<u64> {
        let (id, root_id) = (root.system(ColumnRole::RowId)?, child.system(ColumnRole::RootId)?);
        let (id, root_id) = (quoted(&id.name), quoted(&root_id.name));
        let (child, of) = (quoted(&child.name), quoted(&root.name));
        self.sum(at, root, |matches| {
            format!("SELECT count(*) FROM {child} WHERE {root_id} IN (SELECT {id} FROM {of} WHERE {matches})")
        })
        .await
    }

    /// Adds up the answers for all keys; a query gets the condition that a row of the root has one of some keys.
    async fn sum(&self, at: &At<'_>, root: &Table, query: impl Fn(&str) -> String) -> Option<u64> {
        let (column, keys) = self.0.get(&root.name)?;
        let keys: Vec<&str> = keys.as_ref()?.iter().map(String::as_str).collect();
        let mut rows = 0;
        for some in keys.chunks(A_QUERY) {
            rows += at.number(&query(&format!("{} IN ({})", quoted(column), some.join(", ")))).await?;
        }
        Some(rows)
    }
}

/// A dataset that is asked.
pub(crate) struct At<'a> {
    pub(crate) destination: &'a dyn Destination,
    pub(crate) dataset: &'a str,
}

impl At<'_> {
    /// Returns the one number that a query has for an answer; `None` where it has none, or cannot be asked.
    pub(crate) async fn number(&self, sql: &str) -> Option<u64> {
        let answer = self.destination.query(self.dataset, sql).await.ok()?;
        let count = answer.first()?.columns().first()?.as_primitive_opt::<Int64Type>()?;
        u64::try_from(count.value(0)).ok()
    }

    /// Returns the texts that a query of one column has for an answer; `None` where it cannot be asked.
    pub(crate) async fn texts(&self, sql: &str) -> Option<Vec<Option<String>>> {
        let answer = self.destination.query(self.dataset, sql).await.ok()?;
        let parts = answer.iter().map(|rows| texts(rows.columns().first()?.as_ref()));
        Some(parts.collect::<Option<Vec<_>>>()?.concat())
    }

    /// Returns true when a table has a column of that name.
    pub(crate) async fn has_column(&self, table: &str, column: &str) -> bool {
        let sql = format!("SELECT {} FROM {} LIMIT 0", quoted(column), quoted(table));
        self.destination.query(self.dataset, &sql).await.is_ok()
    }
}

pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The one column by which rows that are there are found: a key, or for versions their hash.
fn key_of(table: &Table) -> Option<&str> {
    let write = &table.write;
    if !table.is_root() || !write.merges() {
        return None;
    }
    if write.strategy == MergeStrategy::Scd2 {
        let hash = table.system(ColumnRole::RowHash).or(table.system(ColumnRole::RowId));
        return hash.map(|c| c.name.as_str());
    }
    let keys = if write.primary_key.is_empty() { &write.merge_key } else { &write.primary_key };
    if let [only] = keys.as_slice() { Some(only) } else { None }
}

/// Returns a column's values as SQL literals; `None` where they cannot be written as such.
pub(crate) fn literals(column: &dyn Array) -> Option<Vec<Option<String>>> {
    let quote = |text: String| format!("'{}'", text.replace('\'', "''"));
    let is_text = !matches!(column.data_type(), DataType::Int64);
    let values = texts(column)?.into_iter();
    Some(values.map(|value| if is_text { value.map(quote) } else { value }).collect())
}

/// Returns a column's whole numbers or texts as texts.
pub(crate) fn texts(column: &dyn Array) -> Option<Vec<Option<String>>> {
    let own = |text: Option<&str>| text.map(str::to_owned);
    Some(match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().iter().map(|n| n.map(|n| n.to_string())).collect(),
        DataType::Utf8 => column.as_string::<i32>().iter().map(own).collect(),
        DataType::LargeUtf8 => column.as_string::<i64>().iter().map(own).collect(),
        DataType::Utf8View => column.as_string_view().iter().map(own).collect(),
        _ => return None,
    })
}
