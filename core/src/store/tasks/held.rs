//! Snapshots over views that are asked in tasks.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::runtime::Handle;

use super::read;
use crate::store::sorted::Registry;
use crate::store::{KeyRange, Page, Read, Revision, Rows, Scan, Snapshot, StoredKey, Summary};
use crate::{Error, ErrorKind, Result};

/// The handle of one snapshot. It has the snapshot's number only, so that the store can release the view.
///
/// A view answers with the revision that it sees. If that is no longer the snapshot's, the engine has let the view go by itself,
/// and the answer is `SnapshotExpired`.
pub struct Held<V> {
    id: u64,
    revision: Revision,
    snapshots: Arc<Registry<V>>,
    runtime: Handle,
    backend: &'static str,
}

impl<V: Read + 'static> Held<V> {
    /// Keeps `view`, which sees the store at `revision`, among `snapshots`.
    ///
    /// # Errors
    ///
    /// `Limit(Snapshots)`, `Closed`.
    pub fn new(
        view: V,
        revision: Revision,
        snapshots: &Arc<Registry<V>>,
        runtime: &Handle,
        backend: &'static str,
    ) -> Result<Self> {
        let id = snapshots.lock().add(Arc::new(view))?;
        Ok(Held { id, revision, snapshots: snapshots.clone(), runtime: runtime.clone(), backend })
    }

    /// The view, as long as it may be used.
    ///
    /// # Errors
    ///
    /// `SnapshotExpired`, `Closed`.
    pub fn view(&self) -> Result<Arc<V>> {
        self.snapshots.lock().view(self.id)
    }

    fn same<T>(&self, as_of: Revision, answer: T) -> Result<T> {
        if as_of == self.revision {
            return Ok(answer);
        }
        Err(Error::new(ErrorKind::SnapshotExpired, "the engine failed and let the snapshot go: take a new one"))
    }

    fn named(&self, operation: &'static str) -> impl FnOnce(Error) -> Error + use<V> {
        let backend = self.backend;
        move |error| error.on(backend).during(operation)
    }
}

impl<V> Drop for Held<V> {
    fn drop(&mut self) {
        let view = self.snapshots.lock().remove(self.id);
        // Outside the lock: giving back an engine's resources may take a while.
        drop(view);
    }
}

impl<V> fmt::Debug for Held<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot of {} at revision {}", self.backend, self.revision)
    }
}

#[async_trait]
impl<V: Read + 'static> Read for Held<V> {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        if keys.is_empty() {
            // Nothing is read: that the view is still held is all there is to know.
            let held = self.view().map(|_| Rows { as_of: self.revision, rows: Vec::new() });
            return held.map_err(self.named("get"));
        }
        let (view, keys) = (self.view(), keys.to_vec());
        let rows = read(&self.runtime, async move { view?.get(&keys).await }).await;
        rows.and_then(|rows| self.same(rows.as_of, rows)).map_err(self.named("get"))
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        let (view, scan) = (self.view(), scan.clone());
        let page = read(&self.runtime, async move { view?.scan(&scan).await }).await;
        page.and_then(|page| self.same(page.as_of, page)).map_err(self.named("scan"))
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        let (view, range) = (self.view(), range.clone());
        let summary = read(&self.runtime, async move { view?.summarize(&range).await }).await;
        summary.and_then(|summary| self.same(summary.as_of, summary)).map_err(self.named("summarize"))
    }
}

#[async_trait]
impl<V: Read + 'static> Snapshot for Held<V> {
    fn revision(&self) -> Revision {
        self.revision
    }
}
