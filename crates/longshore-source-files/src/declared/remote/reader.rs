//! The bytes of a file elsewhere: fetched ahead by a little, and again from where a connection broke.

use super::bucket::error;
use super::web::{Version, refused, shown, unreachable};
use super::{Found, Remote};
use futures_util::{Stream, StreamExt};
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_object_store::{Action, requests};
use object_store::{GetOptions, GetRange};
use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderValue, IF_RANGE, RANGE};
use reqwest::{Method, Response, StatusCode};
use std::io::{self, Read};
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Pieces that wait to be read; a piece is what the network brings at once, well below a megabyte.
const WAITING: usize = 16;
/// How often in a row the file is asked for without a single byte coming.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Reads a file elsewhere.
pub(in super::super) struct RemoteReader {
    pieces: Receiver<Result<Vec<u8>>>,
    piece: io::Cursor<Vec<u8>>,
}

impl RemoteReader {
    /// Begins to fetch.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(in super::super) fn open(found: &Found) -> Result<Self> {
        let (send, pieces) = channel(WAITING);
        let version = Version { tag: found.tag.clone(), modified: None, size: found.size };
        let is_empty = matches!(found.remote, Remote::Object { .. }) && found.size == Some(0);
        // Of an empty object is nothing to fetch.
        if !is_empty {
            requests()?.spawn(Fetch { remote: found.remote.clone(), version, at: 0 }.run(send));
        }
        Ok(RemoteReader { pieces, piece: io::Cursor::default() })
    }
}

impl RemoteReader {
    /// Returns our own error out of one of reading, or that one again.
    pub(in super::super) fn cause(e: io::Error) -> std::result::Result<Error, io::Error> {
        e.downcast::<Error>()
    }
}

impl Read for RemoteReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.piece.read(buf)?;
            if read > 0 || buf.is_empty() {
                return Ok(read);
            }
            match self.pieces.blocking_recv() {
                Some(Ok(piece)) => self.piece = io::Cursor::new(piece),
                Some(Err(e)) => return Err(io::Error::other(e)),
                None => return Ok(0),
            }
        }
    }
}

type Pieces = Pin<Box<dyn Stream<Item = Result<Vec<u8>>> + Send>>;

struct Fetch {
    remote: Remote,
    /// The version of the file that is being read.
    version: Version,
    /// Bytes handed on.
    at: u64,
}

impl Fetch {
    async fn run(mut self, send: Sender<Result<Vec<u8>>>) {
        let (mut attempt, mut pause) = (0, FIRST_PAUSE);
        loop {
            let before = self.at;
            let ended = self.attempt(&send).await;
            let (e, wait) = match ended {
                Ok(()) => return,
                Err(ended) => ended,
            };
            if self.at > before {
                (attempt, pause) = (0, FIRST_PAUSE);
            }
            attempt += 1;
            if !e.is_retryable() || attempt >= ATTEMPTS || send.is_closed() {
                let _ = send.send(Err(e)).await; // nobody listens any more
                return;
            }
            tracing::debug!(error = %e, at = self.at, "the connection broke, fetching on from there");
            tokio::time::sleep(pause.max(wait)).await;
            pause *= 2;
        }
    }

