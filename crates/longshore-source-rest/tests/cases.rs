//! dlt's behaviour as a table of cases (tests/differential/rest_api_cases.json): configurations, and answers with the
//! requests they lead to. Longshore has to do what the table says, and so has dlt, but where the table says why it does not.

#![allow(clippy::unwrap_used)] // helpers of tests panic as tests do

mod common;

use common::{Answer, How, Server, run};
use longshore_source_rest::RestConfig;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

fn table() -> Value {
    let text = std::fs::read(differential("rest_api_cases.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn differential(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/differential").join(file)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A whole configuration of the part that a case gives.
fn whole(case: &Value) -> Value {
    if !case["config"].is_null() {
        return case["config"].clone();
    }
    let mut whole = json!({ "client": { "base_url": "https://api.example.com" }, "resources": ["r"] });
    for (key, value) in case["client"].as_object().into_iter().flatten() {
        whole["client"][key] = value.clone();
    }
    for (key, value) in case.as_object().unwrap() {
        match key.as_str() {
            "auth" => whole["client"]["auth"] = value.clone(),
            "resources" => whole["resources"] = value.clone(),
            "endpoint" => whole["resources"] = json!([{ "name": "r", "endpoint": value }]),
            "paginator" => whole["resources"] = json!([{ "name": "r", "endpoint": { "paginator": value } }]),
            "resource" => {
                let mut resource = value.clone();
                resource["name"] = "r".into();
                whole["resources"] = json!([resource]);
            }
            _ => {}
        }
    }
    whole
}

#[test]
fn configurations() {
    let table = table();
    let cases = list(&table["configurations"]);
    assert!(cases.len() >= 60, "{}", cases.len());
    let mut wrong = Vec::new();
    let schema = RestConfig::json_schema();
    for case in cases {
        let in_editor = longshore_source_rest::check(&schema, &whole(case), "");
        if case["ours"] == "valid" && case["old"].is_null() && !in_editor.is_empty() {
            wrong.push(format!("{}: the schema for editors refuses it: {}", case["name"], in_editor[0]));
        }
        let problems = RestConfig::from_value(&whole(case)).err().unwrap_or_default();
        let found = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let expected = case["ours"].as_str().unwrap();
        let fits = if expected == "valid" { found.is_empty() } else { found.contains(expected) };
        if !fits {
            wrong.push(format!("{}: expected {expected}, found {found}", case["name"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A server that gives a case's pages in their order, and the requests it had.
fn serve(case: &Value) -> (Server, Arc<Mutex<Vec<String>>>) {
    let pages = list(&case["pages"]).to_vec();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let url: Arc<std::sync::OnceLock<String>> = Arc::default();
    let (log, known) = (Arc::clone(&asked), Arc::clone(&url));
    let server = Server::start(move |request| {
        let mut log = log.lock().unwrap();
        let page = pages.get(log.len()).cloned().unwrap_or_else(|| json!({ "status": 418, "body": {} }));
        let query = if request.raw_query.is_empty() { String::new() } else { format!("?{}", request.raw_query) };
        log.push(format!("{}{query}", request.path));
        let put_in = |text: String| text.replace("{url}", known.get().map_or("", String::as_str));
        let status = page["status"].as_u64().unwrap_or(200) as u16;
        let body = if status == 204 { Vec::new() } else { put_in(page["body"].to_string()).into_bytes() };
        let mut answer = Answer { status, body, ..Answer::default() };
        for (name, value) in page["headers"].as_object().into_iter().flatten() {
            answer = answer.header(name, put_in(value.as_str().unwrap_or_default().to_owned()));
        }
        answer
    });
    let _ = url.set(server.url.clone());
    (server, asked)
}

/// What Longshore makes of a case, in the words of the table.
fn play(case: &Value) -> Value {
    let (server, asked) = serve(case);
    let endpoint = if case["endpoint"].is_null() { json!({}) } else { case["endpoint"].clone() };
    let config = json!({ "client": { "base_url": server.url }, "resources": [{ "name": "r", "endpoint": endpoint }] });
    let done = run(&config, &How::default());
    let requests = asked.lock().unwrap().clone();
    match done {
        Ok(loaded) => {
            let id = |record: &Value| if record.is_object() { record["id"].clone() } else { record.clone() };
            json!({ "requests": requests, "records": loaded.of("r").iter().map(id).collect::<Vec<_>>() })
        }
        Err(error) => json!({ "requests": requests, "error": error.to_string() }),
    }
}

/// Whether something did what the table says of a case.
fn fits(case: &Value, done: &Value, message: bool) -> bool {
    let ends = match (case["error"].as_str(), done["error"].as_str()) {
        (Some(expected), Some(found)) => !message || found.contains(expected),
        (None, None) => case["records"] == done["records"],
        _ => false,
    };
    ends && case["requests"] == done["requests"]
}

#[test]
fn sequences() {
    let table = table();
    let cases = list(&table["sequences"]);
    let of_detector = cases.iter().filter(|c| c["endpoint"]["paginator"].is_null()).count();
    assert!(of_detector >= 25 && cases.len() - of_detector >= 25, "{of_detector} of {}", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let done = play(case);
        if !fits(case, &done, true) {
            wrong.push(format!("{}: {done}", case["name"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Needs a Python with dlt, by LONGSHORE_PYTHON: scripts/test has one.
#[test]
fn dlt_does_the_same_but_where_the_table_says_why() {
    let python = std::env::var("LONGSHORE_PYTHON").expect("LONGSHORE_PYTHON is not set: run scripts/test");
    let mut command = Command::new(python);
    command.arg(differential("rest_api_cases_by_dlt.py")).env("RUNTIME__DLTHUB_TELEMETRY", "false");
    let folder = tempfile::tempdir().unwrap();
    let output = command.current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let by_dlt: Value = serde_json::from_slice(&output.stdout).unwrap();
    let table = table();
    let mut wrong = Vec::new();
    for (case, found) in list(&table["configurations"]).iter().zip(list(&by_dlt["configurations"])) {
        let ours = if case["ours"] == "valid" { "valid" } else { "refused" };
        if *found != *case["dlt"].as_str().unwrap_or(ours) {
            wrong.push(format!("{}: {found}", case["name"]));
        }
    }
    for (case, found) in list(&table["sequences"]).iter().zip(list(&by_dlt["sequences"])) {
        if fits(case, found, false) != case["dlt"].is_null() {
            wrong.push(format!("{}: {found}", case["name"]));
        }
    }
    assert_eq!(list(&by_dlt["sequences"]).len(), list(&table["sequences"]).len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
