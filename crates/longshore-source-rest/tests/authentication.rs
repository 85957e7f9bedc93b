//! Each way to authenticate, as the server sees it.

#![allow(clippy::unwrap_used)] // helpers of tests panic as tests do

mod common;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{Answer, How, Server, load, run};
use longshore_core::connect::Secret;
use longshore_source_rest::RestOptions;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

fn config(url: &str, auth: Value) -> Value {
    json!({ "client": { "base_url": url, "backoff_factor": 0.001, "auth": auth }, "resources": ["r"] })
}

#[test]
fn keys_tokens_and_passwords_go_where_they_belong() {
    let server = Server::start(|_| Answer::json(&json!([])));
    for auth in [
        json!({ "type": "bearer", "token": "t1" }),
        json!({ "token": "t2" }),
        json!({ "type": "api_key", "name": "X-Key", "api_key": "k1" }),
        json!({ "type": "api_key", "name": "key", "api_key": "k 2", "location": "query" }),
        json!({ "type": "api_key", "name": "sid", "api_key": "k3", "location": "cookie" }),
        json!({ "type": "http_basic", "username": "u", "password": "p" }),
    ] {
        load(&config(&server.url, auth));
    }
    let seen: Vec<String> = server
        .requests()
        .iter()
        .map(|r| {
            let header = |name| r.header(name).unwrap_or("-");
            format!("{} {} {} {}", header("authorization"), header("x-key"), r.raw_query, header("cookie"))
        })
        .collect();
    assert_eq!(
        seen,
        ["Bearer t1 -  -", "Bearer t2 -  -", "- k1  -", "- - key=k+2 -", "- -  sid=k3", "Basic dTpw -  -"]
    );
}

/// Serves tokens at `/token` and records to whoever has the newest one.
fn with_tokens(lifetime: u64) -> Server {
    let issued = AtomicU64::new(0);
    Server::start(move |a| match a.path.as_str() {
        "/token" => {
            let n = issued.fetch_add(1, Ordering::Relaxed) + 1;
            if n == 1 {
                Answer::status(503, &json!({}))
            } else {
                Answer::json(
                    &json!({ "access_token": format!("tok-{n}"), "expires_in": lifetime, "refresh_token": format!("ref-{n}") }),
                )
            }
        }
        _ => {
            let newest = format!("Bearer tok-{}", issued.load(Ordering::Relaxed));
            // The second page wants a newer token than the first.
            let page = a.number("page", 1);
            if a.header("authorization") != Some(newest.as_str()) || (page == 2 && newest == "Bearer tok-2") {
                return Answer::status(401, &json!({ "error": "expired" }));
            }
            Answer::json(&json!({ "data": [{ "id": page }], "total_pages": 2, "current_page": page }))
        }
    })
}

#[test]
fn tokens_are_fetched_kept_and_renewed_when_refused() {
    let server = with_tokens(3600);
    let auth = json!({ "type": "oauth2_client_credentials", "access_token_url": format!("{}/token", server.url), "client_id": "i", "client_secret": "s", "access_token_request_data": { "scope": "x" } });
    let loaded = load(&config(&server.url, auth));
    assert_eq!(loaded.values("r", "id"), [1, 2]);
    let tokens: Vec<String> = server
        .requests()
        .iter()
        .filter(|r| r.path == "/token")
        .map(|r| String::from_utf8_lossy(&r.body).into_owned())
        .collect();
    assert_eq!(tokens, ["grant_type=client_credentials&client_id=i&client_secret=s&scope=x"; 3]);

    let server = with_tokens(3600);
    let auth = json!({ "type": "oauth2_refresh_token", "access_token_url": format!("{}/token", server.url), "refresh_token": "ref-0", "client_id": "i" });
    assert_eq!(load(&config(&server.url, auth)).values("r", "id"), [1, 2]);
    let last = server.requests().into_iter().rfind(|r| r.path == "/token").unwrap();
    assert_eq!(
        String::from_utf8_lossy(&last.body),
        "grant_type=refresh_token&client_id=i&refresh_token=ref-2",
        "the newest refresh token is used"
    );
}

