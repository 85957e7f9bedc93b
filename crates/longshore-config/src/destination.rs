//! From the name of a destination to what it is opened with.

use crate::credentials::{CREDENTIALS, plain_keys};
use crate::environment::from_json;
use crate::lookup::Wanted;
use crate::node::{Node, Origin, Value};
use crate::problem::{Problem, Problems};
use crate::project::Project;
use crate::section::Section;
use longshore_core::misspelt::suggest;
use serde_json::Map;
use std::fmt;

/// What a destination is opened with.
#[derive(Clone)]
pub struct Target {
    /// Its name in the file; `None` when it was given as a URL or a kind.
    pub name: Option<String>,
    /// A URL, or only the kind.
    pub url: String,
    /// The other keys of its section, secrets put in.
    pub settings: Map<String, serde_json::Value>,
    /// The section, for the places of problems.
    pub section: Option<Section>,
}

/// URL and settings may hold passwords.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Project {
    /// Finds what a word on the command line or in `destination = …` means: a name from `[destinations]`, a URL, a
    /// kind with dlt's settings (`[destination.postgres.credentials]`), or a name of dlt's. `kinds` are those there are.
    ///
    /// # Errors
    /// When it is none of these, or a secret is missing.
    pub fn destination(&self, word: &str, kinds: &[&str]) -> Result<Target, Problems> {
        if self.destinations().contains(&word) {
            return declared(self.destination_section(word, kinds)?).map_err(Problems::one);
        }
        if let Some(kind) = kinds.iter().find(|kind| !word.contains(':') && has_ending(word, kind)) {
            let message = format!("'{word}' is neither a URL nor a destination of [destinations]");
            let hint = format!("a file is named by {kind}://{word}");
            return Err(Problems::one(Problem::new(&self.origin_of_destination(word), "", message).hint(hint)));
        }
        // A URL, or a path, which is a folder's.
        if word.contains([':', '/']) || word.starts_with(['.', '~']) {
            return Ok(Target { name: None, url: word.to_owned(), settings: Map::new(), section: None });
        }
        if kinds.contains(&word) {
            let mut target = self.of_dlt(word, word)?;
            // Our own variables win over what dlt's places say.
            if let Some(section) = self.destination_of_variables(word)? {
                let said = declared(section).map_err(Problems::one)?;
                target.url = if said.url == word { target.url } else { said.url };
                target.settings.extend(said.settings);
            }
            return Ok(target);
        }
        if let Some(kind) = self.dlt_kind(word)? {
            return self.of_dlt(word, &kind);
        }
        let known: Vec<&str> = self.destinations().into_iter().chain(kinds.iter().copied()).collect();
        let hint = suggest(word, known.iter().copied()).unwrap_or_else(|| {
            format!("there are: {}; or write a URL, and a folder with a slash: ./{word}", known.join(", "))
        });
        Err(Problems::one(
            Problem::new(
                &self.origin_of_destination(word),
                "",
                format!("there is no destination '{word}' in [destinations], and no kind of that name"),
            )
            .hint(hint),
        ))
    }

    /// Where a file names that destination; otherwise it can only have come from the command line.
    fn origin_of_destination(&self, word: &str) -> Origin {
        let named = self.layers.iter().filter_map(|l| l.root.at(&["pipeline", "destination"]));
        let mut words = named.flat_map(|node| match &node.value {
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        });
        let found = words.find(|node| node.as_text() == Some(word));
        found.map_or_else(|| Origin::Flag("--destination".to_owned()), |node| node.origin.clone())
    }

    /// dlt's own named destinations: `[destination.warehouse] destination_type = "postgres"`.
    fn dlt_kind(&self, name: &str) -> Result<Option<String>, Problems> {
        let sections = ["destination", name];
        let wanted = Wanted { sections: &sections, inner: &[], key: "destination_type", secret: false, shorten: false };
        let found = self.lookup()?.find(&wanted).map_err(Problems::one)?;
        // dlt takes a full class path too: dlt.destinations.postgres
        Ok(found.and_then(|n| Some(n.as_text()?.rsplit('.').next()?.to_owned())))
    }

    /// The settings dlt would find.
    fn of_dlt(&self, name: &str, kind: &str) -> Result<Target, Problems> {
        let mut lookup = self.lookup()?;
        // Vaults are asked for what is named by a reference: each of these would be a request.
        lookup.vaults = None;
        let sections = ["destination", name];
        let mut target = Target { name: None, url: kind.to_owned(), settings: Map::new(), section: None };
        let whole = Wanted { sections: &sections, inner: &[], key: "credentials", secret: true, shorten: true };
        // In a table of credentials each key is looked up by itself.
        if let Some(found) = lookup.find(&whole).map_err(Problems::one)?
            && let Some(text) = found.as_text()
        {
            take_credentials(&mut target, text)
                .map_err(|wrong| Problems::one(wrong.at(&found.origin, "credentials")))?;
        }
        let keys = CREDENTIALS.iter().filter(|(k, _)| *k == kind).flat_map(|(_, keys)| *keys);
        for key in keys {
            let wanted = Wanted { sections: &sections, inner: &["credentials"], key, secret: false, shorten: true };
            if let Some(found) = lookup.find(&wanted).map_err(Problems::one)? {
                put_credential(&mut target, key, typed(key, found).to_json());
            }
        }
        for key in plain_keys(kind) {
            let wanted = Wanted { sections: &sections, inner: &[], key, secret: false, shorten: false };
            let Some(found) = lookup.find(&wanted).map_err(Problems::one)? else { continue };
            match (*key, found.as_text()) {
                ("bucket_url", Some(url)) => target.url = url.to_owned(),
                _ => drop(target.settings.insert((*key).to_owned(), typed(key, found).to_json())),
            }
        }
        Ok(target)
    }
}

