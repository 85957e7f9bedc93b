//! `longshore init`: writes a project to begin with. Nothing that is there is written over, unless told to.

mod openapi;

use crate::args::InitArgs;
use crate::say::say;
use longshore_core::error::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const SOURCES: [&str; 4] = ["files", "rest_api", "referral_hero", "openapi"];
const IGNORE: &str = "# secrets and what a run leaves\nsecrets.toml\n*.duckdb\n*.duckdb.wal\n";

/// A project's files by name.
struct Files(Vec<(&'static str, String)>);

pub(crate) fn run(args: &InitArgs) -> Result<ExitCode> {
    let openapi = args.source == "openapi";
    let spec = args.destination.as_deref().filter(|_| openapi);
    let (destination, dir) = if openapi { (&args.third, &args.fourth) } else { (&args.destination, &args.third) };
    let destination = destination.as_deref().unwrap_or("duckdb");
    let dir = PathBuf::from(dir.as_deref().unwrap_or("."));
    if !openapi && args.fourth.is_some() {
        return Err(Error::config("there is one folder too many"));
    }
    // What is misspelt is found out before anything is written, the first word first.
    if !SOURCES.contains(&args.source.as_str()) {
        let near = longshore_core::misspelt::suggest(&args.source, SOURCES);
        return Err(Error::config(format!("there is no source '{}' to begin with", args.source))
            .hint(near.unwrap_or_else(|| format!("there are: {}", SOURCES.join(", ")))));
    }
    let kind = longshore_destinations::kind(destination)?.name;
    let mut project = match args.source.as_str() {
        "files" => files(),
        "rest_api" => rest_api(),
        "referral_hero" => referral_hero(),
        _ => {
            let spec = spec.ok_or_else(|| {
                Error::config("the OpenAPI document is missing").hint("longshore init openapi openapi.yaml duckdb")
            })?;
            openapi::project(Path::new(spec))?
        }
    };
    project.0.push((".gitignore", IGNORE.to_owned()));
    into(&mut project, kind, destination);
    write(&dir, &project, args.force)?;
    for (name, _) in &project.0 {
        say!("wrote {}", shown(&dir.join(name)));
    }
    let at = if dir == Path::new(".") { String::new() } else { format!(" {}", for_shells(&dir.display().to_string())) };
    let open = open(&project, &dir).into_iter().chain(needs(destination).and_then(|n| n.open).map(str::to_owned));
    open.for_each(|open| say!("fill in: {open}"));
    say!("next: longshore check{at}, then longshore run{at}");
    Ok(ExitCode::SUCCESS)
}

fn files() -> Files {
    Files(vec![
        ("longshore.toml", include_str!("../../templates/files.toml").to_owned()),
        ("data/orders.ndjson", include_str!("../../templates/orders.ndjson").to_owned()),
        ("secrets.toml", secrets("")),
    ])
}

fn rest_api() -> Files {
    Files(vec![
        ("longshore.toml", include_str!("../../templates/rest_api.toml").to_owned()),
        ("secrets.toml", secrets("# [sources.rest_api_source]\n# api_token = \"fill in\"\n")),
    ])
}

fn referral_hero() -> Files {
    Files(vec![
        ("longshore.toml", include_str!("../../../../examples/referral_hero/longshore.toml").to_owned()),
        ("secrets.toml", secrets("[sources.referral_hero_source]\napi_token = \"fill in\"\n")),
    ])
}

/// The secrets that are to be filled in before the first run; until then `check` says that they are missing.
fn open(project: &Files, dir: &Path) -> Option<String> {
    let (name, content) = project.0.iter().find(|(name, _)| *name == "secrets.toml")?;
    let keys = content.lines().filter(|line| !line.starts_with('#')).filter_map(|l| l.strip_suffix(" = \"fill in\""));
    let keys: Vec<&str> = keys.collect();
    (!keys.is_empty()).then(|| format!("{} in {}", keys.join(", "), shown(&dir.join(name))))
}

/// A `secrets.toml` with what is to be filled in.
fn secrets(content: &str) -> String {
    format!("# Secrets of this project. Keep it out of version control; .gitignore names it.\n{content}")
}

/// What a kind of destination needs beside its name.
struct Needs {
    /// Settings for `longshore.toml`.
    settings: &'static str,
    /// Keys for `secrets.toml`.
    secrets: &'static str,
    /// What is to be looked at before the first run.
    open: Option<&'static str>,
}

fn needs(kind: &str) -> Option<Needs> {
    let needs = match kind {
        "filesystem" => Needs {
            settings: include_str!("../../templates/to/filesystem.toml"),
            secrets: include_str!("../../templates/to/filesystem.secrets.toml"),
            open: None,
        },
        "bigquery" => Needs {
            settings: include_str!("../../templates/to/bigquery.toml"),
            secrets: include_str!("../../templates/to/bigquery.secrets.toml"),
            open: Some("project_id of [destinations.bigquery]"),
        },
        "postgres" => Needs {
            settings: include_str!("../../templates/to/postgres.toml"),
            secrets: include_str!("../../templates/to/postgres.secrets.toml"),
            open: Some("host, database and username of [destinations.postgres], and the password"),
        },
        _ => return None, // a URL says all
    };
    Some(needs)
}

/// Names another destination in place of DuckDB, with the keys to fill in.
fn into(project: &mut Files, kind: &str, destination: &str) {
    if destination == "duckdb" {
        return;
    }
    let (mut word, mut settings, mut secrets) = (destination, String::new(), String::new());
    if let Some(needs) = needs(destination) {
        (settings, secrets) = (needs.settings.to_owned(), needs.secrets.to_owned());
    } else if has_password(destination) {
        // longshore.toml is for everybody's eyes.
        word = kind;
        settings = format!(
            "\n# Its URL stands in secrets.toml, for the password in it.\n[destinations.{kind}]\ntype = \"{kind}\"\n"
        );
        secrets = format!("\n[destinations.{kind}]\nurl = {}\n", quoted(destination));
    }
    for (name, content) in &mut project.0 {
        match *name {
            "longshore.toml" => {
                let line = content.lines().find(|l| l.starts_with("destination = ")).map(str::to_owned);
                if let Some(line) = line {
                    *content = content.replacen(&line, &format!("destination = {}", quoted(word)), 1);
                }
                content.push_str(&settings);
            }
            "secrets.toml" => content.push_str(&secrets),
            _ => {}
        }
    }
}

/// `scheme://user:password@host`, or with it behind the question mark.
fn has_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let user = place.rsplit_once('@').map_or("", |(user, _)| user);
    user.contains(':') || ["password=", "secret", "token", "account_key"].iter().any(|word| query.contains(word))
}

/// A TOML string. JSON's spelling is TOML's too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text.replace('\u{7f}', "")).to_string()
}

