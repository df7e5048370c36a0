//! A typed record.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Collection, IndexRef};
use crate::Timestamp;
use crate::key::Components;

/// A record type: one collection, its key and its indexes. Implement it with `#[derive(Record)]`.
pub trait Record: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The definition.
    const COLLECTION: &'static Collection;

    /// Appends the components of the record's primary key.
    fn key_components(&self, out: &mut Components);

    /// Gives the components of each entry that the record has in an index: none, one, or (multi) several.
    ///
    /// `scratch` is cleared before each; entries may repeat. The primary key has one entry.
    fn index_entries(&self, index: IndexRef, scratch: &mut Components, entry: &mut dyn FnMut(&Components));

    /// When the record ceases to be, if it does.
    fn expires_at(&self) -> Option<Timestamp>;
}

/// The primary key of an `R`, encoded. The derive gives `R::key(..)` to make one.
pub struct Key<R> {
    pub(crate) components: Components,
    record: PhantomData<fn() -> R>,
}

impl<R: Record> Key<R> {
    /// The key of a record.
    pub fn of(record: &R) -> Self {
        let mut components = Components::new();
        record.key_components(&mut components);
        Key::from_components(components)
    }
}

impl<R> Key<R> {
    /// For the derive: the components must be those of the definition.
    #[doc(hidden)]
    pub fn from_components(components: Components) -> Self {
        Key { components, record: PhantomData }
    }
}

impl<R> Clone for Key<R> {
    fn clone(&self) -> Self {
        Key::from_components(self.components.clone())
    }
}

impl<R> PartialEq for Key<R> {
    fn eq(&self, other: &Self) -> bool {
        self.components == other.components
    }
}

impl<R> Eq for Key<R> {}

/// As the components are ordered; of two keys of one collection the lesser is the one that a scan of it meets first, where nothing is
/// blinded.
impl<R> Ord for Key<R> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.components.cmp(&other.components)
    }
}

impl<R> PartialOrd for Key<R> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<R> Hash for Key<R> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.components.as_bytes().hash(state);
    }
}

/// Shows no content: keys hold ids of rooms and users.
impl<R: Record> fmt::Debug for Key<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, {} bytes)", R::COLLECTION.name, self.components.as_bytes().len())
    }
}
