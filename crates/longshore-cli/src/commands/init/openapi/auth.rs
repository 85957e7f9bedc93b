//! The authentication that a document asks for, as lines of the client.

use super::document::Document;
use super::quoted;
use serde_json::Value;

pub(super) struct Auth {
    pub(super) lines: String,
    /// Names of the secrets that have to be filled in.
    pub(super) keys: &'static [&'static str],
}

/// Takes the easiest of the schemes that are asked for.
pub(super) fn of(document: &Document) -> Auth {
    let doc = &document.root;
    let schemes = doc["components"]["securitySchemes"].as_object().or(doc["securityDefinitions"].as_object());
    let all = schemes.into_iter().flatten().map(|(name, scheme)| (name.as_str(), document.follow(scheme)));
    let all: Vec<(&str, &Value)> = all.collect();
    let asked = asked(doc);
    let wanted = all.iter().filter(|(name, _)| asked.contains(name)).min_by_key(|(_, s)| effort(s));
    match wanted.or_else(|| all.iter().min_by_key(|(_, s)| effort(s))) {
        Some((name, scheme)) => lines(document, name, scheme),
        None => Auth { lines: "# The document says nothing about authentication.\n".to_owned(), keys: &[] },
    }
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
    let secret = |key: &str| format!("{{ secret = \"sources.{}.{key}\" }}", document.name);
    let (auth, keys, note): (String, &'static [&'static str], &str) = match effort(scheme) {
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
    Auth { lines: format!("{note}auth = {{ {auth} }}\n"), keys }
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
