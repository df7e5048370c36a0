//! Snapshots: views that are held for somebody, up to a number and an age.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::views::closed;
use super::{View, get, scan, summarize};
use crate::error::{Error, ErrorKind, Limit, Result};
use crate::store::{KeyRange, Limits, Page, Read, Revision, Rows, Scan, Snapshot, StoreInfo, StoredKey, Summary};
use crate::time::{Clock, Timestamp};

/// Every open snapshot of a store. A snapshot's handle has its number only, so that the store can release the view.
#[derive(Debug)]
pub(super) struct Registry<V> {
    open: Mutex<OpenSnapshots<V>>,
}

pub(super) struct OpenSnapshots<V> {
    views: BTreeMap<u64, (Timestamp, Arc<V>)>,
    next_id: u64,
    count_max: usize,
    age_ms_max: i64,
    clock: Arc<dyn Clock>,
    closed: bool,
}

impl<V> Registry<V> {
    pub(super) fn new(limits: &Limits, clock: Arc<dyn Clock>) -> Self {
        let open = OpenSnapshots {
            views: BTreeMap::new(),
            next_id: 0,
            count_max: limits.snapshots_max,
            age_ms_max: i64::try_from(limits.snapshot_age_ms_max).unwrap_or(i64::MAX),
            clock,
            closed: false,
        };
        Registry { open: Mutex::new(open) }
    }

    /// The open snapshots, those past their age released.
    pub(super) fn lock(&self) -> MutexGuard<'_, OpenSnapshots<V>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.release_expired();
        open
    }

    pub(super) fn release_expired(&self) {
        drop(self.lock());
    }

    pub(super) fn release_all(&self) {
        self.lock().views.clear();
    }

    pub(super) fn close(&self) {
        let mut open = self.lock();
        open.closed = true;
        open.views.clear();
    }
}

impl<V> OpenSnapshots<V> {
    pub(super) fn len(&self) -> usize {
        self.views.len()
    }

    /// Keeps a view and gives its number.
    pub(super) fn add(&mut self, view: Arc<V>) -> Result<u64> {
        if self.views.len() >= self.count_max {
            return Err(Error::limit(Limit::Snapshots, self.count_max as u64, self.views.len() as u64 + 1));
        }
        let id = self.next_id;
        self.next_id += 1;
        self.views.insert(id, (self.clock.now(), view));
        Ok(id)
    }

    fn view(&self, id: u64) -> Result<Arc<V>> {
        match self.views.get(&id) {
            Some((_, view)) => Ok(view.clone()),
            None if self.closed => Err(closed()),
            None => Err(Error::new(ErrorKind::SnapshotExpired, "the snapshot was held for too long: take a new one")),
        }
    }

    /// The oldest come first, so the first that lives ends the search.
    fn release_expired(&mut self) {
        if self.views.is_empty() {
            return;
        }
        let now = self.clock.now().as_millis();
        while let Some(oldest) = self.views.first_entry() {
            if now.saturating_sub(oldest.get().0.as_millis()) < self.age_ms_max {
                break;
            }
            oldest.remove();
        }
    }
}

impl<V> fmt::Debug for OpenSnapshots<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} open snapshots", self.views.len())
    }
}

/// A handle of one snapshot.
pub(super) struct Held<V> {
    id: u64,
    revision: Revision,
    registry: Arc<Registry<V>>,
    info: StoreInfo,
}

impl<V> Held<V> {
    pub(super) fn new(id: u64, revision: Revision, registry: Arc<Registry<V>>, info: StoreInfo) -> Self {
        Held { id, revision, registry, info }
    }

    fn view(&self) -> Result<Arc<V>> {
        self.registry.lock().view(self.id)
    }

    fn name(&self, error: Error, operation: &'static str) -> Error {
        error.on(self.info.name).during(operation)
    }
}

impl<V> Drop for Held<V> {
    fn drop(&mut self) {
        let view = self.registry.lock().views.remove(&self.id);
        // Outside the lock: giving back an engine's resources may take a while.
        drop(view);
    }
}

impl<V> fmt::Debug for Held<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot of {} at revision {}", self.info.name, self.revision)
    }
}

#[async_trait]
impl<V: View> Read for Held<V> {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        let read = async { get(&*self.view()?, self.revision, keys, &self.info.limits).await };
        read.await.map_err(|error| self.name(error, "get"))
    }

    async fn scan(&self, request: &Scan) -> Result<Page> {
        let read = async { scan(&*self.view()?, self.revision, request, &self.info.limits).await };
        read.await.map_err(|error| self.name(error, "scan"))
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        let read = async { summarize(&*self.view()?, self.revision, range).await };
        read.await.map_err(|error| self.name(error, "summarize"))
    }
}

#[async_trait]
impl<V: View> Snapshot for Held<V> {
    fn revision(&self) -> Revision {
        self.revision
    }
}
