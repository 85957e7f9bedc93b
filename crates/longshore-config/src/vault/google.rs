//! Google Secret Manager, by a service account's key or the machine's own identity.

use super::http::{client, refused, send};
use super::{Settings, Vault, itself_or_field, names};
use crate::problem::Problem;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use longshore_core::connect::Secret;
use longshore_core::error::Error;
use ring::{rand, signature};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

const NAME: &str = "Google Secret Manager";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// `shop.api_token` is the secret `<prefix>-shop-api_token`, as dlt names it, or the key `api_token` of a secret
/// `<prefix>-shop` that is a JSON document.
pub(super) struct Google {
    project: String,
    endpoint: String,
    prefix: Option<String>,
    account: Option<Account>,
    metadata: String,
    token: OnceLock<Secret>,
    read: Mutex<HashMap<String, Option<Secret>>>,
}

/// What a service account's key file says.
struct Account {
    email: String,
    key: Secret,
    token_uri: String,
}

impl Google {
    pub(super) fn new(settings: &Settings<'_>) -> Result<Self, Problem> {
        let account = match settings.get("credentials", &["GOOGLE_APPLICATION_CREDENTIALS"]) {
            Some(given) => Some(account(&given).map_err(|e| settings.section.problem(&["credentials"], e))?),
            None => None,
        };
        let endpoint = settings.get("endpoint", &[]);
        let host = settings.get("", &["GCE_METADATA_HOST"]).unwrap_or_else(|| "metadata.google.internal".to_owned());
        Ok(Google {
            project: settings.need("project", &["GOOGLE_CLOUD_PROJECT"])?,
            endpoint: endpoint.unwrap_or_else(|| "https://secretmanager.googleapis.com".to_owned()),
            prefix: settings.get("prefix", &[]),
            account,
            metadata: format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token"),
            token: OnceLock::new(),
            read: Mutex::default(),
        })
    }

    /// Google allows letters, digits, `_` and `-`.
    fn id(&self, path: &[String]) -> String {
        let joined = self.prefix.iter().chain(path).map(String::as_str).collect::<Vec<_>>().join("-");
        joined.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect()
    }

    fn token(&self) -> Result<&Secret, Error> {
        if let Some(token) = self.token.get() {
            return Ok(token);
        }
        let client = client()?;
        let asked = send("Google's token server", || match &self.account {
            Some(account) => {
                let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
                let form = [("grant_type", grant), ("assertion", &assertion(account)?)];
                Ok(client.post(&account.token_uri).form(&form))
            }
            None => Ok(client.get(&self.metadata).header("Metadata-Flavor", "Google")),
        });
        let no_account = "set credentials to a service account's key file, if this is no machine of Google's";
        let (status, text) = asked.map_err(|e| if self.account.is_none() { e.hint(no_account) } else { e })?;
        let document: Value = serde_json::from_str(&text).unwrap_or_default();
        match document["access_token"].as_str() {
            Some(token) if status.is_success() => Ok(self.token.get_or_init(|| Secret::new(token))),
            _ => Err(refused("Google's token server", "an access token", status, &text)),
        }
    }

    fn secret(&self, id: &str) -> Result<Option<Secret>, Error> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if !read.contains_key(id) {
            read.insert(id.to_owned(), self.fetch(id)?);
        }
        Ok(read.get(id).cloned().flatten())
    }

    fn fetch(&self, id: &str) -> Result<Option<Secret>, Error> {
        let url = format!("{}/v1/projects/{}/secrets/{id}/versions/latest:access", self.endpoint, self.project);
        let (client, token) = (client()?, self.token()?);
        let (status, text) = send(NAME, || Ok(client.get(&url).bearer_auth(token.expose())))?;
        let document: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.as_u16() == 404 {
            return Ok(None);
        }
        if !status.is_success() {
            return Err(refused(NAME, id, status, document["error"]["message"].as_str().unwrap_or_default()));
        }
        let data = document["payload"]["data"].as_str().and_then(|d| STANDARD.decode(d).ok());
        let data = data.and_then(|d| String::from_utf8(d).ok());
        data.map(|d| Some(Secret::new(d))).ok_or_else(|| Error::config(format!("{NAME}: the secret {id} is no text")))
    }
}

impl Vault for Google {
    fn place(&self, path: &[String]) -> String {
        format!("{NAME}, project {}: {}", self.project, names(path, |path| self.id(path)))
    }

    fn get(&self, path: &[String]) -> Result<Option<Secret>, Error> {
        itself_or_field(path, |path| self.id(path), |id| self.secret(id))
    }
}

/// Reads the key's JSON, or the file that holds it.
fn account(given: &str) -> Result<Account, String> {
    let text = if given.trim_start().starts_with('{') {
        given.to_owned()
    } else {
        std::fs::read_to_string(given).map_err(|e| format!("the key file '{given}' cannot be read: {e}"))?
    };
    let document: Value = serde_json::from_str(&text).map_err(|_| "the credentials are no JSON".to_owned())?;
    let need = |key: &str| document[key].as_str().ok_or_else(|| format!("the credentials have no '{key}'"));
    let token_uri = document["token_uri"].as_str().unwrap_or("https://oauth2.googleapis.com/token");
    Ok(Account {
        email: need("client_email")?.to_owned(),
        key: Secret::new(need("private_key")?),
        token_uri: token_uri.to_owned(),
    })
}

/// A signed statement that this is the account (RFC 7523), good for an hour.
fn assertion(account: &Account) -> Result<String, Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let part = |v: Value| URL_SAFE_NO_PAD.encode(v.to_string());
    let claims =
        json!({ "iss": account.email, "scope": SCOPE, "aud": account.token_uri, "iat": now, "exp": now + 3600 });
    let signed = format!("{}.{}", part(json!({ "alg": "RS256", "typ": "JWT" })), part(claims));
    let wrong =
        || Error::config("the service account's private_key is no RSA key in PKCS #8").hint("download it again");
    let pem: String = account.key.expose().lines().filter(|l| !l.starts_with("-----")).collect();
    let key = STANDARD.decode(pem.trim()).ok().and_then(|der| signature::RsaKeyPair::from_pkcs8(&der).ok());
    let key = key.ok_or_else(wrong)?;
    let mut seal = vec![0; key.public().modulus_len()];
    key.sign(&signature::RSA_PKCS1_SHA256, &rand::SystemRandom::new(), signed.as_bytes(), &mut seal)
        .map_err(|_| wrong())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(seal)))
}
