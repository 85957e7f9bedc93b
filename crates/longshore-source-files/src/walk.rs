//! Follows a path through JSON as it streams by and notes where the selected values are.

mod damage;
mod name;
mod stop;

use std::ops::Range;

use crate::select::{Child, Select, Steps};
use crate::skim::Skimmed;
use crate::value::{Value, skip_space};
use longshore_core::json::BYTE_ORDER_MARK;
pub(crate) use stop::{Fault, FaultKind, Stop};

/// Positions are bytes of the buffer given to [`Walker::run`].
#[derive(Debug)]
pub(crate) struct Walker {
    select: Select,
    top_level: TopLevel,
    frames: Vec<Frame>,
    state: State,
    pos: usize,
    /// Begin of the top-level value under way, as long as it is in the buffer.
    top: Option<usize>,
    /// Top-level values walked to their end.
    values: u64,
    /// The path goes on with all elements of something that has none.
    is_at_empty: bool,
    /// The selected values that ended in the buffer.
    pub(crate) found: Vec<Range<usize>>,
}

/// What is done with the values of the top level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TopLevel {
    /// The path is applied to each.
    Select,
    /// The elements of arrays are the records; the walk stops before any other value.
    Arrays,
    /// The elements of arrays and all other values are the records.
    Records,
}

#[derive(Debug)]
struct Frame {
    array: bool,
    steps: Steps,
    index: u64,
}

#[derive(Debug)]
enum State {
    /// Between top-level values.
    Top,
    /// Before a value.
    Value(Steps),
    /// Behind an opening bracket.
    First,
    /// Before a member's name.
    Name,
    /// Before the colon of a member whose value has these steps.
    Colon(Steps),
    /// Behind a value.
    Next,
    /// Inside a value that is a record (with its begin) or is passed over.
    Body { value: Value, record: Option<usize> },
    /// Looking for the end of a damaged line.
    Damaged(Fault),
}

/// Levels kept while a path with `..` is followed; all else needs no memory per level.
pub(crate) const MOST_LEVELS: usize = 1 << 20;

impl Walker {
    /// The first buffer must begin between top-level values.
    pub(crate) fn new(select: Select, top_level: TopLevel) -> Walker {
        Walker {
            select,
            top_level,
            frames: Vec::new(),
            state: State::Top,
            pos: 0,
            top: None,
            values: 0,
            is_at_empty: false,
            found: Vec::new(),
        }
    }

    /// Walks to the end of `buf`, or as far as it makes sense.
    pub(crate) fn run(&mut self, buf: &[u8], eof: bool) -> Stop {
        loop {
            let Some(stop) = self.step(buf, eof) else {
                continue;
            };
            let Stop::Fault(fault) = stop else {
                return stop;
            };
            if !self.leave_damaged_line(fault, buf, eof) {
                return match self.state {
                    State::Damaged(_) if !eof => Stop::More,
                    _ => Stop::Fault(fault),
                };
            }
        }
    }

    /// The first byte of the buffer that is still needed.
    pub(crate) fn keep(&self) -> usize {
        match self.state {
            State::Body { record: Some(start), .. } => start,
            State::Damaged(_) => self.top.unwrap_or(self.pos),
            _ => self.pos,
        }
    }

    /// Tells that the first `n` bytes of the buffer are gone, and `found` with them.
    pub(crate) fn shift(&mut self, n: usize) {
        self.pos -= n.min(self.pos);
        self.top = self.top.and_then(|top| top.checked_sub(n));
        match &mut self.state {
            State::Body { record: Some(start), .. } => *start -= n.min(*start),
            State::Damaged(fault) => fault.at -= n.min(fault.at),
            _ => {}
        }
    }

    /// Goes back to the begin of the top-level value under way.
    pub(crate) fn rewind(&mut self, top: usize) {
        self.forget_found(top);
        self.frames.clear();
        self.state = State::Top;
        self.pos = top;
        self.top = None;
    }

    fn forget_found(&mut self, from: usize) {
        while self.found.last().is_some_and(|last| last.start >= from) {
            self.found.pop();
        }
    }

    pub(crate) fn top(&self) -> Option<usize> {
        self.top
    }

    /// Begin of the record under way.
    pub(crate) fn record(&self) -> Option<usize> {
        match self.state {
            State::Body { record, .. } => record,
            _ => None,
        }
    }

    /// What was wrong with the line whose end is being looked for.
    pub(crate) fn damage(&self) -> Option<Fault> {
        match self.state {
            State::Damaged(fault) => Some(fault),
            _ => None,
        }
    }

