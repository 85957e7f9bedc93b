//! The decompressed bytes of one input, read straight into the caller's buffer.

use std::io::{self, BufReader, Chain, Cursor, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::gzip::Members;
use crate::progress::Progress;
use longshore_core::json::BYTE_ORDER_MARK;

pub(crate) struct Source {
    name: String,
    decoder: Decoder,
    /// Bytes read ahead to tell the format and the byte order mark; served first.
    head: Vec<u8>,
    raw: Arc<AtomicU64>,
    text: u64,
    /// Text of a read that failed in the end.
    lost: u64,
    progress: Progress,
}

enum Decoder {
    Plain(Raw),
    Gzip(Box<Members<Packed>>),
    Zstd(Box<zstd::Decoder<'static, Packed>>),
}

impl Decoder {
    fn packed(&self) -> Option<&Packed> {
        match self {
            Decoder::Plain(_) => None,
            Decoder::Gzip(members) => members.packed(),
            Decoder::Zstd(frames) => Some(frames.get_ref()),
        }
    }
}

/// Compressed bytes, with those read ahead in front.
type Packed = BufReader<Chain<Cursor<Vec<u8>>, Raw>>;

/// The undecoded input with its counters.
struct Raw {
    reader: Box<dyn Read + Send>,
    count: Arc<AtomicU64>,
    progress: Progress,
}

/// Compressed bytes read at once.
const CHUNK: usize = 256 << 10;
/// Magic numbers and the byte order mark are no longer than this.
const HEAD: usize = 8;
/// A buffer that has to be cleared first grows from this size, so small inputs stay cheap.
const FIRST_READ: usize = 64 << 10;

impl Source {
    /// Tells the format by the first bytes. Returns the number of text bytes left out as well:
    /// 3 with a byte order mark, else 0.
    pub(crate) fn open(name: String, reader: Box<dyn Read + Send>, progress: Progress) -> Result<(Source, u64)> {
        let raw = Arc::new(AtomicU64::new(0));
        let mut reader = Raw { reader, count: Arc::clone(&raw), progress: progress.clone() };
        let mut head = vec![0; HEAD];
        let mut len = 0;
        let read = read_full(&mut reader, &mut head, &mut len);
        read.map_err(|cause| Error::Read { name: name.clone(), at: 0, cause })?;
        head.truncate(len);

        let compressed = is_gzip(&head) || is_zstd(&head);
        let (decoder, head) = if compressed {
            let zstd = is_zstd(&head);
            let reader = BufReader::with_capacity(CHUNK, Cursor::new(head).chain(reader));
            (decoder(reader, zstd, &name)?, Vec::new())
        } else {
            (Decoder::Plain(reader), head)
        };
        let mut source = Source { name, decoder, head, raw, text: 0, lost: 0, progress };
        if compressed {
            let mut head = vec![0; HEAD];
            let len = source.decode(&mut head)?;
            head.truncate(len);
            let format = |zstd: bool| if zstd { "zstd" } else { "gzip" };
            if is_gzip(&head) || is_zstd(&head) {
                let outer = format(matches!(source.decoder, Decoder::Zstd(_)));
                return Err(Error::Twice { name: source.name, outer, inner: format(is_zstd(&head)) });
            }
            source.head = head;
        }
        if let Some(what) = foreign(&source.head) {
            return Err(Error::Foreign { name: source.name, what, so: what_to_do(what) });
        }
        let skipped = source.check_head()?;
        Ok((source, skipped))
    }

    /// Whether the text stands on the disk as it is.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.decoder, Decoder::Plain(_))
    }

    /// Fills `buf[filled..want]`, growing `buf` as needed, until it is full or the input ends.
    /// Returns how far it is filled now; less than `want` means the end. `expected` is the
    /// number of bytes still to come, if known.
    pub(crate) fn fill(&mut self, buf: &mut Vec<u8>, mut filled: usize, want: usize, expected: usize) -> Result<usize> {
        while filled < want {
            if buf.len() <= filled {
                let guess = filled.max(FIRST_READ).max(expected.saturating_add(1));
                let len = filled.saturating_add(guess).min(want);
                buf.reserve_exact(len - buf.len());
                buf.resize(len, 0);
            }
            let end = want.min(buf.len());
            let n = self.read(&mut buf[filled..end])?;
            filled += n;
            if filled < end {
                break;
            }
        }
        Ok(filled)
    }

    /// Reads until `buf` is full or the input ends, so that blocks do not depend on how many
    /// bytes a pipe gives at a time.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let from_head = self.head.len().min(buf.len());
        buf[..from_head].copy_from_slice(&self.head[..from_head]);
        self.head.drain(..from_head);
        let rest = &mut buf[from_head..];
        let n = self.decode(rest)? + from_head;
        self.text += n as u64;
        self.progress.add_text(n);
        Ok(n)
    }

    fn decode(&mut self, buf: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        let read = match &mut self.decoder {
            Decoder::Plain(reader) => read_full(reader, buf, &mut filled),
            Decoder::Gzip(reader) => read_full(reader, buf, &mut filled),
            Decoder::Zstd(reader) => read_full(reader, buf, &mut filled),
        };
        match read {
            Ok(()) => Ok(filled),
            Err(cause) => {
                self.lost = filled as u64;
                Err(self.error(cause))
            }
        }
    }

    /// Drops a UTF-8 byte order mark and refuses UTF-16 and UTF-32.
    fn check_head(&mut self) -> Result<u64> {
        if self.head.starts_with(BYTE_ORDER_MARK) {
            self.head.drain(..3);
            return Ok(3);
        }
        match wide(&self.head) {
            Some(encoding) => Err(Error::NotUtf8 { name: self.name.clone(), encoding }),
            None => Ok(0),
        }
    }

    fn error(&self, cause: io::Error) -> Error {
        let name = self.name.clone();
        let compressed = self.raw.load(Ordering::Relaxed);
        let at = self.text + self.lost;
        let format = match self.decoder {
            Decoder::Gzip(_) => "gzip",
            Decoder::Zstd(_) => "zstd",
            Decoder::Plain(_) => return Error::Read { name, at, cause },
        };
        // Only the operating system's own errors carry a number, the decoders' do not; of files elsewhere the errors are ours.
        let is_own = cause.get_ref().is_some_and(|e| e.is::<longshore_core::error::Error>());
        if is_own || cause.raw_os_error().is_some() {
            let at = compressed;
            return Error::Read { name, at, cause };
        }
        if cause.kind() == ErrorKind::UnexpectedEof {
            return Error::Truncated { name, format, compressed, at };
        }
        // What is read ahead, the decoder has not seen.
        let ahead = self.decoder.packed().map_or(0, |packed| packed.buffer().len());
        Error::Corrupt { name, format, compressed: compressed.saturating_sub(ahead as u64), cause }
    }
}

