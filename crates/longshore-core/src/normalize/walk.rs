//! From a record's tape to rows: dlt's order of flattening, lists as child tables.
//!
//! dlt takes the scalars of a dict first and its dicts afterwards, last one first; lists follow when
//! the row is complete (`relational.py`, `_flatten` and `_normalize_row`). The order decides which
//! column is seen first, so it is kept to the letter.

mod value;

use super::OnError;
use super::coerce::{Typed, coerce};
use super::halt::Halt;
use super::identity::Identity;
use super::rows::{BlockRows, RowRef};
use super::shape::{NodeId, Shape, TableId};
use super::violation::{BadRecord, Bar, Violation};
use crate::json::{Kind, Node, Tape, unescape};
use crate::package::DiscardCount;
use crate::schema::{ColumnRole, DataType, SystemColumns};

/// Walks records of one block and gathers their rows.
#[derive(Debug)]
pub(super) struct Walker<'a> {
    pub(super) shape: &'a mut Shape,
    pub(super) rows: BlockRows,
    pub(super) bytes: &'a [u8],
    /// Why the row or the record at hand goes no further.
    pub(super) halt: Option<Halt>,
    /// What the record at hand has lost to the contract.
    pub(super) lost: Vec<DiscardCount>,
    /// What the block has lost.
    pub(super) discards: Vec<DiscardCount>,
    /// Records that are left out.
    pub(super) discarded: u64,
    /// Records for the rejects table.
    pub(super) rejects: Vec<BadRecord>,
    /// In a survey: what the record at hand would end the load with.
    pub(super) noted: Vec<Violation>,
    /// In a survey: what the block would have ended the load with.
    pub(super) refused: Vec<BadRecord>,
    /// Dicts of the row at hand that wait for their turn.
    dicts: Vec<(usize, NodeId)>,
    /// Lists of the rows at hand.
    lists: Vec<(usize, NodeId, u32)>,
    scratch: Vec<u8>,
    identity: Identity,
}

