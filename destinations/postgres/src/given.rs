//! What is said of a PostgreSQL destination, by our names: in a URL, in settings, in variables of the environment.

use longshore_core::connect::Connection;
use longshore_core::error::{Error, Result};
use longshore_core::misspelt::suggest;
use percent_encoding::percent_decode_str;

/// What can be set: our name, other names (URL parameters of libpq, keys of dlt), the environment variable.
pub(crate) const KEYS: &[(&str, &[&str], Option<&str>)] = &[
    ("service", &[], Some("PGSERVICE")),
    ("host", &[], Some("PGHOST")),
    ("hostaddr", &[], Some("PGHOSTADDR")),
    ("port", &[], Some("PGPORT")),
    ("database", &["dbname"], Some("PGDATABASE")),
    ("username", &["user"], Some("PGUSER")),
    ("password", &[], Some("PGPASSWORD")),
    ("sslmode", &[], Some("PGSSLMODE")),
    ("sslrootcert", &[], Some("PGSSLROOTCERT")),
    ("sslcert", &[], Some("PGSSLCERT")),
    ("sslkey", &[], Some("PGSSLKEY")),
    ("connect_timeout", &[], Some("PGCONNECT_TIMEOUT")),
    ("options", &[], Some("PGOPTIONS")),
    ("target_session_attrs", &[], Some("PGTARGETSESSIONATTRS")),
    ("channel_binding", &[], Some("PGCHANNELBINDING")),
    ("connections", &[], None),
    ("staging_schema", &[], None),
];
/// Accepted, for URLs and sections that other programs use too, and without a meaning here.
pub(crate) const IGNORED: &[&str] = &["application_name", "client_encoding", "drivername", "gssencmode", "keepalives"];

/// The values that are set, by our name for them.
#[derive(Default)]
pub(crate) struct Given(Vec<(&'static str, String)>);

impl Given {
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| *k == key).map(|(_, v)| v.as_str())
    }

    /// Sets a value unless an earlier source has; an unknown name is an error.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<()> {
        if IGNORED.contains(&name) || name.starts_with("keepalives_") {
            return Ok(());
        }
        let Some((key, ..)) = KEYS.iter().find(|(key, others, _)| *key == name || others.contains(&name)) else {
            let known: Vec<&str> = KEYS.iter().map(|(key, ..)| *key).collect();
            return Err(Error::config(format!("there is no setting '{name}' of a PostgreSQL destination")).hint(
                suggest(name, known.iter().copied()).unwrap_or_else(|| format!("there are: {}", known.join(", "))),
            ));
        };
        if self.get(key).is_none() && !value.is_empty() {
            self.0.push((key, value.to_owned()));
        }
        Ok(())
    }

    /// Takes `PG*` variables for what is still open.
    pub(crate) fn set_from_environment(&mut self, connection: &Connection) -> Result<()> {
        for (key, _, variable) in KEYS {
            self.set(key, variable.and_then(|v| connection.env(v)).unwrap_or_default())?;
        }
        Ok(())
    }

    pub(crate) fn number(&self, key: &'static str) -> Result<Option<u64>> {
        let wrong = |_| {
            Error::config(format!("the setting '{key}' is not a whole number"))
                .hint(format!("write {key}=4, or the like"))
        };
        self.get(key).map(|v| v.parse().map_err(wrong)).transpose()
    }
}

/// `postgres://user:password@host:port,host:port/database?name=value&…`: any part may be missing.
pub(crate) fn read_url(url: &str, given: &mut Given) -> Result<()> {
    let Some((_, rest)) = url.split_once(':') else { return Ok(()) };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let query = query.split('#').next().unwrap_or_default();
    let mut said: Vec<(String, String)> = Vec::new();
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        if said.iter().any(|(n, v)| *n == name && *v != value) {
            return Err(Error::config(format!("the destination's URL says '{name}' twice, and not the same"))
                .hint("say it once"));
        }
        given.set(&name, &value)?;
        said.push((name, value));
    }
    // A password may hold anything but what ends it: the last @ does.
    let (login, place) = match rest.rsplit_once('@') {
        Some((login, place)) => (login, place),
        None => ("", rest),
    };
    let (place, database) = place.split_once('/').unwrap_or((place, ""));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    for (key, value) in [("username", user), ("password", password), ("database", database)] {
        given.set(key, &decode(value)?)?;
    }
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for host in place.split(',') {
        let (name, port) = match host.strip_prefix('[').and_then(|h| h.split_once(']')) {
            Some((address, port)) => (address, port.strip_prefix(':').unwrap_or_default()),
            None => host.split_once(':').unwrap_or((host, "")),
        };
        names.push(decode(name)?);
        ports.push(decode(port)?);
    }
    let some = |list: Vec<String>| if list.iter().all(String::is_empty) { String::new() } else { list.join(",") };
    given.set("host", &some(names))?;
    given.set("port", &some(ports))
}

fn decode(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(String::from)
        .map_err(|_| Error::config("the destination's URL has percent signs that stand for no text"))
}

/// Keys as in the URL; `credentials` may hold a URL, or a section with the same keys, as dlt has it.
pub(crate) fn read_settings(settings: &serde_json::Map<String, serde_json::Value>, given: &mut Given) -> Result<()> {
    use serde_json::Value;
    for (name, value) in settings {
        match (name.as_str(), value) {
            ("credentials", Value::String(url)) => read_url(url, given)?,
            ("credentials" | "query", Value::Object(section)) => read_settings(section, given)?,
            (_, Value::String(text)) => given.set(name, text)?,
            (_, Value::Number(number)) => given.set(name, &number.to_string())?,
            (_, Value::Null) => {}
            _ => return Err(Error::config(format!("the setting '{name}' is neither a text nor a number"))),
        }
    }
    Ok(())
}
