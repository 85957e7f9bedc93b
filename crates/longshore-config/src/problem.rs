//! What is wrong with a configuration, with its place.

use crate::node::Origin;
use longshore_core::error::{Error, ErrorKind};
use serde::Serialize;
use std::fmt;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub origin: Origin,
    /// The keys that lead there, with dots between them; empty for the file as a whole.
    pub path: String,
    /// What, in lower case and without a full stop; no secret in it.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// Returns a problem at a place.
    pub fn new(origin: &Origin, path: impl Into<String>, message: impl Into<String>) -> Self {
        Problem { origin: origin.clone(), path: path.into(), message: message.into(), hint: None }
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says what to do, if anything.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)?;
        if !self.path.is_empty() {
            write!(f, " (at {})", self.path)?;
        }
        Ok(())
    }
}

impl Serialize for Problem {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (file, line, column) = match &self.origin {
            Origin::File { file, line, column } => (file.to_string(), Some(*line), Some(*column)),
            other => (other.to_string(), None, None),
        };
        serde_json::json!({
            "file": file, "line": line, "column": column, "path": self.path, "message": self.message, "hint": self.hint,
        })
        .serialize(serializer)
    }
}

/// Everything that is wrong; at least one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Returns the one thing that is wrong.
    pub fn one(problem: Problem) -> Self {
        Problems(vec![problem])
    }

    /// Fails with what was found, if anything was.
    ///
    /// # Errors
    /// When the list is not empty.
    pub fn none(found: Vec<Problem>) -> Result<(), Problems> {
        if found.is_empty() { Ok(()) } else { Err(Problems(found)) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The first problem, with how many more there are.
impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        let more = problems.0.len().saturating_sub(1);
        let Some(first) = problems.0.into_iter().next() else { return Error::internal("no problem was found") };
        let mut error = Error::new(ErrorKind::Config, first.to_string());
        if let Some(hint) = first.hint {
            error = error.hint(hint);
        }
        if more > 0 {
            error = error.with("further problems", format!("{more}: 'longshore check' lists them all"));
        }
        error
    }
}
