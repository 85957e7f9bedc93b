//! Settings of the filesystem destination: the URL first, then the settings, then the environment.

use crate::credentials::{self, Cloud};
use crate::layout::{self, Layout, nearest};
use chrono::{DateTime, Utc};
use longshore_core::connect::Connection;
use longshore_core::error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;
use url::form_urlencoded;

/// What a user can set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the datasets' folders are.
    pub location: Location,
    /// The form of data files.
    pub format: FileFormat,
    /// The names of data files.
    pub layout: Layout,
    /// Placeholders of the user's own, with their constants.
    pub extra_placeholders: BTreeMap<String, String>,
    /// The moment the layout's date placeholders speak of; by default the load's.
    pub current_datetime: Option<DateTime<Utc>>,
    /// Rows of a Parquet row group, at most.
    pub row_group_rows: usize,
    /// Bytes at which a data file is ended.
    pub file_bytes: u64,
    /// State files kept of each pipeline.
    pub max_state_files: usize,
    /// Threads that encode.
    pub threads: Option<usize>,
    /// Bytes of memory to stay within.
    pub memory: Option<u64>,
}

/// A folder, or a prefix in a bucket.
#[derive(Debug, Clone)]
pub enum Location {
    /// A folder of this machine; made if it is missing.
    Folder(PathBuf),
    /// A bucket, which must exist.
    Bucket(Bucket),
}

/// A prefix in a bucket.
#[derive(Clone)]
pub struct Bucket {
    pub(crate) cloud: Cloud,
    /// The URL's scheme, as it was written.
    pub(crate) scheme: String,
    pub(crate) name: String,
    /// Azure's `container@account.dfs.core.windows.net`: the host.
    pub(crate) host: Option<String>,
    pub(crate) prefix: String,
    /// Options of `object_store`, secrets among them.
    pub(crate) options: Vec<(String, String)>,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bucket").field("name", &self.name).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// The form of data files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileFormat {
    /// Parquet: none, snappy or zstd.
    #[serde(rename = "parquet")]
    Parquet(Compression),
    /// One JSON object a line: none, gzip or zstd.
    #[serde(rename = "jsonl")]
    Jsonl(Compression),
    /// Comma-separated with a header: none or gzip.
    #[serde(rename = "csv")]
    Csv(Compression),
}

/// How data files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    None,
    /// Snappy; Parquet only.
    Snappy,
    /// Gzip; texts only.
    Gzip,
    /// Zstandard, level 1.
    Zstd,
}

impl FileFormat {
    /// Returns the format of that name, with its default compression where none is said.
    ///
    /// # Errors
    /// When there is no such format, or not with that compression.
    pub fn parse(format: &str, compression: Option<&str>) -> Result<Self> {
        use Compression::*;
        let compression = match compression.map(str::to_ascii_lowercase).as_deref() {
            Option::None => Option::None,
            Some("none" | "uncompressed" | "plain") => Some(None),
            Some("snappy") => Some(Snappy),
            Some("gzip" | "gz") => Some(Gzip),
            Some("zstd" | "zst") => Some(Zstd),
            Some(other) => {
                return Err(Error::config(format!("there is no compression '{other}'"))
                    .hint("write none, snappy, gzip or zstd"));
            }
        };
        let made = match format.to_ascii_lowercase().as_str() {
            "parquet" => FileFormat::Parquet(compression.unwrap_or(Snappy)),
            "jsonl" | "ndjson" => FileFormat::Jsonl(compression.unwrap_or(None)),
            "csv" => FileFormat::Csv(compression.unwrap_or(None)),
            other => {
                return Err(
                    Error::config(format!("there is no file format '{other}'")).hint("write parquet, jsonl or csv")
                );
            }
        };
        let (fits, those) = match made {
            FileFormat::Parquet(c) => (c != Gzip, "none, snappy or zstd"),
            FileFormat::Jsonl(c) => (c != Snappy, "none, gzip or zstd"),
            FileFormat::Csv(c) => (matches!(c, None | Gzip), "none or gzip"),
        };
        if !fits {
            return Err(Error::config(format!("{} files cannot have that compression", made.name()))
                .hint(format!("write {those}")));
        }
        Ok(made)
    }

