//! Azurite, Microsoft's own stand-in for Azure's object store, as a process on a free port.

use super::servers::BUCKET;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The account and key that every Azurite has.
pub const ACCOUNT: &str = "devstoreaccount1";
pub const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A running Azurite with one container; ended when it is dropped, unless all tests share it.
pub struct Azurite {
    own: Option<(Child, tempfile::TempDir)>,
    pub endpoint: String,
}

impl Azurite {
    /// The one that `tests/servers/with_servers.py` started, or a new one.
    pub fn shared() -> Self {
        let Ok(address) = std::env::var("LONGSHORE_TEST_AZURITE") else { return Self::start() };
        make_container(&address);
        Azurite { own: None, endpoint: format!("http://{address}/{ACCOUNT}") }
    }

    fn start() -> Self {
        // Other packages' tests have this file, too.
        let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let checkout = above.find(|p| p.join("scripts/get-azurite").is_file()).expect("a checkout");
        let found = Command::new(checkout.join("scripts/get-azurite"))
            .stderr(Stdio::inherit())
            .output()
            .expect("the script runs");
        assert!(found.status.success(), "scripts/get-azurite failed");
        let main = String::from_utf8(found.stdout).expect("a path");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let watch = checkout.join("destinations/filesystem/tests/common/end_with_stdin.js");
        let mut process = Command::new("node")
            .arg("--require")
            .arg(watch)
            .arg(main.trim())
            .args(["--blobHost", "127.0.0.1", "--blobPort", "0"])
            .args(["--skipApiVersionCheck", "--loose", "--disableTelemetry", "--location"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let out = BufReader::new(process.stdout.take().expect("its output is piped"));
        let mut lines = out.lines().map_while(Result::ok);
        let address = lines.find_map(|l| l.split_once("listens on http://").map(|(_, a)| a.trim().to_owned()));
        let address = address.expect("azurite says where it listens");
        std::thread::spawn(move || lines.for_each(drop)); // so that its output never fills up
        make_container(&address);
        Azurite { own: Some((process, folder)), endpoint: format!("http://{address}/{ACCOUNT}") }
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        if let Some((process, _)) = &mut self.own {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// One signed request: Longshore makes no containers, and `object_store` neither.
fn make_container(address: &str) {
    let date = chrono::Utc::now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let headers = format!("x-ms-date:{date}\nx-ms-version:2021-08-06\n");
    let text = format!("PUT\n\n\n\n\n\n\n\n\n\n\n\n{headers}/{ACCOUNT}/{ACCOUNT}/{BUCKET}\nrestype:container");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &STANDARD.decode(KEY).expect("the key is base64"));
    let signature = STANDARD.encode(ring::hmac::sign(&key, text.as_bytes()));
    let mut stream = TcpStream::connect(address).expect("azurite listens");
    write!(
        stream,
        "PUT /{ACCOUNT}/{BUCKET}?restype=container HTTP/1.1\r\nHost: {address}\r\nx-ms-date: {date}\r\nx-ms-version: 2021-08-06\r\nAuthorization: SharedKey {ACCOUNT}:{signature}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    .expect("azurite takes the request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("azurite answers");
    let is_there = answer.starts_with("HTTP/1.1 201") || answer.contains("ContainerAlreadyExists");
    assert!(is_there, "the container cannot be made: {answer}");
}
