//! How the clouds are reached: dlt's setting names, the usual environment variables, profiles and default
//! credentials, all as options of `object_store`.

use crate::bucket::Bucket;
use crate::cloud::Cloud;
use longshore_core::connect::Connection;
use longshore_core::error::{Error, Result};
use longshore_core::misspelt::suggest;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Options whose values may be shown: no key, token or secret.
const PUBLIC: [&str; 21] = [
    "aws_endpoint",
    "aws_endpoint_url",
    "aws_endpoint_url_s3",
    "aws_region",
    "aws_default_region",
    "aws_virtual_hosted_style_request",
    "aws_skip_signature",
    "aws_conditional_put",
    "aws_unsigned_payload",
    "aws_checksum_algorithm",
    "aws_profile",
    "google_base_url",
    "google_skip_signature",
    "azure_storage_account_name",
    "azure_storage_endpoint",
    "azure_endpoint",
    "azure_storage_use_emulator",
    "azure_skip_signature",
    "allow_http",
    "timeout",
    "connect_timeout",
];

fn is_public(key: &str) -> bool {
    PUBLIC.contains(&key)
}

/// True for options that a URL shows: the public ones that are not made by ourselves.
pub(crate) fn is_shown(key: &str) -> bool {
    is_public(key) && !["aws_checksum_algorithm", "allow_http"].contains(&key)
}

/// Options by name; the first that says a thing is believed.
struct Options {
    cloud: Cloud,
    chosen: BTreeMap<String, String>,
}

impl Options {
    fn offer(&mut self, key: &str, value: &str) -> bool {
        let Some(key) = self.cloud.canonical(key) else { return false };
        self.chosen.entry(key).or_insert_with(|| value.to_owned());
        true
    }

    fn has(&self, key: &str) -> bool {
        self.chosen.contains_key(key)
    }
}

/// Names and values, as `object_store` takes them.
type Pairs = Vec<(String, String)>;

/// Returns the options of a bucket: of the URL, the settings, the environment, then profiles and defaults; and the profile
/// that the URL or the settings name.
pub(crate) fn options(
    bucket: &Bucket,
    connection: &Connection,
    credentials: &Map<String, Value>,
    query: Vec<(String, String)>,
    others: &[&str],
) -> Result<(Pairs, Option<String>)> {
    let mut options = Options { cloud: bucket.cloud, chosen: BTreeMap::new() };
    let mut profile = None;
    for (key, value) in query {
        let known = match own_key(bucket.cloud, &key) {
            Own::Store(name) => options.offer(name, &value),
            Own::PathStyle => options.offer("virtual_hosted_style_request", &is_virtual(&value)?),
            Own::Profile => {
                profile = Some(value);
                true
            }
            Own::Other => options.offer(&key, &value),
        };
        let shown = bucket.cloud.canonical(translated(bucket.cloud, &key)).is_none_or(|k| is_public(&k));
        if known && !shown {
            return Err(Error::config("the URL has a secret in it")
                .with("setting", key)
                .hint("secrets belong to the environment, a profile, or the settings, where nothing prints them"));
        }
        if !known {
            return Err(unknown_option(
                &key,
                &[others, &["endpoint", "region", "path_style", "profile", "account"]].concat(),
            ));
        }
    }
    from_settings(&mut options, bucket.cloud, credentials, &mut profile)?;
    // A key of the settings must not meet a session token of the environment.
    let has_own = options.has("aws_access_key_id");
    for (name, value) in &connection.environment {
        let is_key = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"].contains(&name.as_str());
        let wanted = name.starts_with(bucket.cloud.variables()) && !value.is_empty();
        if wanted && !(is_key && (has_own || profile.is_some())) {
            options.offer(name, value);
        }
    }
    match bucket.cloud {
        Cloud::Aws => aws_defaults(&mut options, connection, profile.as_deref())?,
        Cloud::Google => google_defaults(&mut options, connection, credentials)?,
        Cloud::Azure => azure_defaults(&mut options, bucket, connection),
    }
    let is_address = |key: &str| key.contains("endpoint") || key == "google_base_url";
    let is_plain = |value: &str| value.starts_with("http://");
    for (key, value) in options.chosen.iter().filter(|(key, _)| is_address(key)) {
        // Of Azure a host alone is refused by the store's own client, which ends the process for the others.
        if bucket.cloud != Cloud::Azure && !is_plain(value) && !value.starts_with("https://") {
            return Err(Error::config("an endpoint is an address with http:// or https:// before it")
                .with("setting", key)
                .hint(format!("write http://{value} or https://{value}")));
        }
    }
    if options.chosen.iter().any(|(key, value)| is_address(key) && is_plain(value)) {
        options.offer("allow_http", "true");
    }
    Ok((options.chosen.into_iter().collect(), profile))
}