impl<'a> Walker<'a> {
    pub(super) fn new(shape: &'a mut Shape, bytes: &'a [u8]) -> Self {
        let (identity, rows) = (Identity::of(shape), BlockRows::with_room(shape));
        Walker {
            identity,
            shape,
            rows,
            bytes,
            halt: None,
            lost: Vec::new(),
            discards: Vec::new(),
            discarded: 0,
            rejects: Vec::new(),
            noted: Vec::new(),
            refused: Vec::new(),
            dicts: Vec::new(),
            lists: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Takes the record, or with `pages` the elements of the array, on the tape; returns how many. `end` is the offset
    /// behind the last byte.
    ///
    /// # Errors
    /// The first record that is refused.
    pub(super) fn records(
        &mut self,
        tape: &Tape,
        pages: bool,
        end: usize,
        on_error: OnError,
    ) -> Result<u64, BadRecord> {
        if !pages || tape.nodes()[0].kind != Kind::Array {
            self.record(tape, 0);
            self.settle(tape, 0, end, on_error)?;
            return Ok(1);
        }
        let (mut count, mut next, last) = (0, 1, tape.after(0));
        while next < last {
            self.record(tape, next);
            self.settle(tape, next, end, on_error)?;
            count += 1;
            next = tape.after(next);
        }
        Ok(count)
    }

    /// Takes one record; a record that is not a dict becomes `{"value": record}`.
    fn record(&mut self, tape: &Tape, index: usize) {
        let kind = tape.nodes()[index].kind;
        let table = match self.shape.root() {
            Ok(table) => table,
            Err(bar) => return self.bar_root(bar),
        };
        let level = i64::from(self.shape.settings.max_nesting);
        let row = self.rows.table(table).push_root();
        let at = RowRef { table, row, root: row };
        if kind == Kind::Object {
            self.row(tape, index, at, level);
        } else {
            self.wrapped(tape, index, b"value", at, level);
        }
        match self.halt {
            None if self.identity != Identity::None => self.identify(tape, index, at),
            None => {}
            Some(_) => self.undo(at),
        }
    }

    /// Gives the root row the id or hash that follows from its record, unless the record brought an id.
    fn identify(&mut self, tape: &Tape, index: usize, at: RowRef) {
        let own_ids = &mut self.rows.table(at.table).own_ids;
        if own_ids.last().is_some_and(|(row, _)| *row == at.row) {
            return;
        }
        if let Some(id) = self.identity.id(self.shape, tape, self.bytes, index) {
            own_ids.push((at.row, id));
        }
    }

    /// Fills a row from the dict at `index`, then its child tables.
    fn row(&mut self, tape: &Tape, index: usize, at: RowRef, level: i64) {
        let top = self.shape.top(at.table, level);
        let first_list = self.lists.len();
        let first_dict = self.dicts.len();
        self.dicts.push((index, top));
        while self.dicts.len() > first_dict {
            let Some((index, node)) = self.dicts.pop() else { break };
            match tape.nodes()[index].kind {
                Kind::Array => self.positions(tape, index, node, at),
                _ => self.dict(tape, index, node, at),
            }
            if self.halt.is_some() {
                self.dicts.truncate(first_dict);
            }
        }
        self.finish_row(tape, at, first_list);
    }

    /// Fills a row from a value that is not a dict, as if it stood in one under `key`.
    fn wrapped(&mut self, tape: &Tape, index: usize, key: &[u8], at: RowRef, level: i64) {
        let top = self.shape.top(at.table, level);
        let first_list = self.lists.len();
        let edge = self.shape.edge(top, key, 0);
        match tape.nodes()[index].kind {
            Kind::Null => {}
            Kind::Array if !self.stays_json(top, edge) => self.lists.push((index, top, edge)),
            _ => self.value(tape, index, top, edge, at),
        }
        self.finish_row(tape, at, first_list);
    }

    fn finish_row(&mut self, tape: &Tape, at: RowRef, first_list: usize) {
        if !self.shape.tables[at.table as usize].complete {
            self.shape.complete(at.table);
        }
        if !self.shape.tables[at.table as usize].required.is_empty() {
            self.require(at);
        }
        if self.halt.is_some() {
            self.leave_out(at);
            return self.lists.truncate(first_list);
        }
        let last_list = self.lists.len();
        for i in first_list..last_list {
            let (index, node, edge) = self.lists[i];
            self.list(tape, index, node, edge, at);
            if self.halt.is_some() {
                break;
            }
        }
        self.lists.truncate(first_list);
    }

    /// Writes the scalars of a dict and notes its dicts and lists.
    fn dict(&mut self, tape: &Tape, index: usize, node: NodeId, at: RowRef) {
        let end = tape.after(index);
        let mut next = index + 1;
        let mut guess = 0;
        while next < end {
            let key = tape.nodes()[next];
            let value = next + 1;
            let edge = self.key_edge(key, node, guess);
            guess = edge + 1;
            match tape.nodes()[value].kind {
                Kind::Null => self.claim_row_id(node, edge, at),
                Kind::Object if !self.stays_json(node, edge) => {
                    if tape.after(value) > value + 1 {
                        let child = self.shape.object(node, edge);
                        self.dicts.push((value, child));
                    }
                }
                Kind::Array if !self.stays_json(node, edge) => self.array(tape, value, node, edge),
                _ => self.value_of_key(tape, (index, next), node, edge, at),
            }
            next = tape.after(value);
        }
    }

    /// Notes a list, or one whose elements are columns.
    #[inline]
    fn array(&mut self, tape: &Tape, value: usize, node: NodeId, edge: u32) {
        if !self.shape.nodes[node as usize].edges[edge as usize].flattened {
            self.lists.push((value, node, edge));
        } else if tape.after(value) > value + 1 {
            let child = self.shape.object(node, edge);
            self.dicts.push((value, child));
        }
    }

    /// Writes the elements of a list as if they stood in a dict by their positions.
    fn positions(&mut self, tape: &Tape, index: usize, node: NodeId, at: RowRef) {
        let (mut next, end, mut position) = (index + 1, tape.after(index), 0u32);
        let first = self.dicts.len();
        while next < end {
            let edge = self.shape.edge(node, position.to_string().as_bytes(), position);
            match tape.nodes()[next].kind {
                Kind::Null => {}
                Kind::Object if !self.stays_json(node, edge) => {
                    if tape.after(next) > next + 1 {
                        let child = self.shape.object(node, edge);
                        self.dicts.push((next, child));
                    }
                }
                Kind::Array if !self.stays_json(node, edge) => self.array(tape, next, node, edge),
                _ => self.value(tape, next, node, edge, at),
            }
            position += 1;
            next = tape.after(next);
        }
        // The last one goes first, and columns are to stand in the order of the elements.
        self.dicts[first..].reverse();
    }

    #[inline]
    fn key_edge(&mut self, key: Node, node: NodeId, guess: u32) -> u32 {
        let bytes = self.bytes;
        let raw = &bytes[key.start as usize..(key.start + key.len) as usize];
        if key.kind == Kind::Text {
            return self.shape.edge(node, raw, guess);
        }
        let mut text = Vec::new();
        unescape(raw, &mut text);
        self.shape.edge(node, &text, guess)
    }

    #[inline]
    fn stays_json(&self, node: NodeId, edge: u32) -> bool {
        self.shape.nodes[node as usize].edges[edge as usize].stays_json
    }

    /// Makes a row of a child table from each element of a list.
    fn list(&mut self, tape: &Tape, index: usize, node: NodeId, edge: u32, parent: RowRef) {
        let end = tape.after(index);
        if end == index + 1 {
            return;
        }
        let (table, level) = match self.list_table(node, edge, parent) {
            Ok(found) => found,
            Err(bar) => return self.bar_list(bar, node, edge, elements(tape, index)),
        };
        let mut next = index + 1;
        let mut position = 0;
        while next < end {
            let row = self.rows.table(table).push_child(parent, position);
            let at = RowRef { table, row, root: parent.root };
            match tape.nodes()[next].kind {
                Kind::Object => self.row(tape, next, at, level),
                Kind::Array => self.wrapped(tape, next, b"list", at, level - 1),
                _ => self.wrapped(tape, next, b"value", at, level),
            }
            if self.halt.is_some() {
                return;
            }
            position += 1;
            next = tape.after(next);
        }
    }

    /// Finds the table of a list's elements. A second list of the same parent row goes to another: their positions
    /// would mix.
    fn list_table(&mut self, node: NodeId, edge: u32, parent: RowRef) -> Result<(TableId, i64), Bar> {
        let (mut table, level) = self.shape.list(node, edge)?;
        let mut ordinal = 0;
        while self.rows.table(table).has_rows_of(parent) {
            table = self.shape.alias_list(node, edge, ordinal)?;
            ordinal += 1;
        }
        Ok((table, level))
    }

    /// Writes the value of a key, which may be a repeated one.
    #[inline]
    fn value_of_key(&mut self, tape: &Tape, (dict, key): (usize, usize), node: NodeId, edge: u32, at: RowRef) {
        let known = self.shape.nodes[node as usize].edges[edge as usize].scalar;
        if self.fast_value(tape.nodes()[key + 1], known, at) {
            return;
        }
        if self.is_row_id(node, edge) {
            return self.own_row_id(tape, key + 1, at);
        }
        let edge = self.unrepeated(tape, dict, key, node, edge);
        self.value(tape, key + 1, node, edge, at);
    }

    /// Returns the edge for a key that stands more than once in its dict: `key`, `key 2`, `key 3`.
    fn unrepeated(&mut self, tape: &Tape, dict: usize, key: usize, node: NodeId, edge: u32) -> u32 {
        let text_of = |n: Node| &self.bytes[n.start as usize..(n.start + n.len) as usize];
        let text = text_of(tape.nodes()[key]);
        let (mut before, mut at) = (0, dict + 1);
        while at < key {
            let takes_column = match tape.nodes()[at + 1].kind {
                Kind::Null => false,
                Kind::Object | Kind::Array => self.stays_json(node, edge),
                _ => true,
            };
            before += usize::from(takes_column && text_of(tape.nodes()[at]) == text);
            at = tape.after(at + 1);
        }
        if before == 0 {
            return edge;
        }
        let mut twin = self.shape.nodes[node as usize].edges[edge as usize].key.to_vec();
        twin.extend_from_slice(format!(" {}", before + 1).as_bytes());
        self.shape.edge(node, &twin, edge + 1)
    }

    /// True for the key `_dlt_id` in dlt mode: dlt keeps the id a row brings.
    fn is_row_id(&self, node: NodeId, edge: u32) -> bool {
        let system = self.shape.settings.system;
        system == SystemColumns::Dlt
            && *self.shape.nodes[node as usize].edges[edge as usize].key
                == *system.column(ColumnRole::RowId).name.as_bytes()
            && self.shape.is_top(node)
    }

    /// In dlt mode the id column of a new table stands where its key is first met, even if null.
    #[inline]
    fn claim_row_id(&mut self, node: NodeId, edge: u32, at: RowRef) {
        if !self.shape.tables[at.table as usize].complete && self.is_row_id(node, edge) {
            self.shape.system_column(at.table, ColumnRole::RowId);
        }
    }

    fn own_row_id(&mut self, tape: &Tape, index: usize, at: RowRef) {
        if !self.shape.tables[at.table as usize].complete {
            self.shape.system_column(at.table, ColumnRole::RowId);
        }
        let mut text = Vec::new();
        let value = self.read(tape, index, &mut text);
        if let Some(Typed::Bytes(id)) = coerce(DataType::Text, value, SystemColumns::Dlt) {
            let id = String::from_utf8_lossy(&id).into_owned();
            // dlt makes an id of its own where the row's is empty.
            if !id.is_empty() {
                self.rows.table(at.table).own_ids.push((at.row, id));
            }
        }
    }
}

fn elements(tape: &Tape, list: usize) -> u64 {
    let (mut next, end, mut count) = (list + 1, tape.after(list), 0);
    while next < end {
        count += 1;
        next = tape.after(next);
    }
    count
}
