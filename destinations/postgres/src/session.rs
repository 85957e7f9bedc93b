//! Connections: how they are opened and set up, and how a dead one is noticed.

use crate::config::{Config, SslMode};
use crate::error::from_driver;
use crate::tls;
use longshore_core::error::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage, SimpleQueryRow};
use tokio_postgres_rustls::MakeRustlsConnect;
use tracing::debug;

/// What every session is set to, so that it does not depend on what roles and databases prefer.
const SETTINGS: &str = "SET search_path = pg_catalog; SET standard_conforming_strings = on; SET client_min_messages = error; \
    SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'iso_8601'; SET bytea_output = 'hex'; \
    SET extra_float_digits = 1; SET statement_timeout = 0; SET lock_timeout = 0; \
    SET idle_in_transaction_session_timeout = '60s'; SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; \
    SET tcp_keepalives_count = 3";

/// How long an answer may take before somebody looks whether one can still come.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a server that cannot be reached, or has no place, is tried.
const AWAY: Duration = Duration::from_secs(2);
/// How long a server that starts or recovers is waited for.
const STARTING: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// What a server's process does that has not waited for us when somebody looked.
const WORKS: &str = "works";

/// The connections' own threads: a caller's runtime only runs while it waits for us.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) config: Config,
    tls: Tls,
    runtime: Option<Runtime>,
}

#[derive(Clone)]
struct Tls(MakeRustlsConnect);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Engine {
    pub(crate) fn new(config: Config) -> Result<Self> {
        let tls = Tls(tls::connector(&config)?);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("postgres")
            .enable_all()
            .build()
            .map_err(|e| Error::internal("cannot start an asynchronous runtime").source(e))?;
        Ok(Engine { config, tls, runtime: Some(runtime) })
    }

    /// Runs something on the connections' threads, whoever waits for it.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<tokio::task::JoinHandle<T>> {
        let runtime = self.runtime.as_ref().ok_or_else(|| Error::internal("the connections are closed"))?;
        Ok(runtime.spawn(work))
    }

    /// Opens a connection and sets it up.
    pub(crate) async fn connect(self: &Arc<Self>) -> Result<Session> {
        let (client, role) = self.patient_client().await?;
        let mut session = Session { client, engine: Arc::clone(self), role, pid: 0 };
        session.batch(SETTINGS).await?;
        session.pid = session.value("SELECT pg_backend_pid()").await?.and_then(|v| v.parse().ok()).unwrap_or_default();
        Ok(session)
    }

    /// Tries again for a little while what may pass at once, and for longer while the server says that it starts.
    async fn patient_client(&self) -> Result<(Client, String)> {
        let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            let e = match self.raw_client().await {
                Err(e) if e.is_retryable() => e,
                outcome => return outcome,
            };
            let starts = std::error::Error::source(&e).is_some_and(|cause| cause.to_string().contains("(57P03)"));
            if began.elapsed() + pause > if starts { STARTING } else { AWAY } {
                return Err(e);
            }
            debug!(error = %e, "the connection failed, trying again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    async fn raw_client(&self) -> Result<(Client, String)> {
        let (settings, tls) = (self.driver_config(), self.tls.0.clone());
        let (role, plain) = (self.config.user.clone(), self.mode() == SslMode::Disable);
        let limit = self.config.connect_timeout;
        let connecting = self.spawn(tokio::time::timeout(limit, async move {
            // The connection itself is a task of the same runtime: it ends when the client is dropped.
            if plain {
                let (client, connection) = settings.connect(NoTls).await?;
                tokio::spawn(connection);
                return Ok(client);
            }
            let (client, connection) = settings.connect(tls).await?;
            tokio::spawn(connection);
            Ok(client)
        }))?;
        let joined = connecting.await.map_err(|e| Error::internal("connecting panicked").source(e))?;
        let outcome = joined.map_err(|_| {
            Error::new(ErrorKind::Unavailable, "PostgreSQL does not answer")
                .hint("check host and port, that the server runs and that it can be reached")
        });
        let client = outcome.and_then(|c| c.map_err(|e| from_driver(e, &role)));
        client.map(|c| (c, role)).map_err(|e| e.with("destination", self.config.url()))
    }

    /// A socket leads to this machine and has no name to check: as libpq does it, it is never encrypted.
    fn mode(&self) -> SslMode {
        let by_socket = self.config.hosts.iter().all(|(host, _)| host.starts_with('/'));
        if by_socket { SslMode::Disable } else { self.config.ssl_mode }
    }

    fn driver_config(&self) -> tokio_postgres::Config {
        use tokio_postgres::config::{ChannelBinding, SslMode as DriverMode, TargetSessionAttrs};
        let config = &self.config;
        let mut settings = tokio_postgres::Config::new();
        for (host, port) in &config.hosts {
            settings.host(host).port(*port);
        }
        for address in &config.addresses {
            settings.hostaddr(*address);
        }
        settings.dbname(&config.database).user(&config.user).application_name("longshore");
        settings.connect_timeout(config.connect_timeout).keepalives_idle(Duration::from_secs(30));
        settings.ssl_mode(match self.mode() {
            SslMode::Disable => DriverMode::Disable,
            SslMode::Prefer => DriverMode::Prefer,
            _ => DriverMode::Require,
        });
        if let Some(password) = &config.password {
            settings.password(password.expose());
        }
        if let Some(options) = &config.options {
            settings.options(options);
        }
        if config.read_write {
            settings.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        if config.binds_channel {
            settings.channel_binding(ChannelBinding::Require);
        }
        settings
    }

    /// Says what the server's process `pid` does: [`WORKS`], or how far it has come while it waits for us, or nothing.
    async fn look(self: &Arc<Self>, pid: i32) -> Result<String> {
        let sql = format!(
            "SELECT CASE WHEN state = 'active' AND wait_event IS DISTINCT FROM 'ClientRead' THEN '{WORKS}' ELSE coalesce((SELECT bytes_processed::text FROM pg_stat_progress_copy p WHERE p.pid = a.pid), 'waits') END FROM pg_stat_activity a WHERE pid = {pid}"
        );
        let (client, role) = self.raw_client().await?;
        let asked = tokio::time::timeout(PATIENCE, client.simple_query(&sql)).await;
        let rows = asked.map_err(|_| Error::new(ErrorKind::Unavailable, "PostgreSQL does not answer"))?;
        let rows = rows.map_err(|e| from_driver(e, &role))?;
        let found = rows.iter().find_map(|m| if let SimpleQueryMessage::Row(r) = m { r.get(0) } else { None });
        Ok(found.unwrap_or("gone").to_owned())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background(); // waiting is not allowed in a caller's runtime
        }
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) engine: Arc<Engine>,
    role: String,
    /// The server's process.
    pub(crate) pid: i32,
}

