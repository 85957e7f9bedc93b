//! Datasets and tables: looked up, made, and given more columns. Never more than that: nothing is renamed, retyped or dropped.
//!
//! Through the API and not by DDL: it is quicker, costs no job, and says with an etag when somebody else was faster.

use crate::api::Api;
use crate::config::Config;
use crate::error::Failure;
use crate::names::check_names;
use crate::nested::{Shape, two_kinds};
use crate::options::TableOptions;
use crate::types::{conversion, field, modern, rounds, sized_type_name};
use crate::widen;
use longshore_core::error::{Error, Result};
use longshore_core::schema::{Column, DataType};
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

/// What a dataset is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Role {
    /// The loaded tables.
    Target,
    /// Staging tables, which go by themselves after some time, in milliseconds, if it is set.
    Staging(Option<u128>),
}

/// Makes a dataset where it is missing, and returns its location. One that is elsewhere than `wanted` is an error.
pub(crate) async fn ensure_dataset(api: &Api, dataset: &str, wanted: Option<&str>, role: Role) -> Result<String> {
    if let Some(location) = dataset_location(api, dataset).await? {
        return check_location(dataset, location, wanted, role);
    }
    let mut body = json!({"datasetReference": {"projectId": api.config.project, "datasetId": dataset}});
    if let Some(location) = wanted {
        body["location"] = location.into();
    }
    if !api.config.labels.is_empty() {
        body["labels"] = json!(api.config.labels);
    }
    if let Role::Staging(Some(lifetime)) = role {
        body["defaultTableExpirationMs"] = lifetime.to_string().into();
    }
    match api.call(Method::POST, "datasets", Some(&body)).await {
        Ok(made) => Ok(made["location"].as_str().or(wanted).unwrap_or("US").to_owned()),
        Err(failure) if failure.status() == 409 => {
            let location = dataset_location(api, dataset).await?.unwrap_or_default();
            check_location(dataset, location, wanted, role)
        }
        Err(failure) => Err(Error::from(failure).with("dataset", dataset)),
    }
}

fn check_location(dataset: &str, location: String, wanted: Option<&str>, role: Role) -> Result<String> {
    let Some(wanted) = wanted.filter(|w| !w.eq_ignore_ascii_case(&location)) else { return Ok(location) };
    let (what, hint) = match role {
        Role::Target => ("dataset", "leave the location out, or load into another dataset: a dataset cannot be moved"),
        Role::Staging(_) => (
            "staging dataset",
            "remove it if nothing else is in it, or name another one in staging_dataset: it has to be where the loaded tables are",
        ),
    };
    Err(Error::config(format!("the {what} is in {location}, not in {wanted}")).with("dataset", dataset).hint(hint))
}

/// Returns a table as the API describes it, or `None`.
pub(crate) async fn find(api: &Api, dataset: &str, table: &str) -> Result<Option<Value>, Failure> {
    match api.call(Method::GET, &path(dataset, table), None).await {
        Ok(found) => Ok(Some(found)),
        Err(failure) if failure.status() == 404 => Ok(None),
        Err(failure) => Err(failure),
    }
}

pub(crate) fn path(dataset: &str, table: &str) -> String {
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
#[derive(Debug, Default, Clone)]
pub(crate) struct Ensured {
    /// Its columns as the API describes them.
    pub(crate) fields: Vec<Value>,
    /// Names of those that it just got; of a new table, none.
    pub(crate) added: Vec<String>,
    /// The column by which it is cut into partitions.
    pub(crate) partition_column: Option<String>,
}

impl Ensured {
    /// Reads a table as the API describes it.
    pub(crate) fn of(description: &Value, added: Vec<String>) -> Self {
        let column = |key: &str| description[key]["field"].as_str().map(str::to_owned);
        Ensured {
            fields: description["schema"]["fields"].as_array().cloned().unwrap_or_default(),
            added,
            partition_column: column("timePartitioning").or_else(|| column("rangePartitioning")),
        }
    }

    /// Returns the type of a column, where the table has it.
    pub(crate) fn kind(&self, name: &str) -> Option<&str> {
        self.field(name).map(|f| modern(f["type"].as_str().unwrap_or_default()))
    }

    /// Returns what a list that is a column holds.
    pub(crate) fn list(&self, way: &[&str]) -> Ensured {
        let inner = |fields: Vec<Value>, name: &&str| {
            let field = fields.iter().find(|f| is_named(f, name));
            field.and_then(|f| f["fields"].as_array()).cloned().unwrap_or_default()
        };
        Ensured { fields: way.iter().fold(self.fields.clone(), inner), ..Ensured::default() }
    }

    /// Returns a column as the API describes it.
    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|f| is_named(f, name))
    }
}

