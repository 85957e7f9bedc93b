//! The paths that can be fetched, each with the list that gives it its values.

use super::answer::Answer;
use super::document::{Document, fold};
use longshore_core::naming;
use serde_json::Value;

/// A path with GET.
pub(super) struct Node<'a> {
    pub(super) name: String,
    pub(super) path: &'a str,
    pub(super) get: &'a Value,
    pub(super) answer: Answer<'a>,
    pub(super) parameters: Vec<Parameter<'a>>,
    /// For each part in braces: the resource and the field that gives it.
    pub(super) bound: Vec<(&'a str, Option<(usize, String)>)>,
    /// What has to be put in by hand.
    pub(super) needs: Vec<String>,
}

/// A parameter of an operation.
pub(super) struct Parameter<'a> {
    pub(super) name: &'a str,
    place: &'a str,
    required: bool,
    whole: &'a Value,
    schema: &'a Value,
}

impl<'a> Parameter<'a> {
    pub(super) fn is_query(&self) -> bool {
        self.place == "query"
    }

    pub(super) fn is_header(&self) -> bool {
        self.place == "header"
    }

    pub(super) fn is_needed(&self) -> bool {
        self.required && (self.is_query() || self.is_header())
    }

    /// A value the document itself gives.
    pub(super) fn value(&self) -> Option<&'a Value> {
        let examples = self.whole["examples"].as_object().and_then(|e| e.values().next()).map(|e| &e["value"]);
        let all = [Some(&self.schema["default"]), Some(&self.whole["default"]), Some(&self.whole["example"]), examples];
        let more = [Some(&self.schema["example"]), Some(&self.schema["examples"][0]), Some(&self.schema["enum"][0])];
        // Of a list one value will do.
        let items = &self.schema["items"];
        let of_list = [&self.schema["default"][0], &items["default"], &items["example"], &items["enum"][0]].map(Some);
        all.into_iter().chain(more).chain(of_list).flatten().find(|v| v.is_string() || v.is_number() || v.is_boolean())
    }

    /// The largest number that is allowed, or the usual one.
    pub(super) fn most(&self) -> Option<u64> {
        let numbers = ["maximum", "default"].iter().map(|k| self.schema[*k].as_u64());
        numbers.flatten().find(|n| (1..=10_000).contains(n))
    }

    pub(super) fn begins_with_zero(&self) -> bool {
        self.schema["default"] == 0 || (self.schema["minimum"] == 0 && self.schema["default"].is_null())
    }

    /// It limits the answer to what has changed since then.
    pub(super) fn is_since(&self) -> bool {
        let name = fold(self.name);
        let known =
            ["since", "updatedsince", "modifiedsince", "updatedafter", "modifiedafter", "updatedatmin", "changedsince"];
        self.is_query() && known.contains(&name.as_str())
    }
}

/// All paths that answer records, and those that do not.
pub(super) fn of(document: &Document) -> (Vec<Node<'_>>, Vec<&str>) {
    let (mut nodes, mut left_out) = (Vec::<Node<'_>>::new(), Vec::new());
    for (path, item) in document.root["paths"].as_object().into_iter().flatten() {
        let item = document.follow(item);
        let Some(get) = item.get("get").filter(|g| g.is_object()) else { continue };
        let Some(answer) = Answer::of(document, get, is_of_one(path)) else {
            left_out.push(path.as_str());
            continue;
        };
        let parameters = parameters(document, get, item);
        let name = name(path, &nodes);
        nodes.push(Node { name, path, get, answer, parameters, bound: Vec::new(), needs: Vec::new() });
    }
    // A path's values come from lists at shorter paths, so these are settled first.
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    order.sort_by_key(|i| nodes[*i].path.matches('{').count());
    for at in order {
        let (bound, needs) = bind(&nodes, at);
        (nodes[at].bound, nodes[at].needs) = (bound, needs);
    }
    (nodes, left_out)
}

fn parameters<'a>(document: &'a Document, get: &'a Value, item: &'a Value) -> Vec<Parameter<'a>> {
    let mut found: Vec<Parameter<'a>> = Vec::new();
    let lists = [&get["parameters"], &item["parameters"]];
    for whole in lists.into_iter().filter_map(Value::as_array).flatten().map(|p| document.follow(p)) {
        let (Some(name), Some(place)) = (whole["name"].as_str(), whole["in"].as_str()) else { continue };
        // The operation's own win over those of the path.
        if !found.iter().any(|p| p.name == name && p.place == place) {
            let schema = whole.get("schema").map_or(whole, |s| document.follow(s)); // Swagger 2 has no schema
            found.push(Parameter { name, place, required: whole["required"] == true, whole, schema });
        }
    }
    found
}

