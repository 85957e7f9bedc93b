//! What is said of requests that bring no answer: while they are repeated, and in the end.

use super::{Client, Failed, LONG_WAIT};
use hyper_util::client::proxy::matcher::Matcher;
use longshore_core::error::{Error, ErrorKind};
use std::error::Error as StdError;
use std::time::Duration;
use url::Url;

impl Client {
    /// Says why it waits: at once where the wait is long, else when the second attempt has failed, too.
    pub(super) fn tell_wait(&self, attempt: u32, wait: Duration, error: &Error, url: &Url) {
        let cause = cause(error).map_or_else(String::new, |cause| format!(": {cause}"));
        let seconds = wait.as_secs_f64();
        let text = format!(
            "{error}{cause}; attempt {} follows in {seconds:.1} seconds, url {}",
            attempt + 1,
            self.redactor.url(url)
        );
        if attempt >= 2 || wait >= LONG_WAIT {
            tracing::warn!("{text}");
        } else {
            tracing::debug!("{text}");
        }
    }

    /// What is wrong with the connection. A certificate that is not trusted will not be trusted later, and a host that nobody
    /// knows is hardly known a minute later.
    pub(super) fn transport(&self, error: reqwest::Error, what: &str) -> Result<Failed, Error> {
        let what = match (error.is_connect(), error.is_timeout()) {
            (true, _) => NO_CONNECTION,
            (false, true) => "no answer in time",
            _ => what,
        };
        let proxy = error.url().filter(|_| error.is_connect()).and_then(|url| self.proxy(url));
        let host = error.url().and_then(Url::host_str).unwrap_or_default().to_owned();
        let error = error.without_url();
        if let Some(hint) = of_certificate(&error) {
            return Err(Error::input("the server's certificate is not trusted").hint(hint).source(error));
        }
        let is_refused_by_proxy = chain(Some(&error)).iter().any(|text| text.contains("proxy authorization required"));
        let is_unknown = is_unknown_host(&error);
        let with_proxy = |error: Error| match &proxy {
            Some((whose, proxy)) => error.with(whose, proxy),
            None => error,
        };
        if is_refused_by_proxy {
            let error = Error::input("the proxy asks for other credentials").source(error);
            return Err(with_proxy(error)
                .hint("put its user and password into client.proxy, or HTTPS_PROXY of the environment"));
        }
        if is_unknown {
            let hint = match &proxy {
                Some(_) => "check the name of the proxy, and whether this machine reaches its name server",
                None => {
                    "check the name in client.base_url, and whether this machine must go through a VPN or a proxy \
                     (client.proxy); then run the same again: what was fetched is kept"
                }
            };
            let error = Error::new(ErrorKind::Unavailable, "no such host is known").source(error).hint(hint);
            let error = if proxy.is_some() { with_proxy(error) } else { error.with("host", host) };
            return Ok(Failed { most: Some(NAME_ATTEMPTS), ..Failed::new(error) });
        }
        let mistake = of_mistake(&error);
        let failed = Failed::new(with_proxy(Error::new(ErrorKind::Unavailable, what).source(error)));
        Ok(match mistake {
            Some(hint) => Failed { error: failed.error.hint(hint), most: Some(MISTAKEN_ATTEMPTS), ..failed },
            None => failed,
        })
    }

    /// What requests to a URL go through, without the credentials, with where that is said.
    fn proxy(&self, url: &Url) -> Option<(&'static str, String)> {
        if let Some(proxy) = &self.config.proxy {
            return Some((CONFIGURED, super::host(&Url::parse(proxy.expose()).ok()?)));
        }
        // As the client itself finds it.
        let through = Matcher::from_system().intercept(&url.as_str().parse().ok()?)?;
        Some((OF_ENVIRONMENT, super::host(&Url::parse(&through.uri().to_string()).ok()?)))
    }
}

const NO_CONNECTION: &str = "no connection";
const TOO_SLOW: &str = "the answer was not complete in time";
/// How often a host is asked for that no name server knows.
const NAME_ATTEMPTS: u8 = 2;

/// How often a server is asked for that is asked in the wrong way, by all that can be seen.
const MISTAKEN_ATTEMPTS: u8 = 2;

