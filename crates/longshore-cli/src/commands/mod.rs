//! One file a command.

mod check;
#[cfg(feature = "filesystem")]
mod clean;
mod init;
mod load;
mod pipeline;
mod plan;
mod query;
mod run;
mod tables;
mod upkeep;

use crate::args::{Cli, Command};
use crate::error::FAILED;
use crate::say::say;
use crate::summary;
use clap::CommandFactory;
use longshore_core::error::Result;
use longshore_pipeline::{FinishedRun, Outcome, Pipeline};
use std::process::ExitCode;

/// Runs the command and returns the exit status.
pub(crate) fn run(cli: &Cli) -> Result<ExitCode> {
    match &cli.command {
        Command::Load(args) => load::run(cli, args),
        Command::Run(args) => run::run(cli, args),
        Command::Plan(args) => plan::run(cli, args),
        Command::Check(args) => check::run(args),
        Command::Init(args) => init::run(args),
        Command::Query(args) => query::run(cli, args),
        Command::Tables(args) => tables::run(cli, args),
        Command::Pipeline(args) => pipeline::run(cli, args),
        #[cfg(feature = "filesystem")]
        Command::Clean(args) => clean::run(cli, args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "longshore", &mut script);
            say!("{}", String::from_utf8_lossy(&script).trim_end());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Prints what a load or a run did, and ends the process.
fn end(pipeline: &Pipeline, finished: FinishedRun, as_json: bool) -> Result<ExitCode> {
    let shown = summary::print(&finished.report, as_json);
    summary::print_failures(&finished.report);
    pipeline.note_trace(&finished.report)?;
    shown?;
    // Last of all: from here on, the same command is a new load.
    let failed = finished.acknowledge()?.outcome == Outcome::Failed;
    std::process::exit(if failed { FAILED.into() } else { 0 });
}

/// A runtime for the few calls a command makes.
fn runtime() -> Result<tokio::runtime::Runtime> {
    use longshore_core::error::Error;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::internal("cannot start a runtime").source(e))
}
