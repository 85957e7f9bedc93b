//! What goes wrong between us and BigQuery: replies that are lost, servers that stumble, tokens that end. No row is lost,
//! none comes twice.

#[allow(dead_code)] // the conformance test uses the rest
mod server;

use longshore_core::connect::Connection;
use longshore_core::destination::{CommitOutcome, Destination};
use longshore_testkit::fixture::{Package, PackageBuilder, load};
use serde_json::json;
use server::Server;
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

/// Reads a request with its body, and asks for the connection to be closed behind the answer.
fn read_request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break end;
        }
        let n = client.read(&mut buffer).ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&buffer[..n]);
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    let length = text.lines().find_map(|l| l.strip_prefix("content-length:")).and_then(|l| l.trim().parse().ok());
    while bytes.len() < head + 4 + length.unwrap_or(0) {
        let n = client.read(&mut buffer).ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&buffer[..n]);
    }
    bytes.splice(head..head, *b"\r\nConnection: close");
    Some(bytes)
}

fn package(dataset: &str) -> Package {
    let builder = PackageBuilder::new("faults", dataset, 1);
    builder.json("orders", r#"{"id":1,"lines":[{"sku":"a"},{"sku":"b"}]} {"id":2}"#).state(json!({"cursor": 1})).build()
}

/// Loads through the fault and asserts that every row is there once.
fn loads_once(name: &str, fault: Fault, marks: &'static [&'static str]) {
    let proxy = Proxy::new(fault, marks);
    let package = package(name);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
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
