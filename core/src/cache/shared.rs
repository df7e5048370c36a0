//! What a cache and its snapshots share: entries under the rule, counters, and when the store has to be asked.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::coherence::Coherence;
use super::entries::Memory;
use super::options::{CacheOptions, Freshness};
use super::stripes::Stripes;
use crate::error::{Error, ErrorKind, Limit};
use crate::observe;
use crate::store::{Cache, CacheCounters, Caches, Revision, Row, Rows, Sharing, StoreInfo, StoredKey};
use crate::{Clock, Result, Timestamp};

/// When a shared store was asked for its revision.
#[derive(Clone, Copy, Default)]
pub(super) struct Question {
    /// `None`: it has to be asked.
    at: Option<Timestamp>,
    /// How often it had to be asked again, for what others did.
    number: u64,
}

pub(super) struct Shared {
    pub(super) coherence: Arc<Coherence<Memory>>,
    name: &'static str,
    get_keys_max: usize,
    sharing: Sharing,
    caches: Caches,
    freshness: Freshness,
    clock: Arc<dyn Clock>,
    last: Mutex<Question>,
    hits: AtomicU64,
    misses: AtomicU64,
    bypasses: AtomicU64,
}

/// Where entries may answer from, and the epoch of what is read from below.
pub(super) struct View {
    pub(super) at: Revision,
    pub(super) epoch: u64,
}

/// What was found in memory, in the order asked.
pub(super) struct Found {
    pub(super) rows: Vec<Option<Row>>,
    /// Positions of what was not.
    pub(super) missing: Vec<usize>,
}

impl Found {
    /// The keys of what was not found.
    pub(super) fn keys(&self, asked: &[StoredKey]) -> Vec<StoredKey> {
        self.missing.iter().map(|at| asked[*at].clone()).collect()
    }

    /// Adds what was read from below.
    pub(super) fn fill(mut self, read: Rows) -> Result<Rows> {
        if read.rows.len() != self.missing.len() {
            let message = "the backend gave another number of rows than it was asked for";
            return Err(Error::new(ErrorKind::Corrupt, message));
        }
        for (at, row) in self.missing.into_iter().zip(read.rows) {
            self.rows[at] = row;
        }
        Ok(Rows { as_of: read.as_of, rows: self.rows })
    }
}

