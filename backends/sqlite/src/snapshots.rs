//! Snapshots: connections that hold on to what the store was.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use strongroom_core::Result;
use strongroom_core::store::{KeyRange, Page, Read, Revision, Rows, Scan, Snapshot, StoredKey, Summary};
use tokio::sync::Mutex;

use crate::connection::Reader;
use crate::error::NAME;
use crate::read;
use crate::store::{Inner, named};
use crate::task;

/// What a snapshot sees. One read at a time; dropped, its connection goes back.
pub(crate) struct View(Mutex<Reader>);

impl View {
    pub(crate) fn new(reader: Reader) -> Self {
        View(Mutex::new(reader))
    }
}

/// The handle of one snapshot. It has the snapshot's number only, so that the store can release the view.
pub(crate) struct Held {
    id: u64,
    revision: Revision,
    store: Arc<Inner>,
}

impl Held {
    pub(crate) fn new(id: u64, revision: Revision, store: Arc<Inner>) -> Self {
        Held { id, revision, store }
    }

    fn view(&self) -> Result<Arc<View>> {
        self.store.snapshots.lock().view(self.id)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let view = self.store.snapshots.lock().remove(self.id);
        drop(view);
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot of {NAME} at revision {}", self.revision)
    }
}

#[async_trait]
impl Read for Held {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        let (view, store, keys) = (self.view(), self.store.clone(), keys.to_vec());
        let read = async move { read::get(&mut **view?.0.lock().await, &keys, &store.info.limits).await };
        task::read(&self.store.runtime, read).await.map_err(named("get"))
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        let (view, store, scan) = (self.view(), self.store.clone(), scan.clone());
        let read = async move { read::scan(&mut **view?.0.lock().await, &scan, &store.info.limits).await };
        task::read(&self.store.runtime, read).await.map_err(named("scan"))
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        let (view, range) = (self.view(), range.clone());
        let read = async move { read::summarize(&mut **view?.0.lock().await, &range).await };
        task::read(&self.store.runtime, read).await.map_err(named("summarize"))
    }
}

#[async_trait]
impl Snapshot for Held {
    fn revision(&self) -> Revision {
        self.revision
    }
}
