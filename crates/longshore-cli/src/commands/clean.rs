//! `longshore clean`.

use super::runtime;
use crate::args::CleanArgs;
use crate::place::{Addresses, Place};
use crate::say::say;
use longshore_core::connect::Limits;
use longshore_core::error::{Error, Result};
use longshore_destination_filesystem::{Config, Filesystem};
use std::process::ExitCode;

pub(crate) fn run(args: &CleanArgs) -> Result<ExitCode> {
    let place = Place::of(&args.place, Limits::default())?;
    let addresses = Addresses::here(Limits::default())?;
    for (i, of) in place.destinations.iter().enumerate() {
        if longshore_destinations::kind(&of.url)?.name != "filesystem" {
            return Err(Error::config("there is nothing to clean: interrupted loads leave nothing there")
                .with("destination", &of.destination)
                .hint("name a folder or a bucket with --destination"));
        }
        // The word the user gave: it may be a name with credentials in the project.
        let word = args.place.destination.get(i).unwrap_or(&of.url);
        let connection = addresses.connection(word, &place.pipeline)?;
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
