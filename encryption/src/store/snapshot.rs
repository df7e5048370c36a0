//! A view at one revision, opened row by row.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_core::Result;
use strongroom_core::store::{KeyRange, Page, Read, Revision, Rows, Scan, Snapshot, StoreInfo, StoredKey, Summary};

use super::rows::Reader;
use crate::keys::Vault;

#[derive(Debug)]
pub(super) struct EncryptedSnapshot {
    pub(super) inner: Box<dyn Snapshot>,
    pub(super) vault: Arc<Vault>,
    pub(super) info: StoreInfo,
}

impl EncryptedSnapshot {
    fn reader(&self) -> Reader<'_> {
        Reader { read: &*self.inner, vault: &self.vault, limits: &self.info.limits }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Read for EncryptedSnapshot {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        self.reader().get(keys).await.map_err(|error| error.on(self.info.name).during("get"))
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        self.reader().scan(scan).await.map_err(|error| error.on(self.info.name).during("scan"))
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        self.reader().summarize(range).await.map_err(|error| error.on(self.info.name).during("summarize"))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Snapshot for EncryptedSnapshot {
    fn revision(&self) -> Revision {
        self.inner.revision()
    }
}