/// Refuses a list to be a column where it is a table already: its older rows would be in one place, newer ones in another.
pub(crate) async fn refuse_table_of_list(api: &Api, dataset: &str, table: &str) -> Result<()> {
    match find(api, dataset, table).await.map_err(|f| Error::from(f).with("table", table))? {
        None => Ok(()),
        Some(_) => Err(Error::config("a list that is to be a column is a table in the dataset")
            .with("table", table)
            .with("dataset", dataset)
            .hint("take it out of 'nested', or load into another dataset")),
    }
}

/// Column names differ by more than case.
fn is_named(field: &Value, name: &str) -> bool {
    field["name"].as_str().is_some_and(|n| n.to_lowercase() == name.to_lowercase())
}

/// Makes a table, or the columns it lacks; returns it as it is then.
pub(crate) async fn ensure(api: &Api, dataset: &str, shape: &Shape) -> Result<Ensured> {
    let table = &shape.table;
    let placed = |e: Error| e.with("table", &table.name).with("dataset", dataset);
    check_names(&shape.with_lists(), api.config.max_identifier_length)?;
    let options = api.config.options(table);
    options.check(table).map_err(placed)?;
    let (mut added, mut is_widened) = (Vec::new(), false);
    for _ in 0..TRIES {
        let found = find(api, dataset, &table.name).await.map_err(|f| placed(f.into()))?;
        let (method, path, body, etag) = match found {
            None => {
                let body = new_table(api, dataset, shape).map_err(placed)?;
                (Method::POST, format!("datasets/{dataset}/tables"), body, String::new())
            }
            Some(found) => {
                let fields = found["schema"]["fields"].as_array().cloned().unwrap_or_default();
                let wider = widen::wider(&fields, table, &options).map_err(placed)?;
                if !wider.is_empty() && !is_widened {
                    widen::widen(api, dataset, &table.name, &wider).await.map_err(placed)?;
                    is_widened = true;
                    continue; // looked at again as it is now
                }
                let grown = grow(&fields, shape, &api.config).map_err(placed)?;
                options.check_found(&found, &grown).map_err(placed)?;
                let mut changes = options.changes(&found);
                if grown != fields {
                    changes.insert("schema".into(), json!({"fields": grown}));
                }
                if changes.is_empty() {
                    return Ok(Ensured::of(&found, added));
                }
                let names = grown[fields.len()..].iter().filter_map(|f| f["name"].as_str());
                added.extend(names.map(str::to_owned));
                let etag = found["etag"].as_str().unwrap_or_default().to_owned();
                (Method::PATCH, path(dataset, &table.name), changes.into(), etag)
            }
        };
        let headers: &[(&str, &str)] = if etag.is_empty() { &[] } else { &[("If-Match", &etag)] };
        let _slot = api.slots.acquire().await;
        match api.call_with(method, &path, Some(&body), headers).await {
            Ok(now) => return Ok(Ensured::of(&now, added)),
            // Somebody else made or changed it meanwhile, or a reply was lost: it is looked at again.
            Err(failure) if matches!(failure.status(), 409 | 412) => {}
            Err(failure) => return Err(placed(failure.into())),
        }
    }
    Err(placed(Error::new(longshore_core::ErrorKind::Busy, "others keep changing the table")))
}

/// Describes a table that is to be made.
pub(crate) fn new_table(api: &Api, dataset: &str, shape: &Shape) -> Result<Value> {
    let (table, options) = (&shape.table, &api.config.options(&shape.table));
    let mut fields = table.columns.iter().map(|c| made_field(c, options, c.nullable)).collect::<Result<Vec<_>>>()?;
    fields.extend(shape.lists.iter().map(|list| made_list(list, &api.config)).collect::<Result<Vec<_>>>()?);
    options.dress(&mut fields);
    let mut body = description(api, dataset, &table.name, fields);
    options.describe_new(&mut body, table, now_ms())?;
    Ok(body)
}

