//! What a user says of single tables: partitions, clusters, descriptions, labels, expiration, tags of policies.
//!
//! Partitions belong to a table's making; everything else is brought up to date in tables that are there. What is not set
//! is left as it is, so that it may be set by others (the console, Terraform).

use crate::types::{NUMERIC_SCALE, conversion, rounds};
use longshore_core::error::{Error, Result};
use longshore_core::schema::{Column, DataType, Table};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const DAY_MS: u64 = 86_400_000;

/// Options of one table, by its name in the dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TableOptions {
    /// How the table is cut into partitions, when it is made.
    pub partition_by: Option<PartitionBy>,
    /// How many days a partition lives.
    pub partition_expiration_days: Option<u64>,
    /// Queries without a filter on the partition column are refused.
    pub require_partition_filter: Option<bool>,
    /// A record that is merged again is in the partition it was in before: rows are looked for there only.
    pub stays_in_partition: bool,
    /// Columns by which rows are put side by side, at most four.
    pub cluster_by: Vec<String>,
    /// What the table is.
    pub description: Option<String>,
    /// Labels of the table.
    pub labels: BTreeMap<String, String>,
    /// How many days a table lives, from its making.
    pub expiration_days: Option<u64>,
    /// Options of its columns, by name.
    pub columns: BTreeMap<String, ColumnOptions>,
}

/// Options of one column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ColumnOptions {
    /// What the column is.
    pub description: Option<String>,
    /// Resource names of policy tags (`projects/…/policyTags/…`).
    pub policy_tags: Vec<String>,
    /// BigQuery's type, when the column is made: `NUMERIC` for decimals, `STRING` for JSON.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

/// How a table is cut into partitions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    expecting = "partition_by is a column's name, { column, every }, { column, start, end, step } or { ingestion }, where every and ingestion are hour, day, month or year"
)]
pub enum PartitionBy {
    /// By the days of a timestamp or date.
    Column(String),
    /// By hours, days, months or years of a timestamp or date.
    Time(TimePartition),
    /// By ranges of a whole number.
    Range(RangePartition),
    /// By the time a row came.
    Ingestion(IngestionPartition),
}

/// Partitions by a timestamp or date.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimePartition {
    /// The column.
    pub column: String,
    /// Length of a partition.
    #[serde(default)]
    pub every: Every,
}

/// Partitions by a whole number: from `start`, before `end`, `step` numbers each.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangePartition {
    /// The column.
    pub column: String,
    /// The first number.
    pub start: i64,
    /// The number behind the last.
    pub end: i64,
    /// Numbers a partition.
    pub step: i64,
}

/// Partitions by the time a row came.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngestionPartition {
    /// Length of a partition.
    pub ingestion: Every,
}

/// Length of a partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Every {
    /// An hour.
    Hour,
    /// A day.
    #[default]
    Day,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl Every {
    fn word(self) -> &'static str {
        match self {
            Every::Hour => "HOUR",
            Every::Day => "DAY",
            Every::Month => "MONTH",
            Every::Year => "YEAR",
        }
    }
}

/// Ranges of whole numbers for who names only the column: days of moments in seconds, and the days around 2000, as dlt has them.
const DAYS_IN_SECONDS: (i64, i64, i64) = (-172_800_000, 691_200_000, 86_400);

impl TableOptions {
    /// Adds what hints of the table's columns say: `partition`, `cluster`, `description`.
    pub(crate) fn with_hints(mut self, table: &Table) -> Self {
        let marked = |is: fn(&Column) -> bool| table.columns.iter().filter(move |c| is(c));
        if self.partition_by.is_none() {
            self.partition_by = marked(|c| c.properties.partition).next().map(|c| match c.data_type {
                DataType::Bigint => {
                    let (start, end, step) = DAYS_IN_SECONDS;
                    PartitionBy::Range(RangePartition { column: c.name.clone(), start, end, step })
                }
                _ => PartitionBy::Column(c.name.clone()),
            });
        }
        if self.cluster_by.is_empty() {
            self.cluster_by = marked(|c| c.properties.cluster).map(|c| c.name.clone()).collect();
        }
        for column in marked(|c| c.properties.description.is_some()) {
            let options = self.columns.entry(column.name.clone()).or_default();
            options.description = options.description.take().or_else(|| column.properties.description.clone());
        }
        self
    }

