//! The first records of each resource of a source, for looking at what a load would do.

use longshore_core::error::Result;
use longshore_core::json::Tape;
use longshore_core::source::{Block, ColumnBlock, JsonBlock, Source, Start};

/// A source of which each resource ends after some records. Pages and blocks whose end is not known are taken whole, so
/// there may be a few more.
pub(crate) struct Sample<'a> {
    source: &'a mut dyn Source,
    /// Records still to come, by resource; `None`: all.
    left: Option<Vec<u64>>,
    /// The resources' tables, and which of them had records.
    tables: Vec<String>,
    met: Vec<bool>,
    /// The source would go on with a resource of which there is enough.
    ended_early: bool,
    tape: Tape,
}

impl<'a> Sample<'a> {
    pub(crate) fn new(source: &'a mut dyn Source, tables: Vec<String>, records: Option<u64>) -> Self {
        let left = records.map(|records| vec![records; tables.len()]);
        let met = vec![false; tables.len()];
        Sample { source, left, tables, met, ended_early: false, tape: Tape::default() }
    }

    /// Returns a block's first records, and takes them off what is left of its resource.
    fn cut(&mut self, block: Block) -> Block {
        let resource = block.resource();
        if let Some(met) = self.met.get_mut(resource) {
            *met = true;
        }
        let Some(left) = self.left.as_ref().and_then(|left| left.get(resource)).copied() else { return block };
        let (block, taken) = match block {
            Block::Json(block) => self.cut_json(block, left),
            Block::Columns(block) => cut_columns(block, left),
        };
        if let Some(all) = &mut self.left {
            all[resource] = left.saturating_sub(taken);
            if all[resource] == 0 {
                self.source.skip(resource);
            }
        }
        block
    }

    fn cut_json(&mut self, mut block: JsonBlock, left: u64) -> (Block, u64) {
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
        (Block::Json(block), taken.max(1))
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

    fn is_full(&self) -> bool {
        self.ended_early || self.left.as_ref().is_some_and(|left| left.iter().all(|left| *left == 0))
    }

    /// Tables that a sample which ended early did not come to.
    fn not_reached(&self) -> Option<String> {
        let missing = self.tables.iter().zip(&self.met).filter(|(_, met)| !**met);
        let missing: Vec<&str> = missing.map(|(table, _)| table.as_str()).collect();
        (self.ended_early && !missing.is_empty()).then(|| {
            format!(
                "the sample ended before the first record of {}: nothing is said of them here; plan them by --select, or without --sample",
                missing.join(", ")
            )
        })
    }
}

fn cut_columns(block: ColumnBlock, left: u64) -> (Block, u64) {
    let rows = block.rows.slice(0, block.rows.num_rows().min(usize::try_from(left).unwrap_or(usize::MAX)));
    let taken = rows.num_rows() as u64;
    (Block::Columns(ColumnBlock { rows, ..block }), taken)
}

impl Source for Sample<'_> {
    fn begin(&mut self, start: &Start) -> Result<()> {
        self.source.begin(start)
    }

    fn next_block(&mut self) -> Result<Option<Block>> {
        if self.is_full() {
            return Ok(None);
        }
        let Some(block) = self.source.next_block()? else { return Ok(None) };
        // A source that cannot leave a resource out might give the whole of it before the next.
        let is_enough = |left: &Vec<u64>| left.get(block.resource()) == Some(&0);
        if self.left.as_ref().is_some_and(is_enough) {
            self.ended_early = true;
            return Ok(None);
        }
        Ok(Some(self.cut(block)))
    }

    fn recycle(&self, buffer: Vec<u8>) {
        self.source.recycle(buffer);
    }

    fn notes(&self) -> Vec<String> {
        self.source.notes().into_iter().chain(self.not_reached()).collect()
    }

    /// A source that was left in the middle has nothing to say about its end.
    fn finish(&mut self) -> Result<()> {
        let is_cut = self.left.as_ref().is_some_and(|left| left.contains(&0));
        if is_cut { Ok(()) } else { self.source.finish() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Gives blocks of three records for ever, of the first resource that it is not told to skip.
    struct Endless {
        resource: usize,
        skips: bool,
    }

    impl Endless {
        fn new(skips: bool) -> Self {
            Endless { resource: 0, skips }
        }
    }

    impl Source for Endless {
        fn next_block(&mut self) -> Result<Option<Block>> {
            let bytes = b"{\"a\": 1}\n{\"a\": 2} {\"a\": 3}\n".to_vec();
            Ok(Some(Block::Json(JsonBlock {
                resource: self.resource,
                origin: Arc::from("x"),
                bytes,
                records: None,
                pages: false,
                offset: 0,
                line: 1,
            })))
        }

        fn skip(&mut self, resource: usize) {
            if self.skips {
                self.resource = resource + 1;
            }
        }

        fn finish(&mut self) -> Result<()> {
            unreachable!("it has no end")
        }
    }

    fn texts(sample: &mut Sample<'_>) -> Vec<(usize, String)> {
        let mut texts = Vec::new();
        while let Some(block) = sample.next_block().unwrap() {
            let Block::Json(block) = block else { unreachable!("it gives JSON") };
            texts.push((block.resource, String::from_utf8(block.bytes).unwrap()));
        }
        sample.finish().unwrap();
        texts
    }

    const BLOCK: &str = "{\"a\": 1}\n{\"a\": 2} {\"a\": 3}";

    #[test]
    fn a_sample_ends_in_the_middle_of_a_block() {
        let mut endless = Endless::new(true);
        let mut sample = Sample::new(&mut endless, vec!["t".to_owned()], Some(5));
        assert_eq!(texts(&mut sample), [(0, BLOCK.to_owned()), (0, "{\"a\": 1}\n{\"a\": 2}".to_owned())]);
        assert_eq!(sample.notes(), Vec::<String>::new());
    }

    #[test]
    fn each_resource_is_sampled_or_said_to_be_missing() {
        let tables = || vec!["t".to_owned(), "u".to_owned()];
        let one = |resource: usize| (resource, "{\"a\": 1}".to_owned());
        let mut endless = Endless::new(true);
        let mut sample = Sample::new(&mut endless, tables(), Some(1));
        assert_eq!(texts(&mut sample), [one(0), one(1)]);
        assert_eq!(sample.notes(), Vec::<String>::new());
        let mut endless = Endless::new(false);
        let mut sample = Sample::new(&mut endless, tables(), Some(1));
        assert_eq!(texts(&mut sample), [one(0)]);
        assert!(sample.notes()[0].contains("first record of u"), "{:?}", sample.notes());
    }
}
