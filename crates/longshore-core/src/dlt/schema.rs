//! A schema as dlt's document (`dlt/common/schema/typing.py`, `TStoredSchema`), and back.
//!
//! What we know beyond dlt stands in `x-longshore` of a table or column: dlt keeps hints that begin with `x-` and makes
//! nothing of them. What dlt knows beyond us (settings, normalizers, hints, columns without a type yet) is kept from
//! the document before.

use super::{SCHEMA_ENGINE, hints, version_hash};
use crate::error::{Error, Result};
use crate::schema::{
    Column, ColumnRole, DECIMAL_PRECISION, DataType, Disposition, MergeStrategy, Schema, SystemColumns, Table,
    WriteRules,
};
use serde_json::{Map, Value, json};
use sha3::Digest;

const DLT: SystemColumns = SystemColumns::Dlt;
pub(super) const OURS: &str = "x-longshore";
const IMPORTED: &str = "imported_version_hash";
/// Digits of a decimal, and those behind the point, where a document says nothing.
const DLT_SIZE: (u8, u8) = (DECIMAL_PRECISION, 9);
/// Hashes of earlier versions that a document names.
const PREVIOUS: usize = 10;
const ROLES: [ColumnRole; 6] = [
    ColumnRole::RowId,
    ColumnRole::LoadId,
    ColumnRole::ParentId,
    ColumnRole::RootId,
    ColumnRole::ListIndex,
    ColumnRole::RowHash,
];
/// Words of ours for tables and columns that dlt has too, with the same meaning.
const SHARED: [&str; 9] =
    ["precision", "scale", "timezone", "unique", "sort", "partition", "cluster", "description", "schema_contract"];

/// A schema as dlt stores it.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaDocument {
    /// The schema's name.
    pub name: String,
    /// JSON.
    pub text: String,
    /// Goes up by one with each change.
    pub version: u64,
    /// dlt's hash of the content.
    pub hash: String,
    /// True when the document before was another one, or there was none.
    pub is_new: bool,
}

impl SchemaDocument {
    /// Makes the document of a schema, going on from the one before.
    pub fn new(schema: &Schema, before: Option<&Value>) -> Self {
        let mut document = before.cloned().unwrap_or_else(|| skeleton(&schema.name));
        write_tables(schema, &mut document);
        if let Some(imported) = &schema.imported {
            document[IMPORTED] = imported.as_str().into();
        }
        write_propagation(schema, &mut document);
        let hash = content_hash(&document);
        let earlier = before.and_then(|d| d["version_hash"].as_str()).map(str::to_owned);
        let is_new = earlier.as_deref() != Some(hash.as_str());
        if let Some(earlier) = earlier.filter(|_| is_new) {
            document["version"] = (document["version"].as_u64().unwrap_or(0) + 1).into();
            if let Some(previous) = document["previous_hashes"].as_array_mut() {
                previous.retain(|h| *h != earlier);
                previous.insert(0, earlier.into());
                previous.truncate(PREVIOUS);
            }
        }
        document["version_hash"] = hash.clone().into();
        let version = document["version"].as_u64().unwrap_or(1);
        SchemaDocument { name: schema.name.clone(), text: document.to_string(), version, hash, is_new }
    }
}

/// Reads a schema out of dlt's document.
///
/// # Errors
/// When it is none, or was made with another naming convention or by a newer dlt.
pub fn from_document(document: &Value) -> Result<Schema> {
    let wrong = |what: &str| {
        Error::destination(format!("the schema that dlt stored {what}"))
            .hint("load into another dataset, or give the dlt pipeline its defaults")
    };
    let name = document["name"].as_str().ok_or_else(|| wrong("has no name"))?;
    if document["engine_version"].as_u64().is_none_or(|v| v > SCHEMA_ENGINE) {
        return Err(wrong("was written by a newer dlt"));
    }
    let naming = document["normalizers"]["names"].as_str().unwrap_or("snake_case");
    if !naming.ends_with("snake_case") {
        return Err(wrong(&format!("has the naming convention {naming}, and only snake_case is known")));
    }
    let mut schema = Schema::new(name, DLT);
    schema.imported = document[IMPORTED].as_str().map(str::to_owned);
    for (name, entry) in document["tables"].as_object().into_iter().flatten() {
        if !name.starts_with("_dlt_") && is_complete(entry) {
            schema.tables.push(read_table(name, entry).map_err(|e| e.with("table", name))?);
        }
    }
    // Child tables are written as their roots are.
    let roots: Vec<(String, WriteRules)> =
        schema.tables.iter().filter(|t| t.is_root()).map(|t| (t.name.clone(), t.write.clone())).collect();
    for (root, write) in roots {
        let family: Vec<String> = schema.children_of(&root).iter().map(|t| t.name.clone()).collect();
        for table in schema.tables.iter_mut().filter(|t| family.contains(&t.name)) {
            table.write = write.clone();
        }
    }
    Ok(schema)
}

