//! OAuth 2.0: tokens fetched, kept until they expire, fetched anew (RFC 6749, 7523).

use super::jwt;
use crate::config::{AuthConfig, OneOrMany};
use crate::manners::{asked_to_wait, backoff};
use crate::redact::Redactor;
use longshore_core::connect::Secret;
use longshore_core::error::{Error, ErrorKind, Result};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde::Deserialize;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Mutex;
use url::form_urlencoded::Serializer;

/// A place tokens come from, and the token of the moment.
#[derive(Debug)]
pub(super) struct Tokens {
    url: String,
    grant: Grant,
    lifetime: u64,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
enum Grant {
    Form(Vec<(String, Secret)>),
    Refresh(Vec<(String, Secret)>),
    Assertion(Box<jwt::Claims>),
}

#[derive(Debug, Default)]
struct Kept {
    token: Option<(Secret, Option<Instant>)>,
    /// The newest refresh token, where the server gives a new one each time.
    refresh: Option<Secret>,
}

#[derive(Deserialize)]
struct Reply {
    access_token: Option<Secret>,
    expires_in: Option<serde_json::Value>,
    refresh_token: Option<Secret>,
}

const ATTEMPTS: u32 = 4;
/// The longest wait that a token endpoint may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// No token, and how long the endpoint asks to wait.
struct Refused {
    error: Error,
    wait: Option<Duration>,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Refused { error, wait: None }
    }
}

impl Tokens {
    pub(super) fn new(config: &AuthConfig) -> Result<Tokens> {
        let pair = |name: &str, value: &Secret| (name.to_owned(), value.clone());
        let mut kept = Kept::default();
        let (url, lifetime, grant) = match config {
            AuthConfig::OAuth2ClientCredentials {
                access_token_url,
                client_id,
                client_secret,
                access_token,
                access_token_request_data,
                default_token_expiration,
            } => {
                kept.token = access_token.clone().map(|t| (t, None));
                let mut form = vec![
                    ("grant_type".to_owned(), Secret::new("client_credentials")),
                    pair("client_id", client_id),
                    pair("client_secret", client_secret),
                ];
                extend(&mut form, access_token_request_data);
                (access_token_url, *default_token_expiration, Grant::Form(form))
            }
            AuthConfig::OAuth2RefreshToken {
                access_token_url,
                refresh_token,
                client_id,
                client_secret,
                access_token_request_data,
                default_token_expiration,
            } => {
                kept.refresh = Some(refresh_token.clone());
                let mut form = vec![("grant_type".to_owned(), Secret::new("refresh_token"))];
                form.extend(client_id.iter().map(|v| pair("client_id", v)));
                form.extend(client_secret.iter().map(|v| pair("client_secret", v)));
                extend(&mut form, access_token_request_data);
                (access_token_url, *default_token_expiration, Grant::Refresh(form))
            }
            AuthConfig::OAuth2Jwt {
                client_id,
                private_key,
                auth_endpoint,
                scopes,
                audience,
                subject,
                default_token_expiration,
            } => {
                let scope = match scopes {
                    OneOrMany::One(text) => text.clone(),
                    OneOrMany::Many(all) => all.join(" "),
                };
                let audience = audience.clone().unwrap_or_else(|| auth_endpoint.clone());
                let claims = jwt::Claims::new(client_id.clone(), audience, scope, subject.clone(), private_key)?;
                (auth_endpoint, *default_token_expiration, Grant::Assertion(Box::new(claims)))
            }
            _ => return Err(Error::internal("not an OAuth configuration")),
        };
        Ok(Tokens { url: url.clone(), grant, lifetime, kept: Mutex::new(kept) })
    }

    pub(super) fn origin(&self) -> String {
        url::Url::parse(&self.url)
            .ok()
            .and_then(|u| u.host_str().map(str::to_owned))
            .unwrap_or_else(|| "an unknown place".to_owned())
    }

    /// Returns a token that holds; one request for all who wait for it.
    pub(super) async fn token(&self, http: &reqwest::Client, redactor: &Redactor) -> Result<Secret> {
        let mut kept = self.kept.lock().await;
        if let Some((token, until)) = &kept.token
            && until.is_none_or(|until| Instant::now() < until)
        {
            return Ok(token.clone());
        }
        let (token, until) = self.fetch(http, redactor, &mut kept.refresh).await?;
        kept.token = Some((token.clone(), Some(until)));
        Ok(token)
    }

    /// Keeps a token no longer, unless another request that was refused has brought a new one already.
    pub(super) async fn drop_token(&self, refused: &str) {
        self.kept.lock().await.token.take_if(|(token, _)| token.expose() == refused);
    }

