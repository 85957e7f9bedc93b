//! Pages on their way to the normaliser: a large one leaves in pieces, so that what is made of it is never in memory whole.

use crate::journal::PageFrame;
use longshore_core::json::Tape;
use longshore_core::source::JsonBlock;
use std::sync::Arc;

/// Bytes of records from which on a page is cut.
const PIECE: usize = 1 << 20;

/// Returns the blocks of a page, whose records are the elements of the list in `bytes`.
pub(crate) fn blocks(page: &PageFrame, bytes: Vec<u8>) -> Blocks {
    Blocks { resource: page.resource, origin: page.origin.as_str().into(), bytes, at: 0, line: 1, piece: PIECE }
}

/// The blocks of a page, one after the other.
pub(crate) struct Blocks {
    resource: usize,
    origin: Arc<str>,
    /// The list; empty when all of it is out.
    bytes: Vec<u8>,
    /// The bracket or comma before the next record.
    at: usize,
    /// The line it stands on.
    line: u64,
    piece: usize,
}

impl Iterator for Blocks {
    type Item = JsonBlock;

    fn next(&mut self) -> Option<JsonBlock> {
        if self.bytes.is_empty() {
            return None;
        }
        let (offset, line) = (self.at as u64, self.line);
        let bytes = match self.end_of_piece() {
            Some((end, comma)) => {
                let piece = [b"[", &self.bytes[self.at + 1..end], b"]"].concat();
                self.line += self.bytes[self.at..comma].iter().filter(|byte| **byte == b'\n').count() as u64;
                self.at = comma;
                piece
            }
            None if self.at == 0 => std::mem::take(&mut self.bytes),
            None => {
                let mut rest = std::mem::take(&mut self.bytes).split_off(self.at);
                rest[0] = b'[';
                rest
            }
        };
        let origin = Arc::clone(&self.origin);
        Some(JsonBlock { resource: self.resource, origin, bytes, records: None, pages: true, offset, line })
    }
}

impl Blocks {
    /// Where the next piece ends, and the comma behind it; `None`: the rest is one.
    fn end_of_piece(&self) -> Option<(usize, usize)> {
        if self.bytes.len() - self.at <= self.piece || self.bytes[0] != b'[' {
            return None;
        }
        let (mut tape, mut comma) = (Tape::default(), self.at);
        loop {
            let end = tape.parse(&self.bytes, comma + 1).ok()?;
            let space = self.bytes[end..].iter().position(|byte| !byte.is_ascii_whitespace())?;
            comma = end + space;
            if self.bytes[comma] != b',' {
                return None;
            }
            if end - self.at >= self.piece {
                return Some((end, comma));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(list: &str, piece: usize) -> Vec<(String, u64, u64)> {
        let bytes = list.as_bytes().to_vec();
        let blocks = Blocks { resource: 0, origin: "".into(), bytes, at: 0, line: 1, piece };
        blocks.map(|block| (String::from_utf8(block.bytes).unwrap(), block.offset, block.line)).collect()
    }

    #[test]
    fn the_pieces_of_a_page_are_its_records_in_their_order() {
        let list = "[1, [2,\"],\"] ,\n{\"a\":[{}]},\n null,\"x\" ]";
        assert_eq!(cut(list, 100), [(list.to_owned(), 0, 1)]);
        let pieces = [
            ("[1]", 0, 1),
            ("[ [2,\"],\"]]", 2, 1),
            ("[\n{\"a\":[{}]}]", 13, 1),
            ("[\n null]", 25, 2),
            ("[\"x\" ]", 32, 3),
        ];
        assert_eq!(cut(list, 1), pieces.map(|(text, offset, line)| (text.to_owned(), offset, line)));
        for piece in 1..list.len() {
            let all: Vec<serde_json::Value> = cut(list, piece)
                .iter()
                .flat_map(|(text, ..)| serde_json::from_str::<Vec<serde_json::Value>>(text).unwrap())
                .collect();
            assert_eq!(serde_json::to_value(all).unwrap(), serde_json::from_str::<serde_json::Value>(list).unwrap());
        }
        assert_eq!(cut("[]", 1), [("[]".to_owned(), 0, 1)]);
    }
}
