//! How one page leads to the next. What a paginator knows can be saved, so that paging goes on after a crash.

mod counted;
mod delta;
mod detect;
mod places;
mod range;
mod settle;
mod shapes;
mod trial;

pub(crate) use counted::Stride;
pub(crate) use delta::Delta;
pub(crate) use places::Place;

use crate::config::{CursorConfig, OffsetConfig, PageNumberConfig, PaginatorConfig};
use crate::doc::{Doc, Val};
use crate::jsonpath::JsonPath;
use longshore_core::error::{Error, Result};
use range::RangeRule;
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

/// A response, as paginators look at it.
pub(crate) struct Page<'a> {
    /// `None`: there was no body.
    pub(crate) doc: Option<&'a Doc>,
    pub(crate) headers: &'a HeaderMap,
    /// Where it came from, after redirects.
    pub(crate) url: &'a Url,
    /// The query of the first request.
    pub(crate) params: &'a [(String, String)],
    /// Records in it.
    pub(crate) records: usize,
    /// Its one record is the whole answer.
    pub(crate) whole: bool,
    /// Its records are those of the page before.
    pub(crate) repeated: bool,
    /// Some of its records stood on the first page.
    pub(crate) overlaps: bool,
    /// The JSON body of the first request; null where it has none, and may have one.
    pub(crate) body: Option<&'a Value>,
    /// Pages that are equal are data, by the user's word.
    pub(crate) equal_is_data: bool,
    /// What stands right behind a first page with fewer records than were asked for is looked at.
    pub(crate) follow_short: bool,
}

/// What follows a page.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// Another page.
    Page(Delta),
    /// The page was a question about numbering and its records are known: it is dropped.
    Again(Delta),
    /// The same, and nothing follows.
    Drop,
    /// Nothing.
    End,
}

/// A paginator and where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Paginator {
    /// Not known before the first response. `true`: the path looks like that of one record.
    Auto(bool),
    Single,
    JsonLink(String),
    HeaderLink(String),
    HeaderCursor {
        key: String,
        param: String,
    },
    Cursor(CursorConfig),
    /// A cursor that was found: it was sent at one of the places where it may belong, the others follow.
    Tried {
        config: CursorConfig,
        others: Vec<Place>,
        /// By its name it can be nothing else than a cursor.
        sure: bool,
    },
    Offset {
        config: OffsetConfig,
        at: u64,
        #[serde(default)]
        stride: Stride,
    },
    PageNumber {
        config: PageNumberConfig,
        at: u64,
        probing: bool,
        /// Where else the number may belong; `None` where that is known.
        #[serde(default)]
        trial: Option<Vec<Place>>,
    },
}

impl Paginator {
    pub(crate) fn new(config: &PaginatorConfig, single_entity: bool) -> Paginator {
        match config.clone() {
            PaginatorConfig::Auto => Paginator::Auto(single_entity),
            PaginatorConfig::SinglePage => Paginator::Single,
            PaginatorConfig::JsonLink { next_url_path } => Paginator::JsonLink(next_url_path),
            PaginatorConfig::HeaderLink { links_next_key } => Paginator::HeaderLink(links_next_key),
            PaginatorConfig::HeaderCursor { cursor_key, cursor_param } => {
                Paginator::HeaderCursor { key: cursor_key, param: cursor_param }
            }
            PaginatorConfig::Cursor(config) => Paginator::Cursor(config),
            PaginatorConfig::Offset(config) => Paginator::Offset { at: config.offset, config, stride: Stride::Limit },
            PaginatorConfig::PageNumber(config) => {
                let at = config.page.unwrap_or(config.base_page);
                Paginator::PageNumber { at, config, probing: false, trial: None }
            }
        }
    }

    /// The first request's own changes.
    pub(crate) fn first(&self) -> Delta {
        match self {
            Paginator::Offset { config, at, .. } => Delta::of_offset(config, *at),
            Paginator::PageNumber { config, at, .. } => Delta::of_number(config, *at),
            _ => Delta::default(),
        }
    }

    /// Where the API tells how many *records* there are: the path, and whether the user gave it.
    pub(crate) fn count_path(&self) -> Option<(String, bool)> {
        let Paginator::Offset { config, .. } = self else { return None };
        match config.total_path.as_deref() {
            Some("") => None,
            Some(path) => Some((path.to_owned(), true)),
            None => Some(("total".to_owned(), false)),
        }
    }

    /// True where the end may come before the last record, by the user's own wish.
    pub(crate) fn is_cut(&self) -> bool {
        match self {
            Paginator::Offset { config, .. } => config.maximum_offset.is_some() || config.offset > 0,
            Paginator::PageNumber { config, .. } => {
                config.maximum_page.is_some() || config.page.is_some_and(|p| p > config.base_page)
            }
            _ => false,
        }
    }

