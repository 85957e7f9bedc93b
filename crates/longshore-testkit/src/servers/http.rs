//! A server that answers requests by a function: method, path, query, headers, body in; status, headers, body out.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Response, StatusCode};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A request as tests look at it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `GET`, `POST`.
    pub method: String,
    /// Without the query, still percent-encoded.
    pub path: String,
    /// The query's parameters, decoded; of repeated ones the last.
    pub query: BTreeMap<String, String>,
    /// The query as it came.
    pub raw_query: String,
    /// Headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Asked {
    /// Returns a query parameter as a number, or a default.
    pub fn number(&self, name: &str, default: u64) -> u64 {
        self.query.get(name).and_then(|v| v.parse().ok()).unwrap_or(default)
    }

    /// Returns a header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What a server answers.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// 0 means 200.
    pub status: u16,
    /// More headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The connection breaks after so many bytes of the body.
    pub cut: Option<usize>,
    /// The body comes after that time.
    pub delay: Duration,
}

impl Answer {
    /// Answers with JSON.
    pub fn json(value: &serde_json::Value) -> Answer {
        Answer { body: value.to_string().into_bytes(), ..Answer::default() }
    }

    /// Answers with a status and JSON.
    pub fn status(status: u16, value: &serde_json::Value) -> Answer {
        Answer { status, ..Answer::json(value) }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Answer {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

type Handler = dyn Fn(&Asked) -> Answer + Send + Sync;

/// A server; it ends when it is dropped.
pub struct Server {
    /// `http://127.0.0.1:<port>`.
    pub url: String,
    seen: Arc<Mutex<Vec<Asked>>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Server {
    /// Starts a server on a free port.
    ///
    /// # Panics
    /// When no port is free.
    pub fn start(handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Server {
        Server::start_with(handler, true)
    }

    /// Starts a server that does not remember what it was asked, for benches.
    ///
    /// # Panics
    /// When no port is free.
    pub fn start_with(handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static, remember: bool) -> Server {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime for the mock server");
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))))
            .expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("the port that was bound"));
        let (handler, seen): (Arc<Handler>, Arc<Mutex<Vec<Asked>>>) = (Arc::new(handler), Arc::default());
        let log = remember.then(|| Arc::clone(&seen));
        let router = Router::new().fallback(move |request: Request| answer(Arc::clone(&handler), log.clone(), request));
        runtime.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Server { url, seen, runtime: Some(runtime) }
    }

    /// Returns all requests so far.
    pub fn requests(&self) -> Vec<Asked> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns path and query of all requests so far.
    pub fn asked(&self) -> Vec<String> {
        let shown = |a: Asked| if a.raw_query.is_empty() { a.path } else { format!("{}?{}", a.path, a.raw_query) };
        self.requests().into_iter().map(shown).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn answer(handler: Arc<Handler>, log: Option<Arc<Mutex<Vec<Asked>>>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 << 20).await.unwrap_or_default().to_vec();
    let raw_query = parts.uri.query().unwrap_or_default().to_owned();
    let query = url::form_urlencoded::parse(raw_query.as_bytes()).into_owned().collect();
    let asked = Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query,
        raw_query,
        headers: parts.headers,
        body,
    };
    let answer = handler(&asked);
    if let Some(log) = log {
        log.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    }
    let status = StatusCode::from_u16(if answer.status == 0 { 200 } else { answer.status }).unwrap_or(StatusCode::OK);
    let mut builder = Response::builder().status(status);
    if !answer.body.is_empty() && !answer.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("content-type")) {
        builder = builder.header("content-type", "application/json");
    }
    for (name, value) in &answer.headers {
        builder = builder.header(name, value);
    }
    if !answer.delay.is_zero() {
        tokio::time::sleep(answer.delay).await;
    }
    let body = match answer.cut {
        None => Body::from(answer.body),
        Some(at) => {
            builder = builder.header("content-length", answer.body.len());
            let part = Bytes::from(answer.body[..at.min(answer.body.len())].to_vec());
            Body::new(Torn { part: Some(part), sent: false, size: answer.body.len() as u64 })
        }
    };
    builder.body(body).unwrap_or_default()
}

/// A body that breaks off.
struct Torn {
    part: Option<Bytes>,
    /// The part was given time to leave.
    sent: bool,
    size: u64,
}

impl http_body::Body for Torn {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        // What waits in the server's buffer would be lost with the connection, head and all.
        if self.part.is_none() && !self.sent {
            self.sent = true;
            context.waker().wake_by_ref();
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(Some(match self.part.take() {
            Some(part) => Ok(http_body::Frame::data(part)),
            None => Err(std::io::Error::other("cut")),
        }))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.size)
    }
}
