//! The HTTP client: sends a request until it has a good answer, keeps the manners, says what went wrong.

mod answer;
mod charset;
mod connect;
mod cookies;
mod roots;
mod trouble;
mod trust;
mod unpack;

pub(crate) use answer::{is_kept_header, said};
pub(crate) use connect::http_client;
pub(crate) use trouble::is_unknown_host;

use crate::auth::Authenticator;
use crate::cassette::Cassette;
use crate::config::{ClientConfig, ResponseAction};
use crate::doc::Doc;
use crate::manners::{Gate, Rate, backoff, gate, is_limit, used_up};
use crate::redact::Redactor;
use crate::request::Request;
use longshore_core::error::{Error, ErrorKind, Result};
use reqwest::StatusCode;
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION,
};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};
use url::Url;

/// A good answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// `None`: there was no body.
    pub(crate) doc: Option<Doc>,
    pub(crate) url: Url,
}

/// What came of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    Answer(Box<Response>),
    /// A response action says that there is nothing more here.
    Ignored,
}

impl Outcome {
    /// True for status 200 without a body, which an API hardly means.
    pub(crate) fn is_hollow(&self) -> bool {
        matches!(self, Outcome::Answer(answer) if answer.doc.is_none() && answer.status == StatusCode::OK)
    }
}

/// An answer as it came.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) url: Url,
}

/// The client of one source.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    config: Arc<ClientConfig>,
    auth: Option<Authenticator>,
    /// Endpoints with authentication of their own, by resource.
    own_auth: Vec<Option<Authenticator>>,
    pub(crate) redactor: Redactor,
    /// Hosts that may see the credentials.
    trusted: HashSet<String>,
    /// Other hosts that were spoken of.
    strangers: Mutex<HashSet<String>>,
    rate: Option<Rate>,
    cassette: Cassette,
    requests: AtomicU64,
    cookies: cookies::Cookies,
}

const MAX_REDIRECTS: usize = 10;
/// A wait that is worth a word.
const LONG_WAIT: Duration = Duration::from_secs(10);
/// An hour, which the usual limits are counted by, and some.
const LONGEST_ASKED: Duration = Duration::from_secs(3900);
/// A wait that is none: `Retry-After: 0`, or a moment that is over by a clock that goes differently.
const NO_WAIT: Duration = Duration::from_millis(10);
/// How often a body that is no JSON is asked for: it may have been cut.
const JSON_ATTEMPTS: u8 = 3;

/// Why an attempt has to be repeated.
struct Failed {
    error: Error,
    /// What the server asks for.
    wait: Option<Duration>,
    /// How often there is sense in it, where that is less often than usual.
    most: Option<u8>,
    /// It came too fast.
    limited: bool,
}

impl Failed {
    fn new(error: Error) -> Failed {
        Failed { error, wait: None, most: None, limited: false }
    }
}

/// What is known of an attempt while it goes on.
struct Course {
    /// The header it authenticated with.
    sent: Option<HeaderValue>,
    /// What of the budget has not been used. Waiting for the host's gate uses none of it.
    left: Duration,
}

/// The end of an attempt: an answer, a reason to try again, or an error for good.
type Attempt = std::result::Result<Raw, std::result::Result<Failed, Error>>;

impl Client {
    pub(crate) fn new(
        config: &Arc<ClientConfig>,
        http: reqwest::Client,
        own_auth: Vec<Option<Authenticator>>,
        trusted: HashSet<String>,
        redactor: Redactor,
        cassette: Cassette,
    ) -> Result<Client> {
        Ok(Client {
            http,
            auth: config.auth.as_ref().map(Authenticator::new).transpose()?,
            own_auth,
            redactor,
            trusted,
            strangers: Mutex::default(),
            rate: config.rate.as_deref().and_then(|r| Rate::parse(r).ok()),
            config: Arc::clone(config),
            cassette,
            requests: AtomicU64::new(0),
            cookies: cookies::Cookies::default(),
        })
    }

