//! Waiting for a newer revision.

use std::fmt;

use tokio::sync::watch;

use crate::Result;
use crate::store::Revision;
use crate::store::sorted::closed;

/// The newest revision that a handle knows of, and who waits for a newer one.
pub struct Newest(watch::Sender<State>);

#[derive(Clone, Copy)]
struct State {
    revision: Revision,
    closed: bool,
}

impl Newest {
    /// The store is at this revision.
    pub fn new(revision: Revision) -> Self {
        Newest(watch::Sender::new(State { revision, closed: false }))
    }

    /// Tells those who wait that there is this revision.
    pub fn tell(&self, revision: Revision) {
        self.0.send_if_modified(|newest| {
            let newer = revision > newest.revision;
            newest.revision = newest.revision.max(revision);
            newer
        });
    }

    /// Ends all waiting for good.
    pub fn close(&self) {
        self.0.send_modify(|newest| newest.closed = true);
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.0.borrow().closed
    }

    /// [`Store::changed`](crate::store::Store::changed). `wait` is called once, if there is something to wait for; what it gives is
    /// kept until the wait is over.
    ///
    /// # Errors
    ///
    /// `Closed`, and those of `wait`.
    pub async fn changed<W>(&self, after: Revision, wait: impl Fn() -> Result<W>) -> Result<Revision> {
        let mut newest = self.0.subscribe();
        let mut waiting = None;
        loop {
            let now = *newest.borrow_and_update();
            if now.closed {
                return Err(closed());
            }
            if now.revision > after {
                return Ok(now.revision);
            }
            if waiting.is_none() {
                waiting = Some(wait()?);
            }
            newest.changed().await.map_err(|_| closed())?;
        }
    }
}

impl fmt::Debug for Newest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Newest({})", self.0.borrow().revision)
    }
}
