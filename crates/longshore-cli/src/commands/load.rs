//! `longshore load`.

use super::end;
use crate::args::{Cli, InputFormat, LoadArgs};
use crate::machine;
use crate::place::{Addresses, Place, data_dir};
use crate::progress::Display;
use longshore_core::error::{Error, Result};
use longshore_core::normalize::{FieldPath, Settings, Unnest};
use longshore_core::source::Source;
use longshore_pipeline::{Pipeline, Progress, RunOptions};
use longshore_source_files::{BlockReader, Input, JsonSource, Options, Progress as Bytes, Select, declared, to_error};
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn run(cli: &Cli, args: &LoadArgs) -> Result<ExitCode> {
    let Prepared { pipeline, mut source, progress, options } = prepare(cli, args)?;
    let display = Display::start(args.progress, options.progress.clone(), Some(progress));
    let finished = pipeline.run(source.as_mut(), options);
    drop(display);
    end(&pipeline, finished?, args.json)
}

/// What a load needs, made from the words.
pub(super) struct Prepared {
    pub(super) pipeline: Pipeline,
    pub(super) source: Box<dyn Source>,
    /// Counters of bytes read.
    progress: Bytes,
    pub(super) options: RunOptions,
}

pub(super) fn prepare(cli: &Cli, args: &LoadArgs) -> Result<Prepared> {
    let memory = machine::memory(args.memory.as_deref())?;
    let threads = machine::threads(args.threads)?;
    let addresses = Addresses::here(machine::limits(threads, memory))?;
    let at = &args.place;
    let place = Place::find(&addresses, &at.pipeline, &at.destination, at.dataset.as_deref())?;
    let settings = settings(args)?;
    let input = input(args, memory)?;
    let options = RunOptions {
        dataset: place.dataset.clone(),
        schema_name: None,
        refresh: args.refresh.of_load(),
        resources: vec![settings],
        on_error: args.on_error.into(),
        threads,
        fingerprint: fingerprint(args, &place, &input)?,
        schema_files: args.schema.files(None),
        progress: Progress::default(),
    };
    let pipeline = Pipeline::open(&data_dir(cli.data_dir.as_ref())?, &place.pipeline, place.destinations)?;
    let pipeline = args.turn.apply(pipeline).keep_packages_of(args.keep_packages).connect_with(addresses.as_connect());
    Ok(Prepared { pipeline, source: input.source, progress: input.progress, options })
}

fn settings(args: &LoadArgs) -> Result<Settings> {
    let table = match &args.table {
        Some(table) => table.clone(),
        None => table_of(&args.inputs[0])?,
    };
    let system = args.system_columns.into();
    let paths = |texts: &[String]| texts.iter().map(|p| FieldPath::parse(p)).collect::<Result<Vec<_>>>();
    let mut settings = Settings {
        max_nesting: args.max_nesting,
        json_columns: paths(&args.json_columns)?,
        write: args.write.rules(system)?,
        unnest: unnest(&args.unnest),
        ..Settings::new(&table, system)
    };
    args.hint.iter().try_for_each(|h| settings.add_hint(h))?;
    args.schema.apply(&mut settings)?;
    args.shape.apply(&mut settings)?;
    Ok(settings)
}

/// `data/orders.2024.ndjson.gz` -> `orders`
fn table_of(input: &str) -> Result<String> {
    let unnamed = || Error::config("the table has no name").hint("name it with --table");
    if input == "-" {
        return Err(unnamed());
    }
    let input = if input.contains("://") { input.split(['?', '#']).next().unwrap_or(input) } else { input };
    let name = Path::new(input).file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = name.split('.').next().unwrap_or_default();
    // A file that is called so is no pattern.
    let is_pattern = |text: &str| text.contains(['*', '?', '[']) && !Path::new(input).exists();
    if stem.is_empty() || is_pattern(stem) {
        if is_pattern(input) && !declared::is_remote(input) {
            // A pattern that is wrong in itself needs no table first.
            Input::resolve(&[input.to_owned()]).map_err(to_error)?;
        }
        return Err(unnamed());
    }
    Ok(stem.to_owned())
}

/// `all`, or the columns.
fn unnest(columns: &[String]) -> Unnest {
    match columns {
        [] => Unnest::Nothing,
        [all] if all == "all" => Unnest::All,
        columns => Unnest::Columns(columns.to_vec()),
    }
}

