//! A chain of pages: the first request of a resource (for one parent) and all that follow it. What a response
//! means is worked out here, without I/O.

mod doubts;

use crate::config::{OnLoop, PaginatorConfig, Severity};
use crate::doc::{Doc, Val};
use crate::incremental::{Observed, Range};
use crate::jsonpath::JsonPath;
use crate::paginate::{Delta, Next, Page, Paginator, Stride};
use crate::plan::Resource;
use crate::redact::Redactor;
use crate::request;
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
    /// Records of the last page, where it had fewer than were asked for.
    #[serde(default)]
    short: Option<u64>,
    /// Digests of its records, sorted, where what stands right behind them is asked for.
    #[serde(default)]
    seen: Vec<u64>,
}

/// A response as a chain looks at it.
pub(crate) struct Answer {
    pub(crate) doc: Option<Doc>,
    pub(crate) headers: HeaderMap,
    pub(crate) url: Url,
    pub(crate) params: Vec<(String, String)>,
}

/// What came of a page.
#[derive(Default)]
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
    /// What the API says may hold secrets.
    pub(crate) redactor: &'a Redactor,
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
            short: None,
            seen: Vec::new(),
        }
    }

    /// Ends the chain here, without more records.
    pub(crate) fn end(&mut self) {
        self.pages += 1;
        self.next = None;
    }

    /// True while a refusal of the next request may only mean that it was a trial.
    pub(crate) fn is_on_trial(&self) -> bool {
        self.paginator.has_others()
    }

    /// The trial was refused: something else is asked for, if there is something.
    pub(crate) fn refused(&mut self) -> bool {
        let instead = self.next.as_ref().and_then(|refused| self.paginator.instead(refused));
        self.seen.clear();
        instead.map(|delta| self.next = Some(delta)).is_some()
    }

    /// Adds to a request's error what may be wrong with the paging.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let advice = if error.hint_text().is_none() { self.paginator.advice(self.next.as_ref()) } else { None };
        match advice {
            Some(advice) => error.hint(advice),
            None => error,
        }
    }

    fn overlaps(&self, records: &[Val<'_>]) -> bool {
        !self.seen.is_empty() && records.iter().any(|record| self.seen.binary_search(&xxh3_64(record.raw())).is_ok())
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
        let selected = self.select(about, answer.doc.as_ref(), note)?;
        let records = answer.doc.as_ref().map(|d| selected.records(d)).unwrap_or_default();
        let digest = answer.doc.as_ref().map_or(0, |doc| digest(doc, &selected, &records));
        let repeated = self.pages > 0 && !records.is_empty() && digest == self.digest;
        let signs = signs(answer.doc.as_ref(), &answer.headers, &selected, self.paginator.pages_path());
        self.count(resource, &answer, signs.count, note);
        if let Some(here) = self.next.take() {
            visited.insert(fingerprint(&here));
        }
        let is_found_out = matches!(self.paginator, Paginator::Auto(_));
        let body = if is_found_out { request::open_body(&resource.request, about.scope) } else { None };
        let page = Page {
            doc: answer.doc.as_ref(),
            headers: &answer.headers,
            url: &answer.url,
            params: &answer.params,
            records: records.len(),
            whole: selected == Selected::Each(vec![0]),
            repeated,
            overlaps: self.overlaps(&records),
            body: body.as_ref(),
            equal_is_data: resource.on_loop == OnLoop::Allow,
            follow_short: resource.on_short != Some(Severity::Ignore),
        };
        let before = self.paginator.clone();
        let mut next = self.paginator.next(&page, note)?;
        let count = records.len() as u64;
        let dropped = matches!(next, Next::Again(_) | Next::Drop)
            || (repeated && self.is_loop(resource, &before, &page, &mut next, note)?);
        if !dropped {
            self.check_limit(resource, &before, count, note)?;
        }
        let is_asked = matches!(self.paginator, Paginator::Offset { stride: Stride::Asked(_), .. });
        self.seen = if is_asked { marks(&records) } else { Vec::new() };
        let mut more = signs.more && !matches!(resource.paginator, PaginatorConfig::SinglePage);
        let step = if dropped || records.is_empty() {
            Step::default()
        } else {
            self.records += count;
            self.distinct += u64::from(!repeated);
            self.digest = digest;
            doubts::check_included(about, note);
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
            Next::Drop | Next::End => None,
        };
        if self.next.as_ref().is_some_and(|delta| visited.contains(&fingerprint(delta))) {
            self.in_circle(resource, note)?;
        }
        match &self.next {
            Some(_) => Ok(step),
            None => self.check_end(resource, more, note).map(|()| step),
        }
    }

    fn select(&mut self, about: Context<'_>, doc: Option<&Doc>, note: &mut dyn FnMut(String)) -> Result<Selected> {
        let Some(doc) = doc else { return Ok(Selected::Nothing) };
        let resource = about.resource;
        if let Some(path) = &resource.selector {
            let found = select::select(doc, path);
            doubts::check_errors(about, doc, &found)?;
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
                doubts::check_errors(about, doc, &Selected::Nothing)?;
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
            let page = Page {
                doc: Some(doc),
                headers: &headers,
                url: &url,
                params: &[],
                records: 0,
                whole: false,
                repeated: false,
                overlaps: false,
                body: None,
                equal_is_data: false,
                follow_short: false,
            };
            if !crate::paginate::looks_like_page(&page) {
                return Vec::new();
            }
        }
        let keys = select::guess(doc.root());
        if !keys.is_empty() {
            let others: Vec<String> =
                select::lists(doc.root()).into_iter().filter(|list| *list != keys).map(|list| list.join(".")).collect();
            let others = if others.is_empty() {
                String::new()
            } else {
                format!(" (other lists are at {})", others.iter().take(5).cloned().collect::<Vec<_>>().join(", "))
            };
            note(format!(
                "where the records are was guessed; to settle it: data_selector = \"{}\"{others}",
                keys.join(".")
            ));
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
}

fn marks(records: &[Val<'_>]) -> Vec<u64> {
    let mut marks: Vec<u64> = records.iter().map(|record| xxh3_64(record.raw())).collect();
    marks.sort_unstable();
    marks
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
