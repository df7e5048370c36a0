//! Group commit: batches that arrive while a commit is under way go together in the next one.
//!
//! There is no leader. Every waiter polls the one shared commit in flight, and whoever finds none in flight starts the next
//! with all that is queued. So a waiter that is dropped harms nobody: its batch is taken out while it is still queued, and
//! once its group is in flight the others, or the next to come, carry the commit to its end.

use std::collections::VecDeque;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use super::activity::Counters;
use crate::observe::{Stopwatch, operation};
use crate::store::{Batch, Outcome, Revision, Store};
use crate::{Error, ErrorKind, Result};

/// Batches in one group at most: bounds the time that one flush takes.
const GROUP_BATCHES_MAX: usize = 1_024;
/// Bytes in one group after which it takes no more.
const GROUP_BYTES_MAX: usize = 64 << 20;

type InFlight = Shared<BoxFuture<'static, ()>>;

/// The queue in front of [`Store::commit`].
pub(crate) struct GroupCommit {
    store: Arc<dyn Store>,
    state: Mutex<State>,
    pub(super) counters: Arc<Counters>,
}

#[derive(Default)]
struct State {
    queued: VecDeque<Queued>,
    in_flight: Option<InFlight>,
}

struct Queued {
    batch: Batch,
    bytes: usize,
    slot: Arc<Slot>,
    waiting: Stopwatch,
}

/// Where a waiter finds its outcome.
#[derive(Default)]
struct Slot(Mutex<Option<Result<Outcome>>>);

impl GroupCommit {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        GroupCommit { store, state: Mutex::default(), counters: Arc::default() }
    }

    /// Commits one batch, together with others that wait at the same time.
    ///
    /// A batch past a limit is refused here, before it can delay anybody.
    pub(crate) async fn commit(&self, batch: Batch) -> Result<Outcome> {
        batch.check(&self.store.info().limits)?;
        let slot = Arc::new(Slot::default());
        let bytes = batch.bytes();
        let waiting = self.counters.queued();
        lock(&self.state).queued.push_back(Queued { batch, bytes, slot: slot.clone(), waiting });
        let mut withdraw = Withdraw { queue: self, slot: &slot, queued: true };
        loop {
            let in_flight = {
                // Outcomes are filled before the commit resolves, so a look under the lock misses none.
                let mut state = lock(&self.state);
                if let Some(outcome) = lock(&slot.0).take() {
                    withdraw.queued = false;
                    return outcome;
                }
                if state.in_flight.as_ref().is_none_or(|commit| commit.peek().is_some()) {
                    state.in_flight = Some(self.begin(&mut state.queued));
                }
                state.in_flight.clone()
            };
            if let Some(in_flight) = in_flight {
                in_flight.await;
            }
        }
    }

    /// Takes the next group off the queue and makes its commit.
    fn begin(&self, queued: &mut VecDeque<Queued>) -> InFlight {
        let mut batches = Vec::new();
        let (mut slots, mut waited) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        while let Some(next) = queued.front() {
            let full = batches.len() == GROUP_BATCHES_MAX || (bytes > 0 && bytes + next.bytes > GROUP_BYTES_MAX);
            if full {
                break;
            }
            bytes += next.bytes;
            if let Some(next) = queued.pop_front() {
                batches.push(next.batch);
                waited.push(next.waiting);
                slots.push(next.slot);
            }
        }
        let (store, counters) = (self.store.clone(), self.counters.clone());
        let commit = async move {
            // Here and not above: whoever observes is not called under the lock.
            counters.group(&waited, bytes);
            // A backend must not panic; if one does, its waiters must neither hang nor panic with it.
            let commit = operation("commit_group").counting(store.commit(batches), |outcomes| outcomes.len() as u64);
            let result = AssertUnwindSafe(commit).catch_unwind().await;
            let unknown = || Error::new(ErrorKind::CommitUnknown, "the backend panicked while it committed");
            let result = result.unwrap_or_else(|_| Err(unknown()));
            counters.answered(&result, slots.len());
            deliver(result, &slots);
        };
        commit.boxed().shared()
    }
}

/// Commits one batch without the queue; `None`: a guard did not hold.
pub(crate) async fn commit_alone(store: &dyn Store, batch: Batch) -> Result<Option<Revision>> {
    match store.commit(vec![batch]).await?.pop() {
        Some(Outcome::Committed(revision)) => Ok(Some(revision)),
        Some(Outcome::Conflict { .. }) => Ok(None),
        Some(Outcome::Rejected(error)) => Err(error),
        None => Err(Error::new(ErrorKind::CommitUnknown, "the backend gave no outcome")),
    }
}

/// Gives every member of a group its outcome.
fn deliver(result: Result<Vec<Outcome>>, slots: &[Arc<Slot>]) {
    match result {
        Ok(outcomes) if outcomes.len() == slots.len() => {
            for (slot, outcome) in slots.iter().zip(outcomes) {
                *lock(&slot.0) = Some(Ok(outcome));
            }
        }
        Ok(_) => {
            let error =
                Error::new(ErrorKind::CommitUnknown, "the backend gave another number of outcomes than batches");
            slots.iter().for_each(|slot| *lock(&slot.0) = Some(Err(error.clone())));
        }
        Err(error) => slots.iter().for_each(|slot| *lock(&slot.0) = Some(Err(error.clone()))),
    }
}

/// Takes a batch out of the queue when its waiter is dropped before it is in flight.
struct Withdraw<'q> {
    queue: &'q GroupCommit,
    slot: &'q Arc<Slot>,
    queued: bool,
}

impl Drop for Withdraw<'_> {
    fn drop(&mut self) {
        if self.queued {
            let mut state = lock(&self.queue.state);
            let before = state.queued.len();
            state.queued.retain(|queued| !Arc::ptr_eq(&queued.slot, self.slot));
            let withdrawn = before - state.queued.len();
            drop(state);
            self.queue.counters.unqueued(withdrawn);
        }
    }
}

impl fmt::Debug for GroupCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupCommit({} queued)", lock(&self.state).queued.len())
    }
}

/// A lock that was poisoned by a panic elsewhere is still good: nothing here is left half changed.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