    /// Adds to the description of a table that is to be made. `now` is in milliseconds since 1970.
    pub(crate) fn describe_new(&self, body: &mut Value, table: &Table, now: u64) -> Result<()> {
        if let Some(partition) = &self.partition_by {
            let (key, value) = self.partition(partition, table)?;
            body[key] = value;
        }
        if let Some(days) = self.expiration_days {
            body["expirationTime"] = now.saturating_add(days.saturating_mul(DAY_MS)).to_string().into();
        }
        if let Some(missing) = self.cluster_by.iter().find(|name| table.column(name).is_none()) {
            return Err(unknown_column("cluster_by", missing, table));
        }
        self.check_partitions(!body["timePartitioning"].is_null(), !body["rangePartitioning"].is_null())?;
        for (key, value) in self.changes(&Value::Null) {
            body[&key] = value;
        }
        Ok(())
    }

    fn partition(&self, partition: &PartitionBy, table: &Table) -> Result<(&'static str, Value)> {
        let time = |every: Every| json!({"type": every.word()});
        let by = |name: &str, fits: &[DataType]| match table.column(name) {
            None => Err(unknown_column("partition_by", name, table)),
            Some(c) if fits.contains(&c.data_type) => Ok(c.name.clone()),
            Some(c) => Err(Error::config(format!("a table cannot be partitioned by a column of type {}", c.data_type))
                .with("column", &c.name)
                .hint("partitions are made of timestamps and dates, or of whole numbers with start, end and step")),
        };
        let mut value = match partition {
            PartitionBy::Range(range) => {
                let field = by(&range.column, &[DataType::Bigint])?;
                let [start, end, interval] = [range.start, range.end, range.step].map(|n| n.to_string());
                let range = json!({"start": start, "end": end, "interval": interval});
                return Ok(("rangePartitioning", json!({"field": field, "range": range})));
            }
            PartitionBy::Ingestion(by_arrival) => time(by_arrival.ingestion),
            PartitionBy::Column(column) => {
                let mut value = time(Every::Day);
                value["field"] = by(column, &[DataType::Timestamp, DataType::Date])?.into();
                value
            }
            PartitionBy::Time(by_time) => {
                let mut value = time(by_time.every);
                value["field"] = by(&by_time.column, &[DataType::Timestamp, DataType::Date])?.into();
                value
            }
        };
        if let Some(days) = self.partition_expiration_days {
            value["expirationMs"] = days.saturating_mul(DAY_MS).to_string().into();
        }
        Ok(("timePartitioning", value))
    }

    /// Returns what differs in a table as the API describes it, columns left out.
    pub(crate) fn changes(&self, found: &Value) -> Map<String, Value> {
        let mut changes = Map::new();
        let mut want = |key: &str, value: Value| {
            if found[key] != value {
                changes.insert(key.to_owned(), value);
            }
        };
        if let Some(description) = &self.description {
            want("description", description.as_str().into());
        }
        if let Some(required) =
            self.require_partition_filter.filter(|r| *r || !found["requirePartitionFilter"].is_null())
        {
            want("requirePartitionFilter", required.into());
        }
        if !self.cluster_by.is_empty() {
            want("clustering", json!({"fields": self.cluster_by}));
        }
        if self.labels.iter().any(|(name, value)| found["labels"][name].as_str() != Some(value)) {
            let mut labels = found["labels"].as_object().cloned().unwrap_or_default();
            labels.extend(self.labels.iter().map(|(name, value)| (name.clone(), value.as_str().into())));
            want("labels", labels.into());
        }
        if let (Some(days), Some(there)) = (self.partition_expiration_days, found["timePartitioning"].as_object()) {
            let mut partitions = there.clone();
            partitions.insert("expirationMs".into(), days.saturating_mul(DAY_MS).to_string().into());
            want("timePartitioning", partitions.into());
        }
        changes
    }

    /// Adds descriptions and tags to columns as the API describes them.
    pub(crate) fn dress(&self, fields: &mut [Value]) {
        for field in fields {
            let options = field["name"].as_str().and_then(|name| self.columns.get(name));
            let Some(options) = options else { continue };
            if let Some(description) = &options.description {
                field["description"] = description.as_str().into();
            }
            if !options.policy_tags.is_empty() {
                field["policyTags"] = json!({"names": options.policy_tags});
            }
        }
    }

    /// Returns the type that a column is to be made with, if one is set.
    pub(crate) fn kind(&self, column: &Column) -> Result<Option<&str>> {
        let Some(kind) = self.columns.get(&column.name).and_then(|o| o.kind.as_deref()) else { return Ok(None) };
        if rounds(kind, column) {
            let digits = column.column_type().decimal_size().1;
            return Err(Error::config(format!(
                "NUMERIC has {NUMERIC_SCALE} digits behind the point, and the column {digits}"
            ))
            .with("column", &column.name)
            .hint("take its type out, or set BIGNUMERIC"));
        }
        match conversion("", column.data_type, kind) {
            Some(_) => Ok(Some(kind)),
            None => Err(Error::config(format!("a column of type {} cannot be {kind} in BigQuery", column.data_type))
                .with("column", &column.name)
                .hint("decimals may be NUMERIC or BIGNUMERIC, whole numbers too, JSON may be STRING")),
        }
    }
}

