//! Reads a room export or JSON Lines, of any length, in bounded memory: on a thread of its own, at most a few batches
//! ahead of whoever takes them.

mod export;
mod form;
mod lines;
mod scanner;
mod sink;

use std::io::{self, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tokio::sync::mpsc::{self, Receiver, Sender};

use form::Form;
use sink::Sink;

/// The longest event, in bytes of its JSON text. Matrix itself allows 65,536 before decryption.
pub(crate) const EVENT_BYTES_MAX: usize = 1 << 20;

/// One event, or why it could not be taken; and where it stood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// The place in `messages`, or the line; from 1.
    pub(crate) position: u64,
    /// Its text, not yet judged, or what is wrong with it.
    pub(crate) json: Result<String, String>,
}

/// Consecutive items.
pub(crate) type Batch = Vec<Item>;

enum Message {
    Batch(Batch),
    End(Result<(), ReadError>),
}

/// Why reading ended before the end.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The file or pipe failed.
    Io(io::Error),
    /// The text around the events is no JSON.
    Syntax {
        /// The line, from 1.
        line: u64,
        /// The byte, from 0.
        byte: u64,
        /// What was met.
        what: String,
    },
    /// It is JSON, and neither form.
    NoEvents,
    /// Nobody takes the batches any more.
    Stopped,
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        ReadError::Io(error)
    }
}

/// A reading in progress.
pub(crate) struct Reader {
    receiver: Receiver<Message>,
    bytes_read: Arc<AtomicU64>,
}

impl Reader {
    /// Begins to read `input`.
    pub(crate) fn start(input: impl Read + Send + 'static) -> Self {
        // One batch waits while one is imported and one is read.
        let (sender, receiver) = mpsc::channel(1);
        let bytes_read = Arc::new(AtomicU64::new(0));
        let input = Counted { input, bytes_read: Arc::clone(&bytes_read) };
        // Not a task of the runtime: a read of a silent pipe would keep the program from ending.
        thread::spawn(move || read(input, sender));
        Reader { receiver, bytes_read }
    }

    /// The next batch; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Batch>, ReadError> {
        match self.receiver.recv().await {
            Some(Message::Batch(batch)) => Ok(Some(batch)),
            Some(Message::End(result)) => result.map(|()| None),
            None => Ok(None),
        }
    }

    /// How many bytes have been taken from the input.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }
}

fn read(mut input: impl Read, sender: Sender<Message>) {
    let mut sink = Sink::new(sender);
    let result = form::detect(&mut input).map_err(ReadError::from).and_then(|(form, prefix)| {
        let input = BufReader::with_capacity(64 << 10, Cursor::new(prefix).chain(input));
        match form {
            Form::Export => export::read(input, &mut sink),
            Form::Lines => lines::read(input, &mut sink),
        }
    });
    sink.end(result);
}

struct Counted<R> {
    input: R,
    bytes_read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.bytes_read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
