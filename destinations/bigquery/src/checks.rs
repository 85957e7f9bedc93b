//! Settings that no load could work with: refused when they are read, by their keys, and not in the middle of a load.

use crate::config::Config;
use crate::fit::meant;
use crate::names::check_dataset;
use crate::options::{PartitionBy, TableOptions};
use crate::types::{modern, type_name};
use longshore_core::error::{Error, Result};
use longshore_core::schema::DataType;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Staging tables that nobody removed are gone after this.
const STAGING_HOURS: u64 = 72;
/// Moments later than some thousand years from now are none that BigQuery knows.
const MOST_DAYS: u64 = 1_000_000;
/// Columns of a cluster (https://cloud.google.com/bigquery/docs/clustered-tables#limitations).
pub(crate) const MOST_CLUSTERED: usize = 4;
/// Partitions of a table (https://cloud.google.com/bigquery/quotas#partitioned_tables).
const MOST_PARTITIONS: i128 = 10_000;
/// Longest key or value of a label (https://cloud.google.com/bigquery/docs/labels-intro#requirements).
const LONGEST_LABEL: usize = 63;
/// Labels of a table, a dataset or a job.
const MOST_LABELS: usize = 64;

/// Refuses settings that BigQuery would refuse.
pub(crate) fn check(config: &Config) -> Result<()> {
    if let Some(staging) = &config.staging_dataset {
        check_dataset(staging).map_err(|_| {
            wrong("staging_dataset", "is no name of a dataset")
                .hint("letters without accents, digits and _ are allowed")
        })?;
    }
    check_labels("labels", &config.labels)?;
    config.tables.iter().try_for_each(|(name, options)| check_table(name, options))
}

/// Returns how long staging tables live.
pub(crate) fn staging_lifetime(hours: Option<u64>) -> Result<Duration> {
    let hours = hours.unwrap_or(STAGING_HOURS).max(1);
    match hours <= MOST_DAYS * 24 {
        true => Ok(Duration::from_secs(hours * 3600)),
        false => Err(wrong("staging_hours", "is too large").hint("write hours, such as 72")),
    }
}

/// Reads the options of tables, each by itself, so that what is wrong is named with its table.
pub(crate) fn table_options(given: BTreeMap<String, Value>) -> Result<BTreeMap<String, TableOptions>> {
    let read = |(name, value): (String, Value)| match serde_json::from_value::<TableOptions>(value) {
        Ok(mut options) => {
            for (column, options) in &mut options.columns {
                let at = format!("tables.{name}.columns.{column}");
                options.kind = options.kind.as_deref().map(|kind| known_type(&at, kind)).transpose()?;
                check_tags(&at, &options.policy_tags)?;
            }
            Ok((name, options))
        }
        Err(e) => Err(Error::config(format!("the setting 'tables.{name}' is wrong: {e}"))),
    };
    given.into_iter().map(read).collect()
}

/// Returns a type as the API names it, in whatever letters it is written.
fn known_type(at: &str, kind: &str) -> Result<String> {
    let upper = kind.trim().to_uppercase();
    let known = || DataType::ALL.into_iter().map(type_name).chain(["NUMERIC"]);
    if known().any(|k| k == modern(&upper)) {
        return Ok(modern(&upper).to_owned());
    }
    let text = format!("is no type of BigQuery's that columns are made with{}", meant(&upper, known()));
    Err(wrong(&format!("{at}.type"), &text)
        .hint("decimals may be NUMERIC or BIGNUMERIC, whole numbers too, JSON may be STRING"))
}

