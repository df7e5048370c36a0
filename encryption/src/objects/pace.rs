//! Pauses: ciphers are work for the processor, and other tasks wait for it meanwhile.

use std::future::poll_fn;
use std::task::Poll;

/// Bytes that are sealed or opened between two pauses: about a millisecond of work.
const BYTES: usize = 1 << 20;

/// Counts what was done since the last pause.
#[derive(Debug, Default)]
pub(super) struct Pace(usize);

impl Pace {
    /// Notes work on so many bytes, and lets other tasks run if it was enough.
    pub(super) async fn after(&mut self, bytes: usize) {
        self.0 += bytes;
        if self.0 >= BYTES {
            self.0 = 0;
            pause().await;
        }
    }
}

/// Lets the runtime, whichever it is, run other tasks once.
pub(super) async fn pause() {
    let mut paused = false;
    poll_fn(|context| {
        if paused {
            return Poll::Ready(());
        }
        paused = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
