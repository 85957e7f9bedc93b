//! Each way to authenticate, as the server sees it.

mod common;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{Answer, How, Server, load, run};
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