    /// Returns its name: `parquet`, `jsonl` or `csv`.
    pub fn name(self) -> &'static str {
        match self {
            FileFormat::Parquet(_) => "parquet",
            FileFormat::Jsonl(_) => "jsonl",
            FileFormat::Csv(_) => "csv",
        }
    }

    /// Returns how its files are compressed.
    pub fn compression(self) -> Compression {
        let (FileFormat::Parquet(c) | FileFormat::Jsonl(c) | FileFormat::Csv(c)) = self;
        c
    }

    /// Returns what its files' names end in.
    pub fn extension(self) -> &'static str {
        match (self, self.compression()) {
            (FileFormat::Parquet(_), _) => "parquet",
            (FileFormat::Jsonl(_), Compression::Gzip) => "jsonl.gz",
            (FileFormat::Jsonl(_), Compression::Zstd) => "jsonl.zst",
            (FileFormat::Jsonl(_), _) => "jsonl",
            (FileFormat::Csv(_), Compression::Gzip) => "csv.gz",
            (FileFormat::Csv(_), _) => "csv",
        }
    }
}

/// The keys of its section in `longshore.toml`, dlt's names where dlt has one.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    bucket_url: Option<String>,
    #[serde(default)]
    credentials: Map<String, Value>,
    #[serde(alias = "loader_file_format")]
    format: Option<String>,
    compression: Option<String>,
    layout: Option<String>,
    #[serde(default)]
    extra_placeholders: BTreeMap<String, Value>,
    current_datetime: Option<String>,
    row_group_rows: Option<Value>,
    #[serde(alias = "file_max_bytes")]
    target_file_size: Option<Value>,
    max_state_files: Option<usize>,
    threads: Option<usize>,
    memory: Option<u64>,
}

/// Keys of a URL's query that are settings of ours; all others are options of the store.
const QUERY_KEYS: [&str; 8] = [
    "format",
    "compression",
    "layout",
    "current_datetime",
    "row_group_rows",
    "target_file_size",
    "max_state_files",
    "extra_placeholders",
];

const ROW_GROUP_ROWS: usize = 1 << 20;
const FILE_BYTES: u64 = 128 << 20;

impl Config {
    /// Returns the defaults for a place.
    ///
    /// # Errors
    /// When the URL is no place of files.
    pub fn new(url: &str) -> Result<Self> {
        Config::from_connection(&Connection::new(url))
    }

    /// Reads the URL with its query, then the settings, then the environment.
    ///
    /// # Errors
    /// When no place is named, or a setting is wrong.
    pub fn from_connection(connection: &Connection) -> Result<Self> {
        let mut settings: Settings = connection.settings()?;
        let url = match (connection.url.as_str(), settings.bucket_url.take()) {
            ("filesystem" | "filesystem:" | "", Some(url)) => url,
            ("filesystem" | "filesystem:" | "", None) => {
                return Err(Error::config("the filesystem destination does not say where")
                    .hint("write file:///folder, s3://bucket/prefix, gs://…, az://…, or set bucket_url"));
            }
            (url, _) => url.to_owned(),
        };
        let (place, query) = split_query(&url);
        let mut options = Vec::new();
        for (key, value) in query {
            settings.take_query(&key, value, &mut options)?;
        }
        let location = location(&place, connection, &settings.credentials, options)?;
        settings.into_config(location, connection)
    }

