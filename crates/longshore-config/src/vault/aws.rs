//! AWS Secrets Manager, by access keys.

use super::http::{client, refused, send};
use super::sigv4::Signer;
use super::{Settings, Vault, itself_or_field, names};
use crate::problem::Problem;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use longshore_core::connect::Secret;
use longshore_core::error::Error;
use longshore_core::values::civil_from_days;
use reqwest::blocking::{Client, RequestBuilder};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

const NAME: &str = "AWS Secrets Manager";

/// `shop.api_token` is the secret `<prefix>/shop/api_token`, or the key `api_token` of a secret `<prefix>/shop` that is a
/// JSON document, as the console makes them. dlt names them `dlt/shop/api_token`: `prefix = "dlt"`.
pub(super) struct Aws {
    region: String,
    endpoint: String,
    prefix: Option<String>,
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Option<Secret>,
    read: Mutex<HashMap<String, Option<Secret>>>,
}

impl Aws {
    pub(super) fn new(settings: &Settings<'_>) -> Result<Self, Problem> {
        let region = settings.need("region", &["AWS_REGION", "AWS_DEFAULT_REGION"])?;
        let endpoint = settings.get("endpoint", &["AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL"]);
        let endpoint = endpoint.unwrap_or_else(|| format!("https://secretsmanager.{region}.amazonaws.com"));
        Ok(Aws {
            region,
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            prefix: settings.get("prefix", &[]),
            access_key_id: settings.need("access_key_id", &["AWS_ACCESS_KEY_ID"])?,
            secret_access_key: Secret::new(settings.need("secret_access_key", &["AWS_SECRET_ACCESS_KEY"])?),
            session_token: settings.secret("session_token", &["AWS_SESSION_TOKEN"]),
            read: Mutex::default(),
        })
    }

    fn id(&self, path: &[String]) -> String {
        self.prefix.iter().chain(path).map(String::as_str).collect::<Vec<_>>().join("/")
    }

    fn secret(&self, id: &str) -> Result<Option<Secret>, Error> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if !read.contains_key(id) {
            read.insert(id.to_owned(), self.fetch(id)?);
        }
        Ok(read.get(id).cloned().flatten())
    }

    fn fetch(&self, id: &str) -> Result<Option<Secret>, Error> {
        let client = client()?;
        let (status, text) = send(NAME, || Ok(self.request(&client, id)))?;
        let document: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() {
            let binary = || document["SecretBinary"].as_str().and_then(|d| STANDARD.decode(d).ok());
            let secret = document["SecretString"].as_str().map(str::to_owned);
            let secret = secret.or_else(|| binary().and_then(|bytes| String::from_utf8(bytes).ok()));
            return secret
                .map(|text| Some(Secret::new(text)))
                .ok_or_else(|| Error::config(format!("{NAME}: the answer for {id} has no secret that is text")));
        }
        let kind = document["__type"].as_str().unwrap_or_default();
        let kind = kind.rsplit('#').next().unwrap_or_default();
        if kind == "ResourceNotFoundException" {
            return Ok(None);
        }
        let message = document["message"].as_str().or(document["Message"].as_str());
        let reason = [Some(kind), message].into_iter().flatten().filter(|part| !part.is_empty());
        Err(refused(NAME, id, status, &reason.collect::<Vec<_>>().join(": ")))
    }

    /// The request, signed for this moment.
    fn request(&self, client: &Client, id: &str) -> RequestBuilder {
        let body = json!({ "SecretId": id }).to_string();
        let time = amz_time(SystemTime::now());
        let host = self.endpoint.split("://").last().unwrap_or_default().split('/').next().unwrap_or_default();
        let mut headers = vec![("content-type", "application/x-amz-json-1.1"), ("host", host), ("x-amz-date", &time)];
        if let Some(token) = &self.session_token {
            headers.push(("x-amz-security-token", token.expose()));
        }
        headers.push(("x-amz-target", "secretsmanager.GetSecretValue"));
        let (region, service) = (self.region.as_str(), "secretsmanager");
        let signer =
            Signer { access_key_id: &self.access_key_id, secret_access_key: &self.secret_access_key, region, service };
        let authorization = signer.authorization(&headers, body.as_bytes(), &time);
        let mut request = client.post(format!("{}/", self.endpoint)).header("authorization", authorization);
        for (name, value) in headers.iter().filter(|(name, _)| *name != "host") {
            request = request.header(*name, *value);
        }
        request.body(body)
    }
}

impl Vault for Aws {
    fn place(&self, path: &[String]) -> String {
        format!("{NAME} in {}: {}", self.region, names(path, |path| self.id(path)))
    }

    fn get(&self, path: &[String]) -> Result<Option<Secret>, Error> {
        itself_or_field(path, |path| self.id(path), |id| self.secret(id))
    }
}

/// `20240501T100000Z`
fn amz_time(now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // A clock's days are far below the limit.
    let (year, month, day) = civil_from_days(i64::try_from(days).unwrap_or(i64::MAX / 2));
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_written_as_aws_reads_them() {
        let at = |seconds| amz_time(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "19700101T000000Z");
        assert_eq!(at(1_440_938_160), "20150830T123600Z");
        assert_eq!(at(1_709_251_199), "20240229T235959Z");
    }
}
