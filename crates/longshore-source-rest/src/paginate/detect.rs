//! Finds out from the first response how pages follow one another, in dlt's order
//! (`rest_client/detector.py`), with offsets added and page numbers put right.

use super::places::{self, Place};
use super::{Page, shapes};
use crate::doc::Val;
use reqwest::header::{HeaderMap, LINK};

/// What a response gives away.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    HeaderLink,
    JsonLink(String),
    HeaderCursor {
        key: &'static str,
        param: &'static str,
    },
    /// `current`: the number of the page that was fetched, where it is said.
    PageNumber {
        total: String,
        places: Vec<Place>,
        current: Option<u64>,
    },
    Offset {
        offset: Place,
        limit: Place,
        total: Option<String>,
        at: u64,
        size: u64,
    },
    /// `places`: where it may belong, at least one. `sure`: by its name it can be nothing else.
    Cursor {
        path: String,
        places: Vec<Place>,
        has_more: Option<String>,
        sure: bool,
    },
    Nothing,
}

/// Headers that hold what leads to the next page, and the parameter it is sent as: GitLab's, Azure's.
const HEADERS: [(&str, &str); 3] =
    [("x-next-page", "page"), ("x-next-cursor", "cursor"), ("x-ms-continuationtoken", "continuationToken")];

pub(super) fn detect(page: &Page<'_>) -> Found {
    if link(page.headers, "next").is_some() {
        return Found::HeaderLink;
    }
    let object = page.doc.map(|d| d.root()).filter(|r| r.is_object());
    // A link wins over anything else that is called next, wherever it stands: `next_sync` leads nowhere.
    if let Some((path, _)) = object.and_then(|root| next_key(root, &mut Vec::new(), &is_link)) {
        return Found::JsonLink(join(&path));
    }
    let is_filled = |name: &str| page.headers.get(name).is_some_and(|value| !value.is_empty());
    if let Some((key, param)) = HEADERS.into_iter().find(|(name, _)| is_filled(name)) {
        return Found::HeaderCursor { key, param };
    }
    let Some(root) = object else { return Found::Nothing };
    // In a record alone such names are its own fields: a book's `pages`, a contract's `next_payment`.
    if page.whole && crate::select::guess(root).is_empty() {
        return Found::Nothing;
    }
    let next = next_key(root, &mut Vec::new(), &|value| value.plain().is_some());
    // An object called next that holds a cursor wins over numbers: Intercom's answers have both.
    let holds_cursor = next.as_ref().is_some_and(|(path, value)| {
        value.is_truthy() && path.len() > 1 && bare(&path[path.len() - 2]).to_lowercase().starts_with("next")
    });
    if !holds_cursor && let Some(found) = page_number(page, root).or_else(|| offset(page, root)) {
        return found;
    }
    match next {
        Some((path, value)) if value.is_truthy() => {
            let key = path.last().map_or("", String::as_str);
            let beside = path[..path.len() - 1].iter().try_fold(root, |at, key| at.get(key)).unwrap_or(root);
            let places = places::of_cursor(key, value, beside, page);
            let has_more = find(root, &mut Vec::new(), &|key, value| says_more(key) && value.truth().is_some());
            let has_more = has_more.map(|(path, _)| join(&path));
            Found::Cursor { path: join(&path), places, has_more, sure: is_cursor_name(key) }
        }
        Some(_) => Found::Nothing,
        // Nothing that is called next says that this is the end.
        None if next_key(root, &mut Vec::new(), &|value| value.is_null()).is_some() => Found::Nothing,
        None => shapes::shape(page, root).unwrap_or(Found::Nothing),
    }
}

fn says_more(key: &str) -> bool {
    matches!(fold(key).as_str(), "hasmore" | "hasnext")
}

/// `next_cursor`, not `next_payment`.
fn is_cursor_name(key: &str) -> bool {
    let bare = fold(&without_next(key).unwrap_or_else(|| key.to_owned()));
    bare.is_empty()
        || ["cursor", "token", "page", "offset", "start", "after", "marker", "key"]
            .iter()
            .any(|end| bare.ends_with(end))
}

fn is_link(value: Val<'_>) -> bool {
    value.text().is_some_and(|t| t.starts_with("http") || t.starts_with('/'))
}

