//! What a load would make, as statements for people: rendered from the very descriptions that go to the API.

use crate::api::Api;
use crate::names::{identifier, qualified};
use crate::nested::{Shape, sql_type};
use crate::tables::{made_field, made_list, new_table};
use crate::types::sized_type_name;
use crate::widen;
use longshore_core::destination::Growth;
use longshore_core::error::Result;
use longshore_core::schema::DataType;
use longshore_core::values::iso_timestamp::format_iso;
use longshore_sql::own_tables;
use serde_json::Value;

/// Returns the statements that make room for what a load would add: datasets, tables, columns.
pub(crate) fn statements(api: &Api, growth: &Growth<'_>) -> Result<Vec<String>> {
    let is_there = |table: &str| growth.existing.iter().any(|t| t.table == table);
    let mut statements = Vec::new();
    if growth.existing.is_empty() {
        statements.extend(schemas(api, growth.dataset));
    }
    // Those that come again are only emptied.
    for table in growth.drops.iter().filter(|t| is_there(t)) {
        let verb = if growth.schema.table(table).is_some() { "TRUNCATE" } else { "DROP" };
        statements.push(format!("{verb} TABLE {}", qualified(growth.dataset, table)));
    }
    for shape in Shape::of_schema(growth.schema, &api.config.nested)? {
        if !is_there(&shape.table.name) {
            statements.push(create_table(&new_table(api, growth.dataset, &shape)?));
            continue;
        }
        statements.extend(added(api, growth, &shape)?);
    }
    for table in own_tables(growth).filter(|t| !is_there(&t.name)) {
        statements.push(create_table(&new_table(api, growth.dataset, &Shape::plain(table))?));
    }
    Ok(statements)
}

fn schemas(api: &Api, dataset: &str) -> [String; 2] {
    let config = &api.config;
    let mut options: Vec<String> = config.location.iter().map(|l| format!("location = {}", text(l))).collect();
    if !config.labels.is_empty() {
        let pairs = config.labels.iter().map(|(name, value)| format!("({}, {})", text(name), text(value)));
        options.push(format!("labels = [{}]", pairs.collect::<Vec<_>>().join(", ")));
    }
    let days = config.staging_lifetime.as_secs() as f64 / 86_400.0;
    let expiring = [options.clone(), vec![format!("default_table_expiration_days = {days}")]].concat();
    [(dataset.to_owned(), options), (config.staging_dataset(dataset), expiring)].map(|(name, options)| {
        let options = if options.is_empty() { String::new() } else { format!(" OPTIONS({})", options.join(", ")) };
        format!("CREATE SCHEMA IF NOT EXISTS {}{options}", identifier(&name))
    })
}

/// What a table that is there gets: of a load's changes to it and to the lists in it.
fn added(api: &Api, growth: &Growth<'_>, shape: &Shape) -> Result<Vec<String>> {
    let change = |table: &str| growth.change.tables.iter().find(|c| c.table == table);
    let table = qualified(growth.dataset, &shape.table.name);
    let add = |field: &Value| format!("ALTER TABLE {table} ADD COLUMN {}", column(field));
    let mut statements = Vec::new();
    let options = &api.config.options(&shape.table);
    if let Some(change) = change(&shape.table.name).filter(|c| !c.is_new) {
        // Sizes of other types are the loader's own.
        let is_number = |t: DataType| matches!(t, DataType::Double | DataType::Decimal);
        for wider in change.retyped.iter().filter(|w| is_number(w.to.data_type)) {
            let kind = shape.table.column(&wider.column).map_or_else(String::new, sized_type_name);
            statements.push(widen::statement(growth.dataset, &shape.table.name, &wider.column, &kind));
        }
        for column in &change.columns {
            statements.push(add(&made_field(column, options, true)?));
        }
    }
    for (way, list) in shape.inner() {
        let Some(change) = change(&list.table.name) else { continue };
        match shape.lists.iter().find(|(name, _)| change.is_new && [name.as_str()] == way[..]) {
            Some(whole) => statements.push(add(&made_list(whole, &api.config)?)),
            // No statement of BigQuery's does that, only its API.
            None => {
                let names: Vec<&str> =
                    change.columns.iter().filter(|c| c.role.is_none()).map(|c| c.name.as_str()).collect();
                statements.push(format!(
                    "-- by the API: column {} of {table} gets {}",
                    way.join("."),
                    names.join(", ")
                ));
            }
        }
    }
    Ok(statements)
}

