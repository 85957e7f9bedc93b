//! Object stores in the test's own process, over HTTP on a free port of this machine.
//!
//! S3 is s3s-fs, which checks signatures and checksums. Google's XML interface is nearly S3's: `gcs` puts the little
//! that differs in front of the same store (generations as preconditions, other names of headers).

use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

pub const KEY: &str = "LONGSHORETEST";
pub const SECRET: &str = "a-secret-of-the-tests";
pub const BUCKET: &str = "lake";

/// A store that is served as long as the process lives.
pub struct Server {
    pub address: SocketAddr,
    /// Where its objects are files, below a folder named as the bucket.
    pub root: tempfile::TempDir,
}

type Answer = Result<Response<s3s::Body>, std::io::Error>;

/// Serves S3.
pub fn s3() -> Server {
    let (service, root) = store(true);
    let address = serve(move |request| {
        let service = service.clone();
        async move { call(&service, request.map(s3s::Body::from)).await }
    });
    Server { address, root }
}

/// Serves S3 as a store does that has no conditional puts, and counts these.
pub fn s3_without_conditions() -> (Server, Arc<AtomicU64>) {
    let (service, root) = store(true);
    let refused: Arc<AtomicU64> = Arc::default();
    let count = Arc::clone(&refused);
    let address = serve(move |request| {
        let service = service.clone();
        let is_conditional = request.headers().contains_key(hyper::header::IF_NONE_MATCH);
        count.fetch_add(u64::from(is_conditional), Ordering::SeqCst);
        async move {
            if is_conditional {
                let body = s3s::Body::from("<Error><Code>NotImplemented</Code></Error>".to_owned());
                return Ok(Response::builder().status(501).body(body).expect("a valid answer"));
            }
            call(&service, request.map(s3s::Body::from)).await
        }
    });
    (Server { address, root }, refused)
}

/// Serves Google Cloud Storage's XML interface, without authentication.
pub fn gcs() -> Server {
    let (service, root) = store(false);
    let known: Arc<Mutex<Generations>> = Arc::default();
    let address = serve(move |request| {
        let (service, known) = (service.clone(), Arc::clone(&known));
        async move { google(&service, &known, request).await }
    });
    Server { address, root }
}

fn store(signed: bool) -> (S3Service, tempfile::TempDir) {
    let root = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(root.path().join(BUCKET)).expect("a bucket is a folder");
    let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root.path()).expect("the folder is there"));
    if signed {
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
    }
    (builder.build(), root)
}

async fn call(service: &S3Service, request: Request<s3s::Body>) -> Answer {
    let (mut parts, body) = request.into_parts();
    parts.extensions.clear();
    service.call(Request::from_parts(parts, body)).await.map_err(|e| std::io::Error::other(format!("{e:?}")))
}

/// Answers requests on a thread of its own, and returns where.
pub fn serve<F, A>(answer: F) -> SocketAddr
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.set_nonblocking(true).expect("a listener can be asked without waiting");
    let address = listener.local_addr().expect("a bound listener has an address");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("a runtime starts").block_on(async move {
            let listener = TcpListener::from_std(listener).expect("the listener is good");
            while let Ok((stream, _)) = listener.accept().await {
                let answer = answer.clone();
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(answer);
                    // A client that goes away is no error of the server.
                    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
    });
    address
}

/// Google numbers the writings of each object; S3 knows entity tags.
#[derive(Default)]
struct Generations {
    last: u64,
    of: HashMap<String, (u64, String)>,
}

async fn google(service: &S3Service, known: &Mutex<Generations>, request: Request<Incoming>) -> Answer {
    let (path, method) = (request.uri().path().to_owned(), request.method().clone());
    let mut request = request.map(s3s::Body::from);
    let headers = request.headers_mut();
    headers.remove("authorization");
    rename(headers, "x-goog-copy-source", "x-amz-copy-source");
    rename_all(headers, "x-goog-meta-", "x-amz-meta-");
    if let Some(wanted) = headers.remove("x-goog-if-generation-match") {
        let wanted: u64 = wanted.to_str().ok().and_then(|w| w.parse().ok()).unwrap_or(u64::MAX);
        let found = known.lock().expect("no test panicked here").of.get(&path).cloned();
        match found {
            Some((generation, tag)) if generation == wanted => {
                headers.insert("if-match", HeaderValue::from_str(&tag).expect("a tag is a header's value"));
            }
            None if wanted == 0 => {
                headers.insert("if-none-match", HeaderValue::from_static("*"));
            }
            _ => return Ok(precondition_failed()),
        }
    }
    let mut answer = call(service, request).await?;
    if answer.status().is_success() {
        let mut known = known.lock().expect("no test panicked here");
        if method == Method::DELETE {
            known.of.remove(&path);
        } else if method == Method::PUT || method == Method::POST {
            known.last += 1;
            let tag = answer.headers().get("etag").and_then(|t| t.to_str().ok()).unwrap_or("*").to_owned();
            let generation = known.last;
            known.of.insert(path.clone(), (generation, tag));
        }
        if let Some((generation, _)) = known.of.get(&path) {
            answer.headers_mut().insert("x-goog-generation", HeaderValue::from(*generation));
        }
        rename_all(answer.headers_mut(), "x-amz-meta-", "x-goog-meta-");
    }
    Ok(answer)
}

fn precondition_failed() -> Response<s3s::Body> {
    let body = s3s::Body::from("<Error><Code>PreconditionFailed</Code></Error>".to_owned());
    Response::builder().status(412).body(body).expect("a valid answer")
}

fn rename(headers: &mut hyper::HeaderMap, from: &'static str, to: &'static str) {
    if let Some(value) = headers.remove(from) {
        headers.insert(to, value);
    }
}

fn rename_all(headers: &mut hyper::HeaderMap, from: &str, to: &str) {
    let found: Vec<HeaderName> = headers.keys().filter(|k| k.as_str().starts_with(from)).cloned().collect();
    for name in found {
        let renamed = HeaderName::try_from(name.as_str().replacen(from, to, 1)).expect("a valid name");
        if let Some(value) = headers.remove(name) {
            headers.insert(renamed, value);
        }
    }
}