/// dlt's hash: of the sorted content without versions, then of table names, sorted, each with its columns in order.
fn content_hash(document: &Value) -> String {
    let mut content = document.clone();
    if let Some(content) = content.as_object_mut() {
        for key in ["version", "version_hash", IMPORTED, "previous_hashes"] {
            content.shift_remove(key);
        }
    }
    let mut tables: Vec<(&String, &Value)> = document["tables"].as_object().into_iter().flatten().collect();
    tables.sort_by_key(|(name, _)| *name);
    version_hash(content, |hasher| {
        for (name, table) in tables {
            hasher.update(name);
            table["columns"].as_object().into_iter().flatten().for_each(|(column, _)| hasher.update(column));
        }
    })
}

fn write_tables(schema: &Schema, document: &mut Value) {
    if !document["tables"].is_object() {
        document["tables"] = json!({});
    }
    let Some(tables) = document["tables"].as_object_mut() else { return };
    // What is not in the schema any more was dropped; what never had a column is only declared.
    tables.retain(|name, entry| name.starts_with("_dlt_") || !is_complete(entry) || schema.table(name).is_some());
    for table in &schema.tables {
        let entry = tables.entry(&table.name).or_insert_with(|| json!({ "name": table.name, "columns": {} }));
        if let Some(entry) = entry.as_object_mut() {
            write_table(table, entry);
        }
    }
}

fn write_table(table: &Table, entry: &mut Map<String, Value>) {
    let rest = rest_of(table, &["name", "parent", "columns", "write"]);
    let columns = entry.entry("columns").or_insert_with(|| json!({}));
    for column in &table.columns {
        let known = columns.get(&column.name).cloned().unwrap_or_else(|| json!({ "name": column.name }));
        columns[&column.name] = write_column(column, known);
    }
    let row_id = DLT.column(ColumnRole::RowId).name;
    match &table.parent {
        Some(parent) => {
            entry.insert("parent".into(), parent.as_str().into());
        }
        None => {
            hints::write(&table.write, &row_id, &table.write.validity(DLT), entry);
            entry.entry("resource").or_insert_with(|| table.name.as_str().into());
        }
    }
    let mut ours = split_shared(rest, entry);
    if table.is_root() && hints::read(&Value::Object(entry.clone())) != table.write {
        ours.insert("write".into(), serde_json::to_value(&table.write).unwrap_or_default());
    }
    put_ours(ours, entry);
    let normalizer = entry.entry("x-normalizer").or_insert_with(|| json!({}));
    normalizer["seen-data"] = true.into();
}

fn write_column(column: &Column, known: Value) -> Value {
    let Value::Object(mut entry) = known else { return Value::Null };
    let same_type = entry.get("data_type").and_then(Value::as_str).and_then(data_type) == Some(column.data_type);
    if !same_type {
        entry.insert("data_type".into(), column.data_type.as_str().into());
    }
    entry.entry("nullable").or_insert_with(|| column.nullable.into());
    let hint = match column.role {
        Some(ColumnRole::RowId) => Some("row_key"),
        Some(ColumnRole::ParentId) => Some("parent_key"),
        Some(ColumnRole::RootId) => Some("root_key"),
        _ => None,
    };
    hint.into_iter().for_each(|hint| _ = entry.insert(hint.into(), true.into()));
    if column.role == Some(ColumnRole::RowId) {
        entry.insert("unique".into(), true.into());
    }
    if column.variant {
        entry.insert("variant".into(), true.into());
    }
    let mut rest = rest_of(column, &["name", "data_type", "nullable", "variant", "role"]);
    if column.data_type == DataType::Decimal {
        write_size(column.column_type().decimal_size(), &mut rest, &mut entry);
    }
    let ours = split_shared(rest, &mut entry);
    put_ours(ours, &mut entry);
    Value::Object(entry)
}

