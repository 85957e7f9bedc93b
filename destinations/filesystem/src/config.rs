//! Settings of the filesystem destination: the URL first, then the settings, then the environment.

mod file_format;
mod location;

use file_format::compression_name;
pub use file_format::{Compression, FileFormat};
pub(crate) use location::Location;
use location::{location, split_query};

use crate::layout::{self, Layout};
use chrono::{DateTime, Utc};
use longshore_core::connect::Connection;
use longshore_core::error::{Error, Result};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
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
        let (place, query) = split_query(&url, connection);
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
            for (key, value) in bucket.shown() {
                query.append_pair(key, value);
            }
        }
        let query = query.finish();
        let place = self.location.to_string();
        if query.is_empty() { place } else { format!("{place}?{query}") }
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
        assert_eq!(url("S3://bucket/A"), "s3://bucket/A");
        assert_eq!(url("File:///data/A"), "file:///data/A");
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
    fn a_mistyped_setting_does_not_become_a_folders_name() {
        let home = tempfile::tempdir().unwrap();
        let env = [("HOME", home.path().to_str().unwrap())];
        let open = |url: &str| Config::from_connection(&connection(url, json!({}), &env));
        for url in ["./x?fromat=csv&key=hush", "/data/x?fromat=hush", "~/x?fromat=csv"] {
            let error = open(url).unwrap_err();
            assert_eq!(error.hint_text(), Some("did you mean 'format'?"), "{url}");
            assert!(!format!("{error:?}").contains("hush"), "{error:?}");
        }
        // Nothing like a setting, and a folder that is there.
        assert!(open("./what?now").unwrap().url().ends_with("/what%3Fnow"));
        std::fs::create_dir(home.path().join("x?fromat=csv")).unwrap();
        assert!(open("~/x?fromat=csv").unwrap().url().ends_with("/x%3Ffromat=csv"));
    }

    #[test]
    fn an_endpoint_without_http_is_refused_wherever_it_was_said() {
        for (url, variables) in [
            ("s3://b/p?endpoint=127.0.0.1:9000", &[][..]),
            ("s3://b/p", &[("AWS_ENDPOINT_URL", "localhost:9000")]),
            ("gs://b/p?endpoint=localhost:9000", &[]),
        ] {
            let error = Config::from_connection(&connection(url, json!({}), variables)).unwrap_err();
            assert!(error.hint_text().is_some_and(|h| h.contains("http://")), "{url}: {error}");
        }
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
