//! The BigQuery that tests load into, the emulator or a real project, and Google's own client to read back with.
//!
//! `scripts/get-local-bigquery` installs both. One emulator serves all tests of a command that is run by
//! `scripts/with-local-bigquery`; without that each process starts its own.

use crate::rows::Rows;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A server and a client.
#[derive(Debug)]
pub struct BigQueryServer {
    project: String,
    /// Empty for Google's own.
    pub endpoint: String,
    /// The Python that has Google's client.
    pub python: String,
    /// Where the emulator looks for `gs://` files.
    pub buckets: PathBuf,
    client: Mutex<Client>,
    _emulator: Option<Emulator>,
}

/// Ends when its standard input is closed, which is when this process ends, however it does.
#[derive(Debug)]
struct Emulator {
    _process: Child,
    _data: tempfile::TempDir,
}

/// Google's client, in a process of its own: for all tests (`scripts/with-local-bigquery`) or for this one.
struct Client {
    _process: Option<Child>,
    requests: Box<dyn Write + Send>,
    answers: Box<dyn BufRead + Send>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl BigQueryServer {
    /// Starts the emulator, unless the environment names a real project.
    ///
    /// # Panics
    /// When it cannot be installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        let python = python();
        let mut buckets = PathBuf::new();
        let (project, endpoint, emulator) = match environment("LONGSHORE_BIGQUERY_PROJECT") {
            Some(project) => (project, String::new(), None),
            // One that is there already (scripts/with-local-bigquery), or one of this process's own.
            None => match environment("LONGSHORE_BIGQUERY_EMULATOR") {
                Some(endpoint) => {
                    buckets = environment("LONGSHORE_BIGQUERY_BUCKETS").expect("set with the emulator").into();
                    ("local".to_owned(), endpoint, None)
                }
                None => {
                    let (endpoint, emulator) = Emulator::start(&python);
                    buckets = emulator._data.path().join("buckets");
                    ("local".to_owned(), endpoint, Some(emulator))
                }
            },
        };
        let client = Mutex::new(Client::start(&python, &endpoint, &project));
        BigQueryServer { project, endpoint, python, buckets, client, _emulator: emulator }
    }

    /// True when tests load into a real project.
    pub fn is_real(&self) -> bool {
        self.endpoint.is_empty()
    }

    /// The destination's URL.
    pub fn url(&self) -> String {
        match self.is_real() {
            true => format!("bigquery://{}", self.project),
            false => format!("bigquery://{}?endpoint={}", self.project, self.endpoint),
        }
    }

    /// The folder of the emulator's Python packages, Google's client among them.
    ///
    /// # Panics
    /// When the Python does not start.
    pub fn packages(&self) -> String {
        let script = "import sysconfig; print(sysconfig.get_path('purelib'))";
        let output = Command::new(&self.python).args(["-c", script]).output().expect("Python starts");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Reads a table; `None` when there is none.
    ///
    /// # Panics
    /// When the client fails.
    pub fn read(&self, dataset: &str, table: &str) -> Option<Rows> {
        let answer = self.ask(&json!({"dataset": dataset, "table": table}));
        let mut answer = answer.as_object()?.clone();
        let mut take = |key: &str| answer.remove(key).unwrap_or_default();
        let columns = serde_json::from_value(take("columns")).expect("column names");
        Some(Rows { columns, rows: serde_json::from_value(take("rows")).expect("rows") })
    }

    /// Returns a table as the API describes it.
    pub fn describe(&self, dataset: &str, table: &str) -> Value {
        self.ask(&json!({"dataset": dataset, "describe": table}))
    }

    /// Runs a statement.
    ///
    /// # Panics
    /// When it fails.
    pub fn execute(&self, statement: &str) {
        self.ask(&json!({"execute": statement}));
    }

    /// Removes a dataset, the second one and those of the staging tables.
    ///
    /// # Panics
    /// When the client fails.
    pub fn remove(&self, dataset: &str) {
        for end in ["", "_two", "_staging", "_two_staging"] {
            self.ask(&json!({"remove": format!("{dataset}{end}")}));
        }
    }

    fn ask(&self, request: &Value) -> Value {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = String::new();
        let asked = writeln!(client.requests, "{request}").and_then(|()| client.answers.read_line(&mut line));
        assert!(asked.is_ok_and(|n| n > 0), "the client ended");
        let answer: Value = serde_json::from_str(&line).expect("the client answers with JSON");
        assert!(answer["error"].is_null(), "the client failed: {}", answer["error"]);
        answer
    }
}

impl Client {
    fn start(python: &str, endpoint: &str, project: &str) -> Self {
        if let Some(address) = environment("LONGSHORE_BIGQUERY_READER").filter(|_| !endpoint.is_empty()) {
            let requests = TcpStream::connect(address).expect("the client runs");
            let answers = BufReader::new(requests.try_clone().expect("a second handle"));
            return Client { _process: None, requests: Box::new(requests), answers: Box::new(answers) };
        }
        let mut command = Command::new(python);
        command.arg(servers().join("read.py")).args([endpoint, project]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python starts");
        let requests = Box::new(process.stdin.take().expect("stdin is piped"));
        let answers = Box::new(BufReader::new(process.stdout.take().expect("stdout is piped")));
        Client { _process: Some(process), requests, answers }
    }
}

impl Emulator {
    fn start(python: &str) -> (String, Self) {
        let data = tempfile::tempdir().expect("a temporary folder");
        let (rest, grpc) = (free_port(), free_port());
        let home = Path::new(python).ancestors().nth(2).expect("a virtual environment has folders").join("home");
        let log = std::fs::File::create(data.path().join("log")).expect("a log file");
        let process = Command::new(python)
            .arg(servers().join("start.py"))
            .args(["--host", "127.0.0.1", "--port", &rest.to_string(), "--grpc-port", &grpc.to_string()])
            .args(["--project", "local", "--data-dir"])
            .arg(data.path().join("data"))
            .env("HOME", home)
            .env("GCS_LOCAL_ROOT", data.path().join("buckets"))
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("Python starts");
        let until = Instant::now() + Duration::from_secs(120);
        while TcpStream::connect(("127.0.0.1", rest)).is_err() {
            let log = || std::fs::read_to_string(data.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "the emulator does not start:\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
        (format!("http://127.0.0.1:{rest}"), Emulator { _process: process, _data: data })
    }
}

fn servers() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/servers/bigquery")
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Installs the emulator, if it is not there yet.
fn python() -> String {
    if let Some(python) = environment("LONGSHORE_BIGQUERY_PYTHON") {
        return python;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/get-local-bigquery");
    let output = Command::new(&script).stderr(Stdio::inherit()).output().expect("the script runs");
    assert!(output.status.success(), "{} failed", script.display());
    String::from_utf8(output.stdout).expect("a path").trim().to_owned()
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port").port()
}