    /// Returns how many requests went out, repeated ones counted.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    fn auth(&self, resource: usize) -> Option<&Authenticator> {
        self.own_auth.get(resource).and_then(Option::as_ref).or(self.auth.as_ref())
    }

    /// Sends a request of a resource until there is an answer, or an error that will stay.
    pub(crate) async fn send(&self, resource: usize, request: &Request, actions: &[ResponseAction]) -> Result<Outcome> {
        let place = |e: Error| e.with("url", self.redactor.url(&request.url));
        let budget = Duration::from_secs_f64(self.config.retry_budget.unwrap_or(1800.0));
        let attempts = self.config.max_attempts.unwrap_or(8);
        let (mut left, mut attempt, mut counted, mut renewed, mut few) = (budget, 0, 0, false, 0);
        let gate = self.gate(&request.url);
        loop {
            attempt += 1;
            let good = gate.good();
            let mut course = Course { sent: None, left };
            let tried = self.attempt(resource, request, &mut course).await;
            left = course.left;
            let tried = match tried {
                Ok(raw)
                    if raw.status == StatusCode::UNAUTHORIZED
                        && !renewed
                        && self.renew(resource, course.sent).await =>
                {
                    renewed = true;
                    continue;
                }
                Ok(raw) => self.judge(resource, raw, actions, request),
                Err(end) => Err(end),
            };
            let failed = match tried {
                Ok(outcome) => return Ok(outcome),
                Err(Err(error)) => return Err(place(error)),
                Err(Ok(failed)) => failed,
            };
            // While the host answers others, it only asks this one to wait.
            counted += u32::from(!failed.limited || gate.good() == good);
            few += u8::from(failed.most.is_some());
            if failed.most.is_some_and(|most| few >= most) {
                return Err(place(failed.error));
            }
            let asked = failed.wait.filter(|wait| *wait > NO_WAIT);
            let factor = self.config.backoff_factor.unwrap_or(1.0);
            let own = || backoff(attempt, factor, self.longest_wait());
            let wait = asked.map_or_else(own, |wait| wait.min(self.longest_asked()));
            // That a limit is over takes its time, as waiting for the rate does: it uses a budget only that the user gave.
            let is_free = failed.limited && asked.is_some() && self.config.retry_budget.is_none();
            let used = if is_free { Duration::ZERO } else { wait };
            if counted >= attempts || used >= left {
                return Err(place(trouble::given_up(failed.error, attempt, asked)));
            }
            if self.cassette.is_replay() {
                continue; // nobody is to be spared
            }
            self.tell_wait(attempt, wait, &failed.error, &request.url);
            tokio::time::sleep(wait).await;
            left -= used;
        }
    }

    /// Waits before something is asked again that was answered.
    pub(crate) async fn pause(&self, attempt: u32) {
        if !self.cassette.is_replay() {
            let factor = self.config.backoff_factor.unwrap_or(1.0);
            tokio::time::sleep(backoff(attempt, factor, self.longest_wait())).await;
        }
    }

    /// The longest wait by its own choice.
    fn longest_wait(&self) -> Duration {
        let by_rate = self.rate.filter(|r| r.window >= Duration::from_secs(3600)).map(|_| LONGEST_ASKED);
        let by_user = self.config.max_retry_delay.map(Duration::from_secs_f64);
        by_user.or(by_rate).unwrap_or(Duration::from_secs(300))
    }

    /// The longest wait that the API may ask for.
    fn longest_asked(&self) -> Duration {
        self.config.max_retry_delay.map_or(LONGEST_ASKED, Duration::from_secs_f64)
    }

    async fn renew(&self, resource: usize, sent: Option<HeaderValue>) -> bool {
        match self.auth(resource) {
            // No token was fetched, so there is none to drop; what was recorded after the renewal is the next answer.
            Some(auth) if self.cassette.is_replay() => auth.is_renewed(),
            Some(auth) => auth.refused(sent.as_ref()).await,
            None => false,
        }
    }

    /// One attempt: redirects are followed, the body is read whole.
    async fn attempt(&self, resource: usize, request: &Request, course: &mut Course) -> Attempt {
        if let Some(answer) = self.cassette.replay(&self.redactor, request).map_err(Err)? {
            return Ok(answer);
        }
        let (mut method, mut url, mut body) = (request.method.clone(), request.url.clone(), request.body.clone());
        for _ in 0..=MAX_REDIRECTS {
            url = self.secured(url);
            let gate = self.gate(&url);
            let _place = gate.enter().await;
            let began = Instant::now();
            let mut headers = request.headers.clone();
            let (mut asked, mut sent) = (url.clone(), None);
            let exchange = async {
                if self.is_trusted(&url) {
                    if let Some(auth) = self.auth(resource) {
                        auth.apply(&self.http, &self.redactor, &mut asked, &mut headers).await.map_err(retryable)?;
                        sent = headers.get(AUTHORIZATION).cloned();
                    }
                } else {
                    headers = self.without_secrets(&url, &headers, body.as_deref()).map_err(Err)?;
                }
                self.cookies.add_to(&url, &mut headers);
                headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static(unpack::ACCEPTED));
                self.requests.fetch_add(1, Ordering::Relaxed);
                let mut builder = self.http.request(method.clone(), asked).headers(headers);
                if let Some(body) = &body {
                    builder = builder.body(body.clone());
                }
                let answer = builder.send().await.map_err(|e| self.transport(e, "no answer"))?;
                self.cookies.keep(&url, answer.headers());
                let step = Duration::from_secs_f64(self.config.backoff_factor.unwrap_or(1.0));
                gate.answered(began, is_limit(answer.status(), answer.headers()), step);
                self.read(answer, &gate).await
            };
            let raw = tokio::time::timeout(course.left, exchange).await;
            course.left = course.left.saturating_sub(began.elapsed());
            course.sent = sent.or(course.sent.take());
            let raw = raw.unwrap_or_else(|_| Err(Ok(trouble::too_slow())))?;
            if !(raw.status.is_redirection() && raw.headers.contains_key(LOCATION)) {
                let kind = raw.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
                let body = charset::to_utf8(raw.body, kind);
                let raw = Raw { url, body, ..raw };
                self.cassette.record(&self.redactor, request, &raw).map_err(Err)?;
                return Ok(raw);
            }
            let target = raw.headers.get(LOCATION).and_then(|l| l.to_str().ok()).and_then(|l| url.join(l).ok());
            let target = target.filter(|url| matches!(url.scheme(), "http" | "https"));
            url = target.ok_or_else(|| Err(Error::input("a redirect leads nowhere")))?;
            if raw.status == StatusCode::SEE_OTHER
                || (method == reqwest::Method::POST && matches!(raw.status.as_u16(), 301 | 302))
            {
                method = reqwest::Method::GET;
                body = None;
            }
        }
        Err(Err(Error::input(format!("more than {MAX_REDIRECTS} redirects"))))
    }

    async fn read(&self, mut answer: reqwest::Response, gate: &Gate) -> Attempt {
        let (status, headers, url) = (answer.status(), answer.headers().clone(), answer.url().clone());
        if let Some(wait) = used_up(&headers, SystemTime::now()) {
            let wait = wait.min(self.longest_asked());
            if wait >= LONG_WAIT {
                tracing::warn!("the API's limit is used up: nothing is asked for {} seconds", wait.as_secs());
            }
            gate.silence(wait);
        }
        let limit = self.config.max_body_size.unwrap_or(256 << 20);
        let too_large = || {
            let error = Error::input("the response is larger than allowed").with("bytes", limit);
            Err(error.hint("ask for smaller pages, or raise client.max_body_size"))
        };
        // What is said of the length need not be true.
        let expected = answer.content_length().unwrap_or(0).min(limit).min(16 << 20);
        let mut body = Vec::with_capacity(expected as usize);
        while let Some(chunk) = answer.chunk().await.map_err(|e| self.transport(e, "the answer broke off"))? {
            if (body.len() + chunk.len()) as u64 > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        // The connection's own task takes it back now, so that the next request finds it and opens no other.
        tokio::task::yield_now().await;
        let encodings = headers.get_all(CONTENT_ENCODING).iter().filter_map(|v| v.to_str().ok()).collect::<Vec<_>>();
        if !encodings.is_empty() {
            let broken = |e| Error::new(ErrorKind::Unavailable, "the answer cannot be unpacked").source(e);
            let unpacked = unpack::unpack(body, &encodings.join(","), limit);
            body = unpacked.map_err(|e| Ok(Failed::new(broken(e))))?.ok_or_else(too_large)?;
        }
        Ok(Raw { status, headers, body, url })
    }

    fn gate(&self, url: &Url) -> Arc<Gate> {
        gate(&host(url), self.config.max_concurrency, self.rate)
    }
}

/// Errors of tokens that may pass are tried again with the request.
fn retryable(error: Error) -> std::result::Result<Failed, Error> {
    if error.is_retryable() { Ok(Failed::new(error)) } else { Err(error) }
}

/// Host and port: what manners and trust go by.
pub(crate) fn host(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}
