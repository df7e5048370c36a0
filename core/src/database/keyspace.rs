//! Keyspaces: permanent numbers at the front of every stored key.

use std::ops::Bound;

use crate::key::Components;
use crate::schema::{Collection, ComponentDef, EXPIRY_INDEX_ID, IndexRef, Role};
use crate::store::{KeyCodec, KeyRange, StoredKey};
use crate::{Error, ErrorKind, Result};

/// One collection's records (`index` 0) or one of its indexes. Collection 0 is the framework's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Keyspace {
    pub(crate) collection: u16,
    pub(crate) index: u8,
}

/// The catalog's one row.
pub(crate) const CATALOG: Keyspace = Keyspace { collection: 0, index: 1 };
/// How far the building of each index has come.
pub(crate) const BUILD_PROGRESS: Keyspace = Keyspace { collection: 0, index: 2 };
/// The change log: a row for each transaction that changed what is followed.
pub(crate) const CHANGE_LOG: Keyspace = Keyspace { collection: 0, index: 3 };
/// The change log's one row about itself: its number, and how much of it was trimmed.
pub(crate) const CHANGE_LOG_FLOOR: Keyspace = Keyspace { collection: 0, index: 4 };
/// How far the steps of a migration have come.
pub(crate) const MIGRATION_PROGRESS: Keyspace = Keyspace { collection: 0, index: 5 };
/// How far a copy into this store has come: one row, while it goes on.
pub(crate) const COPY_PROGRESS: Keyspace = Keyspace { collection: 0, index: 6 };

impl Keyspace {
    /// Bytes of a keyspace at the front of a key.
    pub(crate) const BYTES: usize = 3;

    /// A collection's records.
    pub(crate) const fn records(collection: u16) -> Self {
        Keyspace { collection, index: 0 }
    }

    /// One of a collection's orders.
    pub(crate) fn of(collection: &Collection, index: IndexRef) -> Self {
        let index = match index {
            IndexRef::Primary => 0,
            IndexRef::At(at) => collection.indexes[at].id,
            IndexRef::Expiry => EXPIRY_INDEX_ID,
        };
        Keyspace { collection: collection.id, index }
    }

    /// The keyspace of a stored key.
    pub(crate) fn of_key(key: &[u8]) -> Option<Self> {
        let [high, low, index] = *key.first_chunk::<{ Self::BYTES }>()?;
        Some(Keyspace { collection: u16::from_be_bytes([high, low]), index })
    }

    pub(crate) fn bytes(self) -> [u8; Self::BYTES] {
        let [high, low] = self.collection.to_be_bytes();
        [high, low, self.index]
    }

    /// Every key of the keyspace.
    pub(crate) fn range(self) -> KeyRange {
        KeyRange::prefix(&self.bytes())
    }

    /// Every key of a collection: records and indexes.
    pub(crate) fn collection_range(collection: u16) -> KeyRange {
        KeyRange::prefix(&collection.to_be_bytes())
    }

    /// Every row that a schema has: all but the framework's own, which come before, and those of layers, which a layer hides.
    pub(crate) fn of_any_schema() -> KeyRange {
        KeyRange { start: Bound::Included(StoredKey::from(1_u16.to_be_bytes().to_vec())), end: Bound::Unbounded }
    }

    /// The stored form of a key's first components.
    pub(crate) fn stored_prefix(
        self,
        codec: &dyn KeyCodec,
        definition: &[ComponentDef],
        components: &Components,
    ) -> Result<Vec<u8>> {
        let mut key = Vec::with_capacity(Self::BYTES + components.as_bytes().len() + 16);
        key.extend_from_slice(&self.bytes());
        append_stored(codec, definition, components.iter(), &mut key)?;
        Ok(key)
    }
}

/// Appends the stored form of components that are defined by the front of `definition`.
pub(crate) fn append_stored<'c>(
    codec: &dyn KeyCodec,
    definition: &[ComponentDef],
    components: impl Iterator<Item = &'c [u8]>,
    key: &mut Vec<u8>,
) -> Result<()> {
    let mut definition = definition.iter();
    for component in components {
        match definition.next().map(|part| part.role) {
            Some(Role::Exact) => codec.exact(component, key)?,
            Some(Role::Ordered) => key.extend_from_slice(component),
            None => return Err(Error::new(ErrorKind::InvalidInput, "a key has more components than its definition")),
        }
    }
    Ok(())
}

/// A record's stored key.
pub(crate) fn record_key(codec: &dyn KeyCodec, collection: &Collection, key: &Components) -> Result<StoredKey> {
    let bytes = Keyspace::records(collection.id).stored_prefix(codec, collection.key, key)?;
    Ok(StoredKey::from(bytes))
}
