//! What an answer means: a page, nothing, a reason to ask again, or an error in the API's own words.

use super::{Client, Failed, JSON_ATTEMPTS, Outcome, Raw, Response};
use crate::auth::Authenticator;
use crate::config::{Action, ResponseAction};
use crate::doc::Doc;
use crate::manners::{asked_to_wait, is_limit};
use crate::request::Request;
use longshore_core::error::{Error, ErrorKind};
use longshore_core::json::NOT_FINITE;
use reqwest::StatusCode;
use serde_json::Value;
use std::time::SystemTime;

impl Client {
    /// What an answer means: by the response actions first, then by its status, then by its body.
    pub(super) fn judge(
        &self,
        resource: usize,
        raw: Raw,
        actions: &[ResponseAction],
        request: &Request,
    ) -> std::result::Result<Outcome, std::result::Result<Failed, Error>> {
        let wait = asked_to_wait(&raw.headers, SystemTime::now());
        let action = actions.iter().find(|a| {
            a.status_code.as_ref().is_none_or(|s| s.has(raw.status.as_u16()))
                && a.content.as_deref().is_none_or(|c| memmem(&raw.body, c.as_bytes()))
        });
        match action.map(|a| a.action) {
            Some(Action::Ignore) => return Ok(Outcome::Ignored),
            Some(Action::Retry) => {
                return Err(Ok(Failed { wait, ..Failed::new(self.refusal(resource, &raw)) }));
            }
            Some(Action::Fail) => {
                return Err(Err(self.refusal(resource, &raw).hint("response_actions say that this ends the load")));
            }
            None => {}
        }
        let status = raw.status;
        let limited = is_limit(status, &raw.headers);
        if limited || status == StatusCode::REQUEST_TIMEOUT || status.is_server_error() {
            if let Some(wait) = wait.filter(|_| limited || status == StatusCode::SERVICE_UNAVAILABLE) {
                self.gate(&request.url).silence(wait.min(self.longest_asked()));
            }
            return Err(Ok(Failed { wait, limited, ..Failed::new(self.refusal(resource, &raw)) }));
        }
        if !status.is_success() {
            return Err(Err(self.refusal(resource, &raw)));
        }
        if raw.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Outcome::Answer(Box::new(Response { status, headers: raw.headers, doc: None, url: raw.url })));
        }
        match Doc::parse(raw.body) {
            Ok(doc) => {
                Ok(Outcome::Answer(Box::new(Response { status, headers: raw.headers, doc: Some(doc), url: raw.url })))
            }
            Err(e) => {
                let kind =
                    raw.headers.get(reqwest::header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("no type");
                let mut error = Error::input(format!("the response is not JSON: {}", e.message))
                    .with("byte", e.offset)
                    .with("content type", kind);
                if e.message == NOT_FINITE {
                    // Asked again, it says the same.
                    return Err(Err(error.hint(
                        "ask the API for null in its place; if it cannot do that, fetch the answer by another tool, put null \
                         there, and load that: longshore load FILE",
                    )));
                }
                if let Some(hint) = instead_of_json(kind) {
                    error = error.hint(hint);
                }
                // What was unpacked has no such header any more.
                if let Some(encoding) = raw.headers.get(reqwest::header::CONTENT_ENCODING).and_then(|v| v.to_str().ok())
                {
                    error = error.with("content encoding", encoding);
                }
                if !self.cassette.is_replay() {
                    Err(Ok(Failed { most: Some(JSON_ATTEMPTS), ..Failed::new(error) }))
                } else {
                    Err(Err(error))
                }
            }
        }
    }

    /// The error of a status.
    fn refusal(&self, resource: usize, raw: &Raw) -> Error {
        let status = raw.status.as_u16();
        let said = said(&raw.body).map_or_else(String::new, |s| format!(": {}", self.redactor.text(&s)));
        let retry = is_limit(raw.status, &raw.headers) || raw.status.is_server_error();
        let kind = if retry { ErrorKind::Unavailable } else { ErrorKind::Input };
        let name = raw.status.canonical_reason().unwrap_or("no known status").to_lowercase();
        let error = Error::new(kind, format!("the API answered {status} {name}{said}"));
        let auth = self.auth(resource).filter(|_| self.is_trusted(&raw.url));
        let used = auth.map_or_else(|| "no authentication".to_owned(), Authenticator::describe);
        let none = match self.auth(resource) {
            Some(_) => {
                "a redirect or link leads to another host, which gets no credentials; if it may: client.auth_hosts"
            }
            None if status == 401 => "the API wants credentials: client.auth",
            None => "it is not allowed to read this without credentials (client.auth), or at all",
        };
        match status {
            401 | 403 if !retry && auth.is_none() => error.with("used", used).hint(none),
            401 => error.with("used", used).hint("the credentials are missing, wrong or expired"),
            403 if !retry => error.with("used", used).hint("the credentials are known, but not allowed to read this"),
            407 => Error::input("the proxy answered 407 proxy authentication required")
                .hint("put the proxy's user and password into client.proxy, or HTTP_PROXY of the environment"),
            404 => error.hint(
                "where this is no error, say so: response_actions = [{ status_code = 404, action = \"ignore\" }]",
            ),
            _ => error,
        }
    }
}

