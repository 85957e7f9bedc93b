//! What is found out by trial: where a cursor or number belongs, and what stands behind a short page.

use super::{Delta, Next, Page, Paginator, Stride, cursor_next};
use longshore_core::error::Result;

impl Paginator {
    /// True while it is not sure where the cursor or number that was found belongs.
    pub(super) fn is_tried(&self) -> bool {
        match self {
            Paginator::Tried { .. } => true,
            Paginator::PageNumber { trial, .. } => trial.is_some(),
            _ => false,
        }
    }

    /// Another page came: the place is the right one.
    pub(super) fn stay(&mut self) {
        match self {
            Paginator::Tried { config, .. } => *self = Paginator::Cursor(config.clone()),
            Paginator::PageNumber { trial, .. } => *trial = None,
            _ => {}
        }
    }

    /// The first page came again: the same is asked for by the next place.
    pub(super) fn elsewhere(&mut self, page: &Page<'_>) -> Result<Option<Next>> {
        match self {
            Paginator::Tried { config, others, .. } if !others.is_empty() => {
                others.remove(0).put_cursor(config);
                Ok(Some(cursor_next(config, page)?.map_or(Next::Drop, Next::Again)))
            }
            Paginator::PageNumber { config, at, trial: Some(others), .. } if !others.is_empty() => {
                others.remove(0).put_number(config);
                Ok(Some(Next::Again(Delta::of_number(config, *at))))
            }
            _ => Ok(None),
        }
    }

    /// True where a refusal of the next request may only mean that it was a trial.
    pub(crate) fn has_others(&self) -> bool {
        match self {
            Paginator::Tried { others, .. } | Paginator::PageNumber { trial: Some(others), .. } => !others.is_empty(),
            Paginator::Offset { stride, .. } => matches!(stride, Stride::Asked(_)),
            _ => false,
        }
    }

    /// What is asked for instead of what was refused.
    pub(crate) fn instead(&mut self, refused: &Delta) -> Option<Delta> {
        match self {
            Paginator::Tried { config, others, .. } if !others.is_empty() => {
                let place = others.remove(0);
                place.put_cursor(config);
                refused.moved_to(&place)
            }
            Paginator::PageNumber { config, at, trial: Some(others), .. } if !others.is_empty() => {
                others.remove(0).put_number(config);
                Some(Delta::of_number(config, *at))
            }
            Paginator::Offset { config, at, stride } if matches!(stride, Stride::Asked(_)) => {
                (*at, *stride) = (config.offset + config.limit, Stride::Limit);
                Some(Delta::of_offset(config, *at))
            }
            _ => None,
        }
    }

    /// What to write into the configuration where what was found out leads nowhere, or the first page is refused.
    pub(crate) fn advice(&self, next: Option<&Delta>) -> Option<String> {
        match self {
            Paginator::Tried { config, .. } => Some(format!(
                "how pages follow one another was guessed; write down what the API's documentation says: \
                 paginator = {{ type = \"cursor\", cursor_path = \"{}\", cursor_param = \"…\" }}, or cursor_body_path where \
                 it belongs into the JSON body; or paginator = \"single_page\" where there is one page",
                config.cursor_path
            )),
            Paginator::PageNumber { config, at: 0, .. } if next == Some(&Delta::of_number(config, 0)) => {
                Some("if the API counts its pages from 1: paginator.base_page = 1".to_owned())
            }
            _ => None,
        }
    }
}
