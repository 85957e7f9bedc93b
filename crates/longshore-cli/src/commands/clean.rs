//! `longshore clean`.

use super::runtime;
use crate::args::{CleanArgs, Cli};
use crate::place::{Addresses, Place, data_dir};
use crate::say::say;
use longshore_core::connect::Limits;
use longshore_core::error::{Error, Result};
use longshore_destination_filesystem::{Config, Filesystem};
use std::process::ExitCode;

pub(crate) fn run(cli: &Cli, args: &CleanArgs) -> Result<ExitCode> {
    let addresses = Addresses::here(Limits::default())?;
    let place = Place::of_loads(&addresses, &data_dir(cli.data_dir.as_ref())?, args.place.said())?;
    for word in to_clean(&place, args)? {
        let (_, connection) = addresses.find(word, &place.pipeline)?;
        let destination = Filesystem::new(Config::from_connection(&connection)?)?;
        let report = runtime()?.block_on(destination.clean(&place.dataset, args.dry_run))?;
        if args.json {
            say!(
                "{}",
                serde_json::json!({ "destination": destination.to_string(), "dataset": place.dataset, "dry_run": args.dry_run, "removed": report })
            );
            continue;
        }
        let verb = if args.dry_run { "would remove" } else { "removed" };
        say!("{destination} dataset {}", place.dataset);
        if !report.found {
            say!("  there is nothing: check --destination and --dataset, if something should be");
            continue;
        }
        say!(
            "  {verb} {} files ({} bytes) of {} interrupted loads",
            report.files.len(),
            report.bytes,
            report.loads.len()
        );
        report.files.iter().for_each(|file| say!("  {file}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The folders and buckets among the place's destinations. Others need no cleaning, which is an error only where the
/// user names one.
fn to_clean<'a>(place: &'a Place, args: &CleanArgs) -> Result<Vec<&'a str>> {
    let is_named = !args.place.at.destination.is_empty();
    let mut words = Vec::new();
    let mut other = None;
    for (of, word) in place.all().iter().zip(&place.words) {
        match longshore_destinations::kind(&of.url)?.name {
            "filesystem" => words.push(word.as_str()),
            _ => other = other.or(Some(&of.destination)),
        }
    }
    match other {
        Some(other) if is_named || words.is_empty() => {
            Err(Error::config("there is nothing to clean: interrupted loads leave nothing there")
                .with("destination", other)
                .hint("name a folder or a bucket with --destination"))
        }
        _ => Ok(words),
    }
}
