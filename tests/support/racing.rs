//! A store in which something can happen between two reads, and which counts its scans.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use strongroom::Result;
use strongroom::store::{
    Batch, Compaction, Guard, KeyRange, Outcome, Page, Read, Revision, Rows, Scan, Snapshot, Store, StoreInfo,
    StoredKey, Summary, Usage,
};

type Event = Pin<Box<dyn Future<Output = ()> + Send>>;

pub struct Racing {
    inner: Arc<dyn Store>,
    event: Mutex<Option<Event>>,
    scans: AtomicU64,
}

impl Racing {
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Racing { inner, event: Mutex::new(None), scans: AtomicU64::new(0) }
    }

    /// What happens right after the next `get`.
    pub fn after_next_get(&self, event: Event) {
        *self.event.lock().unwrap() = Some(event);
    }

    pub fn scans(&self) -> u64 {
        self.scans.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for Racing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Racing")
    }
}

#[async_trait]
impl Read for Racing {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        let rows = self.inner.get(keys).await;
        let event = self.event.lock().unwrap().take();
        if let Some(event) = event {
            event.await;
        }
        rows
    }
    async fn scan(&self, scan: &Scan) -> Result<Page> {
        self.scans.fetch_add(1, Ordering::SeqCst);
        self.inner.scan(scan).await
    }
    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        self.inner.summarize(range).await
    }
}

#[async_trait]
impl Store for Racing {
    fn info(&self) -> &StoreInfo {
        self.inner.info()
    }
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.inner.snapshot().await
    }
    async fn commit(&self, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        self.inner.commit(batches).await
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
