//! One side of a connection, which several threads use and each can end.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;

use super::lock;

/// How long a write waits before it looks whether the socket is ended.
const WRITE_WAIT: Duration = Duration::from_millis(50);

/// Closed when it is ended and no read or write is under way.
pub(super) struct Socket(Mutex<Option<Arc<TcpStream>>>);

impl Socket {
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(WRITE_WAIT))?;
        Ok(Socket(Mutex::new(Some(Arc::new(stream)))))
    }

    /// The peer sees a reset, and not an end: what is on the way is thrown away.
    pub(super) fn reset(&self) {
        if let Some(stream) = lock(&self.0).take() {
            // With nothing to wait for, a close is a reset. A socket that is closed already has none of both.
            let _ = SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
            // Wakes who reads, and tells the peer nothing.
            let _ = stream.shutdown(Shutdown::Read);
        }
    }

    /// The peer sees an end, after all that was written.
    pub(super) fn close(&self) {
        if let Some(stream) = lock(&self.0).take() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub(super) fn is_open(&self) -> bool {
        lock(&self.0).is_some()
    }

    pub(super) fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let stream = self.stream().ok_or(ErrorKind::NotConnected)?;
            match (&*stream).write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if is_a_wait(error.kind()) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn stream(&self) -> Option<Arc<TcpStream>> {
        lock(&self.0).clone()
    }
}

/// Nothing once it is ended.
impl Read for &Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream().map_or(Ok(0), |stream| (&*stream).read(buffer))
    }
}

fn is_a_wait(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
