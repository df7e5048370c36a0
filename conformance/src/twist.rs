//! A store around another in which single methods are changed: for broken stores, and for tests that need one to fail.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use strongroom_core::Result;
use strongroom_core::store::{
    Batch, Compaction, Guard, KeyRange, Outcome, Page, Read, Revision, Rows, Scan, Snapshot, Store, StoreInfo,
    StoredKey, Summary, Usage,
};

/// What is changed. Each method is given the inner store and, unless overridden, asks just that.
///
/// Reads come from the store itself and from its snapshots alike.
#[async_trait]
#[allow(missing_docs, reason = "each is the method of the waist that has its name")]
pub trait Twist: Debug + Send + Sync + 'static {
    fn info<'a>(&'a self, inner: &'a Arc<dyn Store>) -> &'a StoreInfo {
        inner.info()
    }
    async fn get(&self, inner: &dyn Read, keys: &[StoredKey]) -> Result<Rows> {
        inner.get(keys).await
    }
    async fn scan(&self, inner: &dyn Read, scan: &Scan) -> Result<Page> {
        inner.scan(scan).await
    }
    async fn summarize(&self, inner: &dyn Read, range: &KeyRange) -> Result<Summary> {
        inner.summarize(range).await
    }
    async fn snapshot(&self, inner: &Arc<dyn Store>) -> Result<Box<dyn Snapshot>> {
        inner.snapshot().await
    }
    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        inner.commit(batches).await
    }
    async fn changed(&self, inner: &Arc<dyn Store>, after: Revision) -> Result<Revision> {
        inner.changed(after).await
    }
    async fn drop_range(&self, inner: &Arc<dyn Store>, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        inner.drop_range(range, guards).await
    }
    async fn compact(&self, inner: &Arc<dyn Store>) -> Result<Compaction> {
        inner.compact().await
    }
    async fn usage(&self, inner: &Arc<dyn Store>) -> Result<Usage> {
        inner.usage().await
    }
    async fn close(&self, inner: &Arc<dyn Store>) -> Result<()> {
        inner.close().await
    }
}

/// The store that a twist makes of another.
#[derive(Debug)]
pub struct Twisted<T: ?Sized> {
    inner: Arc<dyn Store>,
    twist: Arc<T>,
}

impl<T: Twist + ?Sized> Twisted<T> {
    /// `inner`, with what `twist` changes.
    pub fn new(inner: Arc<dyn Store>, twist: Arc<T>) -> Self {
        Twisted { inner, twist }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<T: Twist + ?Sized> Read for Twisted<T> {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        self.twist.get(&*self.inner, keys).await
    }
    async fn scan(&self, scan: &Scan) -> Result<Page> {
        self.twist.scan(&*self.inner, scan).await
    }
    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        self.twist.summarize(&*self.inner, range).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<T: Twist + ?Sized> Store for Twisted<T> {
    fn info(&self) -> &StoreInfo {
        self.twist.info(&self.inner)
    }
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        let inner = self.twist.snapshot(&self.inner).await?;
        Ok(Box::new(TwistedSnapshot { inner, twist: self.twist.clone() }))
    }
    async fn commit(&self, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        self.twist.commit(&self.inner, batches).await
    }
    async fn changed(&self, after: Revision) -> Result<Revision> {
        self.twist.changed(&self.inner, after).await
    }
    async fn drop_range(&self, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        self.twist.drop_range(&self.inner, range, guards).await
    }
    async fn compact(&self) -> Result<Compaction> {
        self.twist.compact(&self.inner).await
    }
    async fn usage(&self) -> Result<Usage> {
        self.twist.usage(&self.inner).await
    }
    async fn close(&self) -> Result<()> {
        self.twist.close(&self.inner).await
    }
}

#[derive(Debug)]
struct TwistedSnapshot<T: ?Sized> {
    inner: Box<dyn Snapshot>,
    twist: Arc<T>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<T: Twist + ?Sized> Read for TwistedSnapshot<T> {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        self.twist.get(&*self.inner, keys).await
    }
    async fn scan(&self, scan: &Scan) -> Result<Page> {
        self.twist.scan(&*self.inner, scan).await
    }
    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        self.twist.summarize(&*self.inner, range).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<T: Twist + ?Sized> Snapshot for TwistedSnapshot<T> {
    fn revision(&self) -> Revision {
        self.inner.revision()
    }
}
