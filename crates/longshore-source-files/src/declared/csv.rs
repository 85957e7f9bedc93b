//! CSV as records: the header's names are the keys; whole columns of numbers and truth values are such, the rest is text.

use crate::source::Source;
use longshore_core::error::{Error, Result};
use std::io::{self, Read};

/// Rows that decide what a column holds.
const SAMPLE: usize = 2000;

/// One CSV file as blocks of JSON, one record a line.
pub(super) struct CsvBlocks {
    name: String,
    reader: csv::Reader<Text>,
    keys: Vec<String>,
    kinds: Vec<Kind>,
    /// Rows read to tell the columns' kinds, given out first.
    sample: std::vec::IntoIter<csv::StringRecord>,
}

/// A row behind the last one. Where a quote is not closed, it is not a row of its own: that is how it is noticed.
const END: &str = "\u{1f}\u{1e}end\u{1e}\u{1f}";

/// Decompressed text of a file, and [`END`].
struct Text {
    source: Source,
    end: io::Cursor<String>,
}

impl Read for Text {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.source.read(buf).map_err(io::Error::other)? {
            0 => self.end.read(buf),
            n => Ok(n),
        }
    }
}

/// What all values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Bool,
    Text,
}

impl CsvBlocks {
    /// Opens a file with the delimiter that is said, or else the usual one of its ending.
    pub(super) fn open(name: String, source: Source, said: Option<u8>, usual: u8) -> Result<Self> {
        let delimiter = said.unwrap_or(usual);
        let text = Text { source, end: io::Cursor::new(format!("\n{END}\n")) };
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text);
        let (mut header, mut sample) = (csv::StringRecord::new(), Vec::new());
        if read(&mut reader, &mut header, None, &name)? {
            if said.is_none() {
                has_no_other_delimiter(&header, delimiter, &name)?;
            }
            let mut row = csv::StringRecord::new();
            while sample.len() < SAMPLE && read(&mut reader, &mut row, Some(header.len()), &name)? {
                sample.push(row.clone());
            }
        }
        let keys = header.iter().map(|h| serde_json::Value::from(h).to_string()).collect();
        let kinds = (0..header.len()).map(|i| kind(sample.iter().filter_map(|r| r.get(i)))).collect();
        Ok(CsvBlocks { name, reader, keys, kinds, sample: sample.into_iter() })
    }

    /// Returns the next block, at least `bytes` long unless it is the last, with the line it begins at.
    pub(super) fn next_block(&mut self, bytes: usize) -> Result<Option<(Vec<u8>, u64)>> {
        let mut out = Vec::new();
        let mut line = None;
        let mut row = csv::StringRecord::new();
        while out.len() < bytes {
            match self.sample.next() {
                Some(sampled) => row = sampled,
                None => {
                    if !read(&mut self.reader, &mut row, Some(self.keys.len()), &self.name)? {
                        break;
                    }
                }
            }
            line.get_or_insert(row.position().map_or(1, csv::Position::line));
            self.write(&row, &mut out);
        }
        Ok(line.map(|line| (out, line)))
    }

    /// An empty field is null. A value that is not what its column's sample was is text, and goes its usual way.
    fn write(&self, row: &csv::StringRecord, out: &mut Vec<u8>) {
        out.push(b'{');
        for (i, ((key, kind), value)) in self.keys.iter().zip(&self.kinds).zip(row).enumerate() {
            if i > 0 {
                out.push(b',');
            }
            out.extend_from_slice(key.as_bytes());
            out.push(b':');
            match kind {
                _ if value.is_empty() => out.extend_from_slice(b"null"),
                Kind::Number if is_number(value) => out.extend_from_slice(value.as_bytes()),
                Kind::Bool if is_bool(value) => out.extend_from_slice(value.to_ascii_lowercase().as_bytes()),
                _ => out.extend_from_slice(serde_json::Value::from(value).to_string().as_bytes()),
            }
        }
        out.extend_from_slice(b"}\n");
    }
}

/// A header of one field that holds what other programs put between fields would become one column of whole rows.
fn has_no_other_delimiter(header: &csv::StringRecord, delimiter: u8, name: &str) -> Result<()> {
    let Some(field) = header.get(0).filter(|_| header.len() == 1) else { return Ok(()) };
    let Some((other, shown)) = [(';', ";"), ('\t', "\\t"), ('|', "|")].into_iter().find(|(c, _)| field.contains(*c))
    else {
        return Ok(());
    };
    let usual = char::from(delimiter).escape_default();
    Err(Error::input(format!("the header is one field that has '{}' in it", other.escape_default()))
        .with("file", name)
        .hint(format!(
            "say what stands between the fields: --delimiter '{shown}', or delimiter = \"{shown}\" in longshore.toml; if it is one column, say '{usual}'"
        )))
}

/// Reads a row of that many fields; false at the end.
fn read(
    reader: &mut csv::Reader<Text>,
    row: &mut csv::StringRecord,
    fields: Option<usize>,
    name: &str,
) -> Result<bool> {
    if !reader.read_record(row).map_err(|e| wrong(name, e))? || (row.len() == 1 && &row[0] == END) {
        return Ok(false);
    }
    let line = row.position().map_or(1, csv::Position::line);
    let error = |message: String| Error::input(message).with("file", name).with("line", line);
    if row.iter().next_back().is_some_and(|f| f.trim_end().ends_with(END)) {
        return Err(error("a quotation mark is not closed".to_owned()));
    }
    match fields.filter(|n| *n != row.len()) {
        Some(n) => Err(error(format!("the row has {} fields, the header has {n}", row.len()))),
        None => Ok(true),
    }
}

