//! A project from an OpenAPI document: paths, authentication and paging as far as the document tells. What is guessed
//! is explained in comments.

use super::{Files, secrets};
use longshore_core::error::{Error, Result};
use longshore_core::naming;
use serde_json::{Map, Value};
use std::fmt::Write;
use std::path::Path;

/// Names of properties that usually hold the records.
const LISTS: [&str; 11] =
    ["data", "items", "results", "entries", "records", "rows", "entities", "payload", "content", "objects", "values"];

pub(super) fn project(path: &Path) -> Result<Files> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::config("the OpenAPI document cannot be read").with("file", path.display()).source(e))?;
    // JSON is YAML too, but for a few characters.
    let document = serde_json::from_str(&text).or_else(|_| serde_yaml_ng::from_str::<Value>(&text));
    let document = document.map_err(|e| {
        Error::config("the OpenAPI document is neither YAML nor JSON").with("file", path.display()).source(e)
    })?;
    if document.get("paths").and_then(Value::as_object).is_none() {
        return Err(Error::config("this is no OpenAPI document: it has no 'paths'").with("file", path.display()));
    }
    let name = document["info"]["title"].as_str().and_then(naming::normalize_identifier);
    let name = name.map_or_else(|| "api".to_owned(), |n| n.chars().take(40).collect());
    let spec = Spec { document, name };
    let secret = spec.auth().1;
    Ok(Files(vec![("longshore.toml", spec.write()), ("secrets.toml", secrets(&secret))]))
}

/// The document and the source's name.
struct Spec {
    document: Value,
    name: String,
}

/// One path that can be fetched.
struct Resource<'a> {
    name: String,
    path: &'a str,
    get: &'a Value,
    shared: &'a Value,
    /// The path's parameters in order.
    parameters: Vec<&'a str>,
}

impl Spec {
    fn write(&self) -> String {
        let name = &self.name;
        let mut out = format!(
            "# Made from an OpenAPI document by 'longshore init openapi'. What is marked with a question mark is a guess:\n\
             # look at it before the first run. The keys of the source are those of dlt's rest_api.\n\n\
             [pipeline]\nname = {0}\ndataset = {1}\ndestination = \"duckdb\"\n\n\
             [sources.{name}]\ntype = \"rest_api\"\n\n[sources.{name}.client]\n",
            quoted(name),
            quoted(&format!("{name}_data"))
        );
        let (base_url, note) = self.base_url();
        let _ = writeln!(out, "base_url = {}{note}", quoted(&base_url)); // into a String: cannot fail
        out.push_str(&self.auth().0);
        let _ = write!(out, "\n[sources.{name}.resource_defaults]\nwrite_disposition = \"append\"\n");
        let resources = self.resources();
        for resource in &resources {
            self.resource(resource, &resources, &mut out);
        }
        if resources.is_empty() {
            out.push_str("\n# The document has no path that can be read with GET: declare the resources by hand.\n");
        }
        out
    }

    fn base_url(&self) -> (String, &'static str) {
        let doc = &self.document;
        if let Some(url) = doc["servers"][0]["url"].as_str() {
            let mut url = url.to_owned();
            for (key, variable) in doc["servers"][0]["variables"].as_object().into_iter().flatten() {
                url = url.replace(&format!("{{{key}}}"), variable["default"].as_str().unwrap_or_default());
            }
            let note = if url.contains("://") { "" } else { "    # ? the document names no host" };
            return (if url.contains("://") { url } else { format!("https://example.com{url}") }, note);
        }
        // Swagger 2
        match doc["host"].as_str() {
            Some(host) => (format!("https://{host}{}", doc["basePath"].as_str().unwrap_or_default()), ""),
            None => ("https://example.com".to_owned(), "    # ? the document names no server"),
        }
    }

