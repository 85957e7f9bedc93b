//! Secrets that are kept elsewhere: HashiCorp Vault and OpenBao, AWS Secrets Manager, Google Secret Manager.
//!
//! Each is declared in `[vaults.NAME]` and asked only for secrets that no file and no variable has.

mod aws;
mod google;
mod hashicorp;
mod http;
mod sigv4;

use crate::node::{Node, Origin, Table};
use crate::problem::{Problem, Problems};
use crate::section::Section;
use longshore_core::connect::Secret;
use longshore_core::error::Error;
use longshore_core::misspelt::suggest;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

/// The kinds and their keys.
pub(crate) const KINDS: [(&str, &[&str]); 3] = [
    (
        "hashicorp",
        &["type", "address", "mount", "prefix", "namespace", "token", "role_id", "secret_id", "kv_version", "ca_cert"],
    ),
    ("aws", &["type", "region", "endpoint", "prefix", "access_key_id", "secret_access_key", "session_token"]),
    ("google", &["type", "project", "endpoint", "prefix", "credentials"]),
];

/// One place that keeps secrets.
trait Vault: Send + Sync {
    /// The name a secret has there, for people.
    fn place(&self, path: &[String]) -> String;

    /// Returns the secret of a path, or `None` when there is none.
    fn get(&self, path: &[String]) -> Result<Option<Secret>, Error>;

    /// What is to be said of a place where a secret was not found.
    fn note(&self, _path: &[String]) -> String {
        String::new()
    }
}

/// All vaults of a project, in the order they are declared.
#[derive(Default)]
pub(crate) struct Vaults(Vec<Declared>);

struct Declared {
    origin: Origin,
    vault: Box<dyn Vault>,
    /// What was wrong when it could not be asked: it is not asked again for each secret.
    failure: OnceLock<Problem>,
}

impl Vaults {
    /// Makes the vaults of `[vaults]`; asks none of them yet.
    pub(crate) fn new(declared: Option<&Node>, environment: &BTreeMap<String, String>) -> Result<Self, Problems> {
        let (mut vaults, mut problems) = (Vec::new(), Vec::new());
        for entry in declared.and_then(Node::as_table).into_iter().flat_map(|t| &t.entries) {
            let section = Section::new("vaults", &entry.key, String::new(), entry.value.clone());
            match make(&section, environment) {
                Ok(vault) => vaults.push(Declared { origin: entry.origin.clone(), vault, failure: OnceLock::new() }),
                Err(problem) => problems.push(problem),
            }
        }
        Problems::none(problems)?;
        Ok(Vaults(vaults))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Asks one after the other, each for the longest path first.
    pub(crate) fn find(&self, paths: &[Vec<String>], tried: &mut Vec<String>) -> Result<Option<Node>, Problem> {
        for declared in &self.0 {
            for path in paths {
                let place = declared.vault.place(path);
                if let Some(secret) = declared.get(path, &place)? {
                    return Ok(Some(Node::text(secret.expose(), Origin::Vault(place))));
                }
                tried.push(place + &declared.vault.note(path));
            }
        }
        Ok(None)
    }
}

impl Declared {
    fn get(&self, path: &[String], place: &str) -> Result<Option<Secret>, Problem> {
        if let Some(failure) = self.failure.get() {
            return Err(failure.clone());
        }
        self.vault.get(path).map_err(|e| {
            let (passes, e) = (e.is_retryable(), e.with("looked for", place));
            let problem =
                Problem::new(&self.origin, "vaults", format!("{e}")).maybe_hint(e.hint_text().map(str::to_owned));
            if passes { self.failure.get_or_init(|| problem).clone() } else { problem }
        })
    }
}

impl fmt::Debug for Vaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} vaults", self.0.len())
    }
}

