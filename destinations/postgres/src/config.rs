//! Settings of the PostgreSQL destination: from the URL, else the settings, else libpq's service, else the environment, else libpq's
//! defaults.

use crate::given::{Given, read_settings, read_url};
use crate::{passfile, service};
use longshore_core::connect::{Connection, Secret};
use longshore_core::error::{Error, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What a user can set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Host names, addresses, or folders of sockets, each with its port; the first that answers is used.
    pub hosts: Vec<(String, u16)>,
    /// Where the hosts are, so that their names are not looked up; empty, or one for each.
    pub addresses: Vec<IpAddr>,
    /// The database.
    pub database: String,
    /// The role.
    pub user: String,
    /// Its password, if the server asks for one.
    pub password: Option<Secret>,
    /// Whether and how the connection is encrypted.
    pub ssl_mode: SslMode,
    /// File of certificates to trust instead of the system's, in PEM; `system` means the system's.
    pub ssl_root_cert: Option<String>,
    /// Own certificate and its key, in PEM.
    pub ssl_cert: Option<(PathBuf, PathBuf)>,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// Options for the server's process, as in `PGOPTIONS`.
    pub options: Option<String>,
    /// Use only a server that takes writes, of several hosts.
    pub read_write: bool,
    /// Log in only where the password is bound to the encrypted connection.
    pub binds_channel: bool,
    /// Connections that send rows at once.
    pub connections: usize,
    /// The schema staging tables stand in; by default `<dataset>_staging`.
    pub staging_schema: Option<String>,
}

/// libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Never encrypt.
    Disable,
    /// Encrypt if the server can, without checking who it is.
    Prefer,
    /// Always encrypt, without checking who the server is.
    Require,
    /// Encrypt, and check that the server's certificate comes from an authority that is trusted.
    VerifyCa,
    /// Also check that it is the certificate of this host.
    VerifyFull,
}

impl SslMode {
    const NAMES: [(&'static str, SslMode); 6] = [
        ("disable", SslMode::Disable),
        ("prefer", SslMode::Prefer),
        ("require", SslMode::Require),
        ("verify-ca", SslMode::VerifyCa),
        ("verify-full", SslMode::VerifyFull),
        ("allow", SslMode::Prefer),
    ];

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, m)| *m == self).map_or("prefer", |(name, _)| name)
    }
}

/// More than these do not make sending rows faster.
const MOST_CONNECTIONS: u64 = 32;

/// What may stand in a part of a URL as it is.
const KEEP: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Config {
    /// Reads the URL, then the settings, then libpq's service, then `PG*` variables, each where those before leave something open.
    ///
    /// # Errors
    /// When a name is unknown or a value is not what it should be; values are not shown.
    pub fn from_connection(connection: &Connection) -> Result<Self> {
        let mut given = Given::default();
        read_url(&connection.url, &mut given)?;
        read_settings(&connection.settings, &mut given)?;
        given.set("service", connection.env("PGSERVICE").unwrap_or_default())?;
        service::read(connection, &mut given)?;
        given.set_from_environment(connection)?;
        let user = given.get("username").or(connection.env("USER")).unwrap_or("postgres").to_owned();
        let ssl_root_cert = given.get("sslrootcert").map(str::to_owned);
        let ssl_mode = ssl_mode(given.get("sslmode"), ssl_root_cert.is_some())?;
        let threads = connection.limits.threads.or(std::thread::available_parallelism().ok().map(usize::from));
        let path = |key| given.get(key).map(PathBuf::from);
        let (host, address) = (given.get("host"), given.get("hostaddr"));
        let hosts = hosts(host.or(address).unwrap_or("localhost"), given.get("port").unwrap_or("5432"))?;
        let addresses = addresses(address.filter(|_| host.is_some()), hosts.len())?;
        let database = given.get("database").unwrap_or(&user).to_owned();
        let password = given.get("password").map(Secret::new);
        Ok(Config {
            password: password.or_else(|| passfile::password(connection, &hosts, &database, &user)),
            hosts,
            addresses,
            database,
            user,
            ssl_mode,
            ssl_root_cert,
            ssl_cert: own_certificate(path("sslcert"), path("sslkey"))?,
            connect_timeout: Duration::from_secs(given.number("connect_timeout")?.filter(|s| *s > 0).unwrap_or(15)),
            options: given.get("options").map(str::to_owned),
            read_write: one_of(&given, "target_session_attrs", &["any", "read-write", "primary"])? > 0,
            binds_channel: one_of(&given, "channel_binding", &["prefer", "disable", "require"])? == 2,
            connections: match given.number("connections")? {
                Some(n) if !(1..=MOST_CONNECTIONS).contains(&n) => {
                    return Err(Error::config(format!("the setting 'connections' is {n}"))
                        .hint(format!("write a number from 1 to {MOST_CONNECTIONS}, or leave it out")));
                }
                Some(n) => n as usize,
                None => threads.unwrap_or(2).clamp(2, 4),
            },
            staging_schema: given.get("staging_schema").map(str::to_owned),
        })
    }

    /// Returns the URL without the password.
    pub fn url(&self) -> String {
        let encode = |text: &str| utf8_percent_encode(text, KEEP).to_string();
        // An IPv6 address stands in brackets, as it is.
        let host = |h: &str| if h.contains(':') { format!("[{h}]") } else { encode(h) };
        let hosts: Vec<String> = self.hosts.iter().map(|(h, port)| format!("{}:{port}", host(h))).collect();
        let mut url = format!("postgres://{}@{}/{}", encode(&self.user), hosts.join(","), encode(&self.database));
        let mut parameters = Vec::new();
        if !self.addresses.is_empty() {
            let addresses: Vec<String> = self.addresses.iter().map(IpAddr::to_string).collect();
            parameters.push(format!("hostaddr={}", encode(&addresses.join(","))));
        }
        if self.ssl_mode != SslMode::Prefer {
            parameters.push(format!("sslmode={}", self.ssl_mode.name()));
        }
        let absolute = |file: &std::path::Path| {
            encode(&std::path::absolute(file).unwrap_or_else(|_| file.to_owned()).display().to_string())
        };
        match self.ssl_root_cert.as_deref() {
            Some("system") => parameters.push("sslrootcert=system".to_owned()),
            Some(file) => parameters.push(format!("sslrootcert={}", absolute(file.as_ref()))),
            None => {}
        }
        if let Some((cert, key)) = &self.ssl_cert {
            parameters.push(format!("sslcert={}&sslkey={}", absolute(cert), absolute(key)));
        }
        if self.read_write {
            parameters.push("target_session_attrs=read-write".to_owned());
        }
        if self.binds_channel {
            parameters.push("channel_binding=require".to_owned());
        }
        if let Some(options) = &self.options {
            parameters.push(format!("options={}", encode(options)));
        }
        if let Some(schema) = &self.staging_schema {
            parameters.push(format!("staging_schema={}", encode(schema)));
        }
        if !parameters.is_empty() {
            url.push_str(&format!("?{}", parameters.join("&")));
        }
        url
    }
}