fn check_tags(at: &str, tags: &[String]) -> Result<()> {
    let is_tag = |tag: &String| match tag.split('/').collect::<Vec<_>>()[..] {
        ["projects", project, "locations", location, "taxonomies", taxonomy, "policyTags", tag] => {
            [project, location, taxonomy, tag].iter().all(|part| !part.trim().is_empty())
        }
        _ => false,
    };
    if let Some(tag) = tags.iter().find(|tag| !is_tag(tag)) {
        return Err(wrong(&format!("{at}.policy_tags"), &format!("names no policy tag: '{tag}'"))
            .hint("write projects/PROJECT/locations/LOCATION/taxonomies/ID/policyTags/ID, as the console shows it"));
    }
    match tags.len() {
        0 | 1 => Ok(()),
        _ => Err(wrong(&format!("{at}.policy_tags"), "names more than one tag").hint("a column has one policy tag")),
    }
}

fn check_table(name: &str, options: &TableOptions) -> Result<()> {
    let key = |key: &str| format!("tables.{name}.{key}");
    for (word, days) in
        [("expiration_days", options.expiration_days), ("partition_expiration_days", options.partition_expiration_days)]
    {
        if days == Some(0) {
            return Err(
                wrong(&key(word), "is 0, and nothing would stay").hint("write days, such as 365, or leave it out")
            );
        }
        if days.is_some_and(|d| d > MOST_DAYS) {
            return Err(wrong(&key(word), "is too large").hint("write days, such as 365"));
        }
    }
    let clustered: BTreeSet<String> = options.cluster_by.iter().map(|c| c.to_lowercase()).collect();
    if clustered.len() > MOST_CLUSTERED || clustered.len() < options.cluster_by.len() {
        return Err(wrong(&key("cluster_by"), "cannot be used")
            .hint(format!("a table is clustered by at most {MOST_CLUSTERED} columns, each named once")));
    }
    if let Some(PartitionBy::Range(range)) = &options.partition_by
        && (range.step <= 0 || range.end <= range.start)
    {
        return Err(
            wrong(&key("partition_by"), "has no ranges").hint("end has to be larger than start, and step than 0")
        );
    }
    let by_time =
        matches!(options.partition_by, Some(PartitionBy::Time(_) | PartitionBy::Column(_) | PartitionBy::Ingestion(_)));
    if options.partition_by.is_some() {
        options.check_partitions(by_time, !by_time).map_err(|e| e.with("setting", format!("tables.{name}")))?;
    }
    if let Some(PartitionBy::Range(range)) = &options.partition_by {
        let ranges = (i128::from(range.end) - i128::from(range.start) - 1) / i128::from(range.step) + 1;
        if ranges > MOST_PARTITIONS {
            return Err(wrong(&key("partition_by"), &format!("makes {ranges} partitions"))
                .hint(format!("a table has at most {MOST_PARTITIONS}: make step larger")));
        }
    }
    check_labels(&key("labels"), &options.labels)
}

fn check_labels(at: &str, labels: &BTreeMap<String, String>) -> Result<()> {
    let allowed = |c: char| (c.is_alphanumeric() && !c.is_uppercase()) || matches!(c, '_' | '-');
    let fits = |text: &str| text.chars().count() <= LONGEST_LABEL && text.chars().all(allowed);
    let is_good =
        |name: &str, value: &str| fits(name) && fits(value) && name.chars().next().is_some_and(char::is_alphabetic);
    if labels.len() > MOST_LABELS {
        return Err(wrong(at, &format!("has {} labels", labels.len())).hint(format!("BigQuery takes {MOST_LABELS}")));
    }
    match labels.iter().find(|(name, value)| !is_good(name, value)) {
        None => Ok(()),
        Some((name, _)) => Err(wrong(&format!("{at}.{name}"), "is no label that BigQuery allows").hint(format!(
            "labels and their values are small letters, digits, - and _, at most {LONGEST_LABEL}, and a label begins with a letter"
        ))),
    }
}

