//! A project from an OpenAPI document (3.0, 3.1) or a Swagger 2 one: paths, authentication and paging as far as the
//! document tells. What is guessed is explained in comments.

mod answer;
mod auth;
mod document;
mod paging;
mod resource;
mod tree;

use super::{Files, quoted, secrets};
use auth::Auth;
use document::Document;
use longshore_core::error::Error;
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;
use tree::{Node, Tree};

pub(super) fn project(path: &Path) -> longshore_core::error::Result<Files> {
    if path.to_str().is_some_and(|p| p.starts_with("http://") || p.starts_with("https://")) {
        return Err(Error::config("the OpenAPI document has to be a file").hint("fetch it first, with curl -LO URL"));
    }
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::config("the OpenAPI document cannot be read").with("file", path.display()).source(e))?;
    let root = read(&text).map_err(|e| {
        Error::config("the OpenAPI document is neither YAML nor JSON").with("file", path.display()).source(e)
    })?;
    if root.get("paths").and_then(Value::as_object).is_none() {
        return Err(Error::config("this is no OpenAPI document: it has no 'paths'").with("file", path.display()));
    }
    let document = Document::new(root);
    let auth = auth::of(&document);
    let fields: String = auth.keys.iter().map(|key| format!("{key} = \"fill in\"\n")).collect();
    let filled = if fields.is_empty() { fields } else { format!("[sources.{}]\n{fields}", document.name) };
    Ok(Files(vec![("longshore.toml", write(&document, &auth)), ("secrets.toml", secrets(&filled))]))
}

/// JSON is YAML too, but for a few characters.
fn read(text: &str) -> Result<Value, serde_yaml_ng::Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Ok(json) = serde_json::from_str(text) {
        return Ok(json);
    }
    // Limits of whole numbers are longer than 64 bits in some documents (OpenAI's), which only our own reader takes.
    let again = |e| longshore_config::parse("openapi.yaml", text).map(|tree| tree.to_json()).map_err(|_| e);
    serde_yaml_ng::from_str::<Value>(text).or_else(again)
}

fn write(document: &Document, auth: &Auth) -> String {
    let name = &document.name;
    let Tree { nodes, left_out, elsewhere } = tree::of(document, auth);
    let none = match nodes.iter().all(|n| !n.needs.is_empty()) {
        true => {
            "# No path can be read as it is: put in what is missing below, and take this line away.\nresources = []\n"
        }
        false => "",
    };
    let mut out = format!(
        "# Made from an OpenAPI document by 'longshore init openapi'. What is marked with a question mark is a guess:\n\
         # look at it before the first run. The keys of the source are those of dlt's rest_api.\n\n\
         [pipeline]\nname = {0}\ndataset = {1}\ndestination = \"duckdb\"\n\n\
         [sources.{name}]\ntype = \"rest_api\"\n{none}\n[sources.{name}.client]\n",
        quoted(name),
        quoted(&format!("{name}_data"))
    );
    let (base_url, note) = document.base_url();
    let _ = writeln!(out, "base_url = {}{note}", quoted(&base_url)); // into a String: cannot fail
    out.push_str(&auth.lines);
    let _ = write!(
        out,
        "\n# Each run replaces what is there. To keep what the API no longer has: \"append\", or \"merge\" with a primary_key.\n\
         [sources.{name}.resource_defaults]\nwrite_disposition = \"replace\"\n{}",
        auth.parameters(document)
    );
    for node in &nodes {
        out.push('\n');
        out.push_str(&block(document, node, &nodes));
    }
    if !left_out.is_empty() {
        let _ = write!(out, "\n# Left out, because they answer no JSON records: {}\n", left_out.join(", "));
    }
    if !elsewhere.is_empty() {
        let _ = write!(
            out,
            "\n# Not read, because they stand in other files; join them to one document first (redocly bundle): {}\n",
            elsewhere.join(", ")
        );
    }
    out
}

/// A resource's lines; as comments where something is missing.
fn block(document: &Document, node: &Node<'_>, all: &[Node<'_>]) -> String {
    let block = resource::lines(document, node, all);
    if node.needs.is_empty() {
        return block;
    }
    let mut out = format!("# Missing: {}. Put it in, and take the # away.\n", node.needs.join("; "));
    block.lines().for_each(|line| {
        let _ = writeln!(out, "# {line}");
    });
    out
}

/// Text for a comment: one line, without control characters and the tags of HTML.
fn remark(text: &str) -> String {
    let plain: String = text.split('<').map(|p| p.split_once('>').map_or(p, |(_, rest)| rest)).collect();
    let line = if text.trim_start().starts_with('<') { plain.as_str() } else { text };
    let line = line.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or_default();
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.chars().count() > 110 {
        format!("{}…", line.chars().take(110).collect::<String>().trim_end())
    } else {
        line
    }
}

#[cfg(test)]
mod tests;
