//! A schema as people edit it: read strictly, so that no word of it is without effect.

use super::{Column, Conflict, Contract, DataType, Schema, SystemColumns, Table};
use crate::error::{Error, Result};
use serde::Deserialize;
use serde_json::Value;

/// Keys of a table and of a column, beside those of [`super::Properties`].
const TABLE_KEYS: [&str; 6] = ["name", "parent", "columns", "aliases", "write", "schema_contract"];
const COLUMN_KEYS: [&str; 17] = [
    "name",
    "data_type",
    "nullable",
    "variant",
    "role",
    "exact_double",
    "resized",
    "precision",
    "scale",
    "timezone",
    "unique",
    "index",
    "sort",
    "partition",
    "cluster",
    "description",
    "on_type_conflict",
];

/// An error and the keys that lead to what is wrong; numbers lead into lists.
pub type Misread = (Vec<String>, Error);

/// Reads a schema as [`Schema`] is written, or in dlt's mode as dlt writes it.
///
/// # Errors
/// The first word that is none, with the way to it.
pub fn read_edited(document: &Value, system: SystemColumns) -> Result<Schema, Misread> {
    let at = |keys: &[&str]| keys.iter().map(|k| (*k).to_owned()).collect::<Vec<_>>();
    let Some(top) = document.as_object() else {
        return Err((Vec::new(), Error::config("a schema is a table with 'name' and 'tables'")));
    };
    if top.get("tables").is_some_and(Value::is_object) {
        return of_dlt(document, system);
    }
    known_keys(&[], top.keys(), &["name", "system_columns", "imported", "tables"])?;
    let tables = top.get("tables").and_then(Value::as_array);
    let tables = tables.ok_or_else(|| (at(&["tables"]), Error::config("'tables' must be a list of tables")))?;
    let name = top.get("name").and_then(Value::as_str).unwrap_or_default();
    let said = top.get("system_columns").map(SystemColumns::deserialize);
    let said = said.transpose().map_err(|e| (at(&["system_columns"]), unreadable(&e)))?.unwrap_or_default();
    check_system(said, system).map_err(|e| (at(&["system_columns"]), e))?;
    let mut schema = Schema::new(name, system);
    for (i, table) in tables.iter().enumerate() {
        let place = [String::from("tables"), i.to_string()];
        let table = read_table(&place, table)?;
        if schema.table(&table.name).is_some() {
            return Err((place.to_vec(), Error::config("the table stands there twice").with("table", &table.name)));
        }
        schema.tables.push(table);
    }
    Ok(schema)
}

fn read_table(at: &[String], value: &Value) -> Result<Table, Misread> {
    let here = |key: &str| [at, &[key.to_owned()]].concat();
    let object = value.as_object().ok_or_else(|| (at.to_vec(), Error::config("a table has a name and columns")))?;
    known_keys(at, object.keys(), &TABLE_KEYS)?;
    let columns = match object.get("columns") {
        Some(Value::Array(columns)) => columns.as_slice(),
        None => &[],
        Some(_) => return Err((here("columns"), Error::config("'columns' must be a list of columns"))),
    };
    if let Some(said) = object.get("schema_contract").filter(|said| !said.is_null()) {
        Contract::from_value(said).map_err(|e| (here("schema_contract"), e))?;
    }
    let mut head = object.clone();
    head.insert("columns".to_owned(), Value::Array(Vec::new()));
    let mut table: Table = serde_json::from_value(Value::Object(head)).map_err(|e| (at.to_vec(), unreadable(&e)))?;
    for (i, column) in columns.iter().enumerate() {
        let column = read_column(&[at, &["columns".to_owned(), i.to_string()]].concat(), column)?;
        table.columns.push(column);
    }
    Ok(table)
}

fn read_column(at: &[String], value: &Value) -> Result<Column, Misread> {
    let here = |key: &str| [at, &[key.to_owned()]].concat();
    let object =
        value.as_object().ok_or_else(|| (at.to_vec(), Error::config("a column has a name and a data_type")))?;
    known_keys(at, object.keys(), &COLUMN_KEYS)?;
    match object.get("data_type").and_then(Value::as_str) {
        Some(name) if DataType::parse(name).is_none() => {
            let known = DataType::ALL.map(DataType::as_str).join(", ");
            let error = Error::config(format!("there is no type '{name}'")).hint(format!("types are: {known}"));
            return Err((here("data_type"), error));
        }
        Some(_) => {}
        None => return Err((at.to_vec(), Error::config("the column has no 'data_type'"))),
    }
    if let Some(word) = object.get("on_type_conflict").and_then(Value::as_str) {
        Conflict::parse(word).map_err(|e| (here("on_type_conflict"), e))?;
    }
    serde_json::from_value(value.clone()).map_err(|e| (at.to_vec(), unreadable(&e)))
}