    /// The lines of the client, and what is to be filled in.
    fn auth(&self) -> (String, String) {
        let doc = &self.document;
        let schemes = doc["components"]["securitySchemes"].as_object().or(doc["securityDefinitions"].as_object());
        // The one that the document asks for everywhere, or the first.
        let asked = doc["security"][0].as_object().and_then(|s| s.keys().next());
        let scheme = schemes.and_then(|s| asked.and_then(|name| s.get(name)).or_else(|| s.values().next()));
        let Some(scheme) = scheme else {
            return ("# The document says nothing about authentication.\n".to_owned(), String::new());
        };
        let secret = |key: &str| format!("{{ secret = \"sources.{}.{key}\" }}", self.name);
        let word = |key: &str| scheme[key].as_str().unwrap_or_default().to_lowercase();
        let (auth, keys): (String, &[&str]) = match (word("type").as_str(), word("scheme").as_str()) {
            ("http", "basic") | ("basic", _) => (
                format!("type = \"http_basic\", username = {}, password = {}", secret("username"), secret("password")),
                &["username", "password"],
            ),
            ("apikey", _) => {
                let name = quoted(scheme["name"].as_str().unwrap_or("Authorization"));
                let location = quoted(scheme["in"].as_str().unwrap_or("header"));
                let key = secret("api_key");
                (format!("type = \"api_key\", name = {name}, location = {location}, api_key = {key}"), &["api_key"])
            }
            ("oauth2", _) => {
                let url = scheme["flows"]["clientCredentials"]["tokenUrl"].as_str().or(scheme["tokenUrl"].as_str());
                let url = quoted(url.unwrap_or("https://example.com/token"));
                let (id, secret) = (secret("client_id"), secret("client_secret"));
                let keys = &["client_id", "client_secret"];
                let auth = format!(
                    "type = \"oauth2_client_credentials\", access_token_url = {url}, client_id = {id}, client_secret = {secret}"
                );
                (auth, keys)
            }
            _ => (format!("type = \"bearer\", token = {}", secret("api_token")), &["api_token"]),
        };
        let fields: String = keys.iter().map(|k| format!("{k} = \"fill in\"\n")).collect();
        (format!("auth = {{ {auth} }}\n"), format!("[sources.{}]\n{fields}", self.name))
    }

