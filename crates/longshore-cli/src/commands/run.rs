//! `longshore run`: loads the sources that a project declares.

use super::end;
use crate::args::{Cli, OnError, ProgressMode, RunArgs, SystemColumns};
use crate::machine;
use crate::place::{Addresses, Place, data_dir};
use crate::progress::Display;
use crate::schema_args::SchemaDefaults;
use crate::several::{Part, Several};
use crate::sources::{self, Context, Opened};
use crate::surroundings;
use clap::ValueEnum;
use longshore_config::{PipelineSettings, Problem, Problems, Project, Section};
use longshore_core::error::{Error, Result};
use longshore_core::normalize::DEFAULT_MAX_NESTING;
use longshore_pipeline::{Pipeline, Progress, RunOptions};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

pub(crate) fn run(cli: &Cli, args: &RunArgs) -> Result<ExitCode> {
    let Prepared { pipeline, mut source, options, progress, input } = prepare(cli, args)?;
    let display = Display::start(progress, options.progress.clone(), input);
    let finished = pipeline.run(&mut source, options);
    drop(display);
    end(&pipeline, finished?, args.json)
}

/// What a run needs, made from the words and the project.
pub(super) struct Prepared {
    pub(super) pipeline: Pipeline,
    pub(super) source: Several,
    pub(super) options: RunOptions,
    progress: ProgressMode,
    input: Option<longshore_source_files::Progress>,
}

pub(super) fn prepare(cli: &Cli, args: &RunArgs) -> Result<Prepared> {
    let surroundings = surroundings::named(args.project.as_deref())?;
    let folder = surroundings.project.clone();
    let project = Arc::new(Project::open(surroundings)?);
    let said = project.pipeline();
    let memory = machine::memory(args.memory.as_deref().or(said.memory.as_deref()))?;
    let threads = machine::threads(args.threads.or(said.threads.map(|n| usize::try_from(n).unwrap_or(usize::MAX))))?;
    let addresses = Addresses::new(Arc::clone(&project), machine::limits(threads, memory));
    let sections = sections(&project, args, &folder)?;
    let name = args.pipeline.clone().unwrap_or_else(|| Place::pipeline_of(&project));
    let words = if args.destination.is_empty() { &said.destinations } else { &args.destination };
    let place = Place::find(&addresses, &name, words, args.dataset.as_deref().or(said.dataset.as_deref()))?;

    let mut opened = open(&sections, args, said, &folder, memory)?;
    let fingerprint = fingerprint(args, &place, &project, &opened)?;
    let resources = opened.iter().flat_map(|(_, o)| o.resources.iter().cloned());
    let declared = sections.iter().flat_map(self::resources);
    let declared = (sections.len() < project.sources().len()).then(|| declared.collect());
    let refresh = args.refresh.of_run(word(said.refresh.as_deref()), !args.select.is_empty(), &opened, declared);
    // As dlt does it: a schema is named after its source.
    let schema_name = if let [only] = project.sources().as_slice() { Some((*only).to_owned()) } else { None };
    let options = RunOptions {
        dataset: place.dataset.clone(),
        schema_name,
        refresh,
        resources: resources.collect(),
        on_error: args.on_error.or(word(said.on_error.as_deref())).unwrap_or(OnError::Fail).into(),
        threads,
        fingerprint,
        schema_files: args.schema.files(Some((said, &folder))),
        progress: Progress::default(),
    };
    let keep = args.keep_packages.or(said.keep_packages.and_then(|n| usize::try_from(n).ok())).unwrap_or(0);
    let pipeline = args
        .turn
        .apply(Pipeline::open(&data_dir(cli.data_dir.as_ref())?, &name, place.destinations)?)
        .keep_packages_of(keep)
        .connect_with(addresses.as_connect());
    // A bar of bytes makes sense where there is one input to watch.
    let input = if let [(_, only)] = opened.as_mut_slice() { only.progress.take() } else { None };
    let progress = args.progress.or(word(said.progress.as_deref())).unwrap_or(ProgressMode::Auto);
    Ok(Prepared { pipeline, source: several(opened), options, progress, input })
}

/// The sources to load: those that `--select` names, or a resource of them, or all.
fn sections(project: &Project, args: &RunArgs, folder: &Path) -> Result<Vec<Section>> {
    if project.sources().is_empty() {
        let error = match project.has_file() {
            true => Error::config(format!("{} declares no source", project.file())),
            false => Error::config("there is no longshore.toml here"),
        };
        return Err(error.hint("see 'longshore init --help' for projects to begin with"));
    }
    let mut sections = Vec::new();
    let meant = meant(project, &args.select);
    for name in project.sources().into_iter().filter(|name| meant.as_ref().is_none_or(|m| m.iter().any(|n| n == name)))
    {
        sections.push(section(project, name, args.replay.is_some())?);
    }
    Problems::none(sections.iter().flat_map(|s| sources::problems(s, folder)).collect())?;
    check_selected(&sections, &args.select)?;
    sections.retain(|s| args.select.is_empty() || args.select.contains(&s.name) || names_one(s, &args.select));
    Ok(sections)
}