    async fn attempt(&mut self, send: &Sender<Result<Vec<u8>>>) -> std::result::Result<(), (Error, Duration)> {
        let at_once = |e| (e, Duration::ZERO);
        let mut pieces = self.open().await?;
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(at_once)?;
            self.at += piece.len() as u64;
            if send.send(Ok(piece)).await.is_err() {
                return Ok(()); // the load was given up
            }
        }
        match self.version.size {
            Some(size) if self.at < size => {
                Err(at_once(Error::new(ErrorKind::Unavailable, "the file ended early").with("at", self.at)))
            }
            _ => Ok(()),
        }
    }

    /// The bytes from where they broke off, of the same version of the file.
    async fn open(&mut self) -> std::result::Result<Pieces, (Error, Duration)> {
        let at_once = |e| (e, Duration::ZERO);
        match &self.remote {
            Remote::Object { bucket, store, key } => {
                let range = (self.at > 0).then_some(GetRange::Offset(self.at));
                let options = GetOptions { range, if_match: self.version.tag.clone(), ..GetOptions::default() };
                let got = store.get_opts(key, options).await;
                let got = got.map_err(|e| match e {
                    object_store::Error::Precondition { .. } => at_once(changed(bucket.url(key.as_ref()))),
                    e @ object_store::Error::NotFound { .. } => {
                        let gone = error(bucket, key.as_ref(), Action::Read, e);
                        at_once(gone.hint("it was deleted after it had been found; run the same command again"))
                    }
                    e => at_once(error(bucket, key.as_ref(), Action::Read, e)),
                })?;
                self.version.tag = got.meta.e_tag.clone();
                let (bucket, key) = (bucket.clone(), key.clone());
                let pieces = got.into_stream().map(move |piece| {
                    piece.map(|b| b.to_vec()).map_err(|e| error(&bucket, key.as_ref(), Action::Read, e))
                });
                Ok(Box::pin(pieces))
            }
            Remote::Web(web) => {
                let url = &web.url;
                let mut headers = HeaderMap::new();
                if self.at > 0 {
                    let said = |text: &str| HeaderValue::from_str(text).ok();
                    headers.extend(said(&format!("bytes={}-", self.at)).map(|range| (RANGE, range)));
                    let tag = self.version.tag.as_deref().filter(|t| !t.starts_with("W/"));
                    headers.extend(tag.and_then(said).map(|tag| (IF_RANGE, tag)));
                }
                let answer = web.send(Method::GET, headers).await.map_err(at_once)?;
                let status = answer.status();
                if !status.is_success() {
                    let (e, wait) = refused(url, status, answer.headers());
                    return Err((e, wait.unwrap_or_default()));
                }
                let version = Version::of(&answer);
                if self.at > 0 && self.version.differs(&version) {
                    return Err(at_once(changed(shown(url.as_str()).into_owned())));
                }
                // A server without ranges sends all of it again.
                let skip =
                    if status == StatusCode::PARTIAL_CONTENT { self.at - begin(&answer, self.at)? } else { self.at };
                let size = version.size.or(self.version.size);
                self.version = Version { size, ..version };
                let url = url.clone();
                let pieces = answer.bytes_stream().map(move |piece| match piece {
                    Ok(bytes) => Ok(bytes.to_vec()),
                    Err(e) => Err(unreachable(&url, e)),
                });
                Ok(Box::pin(skipped(pieces, skip)))
            }
        }
    }
}

/// The position that a part of a file begins at; it may have been asked for from `at` on, and not from behind it.
fn begin(answer: &Response, at: u64) -> std::result::Result<u64, (Error, Duration)> {
    let said =
        answer.headers().get(CONTENT_RANGE).and_then(|v| v.to_str().ok()?.strip_prefix("bytes ")?.split('-').next());
    match said.map_or(Some(at), |begin| begin.trim().parse().ok()).filter(|begin| *begin <= at) {
        Some(begin) => Ok(begin),
        None => {
            let error = Error::input("the server sent another part of the file than it was asked for");
            Err((error.with("file", shown(answer.url().as_str())), Duration::ZERO))
        }
    }
}

/// Leaves out bytes that were handed on already.
fn skipped(
    pieces: impl Stream<Item = Result<Vec<u8>>> + Send,
    mut skip: u64,
) -> impl Stream<Item = Result<Vec<u8>>> + Send {
    pieces.map(move |piece| {
        let mut piece = piece?;
        let out = usize::try_from(skip).unwrap_or(usize::MAX).min(piece.len());
        skip -= out as u64;
        piece.drain(..out);
        Ok(piece)
    })
}

fn changed(name: String) -> Error {
    Error::input("the file was changed while it was read")
        .with("file", name)
        .hint("nothing was loaded; run the same command again")
}