    async fn fetch(
        &self,
        http: &reqwest::Client,
        redactor: &Redactor,
        refresh: &mut Option<Secret>,
    ) -> Result<(Secret, Instant)> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.ask(http, redactor, refresh).await {
                Err(Refused { error, wait }) if error.is_retryable() && attempt < ATTEMPTS => {
                    let wait = wait.filter(|wait| !wait.is_zero()).map(|wait| wait.min(LONGEST_WAIT));
                    let wait = wait.unwrap_or_else(|| backoff(attempt, 0.5, Duration::from_secs(10)));
                    tracing::debug!("{error}; attempt {} follows in {:.1} seconds", attempt + 1, wait.as_secs_f64());
                    tokio::time::sleep(wait).await;
                }
                other => return other.map_err(|refused| refused.error),
            }
        }
    }

    /// The token request's form.
    fn form(&self, refresh: Option<&Secret>) -> Result<String> {
        let mut form = Serializer::new(String::new());
        match &self.grant {
            Grant::Form(pairs) => append(&mut form, pairs),
            Grant::Refresh(pairs) => {
                append(&mut form, pairs);
                form.append_pair("refresh_token", refresh.map_or("", Secret::expose));
            }
            Grant::Assertion(claims) => {
                form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
                form.append_pair("assertion", claims.sign()?.expose());
            }
        }
        Ok(form.finish())
    }

    async fn ask(
        &self,
        http: &reqwest::Client,
        redactor: &Redactor,
        refresh: &mut Option<Secret>,
    ) -> Result<(Secret, Instant), Refused> {
        let request = http
            .post(&self.url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json");
        let failed = |e: reqwest::Error| {
            let is_unknown = crate::client::is_unknown_host(&e);
            // A name that nobody knows is hardly known a moment later.
            let kind = if is_unknown { ErrorKind::Input } else { ErrorKind::Unavailable };
            let error = Error::new(kind, "the token endpoint cannot be reached").with("host", self.origin());
            let error = error.source(e.without_url());
            if is_unknown { error.hint("check the address that tokens are fetched from") } else { error }
        };
        let response = request.body(self.form(refresh.as_ref())?).send().await.map_err(failed)?;
        let status = response.status();
        let wait = asked_to_wait(response.headers(), SystemTime::now());
        let body = response.bytes().await.map_err(failed)?;
        if !status.is_success() {
            let retry = status.is_server_error() || status.as_u16() == 429;
            let kind = if retry { ErrorKind::Unavailable } else { ErrorKind::Input };
            let said = crate::client::said(&body).map_or_else(String::new, |s| format!(": {}", redactor.text(&s)));
            let error = Error::new(kind, format!("the token endpoint refused{said}"))
                .with("host", self.origin())
                .with("status", status.as_u16())
                .hint(match &self.grant {
                    Grant::Form(_) => "check client_id, client_secret and access_token_request_data",
                    Grant::Refresh(_) => {
                        "check refresh_token, which may have expired or been replaced, client_id and client_secret"
                    }
                    Grant::Assertion(_) => "check client_id, private_key, scopes and audience",
                });
            return Err(Refused { error, wait });
        }
        let reply: Reply = serde_json::from_slice(&body)
            .map_err(|_| Error::input("the token endpoint's answer is no JSON object").with("host", self.origin()))?;
        let token = reply.access_token.ok_or_else(|| {
            Error::input("the token endpoint's answer has no access_token").with("host", self.origin())
        })?;
        if reply.refresh_token.is_some() {
            *refresh = reply.refresh_token;
        }
        redactor.add(token.expose());
        let seconds = match reply.expires_in {
            Some(serde_json::Value::Number(n)) => n.as_f64().unwrap_or(self.lifetime as f64) as u64,
            Some(serde_json::Value::String(s)) => s.parse().unwrap_or(self.lifetime),
            _ => self.lifetime,
        };
        // A little early, so that a token does not expire on its way.
        let early = (seconds / 10).min(30);
        Ok((token, Instant::now() + Duration::from_secs(seconds.saturating_sub(early))))
    }
}

fn extend(form: &mut Vec<(String, Secret)>, more: &std::collections::BTreeMap<String, Secret>) {
    for (name, value) in more {
        form.retain(|(n, _)| n != name);
        form.push((name.clone(), value.clone()));
    }
}

fn append(form: &mut Serializer<'_, String>, pairs: &[(String, Secret)]) {
    for (name, value) in pairs {
        form.append_pair(name, value.expose());
    }
}
