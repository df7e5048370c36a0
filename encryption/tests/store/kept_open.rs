//! A store that is not closed by whoever is above it: to look at what is left.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_core::Result;
use strongroom_core::store::{
    Batch, Compaction, Guard, KeyRange, Outcome, Page, Read, Revision, Rows, Scan, Snapshot, Store, StoreInfo,
    StoredKey, Summary, Usage,
};

#[derive(Debug)]
pub(crate) struct KeptOpen(pub(crate) Arc<dyn Store>);

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Read for KeptOpen {
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
impl Store for KeptOpen {
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
        Ok(())
    }
}
