//! dlt's own files and variables, read unchanged: dlt resolves the same, and both must agree.

#![allow(clippy::unwrap_used)] // helpers of tests panic as tests do

mod common;

use common::Folder;
use serde_json::{Value, json};
use std::process::Command;

/// Resolves the credentials of the postgres destination for the pipeline `chess` in the current folder.
const RESOLVE: &str = r#"
import json, os
os.geteuid = lambda: 1000  # root has another home folder for settings
from dlt.common.configuration.resolve import resolve_configuration, inject_section
from dlt.common.configuration.specs.config_section_context import ConfigSectionContext
from dlt.destinations.impl.postgres.configuration import PostgresClientConfiguration
with inject_section(ConfigSectionContext(pipeline_name="chess", sections=())):
    bound = PostgresClientConfiguration()._bind_dataset_name(dataset_name="x")
    k = resolve_configuration(bound, sections=("destination", "postgres")).credentials
print(json.dumps({"database": k.database, "username": k.username, "password": k.password, "host": k.host, "port": k.port}))
"#;

fn by_dlt(folder: &Folder, environment: &[(&str, &str)]) -> Value {
    std::fs::create_dir_all(folder.home()).unwrap();
    let python = std::env::var_os("LONGSHORE_PYTHON").expect("LONGSHORE_PYTHON: run the tests with scripts/test");
    let mut command = Command::new(&python);
    command.args(["-c", RESOLVE]).current_dir(folder.project_dir()).env("HOME", folder.home());
    command.env_remove("XDG_DATA_HOME").env("RUNTIME__DLTHUB_TELEMETRY", "false").envs(environment.iter().copied());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The same of what a destination would be opened with.
fn by_us(folder: &Folder) -> Value {
    let target = folder.open().unwrap().destination("postgres", &["postgres"]).unwrap();
    let mut all = json!({"port": 5432});
    for (key, value) in target.settings.get("credentials").and_then(Value::as_object).into_iter().flatten() {
        all[key] = value.clone();
    }
    if let Ok(url) = reqwest::Url::parse(&target.url) {
        all["host"] = url.host_str().into();
        all["port"] = url.port().unwrap_or(5432).into();
        all["username"] = url.username().into();
        all["password"] = url.password().into();
        all["database"] = url.path().trim_start_matches('/').into();
    }
    all
}

#[test]
fn credentials_are_those_that_dlt_finds() {
    let name = "[pipeline]\nname = \"chess\"\n";
    let secrets =
        "[destination.postgres.credentials]\npassword = \"p\"\nusername = \"u\"\ndatabase = \"d\"\nhost = \"h\"\n";
    let with_pipeline = format!("{secrets}[chess.destination.credentials]\ndatabase = \"d2\"\n");
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [(&'a str, &'a str)]);
    let cases: [Case<'_>; 4] = [
        (
            "sections are shortened, and the pipeline's own come first",
            &[(".dlt/secrets.toml", &with_pipeline)],
            &[("CHESS__CREDENTIALS__PASSWORD", "p2"), ("DESTINATION__CREDENTIALS__PORT", "77"), ("HOST", "no")],
        ),
        (
            "a whole URL, which wins over its parts",
            &[],
            &[
                ("DESTINATION__POSTGRES__CREDENTIALS", "postgresql://a:b@c:77/dd"),
                ("DESTINATION__POSTGRES__CREDENTIALS__PASSWORD", "b2"),
            ],
        ),
        (
            "a URL in secrets.toml",
            &[(".dlt/secrets.toml", "destination.postgres.credentials = \"postgresql://a:b@c/dd\"\n")],
            &[],
        ),
        (
            "the home folder, where the project says nothing",
            &[
                ("home/.dlt/secrets.toml", secrets),
                (".dlt/secrets.toml", "[destination.postgres.credentials]\npassword = \"of the project\"\n"),
            ],
            &[("DESTINATION__POSTGRES__CREDENTIALS__USERNAME", "of the environment")],
        ),
    ];
    std::thread::scope(|scope| {
        for (what, files, environment) in cases {
            scope.spawn(move || {
                let mut folder = Folder::new().with("longshore.toml", name);
                folder = files.iter().fold(folder, |f, (file, text)| f.with(file, text));
                folder = environment.iter().fold(folder, |f, (k, v)| f.env(k, v));
                assert_eq!(by_us(&folder), by_dlt(&folder, environment), "{what}");
            });
        }
    });
}

#[test]
fn named_destinations_and_keys_of_no_meaning_here() {
    let folder = Folder::new().with(
        ".dlt/config.toml",
        "[destination.warehouse]\ndestination_type = \"postgres\"\ncreate_indexes = false\n[destination.warehouse.credentials]\nhost = \"h\"\n[runtime]\nlog_level = \"INFO\"\n",
    );
    let target = folder.open().unwrap().destination("warehouse", &["postgres"]).unwrap();
    assert_eq!((target.url.as_str(), json!(target.settings)), ("postgres", json!({"credentials": {"host": "h"}})));
}

#[test]
fn duckdb_and_buckets() {
    let folder = Folder::new().with(
        ".dlt/secrets.toml",
        "[destination.duckdb]\ncredentials = \"shop.duckdb\"\n[destination.filesystem]\nbucket_url = \"s3://b/x\"\n[destination.filesystem.credentials]\naws_access_key_id = \"k\"\n",
    );
    let project = folder.open().unwrap();
    let kinds = ["duckdb", "filesystem"];
    assert_eq!(project.destination("duckdb", &kinds).unwrap().url, "duckdb:shop.duckdb");
    let bucket = project.destination("filesystem", &kinds).unwrap();
    assert_eq!(
        (bucket.url.as_str(), json!(bucket.settings)),
        ("s3://b/x", json!({"credentials": {"aws_access_key_id": "k"}}))
    );
}

#[test]
fn bigquerys_credentials_come_as_a_file_in_base64_or_as_whoever_is_logged_in() {
    for given in ["/keys/key.json", "eyJ0eXBlIjoi", "default", "{bad", ""] {
        let by_file = format!("[destinations.w]\ntype = \"bigquery\"\nproject_id = \"p\"\ncredentials = '{given}'\n");
        let folder = Folder::new()
            .with("longshore.toml", &by_file)
            .env("DESTINATION__BIGQUERY__CREDENTIALS", given)
            .env("DESTINATION__BIGQUERY__PROJECT_ID", "p");
        let project = folder.open().unwrap();
        for word in ["w", "bigquery"] {
            let target = project.destination(word, &["bigquery"]).unwrap();
            assert_eq!(target.url, "bigquery", "{word} {given}");
            // An empty variable says nothing.
            let said = if word == "bigquery" && given.is_empty() {
                json!({"project_id": "p"})
            } else {
                json!({"project_id": "p", "credentials": given})
            };
            assert_eq!(json!(target.settings), said, "{word} {given}");
        }
    }
}

#[test]
fn credentials_that_are_no_url_are_not_shown() {
    let text = "[destinations.w]\ntype = \"postgres\"\ncredentials = \"hush\"\n";
    let folder = Folder::new().with("longshore.toml", text).env("DESTINATION__POSTGRES__CREDENTIALS", "hush/hush");
    let project = folder.open().unwrap();
    for (word, place) in [("w", "longshore.toml:3"), ("postgres", "DESTINATION__POSTGRES__CREDENTIALS")] {
        let problems = project.destination(word, &["postgres"]).unwrap_err().to_string();
        assert!(problems.contains(place) && problems.contains("neither a URL"), "{problems}");
        assert!(!problems.contains("hush"), "{problems}");
    }
}