fn make(section: &Section, environment: &BTreeMap<String, String>) -> Result<Box<dyn Vault>, Problem> {
    let empty = Table::default();
    let table = section.tree.as_table().unwrap_or(&empty);
    let kind = table.text("type").unwrap_or_default();
    let kinds = KINDS.map(|(k, _)| k);
    let Some((_, known)) = KINDS.iter().find(|(k, _)| *k == kind) else {
        let hint = suggest(kind, kinds).unwrap_or_else(|| format!("type is one of: {}", kinds.join(", ")));
        return Err(section.problem(&["type"], format!("there is no kind of vault '{kind}'")).hint(hint));
    };
    for entry in &table.entries {
        let key = entry.key.as_str();
        if !known.contains(&key) {
            let hint =
                suggest(key, known.iter().copied()).unwrap_or_else(|| format!("the keys are: {}", known.join(", ")));
            return Err(section.problem(&[key], format!("a vault of type '{kind}' has no key '{key}'")).hint(hint));
        }
        if entry.value.as_text().is_none() {
            return Err(section.problem(&[key], format!("'{key}' must be text, this is {}", entry.value.kind())));
        }
    }
    let settings = Settings { table, section, environment };
    match kind {
        "hashicorp" => Ok(Box::new(hashicorp::HashiCorp::new(&settings)?)),
        "aws" => Ok(Box::new(aws::Aws::new(&settings)?)),
        _ => Ok(Box::new(google::Google::new(&settings)?)),
    }
}

/// The keys of one vault, with the variables its own tools read as a fallback.
struct Settings<'a> {
    table: &'a Table,
    section: &'a Section,
    environment: &'a BTreeMap<String, String>,
}

impl Settings<'_> {
    fn get(&self, key: &str, variables: &[&str]) -> Option<String> {
        let variable = || variables.iter().find_map(|v| self.environment.get(*v)).filter(|v| !v.is_empty());
        self.table.text(key).or_else(|| variable().map(String::as_str)).map(|text| text.trim().to_owned())
    }

    fn need(&self, key: &str, variables: &[&str]) -> Result<String, Problem> {
        self.get(key, variables).ok_or_else(|| {
            let hint = match variables {
                [] => format!("set {key}"),
                _ => format!("set {key}, or {} in the environment", variables.join(" or ")),
            };
            self.section.problem::<&str>(&[], format!("the vault needs the key '{key}'")).hint(hint)
        })
    }

    fn wrong(&self, key: &str, message: &str, hint: &str) -> Problem {
        self.section.problem(&[key], message.to_owned()).hint(hint.to_owned())
    }

    fn secret(&self, key: &str, variables: &[&str]) -> Option<Secret> {
        self.get(key, variables).map(Secret::new)
    }
}

/// The secret of a path, or else the field of its last name in the document that the rest of the path is called by. `id` makes
/// a name of a path, `secret` asks for it. Whoever may read the document alone is refused the first, which need not exist.
fn itself_or_field(
    path: &[String],
    id: impl Fn(&[String]) -> String,
    secret: impl Fn(&str) -> Result<Option<Secret>, Error>,
) -> Result<Option<Secret>, Error> {
    let itself = match secret(&id(path)) {
        Ok(None) => Ok(None),
        Err(e) if !e.is_retryable() => Err(e),
        other => return other,
    };
    let Some((key, sections)) = path.split_last() else { return itself };
    let id = id(sections);
    if id.is_empty() {
        return itself;
    }
    let document = match (secret(&id), &itself) {
        (Ok(document), _) => document,
        (Err(e), Ok(_)) => return Err(e),
        (Err(_), Err(_)) => return itself,
    };
    let document = document.and_then(|s| serde_json::from_str(s.expose()).ok());
    match document.and_then(|d| field(&d, key)) {
        Some(found) => Ok(Some(found)),
        None => itself,
    }
}

/// The names that [`itself_or_field`] looks for.
fn names(path: &[String], id: impl Fn(&[String]) -> String) -> String {
    let document = path.split_last().map(|(key, sections)| (key, id(sections)));
    match document.filter(|(_, id)| !id.is_empty()) {
        Some((key, document)) => format!("{}, or the key {key} of {document}", id(path)),
        None => id(path),
    }
}

/// One field of a JSON document of several secrets.
fn field(document: &serde_json::Value, key: &str) -> Option<Secret> {
    match document.get(key)? {
        serde_json::Value::String(text) => Some(Secret::new(text.as_str())),
        serde_json::Value::Null => None,
        other => Some(Secret::new(other.to_string())),
    }
}