impl Shared {
    pub(super) fn new(info: &StoreInfo, options: &CacheOptions) -> Self {
        let entries = Memory::new(options.entries_max, options.bytes_max);
        let coherence = Coherence::new(entries, Stripes::new(), info.sharing, info.caches.clone());
        if options.entries_max == 0 || options.bytes_max == 0 {
            coherence.switch_off();
        }
        Shared {
            coherence: Arc::new(coherence),
            name: info.name,
            get_keys_max: info.limits.get_keys_max,
            sharing: info.sharing,
            caches: info.caches.clone(),
            freshness: options.freshness,
            clock: options.clock.clone(),
            last: Mutex::default(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            bypasses: AtomicU64::new(0),
        }
    }

    /// Errors: `Limit(GetKeys)`, also if all of them are in memory.
    pub(super) fn check(&self, keys: &[StoredKey]) -> Result<()> {
        if keys.len() <= self.get_keys_max {
            return Ok(());
        }
        let error = Error::limit(Limit::GetKeys, self.get_keys_max as u64, keys.len() as u64);
        Err(error.on(self.name).during("get"))
    }

    /// Whether one of the keys may be in memory.
    pub(super) fn may_keep_some(&self, keys: &[StoredKey]) -> bool {
        keys.iter().any(|key| self.caches.may_keep(key))
    }

    /// What is in memory of the view at this revision.
    pub(super) fn look_up(&self, keys: &[StoredKey], at: Revision) -> Found {
        let mut found = Found { rows: Vec::with_capacity(keys.len()), missing: Vec::new() };
        for (position, key) in keys.iter().enumerate() {
            let row = self.coherence.look_up(key, at);
            if row.is_none() {
                found.missing.push(position);
            }
            found.rows.push(row.flatten());
        }
        found
    }

    /// Looks once more for what was found, in the view of what was not; whether all of it is still there.
    pub(super) fn look_up_again(&self, keys: &[StoredKey], found: &mut Found, at: Revision) -> bool {
        let mut missing = found.missing.iter().peekable();
        for (position, (key, row)) in keys.iter().zip(&mut found.rows).enumerate() {
            if missing.next_if(|at| **at == position).is_some() {
                continue;
            }
            match self.coherence.look_up(key, at) {
                Some(again) => *row = again,
                None => return false,
            }
        }
        true
    }

    /// Keeps what was read from below in this epoch; without one, or while the cache is off, nothing.
    pub(super) fn keep(&self, keys: &[StoredKey], read: &Rows, epoch: Option<u64>) {
        let Some(epoch) = epoch.filter(|_| !self.coherence.is_off()) else { return self.bypass(keys.len()) };
        let mut bypassed = 0;
        for (key, row) in keys.iter().zip(&read.rows) {
            if self.caches.may_keep(key) {
                self.coherence.keep(key, row.as_ref(), read.as_of, epoch);
            } else {
                bypassed += 1;
            }
        }
        self.bypass(bypassed);
        self.misses.fetch_add((keys.len() - bypassed) as u64, Ordering::Relaxed);
        answered("miss", keys.len() - bypassed);
    }

    pub(super) fn hit(&self, keys: usize) {
        self.hits.fetch_add(keys as u64, Ordering::Relaxed);
        answered("hit", keys);
    }

    pub(super) fn bypass(&self, keys: usize) {
        self.bypasses.fetch_add(keys as u64, Ordering::Relaxed);
        answered("bypass", keys);
    }

    /// Whether the store has to be asked for its revision first; then, what to [tell](Self::asked) when it was.
    pub(super) fn must_ask(&self) -> Option<Question> {
        if self.sharing == Sharing::Exclusive {
            return None;
        }
        let last = *self.last();
        let Freshness::Stale { stale_ms_max } = self.freshness else { return Some(last) };
        let now = self.clock.now();
        // A clock that has gone back tells nothing.
        let age_ms = last.at.and_then(|at| u64::try_from(now.as_millis().checked_sub(at.as_millis())?).ok());
        if age_ms.is_some_and(|age| age < stale_ms_max) { None } else { Some(Question { at: Some(now), ..last }) }
    }

    /// The store was asked; it counts, unless it has to be asked again since.
    pub(super) fn asked(&self, question: Question) {
        let mut last = self.last();
        if last.number == question.number {
            *last = question;
        }
    }

    /// The store has to be asked before the next answer.
    pub(super) fn ask_next(&self) {
        let mut last = self.last();
        *last = Question { at: None, number: last.number + 1 };
    }

    fn last(&self) -> MutexGuard<'_, Question> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns of a view, as [`Coherence::observe`].
    pub(super) fn observe(&self, as_of: Revision, epoch: u64) -> Option<u64> {
        let epoch = self.coherence.observe(as_of, epoch);
        if epoch.is_none() {
            // No answer may be older than this one.
            self.ask_next();
        }
        epoch
    }
}

/// Tells whoever observes.
fn answered(answer: &'static str, keys: usize) {
    if keys > 0 {
        observe::count(&observe::figures::CACHE_KEYS, &[answer], keys as u64);
    }
}

impl Cache for Shared {
    fn clear(&self) {
        self.coherence.wipe();
    }

    fn counters(&self) -> CacheCounters {
        let (evictions, entries, bytes) = self.coherence.entries.counts();
        CacheCounters {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            evictions,
            bypasses: self.bypasses.load(Ordering::Relaxed),
            entries,
            bytes,
        }
    }
}

/// Shows no content.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cache")
    }
}
