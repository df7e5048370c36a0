//! A store behind an `Arc` is a store: so that a backend picked at run time goes wherever a typed one does.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Batch, Compaction, Guard, KeyRange, Outcome, Page, Read, Revision, Rows, Scan, Snapshot, Store, StoreInfo,
    StoredKey, Summary, Usage,
};
use crate::Result;

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Read + ?Sized> Read for Arc<S> {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        (**self).get(keys).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        (**self).scan(scan).await
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        (**self).summarize(range).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store + ?Sized> Store for Arc<S> {
    fn info(&self) -> &StoreInfo {
        (**self).info()
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        (**self).snapshot().await
    }

    async fn commit(&self, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        (**self).commit(batches).await
    }

    async fn changed(&self, after: Revision) -> Result<Revision> {
        (**self).changed(after).await
    }

    async fn drop_range(&self, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        (**self).drop_range(range, guards).await
    }

    async fn compact(&self) -> Result<Compaction> {
        (**self).compact().await
    }

    async fn usage(&self) -> Result<Usage> {
        (**self).usage().await
    }

    async fn close(&self) -> Result<()> {
        (**self).close().await
    }
}
