//! What one open database has done and is doing: counted as it happens, so that to ask costs nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::Database;
use crate::Result;
use crate::observe::{self, Stopwatch, figures};
use crate::store::{CacheCounters, Outcome};

/// Classes of group sizes: 1, 2 to 3, 4 to 7, and so on, to 1,024.
const SIZE_CLASSES: usize = 11;

/// What one open [`Database`] has done since it was opened, and what it is doing now.
///
/// Every handle of it counts together; other processes, and other databases over the same store, do not. A batch is what a
/// transaction or a single write commits. Those that work past the queue are not among them: opening, building indexes and copying.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Activity {
    /// Batches that were committed.
    pub commits: u64,
    /// Batches that lost to a concurrent commit.
    pub conflicts: u64,
    /// Batches that the store refused, or of which the commit failed.
    pub failures: u64,
    /// Attempts of transactions that had to be made again: after a conflict, or because a view had become too old.
    pub retries: u64,
    /// Commit groups that were given to the store: each is one flush for all its batches.
    pub groups: u64,
    /// Batches in them, those of a group that is under way included.
    pub group_batches: u64,
    /// Groups by size: of one batch, of 2 to 3, 4 to 7, and so on; the last is of 1,024.
    pub group_sizes: [u64; SIZE_CLASSES],
    /// Batches that wait for a group now.
    pub queued: u64,
    /// Batches that waited at one time, at most.
    pub queued_max: u64,
    /// Transactions that hold a view now.
    pub transactions: u64,
    /// [`Snapshot`](super::Snapshot)s that are held now; clones of one count once.
    pub snapshots: u64,
}

impl Activity {
    /// Batches in a group on average; `None` before the first.
    pub fn group_size_mean(&self) -> Option<f64> {
        (self.groups > 0).then(|| self.group_batches as f64 / self.groups as f64)
    }
}

impl Database {
    /// What this database has done since it was opened, and what it is doing now. Asks nobody and takes no lock.
    ///
    /// ```
    /// # use strongroom_core::Database;
    /// # fn example(db: &Database) {
    /// let activity = db.activity();
    /// println!("{} commits in {} flushes, {} wait", activity.commits, activity.groups, activity.queued);
    /// # }
    /// ```
    pub fn activity(&self) -> Activity {
        self.context.activity()
    }

    /// What the caches among the store's layers have done; `None` if there is none. See [`CacheCounters::hit_rate`].
    pub fn cache_counters(&self) -> Option<CacheCounters> {
        self.info().caches.counters()
    }
}

/// The counters behind [`Activity`]. Each change is told to whoever observes, too.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    commits: AtomicU64,
    conflicts: AtomicU64,
    failures: AtomicU64,
    retries: AtomicU64,
    groups: AtomicU64,
    group_batches: AtomicU64,
    group_sizes: [AtomicU64; SIZE_CLASSES],
    queued: AtomicU64,
    queued_max: AtomicU64,
    snapshots: AtomicU64,
}

impl Counters {
    /// A batch came into the queue.
    pub(super) fn queued(&self) -> Stopwatch {
        let queued = add(&self.queued, 1) + 1;
        self.queued_max.fetch_max(queued, Ordering::Relaxed);
        observe::add(&figures::COMMIT_QUEUE_DEPTH, &[], 1.0);
        Stopwatch::start()
    }

    /// So many batches were taken out of the queue.
    pub(super) fn unqueued(&self, batches: usize) {
        if batches > 0 {
            self.queued.fetch_sub(batches as u64, Ordering::Relaxed);
            observe::add(&figures::COMMIT_QUEUE_DEPTH, &[], -(batches as f64));
        }
    }

    /// A group begins, of batches that have waited so long.
    pub(super) fn group(&self, waited: &[Stopwatch], bytes: usize) {
        let batches = waited.len();
        self.unqueued(batches);
        waited.iter().for_each(|waited| observe::record(&figures::COMMIT_WAIT, &[], waited.seconds()));
        add(&self.groups, 1);
        add(&self.group_batches, batches as u64);
        if let Some(class) = batches.checked_ilog2().and_then(|class| self.group_sizes.get(class as usize)) {
            add(class, 1);
        }
        observe::record(&figures::COMMIT_GROUP_BATCHES, &[], batches as f64);
        observe::record(&figures::COMMIT_GROUP_BYTES, &[], bytes as f64);
    }

    /// A group of so many batches has ended.
    pub(super) fn answered(&self, result: &Result<Vec<Outcome>>, batches: usize) {
        let outcomes = match result {
            Ok(outcomes) if outcomes.len() == batches => outcomes,
            _ => {
                add(&self.failures, batches as u64);
                return;
            }
        };
        for outcome in outcomes {
            let counter = match outcome {
                Outcome::Committed(_) => &self.commits,
                Outcome::Conflict { .. } => &self.conflicts,
                Outcome::Rejected(_) => &self.failures,
            };
            add(counter, 1);
        }
    }

    /// A transaction has to be run again.
    pub(super) fn retried(&self) {
        add(&self.retries, 1);
    }

    /// A snapshot is held until the answer is dropped.
    pub(super) fn snapshot(self: &Arc<Self>) -> HeldSnapshot {
        add(&self.snapshots, 1);
        HeldSnapshot(self.clone())
    }

    pub(super) fn activity(&self, transactions: u64) -> Activity {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Activity {
            commits: read(&self.commits),
            conflicts: read(&self.conflicts),
            failures: read(&self.failures),
            retries: read(&self.retries),
            groups: read(&self.groups),
            group_batches: read(&self.group_batches),
            group_sizes: std::array::from_fn(|class| read(&self.group_sizes[class])),
            queued: read(&self.queued),
            queued_max: read(&self.queued_max),
            transactions,
            snapshots: read(&self.snapshots),
        }
    }
}

/// A snapshot that is held.
#[derive(Debug)]
pub(super) struct HeldSnapshot(Arc<Counters>);

impl Drop for HeldSnapshot {
    fn drop(&mut self) {
        self.0.snapshots.fetch_sub(1, Ordering::Relaxed);
    }
}

fn add(counter: &AtomicU64, by: u64) -> u64 {
    counter.fetch_add(by, Ordering::Relaxed)
}
