//! Settings of the BigQuery destination: project, location, credentials, and where the API is.

use crate::checks::{check, staging_lifetime, table_options};
use crate::given::{Given, default_credentials, document};
use crate::names::MAX_NAME;
use crate::nested::Nested;
use crate::options::TableOptions;
use crate::project::{project, quota_project};
use longshore_core::connect::{Connection, Secret};
use longshore_core::error::{Error, Result};
use longshore_core::schema::Table;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Google's own server.
const GOOGLE: &str = "https://bigquery.googleapis.com";
const STORAGE: &str = "https://storage.googleapis.com";
const IAM: &str = "https://iamcredentials.googleapis.com";
const KEEP: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b':').remove(b'/');

/// What a user can set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The project that holds the datasets and pays for the jobs.
    pub project: String,
    /// Where new datasets are made (`EU`, `europe-west3`); `None`: where Google makes them, or where they are.
    pub location: Option<String>,
    /// Server of the API, without a slash at the end.
    pub endpoint: String,
    /// Who asks.
    pub credentials: Credentials,
    /// The project that a user's requests are counted in, where it is named.
    pub quota_project: Option<String>,
    /// A service account that the credentials are exchanged for.
    pub impersonate: Option<String>,
    /// The dataset of the staging tables; by default the dataset's name with `_staging` behind it.
    pub staging_dataset: Option<String>,
    /// How long staging tables that were left behind live.
    pub staging_lifetime: Duration,
    /// Bytes a query of the user may be billed for.
    pub max_bytes_billed: Option<u64>,
    /// Longest table or column name, in characters; for servers that hold less than BigQuery.
    pub max_identifier_length: usize,
    /// How long a request that fails for a passing reason is repeated.
    pub patience: Duration,
    /// Where files are put before they are loaded; `None`: they go to BigQuery itself.
    pub staging_bucket: Option<Bucket>,
    /// Server of Cloud Storage, without a slash at the end.
    pub storage_endpoint: String,
    /// Server of the tokens of service accounts that others act for, without a slash at the end.
    pub iam_endpoint: String,
    /// Labels of the jobs, and of datasets that are made.
    pub labels: BTreeMap<String, String>,
    /// What is set for tables, by their names in the dataset.
    pub tables: BTreeMap<String, TableOptions>,
    /// Lists that are columns of their tables.
    pub nested: Nested,
}

/// A place in Cloud Storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The bucket's name.
    pub name: String,
    /// What names of files begin with, with a slash at the end; or empty.
    pub prefix: String,
}

/// Who asks BigQuery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Nobody: emulators.
    Anonymous,
    /// A document as Google's tools write it (a key, a user's refresh token, a federation).
    Document(Secret),
    /// A file with such a document.
    File(String),
    /// A token somebody else got.
    Token(Secret),
    /// Application default credentials: these files, if one is there, otherwise the metadata server of the machine.
    Default {
        /// The file of `gcloud auth application-default login`.
        well_known: Option<String>,
        /// Host of the metadata server.
        metadata: String,
    },
}

/// The keys of its section, with dlt's names.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    #[serde(alias = "project")]
    pub(crate) project_id: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) credentials: Option<Value>,
    pub(crate) private_key: Option<String>,
    pub(crate) private_key_id: Option<String>,
    pub(crate) client_email: Option<String>,
    pub(crate) token_uri: Option<String>,
    pub(crate) access_token: Option<String>,
    pub(crate) impersonate_service_account: Option<String>,
    pub(crate) staging_dataset: Option<String>,
    pub(crate) staging_hours: Option<u64>,
    pub(crate) max_bytes_billed: Option<u64>,
    pub(crate) retry_deadline: Option<f64>,
    pub(crate) max_identifier_length: Option<usize>,
    pub(crate) staging_bucket: Option<String>,
    pub(crate) storage_endpoint: Option<String>,
    pub(crate) iam_endpoint: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) tables: BTreeMap<String, Value>,
    pub(crate) nested: Vec<String>,
}

