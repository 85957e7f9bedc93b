//! A service account's key: a statement signed with it is exchanged for a token (RFC 7523).

use super::exchange::{TOKEN_URI, ask};
use super::{SCOPE, Token, need};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use longshore_core::error::{Error, Result};
use ring::{rand, signature};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) async fn token(http: &reqwest::Client, document: &Value) -> Result<Token> {
    let url = document["token_uri"].as_str().unwrap_or(TOKEN_URI);
    let assertion = assertion(document, url)?;
    let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion.as_str())];
    let token = ask("Google's token server", http.post(url).form(&form)).await;
    token.map_err(|e| e.hint("check that the key was not deleted, and that this machine's clock is right"))
}

/// Says, for an hour, that this is the account.
fn assertion(document: &Value, audience: &str) -> Result<String> {
    let wrong = || {
        Error::config("the service account's private_key is no RSA key in PKCS #8")
            .hint("use the key's file as Google gave it; line ends may be written as \\n")
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let part = |v: Value| URL_SAFE_NO_PAD.encode(v.to_string());
    let header = match document["private_key_id"].as_str() {
        Some(id) => json!({"alg": "RS256", "typ": "JWT", "kid": id}),
        None => json!({"alg": "RS256", "typ": "JWT"}),
    };
    let email = need(document, "client_email")?;
    let claims = json!({"iss": email, "scope": SCOPE, "aud": audience, "iat": now, "exp": now + 3600});
    let signed = format!("{}.{}", part(header), part(claims));
    // Keys in environment variables often have their line ends escaped.
    let pem = need(document, "private_key")?.replace("\\n", "\n");
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| wrong())?;
    let key = signature::RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| wrong())?;
    let mut seal = vec![0; key.public().modulus_len()];
    let random = rand::SystemRandom::new();
    key.sign(&signature::RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut seal).map_err(|_| wrong())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(seal)))
}
