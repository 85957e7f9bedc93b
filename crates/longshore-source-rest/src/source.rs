//! The REST API as a [`Source`]: a thread of its own fetches, a bounded channel hands pages on.

use crate::auth::Authenticator;
use crate::cassette::{Cassette, Moment};
use crate::client::{Client, host, http_client};
use crate::config::{ClientConfig, PaginatorConfig, RestConfig, WriteDisposition};
use crate::incremental::{IncrementalPlan, Memory};
use crate::journal::{Journal, Reader};
use crate::plan::settings;
use crate::redact::Redactor;
use crate::request::join;
use crate::run::{Log, Resumed, Run};
use longshore_core::connect::Secret;
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::hash::content_hash;
use longshore_core::misspelt::suggest;
use longshore_core::normalize::Settings;
use longshore_core::schema::SystemColumns;
use longshore_core::source::{Block, JsonBlock, Source, Start};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{self, Receiver};
use tokio::sync::{oneshot, watch};
use url::Url;

/// Pages that wait to be normalised; when there are so many, fetching waits.
const WAITING_PAGES: usize = 4;

/// What a user may decide beside the configuration.
#[derive(Debug, Clone, Default)]
pub struct RestOptions {
    /// The source's name: its state stands under it.
    pub name: String,
    /// Only these resources are loaded; others as far as these depend on them. `None`: those selected in the configuration.
    pub select: Option<Vec<String>>,
    /// Keep responses here, without secrets.
    pub record: Option<PathBuf>,
    /// Take responses from here; the network is not touched.
    pub replay: Option<PathBuf>,
    /// Files that the configuration names are relative to this folder. `None`: the current one.
    pub folder: Option<PathBuf>,
    /// Values of the configuration that must not be printed or recorded, beside the credentials it has.
    pub secrets: Vec<Secret>,
    /// Takes what the user should know: guesses, doubts, a run that is completed.
    pub notes: Notes,
}

/// What the user should know, as it comes; also in the log (`tracing`).
#[derive(Clone, Default)]
pub struct Notes(Arc<Mutex<Vec<Note>>>);

/// One thing the user should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The resource; empty for the whole source.
    pub resource: String,
    /// What.
    pub text: String,
}

impl Notes {
    /// Returns all so far.
    pub fn all(&self) -> Vec<Note> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds one, unless it was said before.
    pub(crate) fn add(&self, resource: &str, text: String) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let note = Note { resource: resource.to_owned(), text };
        // The same for a thousand parents is said once; different ones are few.
        if notes.len() < 1000 && !notes.contains(&note) {
            tracing::warn!(resource = note.resource, "{}", note.text);
            notes.push(note);
        }
    }
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}

/// A REST API.
pub struct RestSource {
    config: RestConfig,
    options: RestOptions,
    /// Answers in the folder that is recorded into, before any source of the run added to them.
    recorded: usize,
    before: Option<Value>,
    running: Option<Running>,
}

struct Running {
    thread: Option<JoinHandle<()>>,
    /// Dropped, it ends the run where it waits.
    stop: Option<oneshot::Sender<()>>,
    pages: Receiver<Result<JsonBlock>>,
    run: Arc<Run>,
}

impl RestSource {
    /// Returns a source; nothing is asked before it begins.
    ///
    /// # Errors
    /// When a resource that is selected does not exist.
    pub fn new(config: RestConfig, options: RestOptions) -> Result<RestSource> {
        for name in options.select.iter().flatten() {
            if !config.resources.iter().any(|r| r.name == *name) {
                let known: Vec<&str> = config.resources.iter().map(|r| r.name.as_str()).collect();
                let near = suggest(name, known.iter().copied());
                return Err(Error::config(format!("the source has no resource '{name}'"))
                    .hint(near.unwrap_or_else(|| format!("there are {}", known.join(", ")))));
            }
        }
        let recorded = options.record.as_deref().map_or(0, Cassette::answers);
        Ok(RestSource { config, options, recorded, before: None, running: None })
    }

    /// Returns how the records of each resource are normalised and written, in the order of the configuration.
    pub fn resources(&self, system: SystemColumns) -> Vec<Settings> {
        self.config.resources.iter().map(|r| settings(r, system)).collect()
    }

    /// Returns how many requests went out so far.
    pub fn requests(&self) -> u64 {
        self.running.as_ref().map_or(0, |r| r.run.client.requests())
    }

    fn selected(&self) -> Vec<bool> {
        let resources = self.config.resources.iter();
        match &self.options.select {
            Some(names) => resources.map(|r| names.contains(&r.name)).collect(),
            None => resources.map(|r| r.selected).collect(),
        }
    }