    /// Returns the absolute URL, without secrets, that opens the same destination again.
    pub fn url(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if self.format != FileFormat::Parquet(Compression::Snappy) {
            query.append_pair("format", self.format.name());
            query.append_pair("compression", &compression_name(self.format.compression()));
        }
        if self.layout.as_str() != layout::DEFAULT {
            query.append_pair("layout", self.layout.as_str());
        }
        if !self.extra_placeholders.is_empty() {
            let text = serde_json::to_string(&self.extra_placeholders).unwrap_or_default(); // texts only: cannot fail
            query.append_pair("extra_placeholders", &text);
        }
        if let Some(at) = self.current_datetime {
            query.append_pair("current_datetime", &at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
        }
        if self.row_group_rows != ROW_GROUP_ROWS {
            query.append_pair("row_group_rows", &self.row_group_rows.to_string());
        }
        if self.file_bytes != FILE_BYTES {
            query.append_pair("target_file_size", &self.file_bytes.to_string());
        }
        if let Location::Bucket(bucket) = &self.location {
            // An account that the host names need not be said twice.
            for (key, value) in bucket.options.iter().filter(|(k, _)| {
                credentials::is_shown(k) && !(bucket.host.is_some() && k == "azure_storage_account_name")
            }) {
                query.append_pair(key, value);
            }
        }
        let query = query.finish();
        let place = self.location.to_string();
        if query.is_empty() { place } else { format!("{place}?{query}") }
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Location::Folder(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                match url::Url::from_file_path(&path) {
                    Ok(url) => f.write_str(url.as_str().trim_end_matches('/')),
                    Err(()) => write!(f, "file://{}", path.display()),
                }
            }
            Location::Bucket(b) => {
                write!(f, "{}://{}", b.scheme, b.name)?;
                if let Some(host) = &b.host {
                    write!(f, "@{host}")?;
                }
                if b.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", b.prefix) }
            }
        }
    }
}

impl Settings {
    fn take_query(&mut self, key: &str, value: String, options: &mut Vec<(String, String)>) -> Result<()> {
        match key {
            "format" => self.format = Some(value),
            "compression" => self.compression = Some(value),
            "layout" => self.layout = Some(value),
            "current_datetime" => self.current_datetime = Some(value),
            "row_group_rows" => self.row_group_rows = Some(Value::String(value)),
            "target_file_size" => self.target_file_size = Some(Value::String(value)),
            "max_state_files" => {
                let number = value.parse().map_err(|e| Error::config("max_state_files is not a number").source(e))?;
                self.max_state_files = Some(number);
            }
            "extra_placeholders" => {
                self.extra_placeholders = serde_json::from_str(&value).map_err(|e| {
                    Error::config("extra_placeholders is not a JSON object")
                        .hint(r#"such as {"region":"eu"}"#)
                        .source(e)
                })?;
            }
            _ => options.push((key.to_owned(), value)),
        }
        Ok(())
    }

    fn into_config(self, location: Location, connection: &Connection) -> Result<Config> {
        let format = self.format.as_deref().unwrap_or("parquet");
        let format = FileFormat::parse(format, self.compression.as_deref())?;
        let mut extra_placeholders = BTreeMap::new();
        for (name, value) in self.extra_placeholders {
            let text = match value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Bool(yes) => yes.to_string(),
                _ => {
                    return Err(
                        Error::config("an extra placeholder is neither text nor number").with("placeholder", name)
                    );
                }
            };
            extra_placeholders.insert(name, text);
        }
        let layout = Layout::parse(self.layout.as_deref().unwrap_or(layout::DEFAULT), &extra_placeholders)?;
        let current_datetime = self.current_datetime.as_deref().map(moment).transpose()?;
        let row_group_rows = size("row_group_rows", self.row_group_rows.as_ref())?.unwrap_or(ROW_GROUP_ROWS as u64);
        let file_bytes = size("target_file_size", self.target_file_size.as_ref())?.unwrap_or(FILE_BYTES);
        Ok(Config {
            location,
            format,
            layout,
            extra_placeholders,
            current_datetime,
            row_group_rows: row_group_rows as usize,
            file_bytes,
            max_state_files: self.max_state_files.unwrap_or(100),
            threads: self.threads.or(connection.limits.threads),
            memory: self.memory.or(connection.limits.memory),
        })
    }
}

fn compression_name(compression: Compression) -> String {
    format!("{compression:?}").to_ascii_lowercase()
}

/// A URL and the pairs of its query. Of a bare path, only a query of known settings is one: a folder's
/// name may have a question mark.
fn split_query(url: &str) -> (String, Vec<(String, String)>) {
    let Some((place, query)) = url.split_once('?') else { return (url.to_owned(), Vec::new()) };
    let pairs: Vec<(String, String)> =
        form_urlencoded::parse(query.as_bytes()).map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
    let is_url = url.contains("://") || url.starts_with("file:");
    if !is_url && pairs.iter().any(|(k, _)| !QUERY_KEYS.contains(&k.as_str())) {
        return (url.to_owned(), Vec::new());
    }
    (place.to_owned(), pairs)
}

