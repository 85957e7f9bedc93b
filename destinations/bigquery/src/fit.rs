//! What is set for tables, or hinted, against the tables that a load has: names are found however they are written, and what BigQuery would
//! refuse is refused in words.

use crate::checks::MOST_CLUSTERED;
use crate::options::{PartitionBy, TableOptions};
use crate::types::{modern, type_name};
use longshore_core::error::{Error, Result};
use longshore_core::misspelt::suggest;
use longshore_core::naming::field_column;
use longshore_core::schema::{Schema, Table};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Types that tables can be clustered by (https://cloud.google.com/bigquery/docs/clustered-tables#cluster_column_types).
const CLUSTERED: [&str; 10] =
    ["BIGNUMERIC", "BOOL", "DATE", "DATETIME", "GEOGRAPHY", "INT64", "NUMERIC", "RANGE", "STRING", "TIMESTAMP"];

impl TableOptions {
    /// Returns them with columns named as the table has them: `CustomerId` is `customer_id`.
    pub(crate) fn named_as_in(mut self, table: &Table) -> Self {
        let named = |name: &str| find(table, name).unwrap_or(name).to_owned();
        for name in &mut self.cluster_by {
            *name = named(name);
        }
        match &mut self.partition_by {
            Some(PartitionBy::Column(column)) => *column = named(column),
            Some(PartitionBy::Time(time)) => time.column = named(&time.column),
            Some(PartitionBy::Range(range)) => range.column = named(&range.column),
            Some(PartitionBy::Ingestion(_)) | None => {}
        }
        self.columns = std::mem::take(&mut self.columns).into_iter().map(|(name, o)| (named(&name), o)).collect();
        self
    }

    /// Refuses what no table with these columns can be.
    pub(crate) fn check(&self, table: &Table) -> Result<()> {
        let placed = |e: Error| e.with("table", &table.name);
        let names: BTreeSet<&String> = self.cluster_by.iter().collect();
        if self.cluster_by.len() > MOST_CLUSTERED || names.len() < self.cluster_by.len() {
            return Err(placed(
                Error::config(format!("the table is to be clustered by {} columns", self.cluster_by.len()))
                    .with("columns", self.cluster_by.join(", "))
                    .hint(format!(
                        "BigQuery takes {MOST_CLUSTERED}, each once: take the hint 'cluster' from the others, or set tables.{}.cluster_by",
                        table.name
                    )),
            ));
        }
        for column in &table.columns {
            let kind = self.kind(column).map_err(placed)?.unwrap_or(type_name(column.data_type));
            if names.contains(&column.name) {
                check_clustered(&column.name, kind).map_err(placed)?;
            }
        }
        Ok(())
    }

    /// Refuses what BigQuery refuses of a table that is there: `found` as the API describes it, with those columns.
    pub(crate) fn check_found(&self, found: &Value, fields: &[Value]) -> Result<()> {
        self.check_partitions(!found["timePartitioning"].is_null(), !found["rangePartitioning"].is_null())?;
        for name in &self.cluster_by {
            let field = fields.iter().find(|f| f["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name)));
            let Some(field) = field else {
                return Err(Error::config("cluster_by names a column that the table does not have")
                    .with("column", name)
                    .hint("columns are named as in the dataset: longshore pipeline NAME schema shows them"));
            };
            let is_list = field["mode"].as_str() == Some("REPEATED");
            check_clustered(name, if is_list { "ARRAY" } else { modern(field["type"].as_str().unwrap_or_default()) })?;
        }
        Ok(())
    }

    /// Refuses options of partitions where there are none, or none that have them.
    pub(crate) fn check_partitions(&self, by_time: bool, by_range: bool) -> Result<()> {
        if self.partition_expiration_days.is_some() && !by_time {
            let why = if by_range { "its partitions are of numbers" } else { "it has no partitions" };
            return Err(Error::config(format!("partition_expiration_days is set for a table, and {why}"))
                .hint("set partition_by to a timestamp or date before the table is made, or take partition_expiration_days out; expiration_days is for whole tables"));
        }
        if self.require_partition_filter == Some(true) && !by_time && !by_range {
            return Err(Error::config("require_partition_filter is set for a table, and it has no partitions")
                .hint("set partition_by before the table is made, or take require_partition_filter out"));
        }
        Ok(())
    }
}

fn check_clustered(column: &str, kind: &str) -> Result<()> {
    match CLUSTERED.contains(&kind) {
        true => Ok(()),
        false => Err(Error::config(format!("a table cannot be clustered by a column of type {kind}"))
            .with("column", column)
            .hint("BigQuery clusters by texts, whole and decimal numbers, bools, dates and timestamps: name another column")),
    }
}

/// Returns a column's name in the table: exactly so, with other capitals, or as names of fields become names of columns.
fn find<'a>(table: &'a Table, name: &str) -> Option<&'a str> {
    let by = |is: &dyn Fn(&str) -> bool| table.columns.iter().map(|c| c.name.as_str()).find(|n| is(n));
    let made = || field_column(name).and_then(|made| by(&|n| n == made));
    by(&|n| n == name).or_else(|| by(&|n| n.to_lowercase() == name.to_lowercase())).or_else(made)
}

/// Says what of the settings is about tables and columns that the load does not have, and what was most likely meant.
pub(crate) fn strangers(tables: &BTreeMap<String, TableOptions>, schema: &Schema) -> Vec<String> {
    let mut said = Vec::new();
    for (name, options) in tables.iter().filter(|(name, _)| !schema.system_columns.owns_table(name)) {
        let Some(table) = schema.table(name) else {
            let meant = meant(name, schema.tables.iter().map(|t| t.name.as_str()));
            said.push(format!("tables.{name} is set for the destination, and the load has no such table{meant}"));
            continue;
        };
        for column in options.columns.keys().filter(|c| find(table, c).is_none()) {
            let meant = meant(column, table.columns.iter().map(|c| c.name.as_str()));
            said.push(format!(
                "tables.{name}.columns.{column} is set for the destination, and the table has no such column{meant}"
            ));
        }
    }
    said
}

/// `: did you mean 'x'?`, or nothing.
pub(crate) fn meant<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    suggest(word, known).map_or_else(String::new, |near| format!(": {near}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore_core::schema::{Column, DataType, SystemColumns};
    use serde_json::json;

    fn table() -> Table {
        let mut table = Table::new("orders", None);
        let columns = [
            ("customer_id", DataType::Bigint),
            ("price", DataType::Double),
            ("extra", DataType::Json),
            ("photo", DataType::Binary),
            ("hour", DataType::Time),
        ];
        table.columns = columns.map(|(name, kind)| Column::data(name, kind)).into();
        table
    }

    fn options(value: Value) -> TableOptions {
        serde_json::from_value::<TableOptions>(value).unwrap().named_as_in(&table()).with_hints(&table())
    }

    #[test]
    fn columns_are_found_however_they_are_written() {
        for name in ["customer_id", "CUSTOMER_ID", "CustomerId", "customerId"] {
            let options = options(json!({
                "cluster_by": [name], "partition_by": {"column": name, "start": 0, "end": 9, "step": 1},
                "columns": {name: {"description": "who"}},
            }));
            assert_eq!(options.cluster_by, ["customer_id"]);
            assert!(options.columns.contains_key("customer_id"), "{options:?}");
            let Some(PartitionBy::Range(range)) = &options.partition_by else { panic!("ranges") };
            assert_eq!(range.column, "customer_id");
        }
    }

    #[test]
    fn a_table_is_clustered_by_what_bigquery_can_cluster_by() {
        options(json!({"cluster_by": ["customer_id"]})).check(&table()).unwrap();
        for (column, kind) in [("price", "FLOAT64"), ("extra", "JSON"), ("photo", "BYTES"), ("hour", "TIME")] {
            let error = options(json!({"cluster_by": [column]})).check(&table()).unwrap_err();
            assert!(error.message().contains(kind) && error.to_string().contains(column), "{error}");
            let fields = [json!({"name": column, "type": kind})];
            options(json!({"cluster_by": [column]})).check_found(&json!({}), &fields).unwrap_err();
        }
        let as_text = json!({"cluster_by": ["extra"], "columns": {"extra": {"type": "STRING"}}});
        options(as_text).check(&table()).unwrap();
        options(json!({"cluster_by": ["CustomerId", "customer_id"]})).check(&table()).unwrap_err();
        let mut hinted = table();
        hinted.columns = (0..5).map(|i| Column::data(format!("c{i}"), DataType::Text)).collect();
        hinted.columns.iter_mut().for_each(|c| c.properties.cluster = true);
        let error = TableOptions::default().with_hints(&hinted).check(&hinted).unwrap_err();
        assert!(error.message().contains("5 columns") && error.to_string().contains("c0, c1"), "{error}");
    }

    #[test]
    fn partitions_have_options_only_where_they_are() {
        let expiring = options(json!({"partition_expiration_days": 1}));
        for (found, text) in [(json!({}), "no partitions"), (json!({"rangePartitioning": {}}), "of numbers")] {
            let error = expiring.check_found(&found, &[]).unwrap_err();
            assert!(error.message().contains(text), "{error}");
        }
        expiring.check_found(&json!({"timePartitioning": {"type": "DAY"}}), &[]).unwrap();
        let filtered = options(json!({"require_partition_filter": true}));
        filtered.check_found(&json!({"rangePartitioning": {}}), &[]).unwrap();
        filtered.check_found(&json!({}), &[]).unwrap_err();
    }

    #[test]
    fn what_is_set_for_nothing_is_said_with_what_was_meant() {
        let mut schema = Schema::new("p", SystemColumns::Native);
        schema.tables.push(table());
        let set = |name: &str, column: &str| {
            let options = json!({"columns": {column: {"description": "x"}}});
            strangers(&BTreeMap::from([(name.to_owned(), serde_json::from_value(options).unwrap())]), &schema)
        };
        assert!(
            set("orders", "price").is_empty() && set("orders", "Price").is_empty() && set("_loads", "x").is_empty()
        );
        let said = set("ordres", "price");
        assert!(
            said.len() == 1 && said[0].contains("tables.ordres") && said[0].ends_with("did you mean 'orders'?"),
            "{said:?}"
        );
        let said = set("orders", "prise");
        assert!(said[0].contains("columns.prise") && said[0].ends_with("did you mean 'price'?"), "{said:?}");
        assert!(set("customers", "x")[0].ends_with("no such table"));
    }
}