    /// Decides what follows. `note` takes what the user should know.
    pub(crate) fn next(&mut self, page: &Page<'_>, note: &mut dyn FnMut(String)) -> Result<Next> {
        if let Paginator::Auto(single) = *self {
            *self = settle::detected(page, single, note);
            if let Paginator::PageNumber { config, at, probing: true, .. } = self {
                // The first response came without a number; whether it was page 0 or 1 is asked for, and said then.
                let total = config.total_path.as_deref().and_then(|p| whole_at(page, p).ok().flatten());
                *at = 1;
                let ends = total.is_some_and(|t| t <= 1);
                return Ok(if ends { Next::End } else { Next::Page(Delta::of_number(config, 1)) });
            }
            if !self.is_tried() {
                settle::tell(self, note);
            }
        } else if self.is_tried() {
            if page.repeated && !page.equal_is_data {
                if let Some(next) = self.elsewhere(page)? {
                    return Ok(next);
                }
                if let Paginator::Tried { config, sure: false, .. } = self {
                    // What it is called may mean something else, too: then this is all there is, as dlt takes it.
                    note(settle::nothing_leads_on(Some(&config.cursor_path)));
                    *self = Paginator::Single;
                    return Ok(Next::Drop);
                }
            } else {
                self.stay();
                settle::tell(self, note);
            }
        }
        if let Paginator::PageNumber { config, at, probing, .. } = self
            && *probing
        {
            // The page that was asked for as number 1 was the first one again: numbers begin with 1.
            let again = page.repeated && *at == 1;
            (config.base_page, *probing) = (u64::from(again), false);
            settle::tell(self, note);
            if again {
                return Ok(self.after_probe());
            }
        }
        match self {
            Paginator::Auto(_) | Paginator::Single => Ok(Next::End),
            Paginator::JsonLink(path) => {
                let link = text_at(page, path)?;
                link.map_or(Ok(Next::End), |l| link_to(page.url, &l))
            }
            Paginator::HeaderLink(rel) => {
                detect::link(page.headers, rel).map_or(Ok(Next::End), |l| link_to(page.url, &l))
            }
            Paginator::HeaderCursor { key, param } => {
                let value = page.headers.get(key.as_str()).and_then(|v| v.to_str().ok()).filter(|v| !v.is_empty());
                Ok(value.map_or(Next::End, |v| Next::Page(Delta::of_param(param, v))))
            }
            Paginator::Cursor(config) | Paginator::Tried { config, .. } => {
                Ok(cursor_next(config, page)?.map_or(Next::End, Next::Page))
            }
            Paginator::Offset { config, at, stride } => counted::next_offset(config, at, stride, page, note),
            Paginator::PageNumber { config, at, .. } => counted::next_number(config, at, page, note),
        }
    }

    /// The first page came as number 1, too: it is dropped, and number 2 is asked for, whatever the total says. One more
    /// request costs less than a page that is missing.
    fn after_probe(&mut self) -> Next {
        let Paginator::PageNumber { config, at, .. } = self else { return Next::End };
        *at += 1;
        Next::Again(Delta::of_number(config, *at))
    }

    /// True where the API says, at a place that the user named or that was found out, that more follow.
    pub(crate) fn promises_more(&self, page: &Page<'_>) -> bool {
        match self {
            Paginator::Offset { config, at, .. } => RangeRule::of_offsets(config).promises_more(page, *at),
            Paginator::PageNumber { config, at, .. } => RangeRule::of_numbers(config).promises_more(page, *at),
            _ => false,
        }
    }

    /// Where it reads the number of *pages*, which is no number of records.
    pub(crate) fn pages_path(&self) -> Option<&str> {
        match self {
            Paginator::PageNumber { config, .. } => Some(config.total_path.as_deref().unwrap_or("total")),
            _ => None,
        }
    }
}

fn cursor_next(config: &CursorConfig, page: &Page<'_>) -> Result<Option<Delta>> {
    if config.stop_after_empty_page && page.records == 0 {
        return Ok(None);
    }
    if let Some(path) = config.has_more_path.as_deref().filter(|p| !p.is_empty())
        && !has_more(page, path)?
    {
        return Ok(None);
    }
    let Some(cursor) = value_at(page, &config.cursor_path)?.filter(|v| v.is_truthy()) else { return Ok(None) };
    // A body takes it as it is: a list, where Elasticsearch sorts by several fields.
    if let Some(path) = &config.cursor_body_path {
        return Ok(Some(Delta::of_body(path, cursor.to_value())));
    }
    let Some(text) = cursor.plain() else {
        return Err(Error::input(format!("the cursor at '{}' is a list or an object", config.cursor_path))
            .hint("such a cursor goes into a JSON body: paginator.cursor_body_path"));
    };
    Ok(Some(Delta::of_param(config.cursor_param.as_deref().unwrap_or("cursor"), &text)))
}

fn link_to(base: &Url, link: &str) -> Result<Next> {
    match base.join(link) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Next::Page(Delta::of_url(url.into()))),
        _ => Err(Error::input("the link to the next page is no web address")),
    }
}

fn value_at<'a>(page: &Page<'a>, path: &str) -> Result<Option<Val<'a>>> {
    let path = JsonPath::parse(path).map_err(Error::config)?;
    Ok(page.doc.and_then(|doc| path.first(doc, doc.root())))
}

fn text_at(page: &Page<'_>, path: &str) -> Result<Option<String>> {
    Ok(value_at(page, path)?.and_then(|v| v.text()).filter(|t| !t.is_empty()).map(Into::into))
}

fn whole_at(page: &Page<'_>, path: &str) -> Result<Option<u64>> {
    Ok(value_at(page, path)?.and_then(Val::whole))
}

fn has_more(page: &Page<'_>, path: &str) -> Result<bool> {
    value_at(page, path)?.and_then(Val::truth).ok_or_else(|| {
        Error::input(format!("the response does not say at '{path}' whether there is more"))
            .hint("correct paginator.has_more_path")
    })
}

/// True where a response looks like one page of a list rather than like one record.
pub(crate) fn looks_like_page(page: &Page<'_>) -> bool {
    detect::is_page(page)
}

#[cfg(test)]
mod tests;
