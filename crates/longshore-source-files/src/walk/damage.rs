//! Lets a walk along a path go on behind a damaged line of line-delimited input.

use memchr::memchr_iter;

use super::{Fault, FaultKind, State, Walker};
use crate::sequence::is_boundary;
use crate::value::is_space;

impl Walker {
    /// Gives the damaged line out as a record, for the parser to refuse, and goes on behind it.
    /// The line must begin a top-level value, and its end must be beyond doubt. False leaves
    /// the walk where it is; then [`Walker::damage`] says whether more bytes may help.
    pub(super) fn leave_damaged_line(&mut self, fault: Fault, buf: &[u8], eof: bool) -> bool {
        let Some(start) = self.top.filter(|_| fault.kind != FaultKind::TooDeep) else {
            return false;
        };
        // Whole values before it show that the input is more than one large document.
        let lines = self.values > 0;
        let end = match fault.kind {
            FaultKind::BrokenString if begins_line(buf, fault.at + 1) => Some(fault.at),
            _ => line_end(buf, start, lines),
        };
        let end = end.or((eof && lines).then_some(buf.len()));
        let Some(end) = end else {
            if lines && !eof {
                // The line is given out as a whole or not at all, so its records go.
                self.forget_found(start);
                self.state = State::Damaged(fault);
            }
            return false;
        };
        self.rewind(start);
        let last = buf[start..end].iter().rposition(|&b| !is_space(b));
        self.found.extend(last.map(|last| start..start + last + 1));
        self.pos = end;
        self.values += 1;
        true
    }
}

/// The first line feed that surely ends the value that begins at `start`. Without the evidence
/// of other lines only its very first line feed counts.
fn line_end(buf: &[u8], start: usize, lines: bool) -> Option<usize> {
    let mut feeds = memchr_iter(b'\n', &buf[start..]).map(|feed| start + feed);
    let ends = |feed: &usize| begins_line(buf, feed + 1) && is_boundary(buf, *feed);
    if lines { feeds.find(ends) } else { feeds.next().filter(ends) }
}

fn begins_line(buf: &[u8], at: usize) -> bool {
    matches!(buf.get(at), Some(b'{' | b'['))
}
