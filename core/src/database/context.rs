//! What every handle of one database shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::activity::Activity;
use super::catalog::{UnderWay, revision_of_same};
use super::commit::GroupCommit;
use super::keyspace::{CATALOG, Keyspace};
use super::value;
use crate::schema::{Collection, EXPIRY_INDEX_ID, IndexRef, Record, Schema};
use crate::store::{Batch, Guard, KeyCodec, Limits, Outcome, Read, Revision, Store, StoredKey};
use crate::{Clock, Error, ErrorKind, Result};

/// What every handle of one database shares.
#[derive(Debug)]
pub struct Context {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) schema: Schema,
    pub(crate) clock: Arc<dyn Clock>,
    /// The revision of the catalog that this handle opened: every batch is bound to it, so that a program with an older
    /// schema, or another handle in this one, cannot write past an index that a newer one added.
    pub(crate) catalog: AtomicU64,
    /// The indexes that were not complete when this handle was opened, each to be asked for before it is used.
    pub(crate) building: Vec<Keyspace>,
    pub(crate) queue: GroupCommit,
    /// Held by a transaction that conflicted too often, so that those like it take turns.
    pub(crate) gate: tokio::sync::Mutex<()>,
    /// Bounds the snapshots that transactions hold, and leaves the rest to callers.
    pub(crate) transaction_snapshots: tokio::sync::Semaphore,
}

impl Context {
    pub(crate) fn codec(&self) -> &dyn KeyCodec {
        &*self.store.info().codec
    }

    /// What was counted, and what goes on now.
    pub(crate) fn activity(&self) -> Activity {
        let views = transaction_snapshots_max(&self.store.info().limits);
        let transactions = views.saturating_sub(self.transaction_snapshots.available_permits());
        self.queue.counters.activity(transactions as u64)
    }

    /// A record from its stored value, whichever shape it has. The error never holds content.
    pub(crate) fn decode<R: Record>(&self, value: Bytes, key: &StoredKey) -> Result<R> {
        value::decode(&self.schema.current(R::COLLECTION, value, key)?, R::COLLECTION.name)
    }

    /// A record's value in the shape of now.
    pub(crate) fn encode<R: Record>(&self, record: &R) -> Result<Bytes> {
        value::encode_as(self.schema.shape(R::COLLECTION.id), record)
    }

    /// Refuses an index that was not complete at the moment that is read.
    pub(crate) async fn complete(&self, read: &dyn Read, collection: &Collection, index: IndexRef) -> Result<()> {
        let space = Keyspace::of(collection, index);
        if !self.building.contains(&space) || !UnderWay::of(read).await?.building.contains(&space) {
            return Ok(());
        }
        let message = format!("{} is still being built; `Database::migrate` builds it", self.place(&space.bytes()));
        Err(Error::new(ErrorKind::IndexBuilding, message))
    }

    /// Commits one batch through the queue.
    pub(crate) async fn commit(&self, batch: Batch) -> Result<Outcome> {
        self.queue.commit(self.bound_to_catalog(batch)).await
    }

    /// The batch with one more guard: on the catalog that was opened.
    pub(crate) fn bound_to_catalog(&self, mut batch: Batch) -> Batch {
        let revision = Revision(self.catalog.load(Ordering::Relaxed));
        batch.guards.push(Guard::Key { key: catalog_key(), revision: Some(revision) });
        batch
    }

    /// Whether the catalog is still the program's own: a migration that came further has only moved it, and so has a layer that writes the
    /// same again, as one does that seals rows with another key.
    pub(crate) fn follow_catalog(&self) -> BoxFuture<'_, Result<bool>> {
        async move {
            let revision = revision_of_same(&*self.store, &self.schema).await?;
            if let Some(revision) = revision {
                self.moved_to(revision);
            }
            Ok(revision.is_some())
        }
        .boxed()
    }

    /// The name of the collection that a stored key belongs to; empty if it is none of the schema's.
    pub(crate) fn collection_name(&self, key: &[u8]) -> &'static str {
        let space = Keyspace::of_key(key);
        let mut collections = self.schema.collections();
        let found = collections.find(|collection| space.is_some_and(|space| space.collection == collection.id));
        found.map_or("", |collection| collection.name)
    }

    /// The catalog is the program's own at this revision.
    pub(crate) fn moved_to(&self, revision: Revision) {
        self.catalog.fetch_max(revision.0, Ordering::Relaxed);
    }

    /// The collection and index that a stored key belongs to, by name.
    pub(crate) fn place(&self, key: &[u8]) -> String {
        let Some(space) = Keyspace::of_key(key) else { return "a range over several collections".to_owned() };
        let collection = self.schema.collections().find(|collection| collection.id == space.collection);
        let Some(collection) = collection else { return format!("collection id {}", space.collection) };
        let index = match space.index {
            0 => return format!("collection {}", collection.name),
            EXPIRY_INDEX_ID => "expires_at",
            id => collection.indexes.iter().find(|index| index.id == id).map_or("unknown", |index| index.name),
        };
        format!("index {index} of collection {}", collection.name)
    }
}

/// How many snapshots transactions hold at one time, at most: half of what the store allows.
pub(crate) fn transaction_snapshots_max(limits: &Limits) -> usize {
    (limits.snapshots_max / 2).max(1)
}

/// Where the catalog's row is.
pub(crate) fn catalog_key() -> StoredKey {
    StoredKey::from(CATALOG.bytes().to_vec())
}
