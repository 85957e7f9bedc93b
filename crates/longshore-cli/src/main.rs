//! The `longshore` command. The only crate that reads the environment and prints.

mod args;
mod commands;
mod error;
mod machine;
mod place;
mod progress;
mod refresh;
mod say;
mod schema_args;
mod schema_text;
mod several;
mod sources;
mod summary;
mod surroundings;
mod write_args;

use clap::Parser;
use longshore_core::error::{Error, Result};
#[cfg(unix)]
use signal_hook::consts::SIGXFSZ;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

// DuckDB brings its own allocator; this one keeps our column builders' memory flat.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    full_files_are_errors();
    let cli = match args::Cli::try_parse_from(args::plan::complete(std::env::args_os().collect())) {
        Ok(cli) => cli,
        Err(e) => return error::usage(&e),
    };
    let done = start_tracing(&cli).and_then(|()| commands::run(&cli));
    let failure = match (done, say::failure()) {
        (Ok(code), None) => return code,
        (Err(e), _) | (Ok(_), Some(e)) => e,
    };
    let code = error::show(&failure, cli.json());
    // A document that could not be printed, either.
    if cli.json() && say::failure().is_some() { error::show(&failure, false) } else { code }
}

/// A file that grows beyond the limit of this process (`ulimit -f`) shall be a failed write, which says what it wrote; the
/// signal that comes with it would end the process without a word.
fn full_files_are_errors() {
    #[cfg(unix)]
    // What could not be registered leaves the process as it was: ended by the signal, and completed by the next run.
    let _ = signal_hook::flag::register(SIGXFSZ, std::sync::Arc::default());
}

/// Log lines go to stderr: `LONGSHORE_LOG` or `RUST_LOG` say which (`info`, `longshore_pipeline=debug`).
fn start_tracing(cli: &args::Cli) -> Result<()> {
    let filter = match ["LONGSHORE_LOG", "RUST_LOG"].iter().find_map(|name| filter(name)) {
        Some(filter) => filter?,
        None => EnvFilter::new(if cli.verbose { "info" } else { "warn" }),
    };
    let writer = std::io::stderr;
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(ansi).with_target(false).init();
    Ok(())
}

/// What a variable says of log lines; `None` when it is not there, or empty.
fn filter(name: &str) -> Option<Result<EnvFilter>> {
    let text = std::env::var(name).ok().filter(|text| !text.trim().is_empty())?;
    let wrong = |e| {
        Error::config(format!("{name} does not say which log lines there are to be"))
            .hint(format!("write a level, or levels of parts: {name}=info, {name}=longshore_pipeline=debug"))
            .source(e)
    };
    Some(EnvFilter::try_new(text).map_err(wrong))
}
