//! Values of columns that must be unique, as far as it can be told before a load whether one would be there twice: values
//! that the load has twice, and those that rows have which stay.

use crate::keys::{At, literals, quoted, texts};
use crate::refusals::Refused;
use arrow_array::RecordBatch;
use longshore_core::schema::{MergeStrategy, SchemaChange, Table, WriteRules};
use std::collections::{BTreeMap, HashMap, HashSet};

/// More are not looked at: a plan is to be quick.
const MOST: usize = 100_000;
/// Values in one query.
const A_QUERY: usize = 1_000;
const HINT: &str = "repair the records, or merge by that column as the primary key";

/// Values by table and column.
#[derive(Debug, Default)]
pub(crate) struct UniqueValues(BTreeMap<(String, String), Values>);

/// What a column gets; `rows` is `None` where that cannot be told.
#[derive(Debug)]
struct Values {
    way: Way,
    rows: Option<Vec<Row>>,
}

#[derive(Debug)]
struct Row {
    /// As an SQL literal.
    value: Option<String>,
    /// Of a record that is merged by it, as text.
    key: Option<String>,
}

/// How rows come to those that are there.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    /// All stay.
    Added,
    /// None stays.
    Alone,
    /// Rows with the same key go first; with `once`, of several records with one key only the last one comes.
    ByKey { column: String, once: bool },
    /// It depends on more than keys.
    Unknown,
}

impl Way {
    fn of(table: &Table) -> Self {
        let WriteRules { strategy, primary_key, merge_key, hard_delete, dedup_sort, .. } = &table.write;
        if table.write.replaces() {
            return Way::Alone;
        }
        if !table.write.merges() {
            return Way::Added;
        }
        let is_plain = table.is_root() && hard_delete.is_none() && dedup_sort.is_none();
        let is_by_key = matches!(strategy, MergeStrategy::DeleteInsert | MergeStrategy::Upsert);
        match (primary_key.as_slice(), merge_key.as_slice()) {
            ([key], []) if is_plain && is_by_key => Way::ByKey { column: key.clone(), once: true },
            ([], [key]) if is_plain && is_by_key => Way::ByKey { column: key.clone(), once: false },
            _ => Way::Unknown,
        }
    }
}

impl UniqueValues {
    /// Takes the values of a table's rows.
    pub(crate) fn add(&mut self, table: &Table, rows: &RecordBatch) {
        for column in table.columns.iter().filter(|c| c.properties.unique && c.role.is_none()) {
            let entry = self.0.entry((table.name.clone(), column.name.clone()));
            let known = entry.or_insert_with(|| Values { way: Way::of(table), rows: Some(Vec::new()) });
            let found = rows_of(&known.way, rows, &column.name);
            known.rows = match (known.rows.take(), found) {
                (Some(mut all), Some(found)) if all.len() + found.len() <= MOST => {
                    all.extend(found);
                    Some(all)
                }
                _ => None,
            };
        }
    }

    /// Returns the columns of which it cannot be told, as `table.column`.
    pub(crate) fn unknown(&self) -> Vec<String> {
        let unknown = self.0.iter().filter(|(_, values)| values.rows.is_none());
        unknown.map(|((table, column), _)| format!("{table}.{column}")).collect()
    }

    /// Returns what a destination would refuse; `stays` says of a table that its rows are not to go whatever the load brings,
    /// and `change` which columns of theirs are to be unique from now on.
    pub(crate) async fn violations(
        &self,
        at: &At<'_>,
        change: &SchemaChange,
        stays: impl Fn(&str) -> bool,
    ) -> Vec<Refused> {
        let mut violations = Vec::new();
        for ((table, column), values) in &self.0 {
            let Some(coming) = values.coming() else { continue };
            let mut refuse = |count: u64, what: &str| violations.extend(refused(table, column, count, what));
            refuse(repeated(&coming), "values come more than once");
            if values.way == Way::Alone || !stays(table) {
                continue;
            }
            // Of those that are merged into, the load may take the ones that are there twice.
            if values.way == Way::Added && is_unique_now(change, table, column) {
                let before = twice_there(at, table, column).await.unwrap_or_default();
                refuse(before, "values are there more than once");
            }
            // Where nothing can be asked, nothing is known.
            let there = values.there(at, table, column, &coming).await.unwrap_or_default();
            refuse(there, "rows that stay have values of the load");
        }
        violations
    }
}

impl Values {
    /// The values of the rows that would come; `None` where that cannot be told.
    fn coming(&self) -> Option<Vec<&str>> {
        let rows = self.rows.as_ref()?;
        if !matches!(self.way, Way::ByKey { once: true, .. }) {
            return Some(rows.iter().filter_map(|row| row.value.as_deref()).collect());
        }
        let last: HashMap<&Option<String>, &Row> = rows.iter().map(|row| (&row.key, row)).collect();
        Some(last.into_values().filter_map(|row| row.value.as_deref()).collect())
    }

    /// Counts the rows that stay and have one of these values.
    async fn there(&self, at: &At<'_>, table: &str, column: &str, values: &[&str]) -> Option<u64> {
        let (table, column) = (quoted(table), quoted(column));
        let gone: HashSet<&str> = self.rows.iter().flatten().filter_map(|row| row.key.as_deref()).collect();
        let mut count = 0;
        for some in values.chunks(A_QUERY) {
            let from = format!("FROM {table} WHERE {column} IN ({})", some.join(", "));
            count += match &self.way {
                Way::ByKey { column: key, .. } => {
                    let sql = format!("SELECT CAST({} AS VARCHAR) {from}", quoted(key));
                    let keys = at.texts(&sql).await?;
                    keys.iter().filter(|key| key.as_deref().is_none_or(|key| !gone.contains(key))).count() as u64
                }
                _ => at.number(&format!("SELECT count(*) {from}")).await?,
            };
        }
        Some(count)
    }
}

