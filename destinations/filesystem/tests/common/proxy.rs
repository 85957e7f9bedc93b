//! A TCP proxy that breaks connections, as often as its seed says.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// How many faults have happened.
#[derive(Debug, Default)]
pub struct Faults(AtomicU64);

impl Faults {
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    /// The connection is closed before anything is passed on.
    Drop,
    /// Everything waits a little.
    Delay,
    /// What the client sends ends after some bytes.
    CutRequest(usize),
    /// What the server answers ends after some bytes: none at all is a lost reply.
    CutAnswer(usize),
}

/// Starts a proxy to `server`; about every second connection breaks.
pub fn start(server: SocketAddr, seed: u64) -> (SocketAddr, Arc<Faults>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("a bound listener has an address");
    let faults: Arc<Faults> = Arc::default();
    let counted = Arc::clone(&faults);
    thread::spawn(move || {
        let mut random = seed;
        for client in listener.incoming().flatten() {
            let fault = choose(&mut random);
            counted.0.fetch_add(u64::from(fault.is_some()), Ordering::SeqCst);
            thread::spawn(move || pass(&client, server, fault));
        }
    });
    (address, faults)
}

fn choose(random: &mut u64) -> Option<Fault> {
    // SplitMix64.
    *random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *random;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    let bytes = (z >> 8) as usize % 4000;
    match z % 8 {
        0 => Some(Fault::Drop),
        1 => Some(Fault::Delay),
        2 => Some(Fault::CutRequest(bytes)),
        3 => Some(Fault::CutAnswer(bytes)),
        4 => Some(Fault::CutAnswer(0)),
        _ => None,
    }
}

fn pass(client: &TcpStream, server: SocketAddr, fault: Option<Fault>) {
    let (mut up, mut down) = (usize::MAX, usize::MAX);
    match fault {
        Some(Fault::Drop) => return,
        Some(Fault::Delay) => thread::sleep(Duration::from_millis(50)),
        Some(Fault::CutRequest(bytes)) => up = bytes,
        Some(Fault::CutAnswer(bytes)) => down = bytes,
        None => {}
    }
    let Ok(server) = TcpStream::connect(server) else { return };
    let (Ok(from), Ok(to)) = (client.try_clone(), server.try_clone()) else { return };
    let there = thread::spawn(move || copy(&from, &to, up));
    copy(&server, client, down);
    let _ = there.join();
}

/// Copies until the end or the cut, and then closes both ways.
fn copy(mut from: &TcpStream, mut to: &TcpStream, mut allowed: usize) {
    let mut buffer = [0; 16384];
    while let Ok(read) = from.read(&mut buffer) {
        let pass = read.min(allowed);
        allowed -= pass;
        if read == 0 || to.write_all(&buffer[..pass]).is_err() || pass < read {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)); // closed already is closed
}
