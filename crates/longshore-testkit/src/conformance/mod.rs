//! The conformance suite: a destination is whatever passes it.
//!
//! Each case is one named behaviour and has an empty place of its own. Where a destination may do
//! one thing or another, its capabilities say which, and the case for that one runs; no case is
//! left out in silence. Run one by its name: `cargo test -p <crate> --test conformance -- repeat::`.

mod contracts;
mod evolution;
mod first_load;
mod growth;
mod hints;
mod looking;
mod memory_of_loads;
mod names;
mod nested;
mod parts;
mod place;
mod refresh;
mod repeat;
mod sequences;
mod sharing;
mod turns;
mod types;
mod versions;
mod visibility;
mod write;

use crate::harness::Harness;
use libtest_mimic::{Arguments, Failed, Trial};
use longshore_core::capabilities::Capabilities;
use longshore_core::{Error, Result};
pub use place::PIPELINE;
use place::Place;
use std::error::Error as _;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// A named behaviour.
struct Case {
    name: String,
    run: Run,
}

type Run = Box<dyn Fn(Place) -> Pin<Box<dyn Future<Output = Result<()>> + Send>> + Send>;

/// Makes a list of cases from functions, named `module::function`.
macro_rules! cases {
    ($($function:ident),* $(,)?) => {{
        let module = module_path!().rsplit("::").next().unwrap_or_default();
        vec![$($crate::conformance::Case {
            name: format!("{module}::{}", stringify!($function)),
            run: Box::new(|at| Box::pin($function(at))),
        }),*]
    }};
}
use cases;

/// Runs the suite as a test binary's `main`, with the usual arguments of `cargo test`.
pub fn main(harness: Arc<dyn Harness>) -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), trials(harness)).exit_code()
}

/// Returns the suite as tests. A destination that cannot be opened has one test, which fails.
pub fn trials(harness: Arc<dyn Harness>) -> Vec<Trial> {
    match runtime().block_on(capabilities(&*harness)) {
        Ok(capabilities) => {
            cases_for(&capabilities).into_iter().map(|case| trial(case, Arc::clone(&harness))).collect()
        }
        Err(error) => {
            let message = explain(&error);
            vec![Trial::test("the_destination_opens", move || Err(Failed::from(message)))]
        }
    }
}

fn cases_for(capabilities: &Capabilities) -> Vec<Case> {
    let mut cases = first_load::cases();
    cases.extend(types::cases());
    cases.extend(names::cases(capabilities));
    cases.extend(growth::cases());
    cases.extend(parts::cases(capabilities));
    cases.extend(visibility::cases(capabilities));
    cases.extend(repeat::cases());
    cases.extend(memory_of_loads::cases());
    cases.extend(sharing::cases());
    cases.extend(turns::cases(capabilities));
    cases.extend(refresh::cases(capabilities));
    cases.extend(looking::cases());
    cases.extend(write::cases(capabilities));
    cases.extend(versions::cases(capabilities));
    cases.extend(sequences::cases(capabilities));
    cases.extend(evolution::cases(capabilities));
    cases.extend(contracts::cases());
    cases.extend(hints::cases(capabilities));
    cases
}

async fn capabilities(harness: &dyn Harness) -> Result<Capabilities> {
    let site = harness.site().await?;
    let capabilities = site.open().await?.capabilities().clone();
    site.clean().await?;
    Ok(capabilities)
}

fn trial(case: Case, harness: Arc<dyn Harness>) -> Trial {
    Trial::test(case.name, move || {
        runtime().block_on(async {
            let site = harness.site().await.map_err(|e| Failed::from(explain(&e)))?;
            // As a task of its own, so that the place is cleaned after a panic too.
            let outcome = tokio::spawn((case.run)(Place::new(Arc::clone(&site)))).await;
            let cleaned = site.clean().await;
            match outcome {
                Ok(outcome) => outcome.and(cleaned).map_err(|e| Failed::from(explain(&e))),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        })
    })
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime starts")
}

/// Returns an error with its causes, for the person at the terminal.
fn explain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        text.push_str(&format!("\n  because: {e}"));
        cause = e.source();
    }
    text
}
