//! Collects events into batches and hands them over.

use std::mem;

use tokio::sync::mpsc::Sender;

use super::{Batch, EVENT_BYTES_MAX, Item, Message, ReadError};

/// A batch is handed over when it has this many items ...
const BATCH_ITEMS_MAX: usize = 1_000;
/// ... or this many bytes.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// Where the readers put what they find.
pub(super) struct Sink {
    sender: Sender<Message>,
    batch: Batch,
    bytes: usize,
}

impl Sink {
    pub(super) fn new(sender: Sender<Message>) -> Self {
        Sink { sender, batch: Batch::new(), bytes: 0 }
    }

    /// Adds the event at `position`: its text, or how many bytes it has when that is past the limit.
    pub(super) fn event(&mut self, position: u64, text: Result<Vec<u8>, u64>) -> Result<(), ReadError> {
        let json = match text {
            Err(bytes) => Err(format!("has {bytes} bytes, the limit is {EVENT_BYTES_MAX}")),
            Ok(text) => String::from_utf8(text).map_err(|_| "is not UTF-8".to_owned()),
        };
        self.bytes += json.as_ref().map_or(0, String::len);
        self.batch.push(Item { position, json });
        if self.batch.len() >= BATCH_ITEMS_MAX || self.bytes >= BATCH_BYTES_MAX {
            self.flush()?;
        }
        Ok(())
    }

    /// Hands over what is collected; waits while the importer is behind.
    fn flush(&mut self) -> Result<(), ReadError> {
        self.bytes = 0;
        let batch = mem::take(&mut self.batch);
        self.sender.blocking_send(Message::Batch(batch)).map_err(|_| ReadError::Stopped)
    }

    /// Hands over the rest, and how it ended.
    pub(super) fn end(mut self, result: Result<(), ReadError>) {
        // If nobody listens any more, nobody wants to know.
        if !self.batch.is_empty() {
            let _ = self.flush();
        }
        let _ = self.sender.blocking_send(Message::End(result));
    }
}
