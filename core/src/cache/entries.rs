//! Where entries lie: moka, bounded by number and by bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::notification::RemovalCause;
use moka::sync::Cache;

use super::coherence::Entries;
use super::entry::Entry;
use crate::store::StoredKey;

/// What an entry takes beside the bytes of key and row: allocations, reference counts, nodes of moka. `strongroom-benches` measures it: 523
/// bytes on 64-bit Linux.
const OVERHEAD_BYTES: u64 = 530;
/// The part of the limit that a single entry may take, and that may be over it for a moment.
const PART: u64 = 16;

/// Entries in moka.
pub(super) struct Memory {
    cache: Cache<StoredKey, Arc<Entry>>,
    limits: Limits,
    /// Bytes that moka has not seen to yet: it makes room now and then, not each time.
    unseen: AtomicU64,
    evictions: Arc<AtomicU64>,
}

#[derive(Clone, Copy)]
struct Limits {
    entry_bytes_min: u64,
    bytes_max: u64,
}

impl Limits {
    /// moka has one limit, so each entry counts for at least its share of the bytes: as many as the entries allowed fill them.
    fn weight(&self, entry: &Entry) -> u64 {
        (entry.bytes as u64 + OVERHEAD_BYTES).max(self.entry_bytes_min)
    }
}

impl Memory {
    pub(super) fn new(entries_max: u64, bytes_max: u64) -> Self {
        let limits = Limits { entry_bytes_min: bytes_max.div_ceil(entries_max.max(1)), bytes_max };
        let evictions = Arc::new(AtomicU64::new(0));
        let evicted = evictions.clone();
        let cache = Cache::builder()
            .max_capacity(bytes_max)
            .weigher(move |_, entry: &Arc<Entry>| u32::try_from(limits.weight(entry)).unwrap_or(u32::MAX))
            .eviction_listener(move |_, entry: Arc<Entry>, cause| {
                if cause == RemovalCause::Size {
                    evicted.fetch_add(1, Ordering::Relaxed);
                }
                // moka frees what it removes some time later.
                entry.wipe();
            })
            .build();
        Memory { cache, limits, unseen: AtomicU64::new(0), evictions }
    }

    /// Evictions, entries and bytes by now.
    pub(super) fn counts(&self) -> (u64, u64, u64) {
        self.cache.run_pending_tasks();
        (self.evictions.load(Ordering::Relaxed), self.cache.entry_count(), self.cache.weighted_size())
    }
}

impl Entries for Memory {
    fn get(&self, key: &StoredKey) -> Option<Arc<Entry>> {
        self.cache.get(key)
    }

    fn insert(&self, key: &StoredKey, entry: Arc<Entry>) {
        let weight = self.limits.weight(&entry);
        if weight > (self.limits.bytes_max / PART).max(self.limits.entry_bytes_min) {
            return;
        }
        // A key of its own, as it may be a part of something larger.
        self.cache.insert(StoredKey::from(key.as_bytes().to_vec()), entry);
        if self.unseen.fetch_add(weight, Ordering::Relaxed) + weight > self.limits.bytes_max / PART {
            self.unseen.store(0, Ordering::Relaxed);
            self.cache.run_pending_tasks();
        }
    }

    fn remove(&self, key: &StoredKey) {
        self.cache.invalidate(key);
    }

    fn release(&self) {
        self.cache.invalidate_all();
    }

    fn wipe(&self) {
        for (_, entry) in &self.cache {
            entry.wipe();
        }
        self.cache.invalidate_all();
        self.cache.run_pending_tasks();
    }
}
