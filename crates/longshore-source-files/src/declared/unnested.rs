//! A column that is to be unnested and that no file has is a slip of the pen: it is refused before anything is loaded.

use super::config::Resource;
use arrow_schema::Schema;
use longshore_core::error::{Error, Result};
use longshore_core::misspelt::suggest;
use longshore_core::normalize::Unnest;
use std::collections::BTreeMap;

/// What the files of a resource have, as far as they were opened.
#[derive(Default)]
pub(super) struct Columns {
    /// Columns of Parquet and Arrow, and whether there is anything in them to unnest.
    names: BTreeMap<String, bool>,
    /// There are texts too, whose fields are known record by record.
    texts: bool,
}

impl Columns {
    /// Takes the columns of one file; `None` for a text.
    pub(super) fn meet(&mut self, schema: Option<&Schema>) {
        self.texts |= schema.is_none();
        for field in schema.into_iter().flat_map(|s| s.fields()) {
            *self.names.entry(field.name().clone()).or_default() |= field.data_type().is_nested();
        }
    }

    /// True when every column that is to be unnested was met.
    pub(super) fn have_all(&self, resource: &Resource) -> bool {
        self.missing(resource).is_none()
    }

    /// Refuses a column that none of the files has.
    pub(super) fn check(&self, resource: &Resource) -> Result<()> {
        match self.missing(resource) {
            Some(name) if !self.texts && !self.names.is_empty() => Err(self.refused(name)),
            _ => Ok(()),
        }
    }

    fn missing<'a>(&self, resource: &'a Resource) -> Option<&'a String> {
        let Unnest::Columns(asked) = &resource.unnest else { return None };
        let is_there = |name: &String| {
            let one = Unnest::Columns(vec![name.clone()]);
            self.names.keys().any(|column| one.is_asked(column))
        };
        asked.iter().find(|name| !is_there(name))
    }

    fn refused(&self, name: &str) -> Error {
        let nested: Vec<&str> = self.names.iter().filter(|(_, nested)| **nested).map(|(n, _)| n.as_str()).collect();
        let hint = if let Some(whole) = nested.iter().find(|n| name.split('.').next() == Some(**n)) {
            format!("a column is unnested with all that is in it: write '{whole}'")
        } else if let Some(near) = suggest(name, nested.iter().copied()) {
            near
        } else if nested.is_empty() {
            "no column has lists or structs, so that there is nothing to unnest".to_owned()
        } else {
            format!("columns with lists or structs: {}", nested.join(", "))
        };
        Error::config(format!("no file has the column '{name}', which is to be unnested")).hint(hint)
    }
}