    /// Tells whether a journal belongs to this very load: configuration without secrets, selection, state, and where answers come
    /// from or are saved. Pages of a recording are none of the API's, and a recording lacks what was fetched without it.
    fn fingerprint(&self, state: Option<&Value>) -> String {
        let whole = json!({
            "client": &*self.config.client,
            "resources": &self.config.resources,
            "selected": self.selected(),
            "name": self.options.name,
            "state": state,
            "record": self.options.record,
            "replay": self.options.replay,
        });
        content_hash(whole.to_string().as_bytes())
    }

    /// The client of the resources that are needed; what the others authenticate with is not looked at.
    fn client(&self, config: &Arc<ClientConfig>, needed: &[bool], now: i64) -> Result<Client> {
        let own = self.config.plan.resources.iter().zip(needed).map(|(resource, needed)| {
            let auth = resource.auth.as_ref().filter(|_| *needed).map(Authenticator::new);
            auth.transpose().map_err(|e| e.with("resource", &resource.name))
        });
        let own = own.collect::<Result<Vec<_>>>()?;
        let addresses = self
            .config
            .resources
            .iter()
            .map(|r| join(&self.config.client.base_url, r.endpoint.path.as_deref().unwrap_or(&r.name)));
        let all = addresses.chain([self.config.client.base_url.clone()]);
        // What stands in the configuration was written by the user; links of the API were not.
        let trusted: HashSet<String> = all.filter_map(|a| Url::parse(&a).ok()).map(|u| host(&u)).collect();
        let cursors = self.config.plan.resources.iter().filter_map(|r| match &r.paginator {
            PaginatorConfig::HeaderCursor { cursor_key, .. } => Some(cursor_key.clone()),
            _ => None,
        });
        let (record, replay) = (self.options.record.as_deref(), self.options.replay.as_deref());
        let moment = self.asks_by_now().then(|| Moment { source: self.options.name.clone(), micros: now });
        let cassette = Cassette::new(record, replay, cursors.collect(), moment)?;
        let redactor = Redactor::new(config, &self.config.resources, &self.options.secrets);
        let http = http_client(config, self.options.folder.as_deref().unwrap_or(Path::new("")))?;
        Client::new(config, http, own, trusted, redactor, cassette)
    }

    /// True where what is asked for depends on the time.
    fn asks_by_now(&self) -> bool {
        self.config.plan.resources.iter().filter_map(|r| r.incremental.as_ref()).any(IncrementalPlan::asks_by_now)
    }

    /// Opens the journal: what there is of this load, else a new one.
    fn journal(&self, start: &Start, now: i64) -> Result<(Option<Reader>, Option<Journal>)> {
        let Some(folder) = &start.journal else {
            self.note_older_answers();
            return Ok((None, None));
        };
        let fingerprint = self.fingerprint(start.state.as_ref());
        if let Some(reader) = Reader::open(folder, &fingerprint)? {
            return Ok((Some(reader), None));
        }
        if Reader::has_pages(folder) {
            self.options.notes.add(
                "",
                "pages of an interrupted run were dropped: its configuration, state or recording was another"
                    .to_owned(),
            );
        }
        self.note_older_answers();
        Ok((None, Some(Journal::create(folder, &fingerprint, now)?)))
    }

    /// A load that goes on adds to its recording; one that begins with another's in the folder has it played back before its own.
    fn note_older_answers(&self) {
        if self.recorded > 0 {
            let text = format!(
                "the folder of the recording had {} answers before, which are played back first; to record anew, empty it",
                self.recorded
            );
            self.options.notes.add("", text);
        }
    }

    /// Asks for one page of the first resource without a parent: tells whether address and credentials are right.
    ///
    /// # Errors
    /// What the API said, or why it could not be asked.
    pub fn probe(&self) -> Result<()> {
        let plan = &self.config.plan;
        let Some(at) = (0..plan.resources.len())
            .find(|r| plan.resources[*r].parent.is_none() && plan.resources[*r].request.method == reqwest::Method::GET)
        else {
            return Err(Error::config("the source has no resource that can be asked without a parent"));
        };
        let needed: Vec<bool> = (0..plan.resources.len()).map(|r| r == at).collect();
        let (client, resource) =
            (self.client(&Arc::new(impatient(&self.config.client)), &needed, now_micros())?, &plan.resources[at]);
        let range = resource.incremental.as_ref().map(|p| p.range(&Default::default(), now_micros())).transpose()?;
        let scope = crate::template::Scope { parent: None, range: range.as_ref() };
        let delta = crate::chain::Progress::new(resource).next.unwrap_or_default();
        let request = crate::request::build(&self.config.client, &resource.request, scope, &delta)?;
        let answer = runtime()?.block_on(client.send(at, &request, &resource.actions));
        answer.map(drop).map_err(|e| e.with("resource", &resource.name))
    }
}

