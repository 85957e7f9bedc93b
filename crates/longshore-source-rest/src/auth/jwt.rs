//! JSON Web Tokens as assertions (RFC 7523), signed with RS256. Made here of `ring`, which TLS brings along: the
//! well-known crates need a second cryptographic library.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use longshore_core::connect::Secret;
use longshore_core::error::{Error, Result};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// What an assertion says, and the key that signs it.
pub(super) struct Claims {
    issuer: Secret,
    audience: String,
    scope: String,
    subject: Option<String>,
    key: RsaKeyPair,
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("audience", &self.audience).finish_non_exhaustive()
    }
}

impl Claims {
    pub(super) fn new(
        issuer: Secret,
        audience: String,
        scope: String,
        subject: Option<String>,
        key: &Secret,
    ) -> Result<Claims> {
        let wrong = || {
            Error::config("the private key is not an RSA key in PEM")
                .hint("it begins with '-----BEGIN PRIVATE KEY-----'; keys with a passphrase must be decrypted first")
        };
        // Secrets in the environment often have their line breaks written as \n.
        let pem = key.expose().replace("\\n", "\n");
        let key = match PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| wrong())? {
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(wrong()),
        };
        Ok(Claims { issuer, audience, scope, subject, key: key.map_err(|_| wrong())? })
    }

    /// Returns a signed assertion that holds for an hour.
    pub(super) fn sign(&self) -> Result<Secret> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let issuer = self.issuer.expose();
        let claims = json!({
            "iss": issuer,
            "sub": self.subject.as_deref().unwrap_or(issuer),
            "aud": self.audience,
            "iat": now,
            "exp": now + 3600,
            "scope": self.scope,
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({ "alg": "RS256", "typ": "JWT" })), part(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|_| Error::internal("the assertion could not be signed"))?;
        Ok(Secret::new(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}
