//! The first records of a source, for looking at what a load would do.

use longshore_core::error::Result;
use longshore_core::json::Tape;
use longshore_core::source::{Block, ColumnBlock, JsonBlock, Source, Start};

/// A source that ends after some records. Pages and blocks whose end is not known are taken whole, so there may be
/// a few more.
pub(crate) struct Sample<'a> {
    source: &'a mut dyn Source,
    /// Records still to come; `None`: all.
    left: Option<u64>,
    tape: Tape,
}

impl<'a> Sample<'a> {
    pub(crate) fn new(source: &'a mut dyn Source, records: Option<u64>) -> Self {
        Sample { source, left: records, tape: Tape::default() }
    }

    /// Returns the block's first records, and takes them off what is left.
    fn cut(&mut self, block: Block) -> Block {
        match block {
            Block::Json(block) => Block::Json(self.cut_json(block)),
            Block::Columns(block) => Block::Columns(self.cut_columns(block)),
        }
    }

    fn cut_columns(&mut self, block: ColumnBlock) -> ColumnBlock {
        let Some(left) = self.left else { return block };
        let rows = block.rows.slice(0, block.rows.num_rows().min(usize::try_from(left).unwrap_or(usize::MAX)));
        self.left = Some(left.saturating_sub(rows.num_rows() as u64));
        ColumnBlock { rows, ..block }
    }

    fn cut_json(&mut self, mut block: JsonBlock) -> JsonBlock {
        let Some(left) = self.left else { return block };
        let taken = match &mut block.records {
            Some(records) => {
                records.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                records.len() as u64
            }
            None => {
                let (end, taken) = self.end_of(&block.bytes, left);
                block.bytes.truncate(end);
                taken
            }
        };
        self.left = Some(left.saturating_sub(taken.max(1)));
        block
    }

    /// Returns where the first `limit` values end, and how many there are. What is no JSON ends the search.
    fn end_of(&mut self, bytes: &[u8], limit: u64) -> (usize, u64) {
        let (mut end, mut taken) = (0, 0);
        while taken < limit && !bytes[end..].trim_ascii_start().is_empty() {
            match self.tape.parse(bytes, end) {
                Ok(next) => end = next,
                Err(_) => return (bytes.len(), taken + 1), // reported by whoever normalises it
            }
            taken += 1;
        }
        (end, taken)
    }
}

impl Source for Sample<'_> {
    fn begin(&mut self, start: &Start) -> Result<()> {
        self.source.begin(start)
    }

    fn next_block(&mut self) -> Result<Option<Block>> {
        if self.left == Some(0) {
            return Ok(None);
        }
        let block = self.source.next_block()?;
        Ok(block.map(|b| self.cut(b)))
    }

    fn recycle(&self, buffer: Vec<u8>) {
        self.source.recycle(buffer);
    }

    fn notes(&self) -> Vec<String> {
        self.source.notes()
    }

    /// A source that was left in the middle has nothing to say about its end.
    fn finish(&mut self) -> Result<()> {
        if self.left == Some(0) { Ok(()) } else { self.source.finish() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Gives blocks of three records for ever.
    struct Endless;

    impl Source for Endless {
        fn next_block(&mut self) -> Result<Option<Block>> {
            let bytes = b"{\"a\": 1}\n{\"a\": 2} {\"a\": 3}\n".to_vec();
            Ok(Some(Block::Json(JsonBlock {
                resource: 0,
                origin: Arc::from("x"),
                bytes,
                records: None,
                pages: false,
                offset: 0,
                line: 1,
            })))
        }

        fn finish(&mut self) -> Result<()> {
            unreachable!("it has no end")
        }
    }

    #[test]
    fn a_sample_ends_in_the_middle_of_a_block() {
        let mut endless = Endless;
        let mut sample = Sample::new(&mut endless, Some(5));
        let mut texts = Vec::new();
        while let Some(block) = sample.next_block().unwrap() {
            let Block::Json(block) = block else { unreachable!("it gives JSON") };
            texts.push(String::from_utf8(block.bytes).unwrap());
        }
        assert_eq!(texts, ["{\"a\": 1}\n{\"a\": 2} {\"a\": 3}", "{\"a\": 1}\n{\"a\": 2}"]);
        sample.finish().unwrap();
    }
}
