//! Requests made of a plan, a parent's values and what the paginator changes.

use crate::config::ClientConfig;
use crate::paginate::Delta;
use crate::plan::{Body, HeaderValue, Param, RequestPlan};
use crate::template::Scope;
use longshore_core::error::{Error, Result};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName};
use serde_json::Value;
use url::Url;
use url::form_urlencoded::Serializer;

/// A request without authentication.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: reqwest::Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Vec<u8>>,
    /// The query's parameters as they were given, for detection.
    pub(crate) params: Vec<(String, String)>,
}

/// Makes a request.
pub(crate) fn build(client: &ClientConfig, plan: &RequestPlan, scope: Scope<'_>, delta: &Delta) -> Result<Request> {
    let mut headers = HeaderMap::new();
    put(&mut headers, ACCEPT.as_str(), "application/json")?;
    for (name, value) in &client.headers {
        put(&mut headers, name, value.expose())?;
    }
    for (name, value) in &plan.headers {
        match value {
            HeaderValue::Fixed(secret) => put(&mut headers, name, secret.expose())?,
            HeaderValue::Template(template) => {
                if let Some(text) = template.fill(scope) {
                    put(&mut headers, name, &text)?;
                }
            }
        }
    }
    let mut params = filled(&plan.params, scope);
    let url = match &delta.url {
        Some(url) => parse(url)?,
        None => {
            for (name, value) in &delta.params {
                match params.iter_mut().find(|(n, _)| n == name) {
                    Some((_, old)) => old.clone_from(value),
                    None => params.push((name.clone(), value.clone())),
                }
            }
            let path = plan.path.fill_path(scope)?;
            let mut url = parse(&join(&client.base_url, &path))?;
            if !params.is_empty() {
                url.query_pairs_mut().extend_pairs(&params);
            }
            url
        }
    };
    let body = match &plan.body {
        Body::None if delta.body.is_empty() => None,
        Body::None => Some(json_body(Value::Null, delta, &mut headers)?),
        Body::Json(template) => Some(json_body(template.fill(scope), delta, &mut headers)?),
        Body::Form(fields) => {
            default(&mut headers, "application/x-www-form-urlencoded");
            Some(Serializer::new(String::new()).extend_pairs(filled(fields, scope)).finish().into_bytes())
        }
        Body::Raw(template) => template.fill(scope).map(String::into_bytes),
    };
    Ok(Request { method: plan.method.clone(), url, headers, body, params })
}

/// The JSON body that a paginator may put values into, null for one that is not there yet; `None` for requests of
/// another kind.
pub(crate) fn open_body(plan: &RequestPlan, scope: Scope<'_>) -> Option<Value> {
    match &plan.body {
        Body::None => (plan.method == reqwest::Method::POST).then_some(Value::Null),
        Body::Json(template) => Some(template.fill(scope)).filter(Value::is_object),
        Body::Form(_) | Body::Raw(_) => None,
    }
}

fn filled(params: &[(String, Param)], scope: Scope<'_>) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for (name, param) in params {
        let templates = match param {
            Param::One(one) => std::slice::from_ref(one),
            Param::Many(many) => many,
        };
        out.extend(templates.iter().filter_map(|t| t.fill(scope)).map(|value| (name.clone(), value)));
    }
    out
}

/// dlt's way: slashes between the two are trimmed to one; a whole URL stands for itself.
pub(crate) fn join(base: &str, path: &str) -> String {
    if path.starts_with("http://") || path.starts_with("https://") || base.is_empty() {
        return path.to_owned();
    }
    let path = path.trim_start_matches('/');
    if path.is_empty() { base.to_owned() } else { format!("{}/{path}", base.trim_end_matches('/')) }
}

fn parse(url: &str) -> Result<Url> {
    Url::parse(url).map_err(|e| Error::config("the address of a request is no URL").source(e))
}

fn json_body(mut body: Value, delta: &Delta, headers: &mut HeaderMap) -> Result<Vec<u8>> {
    for (path, value) in &delta.body {
        set_at(&mut body, path, value.clone());
    }
    default(headers, "application/json");
    serde_json::to_vec(&body).map_err(|e| Error::internal("a request's body cannot be written").source(e))
}

/// Puts a value at a dotted path, making objects on the way.
fn set_at(body: &mut Value, path: &str, value: Value) {
    let mut at = body;
    for key in path.trim_start_matches("$.").split('.') {
        if !at.is_object() {
            *at = Value::Object(serde_json::Map::new());
        }
        at = &mut at[key];
    }
    *at = value;
}

fn default(headers: &mut HeaderMap, kind: &'static str) {
    headers.entry(CONTENT_TYPE).or_insert(reqwest::header::HeaderValue::from_static(kind));
}

fn put(headers: &mut HeaderMap, name: &str, value: &str) -> Result<()> {
    let wrong =
        || Error::config("a header's name or value has characters that cannot stand there").with("header", name);
    let value = reqwest::header::HeaderValue::from_str(value).map_err(|_| wrong())?;
    headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn addresses_are_joined_as_dlt_joins_them() {
        for (base, path, whole) in [
            ("https://h/api/", "/posts", "https://h/api/posts"),
            ("https://h/api", "posts", "https://h/api/posts"),
            ("https://h/api/", "", "https://h/api/"),
            ("https://h/api", "https://other/x", "https://other/x"),
        ] {
            assert_eq!(join(base, path), whole);
        }
    }

    #[test]
    fn values_are_put_into_bodies() {
        let mut body = json!({"page": {"size": 10}});
        set_at(&mut body, "page.cursor", json!("x"));
        set_at(&mut body, "n", json!(1));
        assert_eq!(body, json!({"page": {"size": 10, "cursor": "x"}, "n": 1}));
    }
}