/// Both were sent with the same token; the one that is answered second must not drop the new one.
#[test]
fn requests_that_are_refused_at_once_share_one_new_token() {
    let (issued, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    let server = Server::start(move |a| {
        if a.path == "/token" {
            let n = issued.fetch_add(1, Ordering::Relaxed) + 1;
            return Answer::json(&json!({ "access_token": format!("tok-{n}"), "expires_in": 3600 }));
        }
        if a.header("authorization") == Some("Bearer tok-1") {
            refused.fetch_add(1, Ordering::Relaxed);
            let begun = std::time::Instant::now();
            while refused.load(Ordering::Relaxed) < 2 && begun.elapsed().as_secs() < 5 {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            return Answer::status(401, &json!({ "error": "expired" }));
        }
        Answer::json(&json!({ "data": [{ "id": 1 }] }))
    });
    let auth = json!({ "type": "oauth2_client_credentials", "access_token_url": format!("{}/token", server.url), "client_id": "i", "client_secret": "s" });
    let mut config = config(&server.url, auth);
    let resource = |name: &str| json!({ "name": name, "parallelized": true, "endpoint": { "path": name, "paginator": "single_page", "data_selector": "data" } });
    config["resources"] = json!([resource("a"), resource("b")]);
    let loaded = load(&config);
    assert_eq!((loaded.of("a").len(), loaded.of("b").len()), (1, 1));
    assert_eq!(server.requests().iter().filter(|r| r.path == "/token").count(), 2);
}

#[test]
fn assertions_are_signed() {
    let server = with_tokens(3600);
    let pem = include_str!("common/rsa-test-key.pem");
    let auth = json!({ "type": "oauth2_jwt", "client_id": "svc@x", "private_key": pem, "auth_endpoint": format!("{}/token", server.url), "scopes": ["a", "b"] });
    assert_eq!(load(&config(&server.url, auth)).of("r").len(), 2);
    let request = server.requests().into_iter().find(|r| r.path == "/token").unwrap();
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&request.body).into_owned().collect();
    assert_eq!(form[0].1, "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let parts: Vec<Vec<u8>> = form[1].1.split('.').map(|p| URL_SAFE_NO_PAD.decode(p).unwrap()).collect();
    let claims: Value = serde_json::from_slice(&parts[1]).unwrap();
    assert_eq!((&claims["iss"], &claims["scope"]), (&json!("svc@x"), &json!("a b")));
    let key = ring::signature::UnparsedPublicKey::new(&ring::signature::RSA_PKCS1_2048_8192_SHA256, public_key());
    let signed = form[1].1.rsplit_once('.').unwrap().0;
    key.verify(signed.as_bytes(), &parts[2]).expect("the signature is right");
}

fn public_key() -> Vec<u8> {
    use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
    let PrivateKeyDer::Pkcs8(der) =
        PrivateKeyDer::from_pem_slice(include_bytes!("common/rsa-test-key.pem")).expect("a key")
    else {
        panic!("PKCS#8")
    };
    let pair = ring::signature::RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).expect("a key pair");
    ring::signature::KeyPair::public_key(&pair).as_ref().to_vec()
}

#[test]
fn credentials_are_not_sent_to_another_host() {
    let other = Server::start(|_| Answer::json(&json!({ "data": [{ "id": 2 }] })));
    let link = format!("{}/next", other.url.replace("127.0.0.1", "localhost"));
    let server = Server::start(move |a| match a.path.as_str() {
        "/moved" => Answer { status: 302, ..Answer::default() }.header("location", link.clone()),
        _ => Answer::json(&json!({ "data": [{ "id": 1 }], "next": link })),
    });
    for path in ["linked", "moved"] {
        let mut config = config(&server.url, json!({ "type": "api_key", "name": "X-Key", "api_key": "hush-hush" }));
        config["resources"] = json!([path]);
        config["client"]["headers"] = json!({ "X-Token": "hush-too" });
        load(&config);
    }
    assert_eq!(other.requests().len(), 2);
    assert!(other.requests().iter().all(|r| r.header("x-key").is_none() && r.header("x-token").is_none()));
    assert!(server.requests().iter().all(|r| r.header("x-key") == Some("hush-hush")));
}

/// What was not sent was not refused.
#[test]
fn a_refusal_says_that_nothing_was_sent_to_another_host() {
    let other = Server::start(|_| Answer::status(401, &json!({ "errors": ["who are you?"] })));
    let place = other.url.replace("127.0.0.1", "localhost");
    let server = Server::start(move |_| Answer { status: 302, ..Answer::default() }.header("location", place.clone()));
    let error = run(&config(&server.url, json!({ "token": "hush" })), &How::default()).unwrap_err();
    assert!(error.to_string().contains("who are you? (used no authentication"), "{error}");
    assert!(error.hint_text().unwrap().contains("client.auth_hosts"), "{error:?}");
    let error = run(&config(&other.url, Value::Null), &How::default()).unwrap_err();
    assert!(error.hint_text().unwrap().contains("wants credentials: client.auth"), "{error:?}");
}

#[test]
fn a_token_endpoint_that_asks_for_patience_gets_it() {
    let times = std::sync::Mutex::new(Vec::new());
    let server = Server::start(move |asked| {
        let mut times = times.lock().unwrap();
        match asked.path.as_str() {
            "/token" if times.is_empty() => {
                times.push(std::time::Instant::now());
                Answer::status(429, &json!({})).header("retry-after", "1.5")
            }
            "/token" if times[0].elapsed().as_millis() < 1400 => Answer::status(400, &json!({ "error": "too early" })),
            "/token" => Answer::json(&json!({ "access_token": "t" })),
            _ => Answer::json(&json!({ "data": [{ "id": 1 }] })),
        }
    });
    let auth = json!({ "type": "oauth2_client_credentials", "access_token_url": format!("{}/token", server.url), "client_id": "i", "client_secret": "s" });
    load(&config(&server.url, auth));
}

#[test]
fn a_refusing_token_endpoint_is_told_without_secrets() {
    let server = Server::start(|_| {
        Answer::status(
            400,
            &json!({ "error": "invalid_client", "error_description": "no client with secret hush-hush" }),
        )
    });
    let auth = json!({ "type": "oauth2_client_credentials", "access_token_url": format!("{}/token", server.url), "client_id": "i", "client_secret": "hush-hush" });
    let error = run(&config(&server.url, auth), &How::default()).unwrap_err().to_string();
    assert!(error.contains("invalid_client") && !error.contains("hush"), "{error}");
}

/// Files of a recording, one after the other.
fn recorded(folder: &std::path::Path) -> String {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    files.iter().map(|f| std::fs::read_to_string(f).unwrap()).collect()
}

#[test]
fn secrets_that_are_no_credentials_are_not_recorded_nor_told() {
    let server = Server::start(|a| match a.path.as_str() {
        "/refused" => Answer::status(400, &json!({ "code": "no", "message": format!("not for {}", a.raw_query) })),
        _ => {
            let body: Value = serde_json::from_slice(&a.body).unwrap();
            Answer::json(&json!([{ "id": 1, "query": a.raw_query, "body": body }]))
        }
    });
    let config = json!({ "client": { "base_url": server.url }, "resources": [
        { "name": "echo", "endpoint": { "method": "POST", "params": { "account": "hush/query", "token": "literal-77" },
            "json": { "k": "hush\"body", "password": "in the body 1" }, "paginator": "single_page", "data_selector": "$" } },
        { "name": "refused", "endpoint": { "params": { "account": "hush/query" } } },
    ]});
    let folder = tempfile::tempdir().unwrap();
    let options = |select: &str, record: bool| RestOptions {
        select: Some(vec![select.into()]),
        record: record.then(|| folder.path().to_owned()),
        replay: (!record).then(|| folder.path().to_owned()),
        secrets: ["hush/query", "hush\"body"].map(Secret::new).to_vec(),
        ..RestOptions::default()
    };
    let how = |record| How { options: options("echo", record), ..How::default() };
    assert_eq!(run(&config, &how(true)).unwrap().of("echo").len(), 1);
    assert_eq!(run(&config, &how(false)).unwrap().of("echo").len(), 1, "it is played back all the same");
    let kept = recorded(folder.path());
    assert!(!kept.contains("hush") && !kept.contains("literal-77") && !kept.contains("in the body"), "{kept}");
    let error = run(&config, &How { options: options("refused", true), ..How::default() }).unwrap_err();
    assert!(error.to_string().contains("400") && !error.to_string().contains("hush"), "{error}");
}

#[test]
fn a_recording_with_a_renewed_token_is_played_back() {
    for auth in ["oauth2_client_credentials", "oauth2_jwt"] {
        let server = with_tokens(3600);
        let token = format!("{}/token", server.url);
        let auth = match auth {
            "oauth2_jwt" => {
                json!({ "type": auth, "client_id": "svc@x", "private_key": include_str!("common/rsa-test-key.pem"), "auth_endpoint": token, "scopes": "a" })
            }
            _ => {
                json!({ "type": auth, "access_token_url": token, "client_id": "i", "client_secret": "s", "access_token": "expired" })
            }
        };
        let config = config(&server.url, auth);
        let folder = tempfile::tempdir().unwrap();
        let options = |record: bool| RestOptions {
            record: record.then(|| folder.path().to_owned()),
            replay: (!record).then(|| folder.path().to_owned()),
            ..RestOptions::default()
        };
        let live = run(&config, &How { options: options(true), ..How::default() }).unwrap();
        assert!(recorded(folder.path()).contains("\"status\": 401"), "the token was renewed");
        let played = run(&config, &How { options: options(false), ..How::default() }).unwrap();
        assert_eq!(live.of("r"), played.of("r"));
    }
}

#[test]
fn another_host_gets_no_header_of_the_configuration_and_no_secret_in_a_body() {
    let other = Server::start(|_| Answer::json(&json!({ "items": [{ "id": 2 }] })));
    let url = other.url.replace("127.0.0.1", "localhost");
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/moved" => Answer { status: 307, ..Answer::default() }.header("location", format!("{url}/moved")),
        _ => Answer::json(&json!({ "items": [{ "id": 1 }], "next": format!("{url}/r?page=2") })),
    });
    let mut config = json!({ "client": { "base_url": server.url, "headers": { "X-Tenant": "t1" } },
        "resource_defaults": { "endpoint": { "headers": { "X-Api-Key": "hush-hush-1", "X-More": "m" } } },
        "resources": [{ "name": "r", "endpoint": { "paginator": "json_link" } }] });
    assert_eq!(load(&config).of("r").len(), 2);
    let asked = other.requests();
    assert_eq!(asked.len(), 1);
    for name in ["x-tenant", "x-api-key", "x-more"] {
        assert!(server.requests()[0].header(name).is_some() && asked[0].header(name).is_none(), "{name}");
    }
    let body = json!({ "client_secret": "hush-hush-1", "size": 5 });
    config["resources"] = json!([{ "name": "r", "endpoint": { "path": "moved", "method": "POST", "json": body } }]);
    let error = run(&config, &How::default()).unwrap_err();
    assert!(error.to_string().contains("body holds a secret") && !error.to_string().contains("hush"), "{error}");
    assert_eq!(other.requests().len(), 1, "nothing was sent");
    config["client"]["auth_hosts"] = json!(["localhost"]);
    assert_eq!(load(&config).of("r").len(), 1);
}
