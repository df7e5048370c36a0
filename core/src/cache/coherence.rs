//! The rule by which a row in memory is the row in the store. It is written down in [the module](super), step by step.

use std::sync::Arc;

use super::entry::Entry;
use super::stripes::Stripes;
use super::sync::{AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering};
use crate::store::{Batch, Caches, Guard, KeyPrefix, Outcome, Revision, Row, Sharing, StoredKey};
use crate::{ErrorKind, Result};

/// Where entries lie.
pub(super) trait Entries: Send + Sync + 'static {
    fn get(&self, key: &StoredKey) -> Option<Arc<Entry>>;
    /// Whether there is room for an entry of so many bytes.
    fn may_hold(&self, bytes: usize) -> bool;
    fn insert(&self, key: &StoredKey, entry: Arc<Entry>);
    /// After an insert, when no lock is held.
    fn make_room(&self);
    fn remove(&self, key: &StoredKey);
    /// Lets go of all rows before it returns.
    fn wipe(&self);
}

/// The rule, over entries wherever they lie.
pub(super) struct Coherence<E> {
    pub(super) entries: E,
    stripes: Stripes,
    sharing: Sharing,
    caches: Caches,
    /// Entries and reads of an earlier one are void.
    epoch: AtomicU64,
    /// Every commit up to this revision came from here, or came before the epoch.
    known: AtomicU64,
    /// Reasons for which nothing is answered or kept now.
    off: AtomicUsize,
    /// Commits whose marks may be on stripes: while there is none, a reader need not look for one.
    marking: AtomicUsize,
    /// Stamped writes whose outcome is not known yet.
    stamping: AtomicUsize,
    flights: Mutex<Flights>,
}

/// Commits that were begun.
#[derive(Default)]
struct Flights {
    begun: u64,
    /// Those of them whose outcome is not known yet.
    up: usize,
    /// Nobody knows whether one of them happened: how many had begun when the last such one ended. A later one that lands resolves it.
    unknown: Option<u64>,
}

impl<E: Entries> Coherence<E> {
    pub(super) fn new(entries: E, stripes: Stripes, sharing: Sharing, caches: Caches) -> Self {
        Coherence {
            entries,
            stripes,
            sharing,
            caches,
            epoch: AtomicU64::new(0),
            known: AtomicU64::new(0),
            off: AtomicUsize::new(0),
            marking: AtomicUsize::new(0),
            stamping: AtomicUsize::new(0),
            flights: Mutex::default(),
        }
    }

    /// The epoch, to be taken before a view is.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// The revision at which entries may answer for the store as it is.
    pub(super) fn known(&self) -> Revision {
        Revision(self.known.load(Ordering::SeqCst))
    }

    /// Whether nothing is answered or kept now.
    pub(super) fn is_off(&self) -> bool {
        self.off.load(Ordering::SeqCst) > 0 || self.caches.suspended()
    }

    /// Nothing is answered or kept from now on.
    pub(super) fn switch_off(&self) {
        self.off.fetch_add(1, Ordering::SeqCst);
        self.wipe();
    }

