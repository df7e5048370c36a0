//! What the layers of one open store have to tell the caches among them.

use std::fmt::{self, Debug};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use serde::Serialize;

use super::{KeyRange, StoredKey};

/// The caches of one open store: a handle that all its layers share through their [`StoreInfo`](super::StoreInfo).
///
/// A cache answers without asking the layers below. So a layer that takes back what it once answered, other than by a commit
/// that came from above, has to say so here: an encrypting one when it is locked, or when it seals rows anew, and each of
/// them when it is closed.
///
/// A backend makes one with `Caches::default()`; a layer passes on the one below.
#[derive(Clone, Default)]
pub struct Caches(Arc<Shared>);

#[derive(Default)]
struct Shared {
    caches: Mutex<Vec<Weak<dyn Cache>>>,
    uncached: RwLock<Vec<KeyRange>>,
    /// Whether there is one of those: most stores have none, and every read asks.
    forbids: AtomicBool,
    suspended: AtomicUsize,
}

/// What a cache does when it is told.
pub trait Cache: Debug + Send + Sync + 'static {
    /// Drops every row, before it returns, and keeps none of a read that began before.
    fn clear(&self);

    /// What it has done so far.
    fn counters(&self) -> CacheCounters;
}

/// What caches have done since they were made. Counted by key: a `get` of three keys counts three times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CacheCounters {
    /// Keys that were answered from memory.
    pub hits: u64,
    /// Keys that the store was asked for, and that might have been in memory.
    pub misses: u64,
    /// Rows that were dropped to make room.
    pub evictions: u64,
    /// Keys that the store was asked for because no cache may answer them: their collection is declared so, the limits are 0, or
    /// something is going on that has to end first.
    pub bypasses: u64,
    /// Rows in memory now, those that are known to be absent among them.
    pub entries: u64,
    /// Bytes of them, as they count towards the limit: a row counts for no less than `bytes_max / entries_max`, which is 16 KiB
    /// with the defaults, so this is more than the memory that they take.
    pub bytes: u64,
}

impl CacheCounters {
    /// The part of keys that were answered from memory, of those that might have been: from 0 to 1; `None` before the first.
    pub fn hit_rate(&self) -> Option<f64> {
        let asked = self.hits + self.misses;
        (asked > 0).then(|| self.hits as f64 / asked as f64)
    }
}

impl Caches {
    /// Makes every cache drop what it has, before this returns, and keep nothing of a read that began before.
    pub fn clear(&self) {
        for cache in self.all() {
            cache.clear();
        }
    }

    /// Switches every cache off until the answer is [ended](Suspension::end).
    pub fn suspend(&self) -> Suspension {
        self.0.suspended.fetch_add(1, Ordering::SeqCst);
        self.clear();
        Suspension(self.clone())
    }

    /// Switches every cache off for good: a backend does when it is closed, since it may be closed past the caches above.
    pub fn switch_off(&self) {
        drop(self.suspend());
    }

    /// Whether caches are switched off.
    pub fn suspended(&self) -> bool {
        self.0.suspended.load(Ordering::SeqCst) > 0
    }

    /// From now on no cache keeps rows of this range.
    pub fn forbid(&self, range: KeyRange) {
        let mut uncached = self.0.uncached.write().unwrap_or_else(PoisonError::into_inner);
        if !uncached.contains(&range) {
            uncached.push(range);
            self.0.forbids.store(true, Ordering::SeqCst);
            drop(uncached);
            self.clear();
        }
    }

    /// Whether rows of this key may be kept.
    pub fn may_keep(&self, key: &StoredKey) -> bool {
        if !self.0.forbids.load(Ordering::SeqCst) {
            return true;
        }
        let uncached = self.0.uncached.read().unwrap_or_else(PoisonError::into_inner);
        !uncached.iter().any(|range| range.holds(key.as_bytes()))
    }

    /// What all caches together have done; `None` if there is no cache.
    pub fn counters(&self) -> Option<CacheCounters> {
        self.all().into_iter().map(|cache| cache.counters()).reduce(|one, other| CacheCounters {
            hits: one.hits + other.hits,
            misses: one.misses + other.misses,
            evictions: one.evictions + other.evictions,
            bypasses: one.bypasses + other.bypasses,
            entries: one.entries + other.entries,
            bytes: one.bytes + other.bytes,
        })
    }

    /// Adds a cache, which is told until it is dropped.
    pub fn add(&self, cache: &Arc<impl Cache>) {
        let cache: Arc<dyn Cache> = cache.clone();
        let mut caches = self.lock();
        caches.retain(|cache| cache.strong_count() > 0);
        caches.push(Arc::downgrade(&cache));
    }

    fn all(&self) -> Vec<Arc<dyn Cache>> {
        self.lock().iter().filter_map(Weak::upgrade).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<dyn Cache>>> {
        self.0.caches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Debug for Caches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caches({})", self.all().len())
    }
}

/// Caches that are switched off.
///
/// Dropped without an [end](Self::end), they stay off as long as the store is open: whoever gives up a change of rows half
/// way cannot know what became of it.
#[derive(Debug)]
#[must_use = "caches stay off until it is ended"]
pub struct Suspension(Caches);

impl Suspension {
    /// Switches the caches on again, empty, unless others keep them off.
    pub fn end(self) {
        // In this order: none answers what it kept from before.
        self.0.clear();
        self.0.0.suspended.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Counting(AtomicUsize);

    impl Cache for Counting {
        fn clear(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }

        fn counters(&self) -> CacheCounters {
            CacheCounters { hits: 2, ..CacheCounters::default() }
        }
    }

    #[test]
    fn every_cache_that_is_there_is_told() {
        let caches = Caches::default();
        assert_eq!(caches.counters(), None);
        let (one, other) = (Arc::new(Counting::default()), Arc::new(Counting::default()));
        caches.add(&one);
        caches.clone().add(&other);
        caches.clear();
        drop(other);
        caches.clear();
        assert_eq!(one.0.load(Ordering::SeqCst), 2);
        let counters = caches.counters().unwrap();
        assert_eq!((counters.hits, counters.hit_rate()), (2, Some(1.0)));
        assert_eq!(CacheCounters { misses: 6, ..counters }.hit_rate(), Some(0.25));
        assert_eq!(CacheCounters::default().hit_rate(), None);
    }

    #[test]
    fn a_suspension_that_is_given_up_lasts() {
        let caches = Caches::default();
        let (one, other) = (caches.suspend(), caches.suspend());
        one.end();
        assert!(caches.suspended());
        other.end();
        assert!(!caches.suspended());
        caches.switch_off();
        assert!(caches.suspended());
    }

    #[test]
    fn what_is_forbidden_may_not_be_kept() {
        let caches = Caches::default();
        let key = |bytes: &[u8]| StoredKey::from(bytes.to_vec());
        caches.forbid(KeyRange::prefix(&[0, 7]));
        assert!(!caches.may_keep(&key(&[0, 7, 1])) && caches.may_keep(&key(&[0, 8])));
    }
}