fn unknown_column(setting: &str, name: &str, table: &Table) -> Error {
    Error::config(format!("{setting} names a column that the table does not have"))
        .with("column", name)
        .with("table", &table.name)
        .hint("columns are named as in the dataset; a table is partitioned when it is made, so its first load must have the column")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("t", None);
        let columns = [("id", DataType::Bigint), ("at", DataType::Timestamp), ("price", DataType::Decimal)];
        table.columns = columns.map(|(name, kind)| Column::data(name, kind)).into();
        table
    }

    fn options(value: Value) -> TableOptions {
        serde_json::from_value(value).unwrap()
    }

    fn made(value: Value) -> Result<Value> {
        let mut body = json!({});
        options(value).describe_new(&mut body, &table(), 1000)?;
        Ok(body)
    }

    #[test]
    fn a_new_table_is_partitioned_and_clustered() {
        for (given, key, expected) in [
            (json!("at"), "timePartitioning", json!({"type": "DAY", "field": "at"})),
            (json!({"column": "at", "every": "month"}), "timePartitioning", json!({"type": "MONTH", "field": "at"})),
            (json!({"ingestion": "hour"}), "timePartitioning", json!({"type": "HOUR"})),
            (
                json!({"column": "id", "start": 0, "end": 100, "step": 10}),
                "rangePartitioning",
                json!({"field": "id", "range": {"start": "0", "end": "100", "interval": "10"}}),
            ),
        ] {
            let body = made(json!({"partition_by": given, "cluster_by": ["id"], "expiration_days": 1})).unwrap();
            assert_eq!(body[key], expected);
            assert_eq!(body["clustering"], json!({"fields": ["id"]}));
            assert_eq!(body["expirationTime"], "86401000");
        }
        let body = made(json!({"partition_by": "at", "partition_expiration_days": 2})).unwrap();
        assert_eq!(body["timePartitioning"]["expirationMs"], "172800000");
    }

    #[test]
    fn partitions_of_other_columns_are_refused() {
        for given in [json!("price"), json!("nosuch"), json!({"column": "at", "start": 0, "end": 1, "step": 1})] {
            assert!(made(json!({"partition_by": given})).is_err(), "{given}");
        }
        assert!(made(json!({"cluster_by": ["nosuch"]})).is_err());
        let error = serde_json::from_value::<TableOptions>(json!({"partition_by": {"colum": "at"}})).unwrap_err();
        assert!(error.to_string().contains("{ column, every }"), "{error}");
    }

    #[test]
    fn a_table_that_is_there_gets_what_is_set_and_keeps_the_rest() {
        let options = options(json!({"description": "d", "labels": {"a": "1"}, "partition_expiration_days": 1}));
        let found = json!({"description": "old", "labels": {"b": "2"}, "timePartitioning": {"type": "DAY"}});
        let changes = Value::Object(options.changes(&found));
        let expected = json!({
            "description": "d", "labels": {"b": "2", "a": "1"},
            "timePartitioning": {"type": "DAY", "expirationMs": "86400000"},
        });
        assert_eq!(changes, expected);
        assert!(options.changes(&expected).is_empty());
    }

    #[test]
    fn columns_get_descriptions_tags_and_types() {
        let options = options(json!({"columns": {
            "price": {"type": "NUMERIC", "description": "net", "policy_tags": ["projects/p/policyTags/1"]},
            "at": {"type": "INT64"},
        }}));
        let mut fields = [json!({"name": "price"}), json!({"name": "id"})];
        options.dress(&mut fields);
        assert_eq!(fields[0]["policyTags"], json!({"names": ["projects/p/policyTags/1"]}));
        assert_eq!((fields[0]["description"].as_str(), fields[1].get("description")), (Some("net"), None));
        assert_eq!(options.kind(&table().columns[2]).unwrap(), Some("NUMERIC"));
        assert!(options.kind(&table().columns[1]).is_err());
        let mut fine = table().columns[2].clone();
        for (scale, is_kept) in [(9, true), (10, false)] {
            (fine.properties.precision, fine.properties.scale) = (Some(38), Some(scale));
            assert_eq!(options.kind(&fine).is_ok(), is_kept, "{scale}");
        }
    }
}
