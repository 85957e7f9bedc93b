//! The authentication that a document asks for, as lines of the client.

use super::document::Document;
use super::{quoted, remark};
use serde_json::Value;

pub(super) struct Auth {
    pub(super) lines: String,
    /// Names of the secrets that have to be filled in.
    pub(super) keys: Vec<String>,
}

/// Takes the easiest of the schemes that are asked for, and what is asked for together with it.
pub(super) fn of(document: &Document) -> Auth {
    let doc = &document.root;
    let schemes = doc["components"]["securitySchemes"].as_object().or(doc["securityDefinitions"].as_object());
    let all = schemes.into_iter().flatten().map(|(name, scheme)| (name.as_str(), document.follow(scheme)));
    let all: Vec<(&str, &Value)> = all.collect();
    let asked = asked(doc);
    let wanted = all.iter().filter(|(name, _)| asked.contains(name)).min_by_key(|(_, s)| effort(s));
    let Some((name, scheme)) = wanted.or_else(|| all.iter().min_by_key(|(_, s)| effort(s))) else {
        return Auth { lines: "# The document says nothing about authentication.\n".to_owned(), keys: Vec::new() };
    };
    let mut auth = lines(document, name, scheme);
    let together = together(doc, name);
    let beside = all.iter().filter(|(n, _)| n != name && together.contains(n));
    let (headers, others): (Vec<_>, Vec<_>) = beside.partition(|(_, s)| effort(s) == 1 && s["in"] == "header");
    let headers: Vec<String> = headers.into_iter().map(|(_, scheme)| auth.header(document, scheme)).collect();
    if !headers.is_empty() {
        auth.lines.push_str(&format!("headers = {{ {} }}    # asked for together with it\n", headers.join(", ")));
    }
    for (name, _) in others {
        auth.lines.push_str(&format!("# ? The document asks for '{}' as well, together with it.\n", remark(name)));
    }
    auth
}

impl Auth {
    /// A header with a secret of its own, which is noted.
    fn header(&mut self, document: &Document, scheme: &Value) -> String {
        let name = scheme["name"].as_str().unwrap_or_default();
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
        let mut key: String = name.chars().map(plain).collect();
        while self.keys.contains(&key) {
            key.push_str("_2");
        }
        let header = format!("{} = {}", quoted(name), secret(document, &key));
        self.keys.push(key);
        header
    }
}

/// Names of the schemes in the shortest requirement that has this one: all of them are asked for at once.
fn together<'a>(doc: &'a Value, name: &str) -> Vec<&'a str> {
    let gets = doc["paths"].as_object().into_iter().flatten().map(|(_, item)| &item["get"]);
    let alternatives = std::iter::once(doc).chain(gets).filter_map(|of| of["security"].as_array()).flatten();
    let fitting = alternatives.filter_map(Value::as_object).filter(|all| all.contains_key(name));
    fitting.min_by_key(|all| all.len()).map(|all| all.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// Names of the schemes that the document asks for everywhere; where it does not, somewhere.
fn asked(doc: &Value) -> Vec<&str> {
    let names = |security: &'static str, of: &'_ Value| -> Vec<String> {
        let alternatives = of[security].as_array().into_iter().flatten();
        alternatives.filter_map(Value::as_object).flat_map(|a| a.keys().cloned()).collect()
    };
    let mut found = names("security", doc);
    if found.is_empty() {
        let items = doc["paths"].as_object().into_iter().flatten().map(|(_, item)| &item["get"]);
        found = items.flat_map(|get| names("security", get)).collect();
    }
    let schemes = [&doc["components"]["securitySchemes"], &doc["securityDefinitions"]];
    let known = schemes.into_iter().filter_map(Value::as_object).flat_map(|s| s.keys());
    known.map(String::as_str).filter(|name| found.iter().any(|f| f == name)).collect()
}

fn effort(scheme: &Value) -> u8 {
    match (word(scheme, "type").as_str(), word(scheme, "scheme").as_str()) {
        ("http", "bearer") => 0,
        ("apikey", _) => 1,
        ("oauth2", _) if token_url(scheme).is_some() => 2,
        ("http", "basic") | ("basic", _) => 3,
        _ => 4,
    }
}

fn word(scheme: &Value, key: &str) -> String {
    scheme[key].as_str().unwrap_or_default().to_lowercase()
}

/// Where a program gets a token without a browser.
fn token_url(scheme: &Value) -> Option<&str> {
    let flow = scheme["flow"].as_str();
    let swagger = scheme["tokenUrl"].as_str().filter(|_| flow == Some("application"));
    scheme["flows"]["clientCredentials"]["tokenUrl"].as_str().or(swagger)
}

fn lines(document: &Document, name: &str, scheme: &Value) -> Auth {
    let secret = |key: &str| secret(document, key);
    let (auth, keys, note): (String, &[&str], &str) = match effort(scheme) {
        1 => {
            let name = quoted(scheme["name"].as_str().unwrap_or("Authorization"));
            let location = quoted(scheme["in"].as_str().unwrap_or("header"));
            let auth =
                format!("type = \"api_key\", name = {name}, location = {location}, api_key = {}", secret("api_key"));
            (auth, &["api_key"], "")
        }
        2 => {
            let url = quoted(&whole(document, token_url(scheme).unwrap_or_default()));
            let scopes = scopes(&document.root, name);
            let auth = format!(
                "type = \"oauth2_client_credentials\", access_token_url = {url}, client_id = {}, client_secret = {}{scopes}",
                secret("client_id"),
                secret("client_secret")
            );
            (auth, &["client_id", "client_secret"], "")
        }
        3 => {
            let (user, password) = (secret("username"), secret("password"));
            let auth = format!("type = \"http_basic\", username = {user}, password = {password}");
            (auth, &["username", "password"], "")
        }
        kind => {
            let auth = format!("type = \"bearer\", token = {}", secret("api_token"));
            let note = if kind == 0 {
                ""
            } else {
                "# ? The document only knows ways that need a browser: put a token from there into secrets.toml.\n"
            };
            (auth, &["api_token"], note)
        }
    };
    Auth { lines: format!("{note}auth = {{ {auth} }}\n"), keys: keys.iter().map(|key| (*key).to_owned()).collect() }
}

fn secret(document: &Document, key: &str) -> String {
    format!("{{ secret = \"sources.{}.{key}\" }}", document.name)
}

fn scopes(doc: &Value, name: &str) -> String {
    let asked = doc["security"].as_array().into_iter().flatten().find_map(|a| a[name].as_array());
    let scopes: Vec<&str> = asked.into_iter().flatten().filter_map(Value::as_str).collect();
    match scopes.as_slice() {
        [] => String::new(),
        _ => format!(", access_token_request_data = {{ scope = {} }}", quoted(&scopes.join(" "))),
    }
}

/// A token's address may be relative to the server's.
fn whole(document: &Document, url: &str) -> String {
    if url.contains("://") {
        return url.to_owned();
    }
    let base = document.base_url().0;
    let host: String = base.split('/').take(3).collect::<Vec<_>>().join("/");
    format!("{host}/{}", url.trim_start_matches('/'))
}