fn location(
    place: &str,
    connection: &Connection,
    credentials: &Map<String, Value>,
    query: Vec<(String, String)>,
) -> Result<Location> {
    let Some((scheme, rest)) = place.split_once("://") else {
        return folder(place, place.strip_prefix("file:").map(str::to_owned), connection, &query);
    };
    let Some(cloud) = Cloud::of_scheme(scheme) else {
        if scheme == "file" {
            let rest = rest.strip_prefix("localhost/").map_or_else(|| rest.to_owned(), |r| format!("/{r}"));
            return folder(place, Some(rest), connection, &query);
        }
        return Err(Error::config(format!("'{scheme}' is no scheme of files"))
            .hint("write file:///folder, s3://bucket/prefix, gs://bucket/prefix, or az://container/prefix"));
    };
    let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let (name, host) = match authority.split_once('@') {
        Some((name, host)) if cloud == Cloud::Azure && !name.contains(':') => (name, Some(host.to_owned())),
        Some(_) => {
            return Err(Error::config("the URL has credentials in it").with("scheme", scheme).hint(
                "credentials belong to the environment, a profile, or the destination's settings, where nothing prints them",
            ));
        }
        None => (authority, None),
    };
    if name.is_empty() {
        return Err(Error::config("the URL names no bucket").hint(format!("write {scheme}://bucket/prefix")));
    }
    let prefix: Vec<&str> = prefix.split('/').filter(|p| !p.is_empty()).collect();
    let mut bucket = Bucket {
        cloud,
        scheme: scheme.to_owned(),
        name: name.to_owned(),
        host,
        prefix: prefix.join("/"),
        options: Vec::new(),
    };
    bucket.options = credentials::options(&bucket, connection, credentials, query)?;
    Ok(Location::Bucket(bucket))
}

/// A folder: of a `file:` URL with its escapes undone, or a path as it is.
fn folder(
    place: &str,
    of_url: Option<String>,
    connection: &Connection,
    query: &[(String, String)],
) -> Result<Location> {
    if let Some((key, _)) = query.first() {
        return Err(unknown_option(key, &QUERY_KEYS));
    }
    let path = match of_url {
        Some(path) => percent_decode(&path),
        None => place.to_owned(),
    };
    let home = || {
        connection.env("HOME").ok_or_else(|| Error::config("there is no home folder").with("path", place.to_owned()))
    };
    let path = match path.strip_prefix('~') {
        Some("") => PathBuf::from(home()?),
        Some(rest) if rest.starts_with('/') => PathBuf::from(format!("{}{rest}", home()?)),
        _ => PathBuf::from(path),
    };
    if path.as_os_str().is_empty() {
        return Err(Error::config("the URL names no folder").hint("write file:///folder"));
    }
    Ok(Location::Folder(path))
}

