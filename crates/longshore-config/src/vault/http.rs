//! Requests to vaults: repeated where the trouble may pass, and said in words where it does not.

use longshore_core::connect::Secret;
use longshore_core::error::{Error, ErrorKind, Result};
use reqwest::StatusCode;
use reqwest::blocking::{Client, ClientBuilder, RequestBuilder};
use std::error::Error as StdError;
use std::path::Path;
use std::time::Duration;

/// How often a vault is asked in all, and the time before the second.
const ATTEMPTS: u32 = 3;
const STEP: Duration = Duration::from_millis(500);
/// The longest wait a vault may ask for; somebody sits before the command.
const LONGEST: u64 = 10;

/// A client that follows no redirect: a token belongs to one host.
pub(super) fn client() -> Result<Client> {
    made(builder())
}

/// One that trusts the authority of a file (PEM) beside the system's.
pub(super) fn client_trusting(file: &Path) -> Result<Client> {
    let wrong = || Error::config("the vault's ca_cert is no PEM").with("file", file.display());
    let pem = std::fs::read(file)
        .map_err(|e| Error::config("the vault's ca_cert cannot be read").with("file", file.display()).source(e))?;
    let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| wrong().source(e))?;
    if roots.is_empty() {
        return Err(wrong());
    }
    made(builder().tls_certs_merge(roots))
}

fn builder() -> ClientBuilder {
    // A provider that somebody else installed in this process serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(Duration::from_secs(30))
}

fn made(builder: ClientBuilder) -> Result<Client> {
    builder.build().map_err(|e| Error::internal("cannot make an HTTP client").source(e))
}

/// Sends a request and reads the answer; again while connections break, and while the vault asks for patience or has an error
/// of its own. A vault that does not answer in time has had its time.
pub(super) fn send(vault: &str, request: impl Fn() -> Result<RequestBuilder>) -> Result<(StatusCode, String)> {
    let mut attempt = 1;
    loop {
        let answered = request()?.send().and_then(|answer| {
            let (status, wait) = (answer.status(), retry_after(&answer));
            answer.text().map(|text| (status, text, wait))
        });
        let step = STEP * 2u32.pow(attempt - 1);
        let wait = match &answered {
            Ok((status, text, wait)) if may_pass(*status, text) => Some(wait.unwrap_or(step)),
            Err(e) if !(e.is_timeout() || e.is_builder() || is_for_good(e)) => Some(step),
            _ => None,
        };
        match wait.filter(|_| attempt < ATTEMPTS) {
            Some(wait) => {
                std::thread::sleep(wait);
                attempt += 1;
            }
            None => return answered.map(|(status, text, _)| (status, text)).map_err(|e| unreachable(vault, e)),
        }
    }
}

fn retry_after(answer: &reqwest::blocking::Response) -> Option<Duration> {
    let seconds: u64 = answer.headers().get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    (1..=LONGEST).contains(&seconds).then(|| Duration::from_secs(seconds))
}

fn may_pass(status: StatusCode, text: &str) -> bool {
    // AWS says so with status 400. A sealed vault waits for people.
    let is_throttled = text.contains("ThrottlingException");
    (status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() || is_throttled) && !text.contains("sealed")
}

/// A name that nobody knows and a certificate that is not trusted stay so.
fn is_for_good(error: &reqwest::Error) -> bool {
    is_unknown_host(error) || is_untrusted(error)
}

fn says(error: &reqwest::Error, words: &[&str]) -> bool {
    causes(error).iter().any(|text| words.iter().any(|word| text.contains(word)))
}

fn is_unknown_host(error: &reqwest::Error) -> bool {
    says(error, &["failed to lookup address", "No such host is known"])
        && !says(error, &["Temporary failure", "Try again", "try again"])
}

fn is_untrusted(error: &reqwest::Error) -> bool {
    says(error, &["invalid peer certificate"])
}

fn causes(error: &reqwest::Error) -> Vec<String> {
    let (mut texts, mut next) = (Vec::new(), StdError::source(error));
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    texts
}

fn unreachable(vault: &str, error: reqwest::Error) -> Error {
    let host = error.url().map(|u| format!(" ({})", u.host_str().unwrap_or_default())).unwrap_or_default();
    let error = error.without_url();
    // The innermost cause: the outer ones only say that a request was sent.
    let cause = causes(&error).pop().unwrap_or_else(|| error.to_string());
    let (what, hint) = if error.is_timeout() {
        ("does not answer in time", "check its address and the network")
    } else if is_untrusted(&error) {
        (
            "has a certificate that is not trusted",
            "name the file of its authority: SSL_CERT_FILE, and ca_cert for HashiCorp's",
        )
    } else if is_unknown_host(&error) {
        (
            "cannot be reached",
            "check the name in its address, and whether this machine must go through a VPN or a proxy",
        )
    } else {
        ("cannot be reached", "check its address and the network")
    };
    Error::new(ErrorKind::Unavailable, format!("{vault} {what}{host}: {cause}")).hint(hint)
}

/// An answer that is neither a secret nor "there is none".
pub(super) fn refused(vault: &str, what: &str, status: StatusCode, reason: &str) -> Error {
    let reason: String = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let reason: String = reason.chars().filter(|c| !c.is_control()).take(200).collect();
    let colon = if reason.is_empty() { "" } else { ": " };
    let kind = if may_pass(status, &reason) { ErrorKind::Unavailable } else { ErrorKind::Config };
    let error = Error::new(kind, format!("{vault} answers {status} for {what}{colon}{reason}"));
    // AWS says with status 400 what is wrong with its keys.
    let denied = ["AccessDenied", "ExpiredToken", "UnrecognizedClient", "InvalidClientTokenId", "InvalidSignature"];
    match status.as_u16() {
        401 | 403 => error.hint("check that its credentials hold and may read this secret"),
        _ if denied.iter().any(|word| reason.contains(word)) => {
            error.hint("check that its credentials hold and may read this secret")
        }
        503 if reason.contains("sealed") => error.hint("it must be unsealed before it answers"),
        300..=399 => error.hint("it sends elsewhere, where no token is sent: set the address of the one that answers"),
        _ => error,
    }
}

/// A secret of one line: what stands in a file often ends with a line break.
pub(super) fn trimmed(secret: &Secret) -> &str {
    secret.expose().trim()
}
