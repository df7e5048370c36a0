//! A damaged store, of which nothing may be changed: what is still there could be lost, and an index that is not whole be relied on.

use std::sync::Arc;

use async_trait::async_trait;

use crate::store::{
    Batch, Compaction, Guard, KeyRange, Outcome, Page, Read, Revision, Rows, Scan, Snapshot, Store, StoreInfo,
    StoredKey, Summary, Usage,
};
use crate::{Error, ErrorKind, Result};

/// A store that refuses whatever would change it.
#[derive(Debug)]
pub(super) struct ReadOnly(pub(super) Arc<dyn Store>);

fn refused<T>() -> Result<T> {
    let message =
        "the database was opened as a damaged one: it can be read, and salvaged into another, but not changed";
    Err(Error::new(ErrorKind::Unsupported, message))
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Read for ReadOnly {
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
impl Store for ReadOnly {
    fn info(&self) -> &StoreInfo {
        self.0.info()
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.0.snapshot().await
    }

    async fn commit(&self, _: Vec<Batch>) -> Result<Vec<Outcome>> {
        refused()
    }

    async fn changed(&self, after: Revision) -> Result<Revision> {
        self.0.changed(after).await
    }

    async fn drop_range(&self, _: &KeyRange, _: &[Guard]) -> Result<Outcome> {
        refused()
    }

    async fn compact(&self) -> Result<Compaction> {
        refused()
    }

    async fn usage(&self) -> Result<Usage> {
        self.0.usage().await
    }

    async fn close(&self) -> Result<()> {
        self.0.close().await
    }
}
