//! A serializable transaction over typed records.

use std::sync::Arc;

use super::changes::ChangeKind;
use super::context::Context;
use super::keyspace;
use super::overlay::{Overlay, State};
use super::query::{Query, Source, read_records};
use super::rows::{index_rows, record_value};
use super::save::Expect;
use crate::schema::{Index, Key, Record};
use crate::store::{Batch, Read, Row, StoredKey, Write};
use crate::{Result, Timestamp};

/// A serializable transaction: every read is as of one revision and sees the own writes, and the commit fails if anything
/// that was read has changed.
///
/// A cheap handle, given to the closure of [`Database::write`](super::Database::write). It is sealed when the closure ends:
/// a clone that lives on answers `TransactionEnded`.
#[derive(Clone, Debug)]
pub struct Transaction {
    context: Arc<Context>,
    overlay: Arc<Overlay>,
    /// Whether an insert trusts that its record is new and leaves the proof to the commit.
    blind: bool,
}

impl Transaction {
    pub(crate) fn new(context: Arc<Context>, base: Arc<dyn Read>, blind: bool) -> Self {
        let overlay = Overlay::new(base, context.store.info().limits);
        Transaction { context, overlay: Arc::new(overlay), blind }
    }

    pub(crate) fn seal(&self) -> Result<Batch> {
        let (mut batch, changes) = self.overlay.seal();
        changes.stamp(self.context.clock.now(), &mut batch)?;
        Ok(batch)
    }

    pub(super) fn is_blind(&self) -> bool {
        self.blind
    }

    pub(super) fn overlay(&self) -> &Overlay {
        &self.overlay
    }

    /// Reads a record; `None` if there is none or it has expired.
    ///
    /// # Errors
    ///
    /// `Corrupt`, `TransactionEnded`, and those of the store's `get`.
    pub async fn get<R: Record>(&self, key: &Key<R>) -> Result<Option<R>> {
        let mut records = self.get_many(std::slice::from_ref(key)).await?;
        Ok(records.pop().flatten())
    }

    /// Reads several records in one call, in the order asked.
    ///
    /// # Errors
    ///
    /// As [`get`](Transaction::get).
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

    /// Begins a query; it sees the own writes.
    pub fn query<R: Record, C>(&self, index: Index<R, C>) -> Query<Transaction, R, C> {
        Query::new(self.clone(), index)
    }

    /// Writes a record that must be new.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `UniqueViolation`, `InvalidInput` if it cannot be serialized, `Limit` for its key, an index entry or its
    /// value, `Corrupt`, `TransactionEnded`, and those of the store's `get`. `Limit` too once the own writes are more than a batch may hold.
    pub async fn insert<R: Record>(&self, record: &R) -> Result<()> {
        self.save(record, Expect::Absent).await
    }

    /// Writes records that must all be new; what has to be known of them is read together, not one by one.
    ///
    /// # Errors
    ///
    /// As [`insert`](Transaction::insert); it says the number of a record that is refused. Some of the others may by then be written in the
    /// transaction: pass the error on, and nothing is.
    pub async fn insert_many<R: Record>(&self, records: &[R]) -> Result<()> {
        self.save_many(records, Expect::Absent).await
    }

    /// Writes a record, new or in place of the one with its key.
    ///
    /// # Errors
    ///
    /// As [`insert`](Transaction::insert), without `AlreadyExists`.
    pub async fn put<R: Record>(&self, record: &R) -> Result<()> {
        self.save(record, Expect::Anything).await
    }

    /// Writes records, each new or in place of the one with its key; what has to be known of them is read together, not one by one. Of two
    /// with the same key the later one stays.
    ///
    /// # Errors
    ///
    /// As [`insert_many`](Transaction::insert_many), without `AlreadyExists`.
    pub async fn put_many<R: Record>(&self, records: &[R]) -> Result<()> {
        self.save_many(records, Expect::Anything).await
    }

    /// Writes a record in place of the one with its key, which must exist.
    ///
    /// # Errors
    ///
    /// `NotFound`, and as [`put`](Transaction::put).
    pub async fn update<R: Record>(&self, record: &R) -> Result<()> {
        self.save(record, Expect::Present).await
    }

    /// Deletes a record; says whether there was one.
    ///
    /// # Errors
    ///
    /// As [`get`](Transaction::get).
    pub async fn delete<R: Record>(&self, key: &Key<R>) -> Result<bool> {
        let key = keyspace::record_key(self.context.codec(), R::COLLECTION, &key.components)?;
        self.delete_stored::<R>(key).await
    }

    pub(super) async fn delete_stored<R: Record>(&self, key: StoredKey) -> Result<bool> {
        self.overlay.get(std::slice::from_ref(&key)).await?;
        let now = self.context.clock.now();
        let old = self.stage_deletion::<R>(&key, |_| true)?;
        Ok(old.is_some_and(|old| old.expires_at().is_none_or(|at| at > now)))
    }

    /// Deletes a record that was read before, with its entries, if it is there and `condition` holds of it.
    fn stage_deletion<R: Record>(&self, key: &StoredKey, condition: impl FnOnce(&R) -> bool) -> Result<Option<R>> {
        self.overlay.stage(|state| {
            let Some(old) = old_record::<R>(&self.context, state, key)?.filter(condition) else { return Ok(None) };
            let entries = index_rows(self.context.codec(), &old, key)?;
            entries.into_keys().for_each(|entry| state.write(entry, Write::Delete));
            state.write(key.clone(), Write::Delete);
            state.changes.add(&old, ChangeKind::Delete);
            Ok(Some(old))
        })
    }

    /// Deletes a record that was read before, if it has expired by `time`.
    pub(super) fn evict<R: Record>(&self, key: &StoredKey, time: Timestamp) -> Result<bool> {
        let evicted = self.stage_deletion::<R>(key, |old| old.expires_at().is_some_and(|at| at <= time))?;
        Ok(evicted.is_some())
    }

    /// Lets others write between what was met in scans so far; the records that were read through an index stay guarded.
    pub(super) fn release_ranges(&self) -> Result<()> {
        self.overlay.stage(|state| {
            state.release_ranges();
            Ok(())
        })
    }
}

impl Source for Transaction {
    fn context(&self) -> &Arc<Context> {
        &self.context
    }

    fn read(&self) -> &dyn Read {
        &*self.overlay
    }
}

pub(super) fn old_record<R: Record>(context: &Context, state: &State, key: &StoredKey) -> Result<Option<R>> {
    decode_row(context, state.current(key).flatten(), key)
}

pub(super) fn decode_row<R: Record>(context: &Context, row: Option<Row>, key: &StoredKey) -> Result<Option<R>> {
    match row.map(|row| row.content) {
        None => Ok(None),
        Some(content) => {
            let value = record_value(content, R::COLLECTION.name, key)?;
            context.decode(value, key).map(Some)
        }
    }
}
