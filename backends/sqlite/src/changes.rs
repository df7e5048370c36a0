//! Waiting for a newer revision: this handle's commits are told, those of others are looked for.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use strongroom_core::Result;
use strongroom_core::store::Revision;
use strongroom_core::store::sorted::closed;
use tokio::sync::watch;

use crate::error::from_io;
use crate::store::Inner;

/// The newest revision that this handle knows of, and who waits for a newer one.
pub(crate) struct Changes {
    newest: watch::Sender<Newest>,
    watch: Mutex<Watch>,
    changed: Condvar,
    interval: Duration,
}

#[derive(Clone, Copy)]
struct Newest {
    revision: Revision,
    closed: bool,
}

/// The thread that looks for what others commit. It is there only while somebody waits.
#[derive(Default)]
struct Watch {
    waiting: usize,
    /// Somebody has come who wants to know now.
    asked: bool,
    running: bool,
}

impl Changes {
    pub(crate) fn new(revision: Revision, poll_ms: u32) -> Self {
        Changes {
            newest: watch::Sender::new(Newest { revision, closed: false }),
            watch: Mutex::default(),
            changed: Condvar::new(),
            interval: Duration::from_millis(poll_ms.max(1).into()),
        }
    }

    /// Tells those who wait that there is this revision.
    pub(crate) fn tell(&self, revision: Revision) {
        self.newest.send_if_modified(|newest| {
            let newer = revision > newest.revision;
            newest.revision = newest.revision.max(revision);
            newer
        });
    }

    /// Ends all waiting for good.
    pub(crate) fn close(&self) {
        self.newest.send_modify(|newest| newest.closed = true);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.newest.borrow().closed
    }

    fn lock(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// [`Store::changed`](strongroom_core::store::Store::changed).
pub(crate) async fn changed(store: &Arc<Inner>, after: Revision) -> Result<Revision> {
    let mut newest = store.changes.newest.subscribe();
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
            waiting = Some(Waiting::new(store)?);
        }
        newest.changed().await.map_err(|_| closed())?;
    }
}

/// One who waits.
struct Waiting(Arc<Inner>);

impl Waiting {
    fn new(store: &Arc<Inner>) -> Result<Self> {
        let mut watch = store.changes.lock();
        if !watch.running {
            let watcher = store.clone();
            let thread = thread::Builder::new().name("strongroom-sqlite-changes".to_owned());
            let started = thread.spawn(move || look_for_changes(&watcher));
            started.map_err(|error| from_io(&error, "no thread could be started"))?;
            watch.running = true;
        }
        watch.waiting += 1;
        watch.asked = true;
        store.changes.changed.notify_one();
        Ok(Waiting(store.clone()))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.changes.lock().waiting -= 1;
        self.0.changes.changed.notify_one();
    }
}

fn look_for_changes(store: &Arc<Inner>) {
    let changes = &store.changes;
    let mut watch = changes.lock();
    while watch.waiting > 0 {
        watch.asked = false;
        drop(watch);
        // A look that fails is made again: whoever waits for a change need not hear of a failure that passes.
        if let Ok(revision) = store.runtime.block_on(store.newest()) {
            changes.tell(revision);
        }
        let still = |watch: &mut Watch| watch.waiting > 0 && !watch.asked;
        let waited = changes.changed.wait_timeout_while(changes.lock(), changes.interval, still);
        watch = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
    watch.running = false;
}
