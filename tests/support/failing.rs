//! A store whose commits fail after a number of them, as if the process had ended there.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use strongroom::store::{
    Batch, Compaction, Guard, KeyRange, Outcome, Page, Read, Revision, Rows, Scan, Snapshot, Store, StoreInfo,
    StoredKey, Summary, Usage,
};
use strongroom::{Error, ErrorKind, Result};

#[derive(Debug)]
pub struct FailAfter {
    inner: Arc<dyn Store>,
    left: AtomicI64,
}

impl FailAfter {
    pub fn new(inner: Arc<dyn Store>, commits: i64) -> Self {
        FailAfter { inner, left: commits.into() }
    }

    fn step(&self) -> Result<()> {
        if self.left.fetch_sub(1, Ordering::SeqCst) > 0 { Ok(()) } else { Err(Error::new(ErrorKind::Io, "injected")) }
    }
}

#[async_trait]
impl Read for FailAfter {
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
impl Store for FailAfter {
    fn info(&self) -> &StoreInfo {
        self.inner.info()
    }
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.inner.snapshot().await
    }
    async fn commit(&self, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        self.step()?;
        self.inner.commit(batches).await
    }
    async fn changed(&self, after: Revision) -> Result<Revision> {
        self.inner.changed(after).await
    }
    async fn drop_range(&self, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        self.step()?;
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
