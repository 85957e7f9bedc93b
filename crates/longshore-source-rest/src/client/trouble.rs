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

    /// What is wrong with the connection. A certificate that is not trusted will not be trusted later.
    pub(super) fn transport(&self, error: reqwest::Error, what: &str) -> Result<Failed, Error> {
        let what = if error.is_timeout() {
            "no answer in time"
        } else if error.is_connect() {
            "no connection"
        } else {
            what
        };
        let proxy = error.url().filter(|_| error.is_connect()).and_then(|url| self.proxy(url));
        let error = error.without_url();
        if let Some(hint) = of_certificate(&error) {
            return Err(Error::input("the server's certificate is not trusted").hint(hint).source(error));
        }
        let mut failed = Error::new(ErrorKind::Unavailable, what).source(error);
        if let Some((whose, proxy)) = proxy {
            failed = failed.with(whose, proxy);
        }
        Ok(Failed { error: failed, wait: None, damaged: false, limited: false })
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

const CONFIGURED: &str = "proxy";
const OF_ENVIRONMENT: &str = "proxy of the environment";

/// What to do about a certificate, where that is what the error is about.
fn of_certificate(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    let text = chain(Some(error)).into_iter().find(|text| text.contains("invalid peer certificate"))?;
    Some(if text.contains("UnknownIssuer") {
        "if the server is the right one, name the file (PEM) of the authority that signed its certificate: \
         client.root_certificates = [\"ca.pem\"]"
    } else {
        "the certificate has expired or is for another host: check client.base_url, or tell the API's operator"
    })
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
        ("no connection", Some(CONFIGURED)) => "check client.proxy, then run the same again: what was fetched is kept",
        ("no connection", Some(_)) => {
            "check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY (hosts in NO_PROXY are asked without), then run the same again: \
             what was fetched is kept"
        }
        ("no connection", None) => {
            "check the address and the network, then run the same again: what was fetched is kept"
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
