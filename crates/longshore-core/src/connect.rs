//! What a destination is opened with: its URL, the settings of its section, and the environment it may ask.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A value that must not be printed: `Debug` and `Display` show three stars.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(value: impl Into<String>) -> Self {
        Secret(value.into())
    }

    /// Returns the secret itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

/// How to reach one destination. The destination makes its own `Config` of it: the URL first, then
/// the settings, then the environment.
#[derive(Clone, Default)]
pub struct Connection {
    /// `postgres://user:pw@host/db`, `s3://bucket/prefix`, a path, or only the kind (`postgres`).
    pub url: String,
    /// The keys of its section in `longshore.toml` (secrets put in), named as in its documentation.
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Environment variables it may ask for (`PG*`, `AWS_*`): whoever embeds the library decides.
    pub environment: BTreeMap<String, String>,
    /// What it is told of the machine.
    pub limits: Limits,
}

/// What a destination is told of the machine it runs on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Threads a destination inside this process may use.
    pub threads: Option<usize>,
    /// Bytes of memory a destination inside this process may use.
    pub memory: Option<u64>,
}

impl Connection {
    /// Returns a connection with nothing but a URL.
    pub fn new(url: impl Into<String>) -> Self {
        Connection { url: url.into(), ..Connection::default() }
    }

    /// Returns the part before the first `:`, or the whole of a bare name.
    pub fn scheme(&self) -> &str {
        self.url.split(':').next().unwrap_or_default()
    }

    /// Returns an environment variable that is set and not empty.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// Reads the settings into a destination's own type, which should deny unknown fields.
    ///
    /// # Errors
    /// When a key is unknown or a value has the wrong type; the key is named, the value is not.
    pub fn settings<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_value(serde_json::Value::Object(self.settings.clone())).map_err(|e| {
            let text = without_value(&e.to_string());
            Error::config(format!("a setting of the destination is wrong: {text}")).with("destination", self.scheme())
        })
    }
}

/// `invalid type: string "hush", expected u16` without the text, which may be a secret.
fn without_value(message: &str) -> String {
    let parts =
        message.split_once(": string \"").and_then(|(what, rest)| Some((what, rest.rsplit_once("\", expected ")?.1)));
    match parts {
        Some((what, expected)) => format!("{what}: a text, expected {expected}"),
        None => message.to_owned(),
    }
}

/// The URL may hold a password, so only its scheme is shown.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&String> = self.settings.keys().collect();
        f.debug_struct("Connection").field("scheme", &self.scheme()).field("settings", &keys).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_printed_holds_a_secret() {
        let mut connection = Connection::new("postgres://u:hush@host/db");
        connection.settings.insert("password".into(), "hush".into());
        let secret = Secret::new("hush");
        let json = serde_json::to_string(&secret).unwrap();
        for text in [format!("{connection:?}"), format!("{secret:?}"), format!("{secret}"), json] {
            assert!(!text.contains("hush"), "{text}");
        }
        assert_eq!(secret.expose(), "hush");
    }

    #[test]
    fn a_setting_of_a_wrong_type_is_not_shown() {
        #[derive(Debug, Deserialize)]
        #[allow(dead_code)]
        struct Settings {
            port: u16,
        }
        let mut connection = Connection::new("postgres");
        connection.settings.insert("port".into(), "hu\", expected sh".into());
        let text = connection.settings::<Settings>().unwrap_err().to_string();
        assert!(text.contains("a text, expected u16") && !text.contains("hu"), "{text}");
    }
}
