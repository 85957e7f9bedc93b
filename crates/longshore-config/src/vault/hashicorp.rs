//! HashiCorp Vault and OpenBao: the KV engine, version 1 or 2, by token or AppRole.

use super::http::{client, client_trusting, refused, send, trimmed};
use super::{Settings, Vault, field};
use crate::problem::Problem;
use longshore_core::connect::Secret;
use longshore_core::error::Error;
use longshore_core::misspelt::suggest;
use reqwest::StatusCode;
use reqwest::blocking::{Client, RequestBuilder};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

const NAME: &str = "the HashiCorp vault";

/// `shop.api_token` is the field `api_token` of the secret `<mount>/<prefix>/shop`.
pub(super) struct HashiCorp {
    address: String,
    mount: String,
    prefix: Option<String>,
    namespace: Option<String>,
    login: Login,
    /// A file with the authority that signed its certificate.
    ca_cert: Option<PathBuf>,
    token: OnceLock<Secret>,
    version: OnceLock<Option<Version>>,
    /// Documents already read; `None` where there is none.
    read: Mutex<HashMap<String, Option<Value>>>,
}

/// Of the KV engine: where a document stands, and where its fields stand in the answer.
#[derive(Clone, Copy, PartialEq)]
enum Version {
    One,
    Two,
}

enum Login {
    Token(Secret),
    AppRole { role_id: String, secret_id: Secret },
}

impl HashiCorp {
    pub(super) fn new(settings: &Settings<'_>) -> Result<Self, Problem> {
        let address = settings.need("address", &["VAULT_ADDR", "BAO_ADDR"])?;
        if !(address.starts_with("http://") || address.starts_with("https://")) {
            return Err(settings.wrong(
                "address",
                "the vault's address is not a web address",
                "such as https://vault.example.com:8200",
            ));
        }
        let role_id = settings.get("role_id", &["VAULT_ROLE_ID"]);
        let login = match (settings.secret("token", &[]), role_id) {
            (Some(token), _) => Login::Token(token),
            (None, Some(role_id)) => {
                Login::AppRole { role_id, secret_id: Secret::new(settings.need("secret_id", &["VAULT_SECRET_ID"])?) }
            }
            (None, None) => Login::Token(Secret::new(settings.need("token", &["VAULT_TOKEN", "BAO_TOKEN"])?)),
        };
        let version = match settings.get("kv_version", &[]).as_deref() {
            None => OnceLock::new(),
            Some("1") => OnceLock::from(Some(Version::One)),
            Some("2") => OnceLock::from(Some(Version::Two)),
            Some(other) => {
                return Err(settings.wrong(
                    "kv_version",
                    &format!("'{other}' is no version of the KV engine"),
                    "write \"1\" or \"2\", or leave it out: then the vault is asked",
                ));
            }
        };
        let path = |key: &str| settings.get(key, &[]).map(|path| path.trim_matches('/').to_owned());
        Ok(HashiCorp {
            address: address.trim_end_matches('/').to_owned(),
            mount: path("mount").unwrap_or_else(|| "secret".to_owned()),
            prefix: path("prefix"),
            namespace: settings.get("namespace", &["VAULT_NAMESPACE", "BAO_NAMESPACE"]),
            login,
            ca_cert: settings.get("ca_cert", &["VAULT_CACERT", "BAO_CACERT"]).map(PathBuf::from),
            token: OnceLock::new(),
            version,
            read: Mutex::default(),
        })
    }

