//! A store that keeps nothing: what a call costs above the engine, and which rows reach it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use strongroom::memory::Memory;
use strongroom::store::{
    Batch, Compaction, Guard, KeyRange, Outcome, Page, Read, Revision, Rows, Scan, Snapshot, Store, StoreInfo,
    StoredKey, Summary, Usage,
};
use strongroom::{Error, Result};

/// A store that is one in memory until it is told to [keep nothing](Sink::keep_nothing): catalog and header are then there, and
/// commits are acknowledged and go nowhere.
#[derive(Debug)]
pub struct Sink {
    inner: Memory,
    absorbs: AtomicBool,
    revision: AtomicU64,
    /// The batches that were committed, while somebody wants them.
    captured: Mutex<Option<Vec<Batch>>>,
}

impl Default for Sink {
    fn default() -> Self {
        Sink {
            inner: Memory::new(),
            absorbs: AtomicBool::default(),
            revision: AtomicU64::new(1 << 40),
            captured: Mutex::default(),
        }
    }
}

impl Sink {
    /// Acknowledges what is committed from now on, and keeps none of it. Guards are not checked.
    pub fn keep_nothing(&self) {
        self.absorbs.store(true, Ordering::Relaxed);
    }

    /// Keeps nothing, but the batches for [`captured`](Sink::captured).
    pub fn capture(&self) {
        *self.captured.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
        self.keep_nothing();
    }

    /// The batches that came since [`capture`](Sink::capture) or the last call, in order.
    pub fn captured(&self) -> Vec<Batch> {
        self.captured.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(std::mem::take).unwrap_or_default()
    }
}

#[async_trait]
impl Read for Sink {
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
impl Store for Sink {
    fn info(&self) -> &StoreInfo {
        self.inner.info()
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.inner.snapshot().await
    }

    async fn commit(&self, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        if !self.absorbs.load(Ordering::Relaxed) {
            return self.inner.commit(batches).await;
        }
        let next = |_: &Batch| Outcome::Committed(Revision(self.revision.fetch_add(1, Ordering::Relaxed)));
        let outcomes = batches.iter().map(next).collect();
        if let Some(captured) = &mut *self.captured.lock().unwrap_or_else(PoisonError::into_inner) {
            captured.extend(batches);
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

/// A layer that does nothing: what is left is the dispatch of a call.
#[derive(Debug)]
pub struct PassThrough(pub Arc<dyn Store>);

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Read for PassThrough {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        self.0.get(keys).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        self.0.scan(scan).await
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        self.0.summarize(range).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for PassThrough {
    fn info(&self) -> &StoreInfo {
        self.0.info()
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.0.snapshot().await
    }

    async fn commit(&self, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        self.0.commit(batches).await
    }

    async fn changed(&self, after: Revision) -> Result<Revision> {
        self.0.changed(after).await
    }

    async fn drop_range(&self, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        self.0.drop_range(range, guards).await
    }

    async fn compact(&self) -> Result<Compaction> {
        self.0.compact().await
    }

    async fn usage(&self) -> Result<Usage> {
        self.0.usage().await
    }

    async fn close(&self) -> Result<()> {
        self.0.close().await
    }
}

/// The one outcome of a batch that has to be committed.
///
/// # Errors
///
/// `Conflict` if it was not.
pub fn committed(outcomes: Vec<Outcome>) -> Result<Revision> {
    let revision = outcomes.first().and_then(Outcome::revision);
    revision.ok_or_else(|| Error::new(strongroom::ErrorKind::Conflict, "a batch of the workload was not committed"))
}
