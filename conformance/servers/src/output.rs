//! What a server writes: waited for, and kept for the message of a failure.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

/// Lines that are kept, at most. A server may write one for each request.
const LINES_MAX: usize = 100;

/// The last lines of a stream. A thread reads it, so that the writer never waits.
#[derive(Clone, Default)]
pub(crate) struct Output(Arc<Shared>);

#[derive(Default)]
struct Shared {
    written: Mutex<Written>,
    changed: Condvar,
}

#[derive(Default)]
struct Written {
    lines: VecDeque<String>,
    ended: bool,
}

impl Output {
    pub(crate) fn of(stream: impl Read + Send + 'static) -> Self {
        let output = Output::default();
        let reader = output.clone();
        thread::spawn(move || reader.read(stream));
        output
    }

    /// Waits until a line is as wanted.
    ///
    /// # Errors
    ///
    /// If the stream ends or the time is over before, with all lines.
    pub(crate) fn wait_for<T>(&self, deadline: Instant, wanted: impl Fn(&str) -> Option<T>) -> io::Result<T> {
        let mut written = self.written();
        loop {
            if let Some(found) = written.lines.iter().find_map(|line| wanted(line)) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if written.ended || left.is_zero() {
                let what = if written.ended { "it ended" } else { "it does not get ready" };
                return Err(io::Error::other(format!("{what}, having written:\n{}", written.text())));
            }
            let waited = self.0.changed.wait_timeout(written, left);
            written = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until nobody can write any more.
    ///
    /// # Errors
    ///
    /// If the time is over before.
    pub(crate) fn wait_for_end(&self, deadline: Instant) -> io::Result<()> {
        let mut written = self.written();
        while !written.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "something of it is still there"));
            }
            let waited = self.0.changed.wait_timeout(written, left);
            written = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    pub(crate) fn text(&self) -> String {
        self.written().text()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.written().ended
    }

    fn read(&self, stream: impl Read) {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(line) = line else { break };
            let mut written = self.written();
            if written.lines.len() == LINES_MAX {
                written.lines.pop_front();
            }
            written.lines.push_back(String::from_utf8_lossy(&line).into_owned());
            self.0.changed.notify_all();
        }
        self.written().ended = true;
        self.0.changed.notify_all();
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.0.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Written {
    fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }
}