/// The statement that makes a table as the API describes it.
fn create_table(description: &Value) -> String {
    let place = &description["tableReference"];
    let name = |key: &str| place[key].as_str().unwrap_or_default().to_owned();
    let columns = description["schema"]["fields"].as_array().into_iter().flatten().map(column);
    let mut statement = format!(
        "CREATE TABLE {} ({})",
        qualified(&name("datasetId"), &name("tableId")),
        columns.collect::<Vec<_>>().join(", ")
    );
    if let Some(partition) = partition(description) {
        statement.push_str(&format!(" PARTITION BY {partition}"));
    }
    let clusters = description["clustering"]["fields"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let clusters: Vec<String> = clusters.map(identifier).collect();
    if !clusters.is_empty() {
        statement.push_str(&format!(" CLUSTER BY {}", clusters.join(", ")));
    }
    let options = table_options(description);
    if !options.is_empty() {
        statement.push_str(&format!(" OPTIONS({})", options.join(", ")));
    }
    statement
}

/// A column's definition. Tags of policies have no words in SQL.
fn column(field: &Value) -> String {
    let mut text_of = format!("{} {}", identifier(field["name"].as_str().unwrap_or_default()), sql_type(field));
    if field["mode"].as_str() == Some("REQUIRED") {
        text_of.push_str(" NOT NULL");
    }
    if let Some(description) = field["description"].as_str() {
        text_of.push_str(&format!(" OPTIONS(description = {})", text(description)));
    }
    text_of
}

fn partition(description: &Value) -> Option<String> {
    let kind = |name: &str| {
        let fields = description["schema"]["fields"].as_array();
        fields.into_iter().flatten().find(|f| f["name"] == name).and_then(|f| f["type"].as_str())
    };
    let range = &description["rangePartitioning"];
    if let Some(field) = range["field"].as_str() {
        let [start, end, step] = ["start", "end", "interval"].map(|k| range["range"][k].as_str().unwrap_or_default());
        return Some(format!("RANGE_BUCKET({}, GENERATE_ARRAY({start}, {end}, {step}))", identifier(field)));
    }
    let time = &description["timePartitioning"];
    let every = time["type"].as_str()?;
    Some(match time["field"].as_str() {
        None if every == "DAY" => "_PARTITIONDATE".to_owned(),
        None => format!("TIMESTAMP_TRUNC(_PARTITIONTIME, {every})"),
        Some(field) if kind(field) == Some("DATE") && every == "DAY" => identifier(field),
        Some(field) if kind(field) == Some("DATE") => format!("DATE_TRUNC({}, {every})", identifier(field)),
        Some(field) => format!("TIMESTAMP_TRUNC({}, {every})", identifier(field)),
    })
}

fn table_options(description: &Value) -> Vec<String> {
    let millis = |value: &Value| value.as_str().and_then(|ms| ms.parse::<i64>().ok());
    let mut options = Vec::new();
    if let Some(ms) = millis(&description["timePartitioning"]["expirationMs"]) {
        options.push(format!("partition_expiration_days = {}", ms / 86_400_000));
    }
    if description["requirePartitionFilter"] == true {
        options.push("require_partition_filter = TRUE".to_owned());
    }
    if let Some(description) = description["description"].as_str() {
        options.push(format!("description = {}", text(description)));
    }
    let labels = description["labels"].as_object().into_iter().flatten();
    let labels: Vec<String> =
        labels.map(|(name, value)| format!("({}, {})", text(name), text(value.as_str().unwrap_or_default()))).collect();
    if !labels.is_empty() {
        options.push(format!("labels = [{}]", labels.join(", ")));
    }
    if let Some(ms) = millis(&description["expirationTime"]) {
        options.push(format!("expiration_timestamp = TIMESTAMP '{}'", format_iso(ms * 1000)));
    }
    options
}

/// A text as BigQuery's SQL writes it: the escapes are those of JSON.
fn text(value: &str) -> String {
    Value::from(value).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn described(more: Value) -> String {
        let mut description = json!({
            "tableReference": {"datasetId": "shop", "tableId": "orders"},
            "schema": {"fields": [
                {"name": "id", "type": "INT64", "mode": "REQUIRED"},
                {"name": "at", "type": "TIMESTAMP", "description": "a \"moment\""},
                {"name": "day", "type": "DATE"},
                {"name": "lines", "type": "RECORD", "mode": "REPEATED", "fields": [{"name": "sku", "type": "STRING"}]},
            ]},
        });
        description.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        create_table(&description)
    }

    #[test]
    fn tables_are_written_as_they_are_described() {
        assert_eq!(
            described(json!({})),
            "CREATE TABLE `shop`.`orders` (`id` INT64 NOT NULL, `at` TIMESTAMP OPTIONS(description = \"a \\\"moment\\\"\"), `day` DATE, `lines` ARRAY<STRUCT<`sku` STRING>>)"
        );
        for (given, expected) in [
            (json!({"timePartitioning": {"type": "HOUR", "field": "at"}}), "PARTITION BY TIMESTAMP_TRUNC(`at`, HOUR)"),
            (json!({"timePartitioning": {"type": "DAY", "field": "day"}}), "PARTITION BY `day`"),
            (json!({"timePartitioning": {"type": "MONTH", "field": "day"}}), "PARTITION BY DATE_TRUNC(`day`, MONTH)"),
            (json!({"timePartitioning": {"type": "DAY"}}), "PARTITION BY _PARTITIONDATE"),
            (
                json!({"rangePartitioning": {"field": "id", "range": {"start": "0", "end": "9", "interval": "3"}}}),
                "PARTITION BY RANGE_BUCKET(`id`, GENERATE_ARRAY(0, 9, 3))",
            ),
            (
                json!({"clustering": {"fields": ["id", "day"]}, "description": "d", "labels": {"a": "b"}}),
                "CLUSTER BY `id`, `day` OPTIONS(description = \"d\", labels = [(\"a\", \"b\")])",
            ),
            (json!({"expirationTime": "86400000"}), "OPTIONS(expiration_timestamp = TIMESTAMP '1970-01-02T00:00:00"),
        ] {
            let statement = described(given);
            assert!(statement.contains(expected), "{statement}");
        }
    }
}
