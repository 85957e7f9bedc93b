//! Jobs that earlier runs of a load left failed, however many: they are passed by, and the load goes on under the next names.

#[allow(dead_code)] // the other tests use the rest
mod server;

use longshore_core::connect::Connection;
use longshore_core::destination::CommitOutcome;
use longshore_testkit::fixture::{PackageBuilder, load};
use serde_json::json;
use server::Server;
use server::between::{Fate, job_of, start};
use std::sync::LazyLock;

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

/// More than BigQuery's own retries of two runs.
const FAILED: u32 = 60;

/// What is answered to requests that make, or ask for, a job which failed in an earlier run.
fn of_earlier_job(request: &str) -> Fate {
    let Some((id, makes)) = job_of(request) else { return Fate::Passes };
    // The first job of a file has no number.
    let number = id.rsplit('_').next().and_then(|n| n.parse::<u32>().ok()).unwrap_or(0);
    if number >= FAILED {
        return Fate::Passes;
    }
    if makes {
        let taken = json!({"error": {"code": 409, "message": "Already Exists", "errors": [{"reason": "duplicate"}]}});
        return Fate::Answered(409, taken.to_string());
    }
    let message = "Transaction is aborted due to concurrent update against table p.d.t";
    let failed = json!({"status": {"state": "DONE", "errorResult": {"reason": "invalidQuery", "message": message}}});
    Fate::Answered(200, failed.to_string())
}

#[test]
fn failed_jobs_of_earlier_runs_do_not_end_a_load() {
    let connection = Connection::new(format!("bigquery://local?endpoint={}", start(&SERVER.endpoint, of_earlier_job)));
    let destination = longshore_destination_bigquery::open(&connection).expect("the settings are right");
    let package = PackageBuilder::new("earlier", "earlier_jobs", 1).json("orders", r#"{"id":1} {"id":2}"#).build();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let outcome = runtime.block_on(load(&*destination, &package)).expect("the next names are free");
    assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");
    assert_eq!(SERVER.read("earlier_jobs", "orders").expect("a table").rows.len(), 2);
}