/// A decimal without a size is one of [`DLT_SIZE`] for dlt, and one of whole numbers for us.
fn write_size(size: (u8, u8), rest: &mut Map<String, Value>, entry: &mut Map<String, Value>) {
    for key in ["precision", "scale"] {
        rest.shift_remove(key);
        entry.shift_remove(key);
    }
    let is_wei = entry.get("data_type").is_some_and(|t| t == "wei") && size == (DECIMAL_PRECISION, 0);
    if size != DLT_SIZE && !is_wei {
        entry.insert("precision".into(), size.0.into());
        entry.insert("scale".into(), size.1.into());
    }
}

/// What a value of ours says beyond the keys that are written by name.
fn rest_of(value: &impl serde::Serialize, written: &[&str]) -> Map<String, Value> {
    let Ok(Value::Object(mut rest)) = serde_json::to_value(value) else { return Map::new() };
    written.iter().for_each(|key| _ = rest.shift_remove(*key));
    rest
}

/// Puts the words that dlt has too into its entry; returns the others.
fn split_shared(rest: Map<String, Value>, entry: &mut Map<String, Value>) -> Map<String, Value> {
    let (shared, ours): (Map<_, _>, Map<_, _>) = rest.into_iter().partition(|(key, _)| SHARED.contains(&key.as_str()));
    entry.extend(shared);
    ours
}

fn put_ours(ours: Map<String, Value>, entry: &mut Map<String, Value>) {
    match ours.is_empty() {
        true => _ = entry.shift_remove(OURS),
        false => _ = entry.insert(OURS.into(), Value::Object(ours)),
    }
}

/// dlt copies the ids of root rows to the child rows of tables that are merged: it looks here for which.
fn write_propagation(schema: &Schema, document: &mut Value) {
    let (row_id, root_id) = (DLT.column(ColumnRole::RowId).name, DLT.column(ColumnRole::RootId).name);
    let merged = |t: &&Table| {
        t.is_root() && t.write.disposition == Disposition::Merge && t.write.strategy != MergeStrategy::Scd2
    };
    for table in schema.tables.iter().filter(merged) {
        let mut at = &mut document["normalizers"]["json"];
        for key in ["config", "propagation", "tables", table.name.as_str()] {
            if !at[key].is_object() {
                at[key] = json!({});
            }
            at = &mut at[key];
        }
        at[&row_id] = root_id.as_str().into();
    }
    let gone = |table: &str| schema.table(table).is_none() && document["tables"].get(table).is_none();
    let known = document["normalizers"]["json"]["config"]["propagation"]["tables"].as_object();
    let gone: Vec<String> = known.into_iter().flatten().map(|(t, _)| t.clone()).filter(|t| gone(t)).collect();
    for table in gone {
        if let Some(tables) = document["normalizers"]["json"]["config"]["propagation"]["tables"].as_object_mut() {
            tables.shift_remove(&table);
        }
    }
}

fn read_table(name: &str, entry: &Value) -> Result<Table> {
    let mut table = entry[OURS].as_object().cloned().unwrap_or_default();
    table.extend(shared_of(entry));
    table.insert("name".into(), name.into());
    table.extend(entry["parent"].as_str().map(|parent| ("parent".to_owned(), parent.into())));
    table.insert("columns".into(), Value::Array(Vec::new()));
    let told = table.shift_remove("write");
    let mut table: Table = from_parts(table)?;
    if table.is_root() {
        let told = told.and_then(|w| serde_json::from_value::<WriteRules>(w).ok());
        let hinted = hints::read(entry);
        // What dlt has changed since counts.
        let same = |w: &WriteRules| w.disposition == hinted.disposition && w.strategy == hinted.strategy;
        table.write = told.filter(same).unwrap_or(hinted);
    }
    for (name, entry) in entry["columns"].as_object().into_iter().flatten() {
        let Some(data_type) = entry["data_type"].as_str() else { continue };
        if hints::is_validity(entry) {
            continue;
        }
        let data_type = self::data_type(data_type).ok_or_else(|| {
            Error::destination(format!("dlt's column type '{data_type}' is not known")).with("column", name)
        })?;
        table.columns.push(read_column(name, data_type, entry)?);
    }
    Ok(table)
}

