//! Datasets and tables: looked up, made, and given more columns. Never more than that: nothing is renamed, retyped or dropped.
//!
//! Through the API and not by DDL: it is quicker, costs no job, and says with an etag when somebody else was faster.

use crate::api::Api;
use crate::error::Failure;
use crate::names::check_names;
use crate::options::TableOptions;
use crate::types::{conversion, field, modern};
use longshore_core::error::{Error, Result};
use longshore_core::schema::{Column, Table};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tries of a change that somebody else was faster with.
const TRIES: u32 = 8;

/// Returns a dataset's location; `None` when there is no such dataset.
pub(crate) async fn dataset_location(api: &Api, dataset: &str) -> Result<Option<String>> {
    match api.call(Method::GET, &format!("datasets/{dataset}"), None).await {
        Ok(found) => Ok(Some(found["location"].as_str().unwrap_or("US").to_owned())),
        Err(failure) if failure.status() == 404 => Ok(None),
        Err(failure) => Err(Error::from(failure).with("dataset", dataset)),
    }
}

/// Makes a dataset where it is missing, and returns its location. One that is elsewhere than `wanted` is an error.
pub(crate) async fn ensure_dataset(
    api: &Api,
    dataset: &str,
    wanted: Option<&str>,
    lifetime_ms: Option<u128>,
) -> Result<String> {
    if let Some(location) = dataset_location(api, dataset).await? {
        return check_location(dataset, location, wanted);
    }
    let mut body = json!({"datasetReference": {"projectId": api.config.project, "datasetId": dataset}});
    if let Some(location) = wanted {
        body["location"] = location.into();
    }
    if !api.config.labels.is_empty() {
        body["labels"] = json!(api.config.labels);
    }
    if let Some(lifetime) = lifetime_ms {
        body["defaultTableExpirationMs"] = lifetime.to_string().into();
    }
    match api.call(Method::POST, "datasets", Some(&body)).await {
        Ok(made) => Ok(made["location"].as_str().or(wanted).unwrap_or("US").to_owned()),
        Err(failure) if failure.status() == 409 => {
            let location = dataset_location(api, dataset).await?.unwrap_or_default();
            check_location(dataset, location, wanted)
        }
        Err(failure) => Err(Error::from(failure).with("dataset", dataset)),
    }
}

fn check_location(dataset: &str, location: String, wanted: Option<&str>) -> Result<String> {
    match wanted {
        Some(wanted) if !wanted.eq_ignore_ascii_case(&location) => {
            Err(Error::config(format!("the dataset is in {location}, not in {wanted}"))
                .with("dataset", dataset)
                .hint("leave the location out, or load into another dataset: a dataset cannot be moved"))
        }
        _ => Ok(location),
    }
}

