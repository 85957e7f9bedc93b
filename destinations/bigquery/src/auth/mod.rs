//! Access tokens: from whom they come, and how long each is kept.
//!
//! Own modules and not `google-cloud-auth` or `gcp_auth`: both read the environment and the home folder by themselves,
//! which only the command may do here, and neither knows every form with an endpoint of its own. What is left is one
//! small exchange a form.

mod exchange;
mod federation;
mod key;

use crate::config::{Config, Credentials};
use longshore_core::connect::Secret;
use longshore_core::error::{Error, Result};
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// What tokens are asked for.
pub(crate) const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// A token is renewed this long before it ends.
const MARGIN: Duration = Duration::from_secs(120);

/// A token and its end.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) secret: Secret,
    pub(crate) until: Instant,
}

/// Gives tokens, each until it ends.
#[derive(Debug)]
pub(crate) struct Tokens {
    source: Source,
    /// URL that gives the tokens of another service account.
    impersonate: Option<String>,
    kept: Mutex<Option<Token>>,
}

/// Where tokens come from.
#[derive(Debug)]
enum Source {
    Nobody,
    Fixed(Secret),
    Document(Box<Value>),
    Metadata(String),
}

impl Tokens {
    /// Reads the credentials; asks nobody yet.
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let source = match &config.credentials {
            Credentials::Anonymous => Source::Nobody,
            Credentials::Token(token) => Source::Fixed(token.clone()),
            Credentials::Document(text) => Source::Document(Box::new(parse(text.expose(), "the credentials")?)),
            Credentials::File(path) | Credentials::Default { well_known: Some(path), .. } => {
                let text = std::fs::read_to_string(path)
                    .map_err(|e| Error::config("the credentials' file cannot be read").with("file", path).source(e))?;
                Source::Document(Box::new(parse(&text, path)?))
            }
            Credentials::Default { metadata, .. } => Source::Metadata(metadata.clone()),
        };
        let account_url = |account: &String| exchange::account_url(&config.iam_endpoint, account);
        Ok(Tokens { source, impersonate: config.impersonate.as_ref().map(account_url), kept: Mutex::new(None) })
    }

    /// Returns a token that is good for now; `None` when nobody asks.
    pub(crate) async fn get(&self, http: &reqwest::Client) -> Result<Option<Secret>> {
        if matches!(self.source, Source::Nobody) {
            return Ok(None);
        }
        let mut kept = self.kept.lock().await;
        if let Some(token) = kept.as_ref().filter(|t| t.until > Instant::now() + MARGIN) {
            return Ok(Some(token.secret.clone()));
        }
        let token = self.fetch(http).await?;
        let secret = token.secret.clone();
        *kept = Some(token);
        Ok(Some(secret))
    }

    /// Forgets a token that the server does not accept any more.
    pub(crate) async fn forget(&self, refused: &Secret) {
        let mut kept = self.kept.lock().await;
        if kept.as_ref().is_some_and(|t| t.secret == *refused) {
            *kept = None;
        }
    }

    async fn fetch(&self, http: &reqwest::Client) -> Result<Token> {
        let token = match &self.source {
            Source::Nobody => return Err(Error::internal("nobody has no token")),
            Source::Fixed(secret) => lasting(secret.clone()),
            Source::Metadata(host) => exchange::metadata(http, host).await?,
            Source::Document(document) => from_document(http, document).await?,
        };
        match &self.impersonate {
            Some(url) => exchange::impersonate(http, url, &token.secret, &Value::Null).await,
            None => Ok(token),
        }
    }
}

/// A token whose end is not known: a server's refusal tells.
fn lasting(secret: Secret) -> Token {
    Token { secret, until: Instant::now() + Duration::from_secs(86_400 * 365) }
}

fn parse(text: &str, whence: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|_| Error::config("the credentials are no JSON document").with("file", whence))
}

/// Returns a token for a document of Google's: `type` says what it is.
async fn from_document(http: &reqwest::Client, document: &Value) -> Result<Token> {
    match document["type"].as_str().unwrap_or("service_account") {
        "service_account" => key::token(http, document).await,
        "authorized_user" => exchange::refresh(http, document).await,
        "external_account_authorized_user" => exchange::refresh_by_provider(http, document).await,
        "external_account" => federation::token(http, document).await,
        "impersonated_service_account" => {
            let source = Box::pin(from_document(http, &document["source_credentials"])).await?;
            let url = need(document, "service_account_impersonation_url")?;
            exchange::impersonate(http, url, &source.secret, &document["delegates"]).await
        }
        other => Err(Error::config(format!("there are no credentials of type '{other}'"))
            .hint("known are: service_account, authorized_user, external_account, external_account_authorized_user, impersonated_service_account")),
    }
}

fn need<'a>(document: &'a Value, key: &str) -> Result<&'a str> {
    document[key].as_str().ok_or_else(|| Error::config(format!("the credentials have no '{key}'")))
}
