//! A strict double of BigQuery: it answers as the API's documentation says, and notes every request it has no answer for.

use super::read_request;
use serde_json::Value;
use std::io::Write;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// What is answered to requests that begin so. Of two for the same request, the second holds once something was uploaded.
pub(crate) type Pair = (&'static str, u16, Value);

pub(crate) struct Double {
    pub(crate) url: String,
    /// First lines of requests, and those that nobody should have sent.
    asked: Arc<Mutex<Vec<String>>>,
    unknown: Arc<Mutex<Vec<String>>>,
    bodies: Arc<Mutex<Vec<Value>>>,
}

impl Double {
    pub(crate) fn start(pairs: Vec<Pair>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::<String>::new()));
        let unknown = Arc::new(Mutex::new(Vec::<String>::new()));
        let bodies = Arc::new(Mutex::new(Vec::<Value>::new()));
        let (all, odd, kept) = (Arc::clone(&asked), Arc::clone(&unknown), Arc::clone(&bodies));
        std::thread::spawn(move || {
            let mut is_uploaded = false;
            for mut connection in listener.incoming().flatten() {
                let Some(bytes) = read_request(&mut connection) else { continue };
                let text = String::from_utf8_lossy(&bytes);
                let line = text.lines().next().unwrap_or_default().replace("/bigquery/v2/projects/p", "");
                all.lock().expect("not poisoned").push(line.clone());
                let body = text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
                kept.lock().expect("not poisoned").extend(body);
                let mut fitting = pairs.iter().filter(|(begins, ..)| line.starts_with(begins));
                let first = fitting.next();
                let found = if is_uploaded { fitting.next().or(first) } else { first };
                is_uploaded |= line.starts_with("POST /upload/");
                let (status, body) = found.map_or((501, Value::Null), |(_, status, body)| (*status, body.clone()));
                if found.is_none() {
                    odd.lock().expect("not poisoned").push(line);
                }
                let body = body.to_string();
                let _ = write!(
                    connection,
                    "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Double { url, asked, unknown, bodies }
    }

    pub(crate) fn times(&self, begins: &str) -> usize {
        self.asked.lock().expect("not poisoned").iter().filter(|l| l.starts_with(begins)).count()
    }

    /// Fails when somebody asked what nobody should.
    pub(crate) fn knew_all(&self) {
        assert_eq!(self.unknown.lock().expect("not poisoned").clone(), Vec::<String>::new(), "nobody asks for that");
    }

    /// The JSON that came with requests.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.bodies.lock().expect("not poisoned").clone()
    }
}
