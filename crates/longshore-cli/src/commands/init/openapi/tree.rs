//! The paths that can be fetched, each with the list that gives it its values.

use super::answer::Answer;
use super::auth::Auth;
use super::document::{Document, fold};
use longshore_core::naming;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// A path with GET, or with a POST that looks for something.
pub(super) struct Node<'a> {
    pub(super) name: String,
    pub(super) path: &'a str,
    /// The operation.
    pub(super) get: &'a Value,
    pub(super) is_post: bool,
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

    /// A property of the JSON body.
    pub(super) fn is_body(&self) -> bool {
        self.place == BODY
    }

    pub(super) fn is_needed(&self) -> bool {
        self.required && (self.is_query() || self.is_header() || self.is_body())
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

/// Where a parameter of ours stands that is a property of the body.
const BODY: &str = "in the body";

/// The paths that answer records, and the others.
pub(super) struct Tree<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    /// They answer something else.
    pub(super) left_out: Vec<&'a str>,
    /// They stand in other files.
    pub(super) elsewhere: Vec<&'a str>,
}

pub(super) fn of<'a>(document: &'a Document, auth: &Auth) -> Tree<'a> {
    let (mut nodes, mut left_out, mut elsewhere) = (Vec::<Node<'_>>::new(), Vec::new(), Vec::new());
    let mut names = HashSet::new();
    for (path, item) in document.root["paths"].as_object().into_iter().flatten() {
        let item = document.follow(item);
        if item.get("$ref").is_some() {
            elsewhere.push(path.as_str());
        }
        let operation = |method: &str| item.get(method).filter(|o| o.is_object());
        let get = operation("get").map(|get| (get, Answer::of(document, get, path, is_of_one(path))));
        if matches!(get, Some((_, None))) {
            left_out.push(path.as_str());
        }
        let post = operation("post").filter(|post| is_search(path, post));
        let post = post.map(|post| (post, Answer::of(document, post, path, false).filter(|a| a.list.is_some())));
        for ((get, answer), is_post) in get.into_iter().map(|g| (g, false)).chain(post.into_iter().map(|p| (p, true))) {
            let Some(answer) = answer else { continue };
            let mut parameters = parameters(document, get, item);
            if is_post {
                parameters.extend(body(document, get));
            }
            parameters.retain(|p| !auth.covers(p));
            let name = name(path, is_post, &mut names);
            nodes.push(Node { name, path, get, is_post, answer, parameters, bound: Vec::new(), needs: Vec::new() });
        }
    }
    let lists = lists(&nodes);
    // A path's values come from lists at shorter paths, so these are settled first.
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    order.sort_by_key(|i| nodes[*i].path.matches('{').count());
    for at in order {
        let (bound, needs) = bind(&nodes, &lists, at);
        (nodes[at].bound, nodes[at].needs) = (bound, needs);
    }
    Tree { nodes, left_out, elsewhere }
}

/// True for a POST that asks and changes nothing, as far as its names tell: `/issues/search`, `searchIssues`.
fn is_search(path: &str, post: &Value) -> bool {
    const WORDS: [&str; 5] = ["search", "query", "find", "list", "filter"];
    let last = fold(bare(path).rsplit(['/', ':', '.']).next().unwrap_or_default());
    let id = post["operationId"].as_str().unwrap_or_default();
    let is_verb = |word: &&str| {
        let rest =
            id.get(..word.len()).filter(|begin| begin.eq_ignore_ascii_case(word)).map(|begin| &id[begin.len()..]);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_lowercase()))
    };
    let changes = ["create", "update", "delete"].iter().any(|word| id.to_lowercase().contains(word));
    let is_named = WORDS.contains(&last.as_str()) || last.ends_with("search") || last.ends_with("query");
    // What stands behind a # is no part of an address, and tells two operations of one path apart (AWS).
    !path.contains('#') && !changes && (is_named || WORDS.iter().any(is_verb))
}

/// The properties of a JSON body.
fn body<'a>(document: &'a Document, post: &'a Value) -> Vec<Parameter<'a>> {
    let content = document.follow(&post["requestBody"])["content"].as_object();
    let json = content.into_iter().flatten().find(|(kind, _)| kind.to_lowercase().contains("json"));
    // Swagger 2 has the body among the parameters.
    let mut older = post["parameters"].as_array().into_iter().flatten().map(|p| document.follow(p));
    let older = older.find(|p| p["in"] == "body").map(|p| &p["schema"]);
    let Some(schema) = json.map(|(_, media)| &media["schema"]).or(older).map(|s| document.follow(s)) else {
        return Vec::new();
    };
    let required = |name: &str| schema["required"].as_array().is_some_and(|r| r.iter().any(|r| r == name));
    let parameter = |(name, schema)| Parameter { name, place: BODY, required: required(name), whole: schema, schema };
    document.properties(schema).into_iter().map(parameter).collect()
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
fn name(path: &str, is_post: bool, taken: &mut HashSet<String>) -> String {
    let is_version = |w: &str| w.strip_prefix('v').is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()));
    let words: Vec<&str> = path.split('/').filter(|w| !w.is_empty() && !w.contains('{')).collect();
    let telling: Vec<&str> = words.iter().copied().filter(|w| !is_version(w) && *w != "api").collect();
    let words = if telling.is_empty() { words } else { telling };
    let words = words.join("_").trim_end_matches(".json").to_owned();
    let mut name = naming::normalize_identifier(&words).unwrap_or_else(|| "root".to_owned());
    if is_of_one(path) && !is_post {
        name.push_str("_details");
    }
    let mut free = name.clone();
    for n in 2.. {
        if taken.insert(free.clone()) {
            break;
        }
        free = format!("{name}_{n}");
    }
    free
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

/// Which nodes are lists, by the shape of their paths.
fn lists(nodes: &[Node<'_>]) -> HashMap<String, Vec<usize>> {
    let mut found = HashMap::<String, Vec<usize>>::new();
    for (at, node) in nodes.iter().enumerate().filter(|(_, n)| !is_of_one(n.path) && !n.is_post) {
        found.entry(shape(node.path)).or_default().push(at);
    }
    found
}

/// A path without the names in its braces.
fn shape(path: &str) -> String {
    let parts = bare(path).split('/').filter(|w| !w.is_empty());
    parts.map(|w| if w.starts_with('{') { "{}" } else { w }).collect::<Vec<_>>().join("/")
}

/// Finds where each part in braces gets its values: from the records of the list at the path before it.
fn bind<'a>(nodes: &[Node<'a>], lists: &HashMap<String, Vec<usize>>, at: usize) -> (Bound<'a>, Vec<String>) {
    let node = &nodes[at];
    let (mut bound, mut needs): (Bound<'a>, Vec<String>) = (Vec::new(), Vec::new());
    let mut from = 0;
    while let Some(open) = node.path[from..].find('{').map(|i| i + from) {
        let Some(close) = node.path[open..].find('}').map(|i| i + open) else { break };
        let parameter = &node.path[open + 1..close];
        let before = Some(&node.path[..open]).filter(|before| before.ends_with('/'));
        let mut fitting = before.and_then(|before| lists.get(&shape(before))).into_iter().flatten().copied();
        let parent = fitting.find(|p| follows(&nodes[*p], &bound));
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
