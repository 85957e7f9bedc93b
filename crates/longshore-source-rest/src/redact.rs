//! Takes secrets out of what is printed, logged or recorded.

use crate::config::{AuthConfig, ClientConfig, KeyLocation};
use longshore_core::connect::Secret;
use std::sync::{PoisonError, RwLock};
use url::Url;

/// Knows the secrets of a source.
#[derive(Debug, Default)]
pub(crate) struct Redactor {
    secrets: RwLock<Vec<Secret>>,
    /// Query parameters that carry secrets.
    params: Vec<String>,
}

/// Names that tell of a secret, in parameters and headers.
const TELLING: [&str; 11] = [
    "token",
    "apikey",
    "key",
    "secret",
    "password",
    "passwd",
    "signature",
    "sig",
    "auth",
    "authorization",
    "credential",
];

/// Shorter texts are too likely to stand elsewhere by chance.
const SHORTEST: usize = 4;

impl Redactor {
    pub(crate) fn new(client: &ClientConfig, others: &[AuthConfig]) -> Redactor {
        let mut redactor = Redactor::default();
        for auth in client.auth.iter().chain(others) {
            let secrets: Vec<&Secret> = match auth {
                AuthConfig::Bearer { token } => vec![token],
                AuthConfig::ApiKey { name, api_key, location } => {
                    if matches!(location, KeyLocation::Query | KeyLocation::Param) {
                        redactor.params.push(name.to_lowercase());
                    }
                    vec![api_key]
                }
                AuthConfig::HttpBasic { password, .. } => vec![password],
                AuthConfig::OAuth2ClientCredentials { client_secret, access_token, .. } => {
                    std::iter::once(client_secret).chain(access_token).collect()
                }
                AuthConfig::OAuth2RefreshToken { refresh_token, client_secret, .. } => {
                    std::iter::once(refresh_token).chain(client_secret).collect()
                }
                AuthConfig::OAuth2Jwt { private_key, .. } => vec![private_key],
            };
            secrets.iter().for_each(|s| redactor.add(s.expose()));
        }
        client.headers.iter().filter(|(name, _)| is_telling(name)).for_each(|(_, v)| redactor.add(v.expose()));
        redactor
    }

    /// Learns a secret.
    pub(crate) fn add(&self, secret: &str) {
        if secret.len() >= SHORTEST {
            self.secrets.write().unwrap_or_else(PoisonError::into_inner).push(Secret::new(secret));
        }
    }

    /// Returns a text without secrets.
    pub(crate) fn text(&self, text: &str) -> String {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        secrets.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.expose()) { text.replace(secret.expose(), "***") } else { text }
        })
    }

    /// Returns a URL without secrets.
    pub(crate) fn url(&self, url: &Url) -> String {
        let mut shown = url.clone();
        if !shown.username().is_empty() || shown.password().is_some() {
            let _ = shown.set_username("***");
            let _ = shown.set_password(None);
        }
        let hides = |name: &str| is_telling(name) || self.params.contains(&name.to_lowercase());
        if url.query_pairs().any(|(name, _)| hides(&name)) {
            let pairs: Vec<(String, String)> = url
                .query_pairs()
                .map(
                    |(k, v)| {
                        if hides(&k) { (k.into_owned(), "***".to_owned()) } else { (k.into_owned(), v.into_owned()) }
                    },
                )
                .collect();
            shown.query_pairs_mut().clear().extend_pairs(pairs);
        }
        self.text(shown.as_str())
    }
}

fn is_telling(name: &str) -> bool {
    let name = name.to_lowercase();
    // `page_token` and the like are cursors.
    let is_cursor = ["page", "next", "continuation", "cursor", "sync"].iter().any(|c| name.contains(c));
    !is_cursor
        && name
            .split(['_', '-', '.'])
            .any(|part| TELLING.contains(&part) || TELLING.contains(&part.trim_start_matches('x')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let client = ClientConfig {
            auth: Some(AuthConfig::ApiKey {
                name: "sid".into(),
                api_key: Secret::new("hush-hush"),
                location: KeyLocation::Query,
            }),
            ..ClientConfig::default()
        };
        let redactor = Redactor::new(&client, &[]);
        let url = Url::parse("https://u:pw@h/a?sid=hush-hush&api_key=other&page_token=ok&q=hush-hush").unwrap();
        let shown = redactor.url(&url);
        assert!(!shown.contains("hush") && !shown.contains("other") && !shown.contains("pw"), "{shown}");
        assert!(shown.contains("page_token=ok"), "{shown}");
        assert_eq!(redactor.text("it said hush-hush"), "it said ***");
    }
}