/// What to do about an answer that is something else than JSON, and says so.
fn instead_of_json(content_type: &str) -> Option<&'static str> {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_lowercase();
    if kind.contains("html") {
        return Some("it is a web page, perhaps one to log in: check client.base_url, the path and the credentials");
    }
    if kind.ends_with("xml") {
        return Some("it is XML: many APIs have another path or a parameter (format=json) for JSON");
    }
    let lines = ["ndjson", "jsonl", "json-lines", "jsonlines"].iter().any(|lines| kind.ends_with(lines));
    lines.then_some("it is a JSON value a line: 'longshore load URL' and sources of type \"files\" read that")
}

/// What an error's body says: the code and the message of the usual forms, or a short text as it is; shortened.
pub(crate) fn said(body: &[u8]) -> Option<String> {
    let said = match serde_json::from_slice(body) {
        Ok(value) => words(&value),
        Err(_) => std::str::from_utf8(body).ok().map(str::trim).filter(|text| is_plain(text))?.to_owned(),
    };
    let short: String = said.chars().filter(|c| !c.is_control()).take(200).collect();
    (!short.is_empty()).then_some(short)
}

/// No page, no JSON that was cut.
fn is_plain(text: &str) -> bool {
    text.len() <= 200 && !text.starts_with(['<', '{', '['])
}

fn words(value: &Value) -> String {
    let text = |v: &Value, keys: &[&str]| {
        keys.iter().find_map(|k| match v.get(k)? {
            Value::String(s) if !s.is_empty() => Some(s.clone()),
            Value::Number(n) => Some(n.to_string()),
            _ => None,
        })
    };
    let first = match value.get("errors") {
        Some(Value::Array(all)) => all.first().unwrap_or(value),
        // The mistakes by field: {"page": ["is too large"]}.
        Some(Value::Object(fields)) => {
            let mistakes = fields.iter().filter_map(|(field, said)| {
                let said = said.get(0).unwrap_or(said).as_str()?;
                Some(format!("{field}: {said}"))
            });
            return mistakes.collect::<Vec<_>>().join(", ");
        }
        _ => value,
    };
    if let Value::String(text) = first {
        return text.clone();
    }
    let inner = first.get("error").filter(|e| e.is_object()).unwrap_or(first);
    let code = text(inner, &["code", "error_code", "error", "type", "status"]);
    let words = ["message", "error_description", "detail", "error_message", "title", "reason", "description", "error"];
    let message = text(inner, &words).filter(|message| Some(message) != code.as_ref());
    [code, message].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn memmem(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || body.windows(text.len()).any(|w| w == text)
}

/// Headers that paginators and manners look at: those that recordings keep.
pub(crate) fn is_kept_header(name: &str) -> bool {
    matches!(name, "content-type" | "link" | "retry-after")
        || name.contains("ratelimit")
        || name.contains("cursor")
        || name.contains("next")
        || name.contains("continuation")
        || name.contains("page")
        || name.contains("total")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_has_a_way_out() {
        for (kind, part) in [
            ("text/html; charset=utf-8", "web page"),
            ("application/problem+xml", "XML"),
            ("application/x-ndjson", "longshore load"),
        ] {
            assert!(instead_of_json(kind).is_some_and(|hint| hint.contains(part)), "{kind}");
        }
        assert_eq!(instead_of_json("application/json"), None);
    }

    #[test]
    fn errors_speak_in_the_words_of_the_api() {
        for (body, words) in [
            (r#"{"error":"bad param x","code":"subscriber_not_found"}"#, Some("subscriber_not_found, bad param x")),
            (r#"{"error":"no_token"}"#, Some("no_token")),
            (r#"{"error":{"code":7,"message":"no"}}"#, Some("7, no")),
            (r#"{"errors":[{"title":"wrong"}]}"#, Some("wrong")),
            (r#"{"errors":["page is too large"]}"#, Some("page is too large")),
            (r#"{"errors":{"page":["is too large"],"size":"no"}}"#, Some("page: is too large, size: no")),
            ("upstream is away\n", Some("upstream is away")),
            ("<html>", None),
            ("{\"error\":", None),
        ] {
            assert_eq!(said(body.as_bytes()).as_deref(), words, "{body}");
        }
    }
}
