//! What is doubtful about an API's answers: pages that come again, pages that are too short, fewer records than it says,
//! errors in the place of records.

use super::{Context, Progress};
use crate::config::{OnLoop, Severity};
use crate::doc::{Doc, Val};
use crate::paginate::{Next, Page, Paginator, Stride};
use crate::plan::Resource;
use crate::select::Selected;
use longshore_core::error::{Error, Result};

impl Progress {
    /// The page before came again. True where it is dropped.
    pub(super) fn is_loop(
        &self,
        resource: &Resource,
        paginator: &Paginator,
        page: &Page<'_>,
        next: &mut Next,
        note: &mut dyn FnMut(String),
    ) -> Result<bool> {
        if resource.on_loop == OnLoop::Allow || matches!(paginator, Paginator::Auto(_)) {
            return Ok(false);
        }
        let complete = !self.unsure && self.told.is_some_and(|told| self.records >= told);
        let counts_on = matches!(paginator, Paginator::Offset { .. } | Paginator::PageNumber { .. });
        let promises_more = counts_on && self.paginator.promises_more(page);
        if resource.on_loop == OnLoop::Stop || complete || (counts_on && self.distinct > 1 && !promises_more) {
            // An API that answers numbers behind the last page with the last page.
            note("the last page came again and was dropped; the pages end here".to_owned());
            *next = Next::End;
            return Ok(true);
        }
        let (why, what) = match paginator {
            _ if promises_more && self.distinct > 1 => {
                ("there should be another, for it says that more follow", "check where the paginator finds the total")
            }
            Paginator::JsonLink(_) | Paginator::HeaderLink(_) => {
                ("the link to the next page leads to the same records", "check where the paginator finds the link")
            }
            _ => ("the paginator's parameter seems to mean nothing to it", "check the paginator's parameter names"),
        };
        let what = self.paginator.advice(None).unwrap_or_else(|| what.to_owned());
        Err(Error::input(format!("the API gave the same page twice: {why}"))
            .with("page", self.pages)
            .with("records", page.records)
            .hint(format!("{what}; on_loop = \"stop\" takes it for the end, on_loop = \"allow\" for data")))
    }

    /// The next page is one that was fetched before.
    pub(super) fn in_circle(&mut self, resource: &Resource, note: &mut dyn FnMut(String)) -> Result<()> {
        if resource.on_loop == OnLoop::Stop {
            note("the next page is one that was fetched before; the pages end here".to_owned());
            self.next = None;
            return Ok(());
        }
        Err(Error::input("the API leads in a circle: the next page is one that was fetched before")
            .with("page", self.pages)
            .hint(
                "check the paginator; a cursor that never changes usually means that its parameter has another name, \
                 or that the API ends so: on_loop = \"stop\" takes it for the end",
            ))
    }

    /// A page with fewer records than were asked for is the last one, or the API gives no more at once: then each
    /// step of the offset leaves records out.
    pub(super) fn check_limit(
        &mut self,
        resource: &Resource,
        paginator: &Paginator,
        count: u64,
        note: &mut dyn FnMut(String),
    ) -> Result<()> {
        let Paginator::Offset { config, stride, .. } = paginator else { return Ok(()) };
        let asked = match stride {
            Stride::Given(given) => *given,
            Stride::Limit => config.limit,
            // What stands behind a short page is in hand.
            Stride::Asked(_) => {
                self.short = None;
                return Ok(());
            }
        };
        let before = std::mem::replace(&mut self.short, (count > 0 && count < asked).then_some(count));
        let Some(had) = before.filter(|_| count > 0) else { return Ok(()) };
        let hint = format!("paginator.limit = {had}, if that is the API's largest");
        let message = format!(
            "the API gave {had} records where {asked} were asked for, though more follow: if it gives no more at once, \
             records between the pages are missing"
        );
        match resource.on_short {
            Some(Severity::Error) => Err(Error::input(message).hint(hint)),
            Some(Severity::Ignore) => Ok(()),
            _ => {
                note(format!("{message}; {hint}"));
                Ok(())
            }
        }
    }

    fn is_told_by_user(&self, resource: &Resource) -> bool {
        resource.count.is_some() || self.paginator.count_path().is_some_and(|(_, given)| given)
    }

    /// What the API said of its records, held against what came.
    pub(super) fn check_end(&self, resource: &Resource, more: bool, note: &mut dyn FnMut(String)) -> Result<()> {
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

/// A field for `include_from_parent` that the parent's record has not may be misspelt; dlt fails.
pub(super) fn check_included(about: Context<'_>, note: &mut dyn FnMut(String)) {
    let has = |from, slot| about.scope.parent.is_some_and(|parent| parent.value(from, slot).is_some());
    for (name, ..) in about.resource.include.iter().filter(|(_, from, slot)| !has(*from, *slot)) {
        note(format!("include_from_parent: a record of the parent has nothing for '{name}', which is null there"));
    }
}

/// An answer with status 200 may hold an error in the place of records, as those of GraphQL do: it is no empty page.
pub(super) fn check_errors(about: Context<'_>, doc: &Doc, found: &Selected) -> Result<()> {
    let root = doc.root();
    let errors = root.get("errors").is_some_and(|e| e.is_list() && e.is_truthy());
    let is_error = match found {
        Selected::Nowhere => {
            errors || root.get("error").is_some_and(|e| e.is_truthy() && (e.is_object() || e.text().is_some()))
        }
        Selected::Nothing => errors && root.get("data").is_some_and(Val::is_null),
        Selected::List(_) | Selected::Each(_) => false,
    };
    if !is_error {
        return Ok(());
    }
    let said = crate::client::said(&doc.bytes).map(|said| about.redactor.text(&said));
    let said = said.unwrap_or_else(|| "without a message".to_owned());
    Err(Error::input(format!("the API answered with an error in the place of records: {said}"))
        .hint("response_actions = [{ content = \"…\", action = \"ignore\" }] takes such answers for no records"))
}
