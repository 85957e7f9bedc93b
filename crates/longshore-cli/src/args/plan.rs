//! Words of `longshore plan`.

use super::{LoadArgs, LoadsArgs, RunArgs};
use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;

/// With inputs it plans a load, without any the run of the project here; 'load' and 'run' may be said.
/// Exit status: 0 nothing would change but rows added, 3 tables, columns or rows that are there would change,
/// 4 a destination would refuse it, 1 and 2 as for a load.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(subcommand)]
    pub(crate) what: PlanWhat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlanWhat {
    /// What 'longshore load' with the same words would do
    Load {
        #[command(flatten)]
        load: Box<LoadArgs>,
        #[command(flatten)]
        options: PlanOptions,
    },
    /// What 'longshore run' with the same words would do
    Run {
        #[command(flatten)]
        run: Box<RunArgs>,
        #[command(flatten)]
        options: PlanOptions,
    },
    /// What loading a package that waits or is kept would do
    Package {
        /// Its load id [default: the only one that waits]
        load_id: Option<String>,
        #[command(flatten)]
        place: LoadsArgs,
        /// Print as one JSON document
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PlanOptions {
    /// Read only the first N records of each resource (an API's pages are read whole) [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) sample: Option<u64>,
}

impl PlanArgs {
    pub(crate) fn json(&self) -> bool {
        match &self.what {
            PlanWhat::Load { load, .. } => load.json,
            PlanWhat::Run { run, .. } => run.json,
            PlanWhat::Package { json, .. } => *json,
        }
    }
}

/// Says `load` or `run` after `plan` where the user did not: `plan data.json` is `plan load data.json`.
pub(crate) fn complete(words: Vec<OsString>) -> Vec<OsString> {
    let Some(plan) = words.iter().position(|w| w == "plan") else { return words };
    let said = ["load", "run", "package", "help", "-h", "--help"];
    let next_is_said = words.get(plan + 1).is_some_and(|w| said.iter().any(|s| w == s));
    let alone = super::Cli::try_parse_from([&words[..plan], &["plan".into(), "run".into()]].concat());
    let is_command = alone.is_ok_and(|cli| matches!(cli.command, super::Command::Plan(_)));
    if next_is_said || !is_command {
        return words;
    }
    let with = |word: &str| [&words[..=plan], &[word.into()], &words[plan + 1..]].concat();
    let load = with("load");
    match super::Cli::try_parse_from(&load) {
        Err(e) if e.kind() == ErrorKind::MissingRequiredArgument => with("run"),
        Err(_) if super::Cli::try_parse_from(with("run")).is_ok() => with("run"),
        _ => load,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(words: &str) -> String {
        let words = complete(words.split(' ').map(OsString::from).collect());
        words.iter().map(|w| w.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_to_plan_is_seen_from_the_words() {
        assert_eq!(completed("longshore plan a.json --sample 3"), "longshore plan load a.json --sample 3");
        assert_eq!(completed("longshore plan"), "longshore plan run");
        assert_eq!(completed("longshore plan --json --sample 5"), "longshore plan run --json --sample 5");
        assert_eq!(completed("longshore plan run --json"), "longshore plan run --json");
        assert_eq!(completed("longshore --data-dir d plan a.json"), "longshore --data-dir d plan load a.json");
        assert_eq!(completed("longshore load plan"), "longshore load plan");
        assert_eq!(completed("longshore plan --help"), "longshore plan --help");
    }
}
