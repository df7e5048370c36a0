//! Snapshots: views that are held for somebody, up to a number and an age.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{View, closed, get, scan, summarize};
use crate::error::{Error, ErrorKind, Limit, Result};
use crate::store::{KeyRange, Limits, Page, Read, Revision, Rows, Scan, Snapshot, StoreInfo, StoredKey, Summary};
use crate::time::{Clock, Timestamp};

/// Every open snapshot of a store. A snapshot's handle has its number only, so that the store can release the view.
///
/// Those past their age are released whenever anybody asks for something here: there is no timer.
#[derive(Debug)]
pub struct Registry<V> {
    open: Mutex<OpenSnapshots<V>>,
}

/// The open snapshots of a [`Registry`], while it is locked.
pub struct OpenSnapshots<V> {
    views: BTreeMap<u64, (Timestamp, Arc<V>)>,
    next_id: u64,
    count_max: usize,
    age_ms_max: i64,
    clock: Arc<dyn Clock>,
    closed: bool,
}

impl<V> Registry<V> {
    /// None yet. `clock` is what snapshots age by; it should never go back.
    pub fn new(limits: &Limits, clock: Arc<dyn Clock>) -> Self {
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
    pub fn lock(&self) -> MutexGuard<'_, OpenSnapshots<V>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.release_expired();
        open
    }

    /// Releases those past their age.
    pub fn release_expired(&self) {
        drop(self.lock());
    }

    pub(super) fn release_all(&self) {
        self.lock().views.clear();
    }

    /// Ends all of them: they answer `Closed` from now on.
    pub fn close(&self) {
        let mut open = self.lock();
        open.closed = true;
        open.views.clear();
    }
}

impl<V> OpenSnapshots<V> {
    /// Whether none is open, as an operation that needs the store alone must know.
    ///
    /// # Errors
    ///
    /// `Busy`, with their number.
    pub fn check_none(&self) -> Result<()> {
        match self.views.len() {
            0 => Ok(()),
            open => Err(Error::new(ErrorKind::Busy, format!("{open} snapshots are open: drop them, then try again"))),
        }
    }

    /// Whether another one may be opened, for who has to ask the engine for a view first.
    ///
    /// # Errors
    ///
    /// `Limit(Snapshots)`, `Closed`.
    pub fn check_room(&self) -> Result<()> {
        if self.closed {
            return Err(closed());
        }
        if self.views.len() >= self.count_max {
            return Err(Error::limit(Limit::Snapshots, self.count_max as u64, self.views.len() as u64 + 1));
        }
        Ok(())
    }

    /// Keeps a view and gives its number.
    ///
    /// # Errors
    ///
    /// `Limit(Snapshots)`, `Closed`.
    pub fn add(&mut self, view: Arc<V>) -> Result<u64> {
        self.check_room()?;
        let id = self.next_id;
        self.next_id += 1;
        self.views.insert(id, (self.clock.now(), view));
        Ok(id)
    }

    /// The view of a snapshot.
    ///
    /// # Errors
    ///
    /// `SnapshotExpired`, `Closed`.
    pub fn view(&self, id: u64) -> Result<Arc<V>> {
        match self.views.get(&id) {
            Some((_, view)) => Ok(view.clone()),
            None if self.closed => Err(closed()),
            None => Err(Error::new(ErrorKind::SnapshotExpired, "the snapshot was held for too long: take a new one")),
        }
    }

    /// Gives a snapshot's view back, if it is still there. Drop it when the registry is no longer locked.
    #[must_use]
    pub fn remove(&mut self, id: u64) -> Option<Arc<V>> {
        self.views.remove(&id).map(|(_, view)| view)
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
        let view = self.registry.lock().remove(self.id);
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
