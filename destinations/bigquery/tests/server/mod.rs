//! What tests of this crate need of servers.

pub(crate) mod between;
pub(crate) mod bucket;
pub(crate) mod double;

#[allow(unused_imports)] // not all of them load into a server
pub(crate) use longshore_testkit::servers::bigquery::BigQueryServer as Server;
use std::io::Read;
use std::net::TcpStream;

/// Reads a request with its body, and asks for the connection to be closed behind the answer.
pub(crate) fn read_request(client: &mut TcpStream) -> Option<Vec<u8>> {
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
