//! Commits that meet others of their pipeline, and those nobody can ask about: no load is brought beside one that it does not know of,
//! and none twice.

#[allow(dead_code)] // the other tests use the rest
mod server;

use longshore_core::connect::Connection;
use longshore_core::destination::{CommitOutcome, Destination};
use longshore_core::error::{ErrorKind, Result};
use longshore_testkit::fixture::{Package, PackageBuilder, load};
use serde_json::json;
use server::Server;
use server::between::{Fate, job_of, start};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

fn open(url: &str) -> Arc<dyn Destination> {
    let mut connection = Connection::new(format!("bigquery://local?endpoint={url}"));
    // Longer than a commit takes, so that one whose reply was lost is asked for again.
    connection.settings.insert("retry_deadline".into(), json!(6));
    longshore_destination_bigquery::open(&connection).expect("the settings are right")
}

fn run(destination: &dyn Destination, package: &Package) -> Result<CommitOutcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(load(destination, package))
}

fn rows(dataset: &str, table: &str) -> usize {
    SERVER.read(dataset, table).expect("the table is there").rows.len()
}

/// BigQuery cancels one of two transactions that change the same row, and only those: rows that two of them add do not
/// collide. Here the slower one of two is cancelled in that way, after the other has committed.
#[test]
fn of_two_overlapping_commits_one_is_cancelled_and_then_refused() {
    let package = |n, known: Option<&Package>| {
        let package = PackageBuilder::new("overlap", "overlap", n).fenced(known);
        let package = match known {
            Some(known) => package.after(known),
            None => package,
        };
        package.json("t", &format!("{{\"a\":{n}}}")).build()
    };
    let first = package(1, None);
    let [fast, slow] = [2, 3].map(|n| package(n, Some(&first)));
    let scripts = Arc::new(Mutex::new(Vec::<String>::new()));
    let kept = Arc::clone(&scripts);
    let url = start(&SERVER.endpoint, move |request| match job_of(request) {
        Some((id, makes)) if id.contains("_commit_") => {
            let is_first = id.ends_with("_commit_0_0");
            if makes {
                kept.lock().expect("not poisoned").push(request.to_owned());
            }
            let message = "Transaction is aborted due to concurrent update against table local:overlap_staging.x";
            let error = json!({"reason": "invalidQuery", "message": message});
            let cancelled = json!({"status": {"state": "DONE", "errorResult": error}});
            if is_first { Fate::Answered(200, cancelled.to_string()) } else { Fate::Passes }
        }
        _ => Fate::Passes,
    });
    for package in [&first, &fast] {
        let outcome = run(&*open(&SERVER.endpoint), package).expect("it is loaded");
        assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");
    }
    let error = run(&*open(&url), &slow).expect_err("another was faster");
    assert!(error.message().starts_with("another run of the pipeline has loaded meanwhile"), "{error:?}");
    assert_eq!((rows("overlap", "t"), rows("overlap", "_loads")), (2, 2));
    let scripts = scripts.lock().expect("not poisoned");
    assert_eq!(scripts.len(), 2, "the one that was cancelled, and the next");
    for script in &*scripts {
        let begun = script.split_once("BEGIN TRANSACTION;\\n").expect("a transaction").1;
        let table = begun.strip_prefix("UPDATE `overlap_staging`.`").expect("a change is its first statement");
        let (table, rest) = table.split_once('`').expect("a name ends");
        assert!(rest.starts_with(" SET commits = commits + 1 WHERE TRUE;"), "{rest}");
        // The row is there, and the two commits that came through have changed it.
        assert_eq!(SERVER.read("overlap_staging", table).expect("a table").rows, [vec![json!(2)]]);
    }
}

/// The commit is done, its reply is lost, and for a while nobody can ask about the job: no other is started beside it, since it may
/// be running still. The next run of the command finds what it has done.
#[test]
fn no_second_commit_is_started_beside_one_that_cannot_be_asked_about() {
    let is_down = Arc::new(AtomicBool::new(true));
    let made = Arc::new(Mutex::new(Vec::<String>::new()));
    let (down, kept) = (Arc::clone(&is_down), Arc::clone(&made));
    let url = start(&SERVER.endpoint, move |request| match job_of(request) {
        Some((id, true)) if id.contains("_commit_") => {
            let mut made = kept.lock().expect("not poisoned");
            made.push(id);
            if made.len() == 1 { Fate::ReplyLost } else { Fate::Passes }
        }
        Some((id, false)) if id.contains("_commit_") && down.load(Ordering::SeqCst) => {
            Fate::Answered(503, json!({"error": {"code": 503, "message": "as ordered"}}).to_string())
        }
        _ => Fate::Passes,
    });
    let package = PackageBuilder::new("unasked", "unasked", 1).json("t", r#"{"a":1} {"a":2}"#).build();
    let error = run(&*open(&url), &package).expect_err("nobody knows what came of it");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    let ids = made.lock().expect("not poisoned").clone();
    assert!(ids.len() > 1 && ids.iter().all(|id| *id == ids[0]), "the same job, asked for again: {ids:?}");
    is_down.store(false, Ordering::SeqCst);
    let outcome = run(&*open(&url), &package).expect("it is found");
    assert_eq!(outcome, CommitOutcome::AlreadyCommitted);
    assert_eq!((rows("unasked", "t"), rows("unasked", "_loads")), (2, 1));
}