fn of_dlt(document: &Value, system: SystemColumns) -> Result<Schema, Misread> {
    let here = |key: &str| vec![key.to_owned()];
    check_system(SystemColumns::Dlt, system).map_err(|e| (here("tables"), e))?;
    let columns = document["tables"].as_object().into_iter().flatten().flat_map(|(table, entry)| {
        let columns = entry["columns"].as_object().into_iter().flatten();
        columns.map(move |(column, entry)| (table, column, entry))
    });
    for (table, column, entry) in columns {
        let name = entry["data_type"].as_str();
        if let Some(name) = name.filter(|name| *name != "wei" && DataType::parse(name).is_none()) {
            let path = ["tables", table, "columns", column, "data_type"].map(str::to_owned).to_vec();
            let known = DataType::ALL.map(DataType::as_str).join(", ");
            return Err((
                path,
                Error::config(format!("there is no type '{name}'")).hint(format!("types are: {known}")),
            ));
        }
    }
    let mut schema = crate::dlt::from_document(document).map_err(|e| {
        let of = |key: &str| e.context().iter().find(|(k, _)| *k == key).map(|(_, v)| v.clone());
        let mut path = here("tables");
        path.extend(of("table"));
        path.extend(of("column").into_iter().flat_map(|c| ["columns".to_owned(), c]));
        let error = Error::config(e.message());
        (path, if let Some(hint) = e.hint_text() { error.hint(hint) } else { error })
    })?;
    // dlt's contract of a whole source stands beside its tables.
    let whole = document["settings"].get("schema_contract").filter(|c| !c.is_null()).map(Contract::from_value);
    let whole = whole.transpose().map_err(|e| (["settings", "schema_contract"].map(str::to_owned).to_vec(), e))?;
    for table in schema.tables.iter_mut().filter(|t| t.is_root()) {
        table.contract = table.contract.or(whole);
    }
    Ok(schema)
}

fn check_system(said: SystemColumns, system: SystemColumns) -> Result<()> {
    let name = |s| if s == SystemColumns::Dlt { "dlt" } else { "native" };
    match said == system {
        true => Ok(()),
        false => Err(Error::config(format!("the schema to import is one of {} system columns", name(said)))
            .hint(format!("the load has {} ones: choose them with --system-columns", name(system)))),
    }
}

fn known_keys<'a>(at: &[String], mut keys: impl Iterator<Item = &'a String>, known: &[&str]) -> Result<(), Misread> {
    let Some(key) = keys.find(|k| !known.contains(&k.as_str())) else { return Ok(()) };
    let error = Error::config(format!("there is no '{key}' here")).hint(format!("keys are: {}", known.join(", ")));
    Err(([at, std::slice::from_ref(key)].concat(), error))
}

fn unreadable(e: &serde_json::Error) -> Error {
    Error::config(e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(column: Value) -> Value {
        json!({ "name": "s", "system_columns": "native", "tables": [{ "name": "t", "columns": [column] }] })
    }

    #[test]
    fn what_is_written_is_read() {
        let mut schema = Schema::new("s", SystemColumns::Native);
        let mut column = Column::data("a", DataType::Decimal);
        (column.properties.precision, column.properties.scale) = (Some(10), Some(2));
        schema.tables.push(Table { columns: vec![column], ..Table::new("t", None) });
        let written = serde_json::to_value(&schema).unwrap();
        assert_eq!(read_edited(&written, SystemColumns::Native).unwrap(), schema);
        assert!(read_edited(&written, SystemColumns::Dlt).is_err());
    }

    #[test]
    fn a_wrong_word_is_named_with_the_way_to_it() {
        let column = |more: Value| {
            let mut column = json!({ "name": "a", "data_type": "text" });
            column.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            document(column)
        };
        for (wrong, path) in [
            (column(json!({ "data_type": "int" })), "tables.0.columns.0.data_type"),
            (column(json!({ "uniqe": true })), "tables.0.columns.0.uniqe"),
            (column(json!({ "on_type_conflict": "wide" })), "tables.0.columns.0.on_type_conflict"),
            (column(json!({ "nullable": "maybe" })), "tables.0.columns.0"),
            (document(json!("a")), "tables.0.columns.0"),
            (json!({ "name": "s", "tabels": [] }), "tabels"),
            (json!({ "name": "s" }), "tables"),
            (json!({ "name": "s", "tables": [{ "name": "t" }, { "name": "u" }, { "name": "t" }] }), "tables.2"),
            (
                json!({ "name": "s", "tables": [{ "name": "t", "schema_contract": "frozen" }] }),
                "tables.0.schema_contract",
            ),
            (json!([]), ""),
        ] {
            let (at, error) = read_edited(&wrong, SystemColumns::Native).unwrap_err();
            assert_eq!(at.join("."), path, "{error}");
            assert!(!path.ends_with("schema_contract") || error.hint_text().is_some_and(|h| h.contains("freeze, ")));
        }
    }
}
