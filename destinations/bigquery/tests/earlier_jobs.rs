//! Jobs that earlier runs of a load left failed, however many: they are passed by, and the load goes on under the next names.

#[allow(dead_code)] // the other tests use the rest
mod server;

use longshore_core::connect::Connection;
use longshore_core::destination::CommitOutcome;
use longshore_testkit::fixture::{PackageBuilder, load};
use serde_json::json;
use server::{Server, read_request};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::LazyLock;

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

/// More than BigQuery's own retries of two runs.
const FAILED: u32 = 60;

/// Stands before the emulator: the first jobs of each name were there already, and have failed.
fn start() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || forward(connection));
        }
    });
    url
}

fn forward(mut client: TcpStream) -> Option<()> {
    let request = read_request(&mut client)?;
    let text = String::from_utf8_lossy(&request).into_owned();
    if let Some((status, body)) = of_earlier_job(&text) {
        write!(client, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
            .ok()?;
        return None;
    }
    let mut server = TcpStream::connect(SERVER.endpoint.trim_start_matches("http://")).ok()?;
    server.write_all(&request).ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    client.write_all(&answer).ok()
}

/// What is answered to requests that make, or ask for, a job which failed in an earlier run.
fn of_earlier_job(request: &str) -> Option<(u16, String)> {
    let line = request.lines().next()?;
    let is_insert = line.starts_with("POST ") && line.contains("/jobs HTTP");
    let id = match is_insert {
        true => request.split("\"jobId\":\"").nth(1)?.split('"').next()?,
        false => line.strip_prefix("GET ")?.split("/jobs/").nth(1)?.split(['?', ' ']).next()?,
    };
    // The first job of a file has no number.
    let number = id.rsplit('_').next().and_then(|n| n.parse::<u32>().ok()).unwrap_or(0);
    if number >= FAILED {
        return None;
    }
    let message = "Transaction is aborted due to concurrent update against table p.d.t";
    let failed = json!({"status": {"state": "DONE", "errorResult": {"reason": "invalidQuery", "message": message}}});
    let taken = json!({"error": {"code": 409, "message": "Already Exists", "errors": [{"reason": "duplicate"}]}});
    Some(if is_insert { (409, taken.to_string()) } else { (200, failed.to_string()) })
}

#[test]
fn failed_jobs_of_earlier_runs_do_not_end_a_load() {
    let connection = Connection::new(format!("bigquery://local?endpoint={}", start()));
    let destination = longshore_destination_bigquery::open(&connection).expect("the settings are right");
    let package = PackageBuilder::new("earlier", "earlier_jobs", 1).json("orders", r#"{"id":1} {"id":2}"#).build();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let outcome = runtime.block_on(load(&*destination, &package)).expect("the next names are free");
    assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");
    assert_eq!(SERVER.read("earlier_jobs", "orders").expect("a table").rows.len(), 2);
}
