//! One test's folder, and the binary run in it.

use crate::client;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A folder with a working folder and a database file, gone at the end of the test.
#[derive(Debug)]
pub struct Lab {
    folder: TempDir,
}

/// What a run of the binary came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit status; `None` when it was killed.
    pub status: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said beside.
    pub stderr: String,
}

/// Returns the binary under test.
///
/// # Panics
/// When it is not there.
pub fn binary() -> PathBuf {
    let beside = || {
        let executable = std::env::current_exe().expect("a test knows its executable");
        // target/<profile>/deps/<test>
        executable.ancestors().nth(2).expect("it stands in a target folder").join("longshore")
    };
    let path = std::env::var_os("LONGSHORE_BIN").map_or_else(beside, PathBuf::from);
    assert!(
        path.is_file(),
        "there is no binary at {}: build it first, or run the tests with scripts/test",
        path.display()
    );
    std::path::absolute(path).expect("the current folder exists")
}

impl Lab {
    /// Makes the folder.
    ///
    /// # Panics
    /// When it cannot be made.
    #[allow(clippy::new_without_default)] // it touches the disk
    pub fn new() -> Self {
        Lab { folder: TempDir::with_prefix("longshore-test-").expect("a temporary folder can be made") }
    }

    /// Returns the path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file (and its folders) and returns its path.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        let folder = path.parent().expect("a file in the folder");
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, content))
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        path
    }

    /// The database file that loads go to, unless the arguments say otherwise.
    pub fn database(&self) -> PathBuf {
        self.path("load.duckdb")
    }

    /// The working folder.
    pub fn data_dir(&self) -> PathBuf {
        self.path("data")
    }

    /// Prepares the binary, in the folder, with nothing of the caller's settings.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        self.set_up(&mut command);
        command.args(args);
        command
    }

    /// The same through another program: `through` and its arguments come first.
    ///
    /// # Panics
    /// When `through` is empty.
    pub fn command_through(&self, through: &[&str], args: &[&str]) -> Command {
        let (program, own) = through.split_first().expect("a program");
        let mut command = Command::new(program);
        self.set_up(&mut command);
        command.args(own).arg(binary()).args(args);
        command
    }

    fn set_up(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LONGSHORE_") || name == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        command.current_dir(self.folder.path());
        command.env("LONGSHORE_DATA_DIR", self.data_dir());
        command.env("LONGSHORE_DESTINATION", format!("duckdb://{}", self.database().display()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }

    /// Runs the binary to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        Output::of(self.command(args))
    }

    /// Runs the binary with something on its stdin.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run_with(&self, args: &[&str], stdin: &[u8]) -> Output {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().expect("the binary starts");
        let mut pipe = child.stdin.take().expect("stdin is piped");
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let _ = pipe.write_all(stdin); // a run that failed does not read all
            });
            Output::from(child.wait_with_output().expect("the binary ends"))
        })
    }

    /// Loads with `--json`, which must succeed, and returns the report.
    ///
    /// # Panics
    /// When it does not.
    pub fn load(&self, args: &[&str]) -> Value {
        let args: Vec<&str> = ["load", "--json"].iter().chain(args).copied().collect();
        let output = self.run(&args);
        assert_eq!(output.status, Some(0), "{args:?}: {output:#?}");
        output.json()
    }

    /// Queries the database through the other client.
    pub fn rows(&self, sql: &str) -> Vec<Vec<Value>> {
        client::rows(&self.database(), sql)
    }

    /// Tables of the dataset with their row counts, but for the loader's own; sorted.
    pub fn tables(&self) -> Vec<(String, u64)> {
        let names =
            self.rows("SELECT table_name FROM duckdb_tables() WHERE NOT starts_with(table_name, '_') ORDER BY 1");
        names.iter().filter_map(|row| row[0].as_str()).map(|name| (name.to_owned(), self.count(name))).collect()
    }

    /// Counts a table's rows.
    ///
    /// # Panics
    /// When there is no such table.
    pub fn count(&self, table: &str) -> u64 {
        self.rows(&format!("SELECT count(*) FROM \"{table}\""))[0][0].as_u64().expect("a count")
    }

    /// Column names of a table, in order.
    pub fn columns(&self, table: &str) -> Vec<String> {
        let sql =
            format!("SELECT column_name FROM duckdb_columns() WHERE table_name = '{table}' ORDER BY column_index");
        self.rows(&sql).iter().filter_map(|row| row[0].as_str().map(str::to_owned)).collect()
    }

    /// Column names and types of a table, in order.
    pub fn column_types(&self, table: &str) -> Vec<String> {
        let sql = format!(
            "SELECT column_name || ' ' || data_type FROM duckdb_columns() WHERE table_name = '{table}' ORDER BY column_index"
        );
        self.rows(&sql).iter().filter_map(|row| row[0].as_str().map(str::to_owned)).collect()
    }

    /// Asserts that not a single table is in the database, and that no package waits or is half made.
    ///
    /// # Panics
    /// When something is.
    pub fn assert_nothing_loaded(&self) {
        if self.database().exists() {
            let tables =
                client::try_rows(&self.database(), None, "SELECT schema_name, table_name FROM duckdb_tables()");
            assert_eq!(tables, Ok(Vec::new()), "tables of a load that failed");
        }
        assert_eq!(self.packages(), Vec::<String>::new(), "packages of a load that failed");
    }

    /// File names of packages that wait or are being made.
    pub fn packages(&self) -> Vec<String> {
        names(&self.data_dir().join("pipelines/longshore/packages"))
    }
}

/// Names in a folder, sorted; none when it is not there.
fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries.filter_map(|e| e.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    names
}

impl Output {
    /// Runs a prepared command to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn of(mut command: Command) -> Self {
        let output = command.output();
        output
            .unwrap_or_else(|e| {
                panic!("{} does not start: {e}; run the tests with scripts/test", command.get_program().display())
            })
            .into()
    }

    /// Returns the one JSON document on stdout.
    ///
    /// # Panics
    /// When there is something else.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("stdout is not one JSON document: {e}\n{self:#?}"))
    }
}

impl From<std::process::Output> for Output {
    fn from(output: std::process::Output) -> Self {
        Output {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Reads JSON documents, one a line.
///
/// # Panics
/// When a line is none.
pub fn documents(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}
