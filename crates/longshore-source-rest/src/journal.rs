//! The journal: every page, with how to go on after it, on disk before it is handed on. A run that was stopped
//! reads it first and fetches only what it does not have.
//!
//! One file of frames: length, CRC-32, then the frame's description (JSON) and its records (LZ4). Frames are only
//! appended; a frame that was torn by a crash is cut off.

use crate::chain::Progress;
use longshore_core::error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const FORMAT: u32 = 1;
/// Written before it is made sure that it is on the disk itself: so much, or so long. A killed process loses nothing;
/// only a machine that loses power may have to fetch so much again.
const SYNC_BYTES: usize = 8 << 20;
const SYNC_TIME: Duration = Duration::from_secs(1);

/// What a frame tells.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Frame {
    /// The first: whose journal it is, and what `now` was.
    Begin {
        format: u32,
        fingerprint: String,
        now_micros: i64,
    },
    Page(Box<PageFrame>),
    /// All that depends on the records of that page is fetched.
    Children {
        chain: String,
        page: u64,
    },
    /// Everything is.
    End,
}

/// A page and how to go on after it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PageFrame {
    pub(crate) chain: String,
    pub(crate) resource: usize,
    pub(crate) progress: Progress,
    /// Captured values of its records, for dependent resources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) parents: Vec<Vec<Option<Box<str>>>>,
    /// What it did to the incremental's memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) observed: Option<Value>,
    /// Whose cursor that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parent_key: Option<String>,
    /// Records in its bytes.
    pub(crate) records: u64,
    /// Where it came from, for messages.
    pub(crate) origin: String,
}

/// A journal that is written.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
    end: u64,
    unsynced: usize,
    synced: Instant,
}

/// A journal that is read: frames one after the other, then it is written on.
pub(crate) struct Reader {
    file: BufReader<File>,
    path: PathBuf,
    at: u64,
    pub(crate) now_micros: i64,
}

impl Journal {
    /// Begins a journal, over whatever is there.
    pub(crate) fn create(folder: &Path, fingerprint: &str, now_micros: i64) -> Result<Journal> {
        let path = folder.join("pages");
        std::fs::create_dir_all(folder).map_err(|e| trouble("cannot be made", &path, e))?;
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
        let file = open.map_err(|e| trouble("cannot be made", &path, e))?;
        let mut journal = Journal { file, path, end: 0, unsynced: 0, synced: Instant::now() };
        journal.append(&Frame::Begin { format: FORMAT, fingerprint: fingerprint.to_owned(), now_micros }, &[])?;
        Ok(journal)
    }

    /// Appends a frame; returns where it begins.
    pub(crate) fn append(&mut self, frame: &Frame, records: &[u8]) -> Result<u64> {
        let described = serde_json::to_vec(frame).map_err(|e| trouble("cannot be written", &self.path, e))?;
        let packed = lz4_flex::compress_prepend_size(records);
        let mut bytes = Vec::with_capacity(12 + described.len() + packed.len());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&(described.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&described);
        bytes.extend_from_slice(&packed);
        let length = (bytes.len() - 8) as u32;
        let sum = crc32fast::hash(&bytes[8..]);
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        bytes[4..8].copy_from_slice(&sum.to_le_bytes());
        self.file.write_all(&bytes).map_err(|e| trouble("cannot be written", &self.path, e))?;
        let begin = self.end;
        self.end += bytes.len() as u64;
        self.unsynced += bytes.len();
        Ok(begin)
    }

    /// Makes sure that everything is on the disk, when so much or so long was not made sure of.
    pub(crate) fn sync_when_due(&mut self) -> Result<()> {
        if self.unsynced > SYNC_BYTES || self.synced.elapsed() > SYNC_TIME { self.sync() } else { Ok(()) }
    }

    /// Makes sure that everything is on the disk.
    pub(crate) fn sync(&mut self) -> Result<()> {
        self.file.sync_data().map_err(|e| trouble("cannot be written", &self.path, e))?;
        (self.unsynced, self.synced) = (0, Instant::now());
        Ok(())
    }

    /// Reads one page's captured values again.
    pub(crate) fn parents_at(&self, offset: u64) -> Result<Vec<Vec<Option<Box<str>>>>> {
        let file = File::open(&self.path).map_err(|e| trouble("cannot be read", &self.path, e))?;
        let mut reader = Reader { at: offset, ..Reader::of(file, self.path.clone()) };
        reader.file.seek(SeekFrom::Start(offset)).map_err(|e| trouble("cannot be read", &self.path, e))?;
        match reader.next()? {
            Some((_, Frame::Page(page), _)) => Ok(page.parents),
            _ => Err(Error::storage("the journal of fetched pages is damaged").with("file", self.path.display())),
        }
    }
}

