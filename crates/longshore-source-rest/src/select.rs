//! Where the records are in a response.

use crate::doc::{Doc, Val};
use crate::jsonpath::JsonPath;

/// Keys that lists of records usually stand under (dlt: `RECORD_KEY_PATTERNS`).
const KNOWN: [&str; 11] =
    ["data", "items", "results", "entries", "records", "rows", "entities", "payload", "content", "objects", "values"];

/// Records of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selected {
    /// The elements of one list.
    List(usize),
    /// These values.
    Each(Vec<usize>),
    /// None; and the selector leads nowhere.
    Nowhere,
    Nothing,
}

impl Selected {
    pub(crate) fn records<'a>(&self, doc: &'a Doc) -> Vec<Val<'a>> {
        match self {
            Selected::List(at) => doc.at(*at).elements().collect(),
            Selected::Each(all) => all.iter().map(|at| doc.at(*at)).collect(),
            Selected::Nowhere | Selected::Nothing => Vec::new(),
        }
    }
}

/// Selects as dlt does (`RESTClient.extract_response`): one match that is a list means its elements, several
/// matches are a record each.
pub(crate) fn select(doc: &Doc, path: &JsonPath) -> Selected {
    let found = path.all(doc, doc.root());
    match found.as_slice() {
        [] if path.is_of_empty_list(doc) => Selected::Nothing,
        [] => Selected::Nowhere,
        [one] if one.is_null() => Selected::Nothing,
        [one] if one.is_list() => Selected::List(one.index()),
        several => Selected::Each(several.iter().map(|v| v.index()).collect()),
    }
}

/// Guesses where the records are (dlt: `find_response_page_data`): keys from the top, none for the whole.
pub(crate) fn guess(root: Val<'_>) -> Vec<String> {
    let lists = lists(root);
    let known = lists.iter().find(|path| path.last().is_some_and(|k| KNOWN.contains(&k.as_str())));
    known.or(lists.first()).cloned().unwrap_or_default()
}

/// Lists that stand where records may be: keys from the top.
pub(crate) fn lists(root: Val<'_>) -> Vec<Vec<String>> {
    let mut lists = Vec::new();
    collect(root, &mut Vec::new(), &mut lists);
    lists
}

/// True where a list stands under one of the usual keys.
pub(crate) fn has_known_list(root: Val<'_>) -> bool {
    guess(root).last().is_some_and(|k| KNOWN.contains(&k.as_str()))
}

fn collect(object: Val<'_>, path: &mut Vec<String>, lists: &mut Vec<Vec<String>>) {
    if path.len() > 2 {
        return;
    }
    for (key, value) in object.entries() {
        let Some(key) = key.text() else { continue };
        path.push(key.into_owned());
        if value.is_list() {
            lists.push(path.clone());
        } else if value.is_object() {
            collect(value, path, lists);
        }
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_guessed_as_dlt_guesses_them() {
        for (text, path) in [
            (r#"{"data": [1]}"#, "data"),
            (r#"{"a": 1, "b": {"c": [1]}}"#, "b.c"),
            (r#"{"tags": [], "data": {"items": [1]}}"#, "data.items"),
            (r#"{"Data": [1], "x": [2]}"#, "Data"),
            (r#"{"a": {"b": {"c": {"data": [1]}}}, "l": []}"#, "l"),
            (r#"{"id": 1}"#, ""),
            (r#"[1]"#, ""),
        ] {
            let doc = Doc::parse(text.into()).unwrap();
            assert_eq!(guess(doc.root()).join("."), path, "{text}");
        }
    }

    #[test]
    fn one_list_means_its_elements_and_several_values_are_records() {
        let doc = Doc::parse(r#"{"l": [{"v": [1]}, {"v": [2]}], "o": {"a": 1}, "n": null}"#.into()).unwrap();
        let count = |path: &str| select(&doc, &JsonPath::parse(path).unwrap()).records(&doc).len();
        assert_eq!(count("l"), 2);
        assert_eq!(count("l[*].v"), 2);
        assert_eq!(count("o"), 1);
        assert_eq!(count("n"), 0);
        assert_eq!(select(&doc, &JsonPath::parse("x").unwrap()), Selected::Nowhere);
        let empty = Doc::parse(r#"{"l": []}"#.into()).unwrap();
        assert_eq!(select(&empty, &JsonPath::parse("l[*]").unwrap()), Selected::Nothing);
        assert_eq!(select(&empty, &JsonPath::parse("x[*]").unwrap()), Selected::Nowhere);
    }
}