/// Somebody sits and waits for the answer.
fn impatient(config: &ClientConfig) -> ClientConfig {
    ClientConfig {
        max_attempts: Some(2),
        retry_budget: Some(config.retry_budget.unwrap_or(20.0).min(20.0)),
        timeout: Some(config.timeout.unwrap_or(20.0).min(20.0)),
        max_retry_delay: Some(config.max_retry_delay.unwrap_or(20.0).min(20.0)),
        ..config.clone()
    }
}

/// One thread for connections and pages: waking another for each answer costs more than the work it would do.
fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .thread_name("longshore-rest")
        .enable_all()
        .build()
        .map_err(|e| Error::new(ErrorKind::Internal, "the runtime of the source cannot be made").source(e))
}

fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

impl Source for RestSource {
    fn begin(&mut self, start: &Start) -> Result<()> {
        // What was asked for then is asked for again: a recording is played back on any day.
        let replay = self.options.replay.as_deref().filter(|_| self.asks_by_now());
        let recorded = replay.map(|folder| Cassette::moment(folder, &self.options.name));
        let now = recorded.transpose()?.flatten().unwrap_or_else(now_micros);
        let (reader, journal) = self.journal(start, now)?;
        let now = reader.as_ref().map_or(now, |r| r.now_micros);
        let (out, pages) = mpsc::channel(WAITING_PAGES);
        let plan = &self.config.plan;
        let memory = plan.resources.iter().zip(&self.config.resources).map(|(r, config)| {
            // As in dlt: what is replaced begins from the start, or only what is new would be left of the table.
            let replaces = config.write_disposition.as_ref().is_some_and(WriteDisposition::is_replace);
            let state = start.state.as_ref().filter(|_| !replaces);
            r.incremental.as_ref().map(|plan| Memory::read(state, &self.options.name, &r.name, plan))
        });
        let selected = self.selected();
        let needed = plan.needed(&selected);
        let run = Arc::new(Run {
            client: self.client(&self.config.client, &needed, now)?,
            needed,
            selected,
            now_micros: now,
            notes: self.options.notes.clone(),
            memory: Mutex::new(memory.collect()),
            log: tokio::sync::Mutex::new(Log { journal, out: Some(out.clone()), kept: 0 }),
            handed: watch::Sender::new(0),
            resumed: Mutex::new(Resumed::default()),
            hollow: plan.resources.iter().map(|_| AtomicU32::default()).collect(),
            config: self.config.clone(),
        });
        let (runtime, run_here, (stop, stopped)) = (runtime()?, Arc::clone(&run), oneshot::channel());
        let fetch = move || {
            let whole = async {
                tokio::select! { () = run_here.go(reader) => {}, _ = stopped => {} }
            };
            if catch_unwind(AssertUnwindSafe(|| runtime.block_on(whole))).is_err() {
                let _ = out.blocking_send(Err(Error::internal("fetching ended in the middle of its work")));
            }
            // A name that is looked up may take its time; nobody waits for it.
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().name("longshore-rest".to_owned()).spawn(fetch);
        let thread = thread.map_err(|e| Error::internal("the thread of the source cannot be started").source(e))?;
        self.before = start.state.clone();
        self.running = Some(Running { thread: Some(thread), stop: Some(stop), pages, run });
        Ok(())
    }

    fn next_block(&mut self) -> Result<Option<Block>> {
        let Some(running) = &mut self.running else { return Err(Error::internal("the source has not begun")) };
        match running.pages.blocking_recv() {
            Some(Ok(block)) => Ok(Some(block.into())),
            Some(Err(error)) => Err(error),
            None => Ok(None),
        }
    }

    fn notes(&self) -> Vec<String> {
        self.options.notes.all().iter().map(sentence).collect()
    }

    fn state(&self) -> Option<Value> {
        let running = self.running.as_ref()?;
        let memory = running.run.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.before.clone();
        for (resource, own) in self.config.plan.resources.iter().zip(memory.iter()) {
            if let (Some(plan), Some(own)) = (&resource.incremental, own)
                && !plan.is_stateless()
            {
                own.write(state.get_or_insert_with(|| json!({})), &self.options.name, &resource.name, plan);
            }
        }
        state
    }
}

/// A note with the resource it is about.
fn sentence(note: &Note) -> String {
    if note.resource.is_empty() { note.text.clone() } else { format!("{}: {}", note.resource, note.text) }
}

impl Drop for Running {
    /// Ends the run. After this nothing is written to the journal, so that another source may open it.
    fn drop(&mut self) {
        self.pages.close();
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
