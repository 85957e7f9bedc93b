//! `longshore check`: everything that is wrong with a project's configuration, with its place.

use crate::args::CheckArgs;
use crate::error::{USAGE, causes};
use crate::place::{Addresses, Place};
use crate::say::say;
use crate::{sources, surroundings};
use longshore_config::{Problem, Project, Section};
use longshore_core::connect::{Connection, Limits};
use longshore_core::error::{Error, Result};
use longshore_core::package::Target;
use serde_json::json;
use std::collections::HashSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

pub(crate) fn run(args: &CheckArgs) -> Result<ExitCode> {
    if args.schema {
        say!("{:#}", sources::whole_schema());
        return Ok(ExitCode::SUCCESS);
    }
    let surroundings = surroundings::named(args.project.as_deref())?;
    let folder = surroundings.project.clone();
    let (project, mut problems) = match Project::look(surroundings) {
        Ok(looked) => looked,
        Err(problems) => return Ok(tell(&problems.0, &[], args)),
    };
    let of_vaults = project.vault_problems();
    let asks = args.connect && of_vaults.is_empty();
    let project = Arc::new(if asks { project } else { project.without_asking_vaults() });
    problems.extend(of_vaults);
    if !project.has_file() {
        return Err(Error::config(format!("there is no {}", project.file()))
            .hint("make a project with: longshore init files duckdb"));
    }
    let mut found = Vec::new();
    for name in project.sources() {
        problems.extend(source(&project, name, &folder, args.connect, &mut found));
    }
    if project.sources().is_empty() {
        found.push("no source is declared, so that there is nothing for 'longshore run'".to_owned());
    }
    let addresses = Addresses::new(Arc::clone(&project), Limits::default());
    for word in words(&project) {
        problems.extend(destination(&project, &addresses, &word, args.connect, &mut found));
    }
    problems.extend(named_twice(&project, &addresses));
    // A vault is asked for by each section that needs it, and a section that is no table is met twice.
    let mut said = HashSet::new();
    problems.retain(|p| said.insert((p.origin.to_string(), p.path.clone())));
    Ok(tell(&problems, &found, args))
}

/// Checks a source; to connect, what it reads is asked for too.
fn source(project: &Project, name: &str, folder: &Path, connect: bool, found: &mut Vec<String>) -> Vec<Problem> {
    let section = match project.source(name) {
        Ok(section) => section,
        Err(problems) => return problems.0,
    };
    let kind = match sources::kind(&section) {
        Ok(kind) => kind,
        Err(problem) => return vec![problem],
    };
    let resources = (kind.resources)(&section);
    found.push(format!("source {name} ({}): {}", section.kind, resources.join(", ")));
    found.extend(unasked(&section));
    let problems = sources::problems(&section, folder);
    if !connect || !problems.is_empty() {
        return problems;
    }
    match (kind.connect)(&section, &sources::Context::to_look(folder)) {
        Ok(answer) => {
            found.push(format!("source {name}: {answer}"));
            Vec::new()
        }
        Err(e) => {
            let causes = causes(&e).into_iter().map(|cause| format!(": {cause}"));
            let problem = section.problem::<&str>(&[], format!("{e}{}", causes.collect::<String>()));
            vec![problem.maybe_hint(e.hint_text().map(str::to_owned))]
        }
    }
}

/// Every name of `[destinations]`, and what `[pipeline]` names besides.
fn words(project: &Project) -> Vec<String> {
    let mut words: Vec<String> = project.destinations().into_iter().map(str::to_owned).collect();
    words.extend(project.pipeline().destinations.iter().filter(|d| !words.contains(d)).cloned().collect::<Vec<_>>());
    words
}

fn destination(
    project: &Project,
    addresses: &Addresses,
    word: &str,
    connect: bool,
    found: &mut Vec<String>,
) -> Vec<Problem> {
    let target = match project.destination(word, &crate::place::kinds()) {
        Ok(target) => target,
        Err(problems) => return problems.0,
    };
    if let Some(section) = &target.section {
        let problems = settings_problems(section, &target.url);
        if !problems.is_empty() {
            return problems;
        }
    }
    let pipeline = Place::pipeline_of(project);
    let checked = addresses.connection(word, &pipeline).and_then(|connection| try_out(&connection, connect));
    match checked {
        Ok(shown) => {
            found.push(format!("destination {word}: {shown}"));
            found.extend(target.section.as_ref().and_then(unasked));
            Vec::new()
        }
        Err(e) => {
            let problem = at_its_place(target.section.as_ref(), project, &e);
            let unasked = target.section.as_ref().and_then(|s| Some((unasked(s)?, s)));
            match unasked {
                // What is wrong may be the stars; a key with a value of its own is none of them.
                Some((said, section)) if !names_a_key(&problem, section) => {
                    found.push(said);
                    Vec::new()
                }
                _ => vec![problem],
            }
        }
    }
}

