//! The keys of `type = "files"`, read from JSON, with everything that is wrong told at once.

use super::hints::Hints;
use super::remote::{Access, as_path, check_scheme, is_remote};
use crate::Select;
use longshore_core::misspelt::suggest;
use longshore_core::normalize::{Settings, Unnest};
use longshore_core::schema::{Disposition, SystemColumns};
use longshore_core::{Error, Result};
use serde_json::{Map, Value};

/// One thing that is wrong, at keys and list positions from the section in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Keys and positions.
    pub path: Vec<String>,
    /// What.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// A declared source of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesConfig {
    /// What is loaded, each into its own table.
    pub resources: Vec<Resource>,
}

/// Files that go into one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its name, and its table's where none is given.
    pub name: String,
    /// Files, folders and patterns, as written.
    pub files: Vec<String>,
    /// How they are written.
    pub format: Format,
    /// Path to the records inside each value.
    pub select: Option<String>,
    /// Leave out files that an earlier run loaded and that have not changed since.
    pub only_new: bool,
    /// Put `_file_name`, `_file_size` and `_file_modified` into each record.
    pub metadata: bool,
    /// Separator of CSV.
    pub delimiter: Option<u8>,
    /// Loaded unless others are named.
    pub selected: bool,
    /// Which lists and structs of Parquet and Arrow files become tables and columns.
    pub unnest: Unnest,
    pub(super) access: Access,
    pub(super) hints: Hints,
}

/// How files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// By the ending: `.csv` and `.tsv` are CSV, `.parquet` and `.arrow` what they say, everything else JSON.
    Auto,
    /// JSON, NDJSON, concatenated JSON.
    Json,
    /// CSV with a header.
    Csv,
    /// Parquet.
    Parquet,
    /// Arrow IPC, as file or stream.
    Arrow,
}

/// Keys of a resource beside those of [`Hints`].
pub(super) const KEYS: [&str; 12] = [
    "name",
    "files",
    "bucket_url",
    "file_glob",
    "format",
    "select",
    "only_new",
    "metadata",
    "delimiter",
    "unnest",
    "credentials",
    "headers",
];
/// Keys that hold for all resources of a section.
const SHARED: [&str; 2] = ["credentials", "headers"];

impl FilesConfig {
    /// Reads a section. One without `resources` is itself the only resource, named after the source.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn read(name: &str, section: &Value) -> Result<FilesConfig, Vec<Problem>> {
        let mut reader = Reader { problems: Vec::new() };
        let empty = Map::new();
        let table = section.as_object().unwrap_or(&empty);
        let mut resources = Vec::new();
        match table.get("resources") {
            None => resources.extend(reader.resource(Some(name), table, &["type"], &[])),
            Some(Value::Array(items)) if !items.is_empty() => {
                let known = ["type", "resources"].into_iter().chain(SHARED);
                for key in table.keys().filter(|k| !known.clone().any(|known| known == k.as_str())) {
                    reader.unknown(key, &[], known.clone());
                }
                let shared = reader.access(table, &[]);
                for (i, item) in items.iter().enumerate() {
                    let path = ["resources".to_owned(), i.to_string()];
                    match item.as_object() {
                        Some(item) => {
                            let resource = reader.resource(None, item, &[], &path);
                            resources.extend(resource.map(|r| r.with_access(&shared)));
                        }
                        None => reader.wrong(&path, "a resource must be a table with 'name' and 'files'"),
                    }
                }
            }
            Some(_) => {
                reader.wrong(&["resources".to_owned()], "'resources' must be a list of tables that is not empty")
            }
        }
        let mut names = std::collections::HashSet::new();
        for (i, resource) in resources.iter().enumerate() {
            if !names.insert(&resource.name) {
                let path = ["resources".to_owned(), i.to_string(), "name".to_owned()];
                reader.wrong(&path, &format!("two resources have the name '{}'", resource.name));
            }
        }
        if reader.problems.is_empty() { Ok(FilesConfig { resources }) } else { Err(reader.problems) }
    }
}

impl FilesConfig {
    /// Returns one resource of those files, with `select` as its path.
    ///
    /// # Errors
    /// When a URL cannot be read, or the path is none.
    pub fn of(files: &[String], select: Option<&str>) -> Result<FilesConfig> {
        let mut section = Map::new();
        section.insert("files".to_owned(), files.into());
        if let Some(select) = select {
            section.insert("select".to_owned(), select.into());
        }
        FilesConfig::read("files", &Value::Object(section)).map_err(|problems| match problems.into_iter().next() {
            Some(Problem { message, hint: Some(hint), .. }) => Error::config(message).hint(hint),
            Some(p) => Error::config(p.message),
            None => Error::internal("a configuration is wrong without a reason"),
        })
    }
}

