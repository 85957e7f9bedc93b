//! What an operation answers: where its records stand, which fields they have, and what beside them tells of more.

use super::document::{Document, fold};
use serde_json::Value;

/// Names of properties that usually hold the records.
const LISTS: [&str; 12] = [
    "data", "items", "results", "entries", "records", "rows", "entities", "payload", "content", "objects", "values",
    "value",
];

/// Names of properties that records have and pages do not.
const OF_RECORDS: [&str; 8] = ["id", "uuid", "name", "title", "createdat", "email", "key", "slug"];

/// Names of objects that wrap up what is asked for.
const WRAPPINGS: [&str; 9] =
    ["data", "result", "results", "response", "payload", "body", "embedded", "page", "content"];

/// Names of lists that speak of the answer or of its record, unless the path is called so.
const OF_ANSWERS: [&str; 8] =
    ["errors", "warnings", "notices", "links", "linkcollection", "included", "metadata", "conditions"];

/// Other fields than those of pages that may stand beside a list without a usual name.
const MOST_BESIDE: usize = 3;

/// Words that speak of pages, or of the answer itself.
const OF_PAGES: [&str; 34] = [
    "total", "count", "page", "next", "prev", "cursor", "offset", "limit", "has", "more", "size", "first", "last",
    "start", "token", "link", "url", "href", "self", "status", "code", "message", "success", "error", "object", "kind",
    "etag", "request", "took", "time", "result", "number", "version", "context",
];

fn is_of_pages(key: &str) -> bool {
    let key = fold(key);
    key == "ok" || OF_PAGES.iter().any(|word| key.contains(word))
}

/// The good answer of an operation.
pub(super) struct Answer<'a> {
    /// Keys that lead to the list; empty where the answer itself is it. `None`: there is no list.
    pub(super) list: Option<Vec<String>>,
    /// Fields of a record.
    pub(super) fields: Vec<&'a str>,
    /// Scalars beside the list: their keys and their schema.
    pub(super) beside: Vec<(Vec<String>, &'a Value)>,
    /// It has a `Link` header.
    pub(super) links: bool,
    /// The document says nothing about its content.
    pub(super) is_unknown: bool,
}