fn unknown_option(key: &str, known: &[&str]) -> Error {
    let near = suggest(key, known.iter().copied());
    Error::config(format!("there is no setting '{key}'"))
        .hint(near.unwrap_or_else(|| format!("settings are {}, and all options of object_store", known.join(", "))))
}

/// What a key of settings or URL means that `object_store` calls otherwise.
enum Own {
    Store(&'static str),
    PathStyle,
    Profile,
    Other,
}

fn own_key(cloud: Cloud, key: &str) -> Own {
    match (cloud, key) {
        (Cloud::Aws, "region_name") => Own::Store("region"),
        (Cloud::Aws, "s3_url_style" | "path_style" | "addressing_style" | "url_style") => Own::PathStyle,
        (Cloud::Aws, "profile_name" | "profile" | "aws_profile") => Own::Profile,
        (Cloud::Google, "endpoint" | "endpoint_url") => Own::Store("base_url"),
        (Cloud::Azure, "azure_account_host") => Own::Store("azure_endpoint"),
        (Cloud::Azure, "account" | "azure_account_name") => Own::Store("azure_storage_account_name"),
        (Cloud::Azure, "azure_account_key") => Own::Store("azure_storage_account_key"),
        (Cloud::Azure, "endpoint_url") => Own::Store("azure_endpoint"),
        _ => Own::Other,
    }
}

fn translated(cloud: Cloud, key: &str) -> &str {
    match own_key(cloud, key) {
        Own::Store(name) => name,
        _ => key,
    }
}

/// `path_style=true` and `s3_url_style=path` are the opposite of `object_store`'s virtual hosts.
fn is_virtual(value: &str) -> Result<String> {
    match value {
        "path" | "true" | "1" => Ok("false".to_owned()),
        "vhost" | "virtual" | "false" | "0" => Ok("true".to_owned()),
        _ => Err(Error::config("path_style is neither true nor false").hint("or s3_url_style: path or vhost")),
    }
}

fn from_settings(
    options: &mut Options,
    cloud: Cloud,
    credentials: &Map<String, Value>,
    profile: &mut Option<String>,
) -> Result<()> {
    let google = [
        "project_id",
        "private_key",
        "private_key_id",
        "client_email",
        "token_uri",
        "type",
        "client_id",
        "client_secret",
        "refresh_token",
    ];
    for (key, value) in credentials {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let known = match own_key(cloud, key) {
            Own::Store(name) => options.offer(name, &text),
            Own::PathStyle => options.offer("virtual_hosted_style_request", &is_virtual(&text)?),
            Own::Profile => {
                profile.get_or_insert(text);
                true
            }
            Own::Other if cloud == Cloud::Google && google.contains(&key.as_str()) => true,
            Own::Other => options.offer(key, &text),
        };
        if !known {
            return Err(unknown_option(
                key,
                &[
                    "aws_access_key_id",
                    "aws_secret_access_key",
                    "aws_session_token",
                    "region_name",
                    "endpoint_url",
                    "profile_name",
                    "s3_url_style",
                    "azure_storage_account_name",
                    "azure_storage_account_key",
                    "azure_storage_sas_token",
                    "private_key",
                    "client_email",
                ],
            )
            .with("section", "credentials"));
        }
    }
    Ok(())
}

/// A profile of `~/.aws`: the one that is asked for, or the default one where nothing else gives a key.
fn aws_defaults(options: &mut Options, connection: &Connection, profile: Option<&str>) -> Result<()> {
    options.offer("checksum_algorithm", "SHA256");
    let asked = profile.or_else(|| connection.env("AWS_PROFILE"));
    let given = [
        "aws_access_key_id",
        "aws_skip_signature",
        "aws_web_identity_token_file",
        "aws_container_credentials_relative_uri",
        "aws_container_credentials_full_uri",
    ];
    if asked.is_none() && given.iter().any(|k| options.has(k)) {
        return Ok(());
    }
    let file = |variable: &str, name: &str| {
        let default = || connection.env("HOME").map(|home| PathBuf::from(home).join(".aws").join(name));
        connection.env(variable).map(PathBuf::from).or_else(default)
    };
    let files = [file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), file("AWS_CONFIG_FILE", "config")];
    let wanted = asked.unwrap_or("default");
    let mut known = Vec::new();
    let mut found = BTreeMap::new();
    for (name, section) in files.iter().flatten().flat_map(|f| sections(f)) {
        known.push(name.clone());
        if name == wanted {
            section.into_iter().for_each(|(k, v)| {
                found.entry(k).or_insert(v);
            });
        }
    }
    if asked.is_some() && !known.iter().any(|k| k == wanted) {
        known.sort();
        known.dedup();
        return Err(Error::config(format!("there is no profile '{wanted}'"))
            .hint(format!("in ~/.aws there are: {}", known.join(", "))));
    }
    let needs_program = ["credential_process", "sso_session", "sso_start_url", "role_arn"];
    if !found.contains_key("aws_access_key_id")
        && let Some(key) = needs_program.iter().find(|k| found.contains_key(**k))
        && !found.contains_key("web_identity_token_file")
        && asked.is_some()
    {
        return Err(Error::config(format!(
            "the profile '{wanted}' has its credentials by {key}, which is not supported"
        ))
        .hint(format!("run: eval \"$(aws configure export-credentials --profile {wanted} --format env)\"")));
    }
    for (key, value) in found {
        match key.as_str() {
            "web_identity_token_file" | "role_arn" | "role_session_name" if !options.has("aws_access_key_id") => {
                options.offer(&format!("aws_{key}"), &value);
            }
            "region" | "endpoint_url" | "aws_access_key_id" | "aws_secret_access_key" | "aws_session_token" => {
                options.offer(&key, &value);
            }
            _ => {}
        }
    }
    Ok(())
}