/// The budget was used up in the middle of an answer.
pub(super) fn too_slow() -> Failed {
    Failed::new(Error::new(ErrorKind::Unavailable, TOO_SLOW))
}

/// True where a name server says that there is no such host; one that is out of reach says nothing.
pub(crate) fn is_unknown_host(error: &(dyn StdError + 'static)) -> bool {
    let texts = chain(Some(error));
    let said = |words: &[&str]| texts.iter().any(|text| words.iter().any(|word| text.to_lowercase().contains(word)));
    said(&["failed to lookup address", "no such host is known"]) && !said(&["temporary failure", "try again"])
}

const CONFIGURED: &str = "proxy";
const OF_ENVIRONMENT: &str = "proxy of the environment";

/// What to do about a certificate, where that is what the error is about.
fn of_certificate(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    let text = chain(Some(error)).into_iter().find(|text| text.contains("invalid peer certificate"))?;
    Some(if text.contains("CaUsedAsEndEntity") {
        "it is signed by itself; if the server is the right one, save its certificate as PEM and name the file: \
         client.root_certificates = [\"server.pem\"]"
    } else if text.contains("UnknownIssuer") {
        "if the server is the right one, name the file (PEM) of the authority that signed its certificate: \
         client.root_certificates = [\"ca.pem\"]"
    } else {
        "the certificate has expired or is for another host: check client.base_url, or tell the API's operator"
    })
}

/// What to do about an address that was mistaken.
fn of_mistake(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    let texts = chain(Some(error));
    let hints = [
        (
            "InvalidContentType",
            "the server does not speak TLS at this port: check client.base_url, perhaps it is http://",
        ),
        (
            "invalid HTTP version",
            "the server does not speak HTTP at this port: check client.base_url, perhaps it is https://",
        ),
        (
            "CertificateRequired",
            "the server asks for a client's certificate, and none can be given: ask through a proxy that has one",
        ),
    ];
    hints.into_iter().find(|(word, _)| texts.iter().any(|text| text.contains(word))).map(|(_, hint)| hint)
}

/// The error of the last attempt; `asked` is how long the API asks to wait.
pub(super) fn given_up(error: Error, attempts: u32, asked: Option<Duration>) -> Error {
    let mut error = error.with("attempts", attempts);
    if let Some(wait) = asked {
        error = error.with("seconds to wait, by the API", wait.as_secs_f64().ceil());
    }
    if error.hint_text().is_some() {
        return error;
    }
    let proxy = error.context().iter().map(|(key, _)| *key).find(|key| [CONFIGURED, OF_ENVIRONMENT].contains(key));
    let hint = match (error.message(), proxy) {
        (NO_CONNECTION, Some(CONFIGURED)) => "check client.proxy, then run the same again: what was fetched is kept",
        (NO_CONNECTION, Some(_)) => {
            "check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY (hosts in NO_PROXY are asked without), then run the same again: \
             what was fetched is kept"
        }
        (NO_CONNECTION, None) => "check the address and the network, then run the same again: what was fetched is kept",
        (TOO_SLOW, _) => {
            "ask for smaller pages, raise client.retry_budget, or run the same again: what was fetched is kept"
        }
        ("no answer in time", _) => {
            "the API did not answer in time; run the same again later: what was fetched is kept"
        }
        _ => "run the same again later: what was fetched is kept",
    };
    error.hint(hint)
}

/// The innermost cause: the outer ones only say that a request was sent.
fn cause(error: &Error) -> Option<String> {
    chain(StdError::source(error)).pop()
}

fn chain(first: Option<&(dyn StdError + 'static)>) -> Vec<String> {
    let (mut texts, mut next) = (Vec::new(), first);
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_are_not_known_differ_from_name_servers_that_are_away() {
        for (text, is_unknown) in [
            ("failed to lookup address information: Name or service not known", true),
            ("failed to lookup address information: nodename nor servname provided, or not known", true),
            ("No such host is known. (os error 11001)", true),
            ("failed to lookup address information: Temporary failure in name resolution", false),
            ("failed to lookup address information: Try again", false),
            ("Connection refused (os error 111)", false),
        ] {
            assert_eq!(is_unknown_host(&std::io::Error::other(text)), is_unknown, "{text}");
        }
    }
}