/// `a,b` with `1,2`, or with one port for all.
fn hosts(names: &str, ports: &str) -> Result<Vec<(String, u16)>> {
    let ports: Vec<&str> = ports.split(',').collect();
    let names: Vec<&str> = names.split(',').collect();
    if ports.len() != 1 && ports.len() != names.len() {
        return Err(Error::config("there are not as many ports as hosts"));
    }
    let one = |(i, name): (usize, &&str)| {
        let port = ports[if ports.len() == 1 { 0 } else { i }];
        let port = if port.is_empty() { Ok(5432) } else { port.parse() };
        let wrong = |_| Error::config("the port is not a number from 1 to 65535");
        Ok((if name.is_empty() { "localhost" } else { name }.to_owned(), port.map_err(wrong)?))
    };
    names.iter().enumerate().map(one).collect()
}

/// Addresses beside the names of the hosts.
fn addresses(text: Option<&str>, hosts: usize) -> Result<Vec<IpAddr>> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let found: std::result::Result<Vec<IpAddr>, _> = text.split(',').map(|a| a.trim().parse()).collect();
    match found {
        Ok(found) if found.len() == hosts => Ok(found),
        Ok(_) => Err(Error::config("there are not as many addresses (hostaddr) as hosts")
            .hint("name an address for each host, or leave them out")),
        Err(_) => Err(Error::config("the setting 'hostaddr' is no address")
            .hint("write numbers, as in hostaddr=10.0.0.7; a name is a 'host'")),
    }
}

/// The place of a setting's value among those there are; the first is the usual one.
fn one_of(given: &Given, key: &'static str, values: &[&str]) -> Result<usize> {
    let Some(value) = given.get(key) else { return Ok(0) };
    values.iter().position(|v| *v == value).ok_or_else(|| {
        Error::config(format!("the setting '{key}' is none that a load can have"))
            .hint(format!("there are: {}", values.join(", ")))
    })
}

/// A certificate is shown with its key, or not at all.
fn own_certificate(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<(PathBuf, PathBuf)>> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (None, None) => Ok(None),
        (one, _) => {
            let (named, lacks) = if one.is_some() { ("sslcert", "sslkey") } else { ("sslkey", "sslcert") };
            Err(Error::config(format!("'{named}' is set, and '{lacks}' is not"))
                .hint("a certificate needs its key: name the files of both (sslcert, sslkey, or PGSSLCERT, PGSSLKEY)"))
        }
    }
}

