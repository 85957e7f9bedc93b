//! A TCP proxy with faults, for any protocol: it looks at numbers of bytes only.
//!
//! Each connection asks the plan what is to happen to it. Faults count the bytes of their direction from the
//! connection's beginning, so a fault at a byte that never comes does not happen.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// What happens to one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetFault {
    /// After so many bytes in that direction both sides are closed.
    Cut(Direction, u64),
    /// After so many bytes in that direction everything waits once, for so long.
    Delay(Direction, u64, Duration),
    /// After so many bytes in that direction no more go that way, but the other way stays open.
    HalfClose(Direction, u64),
    /// After so many bytes in that direction what comes is swallowed, without a word; the connection stays open.
    Swallow(Direction, u64),
    /// The connection is closed before its first byte.
    Refuse,
}

/// Says what happens to the n-th connection, from 0.
pub type Plan = dyn Fn(u64) -> Option<NetFault> + Send + Sync;

/// A proxy in front of one server; ends when it is dropped, with all of its connections.
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    plan: Mutex<Arc<Plan>>,
    accepted: AtomicU64,
    happened: AtomicU64,
    is_over: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl std::fmt::Debug for FaultProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FaultProxy").field("address", &self.address).finish_non_exhaustive()
    }
}

impl FaultProxy {
    /// Listens on a free port of this machine and passes everything on to `server`.
    ///
    /// # Panics
    /// When no port is free.
    pub fn start(server: SocketAddr, plan: impl Fn(u64) -> Option<NetFault> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("the port is known");
        let shared = Arc::new(Shared {
            plan: Mutex::new(Arc::new(plan)),
            accepted: AtomicU64::new(0),
            happened: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            open: Mutex::new(Vec::new()),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.is_over.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(client) = client {
                    accepting.serve(client, server);
                }
            }
        });
        FaultProxy { address, shared }
    }

    /// Where clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets what happens to connections from now on, and counts them from 0 again.
    pub fn set_plan(&self, plan: impl Fn(u64) -> Option<NetFault> + Send + Sync + 'static) {
        *lock(&self.shared.plan) = Arc::new(plan);
        self.shared.accepted.store(0, Ordering::SeqCst);
    }

    /// Ends all faults for connections from now on.
    pub fn heal(&self) {
        self.set_plan(|_| None);
    }

    /// Returns how many faults really happened.
    #[must_use]
    pub fn happened(&self) -> u64 {
        self.shared.happened.load(Ordering::SeqCst)
    }

    /// Cuts all connections there are.
    pub fn cut_all(&self) {
        for stream in lock(&self.shared.open).drain(..) {
            let _ = stream.shutdown(Shutdown::Both); // it may be closed already
        }
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.cut_all();
        let _ = TcpStream::connect(self.address); // wakes the thread that accepts
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner) // each change is one step
}

impl Shared {
    fn serve(self: &Arc<Self>, client: TcpStream, server: SocketAddr) {
        let number = self.accepted.fetch_add(1, Ordering::SeqCst);
        let plan = Arc::clone(&*lock(&self.plan));
        let fault = plan(number);
        if fault == Some(NetFault::Refuse) {
            self.happened.fetch_add(1, Ordering::SeqCst);
            return;
        }
        let Ok(server) = TcpStream::connect(server) else { return };
        let both = [&client, &server].map(|s| (s.try_clone(), s.try_clone()));
        let [(Ok(client_in), Ok(client_out)), (Ok(server_in), Ok(server_out))] = both else { return };
        let _ = (client.set_nodelay(true), server.set_nodelay(true)); // only slower without
        lock(&self.open).extend([client, server]);
        let (up, down) = (Arc::clone(self), Arc::clone(self));
        thread::spawn(move || up.pump(client_in, server_out, Direction::ToServer, fault));
        thread::spawn(move || down.pump(server_in, client_out, Direction::ToClient, fault));
    }

