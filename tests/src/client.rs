//! DuckDB as others read it: Python's own package, in one process that answers for all queries.

use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Returns the Python to use.
///
/// # Panics
/// When the environment names none.
pub fn python() -> OsString {
    std::env::var_os("LONGSHORE_PYTHON").expect(
        "LONGSHORE_PYTHON must name a Python with tests/differential/requirements.txt: run the tests with scripts/test",
    )
}

struct Client {
    // Ends when its stdin is closed, which is when this process ends.
    _process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

static CLIENT: Mutex<Option<Client>> = Mutex::new(None);

impl Client {
    fn start() -> Self {
        let python = python();
        let mut command = Command::new(&python);
        command.args(["-c", include_str!("client.py")]).env("TZ", "UTC").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {}: {e}; run the tests with scripts/test", python.display()));
        let requests = process.stdin.take().expect("stdin is piped");
        let answers = BufReader::new(process.stdout.take().expect("stdout is piped"));
        Client { _process: process, requests, answers }
    }

    fn ask(&mut self, request: &Value) -> Value {
        let mut line = String::new();
        let asked = writeln!(self.requests, "{request}").and_then(|()| self.answers.read_line(&mut line));
        assert!(
            asked.is_ok_and(|n| n > 0),
            "Python ended: does LONGSHORE_PYTHON have duckdb? Run the tests with scripts/test"
        );
        serde_json::from_str(&line).expect("the client answers with JSON")
    }
}

/// Runs a query on a database file and returns its rows, or the error's text. Bytes come as
/// hexadecimal text; times, dates and decimals as Python spells them.
pub fn try_rows(file: &Path, dataset: Option<&str>, sql: &str) -> Result<Vec<Vec<Value>>, String> {
    let mut client = CLIENT.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = client.get_or_insert_with(Client::start).ask(&json!({ "file": file, "dataset": dataset, "sql": sql }));
    match (answer["error"].as_str(), serde_json::from_value(answer["rows"].clone())) {
        (None, Ok(rows)) => Ok(rows),
        (error, _) => Err(error.unwrap_or("no rows in the answer").to_owned()),
    }
}

/// Runs a query on a dataset and returns its rows.
///
/// # Panics
/// When it fails.
pub fn rows_in(file: &Path, dataset: &str, sql: &str) -> Vec<Vec<Value>> {
    try_rows(file, Some(dataset), sql).unwrap_or_else(|e| panic!("{sql}\non {}: {e}", file.display()))
}

/// Runs a query on the dataset that a load without `--dataset` makes.
///
/// # Panics
/// When it fails.
pub fn rows(file: &Path, sql: &str) -> Vec<Vec<Value>> {
    rows_in(file, "longshore_dataset", sql)
}

/// Runs statements on a database file, which is made where it is missing.
///
/// # Panics
/// When one fails.
pub fn execute(file: &Path, statements: &[&str]) {
    let script = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); [c.execute(s) for s in sys.argv[2:]]";
    let mut command = Command::new(python());
    let output = command.args(["-c", script]).arg(file).args(statements).output().expect("Python can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A database file that another process has open for writing, until this is dropped.
#[derive(Debug)]
pub struct Held(Child);

/// Lets Python open a database file and keep it.
///
/// # Panics
/// When it cannot.
pub fn hold(file: &Path) -> Held {
    let script =
        "import duckdb, sys\nwith duckdb.connect(sys.argv[1]):\n    print('open', flush=True)\n    sys.stdin.read()";
    let mut command = Command::new(python());
    command.args(["-c", script]).arg(file).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = command.spawn().expect("Python starts");
    let mut line = String::new();
    let answers = process.stdout.take().expect("stdout is piped");
    BufReader::new(answers).read_line(&mut line).expect("Python says when the file is open");
    assert_eq!(line, "open\n", "Python opens {}", file.display());
    Held(process)
}

impl Held {
    /// Returns the id of the process that has the file.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait(); // it ends when its stdin does
    }
}
