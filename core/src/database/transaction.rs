//! A serializable transaction over typed records.

use std::sync::Arc;

use super::changes::ChangeKind;
use super::context::Context;
use super::keyspace;
use super::overlay::{Overlay, State};
use super::query::{Query, Source, read_records};
use super::rows::{IndexRows, index_rows, key_of, record_value};
use crate::schema::{Collection, Index, Key, Record};
use crate::store::{Batch, Content, LinkTo, Read, Row, StoredKey, Write};
use crate::{Error, ErrorKind, Limit, Result, Timestamp};

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

/// What a write expects of the record it replaces.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Absent,
    Present,
    Anything,
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

    /// Writes a record, new or in place of the one with its key.
    ///
    /// # Errors
    ///
    /// As [`insert`](Transaction::insert), without `AlreadyExists`.
    pub async fn put<R: Record>(&self, record: &R) -> Result<()> {
        self.save(record, Expect::Anything).await
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

    async fn delete_stored<R: Record>(&self, key: StoredKey) -> Result<bool> {
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

    async fn save<R: Record>(&self, record: &R, expect: Expect) -> Result<()> {
        let codec = self.context.codec();
        let key = key_of(codec, record)?;
        let entries = index_rows(codec, record, &key)?;
        let value = self.context.encode(record)?;
        self.check_limits(&key, &entries, &value)?;
        if self.blind && expect == Expect::Absent {
            return self.overlay.stage(|state| {
                unique_entries(&entries).for_each(|(entry, _)| state.assume_absent(entry.clone()));
                state.assume_absent(key.clone());
                stage_record(state, key, value, entries, IndexRows::new());
                state.changes.add(record, ChangeKind::Put);
                Ok(())
            });
        }
        let reads: Vec<StoredKey> =
            std::iter::once(&key).chain(unique_entries(&entries).map(|(entry, _)| entry)).cloned().collect();
        let rows = self.overlay.get(&reads).await?.rows;
        self.evict_expired_owners::<R>(&key, &reads[1..], &rows[1..]).await?;
        let now = self.context.clock.now();
        self.overlay.stage(|state| {
            let old = old_record::<R>(&self.context, state, &key)?;
            let lives = old.as_ref().is_some_and(|old| old.expires_at().is_none_or(|at| at > now));
            match expect {
                Expect::Absent if lives => return Err(already_exists(R::COLLECTION)),
                Expect::Present if !lives => return Err(not_found(R::COLLECTION)),
                _ => {}
            }
            for (entry, _) in unique_entries(&entries) {
                if owner(state.current(entry).flatten().as_ref()).is_some_and(|owner| *owner != key) {
                    return Err(unique_violation(&self.context.place(entry.as_bytes())));
                }
            }
            let old = old.map(|old| index_rows(codec, &old, &key)).transpose()?.unwrap_or_default();
            stage_record(state, key, value, entries, old);
            state.changes.add(record, ChangeKind::Put);
            Ok(())
        })
    }

    /// Refuses here what the commit would refuse: it can still be told which record it was.
    fn check_limits(&self, key: &StoredKey, entries: &IndexRows, value: &[u8]) -> Result<()> {
        let limits = &self.context.store.info().limits;
        let too_long = |key: &&StoredKey| key.len() > limits.key_bytes_max;
        if let Some(key) = std::iter::once(key).chain(entries.keys()).find(too_long) {
            let error = Error::limit(Limit::KeyBytes, limits.key_bytes_max as u64, key.len() as u64);
            return Err(error.at(self.context.place(key.as_bytes())));
        }
        if value.len() > limits.value_bytes_max {
            let error = Error::limit(Limit::ValueBytes, limits.value_bytes_max as u64, value.len() as u64);
            return Err(error.at(self.context.place(key.as_bytes())));
        }
        Ok(())
    }

    /// A unique entry may still be held by a record that has expired and was not swept yet: that one gives way.
    async fn evict_expired_owners<R: Record>(
        &self,
        key: &StoredKey,
        entries: &[StoredKey],
        rows: &[Option<Row>],
    ) -> Result<()> {
        let owners = entries.iter().zip(rows).filter_map(|(entry, row)| Some((entry, owner(row.as_ref())?)));
        let (held, others): (Vec<_>, Vec<_>) =
            owners.filter(|(_, owner)| *owner != key).map(|(entry, owner)| (entry.clone(), owner.clone())).unzip();
        if others.is_empty() || R::COLLECTION.expiry.is_none() {
            return Ok(());
        }
        let rows = self.overlay.get(&others).await?.rows;
        let now = self.context.clock.now();
        for ((entry, other), row) in held.into_iter().zip(others).zip(rows) {
            let Some(record) = decode_row::<R>(&self.context, row, &other)? else {
                // A lone operation reads without a snapshot: this holder went after its entry was read. The entry is free,
                // or else the guard on it tells.
                self.overlay.stage(|state| {
                    state.write(entry, Write::Delete);
                    Ok(())
                })?;
                continue;
            };
            if record.expires_at().is_some_and(|at| at <= now) {
                self.delete_stored::<R>(other).await?;
            }
        }
        Ok(())
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

/// Writes the record and only those entries that differ from the old ones.
fn stage_record(state: &mut State, key: StoredKey, value: bytes::Bytes, entries: IndexRows, old: IndexRows) {
    for (entry, link) in &entries {
        if old.get(entry) != Some(link) {
            state.write(entry.clone(), Write::Link(link.clone()));
        }
    }
    for entry in old.into_keys().filter(|entry| !entries.contains_key(entry)) {
        state.write(entry, Write::Delete);
    }
    state.write(key, Write::Put(value));
}

fn unique_entries(entries: &IndexRows) -> impl Iterator<Item = (&StoredKey, &LinkTo)> {
    entries.iter().filter(|(_, link)| matches!(link, LinkTo::Key(_)))
}

/// Whose entry a unique row is.
fn owner(row: Option<&Row>) -> Option<&StoredKey> {
    match row.map(|row| &row.content) {
        Some(Content::Link(target)) => Some(target),
        _ => None,
    }
}

fn old_record<R: Record>(context: &Context, state: &State, key: &StoredKey) -> Result<Option<R>> {
    decode_row(context, state.current(key).flatten(), key)
}

fn decode_row<R: Record>(context: &Context, row: Option<Row>, key: &StoredKey) -> Result<Option<R>> {
    match row.map(|row| row.content) {
        None => Ok(None),
        Some(content) => {
            let value = record_value(content, R::COLLECTION.name, key)?;
            context.decode(value, key).map(Some)
        }
    }
}

fn already_exists(collection: &Collection) -> Error {
    Error::new(ErrorKind::AlreadyExists, format!("a record with this key is already in collection {}", collection.name))
}

fn not_found(collection: &Collection) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no record with this key in collection {}", collection.name))
}

fn unique_violation(place: &str) -> Error {
    Error::new(ErrorKind::UniqueViolation, format!("another record already has this entry in unique {place}"))
}