/// Returns the fields with those added that the table needs, and with those relaxed that may be null from now on.
pub(crate) fn grow(fields: &[Value], shape: &Shape, config: &Config) -> Result<Vec<Value>> {
    let options = &config.options(&shape.table);
    let mut grown = grow_columns(fields, &shape.table.columns.iter().collect::<Vec<_>>(), options)?;
    let is_list = |f: &Value| f["mode"].as_str() == Some("REPEATED");
    if let Some(list) = fields.iter().find(|f| is_list(f) && shape.tables_below.iter().any(|name| is_named(f, name))) {
        return Err(Error::config("a list is a column of its table there, and the load brings a table for it")
            .with("column", list["name"].as_str().unwrap_or_default())
            .hint("name it in 'nested' again, or load into another dataset"));
    }
    grow_lists(&mut grown, shape, config)?;
    options.dress(&mut grown);
    Ok(grown)
}

fn grow_columns(fields: &[Value], columns: &[&Column], options: &TableOptions) -> Result<Vec<Value>> {
    let mut grown = fields.to_vec();
    for there in &mut grown {
        let ours = columns.iter().find(|c| is_named(there, &c.name));
        if there["mode"].as_str() == Some("REQUIRED") && ours.is_none_or(|c| c.nullable) {
            there["mode"] = "NULLABLE".into();
        }
        let Some(ours) = ours else { continue };
        if there["mode"].as_str() == Some("REPEATED") {
            return Err(two_kinds(&ours.name));
        }
        let kind = modern(there["type"].as_str().unwrap_or_default());
        if rounds(kind, ours) {
            return Err(ours.rounded(kind, None, &sized_type_name(ours)));
        }
        let is_exact = ours.data_type == DataType::Bigint && kind == "FLOAT64" && ours.exact_double;
        if conversion("", ours.data_type, kind).is_none() && !is_exact {
            return Err(Error::destination(format!(
                "a column is {kind} in BigQuery and {} in the load",
                ours.data_type
            ))
            .with("column", &ours.name)
            .hint("load into another dataset, or rename the column there"));
        }
    }
    let is_new = |c: &&&Column| !fields.iter().any(|f| is_named(f, &c.name));
    // A column that is added to rows that are there can only be nullable.
    let new: Result<Vec<Value>> = columns.iter().filter(is_new).map(|c| made_field(c, options, true)).collect();
    grown.extend(new?);
    Ok(grown)
}

fn grow_lists(grown: &mut Vec<Value>, shape: &Shape, config: &Config) -> Result<()> {
    for list in &shape.lists {
        let (name, inner) = list;
        match grown.iter_mut().find(|f| is_named(f, name)) {
            None => grown.push(made_list(list, config)?),
            Some(there) if there["mode"].as_str() == Some("REPEATED") && there["fields"].is_array() => {
                let fields = there["fields"].as_array().cloned().unwrap_or_default();
                let options = &config.options(&inner.table);
                let mut fields = grow_columns(&fields, &inner.element_columns().collect::<Vec<_>>(), options)?;
                grow_lists(&mut fields, inner, config)?;
                options.dress(&mut fields);
                there["fields"] = fields.into();
            }
            Some(_) => return Err(two_kinds(name)),
        }
    }
    Ok(())
}

/// A list that is to be a column.
pub(crate) fn made_list((name, inner): &(String, Shape), config: &Config) -> Result<Value> {
    let options = &config.options(&inner.table);
    let fields = inner.element_columns().map(|c| made_field(c, options, true)).collect::<Result<Vec<_>>>()?;
    let mut fields: Vec<Value> = fields;
    fields.extend(inner.lists.iter().map(|list| made_list(list, config)).collect::<Result<Vec<_>>>()?);
    Ok(json!({"name": name, "type": "RECORD", "mode": "REPEATED", "fields": fields}))
}

