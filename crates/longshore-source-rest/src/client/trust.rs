//! Which hosts may see credentials: those that stand in the configuration, not those that the API's links lead to.

use super::{Client, host};
use longshore_core::error::{Error, Result};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use std::collections::HashSet;
use std::sync::PoisonError;
use url::Url;

impl Client {
    pub(super) fn is_trusted(&self, url: &Url) -> bool {
        trusts(&self.trusted, url) || url.host_str().is_some_and(|h| self.config.auth_hosts.iter().any(|a| a == h))
    }

    /// Where a link or redirect really goes.
    pub(super) fn secured(&self, url: Url) -> Url {
        secured(&self.trusted, url)
    }

    /// What of a request may go to a host that is not trusted: nothing of the configuration's headers, and no secret.
    pub(super) fn without_secrets(&self, url: &Url, headers: &HeaderMap, body: Option<&[u8]>) -> Result<HeaderMap> {
        let name = url.host_str().unwrap_or_default();
        if body.is_some_and(|body| self.redactor.is_told_in(body)) {
            return Err(Error::input("a redirect leads to another host, and the request's body holds a secret")
                .with("host", name)
                .hint("if that host may have it: client.auth_hosts"));
        }
        if self.strangers.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned()) {
            tracing::warn!(
                host = name,
                "a link leads to another host: credentials and headers of the configuration are not sent there \
                 (client.auth_hosts)"
            );
        }
        let kept =
            [ACCEPT, CONTENT_TYPE].into_iter().filter_map(|name| Some((name.clone(), headers.get(&name)?.clone())));
        Ok(kept.collect())
    }
}

/// A trusted host is trusted over TLS, too.
fn trusts(trusted: &HashSet<String>, url: &Url) -> bool {
    trusted.contains(&host(url)) || (is_plain(url, "https") && trusted.contains(&at_port(url, 80)))
}

/// APIs behind proxies often name themselves `http://` in their links, though they are asked by `https://`: what is
/// known by TLS alone is asked by TLS.
fn secured(trusted: &HashSet<String>, mut url: Url) -> Url {
    if is_plain(&url, "http") && !trusted.contains(&at_port(&url, 80)) && trusted.contains(&at_port(&url, 443)) {
        // Between these two it cannot fail.
        let _ = url.set_scheme("https");
    }
    url
}

fn is_plain(url: &Url, scheme: &str) -> bool {
    url.scheme() == scheme && url.port().is_none()
}

fn at_port(url: &Url, port: u16) -> String {
    format!("{}:{port}", url.host_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_the_same_with_tls_but_never_without() {
        let of = |text: &str| HashSet::from([host(&Url::parse(text).unwrap())]);
        let trusted = |base: &str, link: &str| trusts(&of(base), &secured(&of(base), Url::parse(link).unwrap()));
        assert!(trusted("http://api.example.com/v1", "https://api.example.com/v1"));
        assert!(!trusted("http://api.example.com:8080/v1", "https://api.example.com/v1"));
        assert!(!trusted("https://api.example.com/v1", "https://other.example.com/v1"));
        assert!(!trusted("https://api.example.com/v1", "http://api.example.com:8080/v1"));
        let link = secured(&of("https://api.example.com"), Url::parse("http://api.example.com/v1?page=2").unwrap());
        assert_eq!(link.as_str(), "https://api.example.com/v1?page=2");
        let link = secured(&of("http://api.example.com"), link);
        assert_eq!(link.scheme(), "https");
        let other = secured(&of("https://api.example.com"), Url::parse("http://other.example.com/").unwrap());
        assert_eq!(other.scheme(), "http");
    }
}