impl<'a> Answer<'a> {
    /// `None`: the operation answers no JSON, or neither objects nor lists.
    pub(super) fn of(document: &'a Document, get: &'a Value, path: &str, of_one: bool) -> Option<Answer<'a>> {
        let response = good(document, get)?;
        let headers = response["headers"].as_object();
        let links = headers.is_some_and(|h| h.keys().any(|k| k.eq_ignore_ascii_case("link")));
        let Some(schema) = schema(response)? else { return Some(Answer::unknown(links)) };
        let mut answer = Answer { links, is_unknown: false, ..Answer::unknown(links) };
        match document.kind(schema) {
            "array" => {
                answer.list = Some(Vec::new());
                answer.fields = fields(document, &document.follow(schema)["items"]);
            }
            "object" | "" => answer.envelope(document, schema, path, of_one),
            _ => return None,
        }
        Some(answer)
    }

    fn unknown(links: bool) -> Answer<'a> {
        Answer { list: None, fields: Vec::new(), beside: Vec::new(), links, is_unknown: true }
    }

    /// An object: it holds a list of records, or is one. A record has lists too, an order even `items`: it is told from a page by
    /// what stands beside the list, and more strictly where it is asked for by its id.
    fn envelope(&mut self, document: &'a Document, schema: &'a Value, path: &str, of_one: bool) {
        let mut lists = Vec::new();
        walk(document, schema, &mut Vec::new(), &mut lists, &mut self.beside);
        let asked = fold(path.trim_end_matches('/').rsplit('/').next().unwrap_or_default());
        let has_errors = lists.iter().any(|(path, _)| path.last().is_some_and(|l| fold(l) == "errors"));
        let is_of_answer = |key: &String| {
            let key = fold(key);
            let is_told = OF_ANSWERS.contains(&key.as_str()) || (has_errors && key == "messages");
            is_told && key != asked
        };
        let is_empty = lists.is_empty();
        lists.retain(|(path, _)| !path.iter().any(is_of_answer));
        let named = |(path, _): &&(Vec<String>, &Value)| path.last().is_some_and(|l| LISTS.contains(&fold(l).as_str()));
        let of_objects = |(_, items): &&(Vec<String>, &Value)| matches!(document.kind(items), "object" | "");
        let pages = || lists.iter().filter(of_objects);
        // Google's pages have an id.
        let is_told = |path: &[String]| !of_one && path.len() == 1;
        let most = if of_one { 0 } else { usize::MAX };
        let told = pages().filter(named).find(|(path, _)| is_told(path) || self.is_page(path, most));
        let only = || pages().find(|(path, _)| self.is_page(path, if of_one { 0 } else { MOST_BESIDE }));
        match told.or_else(only) {
            Some((path, items)) => {
                self.list = Some(path.clone());
                self.fields = fields(document, items);
            }
            None => self.fields = fields(document, schema),
        }
        self.is_unknown = is_empty && self.beside.is_empty();
    }

    /// True where a list stands in the answer as a page's does: neither beside it nor on the way to it is what a record has, and
    /// no more than so much that does not speak of pages.
    fn is_page(&self, list: &[String], most: usize) -> bool {
        let level = |depth: usize| {
            let beside = self.beside.iter().map(|(path, _)| path);
            beside.filter(move |p| p.len() == depth + 1 && p[..depth] == list[..depth]).filter_map(|p| p.last())
        };
        (0..list.len()).all(|depth| {
            // What is wrapped up is told by what is in the wrapping.
            let is_wrapped = depth + 1 < list.len() && WRAPPINGS.contains(&fold(&list[depth]).as_str());
            let is_record = !is_wrapped && level(depth).any(|key| OF_RECORDS.contains(&fold(key).as_str()));
            !is_record && level(depth).filter(|key| !is_of_pages(key)).count() <= most
        })
    }

    /// The first scalar beside the records with one of these names, in their order.
    pub(super) fn beside(&self, names: &[&str], kinds: &[&str], document: &Document) -> Option<&[String]> {
        let fits = |path: &[String], schema: &Value, name: &str| {
            path.last().is_some_and(|l| fold(l) == name) && kinds.contains(&document.kind(schema))
        };
        let named = names.iter().find_map(|name| self.beside.iter().find(|(path, schema)| fits(path, schema, name)));
        named.map(|(path, _)| path.as_slice())
    }
}

fn good<'a>(document: &'a Document, get: &'a Value) -> Option<&'a Value> {
    let responses = get["responses"].as_object()?;
    let good = responses.iter().find(|(code, _)| code.starts_with('2'));
    Some(document.follow(good.or_else(|| responses.iter().find(|(code, _)| *code == "default"))?.1))
}

/// The schema of JSON content. The outer `None`: there is other content only.
fn schema(response: &Value) -> Option<Option<&Value>> {
    let Some(content) = response["content"].as_object().filter(|c| !c.is_empty()) else {
        return Some(response.get("schema")); // Swagger 2, or nothing said
    };
    let json = content.iter().find(|(kind, _)| kind.to_lowercase().contains("json"));
    let any = json.or_else(|| content.iter().find(|(kind, _)| kind.starts_with("*/") || *kind == "application/*"));
    any.map(|(_, media)| media.get("schema"))
}

fn fields<'a>(document: &'a Document, record: &'a Value) -> Vec<&'a str> {
    document.properties(record).into_iter().map(|(key, _)| key).collect()
}

/// Lists and scalars of an object and of the objects in it, the nearest first.
fn walk<'a>(
    document: &'a Document,
    schema: &'a Value,
    path: &mut Vec<String>,
    lists: &mut Vec<(Vec<String>, &'a Value)>,
    scalars: &mut Vec<(Vec<String>, &'a Value)>,
) {
    let properties = document.properties(schema);
    let mut objects = Vec::new();
    for (key, value) in properties {
        path.push(key.to_owned());
        match document.kind(value) {
            "array" => lists.push((path.clone(), document.follow(&document.follow(value)["items"]))),
            "object" => objects.push((key, value)),
            _ => scalars.push((path.clone(), value)),
        }
        path.pop();
    }
    if path.len() < 2 {
        for (key, value) in objects {
            path.push(key.to_owned());
            walk(document, value, path, lists, scalars);
            path.pop();
        }
    }
}