impl Resource {
    /// Returns the rules of normalising its records.
    ///
    /// # Errors
    /// When a path of `json_columns` or `columns` is none.
    pub fn settings(&self, system: SystemColumns, max_nesting: u32) -> Result<Settings> {
        let settings = self.hints.settings(&self.name, system, max_nesting)?;
        Ok(Settings { unnest: self.unnest.clone(), ..settings })
    }

    /// Its own credentials and headers win over the section's.
    fn with_access(mut self, shared: &Access) -> Self {
        if self.access.credentials.is_empty() {
            self.access.credentials = shared.credentials.clone();
        }
        for (name, value) in &shared.headers {
            self.access.headers.entry(name).or_insert_with(|| value.clone());
        }
        self
    }
}

/// Collects problems.
pub(super) struct Reader {
    pub(super) problems: Vec<Problem>,
}

impl Reader {
    fn resource(
        &mut self,
        name: Option<&str>,
        table: &Map<String, Value>,
        also: &[&str],
        path: &[String],
    ) -> Option<Resource> {
        let before = self.problems.len();
        let known = KEYS.iter().chain(Hints::KEYS.iter()).chain(also).copied();
        for key in table.keys().filter(|k| !known.clone().any(|known| known == k.as_str())) {
            self.unknown(key, path, known.clone());
        }
        let own = self.text(table, "name", path);
        if name.is_none() && own.is_none() && !table.contains_key("name") {
            self.wrong(path, "the resource has no 'name'");
        }
        let format = match self.text(table, "format", path).as_deref() {
            None | Some("auto") => Format::Auto,
            Some("json" | "jsonl" | "ndjson") => Format::Json,
            Some("csv") => Format::Csv,
            Some("parquet") => Format::Parquet,
            Some("arrow") => Format::Arrow,
            Some(other) => {
                let path = below(path, "format");
                let known = "it is one of: auto, json, csv, parquet, arrow";
                self.push(path, format!("there is no format '{other}'"), Some(known.to_owned()));
                Format::Auto
            }
        };
        let select = self.text(table, "select", path);
        if let Some(Err(e)) = select.as_deref().map(Select::parse) {
            let text = e.to_string();
            self.wrong(&below(path, "select"), text.lines().next().unwrap_or_default());
        }
        let delimiter = self.text(table, "delimiter", path);
        if delimiter.as_ref().is_some_and(|d| d.len() != 1) {
            self.wrong(&below(path, "delimiter"), "the delimiter must be one character of ASCII");
        }
        let resource = Resource {
            name: own.or_else(|| name.map(str::to_owned)).unwrap_or_default(),
            files: self.files(table, path),
            format,
            select,
            only_new: self.flag(table, "only_new", path).unwrap_or(false),
            metadata: self.flag(table, "metadata", path).unwrap_or(false),
            delimiter: delimiter.and_then(|d| d.bytes().next()),
            selected: self.flag(table, "selected", path).unwrap_or(true),
            unnest: self.unnest(table, path),
            access: self.access(table, path),
            hints: Hints::read(self, table, path),
        };
        if resource.only_new && resource.hints.write.disposition == Disposition::Replace {
            let message =
                "a run that finds no new file would leave an empty table, since the 'write_disposition' is replace";
            let hint = "write append or merge, or leave 'only_new' away".to_owned();
            self.push(below(path, "only_new"), message.to_owned(), Some(hint));
        }
        (self.problems.len() == before).then_some(resource)
    }

    /// `files`, or dlt's `bucket_url` with `file_glob`.
    fn files(&mut self, table: &Map<String, Value>, path: &[String]) -> Vec<String> {
        let files = match (table.get("files"), table.get("bucket_url")) {
            (Some(_), Some(_)) => {
                self.wrong(&below(path, "bucket_url"), "'files' and 'bucket_url' say the same: keep one");
                return Vec::new();
            }
            (Some(_), None) => self.texts(table, "files", path),
            (None, Some(_)) => {
                let folder = self.text(table, "bucket_url", path).unwrap_or_default();
                let folder = as_path(&folder).trim_end_matches('/').to_owned();
                match self.text(table, "file_glob", path) {
                    Some(glob) => vec![format!("{folder}/{glob}")],
                    None => vec![folder],
                }
            }
            (None, None) => {
                let hint = "such as files = \"data/*.ndjson\"".to_owned();
                self.push(path.to_vec(), "the key 'files' is missing".to_owned(), Some(hint));
                return Vec::new();
            }
        };
        let key = if table.contains_key("files") { "files" } else { "bucket_url" };
        for file in files.iter().filter(|f| is_remote(f)) {
            if let Err(e) = check_scheme(file) {
                self.push(below(path, key), e.message().to_owned(), e.hint_text().map(str::to_owned));
            }
        }
        files.iter().map(|f| as_path(f).to_owned()).collect()
    }