fn kind<'a>(values: impl Iterator<Item = &'a str> + Clone) -> Kind {
    let mut values = values.filter(|v| !v.is_empty()).peekable();
    if values.peek().is_none() {
        return Kind::Text;
    }
    let mut rest = values.clone();
    if values.all(is_number) {
        return Kind::Number;
    }
    if rest.all(is_bool) { Kind::Bool } else { Kind::Text }
}

/// A number as JSON writes it: `007` and `+5` are not, for they would lose something.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit()) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn is_bool(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
}

fn wrong(name: &str, error: csv::Error) -> Error {
    let line = error.position().map(csv::Position::line);
    let is_encoding = matches!(error.kind(), csv::ErrorKind::Utf8 { .. });
    let message = match error.into_kind() {
        csv::ErrorKind::Utf8 { .. } => "the row is not UTF-8".to_owned(),
        csv::ErrorKind::Io(e) => match e.downcast::<crate::Error>() {
            Ok(own) => return crate::to_error(own),
            Err(e) => e.to_string(),
        },
        _ => "the file is no CSV".to_owned(),
    };
    let mut error = Error::input(message).with("file", name);
    if let Some(line) = line {
        error = error.with("line", line);
    }
    match is_encoding {
        true => error.hint("convert the file from the encoding it has, such as: iconv -f WINDOWS-1252 -t UTF-8"),
        false => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Progress;

    fn lines(text: &str) -> Result<String> {
        let bytes = std::io::Cursor::new(text.as_bytes().to_vec());
        let (source, _) = Source::open("t.csv".into(), Box::new(bytes), Progress::default()).unwrap();
        let mut blocks = CsvBlocks::open("t.csv".into(), source, None, b',')?;
        let mut all = Vec::new();
        while let Some((block, _)) = blocks.next_block(1)? {
            all.extend(block);
        }
        Ok(String::from_utf8(all).unwrap())
    }

    #[test]
    fn columns_decide_what_values_are() {
        assert_eq!(
            lines("id,zip,ok,note\n1,007,true,\"a \"\"b\"\", c\"\n2.50,10115,False,\n,1,,5\n").unwrap(),
            "{\"id\":1,\"zip\":\"007\",\"ok\":true,\"note\":\"a \\\"b\\\", c\"}\n\
             {\"id\":2.50,\"zip\":\"10115\",\"ok\":false,\"note\":null}\n\
             {\"id\":null,\"zip\":\"1\",\"ok\":null,\"note\":\"5\"}\n"
        );
    }

    #[test]
    fn a_quote_that_is_not_closed_is_named() {
        let error = lines("a,b\n1,2\n3,\"x\n4,5\n").unwrap_err();
        assert_eq!(error.to_string(), "a quotation mark is not closed (file t.csv, line 3)");
        assert!(lines("a,\"b\n").unwrap_err().to_string().contains("line 1"));
        assert_eq!(lines("a\n\"x\"\n").unwrap(), "{\"a\":\"x\"}\n");
        assert_eq!(lines("a\n5\" pipe").unwrap(), "{\"a\":\"5\\\" pipe\"}\n");
        assert_eq!((lines("").unwrap(), lines("a\n").unwrap()), (String::new(), String::new()));
    }

    #[test]
    fn another_encoding_is_said_with_what_to_do() {
        let open = |bytes: &[u8]| -> Result<CsvBlocks> {
            let bytes = Box::new(std::io::Cursor::new(bytes.to_vec()));
            let (source, _) = Source::open("t.csv".into(), bytes, Progress::default()).map_err(crate::to_error)?;
            CsvBlocks::open("t.csv".into(), source, None, b',')
        };
        for (bytes, message, hint) in [
            (b"a\0,\0b\0\n\0".as_slice(), "UTF-16LE text, and only UTF-8 is read", "iconv -f UTF-16LE -t UTF-8"),
            (b"a,b\n1,\xe9\n", "the row is not UTF-8 (file t.csv, line 2)", "iconv -f WINDOWS-1252 -t UTF-8"),
        ] {
            let error = open(bytes).err().unwrap();
            assert!(error.to_string().contains(message), "{error}");
            assert!(error.hint_text().unwrap().contains(hint), "{error:?}");
        }
    }

    #[test]
    fn another_delimiter_is_not_taken_for_a_name() {
        for (text, said) in [("id;price\n1;1,5\n", "';'"), ("a\tb\n", "'\\t'"), ("\"a|b\"\n", "'|'")] {
            let error = lines(text).unwrap_err();
            assert!(error.message().ends_with(&format!("has {said} in it")), "{error}");
            assert!(error.hint_text().unwrap().contains("--delimiter"), "{error:?}");
        }
        let bytes = Box::new(std::io::Cursor::new(b"a;b\n1\n".to_vec()));
        let (source, _) = Source::open("t.csv".into(), bytes, Progress::default()).unwrap();
        let mut said = CsvBlocks::open("t.csv".into(), source, Some(b','), b',').unwrap();
        assert_eq!(said.next_block(1).unwrap().unwrap().0, b"{\"a;b\":1}\n");
    }

    #[test]
    fn a_row_of_another_length_is_named() {
        let error = lines("a,b\n1,2\n3\n").unwrap_err();
        assert_eq!(error.to_string(), "the row has 1 fields, the header has 2 (file t.csv, line 3)");
    }
}
