//! The view that reads see now, and what happens to it.

use std::sync::Arc;

use tokio::sync::watch;

use super::snapshots::{Held, Registry};
use super::{Table, get, scan, summarize};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{KeyRange, Page, Revision, Rows, Scan, Snapshot, StoreInfo, StoredKey, Summary};
use crate::time::Clock;

/// A store's rows at one revision. Dropping it gives the engine back what it holds for it.
pub trait View: Table + Send + Sync + 'static {
    /// The newest revision that the view sees.
    fn revision(&self) -> Revision;
}

/// The current view of an exclusive store, and the snapshots that hold older ones.
///
/// One writer publishes views; any number of tasks read. Snapshots past their age are released whenever a view is
/// published, a snapshot taken or the store paused: there is no timer.
#[derive(Debug)]
pub struct Views<V> {
    info: StoreInfo,
    current: watch::Sender<Current<V>>,
    snapshots: Arc<Registry<V>>,
}

#[derive(Debug)]
enum Current<V> {
    Open(Arc<V>),
    /// The engine needs the store alone for a while: reads wait.
    Paused(Revision),
    /// The engine failed: reads fail until a view is published again.
    Failed(Error),
    Closed,
}

impl<V: View> Views<V> {
    /// Begins with `first` as the current view. `clock` is what snapshots age by; it should never go back.
    pub fn new(info: StoreInfo, clock: Arc<dyn Clock>, first: V) -> Self {
        let snapshots = Arc::new(Registry::new(&info.limits, clock));
        Views { info, current: watch::Sender::new(Current::Open(Arc::new(first))), snapshots }
    }

    /// What the store is.
    pub fn info(&self) -> &StoreInfo {
        &self.info
    }

    /// Makes `view` the current one. Does nothing once the store is closed.
    pub fn publish(&self, view: V) {
        self.set(Current::Open(Arc::new(view)));
        self.snapshots.release_expired();
    }

    /// Takes the current view away, so that the engine has the store alone; reads wait until a view is published again.
    ///
    /// Reads that have begun still hold a view.
    ///
    /// # Errors
    ///
    /// `Busy` if a snapshot is open that has not reached its age.
    pub fn pause(&self) -> Result<()> {
        let open = self.snapshots.lock();
        open.check_none()?;
        let paused = match &*self.current.borrow() {
            Current::Open(view) => Current::Paused(view.revision()),
            Current::Paused(_) | Current::Failed(_) | Current::Closed => return Ok(()),
        };
        self.set(paused);
        drop(open);
        Ok(())
    }

    /// Answers every read with `error` until a view is published again, and ends all snapshots as expired.
    pub fn fail(&self, error: Error) {
        self.set(Current::Failed(error));
        self.snapshots.release_all();
    }

    /// Ends reading for good: every snapshot, every waiting and every later call answers `Closed`.
    pub fn close(&self) {
        self.set(Current::Closed);
        self.info.caches.switch_off();
        self.snapshots.close();
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        matches!(&*self.current.borrow(), Current::Closed)
    }

    /// [`Read::get`](crate::store::Read::get) on the current view.
    pub async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        let read = async {
            let view = self.current().await?;
            get(&*view, view.revision(), keys, &self.info.limits).await
        };
        read.await.map_err(|error| self.name(error, "get"))
    }

    /// [`Read::scan`](crate::store::Read::scan) on the current view.
    pub async fn scan(&self, request: &Scan) -> Result<Page> {
        let read = async {
            let view = self.current().await?;
            scan(&*view, view.revision(), request, &self.info.limits).await
        };
        read.await.map_err(|error| self.name(error, "scan"))
    }

    /// [`Read::summarize`](crate::store::Read::summarize) on the current view.
    pub async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        let read = async {
            let view = self.current().await?;
            summarize(&*view, view.revision(), range).await
        };
        read.await.map_err(|error| self.name(error, "summarize"))
    }

    /// [`Store::snapshot`](crate::store::Store::snapshot): holds the current view.
    pub async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        let held = async {
            loop {
                // Whatever comes after this line ends the wait below.
                let mut changes = self.current.subscribe();
                if let Some((id, revision)) = self.hold()? {
                    return Ok(Held::new(id, revision, self.snapshots.clone(), self.info.clone()));
                }
                changes.changed().await.map_err(|_| closed())?;
            }
        };
        let held: Result<Held<V>> = held.await;
        Ok(Box::new(held.map_err(|error| self.name(error, "snapshot"))?))
    }

    /// [`Store::changed`](crate::store::Store::changed).
    pub async fn changed(&self, after: Revision) -> Result<Revision> {
        let newest = self.wait_for(|current| {
            let revision = match current {
                Current::Open(view) => view.revision(),
                Current::Paused(revision) => *revision,
                // Whoever waits for a change need not hear of a failure that passes.
                Current::Failed(_) | Current::Closed => return None,
            };
            (revision > after).then_some(Ok(revision))
        });
        newest.await.map_err(|error| self.name(error, "changed"))
    }

    /// Names the backend and the operation in an error.
    pub fn name(&self, error: Error, operation: &'static str) -> Error {
        error.on(self.info.name).during(operation)
    }

    /// Registers the current view, if there is one now.
    fn hold(&self) -> Result<Option<(u64, Revision)>> {
        // The registry first, as in `pause`: it sees either both the view and the snapshot, or neither.
        let mut open = self.snapshots.lock();
        match &*self.current.borrow() {
            Current::Open(view) => Ok(Some((open.add(view.clone())?, view.revision()))),
            Current::Paused(_) => Ok(None),
            Current::Failed(error) => Err(error.clone()),
            Current::Closed => Err(closed()),
        }
    }

    async fn current(&self) -> Result<Arc<V>> {
        if let Current::Open(view) = &*self.current.borrow() {
            return Ok(view.clone());
        }
        self.wait_for(|current| match current {
            Current::Open(view) => Some(Ok(view.clone())),
            Current::Failed(error) => Some(Err(error.clone())),
            Current::Paused(_) | Current::Closed => None,
        })
        .await
    }

    /// Waits until `ready` gives something; closing the store ends the wait.
    async fn wait_for<T>(&self, mut ready: impl FnMut(&Current<V>) -> Option<Result<T>>) -> Result<T> {
        let mut changes = self.current.subscribe();
        loop {
            {
                let current = changes.borrow_and_update();
                if matches!(&*current, Current::Closed) {
                    return Err(closed());
                }
                if let Some(result) = ready(&current) {
                    return result;
                }
            }
            changes.changed().await.map_err(|_| closed())?;
        }
    }

    fn set(&self, next: Current<V>) {
        let mut next = Some(next);
        let mut last = None;
        self.current.send_if_modified(|current| {
            if matches!(current, Current::Closed) {
                return false;
            }
            last = next.take().map(|next| std::mem::replace(current, next));
            true
        });
        // The old view is dropped here, outside the lock that every read takes.
        drop(last);
    }
}

/// The answer to every call after `close`.
pub fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the store was closed")
}