/// What is to be read.
struct Reading {
    source: Box<dyn Source>,
    progress: Bytes,
    /// Stands for the inputs, as far as names, sizes and times of change tell.
    fingerprint: String,
}

fn input(args: &LoadArgs, memory: u64) -> Result<Reading> {
    let is_url = |i: &String| declared::is_remote(i);
    let local: Vec<String> = args.inputs.iter().filter(|i| !is_url(i)).cloned().collect();
    let inputs = if local.is_empty() { Vec::new() } else { Input::resolve(&local).map_err(to_error)? };
    // JSON of this machine and stdin are read as they are; everything else as a declared source reads it.
    let is_json = |i: &Input| args.format.map_or_else(|| declared::is_json(i.name()), |f| f == InputFormat::Json);
    if local.len() < args.inputs.len() || !inputs.iter().all(is_json) {
        return declared_input(args, memory);
    }
    let select = args.select.as_deref().map(Select::parse).transpose().map_err(to_error)?;
    let options = Options {
        select,
        block_bytes: (memory / 96).clamp(256 << 10, 4 << 20) as usize,
        // A record, its tape and its columns are in memory at once.
        max_record_bytes: memory.max(64 << 20) as usize,
    };
    let fingerprint = format!("{:?}", facts(&inputs));
    let source = JsonSource::new(BlockReader::new(inputs, options), args.select.clone());
    let source = if args.inputs.iter().any(|i| i == "-") { source.with_digest() } else { source };
    Ok(Reading { progress: source.progress(), source: Box::new(source), fingerprint })
}

fn declared_input(args: &LoadArgs, memory: u64) -> Result<Reading> {
    if args.inputs.iter().any(|i| i == "-") {
        return Err(Error::config("stdin (-) goes with JSON files of this machine only")
            .hint("load it by a command of its own, into the same table"));
    }
    let mut config = declared::FilesConfig::of(&args.inputs, args.select.as_deref())?;
    for resource in &mut config.resources {
        resource.unnest = unnest(&args.unnest);
        resource.delimiter = args.delimiter;
        resource.format = args.format.map_or(resource.format, Into::into);
    }
    let surroundings = crate::surroundings::connection();
    let source = declared::FilesSource::new(config, Path::new(""), memory, &surroundings)?;
    Ok(Reading { progress: source.progress(), fingerprint: source.fingerprint(), source: Box::new(source) })
}

/// Stands for what the user asked for, wherever it is to go: the same words in the same folder, and the same files as far
/// as size and time of change tell.
fn fingerprint(args: &LoadArgs, place: &Place, input: &Reading) -> Result<String> {
    let folder =
        std::env::current_dir().map_err(|e| Error::config("the current folder is not to be found").source(e))?;
    let said = format!(
        "{:?}",
        (
            folder,
            &input.fingerprint,
            &args.inputs,
            &args.table,
            &args.select,
            args.max_nesting,
            &args.json_columns,
            (&args.hint, &args.unnest, args.delimiter, args.format),
            (args.system_columns, args.on_error, &args.write, &args.schema, &args.shape, &args.refresh),
            &place.dataset,
        )
    );
    Ok(longshore_core::hash::content_hash(said.as_bytes()))
}

/// Size and time of change of each input.
fn facts(inputs: &[Input]) -> Vec<(String, u64, Option<std::time::SystemTime>)> {
    let facts = inputs.iter().filter_map(|i| {
        let metadata = std::fs::metadata(i.name()).ok()?;
        Some((i.name().to_owned(), metadata.len(), metadata.modified().ok()))
    });
    facts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_named_after_files() {
        assert_eq!(table_of("data/orders.2024.ndjson.gz").unwrap(), "orders");
        assert_eq!(table_of("https://host/a/orders.json?token=x").unwrap(), "orders");
        let folder = std::env::temp_dir().join(format!("longshore-table-of-{}[1]", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let named = table_of(&folder.to_string_lossy()).unwrap();
        std::fs::remove_dir(&folder).unwrap();
        assert!(named.ends_with("[1]"), "{named}");
        assert!(table_of("-").unwrap_err().message().contains("no name"));
        assert!(table_of("src/*.rs").unwrap_err().message().contains("no name"));
        assert!(table_of("no*.json").unwrap_err().to_string().contains("matches no file"));
    }
}
