//! Asking for one page, until what comes can be believed.

use super::{Chain, Run};
use crate::chain::{Answer, Progress};
use crate::client::{Outcome, Response};
use crate::config::ResponseAction;
use crate::paginate::Delta;
use crate::request::{Request, build};
use longshore_core::error::{Error, Result};
use std::borrow::Cow;
use std::sync::atomic::Ordering;

/// How often a page is asked for that comes without a body, and how many of them tell that the API means it.
const HOLLOW_ATTEMPTS: u32 = 3;

/// Where a page was asked for, and the answer; `None` where an action says that there is nothing more.
pub(super) type Asked = (String, Option<Answer>);

impl Run {
    /// Asks for one page.
    pub(super) async fn ask(&self, chain: &Chain<'_>, progress: &Progress, delta: &Delta) -> Result<Asked> {
        let resource = self.resource(chain.at);
        let place = |e: Error| e.with("resource", &resource.name);
        let request = build(&self.config.client, &resource.request, chain.scope, delta).map_err(place)?;
        let origin = self.client.redactor.url(&request.url);
        let answer = match self.believable(chain.at, &request, progress).await.map_err(place)? {
            Outcome::Ignored => None,
            Outcome::Answer(answer) => {
                let Response { doc, headers, url, .. } = *answer;
                Some(Answer { doc, headers, url, params: request.params })
            }
        };
        Ok((origin, answer))
    }

    /// Sends a request. Nothing at all in an answer may be a fault of the moment, so it is asked for again. Where an API is known
    /// to mean it, first pages are believed, and so is what may have written something.
    async fn believable(&self, at: usize, request: &Request, progress: &Progress) -> Result<Outcome> {
        let resource = self.resource(at);
        let mut actions = Cow::Borrowed(&resource.actions);
        if progress.is_on_trial() {
            actions.to_mut().push(ResponseAction::ignore(&[400, 422]));
        }
        let send = || async { self.client.send(at, request, &actions).await.map_err(|e| progress.explain(e)) };
        let mut answer = send().await?;
        let is_known = progress.pages == 0 && self.hollow[at].load(Ordering::Relaxed) >= HOLLOW_ATTEMPTS;
        if is_known || request.method != reqwest::Method::GET {
            return Ok(answer);
        }
        for attempt in 1..HOLLOW_ATTEMPTS {
            if !answer.is_hollow() {
                break;
            }
            self.client.pause(attempt).await;
            answer = send().await?;
        }
        if answer.is_hollow() {
            self.hollow[at].fetch_add(1, Ordering::Relaxed);
            let text = "an answer had no body, also when it was asked for again: it was taken for one without records";
            self.notes.add(&resource.name, text.to_owned());
        }
        Ok(answer)
    }
}