/// A column that is to be made, with what is set for it.
pub(crate) fn made_field(column: &Column, options: &TableOptions, nullable: bool) -> Result<Value> {
    let mut made = [field(column, column.data_type, nullable)];
    if let Some(kind) = options.kind(column)? {
        made[0] = json!({"name": column.name, "type": kind, "mode": made[0]["mode"]});
    }
    options.dress(&mut made);
    let [made] = made;
    Ok(made)
}

pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
    u64::try_from(now).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore_core::connect::Connection;
    use longshore_core::schema::{ColumnRole, SystemColumns, Table};

    fn none() -> Config {
        Config::from_connection(&Connection::new("bigquery://p")).unwrap()
    }

    fn shape() -> Shape {
        let mut table = Table::new("t", None);
        table.columns = vec![Column::data("a", DataType::Bigint), SystemColumns::Native.column(ColumnRole::RowId)];
        Shape::plain(table)
    }

    #[test]
    fn a_table_gets_what_it_lacks_and_keeps_what_it_has() {
        let there = json!({"name": "A", "type": "INTEGER", "mode": "REQUIRED", "policyTags": {"names": ["x"]}});
        let grown = grow(&[there], &shape(), &none()).unwrap();
        assert_eq!(
            grown[0],
            json!({"name": "A", "type": "INTEGER", "mode": "NULLABLE", "policyTags": {"names": ["x"]}})
        );
        assert_eq!(grown[1], json!({"name": "_row_id", "type": "INT64", "mode": "NULLABLE"}));
        assert_eq!(grow(&grown, &shape(), &none()).unwrap(), grown);
    }

    #[test]
    fn a_column_of_others_is_relaxed() {
        let there = json!({"name": "theirs", "type": "STRING", "mode": "REQUIRED"});
        assert_eq!(grow(&[there], &shape(), &none()).unwrap()[0]["mode"], "NULLABLE");
    }

    #[test]
    fn another_type_is_an_error_that_names_the_column() {
        let error = grow(&[json!({"name": "a", "type": "STRING"})], &shape(), &none()).unwrap_err();
        assert!(error.to_string().contains("column a"), "{error}");
    }

    #[test]
    fn lists_grow_inside_their_column() {
        let mut line = Table::new("t__lines", Some("t".into()));
        line.columns = vec![Column::data("sku", DataType::Text), SystemColumns::Native.column(ColumnRole::ListIndex)];
        let mut with_lines = shape();
        with_lines.lists.push(("lines".into(), Shape::plain(line.clone())));
        let grown = grow(&[], &with_lines, &none()).unwrap();
        let lines = grown.last().unwrap();
        assert_eq!((&lines["type"], &lines["mode"]), (&json!("RECORD"), &json!("REPEATED")));
        assert_eq!(lines["fields"][1], json!({"name": "_list_idx", "type": "INT64", "mode": "NULLABLE"}));
        line.columns.push(Column::data("price", DataType::Double));
        with_lines.lists[0].1 = Shape::plain(line);
        let more = grow(&grown, &with_lines, &none()).unwrap();
        assert_eq!((more.len(), &more.last().unwrap()["fields"][2]["name"]), (grown.len(), &json!("price")));
        // A value where the list was, and a table where the column was.
        with_lines.lists.clear();
        with_lines.tables_below.push("lines".into());
        assert!(grow(&more, &with_lines, &none()).unwrap_err().to_string().contains("lines"));
        with_lines.table.columns.push(Column::data("lines", DataType::Text));
        assert!(grow(&more, &with_lines, &none()).unwrap_err().to_string().contains("lines"));
    }

    #[test]
    fn a_dataset_elsewhere_is_an_error() {
        assert_eq!(check_location("d", "EU".into(), Some("eu"), Role::Target).unwrap(), "EU");
        let error = check_location("d", "US".into(), Some("EU"), Role::Target).unwrap_err();
        assert_eq!(error.message(), "the dataset is in US, not in EU");
        let error = check_location("d_staging", "US".into(), Some("EU"), Role::Staging(None)).unwrap_err();
        assert_eq!(error.message(), "the staging dataset is in US, not in EU");
        assert!(error.hint_text().is_some_and(|h| h.contains("staging_dataset")));
    }
}