/// Returns a table as the API describes it, or `None`.
pub(crate) async fn find(api: &Api, dataset: &str, table: &str) -> Result<Option<Value>, Failure> {
    match api.call(Method::GET, &path(dataset, table), None).await {
        Ok(found) => Ok(Some(found)),
        Err(failure) if failure.status() == 404 => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn path(dataset: &str, table: &str) -> String {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    format!("datasets/{dataset}/tables/{}", utf8_percent_encode(table, NON_ALPHANUMERIC))
}

fn description(api: &Api, dataset: &str, table: &str, fields: Vec<Value>) -> Value {
    json!({
        "tableReference": {"projectId": api.config.project, "datasetId": dataset, "tableId": table},
        "schema": {"fields": fields},
    })
}

/// Makes a staging table that goes by itself some day. One that is there stays as it is.
pub(crate) async fn make_staging(api: &Api, dataset: &str, table: &str, columns: &[Column]) -> Result<(), Failure> {
    let staged = |c: &Column| field(c, crate::types::staged_type(c.data_type), c.nullable);
    let mut body = description(api, dataset, table, columns.iter().map(staged).collect());
    body["expirationTime"] = (u128::from(now_ms()) + api.config.staging_lifetime.as_millis()).to_string().into();
    match api.call(Method::POST, &format!("datasets/{dataset}/tables"), Some(&body)).await {
        Err(failure) if failure.status() != 409 => Err(failure),
        _ => Ok(()),
    }
}

/// Removes a table, if it is there.
pub(crate) async fn remove(api: &Api, dataset: &str, table: &str) -> Result<(), Failure> {
    match api.call(Method::DELETE, &path(dataset, table), None).await {
        Err(failure) if failure.status() != 404 => Err(failure),
        _ => Ok(()),
    }
}

/// A table as it is in the dataset.
#[derive(Debug, Default)]
pub(crate) struct Ensured {
    /// Names and types of its columns.
    pub(crate) columns: Vec<(String, String)>,
    /// Names of those that it just got; of a new table, none.
    pub(crate) added: Vec<String>,
}

/// Makes a table, or the columns it lacks; returns it as it is then.
pub(crate) async fn ensure(api: &Api, dataset: &str, table: &Table) -> Result<Ensured> {
    let placed = |e: Error| e.with("table", &table.name).with("dataset", dataset);
    check_names(table, api.config.max_identifier_length)?;
    let none = TableOptions::default();
    let options = api.config.tables.get(&table.name).unwrap_or(&none);
    let mut added = Vec::new();
    for _ in 0..TRIES {
        let found = find(api, dataset, &table.name).await.map_err(|f| placed(f.into()))?;
        let (method, path, body, etag) = match found {
            None => {
                let fields = table.columns.iter().map(|c| made_field(c, options, c.nullable)).collect::<Result<_>>();
                let mut body = description(api, dataset, &table.name, fields.map_err(placed)?);
                options.describe_new(&mut body, table, now_ms()).map_err(placed)?;
                (Method::POST, format!("datasets/{dataset}/tables"), body, String::new())
            }
            Some(found) => {
                let fields = found["schema"]["fields"].as_array().cloned().unwrap_or_default();
                let grown = grow(&fields, table, options).map_err(placed)?;
                let mut changes = options.changes(&found);
                if grown != fields {
                    changes.insert("schema".into(), json!({"fields": grown}));
                }
                if changes.is_empty() {
                    return Ok(Ensured { columns: types_of(&fields), added });
                }
                added.extend(types_of(&grown[fields.len()..]).into_iter().map(|(name, _)| name));
                let etag = found["etag"].as_str().unwrap_or_default().to_owned();
                (Method::PATCH, path(dataset, &table.name), changes.into(), etag)
            }
        };
        let headers: &[(&str, &str)] = if etag.is_empty() { &[] } else { &[("If-Match", &etag)] };
        let _slot = api.slots.acquire().await;
        match api.call_with(method, &path, Some(&body), headers).await {
            Ok(now) => {
                let columns = types_of(now["schema"]["fields"].as_array().map_or(&[][..], |f| f));
                return Ok(Ensured { columns, added });
            }
            // Somebody else made or changed it meanwhile, or a reply was lost: it is looked at again.
            Err(failure) if matches!(failure.status(), 409 | 412) => {}
            Err(failure) => return Err(placed(failure.into())),
        }
    }
    Err(placed(Error::new(longshore_core::ErrorKind::Busy, "others keep changing the table")))
}

fn types_of(fields: &[Value]) -> Vec<(String, String)> {
    let text = |f: &Value, key: &str| f[key].as_str().unwrap_or_default().to_owned();
    fields.iter().map(|f| (text(f, "name"), modern(&text(f, "type")).to_owned())).collect()
}

/// Returns the fields with those added that the table needs, and with those relaxed that may be null from now on.
fn grow(fields: &[Value], table: &Table, options: &TableOptions) -> Result<Vec<Value>> {
    let mut grown = fields.to_vec();
    for there in &mut grown {
        let name = there["name"].as_str().unwrap_or_default().to_lowercase();
        // Column names differ by more than case.
        let ours = table.columns.iter().find(|c| c.name.to_lowercase() == name);
        if there["mode"].as_str() == Some("REQUIRED") && ours.is_none_or(|c| c.nullable) {
            there["mode"] = "NULLABLE".into();
        }
        let Some(ours) = ours else { continue };
        let kind = modern(there["type"].as_str().unwrap_or_default());
        if there["mode"].as_str() == Some("REPEATED") || conversion("", ours.data_type, kind).is_none() {
            return Err(Error::destination(format!(
                "a column is {kind} in BigQuery and {} in the load",
                ours.data_type
            ))
            .with("column", &ours.name)
            .hint("load into another dataset, or rename the column there"));
        }
    }
    let is_new = |c: &&Column| {
        let name = c.name.to_lowercase();
        !fields.iter().any(|f| f["name"].as_str().is_some_and(|n| n.to_lowercase() == name))
    };
    // A column that is added to rows that are there can only be nullable.
    let new: Result<Vec<Value>> = table.columns.iter().filter(is_new).map(|c| made_field(c, options, true)).collect();
    grown.extend(new?);
    options.dress(&mut grown);
    Ok(grown)
}

/// A column that is to be made, with what is set for it.
fn made_field(column: &Column, options: &TableOptions, nullable: bool) -> Result<Value> {
    let mut made = [field(column, column.data_type, nullable)];
    if let Some(kind) = options.kind(column)? {
        made[0]["type"] = kind.into();
    }
    options.dress(&mut made);
    let [made] = made;
    Ok(made)
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
    u64::try_from(now).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore_core::schema::ColumnRole;
    use longshore_core::schema::{DataType, SystemColumns};

    fn none() -> TableOptions {
        TableOptions::default()
    }

    fn table() -> Table {
        let mut table = Table::new("t", None);
        table.columns = vec![Column::data("a", DataType::Bigint), SystemColumns::Native.column(ColumnRole::RowId)];
        table
    }

    #[test]
    fn a_table_gets_what_it_lacks_and_keeps_what_it_has() {
        let there = json!({"name": "A", "type": "INTEGER", "mode": "REQUIRED", "policyTags": {"names": ["x"]}});
        let grown = grow(&[there], &table(), &none()).unwrap();
        assert_eq!(
            grown[0],
            json!({"name": "A", "type": "INTEGER", "mode": "NULLABLE", "policyTags": {"names": ["x"]}})
        );
        assert_eq!(grown[1], json!({"name": "_row_id", "type": "INT64", "mode": "NULLABLE"}));
        assert_eq!(grow(&grown, &table(), &none()).unwrap(), grown);
    }

    #[test]
    fn a_column_of_others_is_relaxed() {
        let there = json!({"name": "theirs", "type": "STRING", "mode": "REQUIRED"});
        assert_eq!(grow(&[there], &table(), &none()).unwrap()[0]["mode"], "NULLABLE");
    }

    #[test]
    fn another_type_is_an_error_that_names_the_column() {
        let error = grow(&[json!({"name": "a", "type": "STRING"})], &table(), &none()).unwrap_err();
        assert!(error.to_string().contains("column a"), "{error}");
    }

    #[test]
    fn a_dataset_elsewhere_is_an_error() {
        assert_eq!(check_location("d", "EU".into(), Some("eu")).unwrap(), "EU");
        let error = check_location("d", "US".into(), Some("EU")).unwrap_err();
        assert_eq!(error.message(), "the dataset is in US, not in EU");
    }
}
