//! Keys of records to be merged, for asking a destination how many of them it has.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use longshore_core::destination::Destination;
use longshore_core::schema::{MergeStrategy, Table};
use std::collections::{BTreeMap, BTreeSet};

/// More are not asked for: a plan is to be quick.
const MOST: usize = 100_000;
/// Keys in one query.
const A_QUERY: usize = 1_000;

/// Keys by table, as SQL literals; `None` where there are too many or they cannot be written as one.
#[derive(Debug, Default)]
pub(crate) struct Keys(BTreeMap<String, (String, Option<BTreeSet<String>>)>);

impl Keys {
    /// Takes the keys of a root table's rows.
    pub(crate) fn add(&mut self, table: &Table, rows: &RecordBatch) {
        let Some(column) = key_of(table) else { return };
        let entry = self.0.entry(table.name.clone());
        let (_, keys) = entry.or_insert_with(|| (column.to_owned(), Some(BTreeSet::new())));
        let found = rows.column_by_name(column).and_then(|c| literals(c.as_ref()));
        *keys = match (keys.take(), found) {
            (Some(mut keys), Some(found)) if keys.len() + found.len() <= MOST => {
                keys.extend(found);
                Some(keys)
            }
            _ => None,
        };
    }

    /// Counts the rows of a table that have one of them. `None` where that cannot be asked.
    pub(crate) async fn count(&self, destination: &dyn Destination, dataset: &str, table: &str) -> Option<u64> {
        let (column, keys) = self.0.get(table)?;
        let keys: Vec<&str> = keys.as_ref()?.iter().map(String::as_str).collect();
        let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let mut rows = 0;
        for some in keys.chunks(A_QUERY) {
            let (table, column, list) = (quote(table), quote(column), some.join(", "));
            let sql = format!("SELECT count(*) FROM {table} WHERE {column} IN ({list})");
            let answer = destination.query(dataset, &sql).await.ok()?;
            let count = answer.first()?.columns().first()?.as_primitive_opt::<Int64Type>()?;
            rows += u64::try_from(count.value(0)).ok()?;
        }
        Some(rows)
    }
}

/// The one column by which rows that are there are found.
fn key_of(table: &Table) -> Option<&str> {
    if !table.is_root() || !table.write.merges() || table.write.strategy == MergeStrategy::Scd2 {
        return None;
    }
    let keys = if table.write.primary_key.is_empty() { &table.write.merge_key } else { &table.write.primary_key };
    if let [only] = keys.as_slice() { Some(only) } else { None }
}

fn literals(column: &dyn Array) -> Option<Vec<String>> {
    match column.data_type() {
        DataType::Int64 => Some(column.as_primitive::<Int64Type>().iter().flatten().map(|n| n.to_string()).collect()),
        DataType::Utf8 => {
            let quote = |text: &str| format!("'{}'", text.replace('\'', "''"));
            Some(column.as_string::<i32>().iter().flatten().map(quote).collect())
        }
        _ => None,
    }
}