/// Writes all files or none.
fn write(dir: &Path, project: &Files, force: bool) -> Result<()> {
    let there: Vec<String> =
        project.0.iter().map(|(name, _)| dir.join(name)).filter(|p| p.exists()).map(|p| shown(&p)).collect();
    if !there.is_empty() && !force {
        return Err(Error::config(format!("there is already {}", there.join(", ")))
            .hint("name another folder, or write over it with --force"));
    }
    for (name, content) in &project.0 {
        let path = dir.join(name);
        let folder = path.parent().unwrap_or(dir);
        fs::create_dir_all(folder)
            .and_then(|()| write_one(&path, content))
            .map_err(|e| Error::storage("the file cannot be written").with("file", shown(&path)).source(e))?;
    }
    Ok(())
}

/// Secrets are for their owner's eyes.
fn write_one(path: &Path, content: &str) -> std::io::Result<()> {
    fs::write(path, content)?;
    #[cfg(unix)]
    if path.ends_with("secrets.toml") {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// A word as shells read it.
fn for_shells(word: &str) -> String {
    let is_plain = word.chars().all(|c| c.is_alphanumeric() || "/._-+,@%".contains(c));
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

fn shown(path: &Path) -> String {
    path.strip_prefix("./").unwrap_or(path).display().to_string()
}