/// The sections of an INI file as AWS writes them: `[name]`, in `config` also `[profile name]`.
fn sections(path: &Path) -> Vec<(String, Vec<(String, String)>)> {
    let text = std::fs::read_to_string(path).unwrap_or_default(); // no file: no profiles
    let mut sections: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for line in text.lines().map(str::trim).filter(|l| !l.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            sections.push((name.trim_start_matches("profile ").trim().to_owned(), Vec::new()));
        } else if let (Some((_, pairs)), Some((key, value))) = (sections.last_mut(), line.split_once('=')) {
            pairs.push((key.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    sections
}

/// A service account of the settings, or the file that `gcloud auth application-default login` writes.
fn google_defaults(options: &mut Options, connection: &Connection, credentials: &Map<String, Value>) -> Result<()> {
    let has = |key: &str| credentials.get(key).is_some_and(|v| !v.is_null());
    if has("private_key") {
        let mut account = credentials.clone();
        account.entry("type").or_insert_with(|| "service_account".into());
        account.entry("private_key_id").or_insert_with(|| "".into());
        account.entry("token_uri").or_insert_with(|| "https://oauth2.googleapis.com/token".into());
        options.offer("google_service_account_key", &Value::Object(account).to_string());
    } else if has("refresh_token") {
        return Err(Error::config("credentials with a refresh_token are read from a file only")
            .hint("write them to a file with \"type\": \"authorized_user\" and set GOOGLE_APPLICATION_CREDENTIALS"));
    }
    // An emulator is given the way Google's own libraries are told of it.
    if let Some(host) = connection.env("STORAGE_EMULATOR_HOST") {
        let url = if host.contains("://") { host.to_owned() } else { format!("http://{host}") };
        options.offer("base_url", url.trim_end_matches('/'));
        options.offer("skip_signature", "true");
        options.offer("allow_http", "true");
    }
    let given = [
        "google_service_account",
        "google_service_account_key",
        "google_application_credentials",
        "google_skip_signature",
    ];
    // `object_store` 0.13 asks for a token when it writes, even without signatures; an account that has none stands in.
    let unsigned = options.chosen.get("google_skip_signature").is_some_and(|v| v == "true");
    if unsigned && !given[..3].iter().any(|k| options.has(k)) {
        let account = r#"{"private_key":"","private_key_id":"","client_email":"","disable_oauth":true}"#;
        options.offer("google_service_account_key", account);
    }
    if let Some(home) = connection.env("HOME").filter(|_| !given.iter().any(|k| options.has(k))) {
        let file = Path::new(home).join(".config/gcloud/application_default_credentials.json");
        if file.is_file() {
            options.offer("google_application_credentials", &file.to_string_lossy());
        }
    }
    Ok(())
}

/// The account of the URL's host or of a connection string.
fn azure_defaults(options: &mut Options, bucket: &Bucket, connection: &Connection) {
    if let Some(account) = bucket.host.as_deref().and_then(|h| h.split('.').next()) {
        options.chosen.insert("azure_storage_account_name".to_owned(), account.to_owned());
    }
    let text = connection.env("AZURE_STORAGE_CONNECTION_STRING").unwrap_or_default();
    for (key, value) in text.split(';').filter_map(|pair| pair.split_once('=')) {
        let key = match key {
            "AccountName" => "azure_storage_account_name",
            "AccountKey" => "azure_storage_account_key",
            "SharedAccessSignature" => "azure_storage_sas_key",
            "BlobEndpoint" => "azure_endpoint",
            _ => continue,
        };
        options.offer(key, value);
    }
}
