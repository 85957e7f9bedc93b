//! Workload identity federation: another provider's token is exchanged for one of Google's (RFC 8693).

use super::exchange::{ask, impersonate};
use super::{SCOPE, Token, need};
use longshore_core::error::{Error, ErrorKind, Result};
use serde_json::Value;

pub(super) async fn token(http: &reqwest::Client, document: &Value) -> Result<Token> {
    let subject = subject(http, &document["credential_source"]).await?;
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("audience", need(document, "audience")?),
        ("subject_token_type", need(document, "subject_token_type")?),
        ("subject_token", &subject),
        ("scope", SCOPE),
    ];
    let url = document["token_url"].as_str().unwrap_or("https://sts.googleapis.com/v1/token");
    let federated = ask("Google's token exchange", http.post(url).form(&form)).await?;
    match document["service_account_impersonation_url"].as_str() {
        Some(url) => impersonate(http, url, &federated.secret, &Value::Null).await,
        None => Ok(federated),
    }
}

/// The other provider's token, from a file or a URL. It is read anew each time: it is renewed there.
async fn subject(http: &reqwest::Client, source: &Value) -> Result<String> {
    let text = match (source["file"].as_str(), source["url"].as_str()) {
        (Some(file), _) => std::fs::read_to_string(file)
            .map_err(|e| Error::config("the provider's token cannot be read").with("file", file).source(e))?,
        (None, Some(url)) if source["environment_id"].is_null() => from_url(http, url, source).await?,
        _ => {
            return Err(Error::config("the federation's credential_source is neither a file nor a URL")
                .hint("AWS and executable sources are not known: use a file or a URL, or a service account's key"));
        }
    };
    let format = &source["format"];
    if format["type"].as_str() != Some("json") {
        return Ok(text.trim().to_owned());
    }
    let field = format["subject_token_field_name"].as_str().unwrap_or("access_token");
    let document: Value = serde_json::from_str(&text).unwrap_or_default();
    let token = document[field].as_str().map(str::to_owned);
    token.ok_or_else(|| Error::config(format!("the provider's answer has no '{field}'")))
}

async fn from_url(http: &reqwest::Client, url: &str, source: &Value) -> Result<String> {
    let mut request = http.get(url);
    for (name, value) in source["headers"].as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().unwrap_or_default());
    }
    let failed = |e: reqwest::Error| {
        Error::new(ErrorKind::Unavailable, "the identity provider gives no token").source(e.without_url())
    };
    let answer = request.send().await.and_then(reqwest::Response::error_for_status).map_err(failed)?;
    answer.text().await.map_err(failed)
}
