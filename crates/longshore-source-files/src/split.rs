//! All records of bytes in memory, for tests and fuzzing.

use std::io::Cursor;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::input::Input;
use crate::reader::{BlockReader, Layout, Options};
use crate::select::Select;
use crate::walk::{Stop, TopLevel, Walker};

/// Cuts `bytes` into blocks of `block` bytes and returns where each record is, as ranges of
/// the decompressed text. For valid JSON the result does not depend on `block`.
///
/// # Errors
/// As [`BlockReader::next_block`]; also for brackets that do not match in a sequence of values,
/// where the reader itself leaves complaints to the parser.
pub fn split_all(bytes: &[u8], block: usize, select: Option<&Select>) -> Result<Vec<Range<usize>>> {
    let options = Options { select: select.cloned(), block_bytes: block, ..Options::default() };
    let input = Input::reader("<bytes>", Cursor::new(bytes.to_vec()));
    let mut reader = BlockReader::new(vec![input], options);
    let pool = reader.pool();
    let mut all = Vec::new();
    while let Some(block) = reader.next_block()? {
        let records = match block.layout {
            Layout::Records(records) => records,
            Layout::Sequence => values(&block.bytes, block.offset)?,
        };
        // Text in memory is never longer than `usize` says.
        let base = block.offset as usize;
        all.extend(records.iter().map(|r| base + r.start..base + r.end));
        pool.recycle(block.bytes);
    }
    Ok(all)
}

/// The records of a block in which values follow one another.
fn values(bytes: &[u8], offset: u64) -> Result<Vec<Range<usize>>> {
    let mut walker = Walker::new(Select::elements(), TopLevel::Records);
    match walker.run(bytes, true) {
        Stop::Fault(fault) => Err(Error::Stray {
            name: "<bytes>".to_owned(),
            offset: offset + fault.at as u64,
            line: 0,
            found: "malformed json".to_owned(),
            expected: "a record",
        }),
        _ => Ok(walker.found),
    }
}
