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
use std::process::ExitCode;

// DuckDB brings its own allocator; this one keeps our column builders' memory flat.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match args::Cli::try_parse_from(args::plan::complete(std::env::args_os().collect())) {
        Ok(cli) => cli,
        Err(e) => return error::usage(&e),
    };
    start_tracing(&cli);
    match commands::run(&cli) {
        Ok(code) => code,
        Err(e) => error::show(&e, cli.json()),
    }
}

/// Log lines go to stderr: `LONGSHORE_LOG` or `RUST_LOG` say which (`info`, `longshore_pipeline=debug`).
fn start_tracing(cli: &args::Cli) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("LONGSHORE_LOG").or_else(|_| EnvFilter::try_from_default_env());
    let filter = filter.unwrap_or_else(|_| EnvFilter::new(if cli.verbose { "info" } else { "warn" }));
    let writer = std::io::stderr;
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(ansi).with_target(false).init();
}
