//! From a record to the rows it has: its own, and one for each index entry.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::fmt::Display;

use bytes::Bytes;

use super::keyspace::{Keyspace, append_stored, record_key};
use super::transaction::Transaction;
use crate::key::Components;
use crate::schema::{Collection, IndexRef, Key, Record, Schema};
use crate::store::{Content, KeyCodec, LinkTo, StoredKey};
use crate::{Error, ErrorKind, Limit, Result, Timestamp};

/// The index entries of one record.
pub(crate) type IndexRows = BTreeMap<StoredKey, LinkTo>;

/// A record's stored key, from the record itself.
pub(crate) fn key_of<R: Record>(codec: &dyn KeyCodec, record: &R) -> Result<StoredKey> {
    let mut components = Components::new();
    record.key_components(&mut components);
    record_key(codec, R::COLLECTION, &components)
}

/// All index entries of a record that is stored under `key`.
pub(crate) fn index_rows<R: Record>(codec: &dyn KeyCodec, record: &R, key: &StoredKey) -> Result<IndexRows> {
    let mut rows = IndexRows::new();
    let mut scratch = Components::new();
    for index in R::COLLECTION.index_refs() {
        add_index_rows(codec, record, key, index, &mut scratch, &mut rows)?;
    }
    Ok(rows)
}

fn add_index_rows<R: Record>(
    codec: &dyn KeyCodec,
    record: &R,
    key: &StoredKey,
    index: IndexRef,
    scratch: &mut Components,
    rows: &mut IndexRows,
) -> Result<()> {
    let mut outcome = Ok(());
    record.index_entries(index, scratch, &mut |components| {
        if outcome.is_ok() {
            outcome = index_row(codec, R::COLLECTION, index, components, key).map(|(entry, link)| {
                rows.insert(entry, link);
            });
        }
    });
    outcome
}

/// One index entry: its components, then the record's key; in a unique index the components alone.
fn index_row(
    codec: &dyn KeyCodec,
    collection: &Collection,
    index: IndexRef,
    components: &Components,
    key: &StoredKey,
) -> Result<(StoredKey, LinkTo)> {
    let space = Keyspace::of(collection, index);
    let mut entry = Vec::with_capacity(Keyspace::BYTES + components.as_bytes().len() + key.len() + 16);
    entry.extend_from_slice(&space.bytes());
    append_stored(codec, collection.components(index), components.iter(), &mut entry)?;
    if collection.index(index).is_some_and(|index| index.unique) {
        return Ok((StoredKey::from(entry), LinkTo::Key(key.clone())));
    }
    let at = u16::try_from(entry.len())
        .map_err(|_| Error::limit(Limit::KeyBytes, u64::from(u16::MAX), entry.len() as u64))?;
    entry.extend_from_slice(key.as_bytes());
    Ok((StoredKey::from(entry), LinkTo::Suffix(at)))
}

/// What can be done with stored records of a type that is known to the schema only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Erased {
    /// The definition.
    pub(crate) collection: &'static Collection,
    /// The type itself.
    pub(crate) record: TypeId,
    /// Decodes a value of this very type's shape into what its rows must be.
    pub(crate) inspect: fn(&dyn KeyCodec, &[u8]) -> Result<Inspected>,
    /// Deletes the record of a key that was read before, if it has expired by a time.
    pub(crate) evict: fn(&Transaction, &StoredKey, Timestamp) -> Result<bool>,
}

/// What a stored record's rows must be.
pub(crate) struct Inspected {
    /// Its primary key.
    pub(crate) components: Components,
    /// The key it must be stored under.
    pub(crate) key: StoredKey,
    /// The index entries it must have.
    pub(crate) rows: IndexRows,
}

impl Erased {
    /// For the records of `R`.
    pub(crate) fn of<R: Record>() -> Self {
        Erased {
            collection: R::COLLECTION,
            record: TypeId::of::<R>(),
            inspect: inspect::<R>,
            evict: Transaction::evict::<R>,
        }
    }
}

impl Schema {
    /// The record type of a collection.
    pub(crate) fn erased(&self, collection: u16) -> Option<&Erased> {
        self.erased.iter().find(|erased| erased.collection.id == collection)
    }

    /// What the rows of a stored record must be, whichever shape it has.
    pub(crate) fn inspect(
        &self,
        erased: &Erased,
        codec: &dyn KeyCodec,
        value: Bytes,
        key: &StoredKey,
    ) -> Result<Inspected> {
        (erased.inspect)(codec, &self.current(erased.collection, value, key)?)
    }
}

fn inspect<R: Record>(codec: &dyn KeyCodec, value: &[u8]) -> Result<Inspected> {
    let record: R = super::value::decode(value, R::COLLECTION.name)?;
    let components = Key::of(&record).components;
    let key = record_key(codec, R::COLLECTION, &components)?;
    let rows = index_rows(codec, &record, &key)?;
    Ok(Inspected { components, key, rows })
}

/// The value of a row that must hold a record.
pub(crate) fn record_value(content: Content, place: impl Display, key: &StoredKey) -> Result<Bytes> {
    match content {
        Content::Value(value) => Ok(value),
        Content::Link(_) => Err(damaged(place, "a link where a record should be", key)),
        Content::Damaged(error) => Err(unreadable(&error, place, key)),
    }
}

/// The error of a row that alone is damaged, with the place where it was met. Keeps its kind and its typed source.
pub(crate) fn unreadable(error: &Error, place: impl Display, key: &StoredKey) -> Error {
    error.clone().at(format!("{place} (row {})", fingerprint(key)))
}

/// The error for a row that is not what its keyspace promises. Names the row by a hash of its key, never by content.
pub(crate) fn damaged(place: impl Display, what: &str, key: &StoredKey) -> Error {
    Error::new(ErrorKind::Corrupt, format!("{place}: {what} (row {})", fingerprint(key)))
}

/// The error for an index entry that leads to a record which does not have it.
pub(crate) fn mismatch(place: impl Display, what: &str, key: &StoredKey) -> Error {
    Error::new(ErrorKind::IndexMismatch, format!("{place}: {what} (row {})", fingerprint(key)))
}

/// A short name for a row that gives nothing of its key away but equality.
pub(crate) fn fingerprint(key: &StoredKey) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    key.as_bytes().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
