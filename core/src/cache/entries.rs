//! Where entries lie: moka, bounded by number and by bytes.

use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ahash::RandomState;
use moka::notification::RemovalCause;
use moka::sync::Cache;

use super::coherence::Entries;
use super::entry::Entry;
use crate::store::StoredKey;

/// What an entry takes beside the bytes of key and row: allocations, reference counts, nodes of moka. `strongroom-benches`
/// measures it: 523 bytes on 64-bit Linux.
const OVERHEAD_BYTES: u64 = 530;
/// The part of the limit that a single entry may take, and that may be over it for a moment.
const PART: u64 = 16;

/// Entries in moka.
pub(super) struct Memory {
    cache: Cache<StoredKey, Arc<Entry>, RandomState>,
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
    fn weight(&self, bytes: usize) -> u64 {
        (bytes as u64 + OVERHEAD_BYTES).max(self.entry_bytes_min)
    }
}

impl Memory {
    pub(super) fn new(entries_max: u64, bytes_max: u64) -> Self {
        // What an entry weighs is told to moka in 32 bits, and the lightest must not weigh less than its share.
        let bytes_max = bytes_max.min(entries_max.saturating_mul(u64::from(u32::MAX)));
        let limits = Limits { entry_bytes_min: bytes_max.div_ceil(entries_max.max(1)), bytes_max };
        let evictions = Arc::new(AtomicU64::new(0));
        let evicted = evictions.clone();
        let cache = Cache::builder()
            .max_capacity(bytes_max)
            .weigher(move |_, entry: &Arc<Entry>| u32::try_from(limits.weight(entry.bytes)).unwrap_or(u32::MAX))
            .eviction_listener(move |_, entry: Arc<Entry>, cause| {
                if cause == RemovalCause::Size {
                    evicted.fetch_add(1, Ordering::Relaxed);
                }
                // moka frees what it removes some time later.
                entry.wipe();
            })
            .build_with_hasher(seeded());
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

    fn may_hold(&self, bytes: usize) -> bool {
        self.limits.weight(bytes) <= (self.limits.bytes_max / PART).max(self.limits.entry_bytes_min)
    }

    fn insert(&self, key: &StoredKey, entry: Arc<Entry>) {
        self.unseen.fetch_add(self.limits.weight(entry.bytes), Ordering::Relaxed);
        // A key of its own, as it may be a part of something larger.
        self.cache.insert(StoredKey::from(key.as_bytes().to_vec()), entry);
    }

    fn make_room(&self) {
        if self.unseen.load(Ordering::Relaxed) > self.limits.bytes_max / PART {
            self.unseen.store(0, Ordering::Relaxed);
            self.cache.run_pending_tasks();
        }
    }

    fn remove(&self, key: &StoredKey) {
        self.cache.invalidate(key);
    }

    fn wipe(&self) {
        for (_, entry) in &self.cache {
            entry.wipe();
        }
        self.cache.invalidate_all();
        self.cache.run_pending_tasks();
    }
}

/// A hasher faster than the standard one, since each hit hashes its key. Others may choose keys, so its seeds are chosen at random.
fn seeded() -> RandomState {
    let random = std::hash::RandomState::new();
    let [a, b, c, d] = [0_u8, 1, 2, 3].map(|number| random.hash_one(number));
    RandomState::with_seeds(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::store::{Content, Revision, Row};

    #[test]
    fn every_row_is_let_go_of_before_wipe_returns() {
        const ENTRIES: u32 = 20_000;
        let memory = Memory::new(u64::from(ENTRIES), 1 << 30);
        let row = Row { revision: Revision(1), content: Content::Value(Bytes::from_static(b"a secret")) };
        let held: Vec<Arc<Entry>> = (0..ENTRIES)
            .map(|number| {
                let key = StoredKey::from(number.to_be_bytes().to_vec());
                let entry =
                    Arc::new(Entry::new(&key, Some(&row), Revision(1), u64::from(number % 3)).expect("a value"));
                memory.insert(&key, entry.clone());
                entry
            })
            .collect();
        assert!(held.iter().all(|entry| entry.row().is_some()));
        memory.wipe();
        assert_eq!(held.iter().filter(|entry| entry.row().is_some()).count(), 0);
        // The cache does its upkeep for a tenth of a second at a time: on a busy machine it takes several until nothing is counted.
        assert!((0..1_000).any(|_| memory.counts().1 == 0), "nothing is kept for good");
    }
}
