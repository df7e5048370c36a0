//! Ports for servers that cannot choose one themselves and say which.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below those that the kernel gives to clients, so that none of them has it while its server is away.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

/// How many are looked at before it is an error.
const LOOKS_MAX: u32 = 1_000;

/// A port of the loopback interface that was free a moment ago, and that no other caller in this process has.
///
/// # Errors
///
/// That of the last port, if none of very many is free.
pub(crate) fn free() -> io::Result<u16> {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let mut failed = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..LOOKS_MAX {
        // Processes that run at the same time begin far from each other.
        let number = process::id().wrapping_mul(7_919).wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + number % COUNT).map_err(io::Error::other)?;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