pub(crate) fn unknown_option(key: &str, known: &[&str]) -> Error {
    let error = Error::config(format!("there is no setting '{key}'"));
    match nearest(key, known) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error.hint(format!("settings in a URL are {}", QUERY_KEYS.join(", "))),
    }
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| first == b'%').and_then(|d| std::str::from_utf8(d).ok());
        match digits.and_then(|d| u8::from_str_radix(d, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(first);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn moment(text: &str) -> Result<DateTime<Utc>> {
    let naive = |t: &str| {
        let with_time = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
        with_time
            .iter()
            .find_map(|f| chrono::NaiveDateTime::parse_from_str(t, f).ok())
            .or_else(|| chrono::NaiveDate::parse_from_str(t, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))
    };
    let parsed = DateTime::parse_from_rfc3339(text).map(|t| t.to_utc()).ok();
    parsed.or_else(|| naive(text).map(|t| t.and_utc())).ok_or_else(|| {
        Error::config("current_datetime is no date or time").with("value", text).hint("write 2024-03-07T05:06:09Z")
    })
}

/// A number, or a text such as `64MB`, `512KiB` or `1_000_000`.
fn size(key: &str, value: Option<&Value>) -> Result<Option<u64>> {
    let Some(value) = value else { return Ok(None) };
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let digits: String = text.chars().take_while(|c| c.is_ascii_digit() || *c == '_').filter(|c| *c != '_').collect();
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_').trim().to_ascii_lowercase();
    let shift = match unit.as_str() {
        "" | "b" => Some(0),
        "k" | "kb" | "kib" => Some(10),
        "m" | "mb" | "mib" => Some(20),
        "g" | "gb" | "gib" => Some(30),
        _ => None,
    };
    let parsed =
        digits.parse::<u64>().ok().zip(shift).map(|(n, shift)| n.saturating_mul(1 << shift)).filter(|n| *n > 0);
    parsed.map(Some).ok_or_else(|| {
        Error::config(format!("{key} is no size")).with("value", text).hint("write a number, or one with KB, MB or GB")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn connection(url: &str, settings: Value, env: &[(&str, &str)]) -> Connection {
        let Value::Object(settings) = settings else { panic!("settings are an object") };
        let environment = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Connection { settings, environment, ..Connection::new(url) }
    }

    fn url(url: &str) -> String {
        Config::from_connection(&connection(url, json!({}), &[("HOME", "/home/me")])).unwrap().url()
    }

    #[test]
    fn urls_and_paths_name_places() {
        assert_eq!(url("file:///data/out"), "file:///data/out");
        assert_eq!(url("file://localhost/data/out/"), "file:///data/out");
        assert_eq!(url("file:///data/a%20b"), "file:///data/a%20b");
        assert_eq!(url("/data/out"), "file:///data/out");
        assert_eq!(url("~/out"), "file:///home/me/out");
        assert!(url("./out").starts_with("file:///") && url("./out").ends_with("/out"));
        assert_eq!(url("s3://bucket/a/b/"), "s3://bucket/a/b");
        assert_eq!(url("gs://bucket"), "gs://bucket");
        assert_eq!(url("abfss://box@account.dfs.core.windows.net/x"), "abfss://box@account.dfs.core.windows.net/x");
    }

    #[test]
    fn the_query_and_the_settings_choose_the_form_of_files() {
        let config = Config::new("/data?format=jsonl&compression=gzip&layout={table_name}/{file_id}").unwrap();
        assert_eq!(config.format, FileFormat::Jsonl(Compression::Gzip));
        let again = Config::new(&config.url()).unwrap();
        assert_eq!((again.url(), again.layout), (config.url(), config.layout));
        let settings = json!({"bucket_url": "/data", "format": "csv", "target_file_size": "1MB", "row_group_rows": 5});
        let config = Config::from_connection(&connection("filesystem", settings, &[])).unwrap();
        assert_eq!((config.format, config.file_bytes), (FileFormat::Csv(Compression::None), 1 << 20));
        assert!(Config::new("/data?format=xml").unwrap_err().to_string().contains("'xml'"));
        assert!(Config::new("/data?format=csv&compression=zstd").is_err());
        assert!(Config::new("file:///data?fromat=csv").unwrap_err().hint_text().unwrap().contains("format"));
    }

    #[test]
    fn the_url_shows_no_secret() {
        let settings = json!({"credentials": {"aws_access_key_id": "AK", "aws_secret_access_key": "hush",
            "endpoint_url": "http://localhost:9000", "region_name": "eu-west-1"}});
        let config =
            Config::from_connection(&connection("s3://b/p", settings, &[("AWS_SESSION_TOKEN", "hush")])).unwrap();
        let url = config.url();
        assert!(!url.contains("hush") && !url.contains("AK"), "{url}");
        assert!(url.contains("endpoint") && url.contains("eu-west-1"), "{url}");
        assert!(!format!("{config:?}").contains("hush"));
        let error = Config::new("s3://AK:hush@b/p").unwrap_err();
        assert!(!format!("{error:?}").contains("hush"));
        let error = Config::new("s3://b/p?aws_secret_access_key=hush").unwrap_err();
        assert!(!format!("{error:?}").contains("hush"));
    }
}
