//! Finds out from the first response how pages follow one another, in dlt's order
//! (`rest_client/detector.py`), with offsets added and page numbers put right.

use super::Page;
use crate::doc::Val;
use reqwest::header::{HeaderMap, LINK};

/// What a response gives away.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    HeaderLink,
    JsonLink(String),
    /// `current`: the number of the page that was fetched, where it is said.
    PageNumber {
        total: String,
        param: String,
        current: Option<u64>,
    },
    Offset {
        offset: String,
        limit: String,
        total: String,
        at: u64,
        size: u64,
    },
    Cursor {
        path: String,
        param: String,
        has_more: Option<String>,
    },
    Nothing,
}

pub(super) fn detect(page: &Page<'_>) -> Found {
    if link(page.headers, "next").is_some() {
        return Found::HeaderLink;
    }
    let Some(root) = page.doc.map(|d| d.root()).filter(|r| r.is_object()) else { return Found::Nothing };
    // A link wins over anything else that is called next, wherever it stands: `next_sync` leads nowhere.
    if let Some((path, _)) = next_key(root, &mut Vec::new(), &is_link) {
        return Found::JsonLink(join(&path));
    }
    // In a record alone such names are its own fields: a book's `pages`, a contract's `next_payment`.
    if page.whole && crate::select::guess(root).is_empty() {
        return Found::Nothing;
    }
    if let Some(found) = page_number(page, root).or_else(|| offset(root)) {
        return found;
    }
    match next_key(root, &mut Vec::new(), &|value| value.plain().is_some()) {
        Some((path, value)) if value.is_truthy() => {
            let param = cursor_param(path.last().map_or("", String::as_str), value, page.params);
            let has_more = find(root, &mut Vec::new(), &|key, value| {
                (fold(key) == "hasmore" || fold(key) == "hasnext") && value.truth().is_some()
            });
            Found::Cursor { path: join(&path), param, has_more: has_more.map(|(path, _)| join(&path)) }
        }
        _ => Found::Nothing,
    }
}

fn is_link(value: Val<'_>) -> bool {
    value.text().is_some_and(|t| t.starts_with("http") || t.starts_with('/'))
}

/// True where a response looks like a page of a list: a list under one of the usual names, and a sign of paging.
pub(super) fn is_page(page: &Page<'_>) -> bool {
    let Some(root) = page.doc.map(|d| d.root()) else { return false };
    detect(page) != Found::Nothing && crate::select::has_known_list(root)
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
    entry(&|key, _| key.starts_with("href") || key.starts_with("url"))
        .or_else(|| entry(&|key, value| key == "link" && is_link(value)))
        .or_else(|| entry(&|key, _| matches!(key, "after" | "cursor")))
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
        beside.entries().find(|(k, _)| k.text().is_some_and(|k| fold(&k) == *name)).and_then(|(_, v)| v.whole())
    });
    Some(Found::PageNumber {
        total: join(&path),
        param: sent.map_or_else(|| "page".to_owned(), |(name, _)| name.clone()),
        current: sent.and_then(|(_, v)| v.parse().ok()).or(told),
    })
}

/// Offset and limit echoed beside a total.
fn offset(root: Val<'_>) -> Option<Found> {
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
    let (total, _) = named(&["total", "totalcount", "totalrecords", "totalitems", "totalresults"])?;
    let mut total_path = path[..path.len() - 1].to_vec();
    total_path.push(total);
    Some(Found::Offset { offset: path.last()?.clone(), limit, total: join(&total_path), at: at.whole()?, size })
}

/// The parameter a cursor is sent as: `next_page_token` as `page_token`. dlt always says `cursor`.
fn cursor_param(key: &str, value: Val<'_>, params: &[(String, String)]) -> String {
    if key == "after" {
        return key.to_owned();
    }
    let bare = key.strip_prefix("next_").or_else(|| key.strip_prefix("next-")).map(str::to_owned).or_else(|| {
        let rest = key.strip_prefix("next").filter(|r| r.starts_with(char::is_uppercase))?;
        let mut chars = rest.chars();
        chars.next().map(|c| c.to_lowercase().chain(chars).collect())
    });
    match bare {
        Some(name) if params.iter().any(|(p, _)| *p == name) => name,
        Some(name)
            if matches!(
                fold(&name).as_str(),
                "pagetoken" | "offset" | "startkey" | "marker" | "continuationtoken" | "after"
            ) =>
        {
            name
        }
        Some(name) if fold(&name) == "page" && value.whole().is_some() => name,
        _ => "cursor".to_owned(),
    }
}

fn find<'a>(
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
fn fold(key: &str) -> String {
    key.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

fn join(path: &[String]) -> String {
    let plain = |k: &String| k.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    if path.iter().all(plain) {
        return path.join(".");
    }
    let part = |k: &String| format!("['{k}']");
    format!("${}", path.iter().map(part).collect::<String>())
}
