//! Dependent resources: what is kept of a parent's record while its children are fetched.

use crate::doc::{Doc, Val};
use crate::jsonpath::JsonPath;
use std::sync::Arc;

/// The captured values of a record, and of the records above it.
#[derive(Debug, Clone)]
pub(crate) struct Parent(Arc<Link>);

#[derive(Debug)]
struct Link {
    resource: usize,
    /// As JSON text; `None` where the record has no such field.
    values: Vec<Option<Box<str>>>,
    above: Option<Parent>,
}

impl Parent {
    pub(crate) fn new(resource: usize, values: Vec<Option<Box<str>>>, above: Option<Parent>) -> Parent {
        Parent(Arc::new(Link { resource, values, above }))
    }

    /// Returns a value captured from the record of that resource.
    pub(crate) fn value(&self, resource: usize, slot: usize) -> Option<&str> {
        if self.0.resource == resource {
            return self.0.values.get(slot)?.as_deref();
        }
        self.0.above.as_ref()?.value(resource, slot)
    }
}

/// Takes the values that children need out of a record.
pub(crate) fn capture(paths: &[JsonPath], doc: &Doc, record: Val<'_>) -> Vec<Option<Box<str>>> {
    paths.iter().map(|path| path.first(doc, record).map(|v| v.raw_text().into())).collect()
}

/// dlt's name of a field that is taken over from the parent (`make_parent_key_name`).
pub(crate) fn included_name(parent: &str, field: &str) -> String {
    format!("_{parent}_{field}")
}
