//! Which partitions a merge has to look into.
//!
//! Where the column that a table is cut by is a part of the key, or the user says that records stay in their partition, rows
//! with the key of a new one can only be in the partitions of the new ones. Their first and last are put into variables of the
//! script: BigQuery leaves partitions out by values that are known when a statement begins, not by those of a subquery.

use crate::names::identifier;
use crate::options::TableOptions;
use crate::tables::Ensured;
use longshore_core::schema::{MergeStrategy, Table};

/// Between which values of the column rows are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Near {
    column: String,
    kind: String,
    low: String,
    high: String,
    /// Rows without a value may be meant too.
    or_null: bool,
}

impl Near {
    /// Returns what narrows down a merge into that table; `None` where all of it has to be looked through. `number` tells
    /// the merges of one script apart.
    pub(crate) fn of(root: &Table, there: &Ensured, options: &TableOptions, number: usize) -> Option<Near> {
        let column = there.partition_column.as_deref()?;
        let (column, kind) = (root.column(column)?.name.as_str(), there.kind(column)?);
        let write = &root.write;
        let is_in = |key: &[String]| key.is_empty() || key.iter().any(|k| k == column);
        let is_key = match write.strategy {
            MergeStrategy::Scd2 => return None,
            MergeStrategy::Cdc if write.merge_key.is_empty() => return None,
            MergeStrategy::Upsert | MergeStrategy::InsertOnly => is_in(&write.primary_key),
            MergeStrategy::DeleteInsert | MergeStrategy::Cdc => is_in(&write.primary_key) && is_in(&write.merge_key),
        };
        (is_key || options.stays_in_partition).then(|| Near {
            column: identifier(column),
            kind: kind.to_owned(),
            low: format!("_longshore_low{number}"),
            high: format!("_longshore_high{number}"),
            or_null: !is_key,
        })
    }

    /// The statement that stands at the script's beginning.
    pub(crate) fn declaration(&self) -> String {
        format!("DECLARE {}, {} {}", self.low, self.high, self.kind)
    }

    /// The statements that look at the staged rows.
    pub(crate) fn look(&self, staged: &str) -> [String; 2] {
        let set = |variable: &str, function: &str| {
            format!("SET {variable} = (SELECT {function}(s.{}) FROM {staged} s)", self.column)
        };
        [set(&self.low, "MIN"), set(&self.high, "MAX")]
    }

    /// The condition on the table's rows.
    pub(crate) fn condition(&self, of: &str) -> String {
        let Near { column, low, high, .. } = self;
        let between = format!("{of}{column} BETWEEN {low} AND {high}");
        if self.or_null { format!("({between} OR {of}{column} IS NULL)") } else { between }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore_core::schema::{Column, DataType, Disposition, WriteRules};
    use serde_json::json;

    fn root(key: &[&str], strategy: MergeStrategy) -> Table {
        let mut table = Table::new("t", None);
        table.columns = vec![Column::data("id", DataType::Bigint), Column::data("at", DataType::Timestamp)];
        let primary_key = key.iter().map(|k| (*k).to_owned()).collect();
        table.write = WriteRules { disposition: Disposition::Merge, strategy, primary_key, ..WriteRules::default() };
        table
    }

    fn there() -> Ensured {
        let fields = json!([{"name": "id", "type": "INTEGER"}, {"name": "at", "type": "TIMESTAMP"}]);
        Ensured::of(
            &json!({"schema": {"fields": fields}, "timePartitioning": {"type": "DAY", "field": "at"}}),
            Vec::new(),
        )
    }

    #[test]
    fn a_key_with_the_column_narrows_the_merge_down() {
        let options = TableOptions::default();
        let near = Near::of(&root(&["id", "at"], MergeStrategy::Upsert), &there(), &options, 0).unwrap();
        assert_eq!(near.declaration(), "DECLARE _longshore_low0, _longshore_high0 TIMESTAMP");
        assert_eq!(near.condition("d."), "d.`at` BETWEEN _longshore_low0 AND _longshore_high0");
        assert!(Near::of(&root(&["id"], MergeStrategy::Upsert), &there(), &options, 0).is_none());
    }

    #[test]
    fn a_promise_does_too_but_not_where_other_rows_go_as_well() {
        let options = TableOptions { stays_in_partition: true, ..TableOptions::default() };
        let near = Near::of(&root(&["id"], MergeStrategy::DeleteInsert), &there(), &options, 1).unwrap();
        assert_eq!(near.condition(""), "(`at` BETWEEN _longshore_low1 AND _longshore_high1 OR `at` IS NULL)");
        for strategy in [MergeStrategy::Scd2, MergeStrategy::Cdc] {
            assert!(Near::of(&root(&["id"], strategy), &there(), &options, 0).is_none());
        }
        assert!(Near::of(&root(&["id"], MergeStrategy::Upsert), &Ensured::default(), &options, 0).is_none());
    }
}
