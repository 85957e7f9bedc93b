//! One source or destination, with everything put in.

use crate::node::{Node, Origin, Value};
use crate::problem::Problem;
use longshore_core::connect::Secret;
use longshore_core::error::Error;
use longshore_core::misspelt::nearest;
use std::fmt;

/// A section whose values are all there; it may hold secrets, so `Debug` shows names only.
#[derive(Clone)]
pub struct Section {
    /// Its name in the file.
    pub name: String,
    /// Its `type`.
    pub kind: String,
    /// `sources`, `destinations`, or empty for `[pipeline]`.
    part: String,
    pub(crate) tree: Node,
    secrets: Vec<Secret>,
    unasked: Vec<String>,
}

impl Section {
    pub(crate) fn new(part: &str, name: &str, kind: String, tree: Node) -> Self {
        Section { name: name.to_owned(), kind, part: part.to_owned(), tree, secrets: Vec::new(), unasked: Vec::new() }
    }

    pub(crate) fn with_secrets(mut self, secrets: Vec<Secret>) -> Self {
        self.secrets = secrets;
        self
    }

    pub(crate) fn with_unasked(mut self, unasked: Vec<String>) -> Self {
        self.unasked = unasked;
        self
    }

    /// Returns the keys, with dots between them, whose secrets only a vault can have, which was not asked; stars stand there.
    pub fn unasked(&self) -> &[String] {
        &self.unasked
    }

    /// Returns the values that were put in for references to secrets, and what secret files say of headers, parameters
    /// and bodies: to be kept out of what is printed and recorded, wherever in the section they stand.
    pub fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    /// Returns the section as JSON, `type` included, secrets put in.
    pub fn to_json(&self) -> serde_json::Value {
        self.tree.to_json()
    }

    /// Returns where the value at a path (keys and list positions from the section in) stands: its key, or the
    /// innermost part of the way that is there.
    pub fn origin_of<S: AsRef<str>>(&self, path: &[S]) -> &Origin {
        self.tree.origin_of(path)
    }

    /// Returns a problem at a path from the section in.
    pub fn problem<S: AsRef<str>>(&self, path: &[S], message: impl Into<String>) -> Problem {
        Problem::new(self.origin_of(path), self.full_path(path), message)
    }

    /// Makes a problem of an error about the value at a path.
    pub fn problem_of<S: AsRef<str>>(&self, path: &[S], error: &Error) -> Problem {
        self.problem(path, error.message()).maybe_hint(error.hint_text().map(str::to_owned))
    }

    /// Makes a problem of a message about this section as a whole, which may name the key it is about in backticks or
    /// quotes, as serde does: then it stands at that key.
    pub fn problem_from_message(&self, message: &str) -> Problem {
        let mut quoted = message.split(['`', '\'']).skip(1).step_by(2);
        let first = quoted.next().filter(|k| self.tree.at(&[k]).is_some());
        let path: Vec<&str> = first.into_iter().collect();
        let hint = first.and_then(|key| nearest(key, quoted)).map(|near| format!("did you mean '{near}'?"));
        self.problem(&path, message.to_owned()).maybe_hint(hint)
    }

    fn full_path<S: AsRef<str>>(&self, path: &[S]) -> String {
        let start = [self.part.as_str(), self.name.as_str()].into_iter().filter(|w| !w.is_empty());
        start.chain(path.iter().map(AsRef::as_ref)).collect::<Vec<_>>().join(".")
    }

    /// Returns the keys and values of the section.
    pub(crate) fn entries(&self) -> &[crate::node::Entry] {
        match &self.tree.value {
            Value::Table(table) => &table.entries,
            _ => &[],
        }
    }
}

impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Section").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}