    /// The document of a path and the field in it. A name without sections is a field of the prefix's own document.
    fn names<'a>(&self, path: &'a [String]) -> (String, &'a str) {
        let (field, sections) = path.split_last().map_or(("", &[][..]), |(f, s)| (f.as_str(), s));
        let parts = self.prefix.iter().chain(sections).map(String::as_str).collect::<Vec<_>>();
        (if parts.is_empty() { "longshore".to_owned() } else { parts.join("/") }, field)
    }

    fn token(&self) -> Result<&Secret, Error> {
        if let Some(token) = self.token.get() {
            return Ok(token);
        }
        let token = match &self.login {
            Login::Token(token) => token.clone(),
            Login::AppRole { role_id, secret_id } => self.log_in(role_id, secret_id)?,
        };
        Ok(self.token.get_or_init(|| token))
    }

    fn log_in(&self, role_id: &str, secret_id: &Secret) -> Result<Secret, Error> {
        let client = self.client()?;
        let body = json!({ "role_id": role_id, "secret_id": trimmed(secret_id) });
        let url = format!("{}/v1/auth/approle/login", self.address);
        let (status, text) = send(NAME, || Ok(self.in_namespace(client.post(&url)).json(&body)))?;
        let document: Value = serde_json::from_str(&text).unwrap_or_default();
        match document["auth"]["client_token"].as_str() {
            Some(token) if status.is_success() => Ok(Secret::new(token)),
            _ => Err(refused(NAME, "auth/approle/login", status, &errors(&text))),
        }
    }

    fn client(&self) -> Result<Client, Error> {
        self.ca_cert.as_deref().map_or_else(client, client_trusting)
    }

    fn in_namespace(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.namespace {
            Some(namespace) => request.header("X-Vault-Namespace", namespace),
            None => request,
        }
    }

    fn ask(&self, path: &str) -> Result<(StatusCode, String), Error> {
        let (client, token) = (self.client()?, self.token()?);
        let url = format!("{}/v1/{path}", self.address);
        send(NAME, || Ok(self.in_namespace(client.get(&url)).header("X-Vault-Token", trimmed(token))))
    }

    /// The version of the mount's engine, asked as Vault's own client asks; `None` where it may not be asked.
    fn version(&self) -> Result<Option<Version>, Error> {
        if let Some(version) = self.version.get() {
            return Ok(*version);
        }
        let (status, text) = self.ask(&format!("sys/internal/ui/mounts/{}", self.mount))?;
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(refused(NAME, &self.mount, status, &errors(&text)));
        }
        let mount: Value = serde_json::from_str(&text).unwrap_or_default();
        let mount = &mount["data"];
        // A mount of version 1 may have no options at all.
        let is_one = mount["options"]["version"] == "1" || (mount["type"] == "kv" && mount["options"].is_null());
        let version = status.is_success().then_some(if is_one { Version::One } else { Version::Two });
        Ok(*self.version.get_or_init(|| version))
    }

    /// The document of a name. Where the version is not known, both are tried.
    fn document(&self, name: &str) -> Result<Option<Value>, Error> {
        match self.version()? {
            Some(version) => self.of_version(version, name),
            None => match self.of_version(Version::Two, name) {
                Ok(Some(document)) => Ok(Some(document)),
                Err(e) if e.is_retryable() => Err(e),
                none => match self.of_version(Version::One, name) {
                    Ok(Some(document)) => Ok(Some(document)),
                    _ => none,
                },
            },
        }
    }

    fn of_version(&self, version: Version, name: &str) -> Result<Option<Value>, Error> {
        let folder = if version == Version::Two { "data/" } else { "" };
        let (status, text) = self.ask(&format!("{}/{folder}{name}", self.mount))?;
        match status.as_u16() {
            200 => {
                let document: Value = serde_json::from_str(&text).unwrap_or_default();
                let data = match version {
                    Version::One => document.get("data").cloned(),
                    Version::Two => document["data"].get("data").cloned(),
                };
                let hint = "the mount must be a KV engine; set kv_version = \"1\" or \"2\" for the vault if it cannot be asked which";
                data.map(Some)
                    .ok_or_else(|| Error::config(format!("{NAME} answers without the secret's data")).hint(hint))
            }
            404 => Ok(None),
            _ => Err(refused(NAME, name, status, &errors(&text))),
        }
    }
}

/// What is wrong, in the vault's words.
fn errors(text: &str) -> String {
    let document: Value = serde_json::from_str(text).unwrap_or_default();
    match document["errors"].as_array() {
        Some(errors) => errors.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "),
        None => text.to_owned(),
    }
}

impl Vault for HashiCorp {
    fn place(&self, path: &[String]) -> String {
        let (document, field) = self.names(path);
        format!("HashiCorp vault {}: {}/{document}, field {field}", self.address, self.mount)
    }

    fn get(&self, path: &[String]) -> Result<Option<Secret>, Error> {
        let (name, key) = self.names(path);
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if !read.contains_key(&name) {
            read.insert(name.clone(), self.document(&name)?);
        }
        Ok(read.get(&name).and_then(Option::as_ref).and_then(|document| field(document, key)))
    }

    fn note(&self, path: &[String]) -> String {
        let (name, key) = self.names(path);
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(fields) = read.get(&name).and_then(Option::as_ref).and_then(Value::as_object) else {
            return String::new();
        };
        let near = suggest(key, fields.keys().map(String::as_str)).map_or_else(String::new, |near| format!("; {near}"));
        format!(" (the secret is there, without this field{near})")
    }
}
