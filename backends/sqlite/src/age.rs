//! Snapshots past their age are let go of also while nobody calls: another process may be the one that writes, and its log
//! cannot be emptied meanwhile.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::store::Inner;

/// How often it is looked whether a snapshot is past its age.
const INTERVAL: Duration = Duration::from_secs(1);

/// The thread that looks at the age of snapshots. It is there only while there are some.
#[derive(Default)]
pub(crate) struct Age {
    running: Mutex<bool>,
    closed: Condvar,
}

impl Age {
    /// No snapshot is open from now on: there is nothing more to look at.
    pub(crate) fn close(&self) {
        self.closed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A snapshot was taken: its age is looked at from now on.
pub(crate) fn watch(store: &Arc<Inner>) {
    let mut running = store.age.lock();
    if *running {
        return;
    }
    let (age, store) = (store.age.clone(), Arc::downgrade(store));
    let thread = thread::Builder::new().name("strongroom-sqlite-age".to_owned());
    let started = thread.spawn(move || {
        // Not held while it waits: dropping the last handle ends the store.
        while store.upgrade().is_some_and(|store| are_open(&store)) {
            let waited = age.closed.wait_timeout(age.lock(), INTERVAL);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    });
    // Without the thread they go with the next call.
    *running = started.is_ok();
}

/// Lets go of those past their age; says whether there are others, and if not, that nobody looks any more.
fn are_open(store: &Inner) -> bool {
    let mut running = store.age.lock();
    // A snapshot that comes after this look finds that nobody is running.
    *running = store.snapshots.lock().check_none().is_err();
    *running
}
