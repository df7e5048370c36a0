//! A network that fails where a test wants it to.

mod fault;
mod link;
mod message;
mod request;
mod socket;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

pub use fault::Moment;

use fault::Faults;
use link::Link;

/// A TCP proxy in front of a PostgreSQL, run by threads of this process. Dropping it resets its connections.
///
/// It reads version 3 of the [protocol](https://www.postgresql.org/docs/current/protocol.html) as far as it must to know which
/// statement a request executes. A request is what a client sends up to `Sync`, or one simple query. What it sends before a
/// `Flush` is passed on at once, and an encrypted connection unread, so that nothing strikes there.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

struct Shared {
    target: Mutex<SocketAddr>,
    refuses: AtomicBool,
    ended: AtomicBool,
    links: Mutex<Vec<Arc<Link>>>,
    faults: Arc<Faults>,
}

impl Proxy {
    /// Listens on a free port of the loopback interface and passes on each connection to `address`.
    ///
    /// # Errors
    ///
    /// If it cannot listen.
    pub fn to(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let shared = Arc::new(Shared {
            target: Mutex::new(address),
            refuses: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            links: Mutex::default(),
            faults: Arc::default(),
        });
        let (address, accepting) = (listener.local_addr()?, shared.clone());
        let listener = thread::spawn(move || accepting.accept(&listener));
        Ok(Proxy { address, shared, listener: Some(listener) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Passes on connections to another address from now on. Those that are open stay where they are.
    pub fn point_to(&self, address: SocketAddr) {
        *lock(&self.shared.target) = address;
    }

    /// Resets each connection that is open now, to both sides.
    pub fn cut(&self) {
        let links = std::mem::take(&mut *lock(&self.shared.links));
        for link in &links {
            link.cut();
        }
    }

    /// Whether a client that connects from now on is connected and left at once.
    pub fn refuse(&self, refuse: bool) {
        self.shared.refuses.store(refuse, Ordering::SeqCst);
    }

    /// Lets one connection fail: that of the next request which executes a statement with `needle` in its text, wherever the
    /// statement was prepared. It takes the place of a fault that has not struck yet.
    pub fn fail_at(&self, moment: Moment, needle: &str) {
        self.shared.faults.arm(moment, needle);
    }

    /// How many faults have struck. One is counted before its client can see it.
    pub fn struck(&self) -> u64 {
        self.shared.faults.struck()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // It waits for a connection. If there can be none, it has ended.
        let _ = TcpStream::connect(self.address);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
        self.cut();
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("address", &self.address).field("struck", &self.struck()).finish_non_exhaustive()
    }
}

impl Shared {
    fn accept(&self, listener: &TcpListener) {
        for client in listener.incoming() {
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            let Ok(client) = client else { continue };
            if self.refuses.load(Ordering::SeqCst) {
                // Nobody is there any more to be told of a failure.
                let _ = client.shutdown(Shutdown::Both);
                continue;
            }
            let target = *lock(&self.target);
            // A client whose server does not answer is left, too.
            let Ok(server) = TcpStream::connect(target) else { continue };
            let Ok(link) = Link::between(client, server, self.faults.clone()) else { continue };
            let mut links = lock(&self.links);
            links.retain(|link| link.is_open());
            links.push(link.clone());
            drop(links);
            link.run();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
