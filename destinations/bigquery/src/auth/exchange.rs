//! One request, one token: how every server of tokens is asked and understood.

use super::{SCOPE, Token, need};
use longshore_core::connect::Secret;
use longshore_core::error::{Error, ErrorKind, Result};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Google's server of tokens.
pub(super) const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// The server of tokens for users of other identity providers.
const PROVIDER_TOKEN_URI: &str = "https://sts.googleapis.com/v1/oauthtoken";

/// A user's login (`gcloud auth application-default login`).
pub(super) async fn refresh(http: &reqwest::Client, document: &Value) -> Result<Token> {
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", need(document, "client_id")?),
        ("client_secret", need(document, "client_secret")?),
        ("refresh_token", need(document, "refresh_token")?),
    ];
    let url = document["token_uri"].as_str().unwrap_or(TOKEN_URI);
    let token = ask("Google's token server", http.post(url).form(&form)).await;
    token.map_err(|e| e.hint("log in again: gcloud auth application-default login"))
}

/// The login of a user whom another identity provider knows (`gcloud auth application-default login` with a workforce pool).
pub(super) async fn refresh_by_provider(http: &reqwest::Client, document: &Value) -> Result<Token> {
    let form = [("grant_type", "refresh_token"), ("refresh_token", need(document, "refresh_token")?)];
    let url = document["token_url"].as_str().unwrap_or(PROVIDER_TOKEN_URI);
    let request = http.post(url).basic_auth(need(document, "client_id")?, Some(need(document, "client_secret")?));
    let token = ask("Google's token exchange", request.form(&form)).await;
    token.map_err(|e| e.hint("log in again: gcloud auth application-default login --login-config=FILE"))
}

/// The machine's own identity: Compute Engine, Cloud Run, workload identity in Kubernetes.
pub(super) async fn metadata(http: &reqwest::Client, host: &str) -> Result<Token> {
    let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
    let request = http.get(url).header("Metadata-Flavor", "Google").timeout(Duration::from_secs(5));
    let other = "set credentials to a service account's key, or log in: gcloud auth application-default login";
    try_ask("the metadata server", request).await.map_err(|refused| match refused {
        NoToken::Unreachable(e) => {
            Error::config("no credentials were found, and this is no machine of Google's").hint(other).source(e)
        }
        NoToken::Refused(404, e) => Error::config("this machine has no service account attached")
            .hint(format!("attach one, or {other}"))
            .source(e),
        NoToken::Refused(_, e) if e.is_retryable() => e.hint("run the same command again"),
        NoToken::Refused(_, e) => e.hint(other),
    })
}

/// Where a service account's tokens are made for others.
pub(super) fn account_url(endpoint: &str, account: &str) -> String {
    format!("{endpoint}/v1/projects/-/serviceAccounts/{account}:generateAccessToken")
}

/// A service account's token for somebody who may act for it.
/// `delegates` are those that stand between the two.
pub(super) async fn impersonate(http: &reqwest::Client, url: &str, token: &Secret, delegates: &Value) -> Result<Token> {
    let mut wanted = json!({"scope": [SCOPE]});
    if delegates.as_array().is_some_and(|d| !d.is_empty()) {
        wanted["delegates"] = delegates.clone();
    }
    let request = http.post(url).bearer_auth(token.expose()).json(&wanted);
    let token = ask("the server of service accounts", request).await;
    token.map_err(|e| {
        e.with("service account", account_of(url))
            .hint("the caller needs roles/iam.serviceAccountTokenCreator on the service account")
    })
}

/// The account that a URL of [`account_url`]'s form is about.
fn account_of(url: &str) -> &str {
    url.rsplit('/').next().and_then(|last| last.split(':').next()).unwrap_or_default()
}

/// Why there is no token.
enum NoToken {
    /// Nothing answered.
    Unreachable(Error),
    /// An answer of that status, or one without a token.
    Refused(u16, Error),
}

impl From<NoToken> for Error {
    fn from(no: NoToken) -> Self {
        match no {
            NoToken::Unreachable(error) | NoToken::Refused(_, error) => error,
        }
    }
}

impl NoToken {
    fn is_passing(&self) -> bool {
        match self {
            NoToken::Unreachable(error) | NoToken::Refused(_, error) => error.is_retryable(),
        }
    }
}

/// Sends the request, a few times where it may help, and reads the token.
pub(super) async fn ask(who: &str, request: reqwest::RequestBuilder) -> Result<Token> {
    Ok(try_ask(who, request).await?)
}

async fn try_ask(who: &str, request: reqwest::RequestBuilder) -> Result<Token, NoToken> {
    let mut pause = Duration::from_millis(250);
    for last in [false, false, true] {
        let again = request.try_clone().ok_or_else(|| internal("a request for a token cannot be repeated"))?;
        match ask_once(who, again).await {
            Err(no) if no.is_passing() && !last => tokio::time::sleep(pause).await,
            outcome => return outcome,
        }
        pause *= 4;
    }
    Err(internal("no try left"))
}

fn internal(text: &str) -> NoToken {
    NoToken::Refused(0, Error::internal(text))
}

async fn ask_once(who: &str, request: reqwest::RequestBuilder) -> Result<Token, NoToken> {
    let asked = Instant::now();
    let unreachable = |e: reqwest::Error| {
        let error = Error::new(ErrorKind::Unavailable, format!("{who} cannot be reached"));
        NoToken::Unreachable(error.source(e.without_url()))
    };
    let answer = request.send().await.map_err(unreachable)?;
    let status = answer.status();
    let text = answer.text().await.map_err(unreachable)?;
    let document: Value = serde_json::from_str(&text).unwrap_or_default();
    let refused = |error: Error| NoToken::Refused(status.as_u16(), error);
    if !status.is_success() {
        let kind = if status.is_server_error() || status == 429 { ErrorKind::Unavailable } else { ErrorKind::Config };
        // The parts of the answer that name the reason and hold no secret.
        let reason = [&document["error_description"], &document["error"]["message"], &document["error"]];
        let reason = reason.iter().find_map(|v| v.as_str()).unwrap_or("no reason is given");
        return Err(refused(Error::new(kind, format!("{who} gives no token: {status}")).source(reason.to_owned())));
    }
    let secret = document["access_token"].as_str().or_else(|| document["accessToken"].as_str());
    let secret = secret.ok_or_else(|| refused(Error::config(format!("{who} answered without a token"))))?;
    let seconds = document["expires_in"].as_u64().unwrap_or(3600);
    Ok(Token { secret: Secret::new(secret), until: asked + Duration::from_secs(seconds) })
}
