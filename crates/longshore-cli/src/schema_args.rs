//! Flags that say what of the schema may grow, and how.

use clap::Args;
use longshore_config::PipelineSettings;
use longshore_core::error::{Error, Result};
use longshore_core::normalize::{FieldPath, SchemaRules, Settings};
use longshore_core::schema::{Conflict, Contract};
use longshore_pipeline::SchemaFiles;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What holds for all resources of a run.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SchemaArgs {
    /// What of the schema may grow: evolve, freeze, discard_row, discard_value or reject, for all or as tables=freeze,columns=discard_value
    #[arg(long, value_name = "MODE", help_heading = "Schema")]
    pub(crate) schema_contract: Option<String>,

    /// What becomes of values that do not fit their column: variant, widen, text, json or reject [default: widen; variant with dlt's columns]
    #[arg(long, value_name = "POLICY", help_heading = "Schema")]
    pub(crate) on_type_conflict: Option<String>,

    /// Tables that the dataset may have [default: 1000]
    #[arg(long, value_name = "N", help_heading = "Schema")]
    pub(crate) max_tables: Option<usize>,

    /// Columns that a table may have [default: 5000]
    #[arg(long, value_name = "N", help_heading = "Schema")]
    pub(crate) max_columns: Option<usize>,

    /// Folder the schema is written to after each load, as <pipeline>.schema.yaml
    #[arg(long, value_name = "DIR", help_heading = "Schema")]
    pub(crate) export_schema_path: Option<PathBuf>,

    /// Folder with a schema to go by, which may be edited; written by the first load
    #[arg(long, value_name = "DIR", help_heading = "Schema")]
    pub(crate) import_schema_path: Option<PathBuf>,
}

/// Shapes by path, for the records of one input.
#[derive(Debug, Clone, Args)]
pub(crate) struct ShapeArgs {
    /// Paths that are left out, with everything below them
    #[arg(long, value_name = "PATH,..", value_delimiter = ',', help_heading = "Schema")]
    pub(crate) ignore: Vec<String>,

    /// Lists whose elements become columns by their position, such as location.coordinates
    #[arg(long, value_name = "PATH,..", value_delimiter = ',', help_heading = "Schema")]
    pub(crate) flatten: Vec<String>,
}

/// What `[pipeline]` or a source says where neither a flag nor the resource does.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SchemaDefaults<'a> {
    pub(crate) schema_contract: Option<&'a Value>,
    pub(crate) on_type_conflict: Option<&'a str>,
    pub(crate) max_tables: Option<u64>,
    pub(crate) max_columns: Option<u64>,
}

impl SchemaArgs {
    /// Applies the flags: what they say goes before everything else.
    pub(crate) fn apply(&self, settings: &mut Settings) -> Result<()> {
        let rules = &mut settings.rules;
        if let Some(text) = &self.schema_contract {
            rules.contract = Some(Contract::parse(text)?);
            rules.table_contracts.clear();
        }
        if let Some(word) = &self.on_type_conflict {
            rules.on_type_conflict = Some(Conflict::parse(word)?);
        }
        limits(rules, self.max_tables, self.max_columns)
    }
}

impl SchemaArgs {
    /// Returns the folders of the schema; what a flag leaves open is taken from `[pipeline]`, relative to its folder.
    pub(crate) fn files(&self, said: Option<(&PipelineSettings, &Path)>) -> SchemaFiles {
        let of = |flag: &Option<PathBuf>, key: fn(&PipelineSettings) -> &Option<String>| {
            flag.clone().or_else(|| said.and_then(|(said, folder)| Some(folder.join(key(said).as_ref()?))))
        };
        SchemaFiles {
            export: of(&self.export_schema_path, |s| &s.export_schema_path),
            import: of(&self.import_schema_path, |s| &s.import_schema_path),
        }
    }
}

impl ShapeArgs {
    /// Applies the flags.
    pub(crate) fn apply(&self, settings: &mut Settings) -> Result<()> {
        let paths = |texts: &[String]| texts.iter().map(|p| FieldPath::parse(p)).collect::<Result<Vec<_>>>();
        settings.rules.ignore = paths(&self.ignore)?;
        settings.rules.flatten = paths(&self.flatten)?;
        Ok(())
    }
}

impl SchemaDefaults<'_> {
    /// Applies what nothing nearer has said.
    pub(crate) fn apply(&self, settings: &mut Settings) -> Result<()> {
        let rules = &mut settings.rules;
        if let (None, Some(value)) = (rules.contract, self.schema_contract) {
            rules.contract = Some(Contract::from_value(value)?);
        }
        if let (None, Some(word)) = (rules.on_type_conflict, self.on_type_conflict) {
            rules.on_type_conflict = Some(Conflict::parse(word)?);
        }
        let size = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok());
        limits(rules, size(self.max_tables), size(self.max_columns))
    }
}

fn limits(rules: &mut SchemaRules, tables: Option<usize>, columns: Option<usize>) -> Result<()> {
    if tables == Some(0) || columns == Some(0) {
        return Err(Error::config("a limit of no table or no column lets nothing be loaded"));
    }
    rules.max_tables = tables.unwrap_or(rules.max_tables);
    rules.max_columns = columns.unwrap_or(rules.max_columns);
    Ok(())
}
