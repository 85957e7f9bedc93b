//! The schema in a folder, for people: written after each load, and read before one where it may be edited.

use crate::yaml_lines::line_of;
use longshore_core::dlt::SchemaDocument;
use longshore_core::error::{Error, Result};
use longshore_core::hash::content_hash;
use longshore_core::schema::{Schema, SystemColumns, read_edited};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders of a pipeline's schema, `<pipeline>.schema.yaml` in each: dlt's `export_schema_path` and `import_schema_path`.
/// In dlt's mode the files are dlt's too, by their names and form.
#[derive(Debug, Clone, Default)]
pub struct SchemaFiles {
    /// Written after each load.
    pub export: Option<PathBuf>,
    /// Read before each load, and written by the first one.
    pub import: Option<PathBuf>,
}

impl SchemaFiles {
    /// Lays what was edited over the schema that is known, unless that has gone by this very file before: columns may have
    /// become wider since.
    pub(crate) fn apply(&self, mut schema: Schema, can_widen: bool) -> Result<Schema> {
        let Some(path) = self.import.as_deref().map(|folder| file(folder, &schema.name)).filter(|p| p.exists()) else {
            return Ok(schema);
        };
        let text = fs::read_to_string(&path).map_err(|e| unreadable(&path).source(e))?;
        let hash = content_hash(text.as_bytes());
        if schema.imported.as_ref() == Some(&hash) {
            return Ok(schema);
        }
        schema.imported = Some(hash);
        let document: Value = serde_yaml_ng::from_str(&text).map_err(|e| no_yaml(&path, &e))?;
        let edited =
            read_edited(&document, schema.system_columns).map_err(|(at, e)| place(e, &path, &text, &at, &document))?;
        check_name(&edited.name, &schema.name).map_err(|e| place(e, &path, &text, &["name".to_owned()], &document))?;
        schema.edited(&edited, can_widen).map_err(|e| {
            let at = way_to(&document, &e);
            place(e, &path, &text, &at, &document)
        })
    }

    /// Writes the schema of a package that is to be sealed, and notes in it what was written to be edited.
    pub(crate) fn write(&self, schema: &mut Schema) -> Result<()> {
        if let Some(folder) = &self.export {
            write(&file(folder, &schema.name), schema)?;
        }
        match self.import.as_deref().map(|folder| file(folder, &schema.name)) {
            Some(path) if !path.exists() => schema.imported = Some(write(&path, schema)?),
            _ => {}
        }
        Ok(())
    }
}

/// A file of another pipeline would bring its tables along. A name need not be there.
fn check_name(said: &str, own: &str) -> Result<()> {
    if said.is_empty() || said == own {
        return Ok(());
    }
    Err(Error::config(format!("the schema to import is that of '{said}', and this is '{own}'"))
        .hint(format!("put the file of '{own}' there; where this one is meant, write name: {own} in it")))
}

fn file(folder: &Path, pipeline: &str) -> PathBuf {
    folder.join(format!("{pipeline}.schema.yaml"))
}

fn unreadable(path: &Path) -> Error {
    Error::config("the schema to import cannot be read")
        .with("file", path.display())
        .hint("mend it, or remove it: the next load writes it anew")
}

fn no_yaml(path: &Path, e: &serde_yaml_ng::Error) -> Error {
    let error = unreadable(path);
    let error = match e.location() {
        Some(at) => error.with("line", at.line()).with("column", at.column()),
        None => error,
    };
    error.source(e.to_string())
}

/// Says where in the file a wrong word stands.
fn place(error: Error, path: &Path, text: &str, at: &[String], document: &Value) -> Error {
    let error = error.with("path", named(document, at)).with("file", path.display());
    match line_of(text, at) {
        Some(line) => error.with("line", line),
        None => error,
    }
}

/// Returns the way to the table and column that an error is about.
fn way_to(document: &Value, error: &Error) -> Vec<String> {
    let said = |key: &str| error.context().iter().find(|(k, _)| *k == key).map(|(_, v)| v.as_str());
    let mut way = vec!["tables".to_owned()];
    let Some((i, table)) = said("table").and_then(|name| entry(&document["tables"], name)) else { return way };
    way.push(i);
    if let Some((i, _)) = said("field").and_then(|name| entry(&table["columns"], name)) {
        way.extend(["columns".to_owned(), i]);
    }
    way
}

/// Finds what has that name in a list of things with names, or in a table of them.
fn entry<'a>(all: &'a Value, name: &str) -> Option<(String, &'a Value)> {
    match all {
        Value::Array(list) => {
            let at = list.iter().rposition(|v| v["name"] == name)?;
            Some((at.to_string(), &list[at]))
        }
        _ => all.get(name).map(|v| (name.to_owned(), v)),
    }
}

/// The way for people: numbers become the names of what they lead to.
fn named(document: &Value, at: &[String]) -> String {
    let (mut value, mut words) = (document, Vec::new());
    for key in at {
        value = match (value, key.parse::<usize>()) {
            (Value::Array(list), Ok(i)) => list.get(i).unwrap_or(&Value::Null),
            _ => &value[key.as_str()],
        };
        words.push(value.get("name").and_then(Value::as_str).unwrap_or(key).to_owned());
    }
    words.join(".")
}

/// Returns the hash of the text.
fn write(path: &Path, schema: &Schema) -> Result<String> {
    let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
        Error::storage("the schema cannot be written")
            .with("file", path.display())
            .hint("name a folder that can be made and written with --export-schema-path or --import-schema-path")
            .source(e)
    };
    let schema = Schema { imported: None, ..schema.clone() };
    let text = text(&schema).map_err(|e| failed(e.into()))?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|e| failed(e.into()))?;
    }
    // Whole or not at all.
    let partial = path.with_extension("partial");
    fs::write(&partial, &text).and_then(|()| fs::rename(&partial, path)).map_err(|e| failed(e.into()))?;
    Ok(content_hash(text.as_bytes()))
}

fn text(schema: &Schema) -> std::result::Result<String, serde_yaml_ng::Error> {
    match schema.system_columns {
        SystemColumns::Native => serde_yaml_ng::to_string(schema),
        SystemColumns::Dlt => {
            let document = SchemaDocument::new(schema, None).text;
            serde_yaml_ng::to_string(&serde_json::from_str::<Value>(&document).unwrap_or_default()) // JSON that we made
        }
    }
}
