//! How requests travel: compression, TLS with a root certificate of one's own, HTTP/2, proxies, rates, limits.
#![allow(clippy::unwrap_used)] // in helpers of tests, too

mod common;

use common::{Answer, How, Server, load, run};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use longshore_source_rest::RestOptions;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn things(url: &str, client: Value) -> Value {
    let mut whole = json!({ "client": { "base_url": url, "backoff_factor": 0.001 }, "resources": [
        { "name": "things", "endpoint": { "data_selector": "$", "paginator": "single_page" } } ] });
    for (key, value) in client.as_object().unwrap() {
        whole["client"][key] = value.clone();
    }
    whole
}

#[test]
fn compressed_answers_are_unpacked() {
    let text = br#"[{"id":1},{"id":2}]"#;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text).unwrap();
    let zstd = zstd::encode_all(&text[..], 1).unwrap();
    let mut br = Vec::new();
    brotli::CompressorWriter::new(&mut br, 4096, 5, 20).write_all(text).unwrap();
    for (encoding, body) in [("gzip", gzip.finish().unwrap()), ("zstd", zstd), ("br", br)] {
        let server = Server::start(move |_| {
            Answer { body: body.clone(), ..Answer::default() }.header("content-encoding", encoding)
        });
        assert_eq!(load(&things(&server.url, json!({}))).of("things").len(), 2, "{encoding}");
        let accepted = server.requests()[0].header("accept-encoding").unwrap_or_default().to_owned();
        assert!(accepted.contains(encoding), "{accepted}");
    }
}

#[test]
fn a_body_that_unpacks_to_too_much_is_refused() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&vec![b' '; 10 << 20]).unwrap();
    let body = gzip.finish().unwrap();
    let server =
        Server::start(move |_| Answer { body: body.clone(), ..Answer::default() }.header("content-encoding", "gzip"));
    let error = run(&things(&server.url, json!({ "max_body_size": 1 << 20 })), &How::default()).unwrap_err();
    assert!(error.to_string().contains("larger than allowed"), "{error}");
}

#[test]
fn requests_go_through_the_proxy() {
    let proxy = Server::start(|asked| match asked.header("host") {
        Some("api.invalid") => Answer::json(&json!([{ "id": 1 }])),
        _ => Answer::status(502, &json!({})),
    });
    let loaded = load(&things("http://api.invalid/v1", json!({ "proxy": proxy.url })));
    assert_eq!(loaded.of("things").len(), 1, "the name api.invalid leads nowhere but through the proxy");
}

#[test]
fn a_proxy_that_is_not_there_is_named_without_its_password() {
    let client = json!({ "proxy": "http://me:hush@127.0.0.1:1", "max_attempts": 1 });
    let error = run(&things("http://api.invalid/v1", client), &How::default()).unwrap_err();
    assert!(error.to_string().contains("proxy 127.0.0.1:1") && !error.to_string().contains("hush"), "{error}");
    assert!(error.hint_text().unwrap().contains("client.proxy"), "{error:?}");
}

#[test]
fn numbers_that_are_no_json_are_said_to_be_that_at_once() {
    for number in ["NaN", "-Infinity"] {
        let body = format!("[{{\"id\":{number}}}]").into_bytes();
        let server = Server::start(move |_| Answer { body: body.clone(), ..Answer::default() });
        let error = run(&things(&server.url, json!({})), &How::default()).unwrap_err();
        assert!(error.to_string().contains("NaN and Infinity are not JSON"), "{error}");
        assert!(error.hint_text().unwrap().contains("null in its place"), "{error:?}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn an_encoding_that_is_not_unpacked_is_named() {
    let server = Server::start(|_| {
        Answer { body: vec![0x1f, 0x9d], ..Answer::default() }.header("content-encoding", "compress")
    });
    let error = run(&things(&server.url, json!({})), &How::default()).unwrap_err();
    assert!(error.to_string().contains("content encoding compress"), "{error}");
}

#[test]
fn encodings_that_are_said_are_read() {
    for (body, kind) in [
        (b"[{\"id\":\"\xe4\x80\"}]".to_vec(), "application/json; charset=iso-8859-1"),
        ("\u{feff}[{\"id\":\"ä€\"}]".encode_utf16().flat_map(u16::to_le_bytes).collect(), "application/json"),
    ] {
        let server =
            Server::start(move |_| Answer { body: body.clone(), ..Answer::default() }.header("content-type", kind));
        assert_eq!(load(&things(&server.url, json!({}))).values("things", "id"), ["ä€"], "{kind}");
    }
}

/// Serves JSON over TLS, and notes the versions of HTTP it was asked in.
fn secure_server(certificate: &str, key: &str) -> (u16, Arc<Mutex<Vec<Version>>>) {
    let _ = rustls::crypto::ring::default_provider().install_default(); // perhaps chosen already
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let mut config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let (port, seen) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(Vec::new())));
    let versions = Arc::clone(&seen);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, versions) = (acceptor.clone(), Arc::clone(&versions));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                        versions.lock().unwrap().push(request.version());
                        async {
                            Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from(r#"[{"id":1}]"#))))
                        }
                    });
                    // A client that goes away is no error of the server.
                    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
    });
    (port, seen)
}

