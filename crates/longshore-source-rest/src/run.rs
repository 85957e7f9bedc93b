//! A run: all chains of all resources, parents before their children, each page into the journal and then out.

use crate::chain::{Answer, Context, Progress, Step, fingerprint};
use crate::client::{Client, Outcome, Response};
use crate::config::{ResponseAction, RestConfig};
use crate::depend::Parent;
use crate::incremental::{Memory, Observed, Range};
use crate::journal::{Frame, Journal, PageFrame, Reader};
use crate::out::blocks;
use crate::paginate::Delta;
use crate::plan::{Plan, Resource};
use crate::request::build;
use crate::source::Notes;
use crate::template::Scope;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use longshore_core::error::{Error, Result};
use longshore_core::source::JsonBlock;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use tokio::sync::mpsc::Sender;

/// How often a page is asked for that comes without a body, and how many of them tell that the API means it.
const HOLLOW_ATTEMPTS: u32 = 3;

/// What the chains of one run share.
pub(crate) struct Run {
    pub(crate) config: RestConfig,
    pub(crate) client: Client,
    pub(crate) selected: Vec<bool>,
    pub(crate) needed: Vec<bool>,
    pub(crate) now_micros: i64,
    pub(crate) notes: Notes,
    /// By resource; `None` where it has no incremental.
    pub(crate) memory: Mutex<Vec<Option<Memory>>>,
    /// Pages leave in the order in which they stand in the journal.
    pub(crate) log: tokio::sync::Mutex<Log>,
    /// Who hands a page on has it; the others stand in line.
    pub(crate) turn: tokio::sync::Mutex<()>,
    pub(crate) resumed: Mutex<Resumed>,
    /// By resource: how often it answered without a body, and meant it.
    pub(crate) hollow: Vec<AtomicU32>,
}

/// The journal and the way out.
pub(crate) struct Log {
    pub(crate) journal: Option<Journal>,
    /// Taken away at the end: that the channel is closed tells the reader.
    pub(crate) out: Option<Sender<Result<JsonBlock>>>,
}

/// Chains that an interrupted run had begun.
#[derive(Debug, Default)]
pub(crate) struct Resumed {
    chains: BTreeMap<String, Begun>,
    ended: bool,
    pages: u64,
}

#[derive(Debug, Default)]
struct Begun {
    progress: Option<Progress>,
    visited: HashSet<u64>,
    /// Pages whose dependent resources are not all fetched: where their frames stand.
    open: BTreeMap<u64, u64>,
}

impl Resumed {
    fn page(&mut self, offset: u64, page: &PageFrame) {
        let begun = self.chains.entry(page.chain.clone()).or_default();
        if !page.parents.is_empty() {
            begun.open.insert(page.progress.pages, offset);
        }
        begun.visited.extend(page.progress.next.iter().map(fingerprint));
        begun.progress = Some(page.progress.clone());
        self.pages += 1;
    }

    /// The chains below that page are of no more interest.
    fn children(&mut self, chain: &str, page: u64) {
        if let Some(begun) = self.chains.get_mut(chain) {
            begun.open.remove(&page);
        }
        let prefix = format!("{chain}.{page}.");
        let below: Vec<String> = self
            .chains
            .range(prefix.clone()..)
            .take_while(|(k, _)| k.starts_with(&prefix))
            .map(|(k, _)| k.clone())
            .collect();
        below.iter().for_each(|name| drop(self.chains.remove(name)));
    }
}

