//! A double of Cloud Storage, as far as staging asks it: resumable uploads and removal, in the folder where the emulator looks
//! for `gs://` files. It is strict: what the protocol does not allow is refused, and so is what nobody should ask.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A server; `log` holds the first lines of what it was asked.
pub(crate) struct Buckets {
    pub(crate) url: String,
    pub(crate) log: Arc<Mutex<Vec<String>>>,
}

impl Buckets {
    /// Starts it on a folder. With `stumbles`, every second chunk is stored by half and its connection broken.
    pub(crate) fn start(root: &Path, stumbles: bool) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let mut double =
            Double { url: url.clone(), root: root.to_owned(), stumbles, chunks: 0, uploads: BTreeMap::new() };
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                let Some(bytes) = super::read_request(&mut connection) else { continue };
                let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("a head ends");
                let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
                kept.lock().expect("not poisoned").push(head.lines().next().unwrap_or_default().to_owned());
                let Some((status, more)) = double.answer(&head, &bytes[end + 4..]) else { continue };
                let _ =
                    write!(connection, "HTTP/1.1 {status} X\r\n{more}Content-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        Buckets { url, log }
    }
}

struct Double {
    url: String,
    root: PathBuf,
    stumbles: bool,
    chunks: usize,
    /// By number: the file, and what has come of it.
    uploads: BTreeMap<usize, (PathBuf, Vec<u8>)>,
}

impl Double {
    /// The status, and more headers; `None` breaks the connection.
    fn answer(&mut self, head: &str, body: &[u8]) -> Option<(u16, String)> {
        let mut words = head.split([' ', '\r']);
        let (method, path) = (words.next()?, words.next()?);
        let parts: Vec<&str> = path.split(['/', '?', '&']).collect();
        match (method, &parts[1..]) {
            ("POST", ["upload", "storage", "v1", "b", bucket, "o", "uploadType=resumable", name]) => {
                let number = self.uploads.len();
                self.uploads.insert(number, (self.file(bucket, name.strip_prefix("name=")?), Vec::new()));
                Some((200, format!("Location: {}/session/{number}\r\n", self.url)))
            }
            ("PUT", ["session", number]) => self.put(number.parse().ok()?, head, body),
            ("DELETE", ["storage", "v1", "b", bucket, "o", name]) => {
                let is_gone = std::fs::remove_file(self.file(bucket, name)).is_ok();
                Some((if is_gone { 204 } else { 404 }, String::new()))
            }
            _ => Some((501, String::new())),
        }
    }

    fn file(&self, bucket: &str, name: &str) -> PathBuf {
        let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy().into_owned();
        self.root.join(bucket).join(name)
    }

    fn put(&mut self, number: usize, head: &str, body: &[u8]) -> Option<(u16, String)> {
        let head = head.to_lowercase();
        let range = head.lines().find_map(|l| l.strip_prefix("content-range: bytes "))?;
        let (span, total) = range.split_once('/')?;
        let (file, came) = self.uploads.get_mut(&number)?;
        let mut breaks = false;
        if let Some((from, to)) = span.split_once('-') {
            let (from, to): (usize, usize) = (from.parse().ok()?, to.parse().ok()?);
            let is_whole = total != "*" || body.len().is_multiple_of(256 << 10);
            if from != came.len() || to + 1 - from != body.len() || !is_whole {
                return Some((400, String::new()));
            }
            self.chunks += 1;
            breaks = self.stumbles && self.chunks.is_multiple_of(2);
            // Whole quarters of a MiB are stored, as Google does it.
            let stored = if breaks { body.len() / 2 / (256 << 10) * (256 << 10) } else { body.len() };
            came.extend_from_slice(&body[..stored]);
        }
        if breaks {
            return None;
        }
        if total.parse() == Ok(came.len()) {
            std::fs::create_dir_all(file.parent()?).expect("a folder");
            std::fs::write(&*file, &*came).expect("a file");
            return Some((200, String::new()));
        }
        let range = if came.is_empty() { String::new() } else { format!("Range: bytes=0-{}\r\n", came.len() - 1) };
        Some((308, range))
    }
}