    /// `true`, `false`, or the columns.
    fn unnest(&mut self, table: &Map<String, Value>, path: &[String]) -> Unnest {
        match table.get("unnest") {
            None | Some(Value::Bool(false)) => Unnest::Nothing,
            Some(Value::Bool(true)) => Unnest::All,
            Some(_) => Unnest::Columns(self.texts(table, "unnest", path)),
        }
    }

    fn access(&mut self, table: &Map<String, Value>, path: &[String]) -> Access {
        let mut read = |key: &str| match table.get(key) {
            None => Map::new(),
            Some(Value::Object(map)) => map.clone(),
            Some(_) => {
                self.wrong(&below(path, key), &format!("'{key}' must be a table"));
                Map::new()
            }
        };
        Access { credentials: read("credentials"), headers: read("headers") }
    }

    pub(super) fn text(&mut self, table: &Map<String, Value>, key: &str, path: &[String]) -> Option<String> {
        match table.get(key)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            _ => {
                self.wrong(&below(path, key), &format!("'{key}' must be text that is not empty"));
                None
            }
        }
    }

    pub(super) fn flag(&mut self, table: &Map<String, Value>, key: &str, path: &[String]) -> Option<bool> {
        let value = table.get(key)?;
        if !value.is_boolean() {
            self.wrong(&below(path, key), &format!("'{key}' must be true or false"));
        }
        value.as_bool()
    }

    /// A text or a list of texts.
    pub(super) fn texts(&mut self, table: &Map<String, Value>, key: &str, path: &[String]) -> Vec<String> {
        let texts = match table.get(key) {
            None => return Vec::new(),
            Some(Value::String(text)) => Some(vec![text.clone()]),
            Some(Value::Array(items)) => items.iter().map(|i| i.as_str().map(str::to_owned)).collect(),
            Some(_) => None,
        };
        texts.filter(|t: &Vec<String>| !t.is_empty() && t.iter().all(|t| !t.is_empty())).unwrap_or_else(|| {
            self.wrong(&below(path, key), &format!("'{key}' must be text or a list of texts"));
            Vec::new()
        })
    }

    pub(super) fn wrong(&mut self, path: &[String], message: &str) {
        self.push(path.to_vec(), message.to_owned(), None);
    }

    pub(super) fn push(&mut self, path: Vec<String>, message: String, hint: Option<String>) {
        self.problems.push(Problem { path, message, hint });
    }

    fn unknown<'a>(&mut self, key: &str, path: &[String], known: impl IntoIterator<Item = &'a str>) {
        let known: Vec<&str> = known.into_iter().collect();
        let hint = suggest(key, known.iter().copied());
        let hint = hint.unwrap_or_else(|| format!("the keys are: {}", known.join(", ")));
        self.push(below(path, key), format!("there is no key '{key}' here"), Some(hint));
    }
}

pub(super) fn below(path: &[String], key: &str) -> Vec<String> {
    path.iter().cloned().chain([key.to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_section_is_a_resource_or_has_several() {
        let one = FilesConfig::read("orders", &json!({"type": "files", "files": "a/*.json"})).unwrap();
        assert_eq!(
            (one.resources[0].name.as_str(), &one.resources[0].files[..]),
            ("orders", &["a/*.json".to_owned()][..])
        );
        let two = json!({"type": "files", "resources": [{"name": "a", "files": ["x"]}, {"name": "b", "files": "y"}]});
        assert_eq!(FilesConfig::read("s", &two).unwrap().resources.len(), 2);
        let dlt = json!({"type": "files", "bucket_url": "File:///data/", "file_glob": "*.csv"});
        assert_eq!(FilesConfig::read("s", &dlt).unwrap().resources[0].files, ["/data/*.csv"]);
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let section = json!({"type": "files", "resources": [
            {"name": "a", "fils": "x", "only_new": 1},
            {"name": "b", "files": "ftp://b/x", "format": "xml", "select": "$..["},
            {"files": "x", "write_disposition": "upsert", "primary_key": 5},
            {"name": "d", "files": "x", "write_disposition": "replace", "only_new": true},
        ]});
        let problems = FilesConfig::read("s", &section).unwrap_err();
        let paths: Vec<String> = problems.iter().map(|p| p.path.join(".")).collect();
        for path in [
            "resources.0.fils",
            "resources.0.only_new",
            "resources.0",
            "resources.1.files",
            "resources.1.format",
            "resources.1.select",
            "resources.2",
            "resources.2.write_disposition",
            "resources.2.primary_key",
            "resources.3.only_new",
        ] {
            assert!(paths.contains(&path.to_owned()), "{path}: {paths:?}");
        }
        assert!(problems.iter().any(|p| p.hint.as_deref() == Some("did you mean 'files'?")));
    }
}