    /// Carries bytes one way until an end is closed or the fault says otherwise.
    fn pump(&self, mut from: TcpStream, mut to: TcpStream, direction: Direction, fault: Option<NetFault>) {
        let mut fault = fault.filter(|f| f.direction() == Some(direction));
        let mut buffer = vec![0; 64 << 10];
        let mut passed = 0u64;
        loop {
            let count = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            let before = fault.map_or(count, |f| count.min(f.at().saturating_sub(passed) as usize));
            if to.write_all(&buffer[..before]).is_err() {
                break;
            }
            passed += before as u64;
            if before == count {
                continue;
            }
            self.happened.fetch_add(1, Ordering::SeqCst);
            match fault.take() {
                Some(NetFault::Delay(_, _, pause)) => {
                    thread::sleep(pause);
                    if to.write_all(&buffer[before..count]).is_err() {
                        break;
                    }
                    passed += (count - before) as u64;
                }
                Some(NetFault::Swallow(..)) => {
                    // Read on, so that the sender notices nothing.
                    while from.read(&mut buffer).is_ok_and(|n| n > 0) {}
                    break;
                }
                Some(NetFault::HalfClose(..)) => {
                    let _ = to.shutdown(Shutdown::Write); // it may be closed already
                    while from.read(&mut buffer).is_ok_and(|n| n > 0) {}
                    return;
                }
                _ => break,
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)); // they may be closed already
    }
}

impl NetFault {
    fn direction(self) -> Option<Direction> {
        match self {
            NetFault::Cut(d, _) | NetFault::Delay(d, _, _) | NetFault::HalfClose(d, _) | NetFault::Swallow(d, _) => {
                Some(d)
            }
            NetFault::Refuse => None,
        }
    }

    fn at(self) -> u64 {
        match self {
            NetFault::Cut(_, at)
            | NetFault::Delay(_, at, _)
            | NetFault::HalfClose(_, at)
            | NetFault::Swallow(_, at) => at,
            NetFault::Refuse => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it gets.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("the port is known");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let (mut reader, mut writer) = (stream.try_clone().expect("a socket"), stream);
                    let _ = std::io::copy(&mut reader, &mut writer); // until the client has enough
                    let _ = writer.shutdown(Shutdown::Both);
                });
            }
        });
        address
    }

    /// Sends ten bytes and returns what comes back within a moment, and whether the connection was closed.
    fn talk(proxy: &FaultProxy) -> (usize, bool) {
        let mut stream = TcpStream::connect(proxy.address()).expect("the proxy listens");
        stream.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout can be set");
        let _ = stream.write_all(b"0123456789"); // a refused connection may be closed already
        let (mut got, mut buffer) = (0, [0; 16]);
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return (got, true),
                Ok(n) => got += n,
                Err(e) => return (got, !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)),
            }
            if got == 10 {
                return (got, false);
            }
        }
    }

    #[test]
    fn each_fault_does_what_it_says() {
        use Direction::{ToClient, ToServer};
        let proxy = FaultProxy::start(echo(), |_| None);
        assert_eq!(talk(&proxy), (10, false));
        for (fault, expect) in [
            (NetFault::Cut(ToClient, 4), (4, true)),
            (NetFault::Cut(ToServer, 4), (4, true)),
            (NetFault::Swallow(ToClient, 4), (4, false)),
            (NetFault::HalfClose(ToClient, 4), (4, true)),
            (NetFault::Delay(ToClient, 4, Duration::from_millis(20)), (10, false)),
            (NetFault::Refuse, (0, true)),
        ] {
            let before = proxy.happened();
            proxy.set_plan(move |n| (n == 0).then_some(fault));
            let (got, closed) = talk(&proxy);
            // What was cut on its way to the server may take the answer to the rest with it.
            assert!(got <= expect.0 && (got == expect.0 || fault == NetFault::Cut(ToServer, 4)), "{fault:?}: {got}");
            assert_eq!((closed, proxy.happened()), (expect.1, before + 1), "{fault:?}");
            assert_eq!(talk(&proxy), (10, false), "only the first connection has the fault {fault:?}");
        }
    }
}