/// The path's words, without versions.
fn name(path: &str, others: &[Node<'_>]) -> String {
    let is_version = |w: &str| w.strip_prefix('v').is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()));
    let words: Vec<&str> = path.split('/').filter(|w| !w.is_empty() && !w.contains('{')).collect();
    let telling: Vec<&str> = words.iter().copied().filter(|w| !is_version(w) && *w != "api").collect();
    let words = if telling.is_empty() { words } else { telling };
    let words = words.join("_").trim_end_matches(".json").to_owned();
    let mut name = naming::normalize_identifier(&words).unwrap_or_else(|| "root".to_owned());
    if is_of_one(path) {
        name.push_str("_details");
    }
    let taken = |name: &str| others.iter().any(|o| o.name == name);
    match (2..).map(|n| format!("{name}_{n}")).find(|n| !taken(n)) {
        Some(numbered) if taken(&name) => numbered,
        _ => name,
    }
}

/// True where a path ends in a part in braces.
pub(super) fn is_of_one(path: &str) -> bool {
    bare(path).ends_with('}')
}

/// A path for comparing: without names in braces and endings.
fn bare(path: &str) -> &str {
    path.trim_end_matches('/').trim_end_matches(".json")
}

type Bound<'a> = Vec<(&'a str, Option<(usize, String)>)>;

/// Finds where each part in braces gets its values: from the records of the list at the path before it.
fn bind<'a>(nodes: &[Node<'a>], at: usize) -> (Bound<'a>, Vec<String>) {
    let node = &nodes[at];
    let (mut bound, mut needs): (Bound<'a>, Vec<String>) = (Vec::new(), Vec::new());
    let mut from = 0;
    while let Some(open) = node.path[from..].find('{').map(|i| i + from) {
        let Some(close) = node.path[open..].find('}').map(|i| i + open) else { break };
        let parameter = &node.path[open + 1..close];
        let parent = nodes.iter().position(|p| is_list_at(p, &node.path[..open]) && follows(p, &bound));
        match parent {
            Some(parent) => bound.push((parameter, Some((parent, field(&nodes[parent], parameter))))),
            None => {
                bound.push((parameter, None));
                needs.push(format!("'{parameter}' of the path, which no list here gives"));
            }
        }
        from = close + 1;
    }
    // What depends on a resource that misses something misses it too.
    for (_, (parent, _)) in bound.iter().filter_map(|(p, b)| b.as_ref().map(|b| (p, b))) {
        if !nodes[*parent].needs.is_empty() && needs.is_empty() {
            needs.push(format!("what '{}' misses", nodes[*parent].name));
        }
    }
    for parameter in node.parameters.iter().filter(|p| p.is_needed() && p.value().is_none()) {
        needs.push(format!("a value for '{}'", parameter.name));
    }
    (bound, needs)
}

fn is_list_at(node: &Node<'_>, prefix: &str) -> bool {
    let shape = |path: &str| -> String {
        let parts = bare(path).split('/').filter(|w| !w.is_empty());
        parts.map(|w| if w.starts_with('{') { "{}" } else { w }).collect::<Vec<_>>().join("/")
    };
    prefix.ends_with('/') && shape(node.path) == shape(prefix) && !is_of_one(node.path)
}

/// True where a list is bound to the very resources that come before it in the path.
fn follows(list: &Node<'_>, before: &Bound<'_>) -> bool {
    let parents = |b: &Bound<'_>| b.iter().map(|(_, b)| b.as_ref().map(|(p, _)| *p)).collect::<Vec<_>>();
    parents(&list.bound) == parents(before)
}

/// Which field of a list's records a parameter means: its own name, its last word, or an id.
fn field(list: &Node<'_>, parameter: &str) -> String {
    let fields = &list.answer.fields;
    let wanted = fold(parameter);
    let by_name = fields.iter().find(|f| fold(f) == wanted);
    let by_end = fields.iter().filter(|f| f.len() > 1 && wanted.ends_with(&fold(f))).max_by_key(|f| f.len());
    let usual = ["id", "uuid", "key", "slug", "code", "name"].iter().find(|n| fields.contains(n));
    by_name.or(by_end).or(usual).map_or_else(|| "id".to_owned(), |f| (*f).to_owned())
}
