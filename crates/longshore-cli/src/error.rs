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
        return show(&of_clap(&error.to_string()), true);
    }
    let _ = error.print(); // nowhere left to report to
    ExitCode::from(if error.use_stderr() { USAGE } else { 0 })
}

/// What clap says, as one line and a hint: the list under its first line belongs to the message.
fn of_clap(text: &str) -> Error {
    let mut paragraphs = text.trim_start_matches("error: ").split("\n\n");
    let in_one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let message = in_one_line(paragraphs.next().unwrap_or_default());
    let tip = paragraphs.find_map(|p| p.trim_start().strip_prefix("tip: ").map(in_one_line));
    Error::config(message).hint(tip.unwrap_or_else(|| "see --help".to_owned()))
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

/// The causes of an error, the nearest first.
pub(crate) fn causes(error: &Error) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clap_lists_is_in_the_message() {
        let text =
            "error: the following required arguments were not provided:\n  <INPUT>...\n\nUsage: longshore load\n";
        let error = of_clap(text);
        assert_eq!(error.message(), "the following required arguments were not provided: <INPUT>...");
        assert_eq!(error.hint_text(), Some("see --help"));
        let error = of_clap(
            "error: unexpected argument '--tabel' found\n\n  tip: a similar argument exists: '--table'\n\nUsage:",
        );
        assert_eq!(error.message(), "unexpected argument '--tabel' found");
        assert_eq!(error.hint_text(), Some("a similar argument exists: '--table'"));
    }
}
