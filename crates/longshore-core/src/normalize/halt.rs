//! What becomes of a row or a record that has something the schema may not take: it is left out, kept aside or refused,
//! and what was written of it is taken back.

use super::OnError;
use super::rows::RowRef;
use super::shape::{ColumnId, NodeId};
use super::violation::{BadRecord, Bar, Cause, Fault, Violation};
use super::walk::Walker;
use crate::json::{Kind, Tape};
use crate::package::DiscardCount;
use crate::schema::{ContractMode, DataType};
use std::ops::Range;

/// Why walking stops.
#[derive(Debug)]
pub(super) enum Halt {
    /// The row at hand is left out.
    Row,
    /// The whole record is left out.
    Record,
    /// The whole record is bad: refused, or with [`OnError::Reject`] or a contract that says so kept aside.
    Bad { violation: Box<Violation>, mode: ContractMode },
}

impl Walker<'_> {
    /// In a survey, notes what would end the load instead, and goes on as if the value were left out.
    fn surveyed(&mut self, mode: ContractMode, violation: impl FnOnce(&mut Self) -> Violation) -> bool {
        if !self.shape.settings.rules.survey || mode != ContractMode::Freeze {
            return false;
        }
        let violation = violation(self);
        self.noted.push(violation);
        true
    }

    /// Deals with a value that has no place.
    pub(super) fn bar(&mut self, bar: Bar, edge: (NodeId, u32), column: Option<ColumnId>, found: DataType, at: RowRef) {
        if self.surveyed(bar.mode, |w| w.shape.violation(bar.cause, edge, column, Some(found))) {
            if let Some(column) = column {
                self.rows.table(at.table).unstamp(column);
            }
            return;
        }
        match bar.mode {
            ContractMode::DiscardValue => {
                let table = &self.shape.schema.tables[at.table as usize].name;
                DiscardCount::add(&mut self.lost, table, 0, 1);
                if let Some(column) = column {
                    self.rows.table(at.table).unstamp(column);
                }
            }
            ContractMode::DiscardRow => self.halt = Some(Halt::Row),
            mode => {
                let violation = Box::new(self.shape.violation(bar.cause, edge, column, Some(found)));
                self.halt = Some(Halt::Bad { violation, mode });
            }
        }
    }

    /// Deals with a list that may have no table.
    pub(super) fn bar_list(&mut self, bar: Bar, node: NodeId, edge: u32, elements: u64) {
        if self.surveyed(bar.mode, |w| w.shape.violation(bar.cause, (node, edge), None, None)) {
            return;
        }
        match bar.mode {
            ContractMode::DiscardRow | ContractMode::DiscardValue => {
                let table = self.shape.list_name(node, edge);
                DiscardCount::add(&mut self.lost, &table, elements, 0);
            }
            mode => {
                let violation = Box::new(self.shape.violation(bar.cause, (node, edge), None, None));
                self.halt = Some(Halt::Bad { violation, mode });
            }
        }
    }

    /// Deals with a record whose table may not be made.
    pub(super) fn bar_root(&mut self, bar: Bar) {
        let table = self.shape.root_name().to_owned();
        match bar.mode {
            ContractMode::DiscardRow | ContractMode::DiscardValue => {
                DiscardCount::add(&mut self.lost, &table, 1, 0);
                self.halt = Some(Halt::Record);
            }
            mode => {
                let (cause, path) = (bar.cause, "$".to_owned());
                let violation = Violation { cause, table, column: None, path, found: None, expected: None };
                if self.surveyed(mode, |_| violation.clone()) {
                    self.halt = Some(Halt::Record);
                    return;
                }
                self.halt = Some(Halt::Bad { violation: Box::new(violation), mode });
            }
        }
    }

    /// Refuses a row that lacks a value it must have.
    pub(super) fn require(&mut self, at: RowRef) {
        if self.halt.is_some() {
            return;
        }
        let Some(lacking) = self.shape.lacks(&mut self.rows, at.table, at.row) else { return };
        let column = lacking.name;
        let (found, expected) = self.shape.strayed(&mut self.rows, (at.table, at.row), &column).unzip();
        let table = self.shape.schema.tables[at.table as usize].name.clone();
        let path = self.shape.tables[at.table as usize].raw_path.join(".");
        let path = if path.is_empty() { column.clone() } else { format!("{path}.{column}") };
        let (cause, column) = (if lacking.is_key { Cause::NoKey } else { Cause::Missing }, Some(column));
        let violation = Box::new(Violation { cause, table, column, path, found, expected });
        // As a record that is not JSON: what becomes of it is for `--on-error` to say.
        self.halt = Some(Halt::Bad { violation, mode: ContractMode::Evolve });
    }

    /// Takes back the row at hand, if it is to be left out; the record goes on without it.
    pub(super) fn leave_out(&mut self, at: RowRef) {
        if !matches!(self.halt, Some(Halt::Row)) {
            return;
        }
        let table = &self.shape.schema.tables[at.table as usize];
        DiscardCount::add(&mut self.lost, &table.name, 1, 0);
        self.halt = match table.is_root() {
            true => Some(Halt::Record),
            false => {
                self.rows.table(at.table).truncate(at.row);
                None
            }
        };
    }

    /// Takes back all rows of a record.
    pub(super) fn undo(&mut self, root: RowRef) {
        self.rows.forget(root);
    }

    /// Says what became of a record.
    ///
    /// # Errors
    /// When it is refused.
    #[inline]
    pub(super) fn settle(&mut self, tape: &Tape, index: usize, end: usize, on_error: OnError) -> Result<(), BadRecord> {
        if self.halt.is_none() && self.lost.is_empty() && self.noted.is_empty() {
            return Ok(());
        }
        self.settle_halted(tape, index, end, on_error)
    }

    fn settle_halted(&mut self, tape: &Tape, index: usize, end: usize, on_error: OnError) -> Result<(), BadRecord> {
        let lost = std::mem::take(&mut self.lost);
        for violation in std::mem::take(&mut self.noted) {
            let fault = Fault::Schema(Box::new(violation));
            let range = self.range(tape, index, end);
            self.refused.push(BadRecord { range, fault });
        }
        match self.halt.take() {
            Some(Halt::Bad { violation, mode }) => {
                let bad = BadRecord { range: self.range(tape, index, end), fault: Fault::Schema(violation) };
                let is_kept =
                    mode == ContractMode::Reject || (mode == ContractMode::Evolve && on_error == OnError::Reject);
                if !is_kept && self.shape.settings.rules.survey {
                    self.refused.push(bad);
                    self.discarded += 1;
                    return Ok(());
                }
                if !is_kept {
                    return Err(bad);
                }
                self.rejects.push(bad);
                return Ok(());
            }
            Some(Halt::Row | Halt::Record) => self.discarded += 1,
            None => {}
        }
        for count in lost {
            DiscardCount::add(&mut self.discards, &count.table, count.rows, count.values);
        }
        Ok(())
    }

    /// Returns where a record stands: the tape knows where values begin, and where the last one ends.
    fn range(&self, tape: &Tape, index: usize, end: usize) -> Range<usize> {
        let first = |index: usize| {
            let node = tape.nodes()[index];
            node.start as usize - usize::from(matches!(node.kind, Kind::Text | Kind::EscapedText))
        };
        let start = first(index);
        let next = tape.after(index);
        let is_element = index > 0;
        let end = if next < tape.nodes().len() { first(next) } else { end };
        let mut text = self.bytes[start..end].trim_ascii_end();
        if is_element {
            text = text.strip_suffix(b",").or(text.strip_suffix(b"]")).unwrap_or(text).trim_ascii_end();
        }
        start..start + text.len()
    }
}
