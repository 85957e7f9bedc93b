//! Requests to BigQuery's REST API: tokens, repetition of what fails for a passing reason, and the threads they run on.
//!
//! The REST API directly, and not `gcp-bigquery-client` or `google-cloud-bigquery`: neither uploads the file of a load
//! job (they only name files that are in Cloud Storage already), and with that half our own the rest is few calls.

use crate::auth::Tokens;
use crate::config::Config;
use crate::error::{Failure, Refusal};
use longshore_core::error::{Error, ErrorKind, Result};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

/// Requests of uploads and table changes that run at once: BigQuery's own limits are per table and per second.
const AT_ONCE: usize = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(16);
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(90);

/// One project at one server.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) config: Config,
    http: reqwest::Client,
    tokens: Tokens,
    /// What runs at once waits here for its turn.
    pub(crate) slots: Semaphore,
    /// The requests' own threads: a caller's runtime only runs while it waits for us, and ends with the call.
    runtime: Option<Runtime>,
}

impl Api {
    pub(crate) fn new(config: Config) -> Result<Arc<Self>> {
        // A provider that somebody else installed in this process serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none()) // a token belongs to one server; 308 means something else here
            .connect_timeout(Duration::from_secs(15))
            .timeout(TIMEOUT)
            .user_agent(concat!("longshore/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| Error::internal("cannot make an HTTP client").source(e))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("bigquery")
            .enable_all()
            .build()
            .map_err(|e| Error::internal("cannot start an asynchronous runtime").source(e))?;
        let tokens = Tokens::new(&config)?;
        Ok(Arc::new(Api { config, http, tokens, slots: Semaphore::new(AT_ONCE), runtime: Some(runtime) }))
    }

    /// Starts something on the requests' threads.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<tokio::task::JoinHandle<T>> {
        let runtime = self.runtime.as_ref().ok_or_else(|| Error::internal("the requests' threads have ended"))?;
        Ok(runtime.spawn(work))
    }

    /// Runs something on the requests' threads and waits for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.spawn(work)?.await.unwrap_or_else(|e| Err(Error::internal("a request's task ended early").source(e)))
    }

    /// Calls the API: `path` is what follows `projects/<project>/`. Repeats it while it may help.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        self.call_with(method, path, body, &[]).await
    }

    /// [`Api::call`] with more headers.
    pub(crate) async fn call_with(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Result<Value, Failure> {
        let url = format!("{}/bigquery/v2/projects/{}/{path}", self.config.endpoint, self.config.project);
        let make = || {
            let mut request = self.http.request(method.clone(), &url);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            match body {
                Some(body) => request.json(body),
                None => request,
            }
        };
        let answer = self.send(make).await?;
        read(answer).await
    }

    /// Sends a request until it is answered with success or with a refusal that stays; 308 counts as success.
    pub(crate) async fn send(&self, make: impl Fn() -> RequestBuilder) -> Result<Response, Failure> {
        let mut patience = Patience::new(self.config.patience);
        loop {
            match self.send_once(&make).await {
                Err(failure) if failure.is_passing() => patience.wait(failure).await?,
                outcome => return outcome,
            }
        }
    }

    /// Sends a request once; a token that is refused is renewed and the request sent again.
    pub(crate) async fn send_once(&self, make: impl Fn() -> RequestBuilder) -> Result<Response, Failure> {
        for last in [false, true] {
            let token = self.tokens.get(&self.http).await?;
            let mut request = make();
            if let Some(token) = &token {
                request = request.bearer_auth(token.expose());
            }
            if let Some(project) = &self.config.quota_project {
                request = request.header("x-goog-user-project", project);
            }
            let answer = request.send().await.map_err(unreachable)?;
            let status = answer.status();
            if status.is_success() || status.as_u16() == 308 {
                return Ok(answer);
            }
            if let (401, false, Some(token)) = (status.as_u16(), last, &token) {
                self.tokens.forget(token).await;
                continue;
            }
            let body = answer.text().await.map_err(unreachable)?;
            return Err(Refusal::from_body(status.as_u16(), &body).into());
        }
        Err(Error::internal("no try left").into())
    }

    /// A request to some URL of the server, for [`Api::send`].
    pub(crate) fn request(&self, method: Method, url: &str) -> RequestBuilder {
        self.http.request(method, url)
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background(); // waiting is not allowed in a caller's runtime
        }
    }
}

/// Reads an answer's JSON; an empty one is `null`.
pub(crate) async fn read(answer: Response) -> Result<Value, Failure> {
    let text = answer.text().await.map_err(unreachable)?;
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&text)
        .map_err(|e| Error::new(ErrorKind::Unavailable, "the server's answer is not JSON").source(e).into())
}

fn unreachable(error: reqwest::Error) -> Failure {
    let cause = std::error::Error::source(&error).map(|c| format!(": {c}")).unwrap_or_default();
    let host = error.url().and_then(|u| u.host_str()).unwrap_or_default().to_owned();
    let what = if error.is_timeout() { "BigQuery does not answer in time" } else { "BigQuery cannot be reached" };
    let text = format!("{}{cause}", error.without_url());
    Failure::Other(
        Error::new(ErrorKind::Unavailable, what)
            .with("host", host)
            .hint("check the network, then run the same command again")
            .source(text),
    )
}

/// Pauses that grow, until there is no time left.
pub(crate) struct Patience {
    until: Instant,
    pause: Duration,
}

impl Patience {
    pub(crate) fn new(time: Duration) -> Self {
        Patience { until: Instant::now() + time, pause: FIRST_PAUSE }
    }

    /// Pauses; or, when the time is over, gives the failure back.
    pub(crate) async fn wait(&mut self, failure: Failure) -> Result<(), Failure> {
        // Half of it by chance, so that many who were refused at once do not come back at once.
        let pause = self.pause / 2 + self.pause.mul_f64(0.5 * chance());
        if Instant::now() + pause > self.until {
            return Err(failure);
        }
        tracing::debug!(?failure, ?pause, "a request failed, trying again");
        tokio::time::sleep(pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

/// A number from 0 to 1 that differs from process to process: the clock's smallest digits.
fn chance() -> f64 {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.subsec_nanos());
    f64::from(nanos / 100 % 1000) / 1000.0
}