/// Destinations read dlt's table of credentials by themselves; DuckDB's only key is one of its own.
fn put_credential(target: &mut Target, key: &str, value: serde_json::Value) {
    if target.url.starts_with("duckdb") {
        target.settings.insert(key.to_owned(), value);
        return;
    }
    let credentials = target.settings.entry("credentials").or_insert_with(|| Map::new().into());
    credentials[key] = value;
}

/// `type` and `url` say where; `credentials` may be a URL too.
fn declared(section: Section) -> Result<Target, Problem> {
    let url = section.tree.as_table().and_then(|t| t.text("url")).unwrap_or(&section.kind).to_owned();
    let mut target = Target { name: Some(section.name.clone()), url, settings: Map::new(), section: None };
    for entry in section.entries() {
        match (entry.key.as_str(), &entry.value.value) {
            ("type" | "destination_type" | "url", _) => {}
            ("credentials", Value::Text(text)) => take_credentials(&mut target, text).map_err(|wrong| {
                wrong.at(&entry.value.origin, &format!("destinations.{}.credentials", section.name))
            })?,
            (key, _) => drop(target.settings.insert(key.to_owned(), entry.value.to_json())),
        }
    }
    target.section = Some(section);
    Ok(target)
}

/// Credentials that are no URL. The text is a secret, so what is said of it does not show it.
struct NoUrl;

impl NoUrl {
    fn at(self, origin: &Origin, path: &str) -> Problem {
        Problem::new(origin, path, "the credentials are neither a URL nor a JSON document of keys")
            .hint("write them as a URL (postgres://user:password@host/database), or as a section with a key each")
    }
}

/// A URL, a JSON document of keys, for DuckDB the file, for BigQuery whatever its own settings take: a key's file,
/// its content in base64, or `default`.
fn take_credentials(target: &mut Target, text: &str) -> Result<(), NoUrl> {
    let text = text.trim();
    if let Ok(serde_json::Value::Object(keys)) = serde_json::from_str(text) {
        keys.into_iter().for_each(|(key, value)| put_credential(target, &key, value));
        return Ok(());
    }
    let kind = target.url.split(':').next().unwrap_or_default();
    match text.split_once("://") {
        // SQLAlchemy's names of the same: postgresql://, postgresql+psycopg2://
        Some((scheme, rest)) if scheme.split('+').next() == Some("postgresql") => {
            target.url = format!("postgres://{rest}");
        }
        _ if text.starts_with("duckdb:") => target.url = text.to_owned(),
        _ if target.url == "duckdb" => target.url = format!("duckdb:{text}"),
        Some((scheme, _)) if is_scheme(scheme) => target.url = text.to_owned(),
        _ if kind == "bigquery" => drop(target.settings.insert("credentials".to_owned(), text.into())),
        _ => return Err(NoUrl),
    }
    Ok(())
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// Ports and time limits come as text from the environment.
fn typed(key: &str, found: Node) -> Node {
    let number = ["port", "connect_timeout", "batch_size"].contains(&key);
    match (number, found.as_text().and_then(|t| t.parse::<u64>().ok())) {
        (true, Some(number)) => Node { value: from_json(number.into()), origin: found.origin },
        _ => found,
    }
}

/// Whether a path ends in the kind's name, as in `shop.duckdb`.
fn has_ending(path: &str, kind: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case(kind))
}
