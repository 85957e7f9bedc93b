//! How the rows of a resource are written and what its fields are: dlt's resource hints.

use super::config::{Reader, below};
use longshore_core::Result;
use longshore_core::naming;
use longshore_core::normalize::{FieldPath, SCHEMA_KEYS, Settings};
use longshore_core::schema::{Disposition, MergeStrategy, Scd2, SystemColumns, WriteRules};
use longshore_core::values::iso_timestamp::parse_timestamp;
use serde_json::{Map, Value};

/// The hints of one resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hints {
    table_name: Option<String>,
    pub(super) write: WriteRules,
    /// What is said of the columns of `scd2`; their usual names depend on the mode.
    scd2: Map<String, Value>,
    /// dlt's `columns` and `nested_hints`, and what else is said of the schema, as written.
    schema: Map<String, Value>,
    json_columns: Vec<String>,
    max_nesting: Option<u32>,
}

impl Hints {
    /// The keys it reads.
    pub(crate) const KEYS: [&str; 13] = [
        "table_name",
        "write_disposition",
        "primary_key",
        "merge_key",
        "columns",
        "nested_hints",
        "schema_contract",
        "on_type_conflict",
        "ignore",
        "flatten",
        "json_columns",
        "max_table_nesting",
        "selected",
    ];

    pub(crate) fn read(reader: &mut Reader, table: &Map<String, Value>, path: &[String]) -> Self {
        let column = |k: &String| naming::field_column(k).unwrap_or_else(|| naming::normalize_key(k));
        let keys = |keys: Vec<String>| keys.iter().map(column).collect();
        let Written { disposition, strategy, scd2 } = disposition(reader, table, path);
        Hints {
            table_name: reader.text(table, "table_name", path),
            write: WriteRules {
                disposition,
                strategy,
                primary_key: keys(reader.texts(table, "primary_key", path)),
                merge_key: keys(reader.texts(table, "merge_key", path)),
                ..WriteRules::default()
            },
            scd2,
            schema: schema(reader, table, path),
            json_columns: reader.texts(table, "json_columns", path),
            max_nesting: nesting(reader, table, path),
        }
    }

    pub(crate) fn settings(&self, name: &str, system: SystemColumns, max_nesting: u32) -> Result<Settings> {
        let mut settings = Settings {
            max_nesting: self.max_nesting.unwrap_or(max_nesting),
            json_columns: self.json_columns.iter().map(|p| FieldPath::parse(p)).collect::<Result<_>>()?,
            write: self.write.clone(),
            ..Settings::new(self.table_name.as_deref().unwrap_or(name), system)
        };
        let usual = settings.write.validity(system);
        let names = self.scd2.get("validity_column_names").and_then(Value::as_array);
        let name = |i: usize, usual: String| {
            names.and_then(|n| n.get(i)?.as_str()).and_then(naming::field_column).unwrap_or(usual)
        };
        let moment = |key: &str| self.scd2.get(key).and_then(Value::as_str).and_then(parse_timestamp);
        if !self.scd2.is_empty() {
            settings.write.scd2 = Some(Scd2 {
                valid_from: name(0, usual.valid_from),
                valid_to: name(1, usual.valid_to),
                active: moment("active_record_timestamp"),
                boundary: moment("boundary_timestamp"),
            });
        }
        settings.add_schema(&self.schema)?;
        Ok(settings)
    }
}

/// Checks what is said of the schema, key by key.
fn schema(reader: &mut Reader, table: &Map<String, Value>, path: &[String]) -> Map<String, Value> {
    let mut schema = Map::new();
    for key in SCHEMA_KEYS {
        let Some(value) = table.get(key) else { continue };
        let one = Map::from_iter([(key.to_owned(), value.clone())]);
        match Settings::new("t", SystemColumns::Native).add_schema(&one) {
            Ok(()) => schema.extend(one),
            Err(e) => {
                let field = e.context().iter().find(|(k, _)| *k == "field").map(|(_, field)| field.clone());
                let mut here = below(path, key);
                let message = match &field {
                    Some(field) => format!("the column '{field}': {}", e.message()),
                    None => e.message().to_owned(),
                };
                here.extend(field.filter(|_| key == "columns"));
                reader.push(here, message, e.hint_text().map(str::to_owned));
            }
        }
    }
    schema
}

