//! The schema in a folder, for people: written after each load, and read before one where it may be edited.

use longshore_core::error::{Error, Result};
use longshore_core::schema::Schema;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders of a pipeline's schema, `<pipeline>.schema.yaml` in each: dlt's `export_schema_path` and `import_schema_path`.
#[derive(Debug, Clone, Default)]
pub struct SchemaFiles {
    /// Written after each load.
    pub export: Option<PathBuf>,
    /// Read before each load, and written by the first one.
    pub import: Option<PathBuf>,
}

impl SchemaFiles {
    /// Lays what was edited over the schema that is known.
    pub(crate) fn apply(&self, schema: Schema, can_widen: bool) -> Result<Schema> {
        let Some(path) = self.import.as_deref().map(|folder| file(folder, &schema.name)).filter(|p| p.exists()) else {
            return Ok(schema);
        };
        let text = fs::read_to_string(&path).map_err(|e| unreadable(&path).source(e))?;
        let edited: Schema = serde_yaml_ng::from_str(&text).map_err(|e| unreadable(&path).source(e))?;
        if edited.system_columns != schema.system_columns {
            return Err(Error::config("the schema to import has other system columns").with("file", path.display()));
        }
        schema.edited(&edited, can_widen).map_err(|e| e.with("file", path.display()))
    }

    /// Writes the schema of a sealed package.
    pub(crate) fn write(&self, schema: &Schema) -> Result<()> {
        if let Some(folder) = &self.export {
            write(&file(folder, &schema.name), schema)?;
        }
        match self.import.as_deref().map(|folder| file(folder, &schema.name)) {
            Some(path) if !path.exists() => write(&path, schema),
            _ => Ok(()),
        }
    }
}

fn file(folder: &Path, pipeline: &str) -> PathBuf {
    folder.join(format!("{pipeline}.schema.yaml"))
}

fn unreadable(path: &Path) -> Error {
    Error::config("the schema to import cannot be read")
        .with("file", path.display())
        .hint("mend it, or remove it: the next load writes it anew")
}

fn write(path: &Path, schema: &Schema) -> Result<()> {
    let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
        Error::storage("the schema cannot be written").with("file", path.display()).source(e)
    };
    let text = serde_yaml_ng::to_string(schema).map_err(|e| failed(e.into()))?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|e| failed(e.into()))?;
    }
    // Whole or not at all.
    let partial = path.with_extension("partial");
    fs::write(&partial, text).and_then(|()| fs::rename(&partial, path)).map_err(|e| failed(e.into()))
}
