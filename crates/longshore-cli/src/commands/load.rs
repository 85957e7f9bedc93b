//! `longshore load`.

use crate::args::{Cli, LoadArgs, OnError, SystemColumns};
use crate::error::FAILED;
use crate::place::{Place, data_dir, reopen};
use crate::progress::Display;
use crate::summary;
use longshore_core::connect::Limits;
use longshore_core::error::{Error, Result};
use longshore_core::normalize::{self, FieldPath, Settings};
use longshore_core::schema::{self, DataType};
use longshore_pipeline::{Outcome, Pipeline, Progress, RunOptions};
use longshore_source_files::{BlockReader, Input, JsonSource, Options, Select, to_error};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Memory a load stays within when nobody says otherwise, if the machine has twice as much.
const DEFAULT_MEMORY: u64 = 256 << 20;
const LEAST_MEMORY: u64 = 32 << 20;

pub(crate) fn run(cli: &Cli, args: &LoadArgs) -> Result<ExitCode> {
    let memory = memory(args.memory.as_deref())?;
    let threads =
        args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZeroUsize::get)).max(1);
    let limits = Limits { threads: Some(threads), memory: Some(memory * 3 / 8) };
    let place = Place::of(&args.place, limits)?;
    let settings = settings(args)?;
    let mut source = source(args, memory)?;
    let progress = Progress::default();
    let options = RunOptions {
        dataset: place.dataset.clone(),
        resources: vec![settings],
        on_error: match args.on_error {
            OnError::Fail => normalize::OnError::Fail,
            OnError::Reject => normalize::OnError::Reject,
        },
        threads,
        fingerprint: fingerprint(args, &place)?,
        progress: progress.clone(),
    };
    let pipeline = Pipeline::open(&data_dir(cli.data_dir.as_ref())?, &place.pipeline, place.destinations)?
        .keep_packages_of(args.keep_packages)
        .connect_with(Arc::new(move |url| reopen(url, limits)));
    let display = Display::start(args.progress, progress, source.progress());
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

fn settings(args: &LoadArgs) -> Result<Settings> {
    let table = match &args.table {
        Some(table) => table.clone(),
        None => table_of(&args.inputs[0])?,
    };
    let system = match args.system_columns {
        SystemColumns::Native => schema::SystemColumns::Native,
        SystemColumns::Dlt => schema::SystemColumns::Dlt,
    };
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

/// Reads `256M`; the default is half of what the process may have, at most 256 MiB.
fn memory(given: Option<&str>) -> Result<u64> {
    let Some(text) = given else {
        let limit = cgroup_limit().unwrap_or(u64::MAX);
        return Ok((limit / 2).clamp(LEAST_MEMORY, DEFAULT_MEMORY));
    };
    let wrong =
        || Error::config(format!("'{text}' is no amount of memory")).hint("write bytes, or 256M, or 2G; at least 32M");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        _ => return Err(wrong()),
    };
    let amount: u64 = digits.parse().map_err(|_| wrong())?;
    amount.checked_mul(1 << shift).filter(|m| *m >= LEAST_MEMORY).ok_or_else(wrong)
}

/// What the control group allows this process (version 2, then 1).
fn cgroup_limit() -> Option<u64> {
    let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    files.iter().find_map(|f| std::fs::read_to_string(f).ok()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_named_after_files() {
        assert_eq!(table_of("data/orders.2024.ndjson.gz").unwrap(), "orders");
        assert!(table_of("-").is_err() && table_of("data/*.json").is_err());
    }

    #[test]
    fn memory_is_read_with_its_unit() {
        assert_eq!(memory(Some("64M")).unwrap(), 64 << 20);
        assert_eq!(memory(Some("2g")).unwrap(), 2 << 30);
        assert!(memory(Some("1M")).is_err() && memory(Some("lots")).is_err() && memory(Some("99999999999G")).is_err());
    }
}