    /// Makes all entries and reads void, and gives the epoch that begins.
    pub(super) fn void(&self) -> u64 {
        self.epoch.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Makes all entries and reads void, and lets go of the rows before it returns.
    pub(super) fn wipe(&self) {
        self.void();
        self.entries.wipe();
    }

    /// The row as it is in the view at this revision, if that is known; the inner `None` if there is no row.
    pub(super) fn look_up(&self, key: &StoredKey, at: Revision) -> Option<Option<Row>> {
        // In this order. What becomes visible after `known` was read is newer than `at`; what was visible before has left its mark
        // on the stripe, or has taken the entry away, or has begun another epoch.
        // Marks come before the rest: of a commit that ends unsettled the mark goes last, after the cache is off and the epoch another.
        if at > self.known() {
            return None;
        }
        let marked = self.marking.load(Ordering::SeqCst) > 0;
        if marked && (self.stripes.is_written(key.as_bytes()) || self.is_stamped(key)) {
            return None;
        }
        if self.is_off() {
            return None;
        }
        let epoch = self.epoch();
        let entry = self.entries.get(key)?;
        if entry.epoch < epoch {
            // Nobody else will want it. (If it was replaced just now, that costs a miss.)
            self.entries.remove(key);
            return None;
        }
        if entry.epoch == epoch && entry.since <= at { entry.row() } else { None }
    }

    /// Learns of a view: it is there, at this revision. Gives the epoch of what is read in it: `epoch`, which was taken
    /// before, or the one that it begins, because others have written. `None`: it cannot be told yet who wrote what is new.
    pub(super) fn observe(&self, as_of: Revision, epoch: u64) -> Option<u64> {
        if self.sharing == Sharing::Exclusive {
            self.known.fetch_max(as_of.0, Ordering::SeqCst);
            return Some(epoch);
        }
        if as_of <= self.known() {
            return Some(epoch);
        }
        let flights = self.flights();
        if as_of <= self.known() {
            return Some(epoch);
        }
        if flights.up > 0 {
            return None;
        }
        let new = self.void();
        self.known.fetch_max(as_of.0, Ordering::SeqCst);
        // If something else made void what was read meanwhile, a lock say, it stays void.
        Some(if new == epoch + 1 { new } else { epoch })
    }

    /// Keeps a row that was read in a view at `as_of`, unless it may have been written since.
    pub(super) fn keep(&self, key: &StoredKey, row: Option<&Row>, as_of: Revision, epoch: u64) {
        if self.is_off() || self.epoch() != epoch || self.is_stamped(key) {
            return;
        }
        if !self.entries.may_hold(key.len() + row.map_or(0, |row| row.content.bytes())) {
            return;
        }
        let Some(entry) = Entry::new(key, row, as_of, epoch).map(Arc::new) else { return };
        {
            let stripe = self.stripes.lock(key.as_bytes());
            if stripe.writers > 0 || stripe.newest > as_of {
                return;
            }
            // Under the lock: whoever writes the key from now on takes the entry away again.
            self.entries.insert(key, entry.clone());
        }
        self.entries.make_room();
        if self.is_off() || self.epoch() != epoch {
            // It may have come too late to be let go with the others.
            entry.wipe();
            self.entries.remove(key);
        }
    }

    /// Whether a stamped write may be about to make the key.
    fn is_stamped(&self, key: &StoredKey) -> bool {
        if self.stamping.load(Ordering::SeqCst) == 0 {
            return false;
        }
        let prefix = key.len().checked_sub(8).map(|end| &key.as_bytes()[..end]);
        prefix.is_some_and(|prefix| self.stripes.is_written(prefix))
    }

    fn flights(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn begin(&self) -> u64 {
        let mut flights = self.flights();
        flights.begun += 1;
        flights.up += 1;
        flights.begun
    }

    /// A commit has landed, with these revisions, in order.
    fn landed(&self, number: u64, revisions: &[Revision]) {
        let mut flights = self.flights();
        let Some(newest) = revisions.last().copied() else { return };
        if flights.unknown.is_some_and(|unknown| number > unknown) {
            // The store has gone on since: whatever happened has happened.
            flights.unknown = None;
            self.void();
            self.off.fetch_sub(1, Ordering::SeqCst);
        }
        let known = self.known();
        let next_of =
            |known: Revision| revisions.iter().try_fold(known, |last, next| (last.next() == *next).then_some(*next));
        if self.sharing == Sharing::Shared && newest > known && next_of(known).is_none() {
            // Between what was known and this, others have written.
            self.void();
        }
        self.known.fetch_max(newest.0, Ordering::SeqCst);
    }

    /// Of a commit it is not known whether it happened.
    fn lost(&self) {
        let mut flights = self.flights();
        let begun = flights.begun;
        if flights.unknown.replace(begun).is_none() {
            self.off.fetch_add(1, Ordering::SeqCst);
        }
        self.void();
    }

    /// One less is on its way.
    fn end(&self) {
        self.flights().up -= 1;
    }
}

/// A commit that was begun: the keys that it writes are marked until it is settled.
pub(super) struct Flight<E: Entries> {
    coherence: Arc<Coherence<E>>,
    number: u64,
    batches: Vec<Written>,
    settled: bool,
}

/// What one batch writes.
struct Written {
    keys: Vec<StoredKey>,
    prefixes: Vec<KeyPrefix>,
    /// What it rests on.
    guarded: Vec<StoredKey>,
}

impl<E: Entries> Flight<E> {
    /// Marks what the batches write. The store may be told of them after that, not before.
    pub(super) fn begin(coherence: &Arc<Coherence<E>>, batches: &[Batch]) -> Self {
        let number = coherence.begin();
        let written = batches.iter().map(|batch| Written {
            keys: batch.writes.keys().cloned().collect(),
            prefixes: batch.stamped.iter().map(|(prefix, _)| prefix.clone()).collect(),
            guarded: batch.guards.iter().filter_map(key_of).collect(),
        });
        let flight = Flight { coherence: coherence.clone(), number, batches: written.collect(), settled: false };
        coherence.marking.fetch_add(1, Ordering::SeqCst);
        for batch in &flight.batches {
            if !batch.prefixes.is_empty() {
                coherence.stamping.fetch_add(batch.prefixes.len(), Ordering::SeqCst);
            }
            for key in batch.keys.iter().chain(batch.prefixes.iter().map(|prefix| &prefix.0)) {
                coherence.stripes.lock(key.as_bytes()).writers += 1;
            }
        }
        flight
    }

    /// What became of it: entries of what was written go, then the marks.
    pub(super) fn settle(mut self, result: &Result<Vec<Outcome>>) {
        match result {
            Ok(outcomes) if outcomes.len() == self.batches.len() => {
                let writing = self.batches.iter().zip(outcomes).filter(|(batch, _)| !batch.is_empty());
                let revisions: Vec<Revision> = writing.filter_map(|(_, outcome)| outcome.revision()).collect();
                self.coherence.landed(self.number, &revisions);
                for (batch, outcome) in self.batches.iter().zip(outcomes) {
                    match outcome {
                        Outcome::Committed(revision) => self.renew(batch, *revision),
                        // Read anew, in case they are in memory as they no longer are: on a shared store within its bound, on
                        // another if somebody has written past this cache. Else the next attempt would rest on the same.
                        Outcome::Conflict { .. } => {
                            batch.guarded.iter().for_each(|key| self.coherence.entries.remove(key))
                        }
                        Outcome::Rejected(_) => {}
                    }
                }
                self.settled = true;
            }
            Err(error) if error.kind() != ErrorKind::CommitUnknown => self.settled = true,
            // Dropped unsettled.
            Ok(_) | Err(_) => {}
        }
    }

    /// Takes away the entries of what was written.
    fn renew(&self, batch: &Written, revision: Revision) {
        let stamped: Vec<StoredKey> = batch.prefixes.iter().map(|prefix| prefix.stamp(revision)).collect();
        for key in batch.keys.iter().chain(&stamped) {
            let mut stripe = self.coherence.stripes.lock(key.as_bytes());
            stripe.newest = stripe.newest.max(revision);
            self.coherence.entries.remove(key);
        }
    }
}

/// Settled or not, it is over: where the caller went away or the store below panicked, nobody knows how.
impl<E: Entries> Drop for Flight<E> {
    fn drop(&mut self) {
        let coherence = &self.coherence;
        if !self.settled {
            coherence.lost();
        }
        for batch in &self.batches {
            for key in batch.keys.iter().chain(batch.prefixes.iter().map(|prefix| &prefix.0)) {
                coherence.stripes.lock(key.as_bytes()).writers -= 1;
            }
            if !batch.prefixes.is_empty() {
                coherence.stamping.fetch_sub(batch.prefixes.len(), Ordering::SeqCst);
            }
        }
        coherence.marking.fetch_sub(1, Ordering::SeqCst);
        coherence.end();
    }
}

fn key_of(guard: &Guard) -> Option<StoredKey> {
    match guard {
        Guard::Key { key, .. } => Some(key.clone()),
        Guard::Range { .. } => None,
    }
}

impl Written {
    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.prefixes.is_empty()
    }
}

/// The removal of a range that was begun: nothing is answered or kept until it is settled.
pub(super) struct Removal<E: Entries> {
    coherence: Arc<Coherence<E>>,
    number: u64,
    settled: bool,
}

impl<E: Entries> Removal<E> {
    pub(super) fn begin(coherence: &Arc<Coherence<E>>) -> Self {
        let number = coherence.begin();
        coherence.switch_off();
        Removal { coherence: coherence.clone(), number, settled: false }
    }

    pub(super) fn settle(mut self, result: &Result<Outcome>) {
        match result {
            Ok(outcome) => {
                self.settled = true;
                // Of a range that was empty, the revision may be another's; but nothing is kept from before anyway.
                self.coherence.landed(self.number, outcome.revision().as_slice());
            }
            Err(error) => self.settled = error.kind() != ErrorKind::CommitUnknown,
        }
    }
}

impl<E: Entries> Drop for Removal<E> {
    fn drop(&mut self) {
        if !self.settled {
            self.coherence.lost();
        }
        self.coherence.void();
        self.coherence.off.fetch_sub(1, Ordering::SeqCst);
        self.coherence.end();
    }
}
