//! The authentication that a document asks for, as lines of the client.

use super::document::{Document, fold};
use super::tree::Parameter;
use super::{quoted, remark};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

#[derive(Default)]
pub(super) struct Auth {
    pub(super) lines: String,
    /// Names of the secrets that have to be filled in.
    pub(super) keys: Vec<String>,
    /// Keys in the query that are asked for beside the first: their names and those of their secrets.
    query: Vec<(String, String)>,
    /// Names of the headers and parameters that are sent for it.
    sent: Vec<String>,
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
        return Auth { lines: "# The document says nothing about authentication.\n".to_owned(), ..Auth::default() };
    };
    let mut auth = lines(document, name, scheme);
    let together = together(doc, name);
    let insisted = insisted(document);
    let beside = all.iter().filter(|(n, s)| {
        n != name && (together.contains(n) || s["name"].as_str().is_some_and(|p| insisted.contains(p)))
    });
    let mut headers = Vec::new();
    for (name, scheme) in beside {
        // Two schemes may be one key, described twice.
        if scheme["name"].as_str().is_some_and(|name| auth.sent.contains(&fold(name))) {
            continue;
        }
        match (effort(scheme), scheme["in"].as_str()) {
            (1, Some("header")) => headers.push(auth.header(document, scheme)),
            (1, Some("query")) => {
                let key = auth.key(scheme);
                auth.query.push((scheme["name"].as_str().unwrap_or_default().to_owned(), key));
            }
            _ if together.contains(name) => {
                auth.lines
                    .push_str(&format!("# ? The document asks for '{}' as well, together with it.\n", remark(name)));
            }
            _ => {}
        }
    }
    if !headers.is_empty() {
        auth.lines.push_str(&format!("headers = {{ {} }}    # asked for together with it\n", headers.join(", ")));
    }
    auth
}

/// Names of the parameters that every operation insists on, or nearly.
fn insisted(document: &Document) -> HashSet<&str> {
    let (mut counts, mut all) = (HashMap::<&str, usize>::new(), 0);
    for get in document.root["paths"].as_object().into_iter().flatten().map(|(_, item)| &item["get"]) {
        all += usize::from(get.is_object());
        let parameters = get["parameters"].as_array().into_iter().flatten().map(|p| document.follow(p));
        let needed = parameters.filter(|p| p["required"] == true).filter_map(|p| p["name"].as_str());
        needed.for_each(|name| *counts.entry(name).or_default() += 1);
    }
    counts.into_iter().filter(|(_, count)| count * 2 > all).map(|(name, _)| name).collect()
}

impl Auth {
    /// A header with a secret of its own, which is noted.
    fn header(&mut self, document: &Document, scheme: &Value) -> String {
        let key = self.key(scheme);
        format!("{} = {}", quoted(scheme["name"].as_str().unwrap_or_default()), secret(document, &key))
    }

    /// Notes that a scheme's key is sent; returns the name of its secret.
    fn key(&mut self, scheme: &Value) -> String {
        let name = scheme["name"].as_str().unwrap_or_default();
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
        let mut key: String = name.chars().map(plain).collect();
        while self.keys.contains(&key) {
            key.push_str("_2");
        }
        self.keys.push(key.clone());
        self.sent.push(fold(name));
        key
    }

    /// Parameters of all requests, as lines of `resource_defaults`.
    pub(super) fn parameters(&self, document: &Document) -> String {
        let pair = |(name, key): &(String, String)| format!("{} = {}", quoted(name), secret(document, key));
        let pairs: Vec<String> = self.query.iter().map(pair).collect();
        if pairs.is_empty() {
            return String::new();
        }
        format!("endpoint = {{ params = {{ {} }} }}    # asked for together with the first key\n", pairs.join(", "))
    }

    /// True for what is sent with every request: by the client itself, or for the authentication that was found.
    pub(super) fn covers(&self, parameter: &Parameter<'_>) -> bool {
        let name = fold(parameter.name);
        let of_client = ["useragent", "accept", "acceptencoding", "contenttype", "host"];
        let of_tokens = ["authorization", "token", "accesstoken", "authtoken"];
        parameter.is_header() && of_client.contains(&name.as_str())
            || (parameter.is_query() || parameter.is_header()) && self.sent.contains(&name)
            || (parameter.is_query() || parameter.is_header())
                && self.keys.iter().any(|key| key == "api_token" || key == "client_id")
                && of_tokens.contains(&name.as_str())
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
    let sent = if effort(scheme) == 1 { scheme["name"].as_str().unwrap_or("Authorization") } else { "Authorization" };
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    Auth { lines: format!("{note}auth = {{ {auth} }}\n"), keys, query: Vec::new(), sent: vec![fold(sent)] }
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