fn wrong(key: &str, what: &str) -> Error {
    Error::config(format!("the setting '{key}' {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(options: Value) -> String {
        let given = BTreeMap::from([("orders".to_owned(), options)]);
        let read = table_options(given).and_then(|tables| check_table("orders", &tables["orders"]));
        read.expect_err("it is refused").to_string()
    }

    #[test]
    fn options_of_tables_that_cannot_work_are_named() {
        let much = 999_999_999_999_999_u64;
        for (options, key) in [
            (json!({"expiration_days": much}), "tables.orders.expiration_days"),
            (
                json!({"partition_by": "at", "partition_expiration_days": much}),
                "tables.orders.partition_expiration_days",
            ),
            (json!({"cluster_by": ["a", "b", "c", "d", "e"]}), "tables.orders.cluster_by"),
            (json!({"cluster_by": ["a", "A"]}), "tables.orders.cluster_by"),
            (json!({"partition_by": {"column": "id", "start": 10, "end": 0, "step": 1}}), "tables.orders.partition_by"),
            (json!({"partition_by": {"column": "id", "start": 0, "end": 10, "step": 0}}), "tables.orders.partition_by"),
            (
                json!({"partition_by": {"column": "id", "start": 0, "end": 10_001, "step": 1}}),
                "tables.orders.partition_by",
            ),
            (json!({"expiration_days": 0}), "tables.orders.expiration_days"),
            (json!({"columns": {"price": {"type": "NUMERRIC"}}}), "tables.orders.columns.price.type"),
            (json!({"columns": {"price": {"type": "VARCHAR"}}}), "tables.orders.columns.price.type"),
            (json!({"columns": {"note": {"policy_tags": ["pii"]}}}), "tables.orders.columns.note.policy_tags"),
            (json!({"columns": {"note": {"policy_tags": [TAG, TAG]}}}), "tables.orders.columns.note.policy_tags"),
            (
                json!({"columns": {"note": {"policy_tags": [TAG.replace("1", "")]}}}),
                "tables.orders.columns.note.policy_tags",
            ),
            (json!({"labels": {"team": "Sales Dept"}}), "tables.orders.labels.team"),
        ] {
            let text = refusal(options);
            assert!(text.contains(&format!("'{key}'")), "{text}");
        }
        let by_range = json!({"column": "id", "start": 0, "end": 10, "step": 1});
        let text = refusal(json!({"partition_by": by_range, "partition_expiration_days": 3}));
        assert!(text.contains("partition_expiration_days") && text.contains("tables.orders"), "{text}");
        assert!(refusal(json!({"columns": {"price": {"type": "numerric"}}})).contains("did you mean 'NUMERIC'?"));
        let text = refusal(json!({"partition_by": {"column": "at", "every": "week"}}));
        assert!(text.contains("tables.orders") && text.contains("partition_by"), "{text}");
        assert!(text.contains("hour, day, month or year"), "{text}");
    }

    const TAG: &str = "projects/p/locations/eu/taxonomies/1/policyTags/2";

    #[test]
    fn types_are_known_in_any_letters_and_by_their_old_names() {
        for (given, kind) in
            [("numeric", "NUMERIC"), ("Decimal", "NUMERIC"), ("bigdecimal", "BIGNUMERIC"), ("string", "STRING")]
        {
            let options = json!({"columns": {"price": {"type": given, "policy_tags": [TAG]}}});
            let tables = table_options(BTreeMap::from([("orders".to_owned(), options)])).unwrap();
            assert_eq!(tables["orders"].columns["price"].kind.as_deref(), Some(kind));
        }
    }

    #[test]
    fn there_are_as_many_labels_as_bigquery_takes() {
        let labels = |n: usize| (0..n).map(|i| (format!("l{i}"), String::new())).collect::<BTreeMap<_, _>>();
        check_labels("labels", &labels(64)).unwrap();
        assert!(check_labels("labels", &labels(65)).unwrap_err().message().contains("65 labels"));
    }

    #[test]
    fn labels_may_be_empty_or_of_other_letters() {
        let labels = [("team", ""), ("größe", "1-a_b")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        check_labels("labels", &labels.into()).unwrap();
    }
}
