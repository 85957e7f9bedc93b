//! `longshore load`.

use crate::args::{Cli, LoadArgs};
use crate::error::FAILED;
use crate::machine;
use crate::place::{Addresses, Place, data_dir};
use crate::progress::Display;
use crate::summary;
use longshore_core::error::{Error, Result};
use longshore_core::normalize::{FieldPath, Settings};
use longshore_core::schema::DataType;
use longshore_pipeline::{Outcome, Pipeline, Progress, RunOptions};
use longshore_source_files::{BlockReader, Input, JsonSource, Options, Select, to_error};
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn run(cli: &Cli, args: &LoadArgs) -> Result<ExitCode> {
    let Prepared { pipeline, mut source, options } = prepare(cli, args)?;
    let display = Display::start(args.progress, options.progress.clone(), Some(source.progress()));
    let finished = pipeline.run(&mut source, options);
    drop(display);
    let finished = finished?;
    summary::print(&finished.report, args.json);
    summary::print_failures(&finished.report);
    pipeline.note_trace(&finished.report)?;
    // Last of all: from here on, the same command is a new load.
    let failed = finished.acknowledge()?.outcome == Outcome::Failed;
    std::process::exit(if failed { FAILED.into() } else { 0 });
}

/// What a load needs, made from the words.
pub(super) struct Prepared {
    pub(super) pipeline: Pipeline,
    pub(super) source: JsonSource,
    pub(super) options: RunOptions,
}

pub(super) fn prepare(cli: &Cli, args: &LoadArgs) -> Result<Prepared> {
    let memory = machine::memory(args.memory.as_deref())?;
    let threads = machine::threads(args.threads);
    let addresses = Addresses::here(machine::limits(threads, memory))?;
    let at = &args.place;
    let place = Place::find(&addresses, &at.pipeline, &at.destination, at.dataset.as_deref())?;
    let settings = settings(args)?;
    let source = source(args, memory)?;
    let options = RunOptions {
        dataset: place.dataset.clone(),
        schema_name: None,
        resources: vec![settings],
        on_error: args.on_error.into(),
        threads,
        fingerprint: fingerprint(args, &place)?,
        progress: Progress::default(),
    };
    let pipeline = Pipeline::open(&data_dir(cli.data_dir.as_ref())?, &place.pipeline, place.destinations)?
        .keep_packages_of(args.keep_packages)
        .connect_with(addresses.as_connect());
    Ok(Prepared { pipeline, source, options })
}

fn settings(args: &LoadArgs) -> Result<Settings> {
    let table = match &args.table {
        Some(table) => table.clone(),
        None => table_of(&args.inputs[0])?,
    };
    let system = args.system_columns.into();
    let paths = |texts: &[String]| texts.iter().map(|p| FieldPath::parse(p)).collect::<Result<Vec<_>>>();
    Ok(Settings {
        max_nesting: args.max_nesting,
        json_columns: paths(&args.json_columns)?,
        hints: args.hint.iter().map(|h| hint(h)).collect::<Result<_>>()?,
        write: args.write.rules(system)?,
        ..Settings::new(&table, system)
    })
}

/// `data/orders.2024.ndjson.gz` -> `orders`
fn table_of(input: &str) -> Result<String> {
    let unnamed = || Error::config("the table has no name").hint("name it with --table");
    if input == "-" {
        return Err(unnamed());
    }
    let name = Path::new(input).file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = name.split('.').next().unwrap_or_default();
    if stem.is_empty() || stem.contains(['*', '?', '[']) {
        return Err(unnamed());
    }
    Ok(stem.to_owned())
}

fn hint(text: &str) -> Result<(FieldPath, DataType)> {
    let known = DataType::ALL.map(DataType::as_str).join(", ");
    let wrong = || Error::config(format!("the hint '{text}' is not PATH=TYPE")).hint(format!("types are: {known}"));
    let (path, name) = text.rsplit_once('=').ok_or_else(wrong)?;
    let data_type = DataType::parse(name).ok_or_else(wrong)?;
    Ok((FieldPath::parse(path)?, data_type))
}

fn source(args: &LoadArgs, memory: u64) -> Result<JsonSource> {
    let select = args.select.as_deref().map(Select::parse).transpose().map_err(to_error)?;
    let inputs = Input::resolve(&args.inputs).map_err(to_error)?;
    let options = Options {
        select,
        block_bytes: (memory / 96).clamp(256 << 10, 4 << 20) as usize,
        // A record, its tape and its columns are in memory at once.
        max_record_bytes: memory.max(64 << 20) as usize,
    };
    let source = JsonSource::new(BlockReader::new(inputs, options), args.select.clone());
    Ok(if args.inputs.iter().any(|i| i == "-") { source.with_digest() } else { source })
}

/// Stands for what the user asked for: the same words in the same folder, and the same files as far
/// as size and time of change tell.
fn fingerprint(args: &LoadArgs, place: &Place) -> Result<String> {
    let folder =
        std::env::current_dir().map_err(|e| Error::config("the current folder is not to be found").source(e))?;
    let urls: Vec<&str> = place.destinations.iter().map(|d| d.url.as_str()).collect();
    let said = format!(
        "{:?}",
        (
            folder,
            files(args)?,
            &args.inputs,
            &args.table,
            &args.select,
            args.max_nesting,
            &args.json_columns,
            &args.hint,
            (args.system_columns, args.on_error, &args.write),
            &place.dataset,
            urls
        )
    );
    Ok(longshore_core::hash::content_hash(said.as_bytes()))
}

/// Size and time of change of each input.
fn files(args: &LoadArgs) -> Result<Vec<(String, u64, Option<std::time::SystemTime>)>> {
    let inputs = Input::resolve(&args.inputs).map_err(to_error)?;
    let facts = inputs.iter().filter_map(|i| {
        let metadata = std::fs::metadata(i.name()).ok()?;
        Some((i.name().to_owned(), metadata.len(), metadata.modified().ok()))
    });
    Ok(facts.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_named_after_files() {
        assert_eq!(table_of("data/orders.2024.ndjson.gz").unwrap(), "orders");
        assert!(table_of("-").is_err() && table_of("data/*.json").is_err());
    }
}
