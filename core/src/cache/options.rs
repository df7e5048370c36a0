//! How a cache is made.

use std::sync::Arc;

use super::Cached;
use crate::Clock;
use crate::store::Store;
use crate::store::sorted::SteadyClock;

/// How a cache is made: its limits, and how fresh its answers are. Take the default and set its fields.
///
/// ```
/// # use strongroom_core as strongroom;
/// # async fn example(store: std::sync::Arc<dyn strongroom::store::Store>) {
/// use strongroom::cache::CacheOptions;
///
/// let mut options = CacheOptions::default();
/// options.bytes_max = 4 << 20;
/// let store = options.over(store);
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CacheOptions {
    /// Rows kept at most, those that are known to be absent among them. 1,000 unless set; 0 keeps none.
    pub entries_max: u64,
    /// Bytes that they take at most: of keys, of values and of what it takes to keep them. 16 MiB unless set; 0 keeps none.
    ///
    /// Both limits hold together: a row counts for its bytes, and for no less than `bytes_max / entries_max`. A row that
    /// would take more than a sixteenth of the bytes is not kept (unless an entry's share is larger), and for a moment there
    /// may be a sixteenth too much.
    pub bytes_max: u64,
    /// How old an answer may be, over a store that other processes write to. Over another it makes no difference: every
    /// answer is exact.
    pub freshness: Freshness,
    /// What [`Freshness::Stale`] goes by; it should never go back.
    pub clock: Arc<dyn Clock>,
}

/// How old an answer may be, over a store that other processes write to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Freshness {
    /// Never old: each `get` first asks the store for its revision. That saves reading and decrypting, not the round trip.
    #[default]
    Exact,
    /// So many milliseconds: within them the store is not asked, and what other processes commit may go unseen.
    ///
    /// This handle's own commits are seen at once, and so is what [`changed`](crate::store::Store::changed) has told of; all
    /// rows of an answer are of one revision. Snapshots are exact, and transactions with them. `put` and its like read before
    /// they write: if that was out of date, their guards fail and they run again on what is there. But what is read outside of
    /// a transaction, or an answer such as `NotFound`, may be so much out of date.
    Stale {
        /// Milliseconds.
        stale_ms_max: u64,
    },
}

impl Default for CacheOptions {
    fn default() -> Self {
        CacheOptions {
            entries_max: 1_000,
            bytes_max: 16 << 20,
            freshness: Freshness::Exact,
            clock: Arc::new(SteadyClock::default()),
        }
    }
}

impl CacheOptions {
    /// A cache over this store. All that writes to an [exclusive](crate::store::Sharing::Exclusive) store has to go through it.
    pub fn over<S: Store>(&self, store: S) -> Cached<S> {
        Cached::new(store, self)
    }
}
