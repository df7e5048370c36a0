//! Snapshots: connections that hold on to what the store was.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use strongroom_core::store::{KeyRange, Page, Read, Revision, Rows, Scan, Snapshot, StoredKey, Summary};
use strongroom_core::{Error, ErrorKind, Result};
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

    /// After some failures (I/O, memory) SQLite has ended the transaction, and would show what is there now.
    fn same<T>(&self, as_of: Revision, answer: T) -> Result<T> {
        if as_of == self.revision {
            return Ok(answer);
        }
        Err(Error::new(ErrorKind::SnapshotExpired, "the engine failed and let the snapshot go: take a new one"))
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
        if keys.is_empty() {
            // Nothing is read: that the view is still held is all there is to know.
            let held = self.view().map(|_| Rows { as_of: self.revision, rows: Vec::new() });
            return held.map_err(named("get"));
        }
        let (view, store, keys) = (self.view(), self.store.clone(), keys.to_vec());
        let read = async move { read::get(&mut **view?.0.lock().await, &keys, &store.info.limits).await };
        let rows = task::read(&self.store.runtime, read).await;
        rows.and_then(|rows| self.same(rows.as_of, rows)).map_err(named("get"))
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        let (view, store, scan) = (self.view(), self.store.clone(), scan.clone());
        let read = async move { read::scan(&mut **view?.0.lock().await, &scan, &store.info.limits).await };
        let page = task::read(&self.store.runtime, read).await;
        page.and_then(|page| self.same(page.as_of, page)).map_err(named("scan"))
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        let (view, range) = (self.view(), range.clone());
        let read = async move { read::summarize(&mut **view?.0.lock().await, &range).await };
        let summary = task::read(&self.store.runtime, read).await;
        summary.and_then(|summary| self.same(summary.as_of, summary)).map_err(named("summarize"))
    }
}

#[async_trait]
impl Snapshot for Held {
    fn revision(&self) -> Revision {
        self.revision
    }
}

#[cfg(test)]
mod tests {
    use strongroom_core::store::{Batch, Fetch, Outcome, Store, Write};

    use super::*;
    use crate::Sqlite;

    async fn write(store: &Sqlite, value: &'static [u8]) -> Result<Vec<Outcome>> {
        let writes = [(StoredKey::from(b"a".to_vec()), Write::Put(value.into()))];
        store.commit(vec![Batch { writes: writes.into(), ..Batch::default() }]).await
    }

    /// SQLite ends a transaction by itself when some calls fail, of the medium or for memory.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_snapshot_that_the_engine_let_go_expires_and_does_not_move()
    -> std::result::Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let store = Sqlite::open(folder.path().join("store")).await?;
        write(&store, b"old").await?;
        let (inner, keys) = (store.inner.clone(), [StoredKey::from(b"a".to_vec())]);
        let (reader, revision) = inner.readers.take_view().await?;
        let id = inner.snapshots.lock().add(Arc::new(View::new(reader)))?;
        let held = Held::new(id, revision, inner.clone());
        assert_eq!(held.get(&keys).await?.as_of, revision);
        sqlx::query("ROLLBACK").execute(&mut **held.view()?.0.lock().await).await?;
        // Nothing was committed since: what it shows is still what it was.
        assert_eq!(held.get(&keys).await?.as_of, revision);
        write(&store, b"new").await?;
        let scan = Scan { range: KeyRange::ALL, reverse: false, limit: 10, max_bytes: 1_000, fetch: Fetch::Values };
        for _ in 0..2 {
            let kinds = [
                held.get(&keys).await.map(drop).map_err(|error| error.kind()),
                held.scan(&scan).await.map(drop).map_err(|error| error.kind()),
                held.summarize(&KeyRange::ALL).await.map(drop).map_err(|error| error.kind()),
            ];
            assert_eq!(kinds, [Err(ErrorKind::SnapshotExpired); 3]);
        }
        drop(held);
        Ok(store.close().await?)
    }
}
