//! From a declared source to one that runs: the one list of kinds.

use longshore_config::{Problem, Problems, Section};
use longshore_core::connect::Connection;
use longshore_core::error::{Error, Result};
use longshore_core::normalize::Settings;
use longshore_core::schema::{SystemColumns, WriteRules};
use longshore_core::source::Source;
use longshore_source_files::{Progress, declared};
use longshore_source_rest::{RestConfig, RestOptions, RestSource};
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
    pub(crate) record: Option<PathBuf>,
    /// Where answers are taken from.
    pub(crate) replay: Option<PathBuf>,
    /// The environment, for credentials of object stores.
    pub(crate) surroundings: Connection,
}

impl<'a> Context<'a> {
    /// For a look at what a source reads, without a run.
    pub(crate) fn to_look(folder: &'a Path) -> Self {
        Context {
            folder,
            system_columns: SystemColumns::Native,
            max_nesting: longshore_core::normalize::DEFAULT_MAX_NESTING,
            memory: 64 << 20,
            select: Vec::new(),
            record: None,
            replay: None,
            surroundings: crate::surroundings::connection(),
        }
    }
}

/// A source that can run.
pub(crate) struct Opened {
    pub(crate) source: Box<dyn Source>,
    /// One for each of its resources.
    pub(crate) resources: Vec<Settings>,
    /// Their names, by which the state knows them.
    pub(crate) names: Vec<String>,
    /// Stands for its input as far as that is known beforehand; with the command it tells whether an interrupted run
    /// was the same.
    pub(crate) input: String,
    /// Which of them are loaded; the others bring nothing and are left alone.
    pub(crate) loads: Vec<bool>,
    /// Its state stands under its name already.
    pub(crate) names_itself: bool,
    /// Counters of bytes read.
    pub(crate) progress: Option<Progress>,
}

