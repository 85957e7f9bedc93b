//! A PostgreSQL server of a test's own: made by `initdb` in a temporary folder, reached by a socket in it and by a free
//! port of this machine, stopped when it is dropped. Tests that need nothing of their own but a database share a server,
//! where the test command started one.
//!
//! Its programs come from `PATH` or from where Debian has them; `scripts/get-postgres` installs them. PostgreSQL refuses
//! to run as root, so for root it runs as the user `postgres` (or `nobody`).

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. Its superuser is `postgres` and needs no password.
#[derive(Debug)]
pub struct PostgresServer {
    folder: PathBuf,
    /// Removes the folder; `None` for a server that somebody else started.
    own: Option<tempfile::TempDir>,
    programs: PathBuf,
    user: Option<String>,
    port: u16,
    process: Option<Child>,
    settings: Vec<String>,
    databases: AtomicU32,
}

impl PostgresServer {
    /// Returns the server that `tests/servers/with_servers.py` started for all tests, or else a new one. It is for databases
    /// of one's own: it is never stopped, and its settings and roles are everybody's.
    ///
    /// # Panics
    /// As [`PostgresServer::start`].
    #[must_use]
    pub fn shared() -> Self {
        let Ok(told) = std::env::var("LONGSHORE_TEST_POSTGRES") else {
            return Self::start(&["max_connections=200"]);
        };
        let (folder, port) = told.rsplit_once(':').expect("LONGSHORE_TEST_POSTGRES is the socket's folder and port");
        PostgresServer {
            folder: PathBuf::from(folder),
            own: None,
            programs: programs().expect("whoever started the server has psql"),
            user: other_user(),
            port: port.parse().expect("the port is a number"),
            process: None,
            settings: Vec::new(),
            databases: AtomicU32::new(0),
        }
    }

    /// Makes and starts a server with further settings, such as `max_connections=20`.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start; the message says what to do.
    #[must_use]
    pub fn start(settings: &[&str]) -> Self {
        let programs = programs().unwrap_or_else(|| {
            panic!("PostgreSQL's initdb is neither in PATH nor in /usr/lib/postgresql: run scripts/get-postgres")
        });
        let folder = tempfile::Builder::new().prefix("pg-").tempdir().expect("a temporary folder can be made");
        let user = other_user();
        if let Some(user) = &user {
            run(Command::new("chown").arg(user).arg(folder.path()));
        }
        let mut server = PostgresServer {
            folder: folder.path().toowned(),
            own: Some(folder),
            programs,
            user,
            port: 0,
            process: None,
            settings: settings.iter().map(|s| (*s).toowned()).collect(),
            databases: AtomicU32::new(0),
        };
        let data = server.data();
        run(server
            .command("initdb")
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(data));
        server.resume();
        server
    }

    /// Starts a server that was stopped or killed, on the same data and port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn resume(&mut self) {
        for _ in 0..5 {
            if self.port == 0 {
                // Free now; should somebody take it before the server does, another is tried.
                let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
                self.port = free.expect("a port is free").port();
            }
            let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder().join("log"));
            let log = log.expect("the log can be written");
            let mut command = self.command("postgres");
            command.arg("-D").arg(self.data()).arg("-k").arg(self.folder()).args(["-p", &self.port.to_string()]);
            for setting in ["fsync=off", "listen_addresses=127.0.0.1"] {
                command.args(["-c", setting]);
            }
            for setting in &self.settings {
                command.args(["-c", setting]);
            }
            command.stdout(Stdio::null()).stderr(log);
            self.process = Some(command.spawn().expect("PostgreSQL starts"));
            if self.wait_until_ready() {
                return;
            }
            self.kill();
            self.port = 0;
        }
        let log = std::fs::read_to_string(self.folder().join("log")).unwrap_or_default();
        panic!("PostgreSQL does not start:\n{log}");
    }

    fn wait_until_ready(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(process) = &mut self.process
                && matches!(process.try_wait(), Ok(Some(_)))
            {
                return false;
            }
            if self.try_psql("postgres", "SELECT 1").status.success() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        false
    }

    /// Kills the server as a power cut would.
    pub fn kill(&mut self) {
        // The first line of this file is the server itself, whatever it was started through.
        let pid = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        if let Some(pid) = pid.lines().next() {
            let _ = Command::new("kill").args(["-QUIT", pid.trim()]).output(); // it may be gone already
        }
        if let Some(mut process) = self.process.take() {
            let deadline = Instant::now() + Duration::from_secs(10);
            while matches!(process.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ = process.kill(); // the same
            let _ = process.wait();
        }
    }

    /// The folder of the server's socket, certificates, log and data.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The port, on 127.0.0.1 and in the socket's name.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Writes a file that the server may read and nobody else, such as a key.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write_file(&self, name: &str, content: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.folder().join(name);
        std::fs::write(&path, content).expect("a file can be written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("rights can be set");
        if let Some(user) = &self.user {
            run(Command::new("chown").arg(user).arg(&path));
        }
        path
    }

    /// Makes an empty database and returns its name.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new_database(&self) -> String {
        let name = format!("test_{}_{}", std::process::id(), self.databases.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// Removes a database, with whoever is connected to it.
    ///
    /// # Panics
    /// When it cannot be removed.
    pub fn drop_database(&self, name: &str) {
        self.psql("postgres", &format!("DROP DATABASE {name} WITH (FORCE)"));
    }

    /// Returns the URL of a database, by TCP.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// Returns the URL of a database, by the socket.
    #[must_use]
    pub fn socket_url(&self, database: &str) -> String {
        let folder = self.folder().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{folder}:{}/{database}", self.port)
    }

    /// Runs SQL with psql, another client than ours, and returns what it prints: a line a row, `|` between values.
    ///
    /// # Panics
    /// When psql fails, with its message.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let output = self.try_psql(database, sql);
        assert!(output.status.success(), "psql: {}\n{sql}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').toowned()
    }

    /// [`PostgresServer::psql`] with any outcome. The SQL goes through its standard input.
    ///
    /// # Panics
    /// When there is no psql.
    pub fn try_psql(&self, database: &str, sql: &str) -> Output {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database, "-f", "-"]);
        command.arg("-h").arg(self.folder()).args(["-p", &self.port.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("psql starts");
        let mut stdin = child.stdin.take().expect("its input is a pipe");
        let _ = stdin.write_all(sql.as_bytes()); // psql ends early where it cannot connect
        drop(stdin);
        child.wait_with_output().expect("psql ends")
    }

    /// A program of PostgreSQL's, as the user the server runs as.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = match &self.user {
            None => Command::new(program),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", user, "--regid", user, "--clear-groups"]).arg(program);
                command
            }
        };
        command.current_dir(self.folder()).env("LC_ALL", "C").env_remove("PGOPTIONS");
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if self.own.is_some() {
            self.kill();
        }
    }
}

/// The folder with `initdb`, `postgres` and `psql`.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    debian.sort();
    folders.extend(debian.into_iter().rev());
    folders.into_iter().find(|f| ["initdb", "postgres", "psql"].iter().all(|program| f.join(program).is_file()))
}

/// Whom the server runs as when we are root.
fn other_user() -> Option<String> {
    let id = |args: &[&str]| Command::new("id").args(args).output().ok().filter(|o| o.status.success());
    let own = id(&["-u"])?;
    if String::from_utf8_lossy(&own.stdout).trim() != "0" {
        return None;
    }
    let user = if id(&["-u", "postgres"]).is_some() { "postgres" } else { "nobody" };
    Some(user.toowned())
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
