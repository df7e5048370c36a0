//! moka alone.

use bytes::Bytes;

/// Values by key in moka's synchronous cache.
#[derive(Debug)]
pub struct RawCache(moka::sync::Cache<Bytes, Bytes>);

impl RawCache {
    /// A cache that holds these.
    pub fn new(entries: Vec<(Bytes, Bytes)>) -> Self {
        let cache = moka::sync::Cache::new(2 * entries.len() as u64);
        entries.into_iter().for_each(|(key, value)| cache.insert(key, value));
        cache.run_pending_tasks();
        RawCache(cache)
    }

    /// A value.
    pub fn get(&self, key: &Bytes) -> Option<Bytes> {
        self.0.get(key)
    }
}