impl Config {
    /// Reads the URL (`bigquery://project/location?endpoint=…&credentials=…`), then the settings, then the environment.
    ///
    /// # Errors
    /// When a setting is unknown or wrong, or no project is named anywhere.
    pub fn from_connection(connection: &Connection) -> Result<Self> {
        let mut given: Settings = connection.settings()?;
        read_url(&connection.url, &mut given)?;
        let emulator = connection.env("BIGQUERY_EMULATOR_HOST");
        let endpoint = given.endpoint.take().or_else(|| emulator.map(str::to_owned)).filter(|e| !e.is_empty());
        let is_override = endpoint.is_some();
        let document = document(&mut given)?;
        let impersonate = given.impersonate_service_account.filter(|a| !a.is_empty());
        let credentials = match document {
            Given::Credentials(credentials) => credentials,
            Given::Default => default_credentials(connection),
            // Nobody cannot act for another account.
            Given::Nothing if is_override && impersonate.is_none() => Credentials::Anonymous,
            Given::Nothing => default_credentials(connection),
        };
        let named = given.project_id.take().filter(|p| !p.is_empty());
        let project = named.or_else(|| project(connection, &credentials)).ok_or_else(|| {
            Error::config("no project is named").hint(
                "write bigquery://project, or set project_id or the variable GOOGLE_CLOUD_PROJECT, or: gcloud config set project PROJECT",
            )
        })?;
        // Another account need not have the right to let that project pay.
        let quota_project = quota_project(connection, &credentials).filter(|_| impersonate.is_none());
        let config = Config {
            project,
            location: given.location.filter(|l| !l.is_empty()),
            endpoint: endpoint.map_or(GOOGLE.to_owned(), |e| with_scheme(&e)),
            credentials,
            quota_project,
            impersonate,
            staging_dataset: given.staging_dataset,
            staging_lifetime: staging_lifetime(given.staging_hours)?,
            max_bytes_billed: given.max_bytes_billed,
            max_identifier_length: given.max_identifier_length.unwrap_or(MAX_NAME).clamp(1, MAX_NAME),
            patience: Duration::from_secs_f64(given.retry_deadline.unwrap_or(60.0).clamp(0.0, 3600.0)),
            staging_bucket: given.staging_bucket.as_deref().map(bucket).transpose()?,
            storage_endpoint: server(given.storage_endpoint, connection.env("STORAGE_EMULATOR_HOST"), STORAGE),
            iam_endpoint: server(given.iam_endpoint, None, IAM),
            labels: given.labels,
            tables: table_options(given.tables)?,
            nested: Nested::of(given.nested.iter().map(String::as_str)),
        };
        check(&config)?;
        Ok(config)
    }

    /// Returns the dataset of a dataset's staging tables.
    pub(crate) fn staging_dataset(&self, dataset: &str) -> String {
        self.staging_dataset.clone().unwrap_or_else(|| format!("{dataset}_staging"))
    }

    /// Returns what is set for a table, here or by hints of its columns. What is set here goes first.
    pub(crate) fn options(&self, table: &Table) -> TableOptions {
        self.tables.get(&table.name).cloned().unwrap_or_default().named_as_in(table).with_hints(table)
    }

    /// Returns the URL under which packages remember the destination: no secret, no credentials.
    pub fn url(&self) -> String {
        let mut url = format!("bigquery://{}", self.project);
        if let Some(location) = &self.location {
            url.push_str(&format!("/{location}"));
        }
        if self.endpoint != GOOGLE {
            url.push_str(&format!("?endpoint={}", utf8_percent_encode(&self.endpoint, KEEP)));
        }
        url
    }
}

fn server(given: Option<String>, environment: Option<&str>, google: &str) -> String {
    let given = given.or_else(|| environment.map(str::to_owned)).filter(|e| !e.is_empty());
    given.map_or(google.to_owned(), |e| with_scheme(&e))
}

/// `gs://bucket/prefix`.
fn bucket(url: &str) -> Result<Bucket> {
    let place = url.strip_prefix("gs://").or_else(|| url.strip_prefix("gcs://")).unwrap_or(url);
    let (name, prefix) = place.trim_end_matches('/').split_once('/').unwrap_or((place.trim_end_matches('/'), ""));
    if name.is_empty() || name.contains(':') {
        return Err(Error::config("the setting 'staging_bucket' is no bucket of Cloud Storage")
            .hint("write gs://bucket/prefix"));
    }
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    Ok(Bucket { name: name.to_owned(), prefix })
}

/// `localhost:9050` is a server without encryption, as all emulators are.
fn with_scheme(endpoint: &str) -> String {
    let endpoint = endpoint.trim_end_matches('/').trim_end_matches("/bigquery/v2");
    if endpoint.contains("://") { endpoint.to_owned() } else { format!("http://{endpoint}") }
}

fn read_url(url: &str, given: &mut Settings) -> Result<()> {
    let Some((_, rest)) = url.split_once(':') else { return Ok(()) };
    let (place, query) = rest.trim_start_matches('/').split_once('?').unwrap_or((rest.trim_start_matches('/'), ""));
    let (project, location) = place.trim_end_matches('/').split_once('/').unwrap_or((place.trim_end_matches('/'), ""));
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = Some(decode(value)?);
        match name {
            "endpoint" => given.endpoint = value,
            "location" => given.location = value,
            "credentials" | "credentials_path" => given.credentials = value.map(Value::String),
            "impersonate_service_account" => given.impersonate_service_account = value,
            "staging_dataset" => given.staging_dataset = value,
            "staging_bucket" => given.staging_bucket = value,
            "nested" => given.nested = value.iter().flat_map(|v| v.split(',')).map(str::to_owned).collect(),
            _ => {
                return Err(Error::config(format!("the destination's URL has an unknown parameter '{name}'"))
                    .hint("there are: endpoint, location, credentials, impersonate_service_account, staging_dataset, staging_bucket, nested"));
            }
        }
    }
    if !project.is_empty() {
        given.project_id = Some(decode(project)?);
    }
    if location.contains('/') {
        return Err(Error::config("the destination's URL has more than a project and a location")
            .hint("write bigquery://project/location; the dataset is named with --dataset"));
    }
    if !location.is_empty() {
        given.location = Some(decode(location)?);
    }
    Ok(())
}

