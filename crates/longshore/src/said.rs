//! What a program says of how tables are written, and of how their schema may grow.

use crate::builder::PipelineBuilder;
use longshore_core::error::{Error, Result};
use longshore_core::naming;
use longshore_core::normalize::Settings;
use longshore_core::schema::{Conflict, Contract, DedupSort, Disposition, MergeStrategy, Scd2, WriteRules};
use longshore_pipeline::SchemaFiles;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// What was said, as it was said; read when the pipeline is built.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    disposition: Disposition,
    strategy: MergeStrategy,
    primary_key: Vec<String>,
    merge_key: Vec<String>,
    hard_delete: Option<String>,
    dedup_sort: Option<(String, bool)>,
    validity: Option<Scd2>,
    columns: Vec<String>,
    schema: Map<String, Value>,
    files: SchemaFiles,
}

/// How tables are written. The words and results are those of `docs/writing.md`; keys are fields, `user.id` of an object.
impl PipelineBuilder {
    /// Each load replaces the rows that are there, of the table and its child tables, in one step.
    pub fn replace(mut self) -> Self {
        self.said.disposition = Disposition::Replace;
        self
    }

    /// Each load merges its records into the rows that are there.
    pub fn merge(mut self, strategy: MergeStrategy) -> Self {
        (self.said.disposition, self.said.strategy) = (Disposition::Merge, strategy);
        self
    }

    /// The fields whose values together are a record's identity.
    pub fn primary_key<S: Into<String>>(mut self, fields: impl IntoIterator<Item = S>) -> Self {
        self.said.primary_key = fields.into_iter().map(Into::into).collect();
        self
    }

    /// The fields whose values name a group of records that a load replaces whole.
    pub fn merge_key<S: Into<String>>(mut self, fields: impl IntoIterator<Item = S>) -> Self {
        self.said.merge_key = fields.into_iter().map(Into::into).collect();
        self
    }

    /// The field that marks deleted records: true, or for other types any value.
    pub fn hard_delete(mut self, field: impl Into<String>) -> Self {
        self.said.hard_delete = Some(field.into());
        self
    }

    /// Which of several records with one primary key in one load stays: the first by this field. By default the last one.
    pub fn dedup_sort(mut self, field: impl Into<String>, descending: bool) -> Self {
        self.said.dedup_sort = Some((field.into(), descending));
        self
    }
}

/// The validity columns of versions.
impl PipelineBuilder {
    /// The names of the validity columns that [`MergeStrategy::Scd2`] keeps, and the moments it writes there (in
    /// microseconds since 1970). By default the names are `_valid_from` and `_valid_to`, the moment of change is the load's,
    /// and versions that hold have no end.
    pub fn validity(mut self, columns: Scd2) -> Self {
        self.said.validity = Some(columns);
        self
    }
}

/// What of the schema may grow, and how; see `docs/schema.md`.
impl PipelineBuilder {
    /// What of the schema may grow; by default everything.
    pub fn schema_contract(mut self, contract: Contract) -> Self {
        self.rules.contract = Some(contract);
        self
    }

    /// What becomes of values that do not fit their column; by default the column becomes wider where no value changes.
    pub fn on_type_conflict(mut self, policy: Conflict) -> Self {
        self.rules.on_type_conflict = Some(policy);
        self
    }

    /// What is known of a field, as the command's `--hint` says it: `price=decimal:precision=10:scale=2` or
    /// `lines.sku=text:not_null:unique:name=article`.
    pub fn column(mut self, hint: impl Into<String>) -> Self {
        self.said.columns.push(hint.into());
        self
    }

    /// What is said of the schema in a configuration's words: `columns`, `nested_hints`, `schema_contract`,
    /// `on_type_conflict`, `ignore` and `flatten`. What was said before under the same key goes.
    pub fn schema(mut self, said: Map<String, Value>) -> Self {
        self.said.schema.extend(said);
        self
    }

    /// Tables that the dataset may have, and columns that a table may have. By default 1,000 and 5,000.
    pub fn limits(mut self, tables: usize, columns: usize) -> Self {
        (self.rules.max_tables, self.rules.max_columns) = (tables, columns);
        self
    }

    /// A folder the schema is written to after each load, as `<pipeline>.schema.yaml`.
    pub fn export_schema(mut self, folder: impl Into<PathBuf>) -> Self {
        self.said.files.export = Some(folder.into());
        self
    }

    /// A folder with a schema to go by, which may be edited; written by the first load.
    pub fn import_schema(mut self, folder: impl Into<PathBuf>) -> Self {
        self.said.files.import = Some(folder.into());
        self
    }
}

impl Said {
    /// Applies it; returns the folders of the schema.
    pub(crate) fn apply(self, settings: &mut Settings) -> Result<SchemaFiles> {
        let column = |field: &String| {
            naming::field_column(field).ok_or_else(|| Error::config(format!("'{field}' names no field")))
        };
        let columns = |fields: &[String]| fields.iter().map(column).collect::<Result<Vec<_>>>();
        settings.write = WriteRules {
            disposition: self.disposition,
            strategy: self.strategy,
            primary_key: columns(&self.primary_key)?,
            merge_key: columns(&self.merge_key)?,
            hard_delete: self.hard_delete.as_ref().map(column).transpose()?,
            dedup_sort: match &self.dedup_sort {
                Some((field, descending)) => Some(DedupSort { column: column(field)?, descending: *descending }),
                None => None,
            },
            scd2: match &self.validity {
                Some(said) => {
                    let (valid_from, valid_to) = (column(&said.valid_from)?, column(&said.valid_to)?);
                    Some(Scd2 { valid_from, valid_to, ..said.clone() })
                }
                None => None,
            },
        };
        if self.validity.is_some() && self.strategy != MergeStrategy::Scd2 {
            return Err(Error::config("validity columns mean nothing without the merge strategy scd2"));
        }
        if let Some(key) =
            self.schema.keys().find(|key| !longshore_core::normalize::SCHEMA_KEYS.contains(&key.as_str()))
        {
            let known = longshore_core::normalize::SCHEMA_KEYS.join(", ");
            return Err(Error::config(format!("a schema knows nothing of '{key}'")).hint(format!("keys are: {known}")));
        }
        self.columns.iter().try_for_each(|hint| settings.add_hint(hint))?;
        settings.add_schema(&self.schema)?;
        settings.write.check()?;
        Ok(self.files)
    }
}