/// Everything that is wrong with the form of a destination's section, and its kind.
fn settings_problems(section: &Section, url: &str) -> Vec<Problem> {
    let kind = match longshore_destinations::kind(url) {
        Ok(kind) => kind,
        Err(e) => return vec![section.problem_of(&["type"], &e)],
    };
    let mut tree = section.to_json();
    if let Some(table) = tree.as_object_mut() {
        let named = ["type", "destination_type", "url"].map(str::to_owned);
        // Stars stand for what only a vault has.
        let start = format!("destinations.{}.", section.name);
        let unasked = section.unasked().iter().filter_map(|path| path.strip_prefix(&start).map(str::to_owned));
        named.into_iter().chain(unasked).for_each(|key| _ = table.remove(&key));
    }
    let found = longshore_source_rest::check(&(kind.settings)(), &tree, "");
    found.into_iter().map(|problem| sources::at_its_place(section, problem)).collect()
}

/// Says which secrets were not looked for, and how they would be.
fn unasked(section: &Section) -> Option<String> {
    let keys = section.unasked();
    let said = format!("not looked for in the vaults without --connect: {}", keys.join(", "));
    (!keys.is_empty()).then_some(said)
}

/// True when a problem is about a key of the section whose value is known.
fn names_a_key(problem: &Problem, section: &Section) -> bool {
    let below = problem.path.strip_prefix(&format!("destinations.{}.", section.name));
    below.is_some() && !section.unasked().contains(&problem.path)
}

/// A run refuses to load twice into the same place. What cannot be read is told of elsewhere.
fn named_twice(project: &Project, addresses: &Addresses) -> Option<Problem> {
    let pipeline = Place::pipeline_of(project);
    let urls = project.pipeline().destinations.iter().filter_map(|word| addresses.find(word, &pipeline).ok());
    let mut seen = HashSet::new();
    let (twice, _) = urls.into_iter().find(|(url, _)| !seen.insert(url.clone()))?;
    let problem = project.pipeline_problem("destination", format!("the same destination is named twice: {twice}"));
    Some(problem.hint("name each destination once; different words may mean the same place"))
}

/// Asks what a pipeline that is hardly there has loaded: an answer is what counts. Nothing is made for it.
fn try_out(connection: &Connection, connect: bool) -> Result<String> {
    let destination = longshore_destinations::open(connection)?;
    (longshore_destinations::kind(&connection.url)?.canonical)(connection)?;
    if connect {
        let target = Target { pipeline: "longshore_check".to_owned(), dataset: "longshore_check".to_owned() };
        super::runtime()?.block_on(destination.last_committed(&target))?;
        return Ok(format!("{destination} answers"));
    }
    Ok(destination.to_string())
}

fn at_its_place(section: Option<&Section>, project: &Project, error: &Error) -> Problem {
    let problem = match section {
        Some(section) => section.problem_from_message(error.message()),
        None => project.pipeline_problem("destination", error.to_string()),
    };
    let hint = problem.hint.clone().or_else(|| error.hint_text().map(str::to_owned));
    problem.maybe_hint(hint)
}

fn tell(problems: &[Problem], found: &[String], args: &CheckArgs) -> ExitCode {
    if args.json {
        say!("{}", json!({ "valid": problems.is_empty(), "problems": problems, "found": found }));
    } else if problems.is_empty() {
        for line in found {
            say!("{line}");
        }
        say!("the configuration is valid");
    } else {
        for problem in problems {
            eprintln!("{problem}");
            if let Some(hint) = &problem.hint {
                eprintln!("  hint: {hint}");
            }
        }
        let n = problems.len();
        eprintln!("{n} problem{}", if n == 1 { "" } else { "s" });
    }
    ExitCode::from(if problems.is_empty() { 0 } else { USAGE })
}