/// True where a response looks like a page of a list: a list under one of the usual names, and a sign of paging or nothing
/// else.
pub(super) fn is_page(page: &Page<'_>) -> bool {
    let Some(root) = page.doc.map(|d| d.root()) else { return false };
    let is_sign = match detect(page) {
        Found::Nothing => false,
        // An order with its items may have a `next_payment`, a book with its contents `pages`.
        Found::Cursor { sure, .. } => sure,
        Found::PageNumber { total, current, .. } => current.is_some() || total != "pages",
        _ => true,
    };
    (is_sign || is_list_alone(root)) && crate::select::has_known_list(root)
}

/// True for a list with nothing beside it that a record would have.
fn is_list_alone(root: Val<'_>) -> bool {
    let list = crate::select::guess(root);
    list.len() == 1
        && root.entries().all(|(key, _)| key.text().is_some_and(|key| *key == list[0] || crate::signs::is_around(&key)))
}

/// The target of a `Link` header's relation (RFC 8288).
pub(super) fn link(headers: &HeaderMap, rel: &str) -> Option<String> {
    let values = headers.get_all(LINK).into_iter().filter_map(|v| v.to_str().ok());
    for value in values {
        let mut rest = value;
        while let Some(start) = rest.find('<') {
            let end = start + rest[start..].find('>')?;
            let target = &rest[start + 1..end];
            let behind = &rest[end + 1..];
            let stop = behind.find(",<").or_else(|| behind.find(", <")).unwrap_or(behind.len());
            for attribute in behind[..stop].split(';') {
                let Some((name, value)) = attribute.split_once('=') else { continue };
                let value = value.trim().trim_matches(['"', '\'', ',']);
                if name.trim().eq_ignore_ascii_case("rel")
                    && value.split_whitespace().any(|r| r.eq_ignore_ascii_case(rel))
                {
                    return Some(target.trim().to_owned()).filter(|t| !t.is_empty());
                }
            }
            rest = &behind[stop..];
        }
    }
    None
}

/// The first key that begins with `next` and has a value that fits, or an object with such a one under `href` or `url`.
fn next_key<'a>(
    object: Val<'a>,
    path: &mut Vec<String>,
    fits: &dyn Fn(Val<'_>) -> bool,
) -> Option<(Vec<String>, Val<'a>)> {
    for (key, value) in object.entries() {
        let key = key.text()?.into_owned();
        path.push(key.clone());
        if bare(&key).to_lowercase().starts_with("next") {
            if value.is_object() {
                if let Some((inner, target)) = target(value).filter(|(_, target)| fits(*target)) {
                    path.push(inner);
                    return Some((path.clone(), target));
                }
            } else if fits(value) {
                return Some((path.clone(), value));
            }
        }
        if value.is_object()
            && let Some(found) = next_key(value, path, fits)
        {
            return Some(found);
        }
        path.pop();
    }
    None
}

/// `nextLink` of OData's `@odata.nextLink`.
fn bare(key: &str) -> &str {
    key.strip_prefix('@').and_then(|k| k.rsplit_once('.')).map_or(key, |(_, last)| last)
}

/// Where an object called `next` leads: dlt looks for `href` and `url`; HubSpot has `link` and `after`.
fn target(next: Val<'_>) -> Option<(String, Val<'_>)> {
    let entry = |fits: &dyn Fn(&str, Val<'_>) -> bool| {
        next.entries().find_map(|(k, v)| {
            let key = k.text()?.into_owned();
            (v.plain().is_some() && fits(&key.to_lowercase(), v)).then_some((key, v))
        })
    };
    entry(&|key, _| ["href", "url", "uri"].iter().any(|word| key.starts_with(word)))
        .or_else(|| entry(&|key, value| key == "link" && is_link(value)))
        .or_else(|| entry(&|key, _| matches!(key, "after" | "cursor" | "starting_after")))
}

