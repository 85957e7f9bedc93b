//! How pages follow one another, by the names of parameters and of what stands beside the records.

use super::answer::Answer;
use super::document::{Document, fold};
use super::quoted;
use super::tree::Parameter;

/// The paginator's keys, and the parameter that is the size of a page.
pub(super) struct Paging<'n> {
    pub(super) keys: String,
    pub(super) size: Option<&'n Parameter<'n>>,
}

const CURSORS: [&str; 14] = [
    "cursor",
    "pagetoken",
    "nexttoken",
    "nextpagetoken",
    "after",
    "pageafter",
    "pagecursor",
    "startingafter",
    "continuationtoken",
    "starttoken",
    "marker",
    "startcursor",
    "nextcursor",
    "pagekey",
];
const NEXT: [&str; 14] = [
    "nextcursor",
    "nextpagetoken",
    "nexttoken",
    "aftercursor",
    "endcursor",
    "nextpage",
    "next",
    "continuationtoken",
    "nextmarker",
    "nextpagecursor",
    "cursor",
    "after",
    "nextpagekey",
    "nextkey",
];
const LINKS: [&str; 7] = ["next", "nexturl", "nextlink", "nextpage", "nextpageurl", "nexthref", "odatanextlink"];
const PAGES: [&str; 6] = ["totalpages", "pagecount", "pages", "lastpage", "numpages", "pagestotal"];
const TOTALS: [&str; 9] = [
    "total",
    "totalcount",
    "totalelements",
    "totalresults",
    "totalitems",
    "totalrecords",
    "totalobjects",
    "totalhits",
    "count",
];
const SIZES: [&str; 10] =
    ["limit", "perpage", "pagesize", "maxresults", "size", "count", "top", "pagelimit", "itemsperpage", "rows"];

/// `None`: the document gives nothing away; it is then found out from the first answer.
pub(super) fn guess<'n>(
    document: &Document,
    answer: &Answer<'_>,
    parameters: &'n [Parameter<'n>],
) -> Option<Paging<'n>> {
    let named = |names: &[&str]| {
        let sent = |p: &&Parameter<'_>| p.is_query() || p.is_body();
        names.iter().find_map(|name| parameters.iter().filter(sent).find(|p| fold(p.name) == *name))
    };
    let size = named(&SIZES);
    let known = size.filter(|p| p.most().is_some());
    let with = |keys: String| Some(Paging { keys, size: known });
    let more = answer.beside(&["hasmore", "hasnext", "hasnextpage", "more"], &["boolean"], document);
    let more = more.map_or_else(String::new, |path| format!(", has_more_path = {}", quoted(&dotted(path))));
    if answer.links {
        return with("type = \"header_link\"".to_owned());
    }
    if let Some(cursor) = named(&CURSORS) {
        return cursor_keys(document, answer, cursor, &more).and_then(with);
    }
    if let Some(path) = link(document, answer) {
        return with(format!("type = \"json_link\", next_url_path = {}", quoted(&path)));
    }
    if let Some(page) = named(&["page", "pagenumber", "pageno", "pageindex", "currentpage", "p"]) {
        let total = answer.beside(&PAGES, &["integer", "number"], document);
        let total = total.map_or_else(String::new, |path| format!(", total_path = {}", quoted(&dotted(path))));
        let base = u64::from(!page.begins_with_zero());
        return with(format!("type = \"page_number\", base_page = {base}, {}{total}", sent_as("page", page)));
    }
    let offset = named(&["offset", "skip", "start", "startat", "startindex", "from", "pageoffset"])?;
    let (limit, count) = size.map(|p| (p, p.most().unwrap_or(100)))?;
    let total = answer.beside(&TOTALS, &["integer", "number"], document);
    let total = total.map_or_else(String::new, |path| format!(", total_path = {}", quoted(&dotted(path))));
    let (offset, limit) = (sent_as("offset", offset), sent_as("limit", limit));
    Some(Paging { keys: format!("type = \"offset\", limit = {count}, {offset}, {limit}{total}"), size: None })
}

/// `page_param = "page"`, or `page_body_path` where it stands in the body.
fn sent_as(what: &str, parameter: &Parameter<'_>) -> String {
    let place = if parameter.is_body() { "body_path" } else { "param" };
    format!("{what}_{place} = {}", quoted(parameter.name))
}

fn cursor_keys(document: &Document, answer: &Answer<'_>, cursor: &Parameter<'_>, more: &str) -> Option<String> {
    let told = answer.beside(&NEXT, &["string", "integer", ""], document).map(dotted);
    // Without a cursor beside the records, the last record's id is it.
    let last = || {
        let list = answer.list.as_ref().filter(|_| fold(cursor.name).ends_with("after"))?;
        let list = if list.is_empty() { "$".to_owned() } else { dotted(list) };
        answer.fields.contains(&"id").then(|| format!("{list}[-1].id"))
    };
    let path = told.or_else(last)?;
    Some(format!("type = \"cursor\", {}, cursor_path = {}{more}", sent_as("cursor", cursor), quoted(&path)))
}

/// A link to the next page: under a name of its own, or under `next` beside other links.
fn link(document: &Document, answer: &Answer<'_>) -> Option<String> {
    let is_link = |path: &[String]| {
        let last = path.last().map(|l| fold(l)).unwrap_or_default();
        LINKS.contains(&last.as_str())
            || (matches!(last.as_str(), "href" | "url") && path.len() > 1 && fold(&path[path.len() - 2]) == "next")
    };
    let found = answer.beside.iter().find(|(path, s)| is_link(path) && document.kind(s) == "string");
    found.map(|(path, _)| dotted(path))
}

/// A JSONPath of keys.
pub(super) fn dotted(path: &[String]) -> String {
    let plain = |k: &String| k.chars().all(|c| c.is_alphanumeric() || c == '_');
    if path.iter().all(plain) {
        return path.join(".");
    }
    format!("${}", path.iter().map(|k| format!("['{}']", k.replace('\'', "\\'"))).collect::<String>())
}