/// One kind of source.
pub(crate) struct Kind {
    /// Its `type`.
    pub(crate) name: &'static str,
    /// True when it makes requests, which can be recorded and replayed.
    pub(crate) requests: bool,
    /// Everything that is wrong with a section of a project in that folder.
    pub(crate) check: fn(&Section, &Path) -> Vec<Problem>,
    /// Names of its resources, in order.
    pub(crate) resources: fn(&Section) -> Vec<String>,
    pub(crate) open: fn(&Section, &Context<'_>) -> Result<Opened>,
    /// Asks once for what it reads, and says what answered.
    pub(crate) connect: fn(&Section, &Context<'_>) -> Result<String>,
    /// The JSON Schema of a section.
    pub(crate) schema: fn() -> serde_json::Value,
}

/// All kinds.
pub(crate) static KINDS: &[Kind] = &[FILES, REST_API];

const FILES: Kind = Kind {
    name: "files",
    requests: false,
    check: |section, _| files(section).err().unwrap_or_default(),
    resources: |section| files(section).map(|f| f.resources.into_iter().map(|r| r.name).collect()).unwrap_or_default(),
    open: open_files,
    connect: |section, context| {
        let inputs = open_files(section, context)?.progress.map_or(0, |p| p.stats().inputs);
        Ok(format!("{inputs} file{} found", if inputs == 1 { "" } else { "s" }))
    },
    schema: declared::json_schema,
};

const REST_API: Kind = Kind {
    name: "rest_api",
    requests: true,
    check: |section, folder| match rest(section) {
        Ok(config) => missing_certificates(section, &config, folder),
        Err(problems) => problems,
    },
    resources: |section| {
        rest(section).map(|c| c.resources().iter().map(|r| r.name.clone()).collect()).unwrap_or_default()
    },
    open: open_rest,
    connect: |section, context| {
        let config = rest(section).map_err(|p| Error::from(Problems(p)))?;
        let base_url = config.client().base_url.clone();
        let options = rest_options(section, context.folder);
        RestSource::new(config, options)?.probe()?;
        Ok(format!("{base_url} answers"))
    },
    schema: RestConfig::json_schema,
};

/// Returns the kind of a source.
pub(crate) fn kind(section: &Section) -> Result<&'static Kind, Problem> {
    let names: Vec<&str> = KINDS.iter().map(|k| k.name).collect();
    KINDS.iter().find(|k| k.name == section.kind).ok_or_else(|| {
        let hint = longshore_core::misspelt::suggest(&section.kind, names.iter().copied());
        section
            .problem(&["type"], format!("there is no kind of source '{}'", section.kind))
            .hint(hint.unwrap_or_else(|| format!("this build has: {}", names.join(", "))))
    })
}

/// Returns the JSON Schema of a whole `longshore.toml`.
pub(crate) fn whole_schema() -> serde_json::Value {
    let kinds: Vec<_> = KINDS.iter().map(|k| (k.name, schema(k))).collect();
    let destinations: Vec<_> = longshore_destinations::KINDS.iter().map(|k| (k.name, (k.settings)())).collect();
    longshore_config::json_schema(&kinds, &destinations)
}

/// Returns everything that is wrong with a section.
pub(crate) fn problems(section: &Section, folder: &Path) -> Vec<Problem> {
    let kind = match kind(section) {
        Ok(kind) => kind,
        Err(problem) => return vec![problem],
    };
    let mut problems = (kind.check)(section, folder);
    if has_resources(section) {
        problems.extend(longshore_config::rule_problems(section));
    }
    problems
}

/// Returns the JSON Schema of a section of that kind.
fn schema(kind: &Kind) -> serde_json::Value {
    let mut schema = (kind.schema)();
    if let Some(keys) = schema.get_mut("properties").and_then(|p| p.as_object_mut()) {
        let policies = serde_json::json!({ "enum": ["variant", "widen", "text", "json", "reject"] });
        keys.entry("schema_contract").or_insert_with(longshore_config::contract);
        keys.entry("on_type_conflict").or_insert(policies);
    }
    schema
}

/// Keys of a whole source that hold for its resources and are read by the run.
pub(crate) const SOURCE_KEYS: [&str; 2] = ["schema_contract", "on_type_conflict"];

/// True when the section is not a resource itself: then what stands in it holds for all of its resources.
fn has_resources(section: &Section) -> bool {
    section.to_json().get("resources").is_some()
}

/// The section without what holds for all of its resources.
fn resources_of(section: &Section) -> serde_json::Value {
    let mut tree = section.to_json();
    if let Some(table) = tree.as_object_mut().filter(|_| has_resources(section)) {
        SOURCE_KEYS.iter().for_each(|key| _ = table.remove(*key));
    }
    tree
}

fn files(section: &Section) -> Result<declared::FilesConfig, Vec<Problem>> {
    let problem = |p: declared::Problem| section.problem(&p.path, p.message).maybe_hint(p.hint);
    declared::FilesConfig::read(&section.name, &resources_of(section))
        .map_err(|problems| problems.into_iter().map(problem).collect())
}

fn rest(section: &Section) -> Result<RestConfig, Vec<Problem>> {
    let mut tree = resources_of(section);
    if let Some(table) = tree.as_object_mut() {
        table.remove("type"); // what the section is, not a part of it
    }
    let problem = |p| at_its_place(section, p);
    RestConfig::from_value(&tree).map_err(|problems| problems.into_iter().map(problem).collect())
}

/// A problem with a path into a section's tree, where that stands in the file.
pub(crate) fn at_its_place(section: &Section, problem: longshore_source_rest::Problem) -> Problem {
    let path: Vec<&str> = problem.path.split(['.', '[', ']']).filter(|key| !key.is_empty()).collect();
    section.problem(&path, problem.message).maybe_hint(problem.suggestion)
}

fn rest_options(section: &Section, folder: &Path) -> RestOptions {
    RestOptions {
        name: section.name.clone(),
        secrets: section.secrets().to_vec(),
        folder: Some(folder.to_owned()),
        ..RestOptions::default()
    }
}

fn missing_certificates(section: &Section, config: &RestConfig, folder: &Path) -> Vec<Problem> {
    let files = config.client().root_certificates.iter().enumerate();
    let missing = files.filter(|(_, file)| !folder.join(file).is_file());
    let problem = |(i, file): (usize, &String)| {
        let place = ["client", "root_certificates", &i.to_string()].map(str::to_owned);
        let hint = "paths are relative to the folder of the project";
        section.problem(&place, format!("there is no file '{}'", folder.join(file).display())).hint(hint)
    };
    missing.map(problem).collect()
}

fn open_rest(section: &Section, context: &Context<'_>) -> Result<Opened> {
    let config = rest(section).map_err(|p| Error::from(Problems(p)))?;
    let names: Vec<String> = config.resources().iter().map(|r| r.name.clone()).collect();
    let chosen: Vec<String> = names.iter().filter(|n| context.select.contains(n)).cloned().collect();
    let select = (!chosen.is_empty()).then_some(chosen);
    let loads = |i: usize| match &select {
        Some(chosen) => chosen.contains(&names[i]),
        None => config.resources()[i].selected,
    };
    let loaded: Vec<bool> = (0..names.len()).map(loads).collect();
    let options = RestOptions {
        select,
        record: context.record.clone(),
        replay: context.replay.clone(),
        ..rest_options(section, context.folder)
    };
    let input = format!("{:?}", (&options.select, &options.record, &options.replay));
    let source = RestSource::new(config, options)?;
    let mut resources = source.resources(context.system_columns);
    for (settings, &loaded) in resources.iter_mut().zip(&loaded) {
        settings.max_nesting = settings.max_nesting.min(context.max_nesting);
        // What is not loaded brings no rows, which must not be taken for an empty replacement.
        if !loaded {
            settings.write = WriteRules::default();
        }
    }
    Ok(Opened { source: Box::new(source), resources, names, input, loads: loaded, names_itself: true, progress: None })
}

fn open_files(section: &Section, context: &Context<'_>) -> Result<Opened> {
    let mut config = files(section).map_err(|p| Error::from(Problems(p)))?;
    let select = &context.select;
    config.resources.retain(|r| if select.is_empty() { r.selected } else { select.contains(&r.name) });
    let settings = |r: &declared::Resource| r.settings(context.system_columns, context.max_nesting);
    let resources = config.resources.iter().map(settings).collect::<Result<Vec<_>>>()?;
    let names = config.resources.iter().map(|r| r.name.clone()).collect();
    let source = declared::FilesSource::new(config, context.folder, context.memory, &context.surroundings)?;
    let (input, progress) = (source.fingerprint(), Some(source.progress()));
    let loads = vec![true; resources.len()];
    Ok(Opened { source: Box::new(source), resources, names, input, loads, names_itself: false, progress })
}

#[cfg(test)]
mod tests;