/// The sources that `--select` is about: nobody has to have the secrets of the others. `None`: all have to be looked at.
fn meant(project: &Project, select: &[String]) -> Option<Vec<String>> {
    if select.is_empty() {
        return None;
    }
    let names = project.sources().into_iter();
    let sections = names.map(|name| project.source_of_recording(name).ok()).collect::<Option<Vec<_>>>()?;
    check_selected(&sections, select).ok()?;
    let is_meant = |s: &Section| select.contains(&s.name) || names_one(s, select);
    Some(sections.into_iter().filter(is_meant).map(|s| s.name).collect())
}

/// An API that is answered from a recording needs no secrets; files are read as ever.
fn section(project: &Project, name: &str, recorded: bool) -> Result<Section, Problems> {
    if recorded {
        let section = project.source_of_recording(name)?;
        if sources::kind(&section).is_ok_and(|kind| kind.requests) {
            return Ok(section);
        }
    }
    project.source(name)
}

fn resources(section: &Section) -> Vec<String> {
    sources::kind(section).map(|k| (k.resources)(section)).unwrap_or_default()
}

fn names_one(section: &Section, select: &[String]) -> bool {
    resources(section).iter().any(|r| select.contains(r))
}

fn check_selected(sections: &[Section], select: &[String]) -> Result<()> {
    let known: Vec<String> =
        sections.iter().flat_map(|s| std::iter::once(s.name.clone()).chain(resources(s))).collect();
    match select.iter().find(|word| !known.contains(word)) {
        None => Ok(()),
        Some(word) => {
            let near = longshore_core::misspelt::suggest(word, known.iter().map(String::as_str));
            let error = Error::config(format!("--select names '{word}', but there is no such source or resource"));
            Err(error.hint(near.unwrap_or_else(|| format!("there are: {}", known.join(", ")))))
        }
    }
}

fn open(
    sections: &[Section],
    args: &RunArgs,
    said: &PipelineSettings,
    folder: &Path,
    memory: u64,
) -> Result<Vec<(String, Opened)>> {
    let mut opened = Vec::new();
    let tape = args.record.as_ref().or(args.replay.as_ref());
    let kinds = sections.iter().map(sources::kind).collect::<Result<Vec<_>, Problem>>();
    let kinds = kinds.map_err(|p| Error::from(Problems::one(p)))?;
    if tape.is_some() && !kinds.iter().any(|k| k.requests) {
        return Err(Error::config("--record and --replay are for APIs, and none of the sources is one"));
    }
    for (section, kind) in sections.iter().zip(kinds) {
        let whole = args.select.contains(&section.name);
        let context = Context {
            folder,
            system_columns: args
                .system_columns
                .or(word(said.system_columns.as_deref()))
                .unwrap_or(SystemColumns::Native)
                .into(),
            max_nesting: args
                .max_nesting
                .or(said.max_nesting.and_then(|n| u32::try_from(n).ok()))
                .unwrap_or(DEFAULT_MAX_NESTING),
            memory,
            select: if whole { Vec::new() } else { args.select.clone() },
            record: args.record.clone(),
            replay: args.replay.clone(),
            surroundings: surroundings::connection(),
        };
        let mut one = (kind.open)(section, &context)?;
        for settings in &mut one.resources {
            let of_source = section.to_json();
            let near = SchemaDefaults {
                schema_contract: of_source.get("schema_contract"),
                on_type_conflict: of_source.get("on_type_conflict").and_then(|w| w.as_str()),
                ..SchemaDefaults::default()
            };
            near.apply(settings).map_err(|e| e.with("source", &section.name))?;
            let far = SchemaDefaults {
                schema_contract: said.schema_contract.as_ref(),
                on_type_conflict: said.on_type_conflict.as_deref(),
                max_tables: said.max_tables,
                max_columns: said.max_columns,
            };
            far.apply(settings)?;
            args.schema.apply(settings)?;
        }
        opened.push((section.name.clone(), one));
    }
    if opened.iter().all(|(_, o)| o.resources.is_empty()) {
        return Err(Error::config("no resource is selected").hint("name some with --select"));
    }
    Ok(opened)
}

fn several(opened: Vec<(String, Opened)>) -> Several {
    let part = |(name, o): (String, Opened)| Part {
        name,
        source: o.source,
        resources: o.resources.len(),
        names_itself: o.names_itself,
    };
    Several::new(opened.into_iter().map(part).collect())
}

/// A word of the file that was checked when it was read.
fn word<T: ValueEnum>(text: Option<&str>) -> Option<T> {
    T::from_str(text?, false).ok()
}

/// Stands for what the user asked for, wherever it is to go: the same words in the same folder, the same file and the same
/// input.
fn fingerprint(args: &RunArgs, place: &Place, project: &Project, opened: &[(String, Opened)]) -> Result<String> {
    let folder =
        std::env::current_dir().map_err(|e| Error::config("the current folder is not to be found").source(e))?;
    let file = PathBuf::from(project.file());
    let written = std::fs::metadata(&file).ok().and_then(|m| m.modified().ok());
    let inputs: Vec<(&str, &str)> = opened.iter().map(|(name, o)| (name.as_str(), o.input.as_str())).collect();
    let switches =
        (&args.select, &args.refresh, args.max_nesting, args.system_columns, args.on_error, &args.replay, &args.schema);
    let said = format!("{:?}", (folder, file, written, switches, &place.pipeline, &place.dataset, inputs));
    Ok(longshore_core::hash::content_hash(said.as_bytes()))
}
