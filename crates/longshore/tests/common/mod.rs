//! A pipeline into memory, and its tables as text.
#![allow(dead_code, clippy::unwrap_used, unreachable_pub)] // every test file uses a part of it

use longshore::arrow_array::RecordBatch;
use longshore::{MemoryDestination, Pipeline, PipelineBuilder};
use std::sync::Arc;
use tempfile::TempDir;

/// A working folder that goes with the test, and a destination.
pub struct Place {
    pub folder: TempDir,
    pub memory: MemoryDestination,
}

impl Place {
    pub fn new() -> Self {
        Place { folder: tempfile::tempdir().unwrap(), memory: MemoryDestination::new() }
    }

    /// Everything but the destination.
    pub fn builder(&self) -> PipelineBuilder {
        Pipeline::builder().name("p").data_dir(self.folder.path()).table("t").threads(2)
    }

    pub fn pipeline(&self) -> Pipeline {
        self.builder().custom_destination(Arc::new(self.memory.clone())).build().unwrap()
    }
}

/// The rows of a table as lines of `column=value`, the loader's own columns left out.
pub fn rows(pipeline: &Pipeline, table: &str) -> Vec<String> {
    let batches = pipeline.query(&format!("SELECT * FROM {table}")).unwrap();
    batches.iter().flat_map(batch_rows).collect()
}

fn batch_rows(batch: &RecordBatch) -> Vec<String> {
    let schema = batch.schema();
    let cell = |row: usize, column: usize| {
        let name = schema.field(column).name();
        let value = arrow_cast::display::array_value_to_string(batch.column(column), row).unwrap();
        (!name.starts_with('_') && !value.is_empty()).then(|| format!("{name}={value}"))
    };
    (0..batch.num_rows())
        .map(|row| (0..batch.num_columns()).filter_map(|c| cell(row, c)).collect::<Vec<_>>().join(" "))
        .collect()
}

/// The columns of a table with their types, the loader's own left out.
pub fn columns(pipeline: &Pipeline, table: &str) -> Vec<String> {
    let batches = pipeline.query(&format!("SELECT * FROM {table}")).unwrap();
    let schema = batches.last().unwrap().schema();
    schema
        .fields()
        .iter()
        .filter(|f| !f.name().starts_with('_'))
        .map(|f| format!("{}: {}", f.name(), f.data_type()))
        .collect()
}
