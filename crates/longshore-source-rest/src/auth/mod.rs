//! Authentication: what is put into each request, and where tokens come from.

mod jwt;
mod oauth;

use crate::config::{AuthConfig, KeyLocation};
use crate::redact::Redactor;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use longshore_core::connect::Secret;
use longshore_core::error::{Error, Result};
use oauth::Tokens;
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

/// One way to authenticate, with the tokens it holds.
#[derive(Debug)]
pub(crate) struct Authenticator {
    way: Way,
}

#[derive(Debug)]
enum Way {
    Header(HeaderName, Secret),
    Query(String, Secret),
    Cookie(String, Secret),
    Tokens(Box<Tokens>),
}

impl Authenticator {
    pub(crate) fn new(config: &AuthConfig) -> Result<Authenticator> {
        let way = match config {
            AuthConfig::Bearer { token } => {
                Way::Header(AUTHORIZATION, Secret::new(format!("Bearer {}", token.expose())))
            }
            AuthConfig::HttpBasic { username, password } => {
                let pair = STANDARD.encode(format!("{}:{}", username.expose(), password.expose()));
                Way::Header(AUTHORIZATION, Secret::new(format!("Basic {pair}")))
            }
            AuthConfig::ApiKey { name, api_key, location } => match location {
                KeyLocation::Header => {
                    let header = HeaderName::from_bytes(name.as_bytes())
                        .map_err(|_| Error::config("the name of the API key is no header name").with("name", name))?;
                    Way::Header(header, api_key.clone())
                }
                KeyLocation::Query | KeyLocation::Param => Way::Query(name.clone(), api_key.clone()),
                KeyLocation::Cookie => Way::Cookie(name.clone(), api_key.clone()),
            },
            oauth => Way::Tokens(Box::new(Tokens::new(oauth)?)),
        };
        Ok(Authenticator { way })
    }

    /// Says how it authenticates, without the secret.
    pub(crate) fn describe(&self) -> String {
        match &self.way {
            Way::Header(name, value) if *name == AUTHORIZATION && value.expose().starts_with("Bearer ") => {
                "a bearer token".to_owned()
            }
            Way::Header(name, value) if *name == AUTHORIZATION && value.expose().starts_with("Basic ") => {
                "user name and password".to_owned()
            }
            Way::Header(name, _) => format!("an API key in the header '{name}'"),
            Way::Query(name, _) => format!("an API key in the query parameter '{name}'"),
            Way::Cookie(name, _) => format!("an API key in the cookie '{name}'"),
            Way::Tokens(tokens) => format!("a token from {}", tokens.origin()),
        }
    }

    /// Puts it into a request.
    pub(crate) async fn apply(
        &self,
        http: &reqwest::Client,
        redactor: &Redactor,
        url: &mut Url,
        headers: &mut HeaderMap,
    ) -> Result<()> {
        match &self.way {
            Way::Header(name, value) => insert(headers, name.clone(), value.expose()),
            Way::Query(name, value) => {
                let others: Vec<(String, String)> = url
                    .query_pairs()
                    .filter(|(k, _)| k != name)
                    .map(|(k, v)| (k.into_owned(), v.into_owned()))
                    .collect();
                url.query_pairs_mut().clear().extend_pairs(others).append_pair(name, value.expose());
                Ok(())
            }
            Way::Cookie(name, value) => insert(headers, COOKIE, &format!("{name}={}", value.expose())),
            Way::Tokens(tokens) => {
                let token = tokens.token(http, redactor).await?;
                insert(headers, AUTHORIZATION, &format!("Bearer {}", token.expose()))
            }
        }
    }

    /// Returns true where a refusal leads to another token.
    pub(crate) fn is_renewed(&self) -> bool {
        matches!(self.way, Way::Tokens(_))
    }

    /// The server refused what was sent: that token is kept no longer. False where there are no other tokens.
    pub(crate) async fn refused(&self, sent: Option<&HeaderValue>) -> bool {
        match (&self.way, sent.and_then(|s| s.to_str().ok()?.strip_prefix("Bearer "))) {
            (Way::Tokens(tokens), Some(sent)) => {
                tokens.drop_token(sent).await;
                true
            }
            _ => false,
        }
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) -> Result<()> {
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        Error::config("a secret has characters that cannot stand in a header")
            .with("header", &name)
            .hint("look for a line break at its end")
    })?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}