fn page_number(page: &Page<'_>, root: Val<'_>) -> Option<Found> {
    let is_total = |key: &str, value: Val<'_>| {
        matches!(fold(key).as_str(), "totalpages" | "pages" | "pagecount" | "lastpage" | "numpages")
            && value.whole().is_some()
    };
    let (path, _) = find(root, &mut Vec::new(), &is_total)?;
    let is_number =
        |key: &str| matches!(fold(key).as_str(), "page" | "pagenumber" | "pageno" | "p" | "pageindex" | "currentpage");
    // A number the user sends begins the count; else the response may say which page it is.
    let sent = page.params.iter().find(|(name, value)| is_number(name) && value.parse::<u64>().is_ok());
    let beside = path[..path.len() - 1].iter().try_fold(root, |at, key| at.get(key))?;
    let names = ["currentpage", "page", "pagenumber", "pageno", "pageindex", "number", "current"];
    let told = names.iter().find_map(|name| {
        let mut entries = beside.entries().filter_map(|(k, v)| Some((k.text()?.into_owned(), v)));
        entries.find(|(k, _)| fold(k) == *name).and_then(|(k, v)| Some((k, v.whole()?)))
    });
    let places = match (sent, &told) {
        (Some((name, _)), _) => vec![Place::Param(name.clone())],
        // What the answer calls it may be what it is called in the query.
        (None, Some((name, _))) if is_number(name) => places::of_names(&["page", name], page),
        (None, Some(_)) => places::of_names(&["page"], page),
        // Whether it begins with 0 or 1 is asked for, so it is not tried at several places.
        (None, None) => vec![places::of_number("page", page)],
    };
    let current = sent.and_then(|(_, v)| v.parse().ok()).or(told.map(|(_, number)| number));
    Some(Found::PageNumber { total: join(&path), places, current })
}

/// Offset and limit echoed beside a total, or beside the word that there is more.
fn offset(page: &Page<'_>, root: Val<'_>) -> Option<Found> {
    let is_offset = |key: &str, value: Val<'_>| {
        matches!(fold(key).as_str(), "offset" | "skip" | "startat") && value.whole().is_some()
    };
    let (path, at) = find(root, &mut Vec::new(), &is_offset)?;
    let beside = path[..path.len() - 1].iter().try_fold(root, |at, key| at.get(key))?;
    let named = |names: &[&str]| {
        beside.entries().find_map(|(k, v)| {
            let key = k.text()?.into_owned();
            (names.contains(&fold(&key).as_str())).then_some((key, v.whole()?))
        })
    };
    let (limit, size) = named(&["limit", "maxresults", "pagesize", "perpage"]).filter(|(_, size)| *size > 0)?;
    let total = named(&["total", "totalcount", "totalrecords", "totalitems", "totalresults"]);
    let more = beside.entries().any(|(key, value)| {
        key.text().is_some_and(|key| match fold(&key).as_str() {
            "islast" | "islastpage" => value.truth() == Some(false),
            _ => says_more(&key) && value.truth() == Some(true),
        })
    });
    if total.is_none() && !more {
        return None;
    }
    let total = total.map(|(total, _)| join(&[&path[..path.len() - 1], &[total]].concat()));
    let place = |name: &str| places::of_number(name, page);
    Some(Found::Offset { offset: place(path.last()?), limit: place(&limit), total, at: at.whole()?, size })
}

/// A key without the `next` it begins with, as a parameter would be called: `page_token` of `next_page_token`.
pub(super) fn without_next(key: &str) -> Option<String> {
    if fold(key) == "next" {
        return Some(String::new());
    }
    if let Some(rest) = key.strip_prefix("next_").or_else(|| key.strip_prefix("next-")) {
        return Some(rest.to_owned());
    }
    let rest = key.strip_prefix("next").or_else(|| key.strip_prefix("Next"))?;
    // `NextToken` goes with other names that begin so.
    let word = if key.starts_with('N') { rest.to_owned() } else { lower_first(rest) };
    rest.starts_with(char::is_uppercase).then_some(word)
}

fn lower_first(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |c| c.to_lowercase().chain(chars).collect())
}

pub(super) fn find<'a>(
    object: Val<'a>,
    path: &mut Vec<String>,
    fits: &dyn Fn(&str, Val<'_>) -> bool,
) -> Option<(Vec<String>, Val<'a>)> {
    for (key, value) in object.entries() {
        let key = key.text()?.into_owned();
        path.push(key);
        if path.last().is_some_and(|k| fits(k, value)) {
            return Some((path.clone(), value));
        }
        if value.is_object()
            && let Some(found) = find(value, path, fits)
        {
            return Some(found);
        }
        path.pop();
    }
    None
}

/// `Total_Pages`, `totalPages` and `total-pages` are the same.
pub(super) fn fold(key: &str) -> String {
    key.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

pub(super) fn join(path: &[String]) -> String {
    let plain = |k: &String| k.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    if path.iter().all(plain) {
        return path.join(".");
    }
    let part = |k: &String| format!("['{k}']");
    format!("${}", path.iter().map(part).collect::<String>())
}
