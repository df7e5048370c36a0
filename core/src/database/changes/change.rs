//! One entry of the feed.

use std::fmt;

use super::cursor::ChangeCursor;
use crate::Timestamp;
use crate::key::Components;
use crate::schema::{Collection, Key, Record};
use crate::store::Revision;

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChangeKind {
    /// It was written, new or in place of another.
    Put,
    /// It was deleted.
    Delete,
    /// No record: the collection is listed from here on, and had been in use before. Read all of it.
    Begun,
}

/// One record that a transaction wrote, or the beginning of a collection's listing. `Debug` shows no key.
#[derive(Clone)]
pub struct Change {
    pub(super) cursor: ChangeCursor,
    pub(super) revision: Revision,
    pub(super) at: Timestamp,
    pub(super) collection: &'static Collection,
    pub(super) kind: ChangeKind,
    pub(super) key: Components,
}

impl Change {
    /// The place behind this change: who has done it goes on from here.
    pub fn cursor(&self) -> &ChangeCursor {
        &self.cursor
    }

    /// Where in the commit order the transaction stands. Changes of one transaction have the same, and no others have it.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// When it was written, by the clock of who wrote it.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The collection's name.
    pub fn collection(&self) -> &'static str {
        self.collection.name
    }

    /// What became of the record.
    pub fn kind(&self) -> ChangeKind {
        self.kind
    }

    /// The record's key; `None` if it is no `R`, or if there is no record: a [beginning](ChangeKind::Begun).
    pub fn key<R: Record>(&self) -> Option<Key<R>> {
        let is_one = self.collection.id == R::COLLECTION.id && self.kind != ChangeKind::Begun;
        is_one.then(|| Key::from_components(self.key.clone()))
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Change({:?} in {} at revision {})", self.kind, self.collection.name, self.revision)
    }
}
