//! What the destinations of a run know already: which schema and state to go on from, and which destinations
//! cannot take part.
//!
//! The newest committed schema and state count. A destination whose state is older than that, with no package
//! left that would bring it up, does not take part: rows between the two states would be missing there for good.
//! Its user is told to load into it alone first, which goes on from its own state.

use crate::pipeline::{DestinationRef, Pipeline};
use crate::resume::{chain, runtime};
use longshore_core::destination::Committed;
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::package::Target;
use std::thread;

/// Where a run begins.
pub(crate) struct Standing {
    /// The newest schema and state.
    pub(crate) known: Option<Committed>,
    /// Why a destination of the pipeline does not take part, one entry for each.
    pub(crate) out: Vec<Option<Error>>,
    /// Which of them get no package of this run either: it would leave a gap there.
    pub(crate) behind: Vec<bool>,
    /// What the user should know of the choice.
    pub(crate) notes: Vec<String>,
}

/// Asks every destination that is not `out` already.
///
/// # Errors
/// When none is left.
pub(crate) fn standing(pipeline: &Pipeline, target: &Target, mut out: Vec<Option<Error>>) -> Result<Standing> {
    let destinations = pipeline.destinations();
    let mut known: Vec<Option<Committed>> = Vec::new();
    for (i, answer) in ask(destinations, target, &out).into_iter().enumerate() {
        known.push(match answer {
            Ok(committed) => committed,
            Err(e) => {
                out[i] = Some(e);
                None
            }
        });
    }
    none_left(destinations, &mut out)?;
    let newest =
        (0..known.len()).filter(|&i| known[i].is_some()).max_by_key(|&i| known[i].as_ref().map(|c| &c.load_id));
    let mut notes = Vec::new();
    let mut behind = vec![false; out.len()];
    if let Some(newest) = newest {
        for (i, finding) in compare(pipeline, &known, newest) {
            match finding {
                Finding::Behind(why) if out[i].is_none() => {
                    behind[i] = true;
                    out[i] = Some(why);
                }
                Finding::New(note) if out[i].is_none() => notes.push(note),
                Finding::Behind(_) | Finding::New(_) => {}
            }
        }
        if pipeline.store().is_new() && destinations.len() > 1 {
            notes
                .push(format!("the working folder is new: schema and state are those of {}", destinations[newest].url));
        }
    }
    let known = newest.and_then(|i| known.swap_remove(i));
    Ok(Standing { known, out, behind, notes })
}

/// An error when no destination can take part, which gives each one's reason.
pub(crate) fn none_left(destinations: &[DestinationRef], out: &mut [Option<Error>]) -> Result<()> {
    if out.is_empty() || out.iter().any(Option::is_none) {
        return Ok(());
    }
    none_fails(destinations, out)
}

/// An error when one of the destinations has one, which gives the reasons of all that have.
pub(crate) fn none_fails(destinations: &[DestinationRef], out: &mut [Option<Error>]) -> Result<()> {
    let errors = destinations.iter().zip(out).filter_map(|(d, out)| Some((d.url.as_str(), out.take()?)));
    let errors: Vec<(&str, Error)> = errors.collect();
    if errors.is_empty() { Ok(()) } else { Err(together(errors, destinations.len())) }
}

/// One error of those of some of the destinations.
fn together(mut errors: Vec<(&str, Error)>, of: usize) -> Error {
    if errors.len() == 1 {
        return errors.remove(0).1;
    }
    let kind = errors.first().map_or(ErrorKind::Internal, |(_, e)| e.kind());
    let reason = |(url, e): &(&str, Error)| {
        let text = chain(e);
        if text.contains(url) { text } else { format!("{url}: {text}") }
    };
    let reasons: Vec<String> = errors.iter().map(reason).collect();
    let mut hints: Vec<&str> = errors.iter().filter_map(|(_, e)| e.hint_text()).collect();
    hints.dedup();
    let how_many = if errors.len() == of { "none".to_owned() } else { format!("{}", of - errors.len()) };
    let error = Error::new(kind, format!("{how_many} of {of} destinations can be used: {}", reasons.join("; ")));
    if hints.is_empty() { error } else { error.hint(hints.join("; ")) }
}

pub(crate) fn ask(
    destinations: &[DestinationRef],
    target: &Target,
    out: &[Option<Error>],
) -> Vec<Result<Option<Committed>>> {
    let ask_one = |d: &DestinationRef| runtime()?.block_on(d.destination.last_committed(target));
    if let [only] = destinations {
        return vec![ask_one(only)];
    }
    thread::scope(|scope| {
        let asked: Vec<_> = destinations
            .iter()
            .zip(out)
            .map(|(d, out)| out.is_none().then(|| scope.spawn(move || ask_one(d))))
            .collect();
        let answer = |thread: thread::ScopedJoinHandle<'_, Result<Option<Committed>>>| {
            thread.join().unwrap_or_else(|_| Err(Error::internal("a thread that asked a destination panicked")))
        };
        asked.into_iter().map(|thread| thread.map_or(Ok(None), answer)).collect()
    })
}

enum Finding {
    Behind(Error),
    New(String),
}

fn compare(pipeline: &Pipeline, known: &[Option<Committed>], newest: usize) -> Vec<(usize, Finding)> {
    let destinations = pipeline.destinations();
    let Some(best) = known[newest].as_ref().filter(|c| c.state.is_some()) else { return Vec::new() };
    let (from, load) = (&destinations[newest].url, &best.load_id);
    let others = destinations.iter().enumerate().filter(|(i, _)| *i != newest);
    let findings = others.filter_map(|(i, d)| match &known[i] {
        Some(own) if own.state == best.state => None,
        Some(own) => Some((i, Finding::Behind(behind(pipeline, d, own, from, best)))),
        None => {
            let note = format!("{} has none of this pipeline's earlier loads: it begins with this one, after the state of load {load} at {from}; packages still kept can be replayed to it", d.url);
            Some((i, Finding::New(note)))
        }
    });
    findings.collect()
}

fn behind(pipeline: &Pipeline, d: &DestinationRef, own: &Committed, from: &str, best: &Committed) -> Error {
    let message = format!(
        "the destination's state is that of load {}, older than load {} at {from}: rows between them would be missing",
        own.load_id, best.load_id
    );
    let replay = match pipeline.store().keeps_rows() {
        true => {
            format!(
                "give it the packages still kept (longshore pipeline {} replay --to {}), or ",
                pipeline.name(),
                d.url
            )
        }
        false => String::new(),
    };
    Error::destination(message).with("destination", &d.url).hint(format!(
        "bring it up first: {replay}run once with this destination alone, which goes on from its own state"
    ))
}
