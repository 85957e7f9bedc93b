//! The lines of one resource.

use super::document::Document;
use super::paging::{self, dotted};
use super::tree::{Node, Parameter, is_of_one};
use super::{quoted, remark};
use serde_json::Value;

pub(super) fn lines(document: &Document, node: &Node<'_>, all: &[Node<'_>]) -> String {
    let is_details = is_of_one(node.path) && node.answer.list.is_none() && !node.is_post;
    let mut out =
        format!("# {}\n[[sources.{}.resources]]\nname = {}\n", title(node), document.name, quoted(&node.name));
    if is_details && node.bound.iter().any(|(_, b)| b.is_some()) {
        out.push_str("selected = false    # one request for each record of the list: take this line away to load it\n");
    }
    if node.is_post {
        out.push_str(
            "selected = false    # ? a POST that only looks for something: then take this line away to load it\n",
        );
    }
    out.push_str(&format!("[sources.{}.resources.endpoint]\npath = {}", document.name, quoted(&path(node, all))));
    out.push_str(&remark_on_path(node));
    out.push('\n');
    if node.is_post {
        out.push_str("method = \"POST\"\n");
    }
    if let Some(line) = selector(node, is_details) {
        out.push_str(&line);
    }
    let paging = if is_details { None } else { paging::guess(document, &node.answer, &node.parameters) };
    match &paging {
        Some(paging) => {
            out.push_str(&format!("paginator = {{ {} }}    # ? by the names of parameters and fields\n", paging.keys))
        }
        None if is_details => out.push_str("paginator = { type = \"single_page\" }\n"),
        None => out.push_str("# How pages follow one another is not told: it is found out from the first answer.\n"),
    }
    out.push_str(&parameters(node, paging.and_then(|p| p.size)));
    if let Some(since) = node.parameters.iter().find(|p| p.is_since()) {
        out.push_str(&format!(
            "# Only what is new: incremental = {{ cursor_path = \"updated_at\", initial_value = \"2024-01-01T00:00:00Z\", start_param = {} }}\n",
            quoted(since.name)
        ));
    }
    out
}

fn title(node: &Node<'_>) -> String {
    let text =
        ["summary", "description"].iter().filter_map(|k| node.get[*k].as_str()).map(remark).find(|t| !t.is_empty());
    let gone = if node.get["deprecated"] == true { " (deprecated)" } else { "" };
    format!("{}{gone}", text.unwrap_or_else(|| remark(node.path)))
}

/// The path with `{resources.list.field}` in place of its parameters.
fn path(node: &Node<'_>, all: &[Node<'_>]) -> String {
    let mut path = node.path.trim_start_matches('/').to_owned();
    for (parameter, bound) in &node.bound {
        if let Some((parent, field)) = bound {
            let value = format!("{{resources.{}.{}}}", all[*parent].name, dotted(std::slice::from_ref(field)));
            path = path.replacen(&format!("{{{parameter}}}"), &value, 1);
        }
    }
    path
}

fn remark_on_path(node: &Node<'_>) -> String {
    let guessed = node.bound.iter().filter_map(|(parameter, b)| b.as_ref().map(|(_, field)| (parameter, field)));
    let guessed = guessed.filter(|(parameter, field)| parameter != field);
    let told: Vec<String> = guessed.map(|(parameter, field)| format!("{field} is its {parameter}")).collect();
    if told.is_empty() { String::new() } else { format!("    # ? {}", remark(&told.join(", "))) }
}

fn selector(node: &Node<'_>, is_details: bool) -> Option<String> {
    let answer = &node.answer;
    match &answer.list {
        Some(path) if path.is_empty() => Some("data_selector = \"$\"\n".to_owned()),
        Some(path) => Some(format!("data_selector = {}    # ? the list in the answer\n", quoted(&dotted(path)))),
        None if is_details => Some("data_selector = \"$\"\n".to_owned()),
        None if answer.is_unknown => None,
        None => Some("data_selector = \"$\"    # ? the answer is one record\n".to_owned()),
    }
}

/// Parameters the API insists on, and the size of a page.
fn parameters(node: &Node<'_>, size: Option<&Parameter<'_>>) -> String {
    let mut out = String::new();
    for key in ["params", "headers", "json"] {
        let is_here = |p: &Parameter<'_>| match key {
            "params" => p.is_query(),
            "headers" => p.is_header(),
            _ => p.is_body(),
        };
        let needed = node.parameters.iter().filter(|p| p.is_needed() && is_here(p));
        let value = |p: &Parameter<'_>| p.value().map_or_else(|| quoted("fill in"), toml);
        let mut pairs: Vec<String> = needed.map(|p| format!("{} = {}", quoted(p.name), value(p))).collect();
        let note = if pairs.is_empty() { "" } else { "    # ? the API asks for it" };
        if let Some((p, most)) = size.filter(|p| is_here(p)).and_then(|p| Some((p, p.most()?)))
            && !p.is_needed()
        {
            pairs.push(format!("{} = {most}", quoted(p.name)));
        }
        if !pairs.is_empty() {
            out.push_str(&format!("{key} = {{ {} }}{note}\n", pairs.join(", ")));
        } else if key == "json" && node.is_post {
            out.push_str("json = {}\n");
        }
    }
    out
}

fn toml(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}
