//! Somebody who stands before the emulator: looks at every request, and may answer it instead, or lose the reply.

use super::read_request;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// What becomes of a request.
pub(crate) enum Fate {
    /// It is done and answered.
    Passes,
    /// It is answered with that status and body, and not done.
    Answered(u16, String),
    /// It is done, and the reply does not come back.
    ReplyLost,
}

/// Starts before `endpoint` and returns its own URL; one request a connection, so that every one is looked at.
pub(crate) fn start(endpoint: &str, judge: impl Fn(&str) -> Fate + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (server, judge) = (endpoint.trim_start_matches("http://").to_owned(), Arc::new(judge));
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let (server, judge) = (server.clone(), Arc::clone(&judge));
            std::thread::spawn(move || forward(connection, &server, &*judge));
        }
    });
    url
}

fn forward(mut client: TcpStream, server: &str, judge: &impl Fn(&str) -> Fate) -> Option<()> {
    let request = read_request(&mut client)?;
    let fate = judge(&String::from_utf8_lossy(&request));
    if let Fate::Answered(status, body) = &fate {
        let length = body.len();
        return write!(client, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
            .ok();
    }
    let mut server = TcpStream::connect(server).ok()?;
    server.write_all(&request).ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    match fate {
        Fate::ReplyLost => None,
        _ => client.write_all(&answer).ok(),
    }
}

/// The id of the job that a request makes, or asks about; and whether it makes it.
pub(crate) fn job_of(request: &str) -> Option<(String, bool)> {
    let line = request.lines().next()?;
    if line.starts_with("POST ") && line.contains("/jobs HTTP") {
        return Some((request.split("\"jobId\":\"").nth(1)?.split('"').next()?.to_owned(), true));
    }
    Some((line.strip_prefix("GET ")?.split("/jobs/").nth(1)?.split(['?', ' ']).next()?.to_owned(), false))
}