fn decode(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(String::from)
        .map_err(|_| Error::config("the destination's URL has percent signs that stand for no text"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(url: &str, settings: Value, environment: &[(&str, &str)]) -> Result<Config> {
        let mut connection = Connection::new(url);
        connection.settings = settings.as_object().cloned().unwrap();
        connection.environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Config::from_connection(&connection)
    }

    #[test]
    fn the_url_goes_before_the_settings_and_these_before_the_environment() {
        let c = config("bigquery://shop/EU", json!({"project_id": "x", "location": "US"}), &[]).unwrap();
        assert_eq!((c.project.as_str(), c.location.as_deref(), c.endpoint.as_str()), ("shop", Some("EU"), GOOGLE));
        let c = config("bigquery", json!({"location": "US"}), &[("GOOGLE_CLOUD_PROJECT", "p")]).unwrap();
        assert_eq!((c.project.as_str(), c.location.as_deref()), ("p", Some("US")));
    }

    #[test]
    fn an_emulator_needs_no_credentials() {
        for (url, environment) in [
            ("bigquery://p?endpoint=http://127.0.0.1:9150", vec![]),
            ("bigquery://p", vec![("BIGQUERY_EMULATOR_HOST", "127.0.0.1:9150")]),
        ] {
            let c = config(url, json!({}), &environment).unwrap();
            assert_eq!((c.endpoint.as_str(), c.credentials.clone()), ("http://127.0.0.1:9150", Credentials::Anonymous));
            assert_eq!(c.url(), "bigquery://p?endpoint=http://127.0.0.1:9150");
        }
    }

    #[test]
    fn who_acts_for_another_account_is_somebody() {
        let settings = json!({"impersonate_service_account": "other@p"});
        let c = config("bigquery://p?endpoint=http://127.0.0.1:9150", settings, &[]).unwrap();
        assert!(matches!(c.credentials, Credentials::Default { .. }), "{c:?}");
    }

    #[test]
    fn credentials_come_in_every_form() {
        let document = r#"{"type":"service_account","project_id":"p","private_key":"hush","client_email":"a@b"}"#;
        let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, document);
        let wrapped = format!("{}\n{}\n", &base64[..60], &base64[60..]);
        let bare = base64.trim_end_matches('=');
        let object: Value = serde_json::from_str(document).unwrap();
        for given in [json!(document), json!(base64), json!(wrapped), json!(bare), object] {
            let c = config("bigquery", json!({"credentials": given}), &[]).unwrap();
            assert!(matches!(&c.credentials, Credentials::Document(d) if d.expose().contains("hush")));
            assert_eq!(c.project, "p");
            assert!(!format!("{c:?}").contains("hush"));
        }
        let error = config("bigquery://p", json!({"credentials": "-----BEGIN KEY-----\nhush"}), &[]).unwrap_err();
        assert!(!format!("{error:?}").contains("hush"), "{error:?}");
        let c = config("bigquery://p?credentials=/key.json", json!({}), &[]).unwrap();
        assert_eq!(c.credentials, Credentials::File("/key.json".into()));
        let c = config("bigquery://p", json!({"private_key": "hush", "client_email": "a@b"}), &[]).unwrap();
        assert!(matches!(c.credentials, Credentials::Document(_)));
        let c = config("bigquery://p", json!({}), &[("GOOGLE_APPLICATION_CREDENTIALS", "/adc.json")]).unwrap();
        assert_eq!(c.credentials, Credentials::File("/adc.json".into()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (url, settings, named) in [
            ("bigquery:", json!({}), "project"),
            ("bigquery://p?nosuch=1", json!({}), "nosuch"),
            ("bigquery://p", json!({"nosuch": 1}), "nosuch"),
            ("bigquery://p/US/x", json!({}), "more than a project and a location"),
            ("bigquery://p", json!({"credentials": ""}), "'credentials' is empty"),
            ("bigquery://p", json!({"private_key": "hush"}), "'client_email' is not"),
            ("bigquery://p", json!({"staging_hours": 9_999_999_999_999_999_u64}), "staging_hours"),
            ("bigquery://p", json!({"staging_dataset": "a-b"}), "staging_dataset"),
            ("bigquery://p", json!({"labels": {"Team": "x"}}), "labels.Team"),
            ("bigquery://p", json!({"tables": {"orders": {"nosuch": 1}}}), "tables.orders"),
        ] {
            let error = config(url, settings, &[("NO_GCE_CHECK", "true")]).unwrap_err();
            assert!(error.to_string().contains(named), "{error}");
        }
    }
}
