//! Recording of responses, and playing them back without a network.
//!
//! A folder with one JSON file an answer: `{"request": {method, url, body}, "response": {status, headers, body}}`, and what else the
//! answer depends on: where redirects led to, and what `now` was where requests are made of it. Secrets are taken out before anything
//! is written.

use crate::client::{Raw, is_kept_header};
use crate::redact::Redactor;
use crate::request::Request;
use longshore_core::error::{Error, Result};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use url::Url;

/// Where responses go to or come from.
#[derive(Debug, Default)]
pub(crate) enum Cassette {
    /// The network, and nothing is kept.
    #[default]
    Off,
    Record {
        folder: PathBuf,
        number: AtomicU64,
        /// Headers that paginators read, beside the usual ones.
        cursors: Vec<String>,
        moment: Option<Moment>,
    },
    Replay {
        folder: PathBuf,
        answers: Mutex<HashMap<Asked, VecDeque<Answer>>>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Asked {
    method: String,
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    /// Where it came from in the end, if that was another place: links are relative to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    body: String,
}

/// When a source was asked, where its requests depend on that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Moment {
    pub(crate) source: String,
    pub(crate) micros: i64,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    now: Option<Moment>,
    request: Asked,
    response: Answer,
}

impl Cassette {
    /// Opens a folder for recording, or reads one for playing. `cursors` are headers that paginators read; the moment is kept with each
    /// answer.
    pub(crate) fn new(
        record: Option<&Path>,
        replay: Option<&Path>,
        cursors: Vec<String>,
        moment: Option<Moment>,
    ) -> Result<Cassette> {
        match (record, replay) {
            (Some(_), Some(_)) => Err(Error::config("responses are either recorded or played back, not both")),
            (None, None) => Ok(Cassette::Off),
            (Some(folder), None) => {
                std::fs::create_dir_all(folder)
                    .map_err(|e| trouble("the folder for recordings cannot be made", folder, e))?;
                let number = AtomicU64::new(files(folder)?.len() as u64);
                Ok(Cassette::Record { folder: folder.to_owned(), number, cursors, moment })
            }
            (None, Some(folder)) => {
                let mut answers: HashMap<Asked, VecDeque<Answer>> = HashMap::new();
                for entry in entries(folder)? {
                    let entry = entry?;
                    answers.entry(entry.request).or_default().push_back(entry.response);
                }
                Ok(Cassette::Replay { folder: folder.to_owned(), answers: Mutex::new(answers) })
            }
        }
    }

    /// Counts the answers in a folder.
    pub(crate) fn answers(folder: &Path) -> usize {
        files(folder).map_or(0, |files| files.len())
    }

    /// Returns what `now` was when a source was recorded; `None` where nothing depends on it.
    pub(crate) fn moment(folder: &Path, source: &str) -> Result<Option<i64>> {
        for entry in entries(folder)? {
            if let Some(moment) = entry?.now.filter(|now| now.source == source) {
                return Ok(Some(moment.micros));
            }
        }
        Ok(None)
    }

    pub(crate) fn is_replay(&self) -> bool {
        matches!(self, Cassette::Replay { .. })
    }

    /// Returns the recorded answer; `None` where the network is asked.
    pub(crate) fn replay(&self, redactor: &Redactor, request: &Request) -> Result<Option<Raw>> {
        let Cassette::Replay { folder, answers } = self else { return Ok(None) };
        let asked = asked(redactor, request);
        let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = answers.get_mut(&asked) else {
            return Err(Error::input("the recording has no answer to this request")
                .with("method", &asked.method)
                .with("folder", folder.display())
                .hint("record anew with --record"));
        };
        // The last answer stays: the same may be asked more often than it was when recording.
        let answer = if queue.len() > 1 { queue.pop_front() } else { queue.front().cloned() };
        let answer = answer.ok_or_else(|| Error::internal("an empty recording"))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &answer.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
                headers.append(name, value);
            }
        }
        let status =
            StatusCode::from_u16(answer.status).map_err(|e| Error::input("a recording is damaged").source(e))?;
        let url = answer.url.and_then(|url| Url::parse(&url).ok()).unwrap_or_else(|| request.url.clone());
        Ok(Some(Raw { status, headers, body: answer.body.into_bytes(), url }))
    }

    /// Keeps an answer.
    pub(crate) fn record(&self, redactor: &Redactor, request: &Request, raw: &Raw) -> Result<()> {
        let Cassette::Record { folder, number, cursors, moment } = self else { return Ok(()) };
        let is_kept = |name: &str| is_kept_header(name) || cursors.iter().any(|c| c.eq_ignore_ascii_case(name));
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in raw.headers.iter().filter(|(name, _)| is_kept(name.as_str())) {
            let Ok(value) = value.to_str() else { continue };
            // Several lines of one name are one list: `Link` comes so.
            let list = headers.entry(name.to_string()).or_default();
            list.push_str(if list.is_empty() { "" } else { ", " });
            list.push_str(&redactor.links(value));
        }
        let request = asked(redactor, request);
        let url = Some(redactor.url(&raw.url)).filter(|url| *url != request.url);
        let body = redactor.answer(&String::from_utf8_lossy(&raw.body));
        let response = Answer { status: raw.status.as_u16(), headers, url, body };
        let entry = Entry { now: moment.clone(), request, response };
        let text =
            serde_json::to_vec_pretty(&entry).map_err(|e| trouble("a recording cannot be written", folder, e))?;
        let path = next_file(folder, number)?;
        // Under its name it is whole, or empty: a kill leaves nothing that cannot be played back.
        let part = path.with_extension("part");
        let written = std::fs::write(&part, &text).and_then(|()| std::fs::rename(&part, &path));
        written.map_err(|e| {
            let _ = (std::fs::remove_file(&part), std::fs::remove_file(&path));
            trouble("a recording cannot be written", &path, e)
        })
    }
}

/// Takes the next name, by an empty file; other sources record into the same folder, so a number may be taken.
fn next_file(folder: &Path, number: &AtomicU64) -> Result<PathBuf> {
    loop {
        let path = folder.join(format!("{:06}.json", number.fetch_add(1, Ordering::Relaxed)));
        match File::create_new(&path) {
            Ok(_) => return Ok(path),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(trouble("a recording cannot be written", &path, e)),
        }
    }
}

/// Reads a recording, answer by answer, without the names that a killed run had taken and not yet used.
fn entries(folder: &Path) -> Result<impl Iterator<Item = Result<Entry>>> {
    Ok(files(folder)?.into_iter().filter_map(|file| match std::fs::read(&file) {
        Ok(text) if text.is_empty() => None,
        Ok(text) => Some(serde_json::from_slice(&text).map_err(|e| trouble("a recording is damaged", &file, e))),
        Err(e) => Some(Err(trouble("a recording cannot be read", &file, e))),
    }))
}

fn asked(redactor: &Redactor, request: &Request) -> Asked {
    Asked {
        method: request.method.to_string(),
        url: redactor.url(&request.url),
        body: request.body.as_ref().map(|b| redactor.body(&String::from_utf8_lossy(b))),
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).map_err(|e| trouble("the folder of recordings cannot be read", folder, e))?;
    let mut files: Vec<PathBuf> =
        entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.extension().is_some_and(|x| x == "json")).collect();
    files.sort();
    Ok(files)
}

fn trouble(what: &str, path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::config(what).with("path", path.display()).source(error)
}