fn is_unique_now(change: &SchemaChange, table: &str, column: &str) -> bool {
    let hinted = change.tables.iter().filter(|c| c.table == table).flat_map(|c| &c.hinted);
    hinted.into_iter().any(|h| h.column == column && h.unique)
}

/// Counts the values that rows have more than once already.
async fn twice_there(at: &At<'_>, table: &str, column: &str) -> Option<u64> {
    let (table, column) = (quoted(table), quoted(column));
    at.number(&format!(
        "SELECT count(*) FROM (SELECT {column} FROM {table} WHERE {column} IS NOT NULL GROUP BY {column} HAVING count(*) > 1) AS r"
    ))
    .await
}

/// What is refused of so many values or rows, if there are any.
fn refused(table: &str, column: &str, count: u64, what: &str) -> Option<Refused> {
    (count > 0).then(|| Refused {
        table: table.to_owned(),
        column: Some(column.to_owned()),
        path: column.to_owned(),
        reason: format!("the column '{column}' of '{table}' must be unique, and {count} {what}"),
        hint: HINT,
        count,
        file: None,
        line: None,
    })
}

/// How many values come more than once.
fn repeated(values: &[&str]) -> u64 {
    let mut times: HashMap<&str, u64> = HashMap::new();
    values.iter().for_each(|value| *times.entry(value).or_default() += 1);
    times.values().filter(|times| **times > 1).count() as u64
}

/// Returns the rows of a batch; `None` where values or keys are of a type that is not compared.
fn rows_of(way: &Way, rows: &RecordBatch, column: &str) -> Option<Vec<Row>> {
    let keys = match way {
        Way::Unknown => return None,
        Way::ByKey { column, .. } => texts(rows.column_by_name(column)?.as_ref())?,
        Way::Added | Way::Alone => vec![None; rows.num_rows()],
    };
    let values = match rows.column_by_name(column) {
        Some(values) => literals(values.as_ref())?,
        // Nobody has a value in this block.
        None => vec![None; rows.num_rows()],
    };
    Some(values.into_iter().zip(keys).map(|(value, key)| Row { value, key }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Int64Array, StringArray};
    use longshore_core::schema::{Column, DataType, Disposition};
    use std::sync::Arc;

    fn table(write: WriteRules) -> Table {
        let mut table = Table { write, ..Table::new("t", None) };
        table.columns = vec![Column::data("id", DataType::Bigint), Column::data("u", DataType::Text)];
        table.columns[1].properties.unique = true;
        table
    }

    fn merge(keys: [&[&str]; 2]) -> WriteRules {
        let [primary_key, merge_key] = keys.map(|names| names.iter().map(|n| (*n).to_owned()).collect());
        WriteRules { disposition: Disposition::Merge, primary_key, merge_key, ..WriteRules::default() }
    }

    /// How many values would come more than once; `None` where that cannot be told.
    fn twice(table: &Table, blocks: &[&[(i64, Option<&str>)]]) -> Option<u64> {
        let mut values = UniqueValues::default();
        for block in blocks {
            let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(block.iter().map(|(id, _)| *id)));
            let unique: ArrayRef = Arc::new(StringArray::from_iter(block.iter().map(|(_, u)| *u)));
            values.add(table, &RecordBatch::try_from_iter([("id", ids), ("u", unique)]).unwrap());
        }
        let coming = values.0.values().next().unwrap().coming().map(|rows| repeated(&rows));
        assert_eq!(coming.is_none(), values.unknown() == ["t.u"]);
        coming
    }

    #[test]
    fn values_that_a_load_has_twice_are_counted_once_each() {
        let added = table(WriteRules::default());
        assert_eq!(twice(&added, &[&[(1, Some("a")), (2, None), (3, Some("b"))], &[(4, None)]]), Some(0));
        assert_eq!(twice(&added, &[&[(1, Some("a")), (2, Some("a"))], &[(3, Some("a")), (4, Some("b"))]]), Some(1));
    }

    #[test]
    fn of_records_with_one_key_the_last_one_comes() {
        let by_key = table(merge([&["id"], &[]]));
        assert_eq!(twice(&by_key, &[&[(1, Some("a"))], &[(1, Some("a"))]]), Some(0));
        assert_eq!(twice(&by_key, &[&[(1, Some("a"))], &[(2, Some("a"))]]), Some(1));
        assert_eq!(twice(&by_key, &[&[(1, Some("a")), (2, Some("a")), (1, Some("b"))]]), Some(0));
        assert_eq!(twice(&by_key, &[&[(1, Some("a")), (2, Some("a"))], &[(1, None)]]), Some(0));
        // A group is replaced whole, and its records are not compared with one another.
        assert_eq!(twice(&table(merge([&[], &["id"]])), &[&[(1, Some("a")), (1, Some("a"))]]), Some(1));
    }

    #[test]
    fn what_depends_on_more_than_one_key_is_not_told() {
        let marked = WriteRules { hard_delete: Some("gone".into()), ..merge([&["id"], &[]]) };
        let history = WriteRules { strategy: MergeStrategy::Scd2, ..merge([&["id"], &[]]) };
        for write in [merge([&["id", "u"], &[]]), merge([&["id"], &["u"]]), marked, history] {
            assert_eq!(twice(&table(write), &[&[(1, Some("a")), (2, Some("a"))]]), None);
        }
    }
}
