//! `longshore tables`.

use super::runtime;
use crate::args::{Cli, TablesArgs};
use crate::place::{Addresses, Place, data_dir};
use crate::say::say;
use crate::summary::number;
use longshore_core::connect::Limits;
use longshore_core::error::{Error, Result};
use std::process::ExitCode;

pub(crate) fn run(cli: &Cli, args: &TablesArgs) -> Result<ExitCode> {
    let addresses = Addresses::here(Limits::default())?;
    let place = Place::to_read(&addresses, &data_dir(cli.data_dir.as_ref())?, args.place.said())?;
    let destination = &place.first().destination;
    let tables = runtime()?.block_on(destination.tables(&place.dataset))?;
    if tables.is_empty() {
        return Err(Error::destination("there is nothing in the dataset")
            .with("dataset", &place.dataset)
            .with("destination", destination)
            .hint("check --destination, --dataset and --pipeline, or load something"));
    }
    if args.json {
        say!(
            "{}",
            serde_json::json!({ "destination": destination.to_string(), "dataset": place.dataset, "tables": tables })
        );
        return Ok(ExitCode::SUCCESS);
    }
    let width = tables.iter().map(|t| t.table.chars().count()).max().unwrap_or(0);
    say!("{destination} dataset {}", place.dataset);
    for t in &tables {
        say!("  {:width$}  {:>12} rows", t.table, number(t.rows));
    }
    Ok(ExitCode::SUCCESS)
}