impl Read for Raw {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buf)?;
        self.count.fetch_add(n as u64, Ordering::Relaxed);
        self.progress.add_raw(n);
        Ok(n)
    }
}

fn decoder(reader: Packed, zstd: bool, name: &str) -> Result<Decoder> {
    if !zstd {
        return Ok(Decoder::Gzip(Box::new(Members::new(reader))));
    }
    let decoder = zstd::Decoder::with_buffer(reader).map_err(|cause| Error::Open { name: name.to_owned(), cause })?;
    Ok(Decoder::Zstd(Box::new(decoder)))
}

/// Counts in `filled` what came, also when the rest does not.
fn read_full(reader: &mut impl Read, buf: &mut [u8], filled: &mut usize) -> io::Result<()> {
    while *filled < buf.len() {
        match reader.read(&mut buf[*filled..]) {
            Ok(0) => break,
            // A broken `Read` may claim more than there is room for.
            Ok(n) => *filled = (*filled + n).min(buf.len()),
            Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(())
}

fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(b"\x1F\x8B")
}

/// The encoding of a text that is not UTF-8, by its byte order mark or by the zeros of a first character that is ASCII.
fn wide(head: &[u8]) -> Option<&'static str> {
    match head {
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => Some("UTF-32"),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Some("UTF-16"),
        [1..=255, 0, 0, 0, ..] => Some("UTF-32LE"),
        [0, 0, 0, 1..=255, ..] => Some("UTF-32BE"),
        [1..=255, 0, ..] => Some("UTF-16LE"),
        [0, 1..=255, ..] => Some("UTF-16BE"),
        _ => None,
    }
}

/// What is no text at all, by its first bytes.
fn foreign(head: &[u8]) -> Option<&'static str> {
    match head {
        [b'P', b'K', 3, 4, ..] => Some("a zip archive"),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26]
        | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38] => Some("compressed with bzip2"),
        [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Some("compressed with xz"),
        [0x04, 0x22, 0x4D, 0x18, ..] => Some("compressed with lz4"),
        [b'7', b'z', 0xBC, 0xAF, ..] => Some("a 7z archive"),
        [b'P', b'A', b'R', b'1', 0..=0x1F, ..] => Some("a Parquet file"),
        [b'A', b'R', b'R', b'O', b'W', b'1', 0, 0, ..] => Some("an Arrow file"),
        _ => None,
    }
}

fn what_to_do(what: &str) -> &'static str {
    match what {
        "a Parquet file" | "an Arrow file" => {
            "name it .parquet or .arrow, not compressed as a whole, or say its format (--format, or format in longshore.toml)"
        }
        _ => "unpack it first: gzip and zstd are what is unpacked while it is read",
    }
}

/// A zstd frame, or a skippable frame before one.
fn is_zstd(head: &[u8]) -> bool {
    let skippable = matches!(head, [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..]);
    skippable || head.starts_with(b"\x28\xB5\x2F\xFD")
}
