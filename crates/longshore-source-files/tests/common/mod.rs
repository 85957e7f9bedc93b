//! Runs a reader over bytes and collects what it gives out.
#![allow(dead_code)]

use std::io::{self, Read};

use longshore_source_files::{Block, BlockReader, Error, Input, Layout, Options, Select, split_all};

pub(crate) const BLOCK_SIZES: [usize; 6] = [1, 2, 3, 7, 64, 4 << 20];

/// Gives one to three bytes at a time, as a slow pipe does.
pub(crate) struct Drip(pub(crate) Vec<u8>, pub(crate) usize);

impl Read for Drip {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = (self.1 % 3 + 1).min(buf.len()).min(self.0.len() - self.1);
        buf[..n].copy_from_slice(&self.0[self.1..self.1 + n]);
        self.1 += n;
        Ok(n)
    }
}

/// The records must be `expected` for every block size, and also through `split_all`.
pub(crate) fn check(input: &str, path: Option<&str>, expected: &[&str]) {
    for block in BLOCK_SIZES {
        let (found, error) = records(input.as_bytes(), block, path);
        assert!(error.is_none(), "{input:?} {path:?} {block}: {error:?}");
        assert_eq!(found, expected, "{input:?} {path:?} {block}");
        let select = path.map(|p| Select::parse(p).unwrap());
        let ranges = split_all(input.as_bytes(), block, select.as_ref()).unwrap();
        let found: Vec<&str> = ranges.into_iter().map(|r| &input[r]).collect();
        assert_eq!(found, expected, "{input:?} {path:?} {block}");
    }
}

pub(crate) fn blocks(input: &[u8], block: usize, path: Option<&str>) -> (Vec<Block>, Option<Error>) {
    let select = path.map(|p| Select::parse(p).unwrap());
    let options = Options { select, block_bytes: block, ..Options::default() };
    blocks_with(input, options)
}

/// All blocks, checked against the input for offset, line and number.
pub(crate) fn blocks_with(input: &[u8], options: Options) -> (Vec<Block>, Option<Error>) {
    let input_kind = if input.len() < 10_000 {
        Input::reader("drip", Drip(input.to_vec(), 0))
    } else {
        Input::reader("test", io::Cursor::new(input.to_vec()))
    };
    let mut reader = BlockReader::new(vec![input_kind], options);
    let mut blocks: Vec<Block> = Vec::new();
    let error = loop {
        match reader.next_block() {
            Ok(Some(block)) => blocks.push(block),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert!(reader.next_block().unwrap().is_none());
    for (index, block) in blocks.iter().enumerate() {
        let at = block.offset as usize;
        assert_eq!(block.bytes, input[at..at + block.bytes.len()]);
        if let Layout::Records(ranges) = &block.layout {
            let mut end = 0;
            for range in ranges {
                assert!(end <= range.start && range.start < range.end && range.end <= block.bytes.len());
                end = range.end;
            }
        }
        let lines = input[..at].iter().filter(|b| **b == b'\n').count();
        assert_eq!((block.line, block.sequence), (lines as u64 + 1, index as u64));
    }
    (blocks, error)
}

pub(crate) fn records(input: &[u8], block: usize, path: Option<&str>) -> (Vec<String>, Option<Error>) {
    let (blocks, error) = blocks(input, block, path);
    let mut all = Vec::new();
    for block in blocks {
        let ranges = match block.layout {
            Layout::Records(ranges) => ranges,
            Layout::Sequence => split_all(&block.bytes, 4 << 20, None).unwrap_or_default(),
        };
        for range in ranges {
            all.push(String::from_utf8_lossy(&block.bytes[range]).into_owned());
        }
    }
    (all, error)
}

/// How many whole lines equal to `line` a parser finds that goes on at the next line feed.
pub(crate) fn lines_taken_one_by_one(blocks: &[Block], line: &str) -> usize {
    let lines = blocks.iter().flat_map(|b| b.bytes.split(|b| *b == b'\n'));
    lines.filter(|l| l.trim_ascii() == line.as_bytes()).count()
}
