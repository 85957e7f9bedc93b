//! Answers of well-known shapes that lead to another page without saying `next`.

use super::Page;
use super::detect::{Found, find, fold, join};
use super::places::{Place, of_cursor, of_names};
use crate::doc::Val;
use serde_json::Value;

/// Finds the way to the next page in such an answer.
pub(super) fn shape(page: &Page<'_>, root: Val<'_>) -> Option<Found> {
    connection(page, root).or_else(|| last_id(page, root)).or_else(|| sorted(page, root)).or_else(|| plain(page, root))
}

/// GraphQL's `pageInfo { hasNextPage endCursor }`.
fn connection(page: &Page<'_>, root: Val<'_>) -> Option<Found> {
    let (path, _) = find(root, &mut Vec::new(), &|key, info| {
        fold(key) == "pageinfo"
            && info.get("endCursor").is_some_and(|cursor| cursor.plain().is_some_and(|text| !text.is_empty()))
            && info.get("hasNextPage").and_then(Val::truth) == Some(true)
    })?;
    let places = match page.body {
        Some(body) if body.get("query").is_some() => variables(body),
        _ => of_names(&["after", "cursor"], page),
    };
    let under = |name: &str| join(&[path.as_slice(), &[name.to_owned()]].concat());
    let (path, has_more) = (under("endCursor"), Some(under("hasNextPage")));
    (!places.is_empty()).then_some(Found::Cursor { path, places, has_more, sure: true })
}

/// The variables of a query that a cursor may be: those that stand there, or that the query declares.
fn variables(body: &Value) -> Vec<Place> {
    let query = body.get("query").and_then(Value::as_str).unwrap_or_default();
    let declares = |name: &str| {
        let mut names = query.split('$').skip(1);
        names.any(|rest| {
            rest.strip_prefix(name).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        })
    };
    let is_there = |name: &&str| body.pointer(&format!("/variables/{name}")).is_some() || declares(name);
    let names = ["after", "cursor", "endCursor", "end_cursor", "afterCursor", "next"];
    names.into_iter().filter(is_there).map(|name| Place::Body(format!("variables.{name}"))).collect()
}

/// The id of the last record, where the answer says that there is more: Stripe, OpenAI, Anthropic.
fn last_id(page: &Page<'_>, root: Val<'_>) -> Option<Found> {
    let (more, _) = root
        .entries()
        .find(|(key, value)| key.text().is_some_and(|k| fold(&k) == "hasmore") && value.truth() == Some(true))?;
    let has_more = Some(join(&[more.text()?.into_owned()]));
    let is_list = root.get("object").and_then(Val::text).is_some_and(|kind| kind == "list");
    if root.get("last_id").is_some_and(|id| id.text().is_some_and(|text| !text.is_empty())) {
        let names = if is_list { ["after", "after_id"] } else { ["after_id", "after"] };
        let places = of_names(&names, page);
        return Some(Found::Cursor { path: "last_id".to_owned(), places, has_more, sure: true });
    }
    let list = crate::select::guess(root);
    let last = list.iter().try_fold(root, |at, key| at.get(key))?.elements().last()?;
    if !is_list || list.is_empty() || last.get("id").and_then(Val::plain).is_none() {
        return None;
    }
    let places = of_names(&["starting_after", "after"], page);
    Some(Found::Cursor { path: format!("{}[-1].id", join(&list)), places, has_more, sure: true })
}

/// Elasticsearch's hits, sorted: those behind the last one are asked for.
fn sorted(page: &Page<'_>, root: Val<'_>) -> Option<Found> {
    let last = root.get("hits")?.get("hits")?.elements().last()?;
    last.get("sort").filter(|sort| sort.is_list())?;
    page.body?.get("sort")?;
    let places = vec![Place::Body("search_after".to_owned())];
    Some(Found::Cursor { path: "hits.hits[-1].sort".to_owned(), places, has_more: None, sure: true })
}

/// A text beside the records, or in an object about them, that can only be for the next page.
fn plain(page: &Page<'_>, root: Val<'_>) -> Option<Found> {
    let list = crate::select::guess(root);
    if list.is_empty() || page.records == 0 {
        return None;
    }
    let about: Vec<Vec<String>> = root
        .entries()
        .filter(|(_, value)| value.is_object())
        .filter_map(|(key, _)| key.text().filter(|k| crate::signs::is_about(k)).map(|k| vec![k.into_owned()]))
        .collect();
    for path in [Vec::new(), list[..list.len() - 1].to_vec()].into_iter().chain(about) {
        let object = path.iter().try_fold(root, |at, key| at.get(key))?;
        let found = object.entries().find_map(|(key, value)| {
            let (key, text) = (key.text()?.into_owned(), value.text()?);
            let is_cursor = match fold(&key).as_str() {
                "cursor" | "after" | "continuation" | "continuationtoken" => !text.is_empty(),
                // Airtable's; a number is the offset of the page in hand.
                "offset" => !text.is_empty() && value.whole().is_none(),
                _ => false,
            };
            is_cursor.then_some((key, value))
        });
        if let Some((key, value)) = found {
            let places = of_cursor(&key, value, object, page);
            let path = join(&[path.as_slice(), &[key]].concat());
            return Some(Found::Cursor { path, places, has_more: None, sure: false });
        }
    }
    None
}