/// How a resource is written.
#[derive(Default)]
struct Written {
    disposition: Disposition,
    strategy: MergeStrategy,
    scd2: Map<String, Value>,
}

/// dlt's keys of `scd2`, in the table of a write disposition.
const SCD2_KEYS: [&str; 3] = ["validity_column_names", "active_record_timestamp", "boundary_timestamp"];

/// A word, or dlt's table of `disposition` and `strategy`.
fn disposition(reader: &mut Reader, table: &Map<String, Value>, path: &[String]) -> Written {
    let here = below(path, "write_disposition");
    let none = Map::new();
    let (word, rest) = match table.get("write_disposition") {
        None => return Written::default(),
        Some(Value::Object(both)) => (both.get("disposition").cloned(), both),
        Some(word) => (Some(word.clone()), &none),
    };
    let known = |key: &str| ["disposition", "strategy"].contains(&key) || SCD2_KEYS.contains(&key);
    if let Some(key) = rest.keys().find(|key| !known(key)) {
        let known = format!("keys are: disposition, strategy, {}", SCD2_KEYS.join(", "));
        reader.push(below(&here, key), format!("there is no '{key}' here"), Some(known));
    }
    let disposition = word.and_then(|w| serde_json::from_value(w).ok()).unwrap_or_else(|| {
        reader.wrong(&here, "'write_disposition' must be append, replace or merge");
        Disposition::Append
    });
    let strategy = rest.get("strategy").cloned();
    if strategy.is_some() && disposition != Disposition::Merge {
        reader.wrong(&below(&here, "strategy"), "'strategy' means nothing without the disposition merge");
    }
    let strategy = strategy.map_or(Some(MergeStrategy::default()), |s| serde_json::from_value(s).ok());
    let strategy = strategy.unwrap_or_else(|| {
        reader.wrong(&here, "'strategy' must be delete-insert, upsert, insert-only, scd2 or cdc");
        MergeStrategy::default()
    });
    let scd2: Map<String, Value> =
        rest.iter().filter(|(key, _)| SCD2_KEYS.contains(&key.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect();
    for (key, value) in &scd2 {
        check_scd2(reader, &below(&here, key), key, value, strategy);
    }
    Written { disposition, strategy, scd2 }
}

fn check_scd2(reader: &mut Reader, here: &[String], key: &str, value: &Value, strategy: MergeStrategy) {
    let names = |v: &Value| v.as_array().is_some_and(|n| n.len() == 2 && n.iter().all(Value::is_string));
    let is_right = match key {
        "validity_column_names" => names(value),
        _ => value.is_null() || value.as_str().is_some_and(|text| parse_timestamp(text).is_some()),
    };
    if !is_right {
        let wanted = if key == "validity_column_names" {
            "a list of two names"
        } else {
            "a moment, such as 2024-01-31T00:00:00Z"
        };
        reader.wrong(here, &format!("'{key}' must be {wanted}"));
    }
    if strategy != MergeStrategy::Scd2 {
        reader.wrong(here, &format!("'{key}' means nothing without the strategy scd2"));
    }
}

fn nesting(reader: &mut Reader, table: &Map<String, Value>, path: &[String]) -> Option<u32> {
    let value = table.get("max_table_nesting")?;
    let number = value.as_u64().and_then(|n| u32::try_from(n).ok());
    if number.is_none() {
        reader.wrong(&below(path, "max_table_nesting"), "'max_table_nesting' must be a whole number");
    }
    number
}
