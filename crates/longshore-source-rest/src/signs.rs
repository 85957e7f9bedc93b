//! What an API says beside its records without being asked: how many there are, and whether more follow.

use crate::doc::{Doc, Val};
use crate::select::Selected;
use reqwest::header::HeaderMap;

/// What a response said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Signs {
    /// How many records there are.
    pub(crate) count: Option<Count>,
    /// That more follow.
    pub(crate) more: bool,
}

/// A number of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) records: u64,
    /// By its name it can be nothing else; a plain `total` may be, so that it is never more than a warning.
    pub(crate) sure: bool,
}

/// Names of counts that mean nothing else.
const SURE: [&str; 7] =
    ["totalcount", "totalrecords", "totalitems", "totalobjects", "totalresults", "recordcount", "totalelements"];
/// Names that mean a count where they stand beside the records.
const LIKELY: [&str; 4] = ["total", "count", "totalsize", "@odata.count"];
/// Objects that speak of the records.
const ABOUT: [&str; 7] = ["meta", "metadata", "pagination", "paging", "page", "pageinfo", "responsemetadata"];
const HEADERS: [&str; 4] = ["x-total-count", "x-total", "x-wp-total", "total-count"];

/// Reads the signs of a page. `pages_path` is where its paginator reads a number of pages, which is no count of records.
pub(crate) fn signs(doc: Option<&Doc>, headers: &HeaderMap, selected: &Selected, pages_path: Option<&str>) -> Signs {
    let header = || HEADERS.iter().find_map(|name| headers.get(*name)?.to_str().ok()?.trim().parse::<u64>().ok());
    let likely = |records| Count { records, sure: false };
    let Some(doc) = doc else { return Signs { count: header().map(likely), more: false } };
    let speakers = speakers(doc, selected);
    let named = |names: &[&str]| {
        speakers.iter().find_map(|object| {
            let fits = |key: &str| names.contains(&fold(key).as_str()) && pages_path != Some(key);
            object.entries().find_map(|(key, value)| if fits(&key.text()?) { value.whole() } else { None })
        })
    };
    let sure = known_count(doc.root(), 0).map(|records| Count { records, sure: true });
    let count = sure.or_else(|| named(&LIKELY).or_else(header).map(likely));
    Signs { count, more: speakers.iter().any(|object| says_more(*object)) }
}

/// How many records there are, where the API says it by an unmistakable name.
pub(crate) fn said_count(doc: Option<&Doc>) -> Option<u64> {
    known_count(doc?.root(), 0)
}

/// True for a name that stands around records, not in one: counts, paging, how the request went.
pub(crate) fn is_around(key: &str) -> bool {
    const OTHERS: &str = "status success ok code message error errors warnings object kind links page pages limit offset \
                          skip perpage pagesize totalpages hasmore next previous";
    let key = fold(key);
    let key = key.as_str();
    is_about(key) || SURE.contains(&key) || LIKELY.contains(&key) || OTHERS.split(' ').any(|other| other == key)
}

/// True for the name of an object that speaks of the records beside it.
pub(crate) fn is_about(key: &str) -> bool {
    ABOUT.contains(&fold(key).as_str())
}

/// A count under one of its unmistakable names, beside the records or in an object around.
fn known_count(object: Val<'_>, depth: usize) -> Option<u64> {
    if depth > 2 {
        return None;
    }
    object.entries().find_map(|(key, value)| {
        if SURE.contains(&fold(&key.text()?).as_str()) { value.whole() } else { known_count(value, depth + 1) }
    })
}

/// The whole, the object the records stand in, and objects whose names say that they are about records.
fn speakers<'a>(doc: &'a Doc, selected: &Selected) -> Vec<Val<'a>> {
    let (list, is_root) = match selected {
        Selected::List(at) => (Some(*at), *at == 0),
        Selected::Each(all) => (None, all.contains(&0)),
        Selected::Nowhere | Selected::Nothing => (None, true),
    };
    let mut found = Vec::new();
    if !is_root {
        collect(doc.root(), true, list, 0, &mut found);
    }
    found
}

fn collect<'a>(object: Val<'a>, speaks: bool, list: Option<usize>, depth: usize, found: &mut Vec<Val<'a>>) {
    if speaks || object.entries().any(|(_, value)| Some(value.index()) == list) {
        found.push(object);
    }
    if depth < 2 {
        for (key, value) in object.entries().filter(|(_, value)| value.is_object()) {
            let speaks = key.text().is_some_and(|k| is_about(&k));
            collect(value, speaks, list, depth + 1, found);
        }
    }
}

fn says_more(object: Val<'_>) -> bool {
    object.entries().any(|(key, value)| {
        let Some(key) = key.text() else { return false };
        match fold(&key).as_str() {
            "hasmore" | "hasnext" | "hasnextpage" | "istruncated" => value.truth() == Some(true),
            "done" | "islast" | "islastpage" => value.truth() == Some(false),
            _ => false,
        }
    })
}

/// `Total_Count`, `totalCount` and `total-count` are the same.
fn fold(key: &str) -> String {
    key.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jsonpath::JsonPath;

    fn of(text: &str, path: &str) -> (Option<u64>, bool) {
        let doc = Doc::parse(text.into()).unwrap();
        let selected = crate::select::select(&doc, &JsonPath::parse(path).unwrap());
        let found = signs(Some(&doc), &HeaderMap::new(), &selected, Some("pages"));
        (found.count.map(|c| c.records), found.more)
    }

    #[test]
    fn counts_and_more_are_read_beside_the_records_only() {
        for (text, path, count, more) in [
            (r#"{"items":[1],"total":25}"#, "items", Some(25), false),
            (r#"{"items":[1],"total":25}"#, "items[*]", Some(25), false),
            (r#"{"count":25,"results":[1],"has_more":true}"#, "results", Some(25), true),
            (r#"{"totalSize":25,"done":false,"records":[1]}"#, "records", Some(25), true),
            (r#"{"@odata.count":20,"value":[1]}"#, "value", Some(20), false),
            (r#"{"data":{"nodes":[1],"total":3,"pageInfo":{"hasNextPage":true}}}"#, "data.nodes", Some(3), true),
            (r#"{"meta":{"paging":{"total_count":"7"}},"data":[1]}"#, "data", Some(7), false),
            // A sum, a number of pages, a record of its own.
            (r#"{"order":{"total":500},"lines":[1]}"#, "lines", None, false),
            (r#"{"total":12.5,"lines":[1]}"#, "lines", None, false),
            (r#"{"pages":3,"data":[1]}"#, "data", None, false),
            (r#"{"id":1,"total":500,"done":false}"#, "$", None, false),
            (r#"[{"total":500,"has_more":true}]"#, "$", None, false),
        ] {
            assert_eq!(of(text, path), (count, more), "{text}");
        }
    }

    #[test]
    fn headers_count_where_the_body_does_not() {
        let mut headers = HeaderMap::new();
        headers.insert("x-total-count", "25".parse().unwrap());
        let doc = Doc::parse(b"[1]".to_vec()).unwrap();
        let found = signs(Some(&doc), &headers, &Selected::List(0), None);
        assert_eq!(found.count, Some(Count { records: 25, sure: false }));
    }
}