impl Reader {
    fn of(file: File, path: PathBuf) -> Self {
        Reader { file: BufReader::new(file), path, at: 0, now_micros: 0 }
    }

    /// Opens a journal of that fingerprint; `None` where there is none, or one of something else.
    pub(crate) fn open(folder: &Path, fingerprint: &str) -> Result<Option<Reader>> {
        let path = folder.join("pages");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(trouble("cannot be read", &path, e)),
        };
        let mut reader = Reader::of(file, path);
        match reader.next()? {
            Some((_, Frame::Begin { format: FORMAT, fingerprint: own, now_micros }, _)) if own == fingerprint => {
                reader.now_micros = now_micros;
                Ok(Some(reader))
            }
            _ => Ok(None),
        }
    }

    /// True where a journal, of whatever load, holds a page.
    pub(crate) fn has_pages(folder: &Path) -> bool {
        let path = folder.join("pages");
        let Ok(file) = File::open(&path) else { return false };
        let mut reader = Reader::of(file, path);
        while let Ok(Some((_, frame, _))) = reader.next() {
            if matches!(frame, Frame::Page(_)) {
                return true;
            }
        }
        false
    }

    /// Returns the next frame, where it begins, and its records; `None` at the end or at a torn frame.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Frame, Vec<u8>)>> {
        let begin = self.at;
        let mut head = [0; 8];
        if !self.fill(&mut head)? {
            return Ok(None);
        }
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (length, sum) = (number(0) as usize, number(4));
        // Read by what is there, not by what a torn length says.
        let mut bytes = Vec::new();
        (&mut self.file)
            .take(length as u64)
            .read_to_end(&mut bytes)
            .map_err(|e| trouble("cannot be read", &self.path, e))?;
        if bytes.len() < length || length < 4 || crc32fast::hash(&bytes) != sum {
            return Ok(None);
        }
        let damaged = || {
            Error::storage("the journal of fetched pages is damaged")
                .with("file", self.path.display())
                .hint("remove the file; everything is then fetched again")
        };
        let described = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
        let frame = bytes.get(4..4 + described).and_then(|b| serde_json::from_slice(b).ok()).ok_or_else(damaged)?;
        let records = lz4_flex::decompress_size_prepended(&bytes[4 + described..]).map_err(|_| damaged())?;
        self.at += 8 + length as u64;
        Ok(Some((begin, frame, records)))
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<bool> {
        match self.file.read_exact(buffer) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
            Err(e) => Err(trouble("cannot be read", &self.path, e)),
        }
    }

    /// Goes on writing behind the last whole frame.
    pub(crate) fn write_on(self) -> Result<Journal> {
        let open = OpenOptions::new().read(true).write(true).open(&self.path);
        let mut file = open.map_err(|e| trouble("cannot be opened", &self.path, e))?;
        file.set_len(self.at)
            .and_then(|()| file.seek(SeekFrom::End(0)))
            .map_err(|e| trouble("cannot be written", &self.path, e))?;
        Ok(Journal { file, path: self.path, end: self.at, unsynced: 0, synced: Instant::now() })
    }
}

fn trouble(what: &str, path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::storage(format!("the journal of fetched pages {what}")).with("file", path.display()).source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn children(page: u64) -> Frame {
        Frame::Children { chain: "0".to_owned(), page }
    }

    #[test]
    fn a_torn_frame_is_cut_off_and_writing_goes_on_behind_the_last_whole_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(folder.path(), "f", 7).unwrap();
        for page in 0..3 {
            journal.append(&children(page), b"[1,2,3]").unwrap();
        }
        drop(journal);
        let file = folder.path().join("pages");
        let whole = std::fs::read(&file).unwrap();
        for cut in 1..40 {
            std::fs::write(&file, &whole[..whole.len() - cut]).unwrap();
            let mut reader = Reader::open(folder.path(), "f").unwrap().unwrap();
            assert_eq!(reader.now_micros, 7);
            let mut pages = 0;
            while let Some((_, frame, records)) = reader.next().unwrap() {
                assert!(matches!(frame, Frame::Children { page, .. } if page == pages));
                assert_eq!(records, b"[1,2,3]");
                pages += 1;
            }
            assert!(pages < 3, "cut {cut}");
            reader.write_on().unwrap().append(&children(9), b"").unwrap();
            let mut reader = Reader::open(folder.path(), "f").unwrap().unwrap();
            let mut last = None;
            while let Some((_, frame, _)) = reader.next().unwrap() {
                last = Some(frame);
            }
            assert!(matches!(last, Some(Frame::Children { page: 9, .. })));
        }
        assert!(Reader::open(folder.path(), "other").unwrap().is_none());
    }
}
