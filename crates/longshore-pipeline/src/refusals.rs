//! What the schema's contracts and limits would end a load for: each kind of violation once, counted.

use crate::extract::position;
use longshore_core::normalize::{BadRecord, Fault, Violation};
use longshore_core::source::Block;
use serde::Serialize;

/// Kinds of violations that are told apart; keys that are data make one each.
const KINDS: usize = 500;

/// Violations by what they are about, in the order they were first met.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refusals {
    kinds: Vec<(Violation, Refused)>,
    /// Violations of kinds beyond those.
    others: u64,
}

/// One kind of violation.
#[derive(Debug, Clone, Serialize)]
pub struct Refused {
    /// The table.
    pub table: String,
    /// The column, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The keys from the record to the value.
    pub path: String,
    /// What the load would end with.
    pub reason: String,
    /// What to do.
    pub hint: &'static str,
    /// How often it was met.
    pub count: u64,
    /// The input of the first, where it is of one record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Its line, where the input has lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

impl Refusals {
    pub(crate) fn add(&mut self, block: &Block, bad: &BadRecord) {
        let Fault::Schema(violation) = &bad.fault else { return };
        if let Some((_, known)) = self.kinds.iter_mut().find(|(v, _)| v == violation.as_ref()) {
            known.count += 1;
            return;
        }
        if self.kinds.len() == KINDS {
            self.others += 1;
            return;
        }
        let (file, line) = match block {
            Block::Json(block) => (block.origin.to_string(), Some(position(block, bad.offset()).0)),
            Block::Columns(block) => (block.origin.to_string(), None),
        };
        let refused = Refused {
            table: violation.table.clone(),
            column: violation.column.clone(),
            path: violation.path.clone(),
            reason: violation.to_string(),
            hint: violation.hint(),
            count: 1,
            file: Some(file),
            line,
        };
        self.kinds.push((violation.as_ref().clone(), refused));
    }

    /// Returns the kinds, and how many violations are of none of them.
    pub(crate) fn into_parts(self) -> (Vec<Refused>, u64) {
        (self.kinds.into_iter().map(|(_, refused)| refused).collect(), self.others)
    }
}
