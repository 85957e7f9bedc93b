//! What goes wrong between us and BigQuery: replies that are lost, servers that stumble, tokens that end. No row is lost,
//! none comes twice.

#[allow(dead_code)] // the other tests use the rest
mod server;

use longshore_core::connect::Connection;
use longshore_core::destination::{CommitOutcome, Destination};
use longshore_testkit::fixture::{Package, PackageBuilder, load};
use serde_json::json;
use server::bucket::Buckets;
use server::{Server, read_request};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, LazyLock, Mutex};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

/// What happens to a request.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Fault {
    /// It arrives and is done; the answer does not come back.
    ReplyLost,
    /// It does not arrive: the connection breaks.
    Cut,
    /// It is answered with that status, and not done.
    Refused(u16),
}

/// Stands before the emulator; the first request whose first line has `marks` in it meets the fault.
struct Proxy {
    url: String,
    hits: Arc<Mutex<u32>>,
}

impl Proxy {
    fn new(fault: Fault, marks: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let hits = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&hits);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let hits = Arc::clone(&counted);
                std::thread::spawn(move || forward(connection, fault, marks, &hits));
            }
        });
        Proxy { url, hits }
    }

    fn destination(&self) -> Arc<dyn Destination> {
        let mut connection = Connection::new(format!("bigquery://local?endpoint={}", self.url));
        connection.settings.insert("access_token".into(), "token".into());
        longshore_destination_bigquery::open(&connection).expect("the settings are right")
    }
}

