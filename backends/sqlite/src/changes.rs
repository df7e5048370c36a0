//! Waiting for a newer revision: this handle's commits are told, those of others are looked for.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use strongroom_core::Result;

use crate::error::from_io;
use crate::store::Inner;

/// Who waits for a newer revision, and how often it is looked for.
pub(crate) struct Changes {
    watch: Mutex<Watch>,
    changed: Condvar,
    interval: Duration,
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
    pub(crate) fn new(poll_ms: u32) -> Self {
        let interval = Duration::from_millis(poll_ms.max(1).into());
        Changes { watch: Mutex::default(), changed: Condvar::new(), interval }
    }

    /// Looks for what others commit until the answer is dropped.
    pub(crate) fn wait(store: &Arc<Inner>) -> Result<Waiting> {
        Waiting::new(store)
    }

    fn lock(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits.
pub(crate) struct Waiting(Arc<Inner>);

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
        if let Ok(revision) = store.runtime.block_on(store.look()) {
            store.newest.tell(revision);
        }
        let still = |watch: &mut Watch| watch.waiting > 0 && !watch.asked;
        let waited = changes.changed.wait_timeout_while(changes.lock(), changes.interval, still);
        watch = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
    watch.running = false;
}
