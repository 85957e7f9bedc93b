//! A chain of pages: the first request of a resource (for one parent) and all that follow it. What a response
//! means is worked out here, without I/O.

use crate::config::{OnLoop, PaginatorConfig, Severity};
use crate::doc::{Doc, Val};
use crate::incremental::{Observed, Range};
use crate::jsonpath::JsonPath;
use crate::paginate::{Delta, Next, Page, Paginator};
use crate::plan::Resource;
use crate::select::{self, Selected};
use crate::signs::{Count, signs};
use crate::template::Scope;
use crate::transform::{self, Transformed};
use longshore_core::error::{Error, Result};
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use url::Url;
use xxhash_rust::xxh3::xxh3_64;

/// Where a chain is. Saved with every page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Pages done.
    pub(crate) pages: u64,
    pub(crate) paginator: Paginator,
    /// The next page; `None`: there is none.
    pub(crate) next: Option<Delta>,
    /// Records so far, as the API gave them.
    records: u64,
    /// Records there are, by the API's last word.
    told: Option<u64>,
    /// That word may have meant something else.
    #[serde(default)]
    unsure: bool,
    /// Digest of the last page's records.
    digest: u64,
    /// Pages whose records differed from those of the page before.
    distinct: u64,
    /// Where records were guessed to be.
    selector: Option<Vec<String>>,
}

/// A response as a chain looks at it.
pub(crate) struct Answer {
    pub(crate) doc: Option<Doc>,
    pub(crate) headers: HeaderMap,
    pub(crate) url: Url,
    pub(crate) params: Vec<(String, String)>,
}

/// What came of a page.
pub(crate) struct Step {
    /// The records that go to the table, as JSON whose lists are pages; empty for none.
    pub(crate) block: Vec<u8>,
    pub(crate) records: u64,
    pub(crate) parents: Vec<Vec<Option<Box<str>>>>,
    pub(crate) observed: Observed,
}

/// What a chain is about.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) resource: &'a Resource,
    pub(crate) scope: Scope<'a>,
    pub(crate) range: Option<&'a Range>,
    /// Whether its records go to a table.
    pub(crate) selected: bool,
}

impl Progress {
    pub(crate) fn new(resource: &Resource) -> Progress {
        let paginator = Paginator::new(&resource.paginator, resource.single_entity);
        let next = Some(paginator.first());
        Progress {
            pages: 0,
            paginator,
            next,
            records: 0,
            told: None,
            unsure: false,
            digest: 0,
            distinct: 0,
            selector: None,
        }
    }

    /// Ends the chain here, without more records.
    pub(crate) fn end(&mut self) {
        self.pages += 1;
        self.next = None;
    }

    /// Takes in a response: says which records it brings, and moves on.
    pub(crate) fn take(
        &mut self,
        about: Context<'_>,
        answer: Answer,
        visited: &mut HashSet<u64>,
        note: &mut dyn FnMut(String),
    ) -> Result<Step> {
        let resource = about.resource;
        let selected = self.select(resource, answer.doc.as_ref(), note)?;
        let records = answer.doc.as_ref().map(|d| selected.records(d)).unwrap_or_default();
        let digest = answer.doc.as_ref().map_or(0, |doc| digest(doc, &selected, &records));
        let repeated = self.pages > 0 && !records.is_empty() && digest == self.digest;
        let signs = signs(answer.doc.as_ref(), &answer.headers, &selected, self.paginator.pages_path());
        self.count(resource, &answer, signs.count, note);
        if let Some(here) = self.next.take() {
            visited.insert(fingerprint(&here));
        }
        let page = Page {
            doc: answer.doc.as_ref(),
            headers: &answer.headers,
            url: &answer.url,
            params: &answer.params,
            records: records.len(),
            repeated,
        };
        let before = self.paginator.clone();
        let mut next = self.paginator.next(&page, note)?;
        let count = records.len() as u64;
        let dropped =
            matches!(next, Next::Again(_)) || (repeated && self.is_loop(resource, &before, count, &mut next, note)?);
        let mut more = signs.more && !matches!(resource.paginator, PaginatorConfig::SinglePage);
        let step = if dropped || records.is_empty() {
            Step { block: Vec::new(), records: 0, parents: Vec::new(), observed: Observed::default() }
        } else {
            self.records += count;
            self.distinct += u64::from(!repeated);
            self.digest = digest;
            let Transformed { step, stop } = transform::page(about, answer.doc, &selected)?;
            if stop {
                next = Next::End;
                (self.told, more) = (None, false);
            }
            step
        };
        self.pages += 1;
        self.next = match next {
            Next::Page(delta) | Next::Again(delta) => Some(delta),
            Next::End => None,
        };
        match &self.next {
            Some(delta) if visited.contains(&fingerprint(delta)) => Err(Error::input(
                "the API leads in a circle: the next page is one that was fetched before",
            )
            .with("page", self.pages)
            .hint(
                "check the paginator; a cursor that never changes usually means that its parameter has another name",
            )),
            Some(_) => Ok(step),
            None => self.check_end(resource, more, note).map(|()| step),
        }
    }

