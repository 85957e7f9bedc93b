//! A run: all chains of all resources, parents before their children, each page into the journal and then out.

mod ask;
mod resumed;

pub(crate) use resumed::Resumed;

use crate::chain::{Context, Progress, Step};
use crate::client::Client;
use crate::config::RestConfig;
use crate::depend::Parent;
use crate::incremental::{Memory, Observed, Range};
use crate::journal::{Frame, Journal, PageFrame, Reader};
use crate::manners::AT_ONCE;
use crate::out::blocks;
use crate::plan::{Plan, Resource};
use crate::source::Notes;
use crate::template::Scope;
use ask::Asked;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use longshore_core::error::{Error, Result};
use longshore_core::source::JsonBlock;
use std::collections::HashSet;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;

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
    pub(crate) log: tokio::sync::Mutex<Log>,
    /// Number of the page that was handed on last: they leave in the order in which they stand in the journal.
    pub(crate) handed: watch::Sender<u64>,
    pub(crate) resumed: Mutex<Resumed>,
    /// By resource: how often it answered without a body, and meant it.
    pub(crate) hollow: Vec<AtomicU32>,
}

/// The journal and the way out.
pub(crate) struct Log {
    pub(crate) journal: Option<Journal>,
    /// Taken away at the end: that the channel is closed tells the reader.
    pub(crate) out: Option<Sender<Result<JsonBlock>>>,
    /// Pages that this process wrote into the journal.
    pub(crate) kept: u64,
}

/// The pages of a resource, for one parent.
struct Chain<'a> {
    /// The resource.
    at: usize,
    name: &'a str,
    /// Whose cursor it goes by, where each parent has its own.
    key: Option<&'a str>,
    scope: Scope<'a>,
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

    fn at_once(&self) -> usize {
        self.config.client.max_concurrency.unwrap_or(AT_ONCE)
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
                    send(out, &page, records).await?;
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
        stream::iter(roots)
            .map(|r| self.chain(r, r.to_string(), None))
            .buffer_unordered(self.at_once())
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
            let scope = Scope { parent: parent.as_ref(), range: range.as_ref() };
            let chain = Chain { at, name: &name, key: key.as_deref(), scope };
            let mut progress = begun.progress.unwrap_or_else(|| Progress::new(resource));
            let (mut visited, mut early) = (begun.visited, None);
            while let Some(delta) = progress.next.clone() {
                let asked = match early.take() {
                    Some(asked) => asked,
                    None => run.ask(&chain, &progress, &delta).await?,
                };
                let Some((frame, records)) = run.take(&chain, asked, &mut progress, &mut visited)? else { continue };
                let (page, parents) = (progress.pages, frame.parents.clone());
                early = run.pass_on(&chain, frame, records, &progress).await?;
                run.children(at, &name, page, parents, parent.as_ref()).await?;
            }
            Ok(())
        }
        .boxed()
    }

    /// Takes in an answer: the page's frame and records; `None` where it only tells to ask otherwise.
    fn take(
        &self,
        chain: &Chain<'_>,
        (origin, answer): Asked,
        progress: &mut Progress,
        visited: &mut HashSet<u64>,
    ) -> Result<Option<(PageFrame, Vec<u8>)>> {
        let resource = self.resource(chain.at);
        let step = match answer {
            None if progress.refused() => return Ok(None),
            None => {
                progress.end();
                Step::default()
            }
            Some(answer) => {
                let (range, selected, redactor) = (chain.scope.range, self.selected[chain.at], &self.client.redactor);
                let about = Context { resource, scope: chain.scope, range, selected, redactor };
                let mut note = |text| self.notes.add(&resource.name, text);
                let taken = progress.take(about, answer, visited, &mut note);
                taken.map_err(|e| e.with("resource", &resource.name).with("url", &origin))?
            }
        };
        let frame = PageFrame {
            chain: chain.name.to_owned(),
            resource: chain.at,
            progress: progress.clone(),
            parents: if resource.children.iter().any(|c| self.needed[*c]) { step.parents } else { Vec::new() },
            observed: step.observed.last.is_some().then(|| step.observed.to_json()),
            parent_key: chain.key.map(str::to_owned),
            records: step.records,
            origin,
        };
        Ok(Some((frame, step.block)))
    }

    /// Keeps a page, then hands it on while the next one is on its way: after a kill only that one is asked for again. Where others
    /// depend on this page's records, they come before the next page.
    async fn pass_on(
        &self,
        chain: &Chain<'_>,
        frame: PageFrame,
        records: Vec<u8>,
        progress: &Progress,
    ) -> Result<Option<Asked>> {
        let next = progress.next.as_ref().filter(|_| frame.parents.is_empty());
        let (page, number) = self.keep(frame, &records).await?;
        let ask = async {
            match next {
                Some(delta) => self.ask(chain, progress, delta).await.map(Some),
                None => Ok(None),
            }
        };
        let hand_on = async {
            // First the request goes out: the connection is a task of its own, on this thread.
            tokio::task::yield_now().await;
            self.hand_on(&page, number, records).await
        };
        let (asked, handed) = tokio::join!(ask, hand_on);
        handed.and(asked)
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
        let at_once = if all_parallel { self.at_once() } else { 1 };
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

    /// Writes a page into the journal, then into the memory of cursors. The number says when its turn to leave is.
    async fn keep(&self, page: PageFrame, records: &[u8]) -> Result<(Box<PageFrame>, u64)> {
        let mut log = self.log.lock().await;
        let frame = Frame::Page(Box::new(page));
        log.append(&frame, records)?;
        let Frame::Page(page) = frame else { return Err(Error::internal("a page's frame is none")) };
        self.observe(&page)?;
        log.kept += 1;
        Ok((page, log.kept))
    }

    /// Hands on a page that is kept, after those before it. Meanwhile pages of others are kept: what was fetched and is not in the
    /// journal would be fetched again after a kill.
    async fn hand_on(&self, page: &PageFrame, number: u64, records: Vec<u8>) -> Result<()> {
        let out = {
            let mut log = self.log.lock().await;
            if let Some(journal) = &mut log.journal {
                journal.sync_when_due()?;
            }
            log.out.clone().ok_or_else(stopped)?
        };
        let mut handed = self.handed.subscribe();
        handed.wait_for(|handed| handed + 1 == number).await.map_err(|_| stopped())?;
        send(&out, page, records).await?;
        self.handed.send_replace(number);
        Ok(())
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

async fn send(out: &Sender<Result<JsonBlock>>, page: &PageFrame, records: Vec<u8>) -> Result<()> {
    for block in blocks(page, records) {
        out.send(Ok(block)).await.map_err(|_| stopped())?;
    }
    Ok(())
}
