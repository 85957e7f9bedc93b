//! How the rows of a resource are written and what its fields are: dlt's resource hints.

use super::config::{Reader, below};
use longshore_core::Result;
use longshore_core::naming;
use longshore_core::normalize::{FieldPath, SCHEMA_KEYS, Settings};
use longshore_core::schema::{Disposition, MergeStrategy, SystemColumns, WriteRules};
use serde_json::{Map, Value};

/// The hints of one resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hints {
    table_name: Option<String>,
    write: WriteRules,
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
        let keys = |keys: Vec<String>| keys.iter().map(|k| naming::normalize_key(k).to_string()).collect();
        let (disposition, strategy) = disposition(reader, table, path);
        Hints {
            table_name: reader.text(table, "table_name", path),
            write: WriteRules {
                disposition,
                strategy,
                primary_key: keys(reader.texts(table, "primary_key", path)),
                merge_key: keys(reader.texts(table, "merge_key", path)),
                ..WriteRules::default()
            },
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

/// A word, or dlt's table of `disposition` and `strategy`.
fn disposition(reader: &mut Reader, table: &Map<String, Value>, path: &[String]) -> (Disposition, MergeStrategy) {
    let here = below(path, "write_disposition");
    let (word, strategy) = match table.get("write_disposition") {
        None => return Default::default(),
        Some(Value::Object(both)) => (both.get("disposition").cloned(), both.get("strategy").cloned()),
        Some(word) => (Some(word.clone()), None),
    };
    let disposition = word.and_then(|w| serde_json::from_value(w).ok()).unwrap_or_else(|| {
        reader.wrong(&here, "'write_disposition' must be append, replace or merge");
        Disposition::Append
    });
    let strategy = strategy.map_or(Some(MergeStrategy::default()), |s| serde_json::from_value(s).ok());
    let strategy = strategy.unwrap_or_else(|| {
        reader.wrong(&here, "'strategy' must be delete-insert, upsert, insert-only, scd2 or cdc");
        MergeStrategy::default()
    });
    (disposition, strategy)
}

fn nesting(reader: &mut Reader, table: &Map<String, Value>, path: &[String]) -> Option<u32> {
    let value = table.get("max_table_nesting")?;
    let number = value.as_u64().and_then(|n| u32::try_from(n).ok());
    if number.is_none() {
        reader.wrong(&below(path, "max_table_nesting"), "'max_table_nesting' must be a whole number");
    }
    number
}