/// The source was dropped; nobody waits for the rest.
fn stopped() -> Error {
    Error::internal("the source was stopped")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Run {
    fn plan(&self) -> &Plan {
        &self.config.plan
    }

    fn resource(&self, at: usize) -> &Resource {
        &self.plan().resources[at]
    }

    /// Runs to the end; an error goes out as the last message.
    pub(crate) async fn go(self: Arc<Self>, journal: Option<Reader>) {
        let done = async {
            if let Some(reader) = journal {
                self.replay(reader).await?;
            }
            if !lock(&self.resumed).ended {
                self.fetch().await?;
                self.append(&Frame::End).await?;
            }
            Ok(())
        }
        .await;
        let mut log = self.log.lock().await;
        if let Some(journal) = &mut log.journal {
            let _ = journal.sync();
        }
        if let (Err(error), Some(out)) = (done, &log.out) {
            let _ = out.send(Err(error)).await;
        }
        log.out = None;
    }

    /// Hands on what the journal has, and learns where to go on.
    async fn replay(&self, mut reader: Reader) -> Result<()> {
        let mut resumed = Resumed::default();
        let mut log = self.log.lock().await;
        while let Some((offset, frame, records)) = reader.next()? {
            match frame {
                Frame::Begin { .. } => {}
                Frame::Children { chain, page } => resumed.children(&chain, page),
                Frame::End => resumed.ended = true,
                Frame::Page(page) => {
                    resumed.page(offset, &page);
                    self.observe(&page)?;
                    let Some(out) = &log.out else { return Err(stopped()) };
                    hand_on(out, &page, records).await?;
                }
            }
        }
        let kept = match resumed.pages {
            0 => "no page was kept".to_owned(),
            1 => "1 page was kept".to_owned(),
            pages => format!("{pages} pages were kept"),
        };
        self.notes.add("", format!("an interrupted run is completed: {kept}, the rest is fetched"));
        log.journal = Some(reader.write_on()?);
        *lock(&self.resumed) = resumed;
        Ok(())
    }

    async fn fetch(self: &Arc<Self>) -> Result<()> {
        let roots = (0..self.plan().resources.len()).filter(|r| self.needed[*r] && self.resource(*r).parent.is_none());
        let at_once = self.config.client.max_concurrency.unwrap_or(8);
        stream::iter(roots)
            .map(|r| self.chain(r, r.to_string(), None))
            .buffer_unordered(at_once)
            .try_collect::<()>()
            .await
    }

    /// Fetches all pages of a resource for one parent, and what depends on their records.
    fn chain(self: &Arc<Self>, at: usize, name: String, parent: Option<Parent>) -> BoxFuture<'static, Result<()>> {
        let run = Arc::clone(self);
        async move {
            let begun = lock(&run.resumed).chains.remove(&name).unwrap_or_default();
            for (page, offset) in begun.open {
                let parents = match &run.log.lock().await.journal {
                    Some(journal) => journal.parents_at(offset)?,
                    None => Vec::new(),
                };
                run.children(at, &name, page, parents, parent.as_ref()).await?;
            }
            let resource = run.resource(at);
            let key = run.cursor_key(resource, parent.as_ref());
            let range = run.range(at, key.as_deref())?;
            let mut progress = begun.progress.unwrap_or_else(|| Progress::new(resource));
            let mut visited = begun.visited;
            let scope = Scope { parent: parent.as_ref(), range: range.as_ref() };
            let place = |e: Error| e.with("resource", &resource.name);
            let mut early = None;
            while let Some(delta) = progress.next.clone() {
                let asked = match early.take() {
                    Some(asked) => asked,
                    None => run.ask(at, scope, &progress, &delta).await.map_err(place)?,
                };
                let (origin, answer) = asked;
                let step = match answer {
                    None if progress.refused() => continue,
                    None => {
                        progress.end();
                        Step { block: Vec::new(), records: 0, parents: Vec::new(), observed: Observed::default() }
                    }
                    Some(answer) => {
                        let (range, redactor) = (range.as_ref(), &run.client.redactor);
                        let about = Context { resource, scope, range, selected: run.selected[at], redactor };
                        let mut note = |text| run.notes.add(&resource.name, text);
                        let taken = progress.take(about, answer, &mut visited, &mut note);
                        taken.map_err(|e| place(e).with("url", &origin))?
                    }
                };
                let page = progress.pages;
                let parents = if resource.children.iter().any(|c| run.needed[*c]) { step.parents } else { Vec::new() };
                let frame = PageFrame {
                    chain: name.clone(),
                    resource: at,
                    progress: progress.clone(),
                    parents: parents.clone(),
                    observed: step.observed.last.is_some().then(|| step.observed.to_json()),
                    parent_key: key.clone(),
                    records: step.records,
                    origin,
                };
                // The next page is on its way while this one is written. Where others depend on this one, they come first.
                let next = progress.next.as_ref().filter(|_| parents.is_empty());
                let ask = async {
                    match next {
                        Some(delta) => Some(run.ask(at, scope, &progress, delta).await.map_err(place)),
                        None => None,
                    }
                };
                let emit = async {
                    // First the request goes out: the connection is a task of its own, on this thread.
                    tokio::task::yield_now().await;
                    run.emit(frame, step.block).await
                };
                let (asked, emitted) = tokio::join!(ask, emit);
                emitted?;
                early = asked.transpose()?;
                run.children(at, &name, page, parents, parent.as_ref()).await?;
            }
            Ok(())
        }
        .boxed()
    }

    /// Asks for one page: where it was asked for, and the answer; `None` where an action says that there is nothing more.
    async fn ask(
        &self,
        at: usize,
        scope: Scope<'_>,
        progress: &Progress,
        delta: &Delta,
    ) -> Result<(String, Option<Answer>)> {
        let resource = self.resource(at);
        let request = build(&self.config.client, &resource.request, scope, delta)?;
        let origin = self.client.redactor.url(&request.url);
        let mut actions = Cow::Borrowed(&resource.actions);
        if progress.is_on_trial() {
            actions.to_mut().push(ResponseAction::ignore(&[400, 422]));
        }
        let send = || async { self.client.send(at, &request, &actions).await.map_err(|e| progress.explain(e)) };
        let mut answer = send().await?;
        // Nothing at all may be a fault of the moment. Where an API is known to mean it, first pages are believed, and so is what
        // may have written something.
        let is_known = progress.pages == 0 && self.hollow[at].load(Ordering::Relaxed) >= HOLLOW_ATTEMPTS;
        let is_believed = is_known || request.method != reqwest::Method::GET;
        for attempt in 1..HOLLOW_ATTEMPTS {
            if is_believed || !answer.is_hollow() {
                break;
            }
            self.client.pause(attempt).await;
            answer = send().await?;
        }
        if answer.is_hollow() && !is_believed {
            self.hollow[at].fetch_add(1, Ordering::Relaxed);
            let text = "an answer had no body, also when it was asked for again: it was taken for one without records";
            self.notes.add(&resource.name, text.to_owned());
        }
        let answer = match answer {
            Outcome::Ignored => None,
            Outcome::Answer(answer) => {
                let Response { doc, headers, url, .. } = *answer;
                Some(Answer { doc, headers, url, params: request.params })
            }
        };
        Ok((origin, answer))
    }

    /// Fetches what depends on the records of one page.
    async fn children(
        self: &Arc<Self>,
        at: usize,
        chain: &str,
        page: u64,
        parents: Vec<Vec<Option<Box<str>>>>,
        above: Option<&Parent>,
    ) -> Result<()> {
        if parents.is_empty() {
            return Ok(());
        }
        let children: Vec<usize> = self.resource(at).children.iter().copied().filter(|c| self.needed[*c]).collect();
        let all_parallel = children.iter().all(|c| self.resource(*c).parallelized);
        let at_once = if all_parallel { self.config.client.max_concurrency.unwrap_or(8) } else { 1 };
        let parents = parents.into_iter().enumerate();
        let chains = parents.flat_map(|(i, values)| {
            let parent = Parent::new(at, values, above.cloned());
            children.iter().map(move |c| (*c, format!("{chain}.{page}.{i}/{c}"), parent.clone())).collect::<Vec<_>>()
        });
        stream::iter(chains)
            .map(|(c, name, parent)| self.chain(c, name, Some(parent)))
            .buffer_unordered(at_once)
            .try_collect::<()>()
            .await?;
        self.append(&Frame::Children { chain: chain.to_owned(), page }).await
    }

    /// Which cursor a chain has, where each parent has its own.
    fn cursor_key(&self, resource: &Resource, parent: Option<&Parent>) -> Option<String> {
        let own = resource.incremental.as_ref().is_some_and(|plan| plan.per_parent);
        let parent = parent.filter(|_| own)?;
        let values = resource.bound.iter().map(|(from, slot)| parent.value(*from, *slot).unwrap_or("null"));
        Some(values.collect::<Vec<_>>().join(","))
    }

    fn range(&self, at: usize, key: Option<&str>) -> Result<Option<Range>> {
        let Some(plan) = &self.resource(at).incremental else { return Ok(None) };
        let remembered = lock(&self.memory)[at].as_ref().map(|m| m.of(key)).unwrap_or_default();
        plan.range(&remembered, self.now_micros).map(Some)
    }

    fn observe(&self, page: &PageFrame) -> Result<()> {
        if page.observed.is_none() && page.parent_key.is_none() {
            return Ok(());
        }
        let observed = page.observed.as_ref().map(Observed::from_json).unwrap_or_default();
        let mut memory = lock(&self.memory);
        match (&self.resource(page.resource).incremental, memory.get_mut(page.resource)) {
            (Some(plan), Some(Some(own))) => own.take(plan, page.parent_key.as_deref(), &observed),
            _ => Ok(()),
        }
    }

    /// A page goes into the journal, then into the memory of cursors, then out.
    async fn emit(&self, page: PageFrame, records: Vec<u8>) -> Result<()> {
        let mut log = self.log.lock().await;
        let frame = Frame::Page(Box::new(page));
        log.append(&frame, &records)?;
        let Frame::Page(page) = frame else { return Ok(()) };
        self.observe(&page)?;
        if records.is_empty() {
            return Ok(());
        }
        let Some(out) = log.out.clone() else { return Err(stopped()) };
        // A place in the line while nobody else writes, so that the order stays. Pages of others go into the journal while this one
        // waits to leave: what was fetched and is not yet there would be fetched again after a kill.
        let mut turn = pin!(tokio::task::unconstrained(self.turn.lock()));
        let first = poll_fn(|context| Poll::Ready(turn.as_mut().poll(context))).await;
        drop(log);
        let _turn = match first {
            Poll::Ready(turn) => turn,
            Poll::Pending => turn.await,
        };
        hand_on(&out, &page, records).await
    }

    async fn append(&self, frame: &Frame) -> Result<()> {
        self.log.lock().await.append(frame, &[])
    }
}

impl Log {
    fn append(&mut self, frame: &Frame, records: &[u8]) -> Result<()> {
        match &mut self.journal {
            Some(journal) => journal.append(frame, records).map(drop),
            None => Ok(()),
        }
    }
}

async fn hand_on(out: &Sender<Result<JsonBlock>>, page: &PageFrame, records: Vec<u8>) -> Result<()> {
    for block in blocks(page, records) {
        out.send(Ok(block)).await.map_err(|_| stopped())?;
    }
    Ok(())
}