/// With a root certificate of one's own, `require` and less mean that it is checked, as in libpq.
fn ssl_mode(name: Option<&str>, has_root: bool) -> Result<SslMode> {
    let Some(name) = name else { return Ok(SslMode::Prefer) };
    let known = SslMode::NAMES.iter().find(|(n, _)| *n == name);
    let (_, mode) = known.ok_or_else(|| {
        Error::config(format!("there is no sslmode '{name}'"))
            .hint("there are: disable, allow, prefer, require, verify-ca, verify-full")
    })?;
    Ok(if has_root && *mode == SslMode::Require { SslMode::VerifyCa } else { *mode })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(url: &str) -> Result<Config> {
        Config::from_connection(&Connection::new(url))
    }

    #[test]
    fn a_url_says_everything() {
        let c = config("postgresql://me:p%40ss@db.example:6432/shop?sslmode=verify-full&connections=3").unwrap();
        assert_eq!((c.hosts, c.database, c.user), (vec![("db.example".into(), 6432)], "shop".into(), "me".into()));
        assert_eq!((c.password.unwrap().expose(), c.ssl_mode, c.connections), ("p@ss", SslMode::VerifyFull, 3));
    }

    #[test]
    fn the_url_that_is_remembered_has_no_password_and_means_the_same() {
        for url in [
            "postgres://me:hush@h/db",
            "postgres://me:hush@%2Fvar%2Frun:5433/my%20db",
            "postgres:///db?host=/tmp&user=me&password=hush",
            "postgres://me:hu@sh@[::1]:7/db?sslmode=require&sslrootcert=/ca.pem",
            "postgres://me@a:1,b:2/db?sslmode=disable&target_session_attrs=primary&options=-c%20role%3Dloader",
            "postgres://me@h/db?sslmode=verify-full&sslrootcert=system&sslcert=/c.pem&sslkey=/k.pem",
            "postgres://me@a,b/db?sslmode=verify-full&hostaddr=10.0.0.1,::1",
            "Postgres://me@/db?hostaddr=10.0.0.1",
            "postgres://me@h/db?sslmode=require&sslmode=require&channel_binding=require&target_session_attrs=any",
        ] {
            let first = config(url).unwrap();
            assert!(!first.url().contains("hu"), "{}", first.url());
            let again = config(&first.url()).unwrap();
            assert_eq!(Config { password: None, ..first }, again, "{url}");
        }
    }

    #[test]
    fn the_url_goes_before_the_settings_and_these_before_the_environment() {
        let mut connection = Connection::new("postgres://me@h");
        connection.settings =
            json!({"host": "other", "port": 7000, "credentials": {"password": "p"}}).as_object().cloned().unwrap();
        let variables = [("PGPORT", "1"), ("PGDATABASE", "d"), ("PGSSLMODE", "require"), ("PGPASSWORD", "q")];
        connection.environment = variables.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let c = Config::from_connection(&connection).unwrap();
        assert_eq!((c.hosts, c.database, c.ssl_mode), (vec![("h".into(), 7000)], "d".into(), SslMode::Require));
        assert_eq!(c.password.unwrap().expose(), "p");
    }

    #[test]
    fn an_address_goes_with_the_hosts_name_or_stands_for_it() {
        let mut connection = Connection::new("postgres://me@h/d");
        connection.environment = [("PGHOSTADDR".to_owned(), "10.0.0.7".to_owned())].into();
        let named = Config::from_connection(&connection).unwrap();
        assert_eq!((named.hosts, named.addresses), (vec![("h".into(), 5432)], vec!["10.0.0.7".parse().unwrap()]));
        let alone = Config::from_connection(&Connection { url: "postgres".into(), ..connection }).unwrap();
        assert_eq!((alone.hosts, alone.addresses), (vec![("10.0.0.7".into(), 5432)], vec![]));
    }

    #[test]
    fn what_is_wrong_is_named_without_its_value() {
        for (url, named) in [
            ("postgres://h/d?nosuch=hush", "nosuch"),
            ("postgres://h:hush/d", "port"),
            ("postgres://h/d?sslmode=maybe", "sslmode"),
            ("postgres://h/d?connections=hush", "connections"),
            ("postgres://h/d?connections=0", "connections"),
            ("postgres://h/d?connections=33", "connections"),
            ("postgres://h/d?sslmode=disable&sslmode=require", "sslmode"),
            ("postgres://h/d?target_session_attrs=standby", "target_session_attrs"),
            ("postgres://h/d?channel_binding=hush", "channel_binding"),
            ("postgres://h/d?sslcert=/hush.pem", "sslkey"),
            ("postgres://h/d?sslkey=/hush.pem", "sslcert"),
            ("postgres://h/d?hostaddr=hush", "hostaddr"),
            ("postgres://h/d?hostaddr=10.0.0.1,10.0.0.2", "hostaddr"),
        ] {
            let error = config(url).unwrap_err();
            assert!(named == "port" || error.hint_text().is_some(), "{url}");
            assert!(error.to_string().contains(named) && !error.to_string().contains("hush"), "{error}");
        }
    }
}