#[test]
fn an_own_root_certificate_is_trusted_where_it_is_given_and_http_2_is_spoken() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "An authority of the tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let (port, versions) = secure_server(&certificate.pem(), &key.serialize_pem());
    let url = format!("https://localhost:{port}");

    let error = run(&things(&url, json!({})), &How::default()).unwrap_err();
    assert!(error.to_string().contains("certificate is not trusted"), "{error}");
    assert!(error.hint_text().unwrap().contains("client.root_certificates"), "{error:?}");
    assert!(!error.to_string().contains("attempts"), "it is asked once: {error}");
    assert!(versions.lock().unwrap().is_empty(), "nobody is asked who is not trusted");

    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root.pem");
    std::fs::write(&root, authority.pem()).unwrap();
    let options = RestOptions { folder: Some(folder.path().to_owned()), ..RestOptions::default() };
    let relative = things(&url, json!({ "root_certificates": ["root.pem"] }));
    let loaded = run(&relative, &How { options, ..How::default() }).unwrap();
    assert_eq!(loaded.of("things").len(), 1, "the file is of the project's folder");
    assert_eq!(*versions.lock().unwrap(), [Version::HTTP_2]);

    std::fs::write(&root, "no certificate").unwrap();
    let error = run(&things(&url, json!({ "root_certificates": [&root] })), &How::default()).unwrap_err();
    assert!(error.to_string().contains("root.pem"), "{error}");
}

/// As `openssl req -x509` makes it: the certificate of a server that calls itself an authority.
#[test]
fn a_certificate_that_signed_itself_is_trusted_where_it_is_given() {
    let key = KeyPair::generate().unwrap();
    let made = |name: &str| {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.self_signed(&key).unwrap().pem()
    };
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("server.pem");
    for (name, is_trusted) in [("localhost", true), ("other.example", false)] {
        let certificate = made(name);
        let (port, versions) = secure_server(&certificate, &key.serialize_pem());
        let url = format!("https://localhost:{port}");
        let error = run(&things(&url, json!({})), &How::default()).unwrap_err();
        assert!(error.hint_text().unwrap().contains("client.root_certificates"), "{error:?}");
        std::fs::write(&root, certificate).unwrap();
        let loaded = run(&things(&url, json!({ "root_certificates": [&root] })), &How::default());
        assert_eq!(loaded.is_ok(), is_trusted, "{name}: {loaded:?}");
        assert_eq!(versions.lock().unwrap().len(), usize::from(is_trusted));
    }
}

#[test]
fn the_rate_of_a_host_is_shared_by_all_sources_of_the_process() {
    let server = Server::start(|_| Answer::json(&json!([{ "id": 1 }])));
    let config = things(&server.url, json!({ "rate": "2/s" }));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| assert_eq!(load(&config).of("things").len(), 1));
        }
    });
    // Five requests at two a second: the fifth goes out in the third second.
    assert!(begun.elapsed() >= Duration::from_millis(1900), "{:?}", begun.elapsed());
}

#[test]
fn a_limit_that_is_used_up_silences_until_it_begins_anew() {
    for header in ["ratelimit-remaining", "x-ratelimit-remaining"] {
        let times = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&times);
        let server = Server::start(move |asked| {
            noted.lock().unwrap().push(Instant::now());
            let page = asked.number("page", 0);
            let reset = header.replace("remaining", "reset");
            Answer::json(&json!(if page < 2 { vec![json!({ "id": page })] } else { Vec::new() }))
                .header(header, if page == 0 { "0" } else { "9" })
                .header(&reset, "1")
        });
        let mut config = things(&server.url, json!({}));
        config["resources"][0]["endpoint"]["paginator"] = json!({ "type": "page_number", "total_path": null });
        assert_eq!(load(&config).of("things").len(), 2);
        let times = times.lock().unwrap();
        assert!(times[1] - times[0] >= Duration::from_millis(900), "{header}: {:?}", times[1] - times[0]);
        assert!(times[2] - times[1] < Duration::from_millis(900), "{header}: {:?}", times[2] - times[1]);
    }
}

