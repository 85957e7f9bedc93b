//! What JSONL and CSV files say of themselves: their columns, and their longest line. One line is in memory at a time.

use super::{Content, unreadable};
use crate::config::{Compression, FileFormat};
use crate::error::from_io;
use csv::ByteRecord;
use longshore_core::error::Result;
use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

pub(super) fn read(path: &Path, format: FileFormat) -> Result<Content> {
    let io = |e: io::Error| from_io(e, path);
    let file = File::open(path).map_err(io)?;
    let mut reader: Box<dyn BufRead> = match format.compression() {
        Compression::Gzip => Box::new(BufReader::new(flate2::read::MultiGzDecoder::new(BufReader::new(file)))),
        Compression::Zstd => Box::new(BufReader::new(zstd::Decoder::new(file).map_err(io)?)),
        Compression::None | Compression::Snappy => Box::new(BufReader::new(file)),
    };
    let (names, longest_line) = match format {
        FileFormat::Csv(_) => csv(&mut reader).map_err(unreadable)?,
        _ => jsonl(&mut reader).map_err(unreadable)?,
    };
    let columns = names.into_iter().map(|name| (name, None)).collect();
    Ok(Content { format, columns, longest_line, bounds: BTreeMap::new() })
}

/// Of a file without any column, DuckDB has to be told one all the same.
const ROW_ID: &str = "_dlt_id";

/// The keys of all objects.
fn jsonl(reader: &mut dyn BufRead) -> io::Result<(Vec<String>, u64)> {
    let (mut keys, mut line, mut longest) = (Keys::default(), Vec::new(), 0);
    while reader.read_until(b'\n', &mut line)? > 0 {
        longest = longest.max(line.len());
        if !line.trim_ascii().is_empty() {
            serde_json::Deserializer::from_slice(&line).deserialize_map(&mut keys)?;
        }
        line.clear();
    }
    if keys.0.is_empty() {
        keys.0.insert(ROW_ID.to_owned());
    }
    Ok((keys.0.into_iter().collect(), longest as u64))
}

/// Gathers the keys of objects; the values are passed over.
#[derive(Default)]
struct Keys(BTreeSet<String>);

impl<'de> Visitor<'de> for &mut Keys {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object a line")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while let Some(key) = object.next_key::<String>()? {
            object.next_value::<IgnoredAny>()?;
            if !self.0.contains(&key) {
                self.0.insert(key);
            }
        }
        Ok(())
    }
}

/// The names in the header, and how long a whole row is: lines end in quotes too.
fn csv(reader: &mut dyn BufRead) -> io::Result<(Vec<String>, u64)> {
    let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(reader);
    let mut names: Vec<String> = rows.headers()?.iter().map(str::to_owned).collect();
    if names.is_empty() {
        names.push(ROW_ID.to_owned());
    }
    let (mut row, mut begin) = (ByteRecord::new(), rows.position().byte());
    let mut longest = begin;
    while rows.read_byte_record(&mut row)? {
        let end = rows.position().byte();
        (longest, begin) = (longest.max(end - begin), end);
    }
    // Of an end of two bytes the second counts for the next row.
    Ok((names, longest + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_all_keys_and_what_the_header_names() {
        let mut lines = &b"{\"a\":1,\"b\":{\"c\":[2]}}\n\n{\"d\\u00e9\":null}"[..];
        let (keys, longest) = jsonl(&mut lines).unwrap();
        assert_eq!((keys, longest), (vec!["a".into(), "b".into(), "d\u{e9}".into()], 22));
        let mut rows = &b"\"a\",b,\"c \"\"d\"\", e\"\r\n1,\"two\nlines\",3\n"[..];
        let (names, longest) = csv(&mut rows).unwrap();
        assert_eq!((names, longest), (vec!["a".into(), "b".into(), "c \"d\", e".into()], 20));
        assert_eq!(csv(&mut &b"\xef\xbb\xbfa\n"[..]).unwrap().0, ["a"]);
        assert_eq!(csv(&mut &b""[..]).unwrap().0, ["_dlt_id"]);
        assert!(jsonl(&mut &b"[1]\n"[..]).is_err() && jsonl(&mut &b"{\"a\":"[..]).is_err());
        assert_eq!(jsonl(&mut &b""[..]).unwrap().0, ["_dlt_id"]);
    }
}
