//! One dataset that Longshore and dlt share. dlt runs on a machine that knows nothing each time
//! (`tests/interop/dlt_side.py`), and so does Longshore: a new working folder for each load.

use crate::client::python;
use crate::lab::{Lab, Output};
use serde_json::{Value, json};
use std::cell::Cell;
use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, Stdio};

/// The pipeline's name, for both.
pub const PIPELINE: &str = "shop_pipeline";
/// The dataset's name, for both.
pub const DATASET: &str = "shop_data";

/// One dataset in one destination.
#[derive(Debug)]
pub struct Shared {
    /// The folder of the test.
    pub lab: Lab,
    /// The place, for both.
    pub url: String,
    /// What follows it for Longshore: `?key=value`.
    pub settings: String,
    /// A folder of packages that dlt needs there.
    pub packages: Option<OsString>,
    loads: Cell<u32>,
}

impl Shared {
    /// Returns the dataset at a place.
    pub fn new(lab: Lab, url: String) -> Self {
        Shared { lab, url, settings: String::new(), packages: None, loads: Cell::new(0) }
    }

    /// Returns the place as Longshore is told it.
    pub fn destination(&self) -> String {
        format!("{}{}", self.url, self.settings)
    }

    /// Loads records with Longshore, on a machine that knows nothing.
    ///
    /// # Panics
    /// When that fails.
    pub fn ours(&self, records: &str, more: &[&str]) {
        let output = self.try_ours(records, more);
        assert_eq!(output.status, Some(0), "{output:#?}");
    }

    /// Tries to.
    pub fn try_ours(&self, records: &str, more: &[&str]) -> Output {
        let input = self.lab.write("in.ndjson", records);
        let destination = self.destination();
        let mut args = vec!["load", input.to_str().expect("a path"), "--table", "orders", "--system-columns", "dlt"];
        args.extend(["--pipeline", PIPELINE, "--dataset", DATASET, "--destination", &destination]);
        self.output(&[&args, more].concat())
    }

    /// Runs the binary, on a machine that knows nothing.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, args: &[&str]) {
        let output = self.output(args);
        assert_eq!(output.status, Some(0), "{output:#?}");
    }

    /// Tries to.
    pub fn output(&self, args: &[&str]) -> Output {
        self.loads.set(self.loads.get() + 1);
        let mut command = self.lab.command(args);
        command.env("LONGSHORE_DATA_DIR", self.lab.path(&format!("machine-{}", self.loads.get())));
        command.env_remove("LONGSHORE_DESTINATION");
        Output::of(command)
    }

    /// Runs a job of dlt's side.
    ///
    /// # Panics
    /// When dlt fails.
    pub fn dlt(&self, mut job: Value) -> Value {
        job["pipeline"] = PIPELINE.into();
        job["url"] = self.url.as_str().into();
        job["dataset"] = DATASET.into();
        if job["read"].is_null() {
            job["read"] = json!({ "orders": ["id", "v"], "orders__lines": ["n"] });
        }
        let mut command = Command::new(python());
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/interop/dlt_side.py")).current_dir(self.lab.path("."));
        command.env("RUNTIME__DLTHUB_TELEMETRY", "false").env("TZ", "UTC").env("RUNTIME__LOG_LEVEL", "ERROR");
        if let Some(packages) = &self.packages {
            command.env("LONGSHORE_TEST_PACKAGES", packages);
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("Python starts");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        stdin.write_all(job.to_string().as_bytes()).expect("the job can be given");
        drop(stdin);
        let output = child.wait_with_output().expect("Python ends");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let last = text.lines().last().unwrap_or_default();
        serde_json::from_str(last)
            .unwrap_or_else(|e| panic!("{e}: {text}\n{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Loads records with dlt, written by that disposition.
    pub fn dlt_loads(&self, records: Value, disposition: Value) -> Value {
        let mut job = json!({ "table": "orders", "records": records });
        if disposition == "merge" {
            job["primary_key"] = "id".into();
        }
        job["disposition"] = disposition;
        self.dlt(job)
    }
}
