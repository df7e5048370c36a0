//! A view at one revision, with the rows that are in memory.

use std::sync::Arc;

use async_trait::async_trait;

use super::Shared;
use crate::Result;
use crate::store::{KeyRange, Page, Read, Revision, Rows, Scan, Snapshot, StoredKey, Summary};

#[derive(Debug)]
pub(super) struct CachedSnapshot {
    pub(super) inner: Box<dyn Snapshot>,
    pub(super) cache: Arc<Shared>,
    /// The epoch of what is read in it; without one nothing is kept.
    pub(super) epoch: Option<u64>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Read for CachedSnapshot {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        self.cache.check(keys)?;
        let as_of = self.inner.revision();
        let found = self.cache.look_up(keys, as_of);
        if found.missing.is_empty() {
            // It may have expired, or been locked or closed.
            self.inner.get(&[]).await?;
            self.cache.hit(keys.len());
            return Ok(Rows { as_of, rows: found.rows });
        }
        let missing = found.keys(keys);
        let read = self.inner.get(&missing).await?;
        self.cache.keep(&missing, &read, self.epoch);
        self.cache.hit(keys.len() - missing.len());
        found.fill(read)
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        self.inner.scan(scan).await
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        self.inner.summarize(range).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Snapshot for CachedSnapshot {
    fn revision(&self) -> Revision {
        self.inner.revision()
    }
}