fn read_column(name: &str, data_type: DataType, entry: &Value) -> Result<Column> {
    if let Some(role) = ROLES.into_iter().find(|role| DLT.column(*role).name == name) {
        return Ok(DLT.column(role));
    }
    let mut column = entry[OURS].as_object().cloned().unwrap_or_default();
    column.extend(shared_of(entry));
    if data_type == DataType::Decimal {
        // What is written for decimals that nobody gave a size is said no more; what dlt leaves out is.
        let number = |key: &str| entry[key].as_u64().and_then(|n| u8::try_from(n).ok());
        let usual = if entry["data_type"] == "wei" { (DECIMAL_PRECISION, 0) } else { DLT_SIZE };
        let size = (number("precision").unwrap_or(usual.0), number("scale").unwrap_or(usual.1));
        for (key, n) in [("precision", size.0), ("scale", size.1)] {
            match size == (DECIMAL_PRECISION, 0) {
                true => _ = column.shift_remove(key),
                false => _ = column.insert(key.into(), n.into()),
            }
        }
    }
    // A key has to have a value there, but that is checked where rows are merged.
    let is_key = entry["primary_key"] == true || entry["merge_key"] == true;
    column.insert("name".into(), name.into());
    column.insert("data_type".into(), data_type.as_str().into());
    column.insert("nullable".into(), (is_key || entry["nullable"] != false).into());
    column.insert("variant".into(), (entry["variant"] == true).into());
    from_parts(column).map_err(|e| e.with("column", name))
}

/// The words dlt and we have both, as an entry has them; those of decimals that we read as whole numbers are not ours.
fn shared_of(entry: &Value) -> Map<String, Value> {
    let of = entry.as_object().into_iter().flatten();
    of.filter(|(key, v)| SHARED.contains(&key.as_str()) && !v.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect()
}

fn from_parts<T: serde::de::DeserializeOwned>(parts: Map<String, Value>) -> Result<T> {
    serde_json::from_value(Value::Object(parts))
        .map_err(|e| Error::destination("a hint of dlt's schema cannot be read").source(e))
}

fn data_type(name: &str) -> Option<DataType> {
    if name == "wei" { Some(DataType::Decimal) } else { DataType::parse(name) }
}

/// A table or column that only was declared has no type yet.
fn is_complete(table: &Value) -> bool {
    table["columns"].as_object().is_some_and(|columns| columns.values().any(|c| c["data_type"].is_string()))
}

/// What a document has before there is a table.
fn skeleton(name: &str) -> Value {
    let (row, parent, root) = ("_dlt_id", "_dlt_parent_id", "_dlt_root_id");
    json!({
        "version": 1,
        "version_hash": "",
        "engine_version": SCHEMA_ENGINE,
        "name": name,
        "tables": {
            "_dlt_version": system_table("_dlt_version", "skip", &[
                ("version", "bigint", false), ("engine_version", "bigint", false), ("inserted_at", "timestamp", false),
                ("schema_name", "text", false), ("version_hash", "text", false), ("schema", "text", false),
            ]),
            "_dlt_loads": system_table("_dlt_loads", "skip", &[
                ("load_id", "text", false), ("schema_name", "text", true), ("status", "bigint", false),
                ("inserted_at", "timestamp", false), ("schema_version_hash", "text", true),
            ]),
            "_dlt_pipeline_state": state_table(),
        },
        "settings": {
            "detections": ["iso_timestamp"],
            "default_hints": {
                "not_null": [row, root, parent, "_dlt_list_idx", "_dlt_load_id"],
                "parent_key": [parent], "root_key": [root], "unique": [row], "row_key": [row],
            },
        },
        "normalizers": { "names": "snake_case", "json": { "module": "dlt.common.normalizers.json.relational" } },
        "previous_hashes": [],
    })
}

fn state_table() -> Value {
    let mut table = system_table(
        "_dlt_pipeline_state",
        "append",
        &[
            ("version", "bigint", false),
            ("engine_version", "bigint", false),
            ("pipeline_name", "text", false),
            ("state", "text", false),
            ("created_at", "timestamp", false),
            ("version_hash", "text", true),
            ("_dlt_load_id", "text", false),
            ("_dlt_id", "text", false),
        ],
    );
    table["columns"]["_dlt_id"]["unique"] = true.into();
    table["columns"]["_dlt_id"]["row_key"] = true.into();
    table["file_format"] = "preferred".into();
    table["x-normalizer"] = json!({ "seen-data": true });
    table
}

fn system_table(name: &str, disposition: &str, columns: &[(&str, &str, bool)]) -> Value {
    let column = |&(name, data_type, nullable): &(&str, &str, bool)| {
        (name.to_owned(), json!({ "name": name, "data_type": data_type, "nullable": nullable }))
    };
    let columns: Map<String, Value> = columns.iter().map(column).collect();
    json!({ "name": name, "columns": columns, "write_disposition": disposition, "resource": name })
}