    /// The kind of the top-level value under way.
    pub(crate) fn top_kind(&self) -> &'static str {
        match self.frames.first() {
            Some(frame) if frame.array => "array",
            Some(_) => "object",
            None => "value",
        }
    }

    pub(crate) fn path(&self) -> &str {
        self.select.as_str()
    }

    /// Whether it is no fault of the path when nothing was selected: there was no value, or a list without elements.
    pub(crate) fn met_nothing(&self) -> bool {
        self.values == 0 || self.is_at_empty
    }

    #[inline]
    fn step(&mut self, buf: &[u8], eof: bool) -> Option<Stop> {
        if let State::Body { value, record } = &mut self.state {
            let record = *record;
            let lines = self.top_level == TopLevel::Select;
            let skimmed =
                if lines { value.run::<true>(buf, self.pos, eof) } else { value.run::<false>(buf, self.pos, eof) };
            return self.end_body(skimmed, record, buf, eof);
        }
        if let State::Damaged(fault) = self.state {
            return Some(Stop::Fault(fault));
        }
        self.pos = skip_space(buf, self.pos);
        let Some(&byte) = buf.get(self.pos) else {
            return Some(match self.state {
                _ if !eof => Stop::More,
                State::Top => Stop::End,
                _ => self.fault(FaultKind::Ended),
            });
        };
        match self.state {
            State::Top if byte == BYTE_ORDER_MARK[0] => self.byte_order_mark(buf, eof),
            State::Top => self.top_value(byte),
            State::Value(steps) => self.value(byte, steps),
            State::First => self.first(byte),
            State::Name => self.name(byte, buf, eof),
            State::Colon(steps) => self.colon(byte, steps),
            State::Next => self.next(byte),
            State::Body { .. } | State::Damaged(_) => None,
        }
    }

    fn end_body(&mut self, skimmed: Skimmed, record: Option<usize>, buf: &[u8], eof: bool) -> Option<Stop> {
        match skimmed {
            Skimmed::End(end) => {
                self.pos = end;
                self.found.extend(record.map(|start| start..end));
                self.close();
                None
            }
            Skimmed::BrokenString(at) => {
                self.pos = at;
                Some(self.fault(FaultKind::BrokenString))
            }
            Skimmed::More => {
                self.pos = buf.len();
                Some(match eof {
                    true => self.fault(FaultKind::Ended),
                    false => Stop::More,
                })
            }
        }
    }

    /// Files that were joined have their marks in the middle.
    fn byte_order_mark(&mut self, buf: &[u8], eof: bool) -> Option<Stop> {
        let rest = &buf[self.pos..];
        if rest.starts_with(BYTE_ORDER_MARK) {
            self.pos += BYTE_ORDER_MARK.len();
            return None;
        }
        if BYTE_ORDER_MARK.starts_with(rest) && !eof {
            return Some(Stop::More);
        }
        self.top_value(rest[0])
    }

    fn top_value(&mut self, byte: u8) -> Option<Stop> {
        self.top = Some(self.pos);
        let steps = match (self.top_level, byte) {
            (TopLevel::Select, _) | (_, b'[') => self.select.root(),
            (TopLevel::Records, _) => {
                self.state = self.body(byte, true);
                return None;
            }
            (TopLevel::Arrays, _) => return Some(Stop::Other(self.pos)),
        };
        self.value(byte, steps)
    }

    fn value(&mut self, byte: u8, steps: Steps) -> Option<Stop> {
        if matches!(byte, b',' | b':' | b']' | b'}') {
            return Some(self.fault(FaultKind::Stray("a value")));
        }
        let selected = self.select.selects(steps);
        self.is_at_empty |= byte == b'n' && self.select.takes_all(steps);
        if selected || steps == 0 || !matches!(byte, b'{' | b'[') {
            let begins = matches!(byte, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n');
            if !selected && !begins {
                return Some(self.fault(FaultKind::Stray("a value")));
            }
            self.state = self.body(byte, selected);
            return None;
        }
        if self.frames.len() >= MOST_LEVELS {
            return Some(self.fault(FaultKind::TooDeep));
        }
        self.frames.push(Frame { array: byte == b'[', steps, index: 0 });
        self.pos += 1;
        self.state = State::First;
        None
    }

    fn body(&self, byte: u8, selected: bool) -> State {
        State::Body { value: Value::begin(byte), record: selected.then_some(self.pos) }
    }

    fn first(&mut self, byte: u8) -> Option<Stop> {
        if let b']' | b'}' = byte {
            let steps = self.frames.last().map_or(0, |frame| frame.steps);
            self.is_at_empty |= self.select.takes_all(steps);
            return self.next(byte);
        }
        match self.frames.last() {
            Some(frame) if frame.array => self.element(),
            _ => self.state = State::Name,
        }
        None
    }

    fn element(&mut self) {
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        let steps = self.select.child(frame.steps, Child::Index(frame.index));
        frame.index += 1;
        self.state = State::Value(steps);
    }

    fn colon(&mut self, byte: u8, steps: Steps) -> Option<Stop> {
        if byte != b':' {
            return Some(self.fault(FaultKind::Stray("':'")));
        }
        self.pos += 1;
        self.state = State::Value(steps);
        None
    }

    /// A comma or the closing bracket.
    fn next(&mut self, byte: u8) -> Option<Stop> {
        let array = self.frames.last().is_some_and(|frame| frame.array);
        match (byte, array) {
            (b',', true) => self.element(),
            (b',', false) => self.state = State::Name,
            (b']', true) | (b'}', false) => {
                self.frames.pop();
                self.close();
            }
            (_, true) => return Some(self.fault(FaultKind::Stray("',' or ']'"))),
            (_, false) => return Some(self.fault(FaultKind::Stray("',' or '}'"))),
        }
        self.pos += 1;
        None
    }

    /// After the end of any value.
    fn close(&mut self) {
        if self.frames.is_empty() {
            self.top = None;
            self.values += 1;
            self.state = State::Top;
        } else {
            self.state = State::Next;
        }
    }

    fn fault(&self, kind: FaultKind) -> Stop {
        Stop::Fault(Fault { at: self.pos, kind })
    }
}
