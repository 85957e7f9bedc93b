//! The server that tests load into, and Google's own client to read back with.

pub(crate) mod bucket;

use longshore_testkit::rows::Rows;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A server and a client.
#[derive(Debug)]
pub(crate) struct Server {
    project: String,
    /// Empty for Google's own.
    pub(crate) endpoint: String,
    /// Where the emulator looks for `gs://` files.
    pub(crate) buckets: PathBuf,
    client: Mutex<Client>,
    _emulator: Option<Emulator>,
}

/// Ends when its standard input is closed, which is when this process ends, however it does.
#[derive(Debug)]
struct Emulator {
    _process: Child,
    _data: tempfile::TempDir,
}

#[derive(Debug)]
struct Client {
    _process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Server {
    /// Starts the emulator, unless the environment names a real project.
    pub(crate) fn start() -> Self {
        let python = python();
        let mut buckets = PathBuf::new();
        let (project, endpoint, emulator) = match std::env::var("LONGSHORE_BIGQUERY_PROJECT") {
            Ok(project) if !project.is_empty() => (project, String::new(), None),
            // One that is there already (scripts/with-local-bigquery), or one of this process's own.
            _ => match std::env::var("LONGSHORE_BIGQUERY_EMULATOR") {
                Ok(endpoint) if !endpoint.is_empty() => {
                    buckets = std::env::var_os("LONGSHORE_BIGQUERY_BUCKETS").expect("set with the emulator").into();
                    ("local".to_owned(), endpoint, None)
                }
                _ => {
                    let (endpoint, emulator) = Emulator::start(&python);
                    buckets = emulator._data.path().join("buckets");
                    ("local".to_owned(), endpoint, Some(emulator))
                }
            },
        };
        let client = Mutex::new(Client::start(&python, &endpoint, &project));
        Server { project, endpoint, buckets, client, _emulator: emulator }
    }

    pub(crate) fn is_real(&self) -> bool {
        self.endpoint.is_empty()
    }

    pub(crate) fn url(&self) -> String {
        match self.is_real() {
            true => format!("bigquery://{}", self.project),
            false => format!("bigquery://{}?endpoint={}", self.project, self.endpoint),
        }
    }

    /// Reads a table; `None` when there is none.
    pub(crate) fn read(&self, dataset: &str, table: &str) -> Option<Rows> {
        let answer = self.ask(&json!({"dataset": dataset, "table": table}));
        let mut answer = answer.as_object()?.clone();
        let mut take = |key: &str| answer.remove(key).unwrap_or_default();
        let columns = serde_json::from_value(take("columns")).expect("column names");
        Some(Rows { columns, rows: serde_json::from_value(take("rows")).expect("rows") })
    }

    /// Returns a table as the API describes it.
    pub(crate) fn describe(&self, dataset: &str, table: &str) -> Value {
        self.ask(&json!({"dataset": dataset, "describe": table}))
    }

    /// Removes a dataset, the second one and those of the staging tables.
    pub(crate) fn remove(&self, dataset: &str) {
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
        let mut command = Command::new(python);
        command.arg(servers().join("read.py")).args([endpoint, project]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python starts");
        let requests = process.stdin.take().expect("stdin is piped");
        let answers = BufReader::new(process.stdout.take().expect("stdout is piped"));
        Client { _process: process, requests, answers }
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

/// Installs the emulator, if it is not there yet.
fn python() -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/get-local-bigquery");
    let output = Command::new(&script).stderr(Stdio::inherit()).output().expect("the script runs");
    assert!(output.status.success(), "{} failed", script.display());
    String::from_utf8(output.stdout).expect("a path").trim().to_owned()
}

/// Reads a request with its body, and asks for the connection to be closed behind the answer.
pub(crate) fn read_request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break end;
        }
        let n = client.read(&mut buffer).ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&buffer[..n]);
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    let length = text.lines().find_map(|l| l.strip_prefix("content-length:")).and_then(|l| l.trim().parse().ok());
    while bytes.len() < head + 4 + length.unwrap_or(0) {
        let n = client.read(&mut buffer).ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&buffer[..n]);
    }
    bytes.splice(head..head, *b"\r\nConnection: close");
    Some(bytes)
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port").port()
}
