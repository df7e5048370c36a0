//! A typed view of one revision.

use std::sync::Arc;

use super::activity::HeldSnapshot;
use super::context::Context;
use super::query::{Query, Source, Viewable, read_records};
use crate::Result;
use crate::observe::operation;
use crate::schema::{Index, Key, Record};
use crate::store::{Read, Revision, Snapshot as StoredSnapshot};

/// A view of the database at one revision, unchanged by later writes. Cheap to clone; the last clone releases it.
///
/// Its age is limited by the store: past it, reads answer `SnapshotExpired`.
#[derive(Clone, Debug)]
pub struct Snapshot {
    context: Arc<Context>,
    snapshot: Arc<dyn StoredSnapshot>,
    /// Counted for as long as one clone lives.
    _held: Arc<HeldSnapshot>,
}

impl Snapshot {
    pub(crate) async fn open(context: Arc<Context>) -> Result<Self> {
        let snapshot = operation("snapshot").watch(context.store.snapshot()).await?.into();
        let held = Arc::new(context.queue.counters.snapshot());
        Ok(Snapshot { context, snapshot, _held: held })
    }

    /// The revision that every read sees.
    pub fn revision(&self) -> Revision {
        self.snapshot.revision()
    }

    /// Reads a record; `None` if there is none or it has expired.
    ///
    /// # Errors
    ///
    /// `SnapshotExpired`, `Corrupt`, and those of the store's `get`.
    pub async fn get<R: Record>(&self, key: &Key<R>) -> Result<Option<R>> {
        let mut records = self.get_many(std::slice::from_ref(key)).await?;
        Ok(records.pop().flatten())
    }

    /// Reads several records in one call, in the order asked.
    ///
    /// # Errors
    ///
    /// As [`get`](Snapshot::get).
    pub async fn get_many<R: Record>(&self, keys: &[Key<R>]) -> Result<Vec<Option<R>>> {
        read_records(self, keys).await
    }

    /// Counts the records of a collection, without the expired ones.
    ///
    /// # Errors
    ///
    /// As a query's [`count`](Query::count).
    pub async fn count<R: Record>(&self) -> Result<u64> {
        Query::<_, R, ()>::primary(self.clone()).count().await
    }

    /// Begins a query.
    pub fn query<R: Record, C>(&self, index: Index<R, C>) -> Query<Snapshot, R, C> {
        Query::new(self.clone(), index)
    }
}

impl Source for Snapshot {
    fn context(&self) -> &Arc<Context> {
        &self.context
    }

    fn read(&self) -> &dyn Read {
        &*self.snapshot
    }
}

impl Viewable for Snapshot {
    type View = Snapshot;

    async fn view(self) -> Result<Snapshot> {
        Ok(self)
    }
}
