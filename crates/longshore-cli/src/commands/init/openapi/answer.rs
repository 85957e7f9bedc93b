//! What an operation answers: where its records stand, which fields they have, and what beside them tells of more.

use super::document::{Document, fold};
use serde_json::Value;

/// Names of properties that usually hold the records.
const LISTS: [&str; 12] = [
    "data", "items", "results", "entries", "records", "rows", "entities", "payload", "content", "objects", "values",
    "value",
];

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
    pub(super) fn of(document: &'a Document, get: &'a Value, of_one: bool) -> Option<Answer<'a>> {
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
            "object" | "" => answer.envelope(document, schema, of_one),
            _ => return None,
        }
        Some(answer)
    }

    fn unknown(links: bool) -> Answer<'a> {
        Answer { list: None, fields: Vec::new(), beside: Vec::new(), links, is_unknown: true }
    }

    /// An object: it holds a list of records, or is one. An order has `items` too: what is asked for by its id and has an id of its
    /// own is a record, whatever its lists are called.
    fn envelope(&mut self, document: &'a Document, schema: &'a Value, of_one: bool) {
        let mut lists = Vec::new();
        walk(document, schema, &mut Vec::new(), &mut lists, &mut self.beside);
        let named = |(path, _): &&(Vec<String>, &Value)| path.last().is_some_and(|l| LISTS.contains(&fold(l).as_str()));
        let of_objects = |(_, items): &&(Vec<String>, &Value)| matches!(document.kind(items), "object" | "");
        let may_be_page = |(path, _): &&(Vec<String>, &Value)| !of_one || self.is_envelope(path.len());
        let found = lists.iter().filter(of_objects).filter(may_be_page).find(named);
        // A record has lists too. An object is a page where its list has a usual name, or nothing but counts and links stand beside it.
        let only = lists.iter().filter(of_objects).find(|(path, _)| self.is_envelope(path.len()));
        match found.or(only) {
            Some((path, items)) => {
                self.list = Some(path.clone());
                self.fields = fields(document, items);
            }
            None => self.fields = fields(document, schema),
        }
        self.is_unknown = lists.is_empty() && self.beside.is_empty();
    }

    fn is_envelope(&self, depth: usize) -> bool {
        let names = ["id", "uuid", "name", "title", "createdat", "email", "key", "slug"];
        let is_of_record = |(path, _): &(Vec<String>, &Value)| {
            path.len() == 1 && depth == 1 && path.last().is_some_and(|k| names.contains(&fold(k).as_str()))
        };
        !self.beside.iter().any(is_of_record)
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
