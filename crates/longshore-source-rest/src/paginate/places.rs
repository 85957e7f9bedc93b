//! Where a cursor that was found is sent. APIs have no rule for that, so the likely places are tried, one after the other:
//! one that is wrong brings the first page again, or is refused.

use super::Page;
use super::detect::{fold, without_next};
use crate::config::{CursorConfig, OffsetConfig, PageNumberConfig};
use crate::doc::Val;
use serde::{Deserialize, Serialize};

/// Where a value is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    /// A parameter of the query.
    Param(String),
    /// A path in the JSON body.
    Body(String),
}

impl Place {
    pub(super) fn put_cursor(&self, config: &mut CursorConfig) {
        (config.cursor_param, config.cursor_body_path) = self.parts();
    }

    pub(super) fn put_number(&self, config: &mut PageNumberConfig) {
        (config.page_param, config.page_body_path) = self.parts();
    }

    pub(super) fn put_offset(&self, config: &mut OffsetConfig) {
        (config.offset_param, config.offset_body_path) = self.parts();
    }

    pub(super) fn put_limit(&self, config: &mut OffsetConfig) {
        (config.limit_param, config.limit_body_path) = self.parts();
    }

    fn parts(&self) -> (Option<String>, Option<String>) {
        match self {
            Place::Param(name) => (Some(name.clone()), None),
            Place::Body(path) => (None, Some(path.clone())),
        }
    }
}

/// Where a cursor called `key` goes, the likeliest first; `beside` is the object that it stands in.
pub(super) fn of_cursor(key: &str, value: Val<'_>, beside: Val<'_>, page: &Page<'_>) -> Vec<Place> {
    let bare = without_next(key).unwrap_or_else(|| key.to_owned());
    let has = |name: &str| beside.entries().any(|(k, _)| k.text().is_some_and(|k| fold(&k) == name));
    // As Notion's lists say what they are, and Stripe's.
    let is_list = beside.get("object").and_then(Val::text).is_some_and(|kind| kind == "list");
    let (bare, is_number) = (bare.as_str(), value.whole().is_some());
    let names: Vec<&str> = match fold(bare).as_str() {
        "" if is_number => vec!["cursor", "page", "offset", "next"],
        "" => vec!["cursor", "next", "page_token", "after"],
        // Jira's searches send it back under its own name, Google's APIs do not.
        "pagetoken" if has("islast") => vec![key, bare],
        "pagetoken" => vec![bare, key],
        "token" if has("resultcount") => vec!["pagination_token", key],
        "token" => vec![key, "pagination_token", bare, "page_token"],
        "cursor" if is_list => vec!["start_cursor", "cursor", key],
        "cursor" => vec!["cursor", "start_cursor", key, "after"],
        "page" if is_number => vec!["page", key, "cursor"],
        "page" => vec!["cursor", "page", key],
        "start" | "pagestart" => vec!["start", bare, key],
        "offset" | "startkey" | "marker" | "continuationtoken" | "after" | "startingafter" => vec![bare, key],
        _ => vec!["cursor", bare, key],
    };
    of_names(&names, page)
}

/// The places of the names, those before the others that the first request has already.
pub(super) fn of_names(names: &[&str], page: &Page<'_>) -> Vec<Place> {
    let is_param = |name: &str| page.params.iter().any(|(param, _)| param == name);
    let is_field = |name: &str| page.body.is_some_and(|body| body.get(name).is_some());
    let mut places = Vec::new();
    let mut add = |place: Place| {
        if !places.contains(&place) {
            places.push(place);
        }
    };
    let names = || names.iter().copied().filter(|name| !name.is_empty());
    names().filter(|name| is_param(name)).for_each(|name| add(Place::Param(name.to_owned())));
    names().filter(|name| is_field(name)).for_each(|name| add(Place::Body(name.to_owned())));
    if page.body.is_some() {
        names().take(3).for_each(|name| add(Place::Body(name.to_owned())));
        names().take(2).for_each(|name| add(Place::Param(name.to_owned())));
    } else {
        names().for_each(|name| add(Place::Param(name.to_owned())));
    }
    places
}

/// Where a number goes that is never tried at another place.
pub(super) fn of_number(name: &str, page: &Page<'_>) -> Place {
    let is_param = page.params.iter().any(|(param, _)| param == name);
    match page.body {
        Some(body) if !is_param && body.is_object() => Place::Body(name.to_owned()),
        _ => Place::Param(name.to_owned()),
    }
}