    fn select(&mut self, resource: &Resource, doc: Option<&Doc>, note: &mut dyn FnMut(String)) -> Result<Selected> {
        let Some(doc) = doc else { return Ok(Selected::Nothing) };
        if let Some(path) = &resource.selector {
            let found = select::select(doc, path);
            if found == Selected::Nowhere && doc.root().is_truthy() {
                if resource.strict {
                    return Err(Error::input(format!("the response has nothing at data_selector '{path}'")));
                }
                note(format!("the response has nothing at data_selector '{path}': no records"));
            }
            return Ok(found);
        }
        if doc.root().is_null() {
            return Ok(Selected::Nothing);
        }
        let keys = match &self.selector {
            Some(keys) => keys.clone(),
            None => {
                let keys = self.guess(resource, doc, note);
                self.selector = Some(keys.clone());
                keys
            }
        };
        Ok(match select::select(doc, &JsonPath::keys(&keys)) {
            Selected::Nowhere => Selected::Nothing,
            found => found,
        })
    }

    fn guess(&self, resource: &Resource, doc: &Doc, note: &mut dyn FnMut(String)) -> Vec<String> {
        if resource.single_entity && doc.root().is_object() {
            let headers = HeaderMap::new();
            let Ok(url) = Url::parse("http://localhost") else { return Vec::new() };
            let page = Page { doc: Some(doc), headers: &headers, url: &url, params: &[], records: 0, repeated: false };
            if !crate::paginate::looks_like_page(&page) {
                return Vec::new();
            }
        }
        let keys = select::guess(doc.root());
        if !keys.is_empty() {
            note(format!("where the records are was guessed; to settle it: data_selector = \"{}\"", keys.join(".")));
        }
        keys
    }

    /// Notes how many records the API says there are.
    fn count(&mut self, resource: &Resource, answer: &Answer, found: Option<Count>, note: &mut dyn FnMut(String)) {
        let at = |path: &JsonPath| answer.doc.as_ref().and_then(|doc| path.first(doc, doc.root())).and_then(Val::whole);
        let sure = |records| Count { records, sure: true };
        let told = match (&resource.count, self.paginator.count_path()) {
            (Some(path), _) => {
                let told = at(path);
                if told.is_none() && self.pages == 0 && answer.doc.is_some() {
                    note(format!(
                        "the response has no number at expected_count_path '{path}': the count is not checked"
                    ));
                }
                told.map(sure)
            }
            (None, Some((path, _))) => JsonPath::parse(&path).ok().and_then(|p| at(&p)).map(sure),
            (None, None) => found,
        };
        if let Some(count) = told {
            (self.told, self.unsure) = (Some(count.records), !count.sure);
        }
    }

    fn is_told_by_user(&self, resource: &Resource) -> bool {
        resource.count.is_some() || self.paginator.count_path().is_some_and(|(_, given)| given)
    }

    /// The page before came again. True where it is dropped.
    fn is_loop(
        &self,
        resource: &Resource,
        paginator: &Paginator,
        count: u64,
        next: &mut Next,
        note: &mut dyn FnMut(String),
    ) -> Result<bool> {
        if resource.on_loop == OnLoop::Allow || matches!(paginator, Paginator::Auto(_)) {
            return Ok(false);
        }
        let complete = !self.unsure && self.told.is_some_and(|told| self.records >= told);
        let counts_on = matches!(paginator, Paginator::Offset { .. } | Paginator::PageNumber { .. });
        if resource.on_loop == OnLoop::Stop || complete || (counts_on && self.distinct > 1) {
            // An API that answers numbers behind the last page with the last page.
            note("the last page came again and was dropped; the pages end here".to_owned());
            *next = Next::End;
            return Ok(true);
        }
        let (why, what) = match paginator {
            Paginator::JsonLink(_) | Paginator::HeaderLink(_) => {
                ("the link to the next page leads to the same records", "check where the paginator finds the link")
            }
            _ => ("the paginator's parameter seems to mean nothing to it", "check the paginator's parameter names"),
        };
        Err(Error::input(format!("the API gave the same page twice: {why}"))
            .with("page", self.pages)
            .with("records", count)
            .hint(format!("{what}; on_loop = \"stop\" takes it for the end, on_loop = \"allow\" for data")))
    }

    /// What the API said of its records, held against what came.
    fn check_end(&self, resource: &Resource, more: bool, note: &mut dyn FnMut(String)) -> Result<()> {
        if self.paginator.is_cut() {
            return Ok(());
        }
        let (message, sure) = match self.told.filter(|told| self.records < *told) {
            Some(told) => {
                (format!("the API says that there are {told} records, but gave {}", self.records), !self.unsure)
            }
            None if more => {
                ("the API says that there is more, but this was the last page by the paginator".to_owned(), true)
            }
            None => return Ok(()),
        };
        let is_error = self.is_told_by_user(resource) || (resource.strict && sure);
        match resource.on_short.unwrap_or(if is_error { Severity::Error } else { Severity::Warn }) {
            Severity::Ignore => Ok(()),
            Severity::Warn => {
                note(format!("{message}; check the paginator (on_short = \"error\" makes this an error)"));
                Ok(())
            }
            Severity::Error => Err(Error::input(message).hint("check the paginator; on_short = \"warn\" lets it pass")),
        }
    }
}

fn digest(doc: &Doc, selected: &Selected, records: &[Val<'_>]) -> u64 {
    match selected {
        Selected::List(at) => xxh3_64(doc.at(*at).raw()),
        _ => records.iter().fold(0, |sum, r| sum ^ xxh3_64(r.raw()).rotate_left(7)),
    }
}

/// A short mark of a request, for noticing that it was made before.
pub(crate) fn fingerprint(delta: &Delta) -> u64 {
    xxh3_64(&serde_json::to_vec(delta).unwrap_or_default())
}