    fn resources(&self) -> Vec<Resource<'_>> {
        let mut resources: Vec<Resource<'_>> = Vec::new();
        for (path, item) in self.document["paths"].as_object().into_iter().flatten() {
            let Some(get) = item.get("get").filter(|g| g.is_object()) else { continue };
            let parameters: Vec<&str> = path.split('{').skip(1).filter_map(|p| p.split('}').next()).collect();
            let words: Vec<&str> = path.split('/').filter(|w| !w.is_empty() && !w.contains('{')).collect();
            let mut name = naming::normalize_identifier(&words.join("_")).unwrap_or_else(|| "root".to_owned());
            if path.ends_with('}') {
                name.push_str("_details");
            }
            while resources.iter().any(|r| r.name == name) {
                name.push('_');
                name.push_str(&resources.len().to_string());
            }
            resources.push(Resource { name, path, get, shared: &item["parameters"], parameters });
        }
        resources
    }

    fn resource(&self, resource: &Resource<'_>, all: &[Resource<'_>], out: &mut String) {
        let mut lines = Vec::new();
        let summary = resource.get["summary"].as_str().map(|s| s.lines().next().unwrap_or_default().to_owned());
        let (path, missing) = bound_path(resource, all);
        lines.push(format!("path = {}", quoted(path.trim_start_matches('/'))));
        lines.extend(self.selector(resource.get));
        lines.extend(self.paginator(resource));
        let start = format!(
            "\n# {}\n[[sources.{}.resources]]\n",
            summary.unwrap_or_else(|| resource.path.to_owned()),
            self.name
        );
        let block = format!(
            "{}name = {}\n[sources.{}.resources.endpoint]\n{}\n",
            start.trim_start(),
            quoted(&resource.name),
            self.name,
            lines.join("\n")
        );
        out.push('\n');
        if missing.is_empty() {
            out.push_str(&block);
            return;
        }
        let _ = writeln!(
            out,
            "# No list gives the path's {}: say where it comes from, and take the # away.",
            missing.join(", ")
        );
        for line in block.lines() {
            let _ = writeln!(out, "# {line}");
        }
    }

    /// Follows one reference inside the document.
    fn follow<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str().and_then(|r| r.strip_prefix('#')) {
            Some(pointer) => self.document.pointer(pointer).unwrap_or(value),
            None => value,
        }
    }

    fn selector(&self, get: &Value) -> Option<String> {
        let responses = get["responses"].as_object()?;
        let response = self.follow(responses.iter().find(|(code, _)| code.starts_with('2'))?.1);
        let content = response["content"].as_object().and_then(|c| c.values().next());
        let schema = self.follow(content.map_or(&response["schema"], |c| &c["schema"]));
        if schema["type"] == "array" {
            return Some("data_selector = \"$\"".to_owned());
        }
        let empty = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&empty);
        let is_list = |name: &str| self.follow(&properties[name])["type"] == "array";
        let named = LISTS.iter().copied().find(|name| properties.contains_key(*name) && is_list(name));
        let any = || properties.keys().map(String::as_str).find(|name| is_list(name));
        match named.or_else(any) {
            Some(name) => Some(format!("data_selector = {}    # ? the list in the answer", quoted(name))),
            None if properties.is_empty() => None,
            None => Some("data_selector = \"$\"    # ? the answer has no list".to_owned()),
        }
    }

    fn paginator(&self, resource: &Resource<'_>) -> Option<String> {
        let lists = [&resource.get["parameters"], resource.shared];
        let parameters = lists.iter().filter_map(|p| p.as_array()).flatten().map(|p| self.follow(p));
        let query: Vec<&str> = parameters.filter(|p| p["in"] == "query").filter_map(|p| p["name"].as_str()).collect();
        let named = |names: &[&str]| query.iter().copied().find(|q| names.contains(&q.to_lowercase().as_str()));
        let paginator = if let Some(cursor) =
            named(&["cursor", "page_token", "pagetoken", "next_token", "starting_after"])
        {
            format!("type = \"cursor\", cursor_param = {}, cursor_path = \"next_cursor\"", quoted(cursor))
        } else if let Some(offset) = named(&["offset", "skip", "start"]) {
            let limit = named(&["limit", "count", "size", "max_results"]).unwrap_or("limit");
            let (offset, limit) = (quoted(offset), quoted(limit));
            format!("type = \"offset\", limit = 100, offset_param = {offset}, limit_param = {limit}, total_path = \"\"")
        } else if let Some(page) = named(&["page", "page_number", "pagenumber"]) {
            format!("type = \"page_number\", base_page = 1, page_param = {}, total_path = \"\"", quoted(page))
        } else if resource.path.ends_with('}') {
            "type = \"single_page\"".to_owned()
        } else {
            return None;
        };
        // Without a total these go on until a page is empty.
        let paginator = paginator.replace(", total_path = \"\"", "");
        Some(format!("paginator = {{ {paginator} }}    # ? by the names of its parameters"))
    }
}

/// Puts `{resources.parent.field}` where a list at the path before a parameter gives its values.
fn bound_path(resource: &Resource<'_>, all: &[Resource<'_>]) -> (String, Vec<String>) {
    let mut path = resource.path.to_owned();
    let mut missing = Vec::new();
    for parameter in &resource.parameters {
        let marker = format!("{{{parameter}}}");
        let before = resource.path.split(&marker).next().unwrap_or_default().trim_end_matches('/');
        let parent = all.iter().find(|r| r.path.trim_end_matches('/') == before && r.parameters.is_empty());
        // dlt's children have one parent.
        match parent.filter(|_| resource.parameters.len() == 1) {
            Some(parent) => {
                let field = if parameter.to_lowercase().ends_with("id") { "id" } else { parameter };
                path = path.replace(&marker, &format!("{{resources.{}.{field}}}", parent.name));
            }
            None => missing.push((*parameter).to_owned()),
        }
    }
    (path, missing)
}

/// A TOML string. JSON's spelling is TOML's too.
fn quoted(text: &str) -> String {
    Value::from(text.replace('\u{7f}', "")).to_string()
}
