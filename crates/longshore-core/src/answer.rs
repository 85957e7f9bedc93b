//! What the columns of a query's answer say of themselves, beside their Arrow types.

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema};
use std::sync::Arc;

/// Arrow's own mark for texts that are JSON: <https://arrow.apache.org/docs/format/CanonicalExtensions.html#json>
const EXTENSION: (&str, &str) = ("ARROW:extension:name", "arrow.json");

/// Returns true for a column whose texts are JSON documents.
pub fn is_json(field: &Field) -> bool {
    field.metadata().get(EXTENSION.0).is_some_and(|name| name == EXTENSION.1)
}

/// Returns the field marked as one whose texts are JSON documents.
pub fn as_json(field: Field) -> Field {
    let mut metadata = field.metadata().clone();
    metadata.insert(EXTENSION.0.to_owned(), EXTENSION.1.to_owned());
    field.with_metadata(metadata)
}

/// Marks the columns of batches that `which` says are JSON, by their numbers.
pub fn mark_json(batches: Vec<RecordBatch>, which: impl Fn(usize) -> bool) -> Vec<RecordBatch> {
    let mark = |batch: RecordBatch| {
        let schema = batch.schema();
        let field = |(i, field): (usize, &Arc<Field>)| {
            let is_text = field.data_type().is_string();
            if is_text && which(i) { Arc::new(as_json(field.as_ref().clone())) } else { Arc::clone(field) }
        };
        let fields: Vec<_> = schema.fields().iter().enumerate().map(field).collect();
        let marked = Schema::new_with_metadata(fields, schema.metadata().clone());
        batch.clone().with_schema(Arc::new(marked)).unwrap_or(batch)
    };
    batches.into_iter().map(mark).collect()
}
