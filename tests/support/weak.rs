//! A store that checks range guards with a half of them left out: what it lets through, a test of serializability must catch.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom::Result;
use strongroom::store::{
    Batch, Compaction, Guard, KeyRange, Outcome, Page, Read, Revision, Rows, Scan, Snapshot, Store, StoreInfo,
    StoredKey, Summary, Usage,
};

/// Which halves of a range guard are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halves {
    /// The range still has as many rows.
    pub rows: bool,
    /// None of its rows is newer.
    pub newest: bool,
}

#[derive(Debug)]
pub struct Weak {
    pub inner: Arc<dyn Store>,
    pub halves: Halves,
}

impl Weak {
    async fn holds(&self, guard: &Guard) -> Result<bool> {
        let Guard::Range { range, as_of, rows } = guard else { return Ok(true) };
        let now = self.inner.summarize(range).await?;
        Ok((!self.halves.rows || now.rows == *rows) && (!self.halves.newest || now.newest <= *as_of))
    }
}

#[async_trait]
impl Read for Weak {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        self.inner.get(keys).await
    }
    async fn scan(&self, scan: &Scan) -> Result<Page> {
        self.inner.scan(scan).await
    }
    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        self.inner.summarize(range).await
    }
}

#[async_trait]
impl Store for Weak {
    fn info(&self) -> &StoreInfo {
        self.inner.info()
    }
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.inner.snapshot().await
    }
    /// One batch after another: the test polls one transaction at a time, and memory answers at once.
    async fn commit(&self, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        for mut batch in batches {
            let mut failed = None;
            for (at, guard) in batch.guards.iter().enumerate() {
                if !self.holds(guard).await? {
                    failed = Some(at);
                    break;
                }
            }
            if let Some(guard) = failed {
                outcomes.push(Outcome::Conflict { guard });
                continue;
            }
            batch.guards.retain(|guard| matches!(guard, Guard::Key { .. }));
            outcomes.extend(self.inner.commit(vec![batch]).await?);
        }
        Ok(outcomes)
    }
    async fn changed(&self, after: Revision) -> Result<Revision> {
        self.inner.changed(after).await
    }
    async fn drop_range(&self, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        self.inner.drop_range(range, guards).await
    }
    async fn compact(&self) -> Result<Compaction> {
        self.inner.compact().await
    }
    async fn usage(&self) -> Result<Usage> {
        self.inner.usage().await
    }
    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}
