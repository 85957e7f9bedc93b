//! From a declared source to one that runs: the one list of kinds.

use longshore_config::{Problem, Problems, Section};
use longshore_core::error::{Error, Result};
use longshore_core::normalize::Settings;
use longshore_core::schema::SystemColumns;
use longshore_core::source::Source;
use longshore_source_files::{Progress, declared};
use std::path::{Path, PathBuf};

/// What a source is told of the run.
pub(crate) struct Context<'a> {
    /// The project's folder: paths in the file are relative to it.
    pub(crate) folder: &'a Path,
    pub(crate) system_columns: SystemColumns,
    /// Levels of nesting where a resource says nothing.
    pub(crate) max_nesting: u32,
    /// Bytes the whole run stays within.
    pub(crate) memory: u64,
    /// Resources to load; empty for all that are selected.
    pub(crate) select: Vec<String>,
    /// Where answers are saved.
    #[allow(dead_code)] // for sources that make requests
    pub(crate) record: Option<PathBuf>,
    /// Where answers are taken from.
    #[allow(dead_code)] // for sources that make requests
    pub(crate) replay: Option<PathBuf>,
}

/// A source that can run.
pub(crate) struct Opened {
    pub(crate) source: Box<dyn Source>,
    /// One for each of its resources.
    pub(crate) resources: Vec<Settings>,
    /// Stands for its input as far as that is known beforehand; with the command it tells whether an interrupted run
    /// was the same.
    pub(crate) input: String,
    /// Counters of bytes read.
    pub(crate) progress: Option<Progress>,
}

/// One kind of source.
pub(crate) struct Kind {
    /// Its `type`.
    pub(crate) name: &'static str,
    /// True when it makes requests, which can be recorded and replayed.
    pub(crate) requests: bool,
    /// Everything that is wrong with a section.
    pub(crate) check: fn(&Section) -> Vec<Problem>,
    /// Names of its resources, in order.
    pub(crate) resources: fn(&Section) -> Vec<String>,
    pub(crate) open: fn(&Section, &Context<'_>) -> Result<Opened>,
    /// The JSON Schema of a section.
    pub(crate) schema: fn() -> serde_json::Value,
}

/// All kinds.
pub(crate) static KINDS: &[Kind] = &[FILES, REST_API];

const FILES: Kind = Kind {
    name: "files",
    requests: false,
    check: |section| files(section).err().unwrap_or_default(),
    resources: |section| files(section).map(|f| f.resources.into_iter().map(|r| r.name).collect()).unwrap_or_default(),
    open: open_files,
    schema: declared::json_schema,
};

/// Its place in the list, until its crate is there: a project that declares one can be checked, not run.
const REST_API: Kind = Kind {
    name: "rest_api",
    requests: true,
    check: |section| {
        let json = section.to_json();
        let missing = ["client", "resources"].into_iter().filter(|key| json.get(key).is_none());
        missing.map(|key| section.problem::<&str>(&[], format!("the key '{key}' is missing"))).collect()
    },
    resources: |section| {
        let json = section.to_json();
        let name = |r: &serde_json::Value| r.as_str().or_else(|| r.get("name")?.as_str()).map(str::to_owned);
        json["resources"].as_array().into_iter().flatten().filter_map(name).collect()
    },
    open: |_, _| Err(Error::config("this build cannot load from APIs yet")),
    schema: || serde_json::json!({ "required": ["client", "resources"] }),
};

/// Returns the kind of a source.
pub(crate) fn kind(section: &Section) -> Result<&'static Kind, Problem> {
    let names: Vec<&str> = KINDS.iter().map(|k| k.name).collect();
    KINDS.iter().find(|k| k.name == section.kind).ok_or_else(|| {
        let hint = longshore_config::problem::suggest(&section.kind, names.iter().copied());
        section
            .problem(&["type"], format!("there is no kind of source '{}'", section.kind))
            .hint(hint.unwrap_or_else(|| format!("this build has: {}", names.join(", "))))
    })
}

fn files(section: &Section) -> Result<declared::FilesConfig, Vec<Problem>> {
    let problem = |p: declared::Problem| section.problem(&p.path, p.message).maybe_hint(p.hint);
    declared::FilesConfig::read(&section.name, &section.to_json())
        .map_err(|problems| problems.into_iter().map(problem).collect())
}

fn open_files(section: &Section, context: &Context<'_>) -> Result<Opened> {
    let mut config = files(section).map_err(|p| Error::from(Problems(p)))?;
    let select = &context.select;
    config.resources.retain(|r| if select.is_empty() { r.selected } else { select.contains(&r.name) });
    let settings = |r: &declared::Resource| r.settings(context.system_columns, context.max_nesting);
    let resources = config.resources.iter().map(settings).collect::<Result<Vec<_>>>()?;
    let source = declared::FilesSource::new(config, context.folder, context.memory)?;
    let (input, progress) = (source.fingerprint(), Some(source.progress()));
    Ok(Opened { source: Box::new(source), resources, input, progress })
}