impl Session {
    /// Runs statements that give no rows.
    pub(crate) async fn batch(&self, sql: &str) -> Result<()> {
        self.wait(self.client.batch_execute(sql)).await
    }

    /// Runs a statement and returns how many rows it touched.
    pub(crate) async fn execute(&self, sql: &str) -> Result<u64> {
        let messages = self.wait(self.client.simple_query(sql)).await?;
        let touched = messages.iter().filter_map(|m| match m {
            SimpleQueryMessage::CommandComplete(n) => Some(*n),
            _ => None,
        });
        Ok(touched.last().unwrap_or_default())
    }

    /// Runs a query whose values are read as texts.
    pub(crate) async fn rows(&self, sql: &str) -> Result<Vec<SimpleQueryRow>> {
        let messages = self.wait(self.client.simple_query(sql)).await?;
        Ok(messages
            .into_iter()
            .filter_map(|m| if let SimpleQueryMessage::Row(r) = m { Some(r) } else { None })
            .collect())
    }

    /// Runs a query and returns the first value of its first row.
    pub(crate) async fn value(&self, sql: &str) -> Result<Option<String>> {
        Ok(self.rows(sql).await?.first().and_then(|r| r.get(0)).map(str::to_owned))
    }

    /// Runs a query whose answer is yes or no.
    pub(crate) async fn holds(&self, sql: &str) -> Result<bool> {
        Ok(self.value(sql).await?.as_deref() == Some("t"))
    }

    /// Waits for an answer as long as the server works on it. An answer that was lost on its way would never come:
    /// so from time to time another connection looks what the server's process does.
    pub(crate) async fn wait<T>(&self, answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T> {
        let mut answer = std::pin::pin!(answer);
        let mut seen = String::new();
        loop {
            if let Ok(answer) = tokio::time::timeout(PATIENCE, &mut answer).await {
                return answer.map_err(|e| from_driver(e, &self.role));
            }
            let now = match self.engine.look(self.pid).await {
                Ok(now) => now,
                Err(e) if e.kind() == ErrorKind::Unavailable => "unreachable".to_owned(),
                Err(_) => WORKS.to_owned(), // it has no place for another connection, but it is there
            };
            if now != WORKS && now == seen {
                return Err(Error::new(ErrorKind::Unavailable, "PostgreSQL's answer was lost on its way")
                    .hint("check the network, then run the same command again"));
            }
            seen = now;
        }
    }
}