/// One request a connection, so that every one is looked at.
fn forward(mut client: TcpStream, fault: Fault, marks: &[&str], hits: &Mutex<u32>) -> Option<()> {
    let request = read_request(&mut client)?;
    let is_first = marks.iter().all(|m| String::from_utf8_lossy(&request).contains(m)) && {
        let mut hits = hits.lock().ok()?;
        *hits += 1;
        *hits == 1
    };
    if is_first && fault == Fault::Cut {
        return None;
    }
    if let (true, Fault::Refused(status)) = (is_first, fault) {
        let body = r#"{"error":{"code":0,"message":"as ordered","errors":[{"reason":"ordered"}]}}"#;
        write!(client, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
            .ok()?;
        return None;
    }
    let address = SERVER.endpoint.trim_start_matches("http://");
    let mut server = TcpStream::connect(address).ok()?;
    server.write_all(&request).ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    if is_first && fault == Fault::ReplyLost {
        return None;
    }
    client.write_all(&answer).ok()
}

fn package(dataset: &str) -> Package {
    let builder = PackageBuilder::new("faults", dataset, 1);
    builder.json("orders", r#"{"id":1,"lines":[{"sku":"a"},{"sku":"b"}]} {"id":2}"#).state(json!({"cursor": 1})).build()
}

/// A table whose file is three chunks of an upload long: of letters that cannot be compressed away.
fn large_package(dataset: &str) -> Package {
    let mut dice = 88_172_645_463_325_252_u64;
    let mut letter = || {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        char::from(b'!' + 2 + (dice >> 32) as u8 % 56) // neither a quote nor a backslash
    };
    let mut records = String::new();
    for id in 0..ROWS {
        let noise: String = (0..200).map(|_| letter()).collect();
        records.push_str(&format!("{{\"id\":{id},\"noise\":\"{noise}\"}}\n"));
    }
    PackageBuilder::new("faults", dataset, 1).json("big", &records).build()
}

const ROWS: usize = 70_000;

fn count(destination: &dyn Destination, dataset: &str) -> u64 {
    let tables = runtime().block_on(destination.tables(dataset)).expect("tables");
    tables.iter().find(|t| t.table == "big").map_or(0, |t| t.rows)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Loads a file in chunks through the fault, which meets the second one.
fn resumes(name: &str, fault: Fault) {
    let proxy = Proxy::new(fault, &["PUT /", "bytes 4194304-"]);
    let destination = proxy.destination();
    let package = large_package(name);
    let outcome = runtime().block_on(load(&*destination, &package)).expect("the fault passes");
    assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");
    assert!(*proxy.hits.lock().expect("not poisoned") > 0, "the fault never happened");
    assert_eq!(count(&*destination, name), ROWS as u64, "rows after {fault:?}");
}

#[test]
fn a_chunk_that_did_not_arrive_is_sent_again() {
    resumes("chunk_cut", Fault::Cut);
}

#[test]
fn a_chunk_whose_reply_was_lost_is_not_sent_again() {
    resumes("chunk_reply", Fault::ReplyLost);
}

#[test]
fn an_upload_goes_on_after_a_server_error() {
    resumes("chunk_503", Fault::Refused(503));
}

/// Chunks break in the middle, and only what is missing is sent again; afterwards the bucket is empty.
#[test]
fn files_go_by_way_of_a_bucket() {
    let buckets = Buckets::start(&SERVER.buckets, true);
    let mut connection = Connection::new(SERVER.url());
    for (key, value) in [("staging_bucket", "gs://bkt/a/b"), ("storage_endpoint", &*buckets.url)] {
        connection.settings.insert(key.into(), value.into());
    }
    let destination = longshore_destination_bigquery::open(&connection).expect("the settings are right");
    for package in [large_package("bucket"), package("bucket_small")] {
        let outcome = runtime().block_on(load(&*destination, &package)).expect("it is loaded");
        assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");
    }
    assert_eq!(count(&*destination, "bucket"), ROWS as u64);
    assert_eq!(SERVER.read("bucket_small", "orders__lines").expect("a table").rows.len(), 2);
    let log = buckets.log.lock().expect("not poisoned").clone();
    let asked = |method: &str| log.iter().filter(|l| l.starts_with(method)).count();
    assert_eq!((asked("POST"), asked("DELETE")), (3, 3), "one upload a table, each file removed: {log:?}");
    let left = std::fs::read_dir(SERVER.buckets.join("bkt/a/b")).expect("the folder").count();
    assert_eq!(left, 0, "files are removed");
}

/// Loads through the fault and asserts that every row is there once.
fn loads_once(name: &str, fault: Fault, marks: &'static [&'static str]) {
    let proxy = Proxy::new(fault, marks);
    let package = package(name);
    let runtime = runtime();
    let outcome = runtime.block_on(load(&*proxy.destination(), &package)).expect("the fault passes");
    assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");
    assert!(*proxy.hits.lock().expect("not poisoned") > 0, "the fault never happened");
    for (table, rows) in [("orders", 2), ("orders__lines", 2), ("_loads", 1), ("_state", 1), ("_schemas", 1)] {
        let found = SERVER.read(name, table).expect("the table is there").rows.len();
        assert_eq!(found, rows, "rows of {table} after {fault:?} of {marks:?}");
    }
    let again = runtime.block_on(load(&*proxy.destination(), &package)).expect("a repeat");
    assert_eq!(again, CommitOutcome::AlreadyCommitted);
}

#[test]
fn a_lost_reply_of_an_upload_loads_once() {
    loads_once("upload_reply", Fault::ReplyLost, &["POST /upload/"]);
}

#[test]
fn a_cut_upload_is_sent_again() {
    loads_once("upload_cut", Fault::Cut, &["POST /upload/"]);
}

#[test]
fn a_lost_reply_of_the_commit_commits_once() {
    loads_once("commit_reply", Fault::ReplyLost, &["POST ", "COMMIT TRANSACTION"]);
}

#[test]
fn a_server_that_stumbles_is_asked_again() {
    loads_once("commit_503", Fault::Refused(503), &["POST ", "COMMIT TRANSACTION"]);
    loads_once("upload_500", Fault::Refused(500), &["POST /upload/"]);
}

#[test]
fn a_token_that_has_ended_is_renewed() {
    loads_once("token", Fault::Refused(401), &["POST ", "COMMIT TRANSACTION"]);
}
