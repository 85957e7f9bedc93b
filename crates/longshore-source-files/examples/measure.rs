//! Measures reading and cutting: `measure [--select PATH] [--block BYTES] FILE...`.

use std::error::Error;
use std::time::Instant;

use longshore_source_files::{BlockReader, Input, Layout, Options, Select};

fn main() -> Result<(), Box<dyn Error>> {
    let mut options = Options::default();
    let mut names = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--select" => {
                let path = arguments.next().ok_or("--select needs a path")?;
                options.select = Some(Select::parse(&path)?);
            }
            "--block" => options.block_bytes = arguments.next().ok_or("--block needs bytes")?.parse()?,
            _ => names.push(argument),
        }
    }
    let start = Instant::now();
    let mut reader = BlockReader::new(Input::resolve(&names)?, options);
    let pool = reader.pool();
    let (mut blocks, mut records, mut largest) = (0u64, 0usize, 0);
    while let Some(block) = reader.next_block()? {
        blocks += 1;
        largest = largest.max(block.bytes.len());
        if let Layout::Records(ranges) = &block.layout {
            records += ranges.len();
        }
        pool.recycle(block.bytes);
    }
    let seconds = start.elapsed().as_secs_f64();
    let text = reader.progress().stats().text_bytes as f64 / 1e6;
    println!(
        "{text:.0} MB in {seconds:.3} s = {:.0} MB/s; {blocks} blocks, largest {largest}, {records} ranges",
        text / seconds
    );
    Ok(())
}