#[test]
fn a_strict_limit_is_kept_by_all_who_ask_at_once() {
    // Two requests that are less than 60 ms apart: the second is refused. Eight ask at once.
    for wait in ["0.1", "0"] {
        let last = Arc::new(Mutex::new(None::<Instant>));
        let server = Server::start(move |asked| {
            let mut last = last.lock().unwrap();
            if last.is_some_and(|at| at.elapsed() < Duration::from_millis(60)) {
                return Answer::status(429, &json!({})).header("retry-after", wait);
            }
            *last = Some(Instant::now());
            match asked.path.as_str() {
                "/things" => Answer::json(&json!((0..24).map(|id| json!({ "id": id })).collect::<Vec<_>>())),
                _ => Answer::json(&json!([{ "id": asked.path }])),
            }
        });
        let mut config = things(&server.url, json!({ "backoff_factor": 0.1, "max_attempts": 6 }));
        config["resources"].as_array_mut().unwrap().push(json!({ "name": "parts", "endpoint": {
            "path": "things/{resources.things.id}/parts", "data_selector": "$", "paginator": "single_page" } }));
        let loaded = load(&config);
        assert_eq!(loaded.of("parts").len(), 24, "retry-after: {wait}");
        assert!(loaded.requests < 75, "retry-after: {wait}, {} requests for 25", loaded.requests);
    }
}

#[test]
fn a_limit_may_be_a_403_and_a_reset_is_no_wait_while_something_is_left() {
    let calls = Arc::new(Mutex::new(0));
    let server = Server::start(move |_| {
        let mut calls = calls.lock().unwrap();
        *calls += 1;
        let failed = |status| Answer::status(status, &json!({ "message": "API rate limit exceeded" }));
        match *calls {
            1 => failed(403).header("x-ratelimit-remaining", "0").header("x-ratelimit-reset", "1"),
            2 => failed(403).header("retry-after", "0.1"),
            // As GitHub says with each answer; the gateway is back in a moment.
            3 => failed(502).header("x-ratelimit-remaining", "4999").header("x-ratelimit-reset", "3000"),
            4 => Answer::json(&json!([{ "id": 1 }])),
            _ => failed(403).header("x-ratelimit-remaining", "4999"),
        }
    });
    let begun = Instant::now();
    assert_eq!(load(&things(&server.url, json!({}))).of("things").len(), 1);
    assert!((1..20).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    let error = run(&things(&server.url, json!({})), &How::default()).unwrap_err();
    assert!(error.hint_text().unwrap().contains("not allowed"), "{error:?}");
    assert_eq!(server.requests().len(), 5, "what is forbidden stays so");
}

#[test]
fn recordings_keep_what_leads_to_the_next_page() {
    let server = Server::start(|asked| {
        let page = asked.number("page", 0);
        let answer = Answer::json(&json!([{ "id": page }]));
        match asked.path.as_str() {
            _ if page == 2 => answer,
            "/things" => answer.header("x-continuation", (page + 1).to_string()),
            _ => answer
                .header("link", format!("</links?page={}>; rel=\"next\"", page + 1))
                .header("link", "</links?page=0>; rel=\"first\""),
        }
    });
    let mut config = things(&server.url, json!({}));
    config["resources"][0]["endpoint"]["paginator"] =
        json!({ "type": "header_cursor", "cursor_key": "X-Continuation", "cursor_param": "page" });
    config["resources"].as_array_mut().unwrap().push(json!({ "name": "links" }));
    let folder = tempfile::tempdir().unwrap();
    let there = || Some(folder.path().to_owned());
    for options in [
        RestOptions { record: there(), ..RestOptions::default() },
        RestOptions { replay: there(), ..RestOptions::default() },
    ] {
        let loaded = run(&config, &How { options, ..How::default() }).unwrap();
        assert_eq!((loaded.of("things").len(), loaded.of("links").len()), (3, 3));
    }
    assert_eq!(server.requests().len(), 6);
}

#[test]
fn what_an_api_asks_for_in_vain_is_said() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/things" => Answer::status(429, &json!({})).header("retry-after", "7"),
        _ => Answer { status: 302, ..Answer::default() }.header("location", "file:///etc/hostname"),
    });
    let mut config = things(&server.url, json!({ "retry_budget": 1 }));
    let error = run(&config, &How::default()).unwrap_err();
    assert!(error.to_string().contains("seconds to wait, by the API 7"), "{error}");
    config["resources"][0]["endpoint"]["path"] = json!("moved");
    // The host is another one, as it were, so that nobody waits for the first.
    config["client"]["base_url"] = json!(server.url.replace("127.0.0.1", "localhost"));
    let error = run(&config, &How::default()).unwrap_err();
    assert!(error.message().contains("redirect leads nowhere"), "{error}");
    assert_eq!(server.requests().len(), 2, "neither is tried again");
}
