//! What JSONL and CSV files say of themselves: their columns, and their longest line. One line is in memory at a time.

use super::{Content, unreadable};
use crate::config::{Compression, FileFormat};
use crate::error::from_io;
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

/// The names in the header. Lines end in quotes too: what counts is how long a whole row is.
fn csv(reader: &mut dyn BufRead) -> io::Result<(Vec<String>, u64)> {
    let (mut header, mut is_header, mut is_quoted) = (Vec::new(), true, false);
    let (mut row, mut longest) = (0u64, 0u64);
    loop {
        let piece = reader.fill_buf()?;
        if piece.is_empty() {
            break;
        }
        for byte in piece {
            row += 1;
            is_quoted ^= *byte == b'"';
            if *byte == b'\n' && !is_quoted {
                (longest, row, is_header) = (longest.max(row), 0, false);
            } else if is_header {
                header.push(*byte);
            }
        }
        let read = piece.len();
        reader.consume(read);
    }
    let header = String::from_utf8(header).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
    let names = match header.is_empty() {
        true => vec![ROW_ID.to_owned()],
        false => names(header.trim_start_matches('\u{feff}').trim_end_matches('\r')),
    };
    Ok((names, longest.max(row)))
}

fn names(header: &str) -> Vec<String> {
    let (mut names, mut name, mut is_quoted, mut rest) = (Vec::new(), String::new(), false, header.chars().peekable());
    while let Some(c) = rest.next() {
        match c {
            '"' if is_quoted && rest.next_if_eq(&'"').is_some() => name.push('"'),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => names.push(std::mem::take(&mut name)),
            c => name.push(c),
        }
    }
    names.push(name);
    names
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
        assert!(jsonl(&mut &b"[1]\n"[..]).is_err() && jsonl(&mut &b"{\"a\":"[..]).is_err());
        assert_eq!(jsonl(&mut &b""[..]).unwrap().0, ["_dlt_id"]);
    }
}
