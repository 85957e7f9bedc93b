//! Errors as the user sees them: message, places, cause, hint, exit status.

use crate::say::say;
use longshore_core::error::{Error, ErrorKind};
use std::process::ExitCode;

/// The load failed.
pub(crate) const FAILED: u8 = 1;
/// Wrong usage or configuration.
pub(crate) const USAGE: u8 = 2;

/// Prints what clap found; `--help` and `--version` are no errors.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && std::env::args().any(|a| a == "--json") {
        let text = error.to_string();
        let message = text.trim_start_matches("error: ").lines().next().unwrap_or_default();
        return show(&Error::config(message).hint("see --help"), true);
    }
    let _ = error.print(); // nowhere left to report to
    ExitCode::from(if error.use_stderr() { USAGE } else { 0 })
}

/// Prints an error and returns its exit status.
pub(crate) fn show(error: &Error, json: bool) -> ExitCode {
    if json {
        say!("{}", to_json(error));
    } else {
        eprintln!("error: {error}");
        for cause in causes(error) {
            eprintln!("  caused by: {cause}");
        }
        if let Some(hint) = error.hint_text() {
            eprintln!("  hint: {hint}");
        }
    }
    ExitCode::from(status(error))
}

fn status(error: &Error) -> u8 {
    if error.kind() == ErrorKind::Config { USAGE } else { FAILED }
}

fn causes(error: &Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        let text = cause.to_string().trim().to_owned();
        // Some libraries' errors end with the text of their own cause.
        if !causes.last().is_some_and(|outer: &String| outer.ends_with(&text)) {
            causes.push(text);
        }
        next = cause.source();
    }
    causes
}

/// Lines, columns and bytes are numbers.
fn number_or_text(value: &str) -> serde_json::Value {
    value.parse::<u64>().map_or_else(|_| value.into(), Into::into)
}

fn to_json(error: &Error) -> serde_json::Value {
    let places: serde_json::Map<String, serde_json::Value> =
        error.context().iter().map(|(k, v)| ((*k).to_owned(), number_or_text(v))).collect();
    serde_json::json!({
        "outcome": "error",
        "error": error.message(),
        "where": places,
        "caused_by": causes(error),
        "hint": error.hint_text(),
    })
}
