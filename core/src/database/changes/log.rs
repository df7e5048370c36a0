//! What a row of the change log holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::super::keyspace::CHANGE_LOG;
use super::super::value;
use super::ChangeKind;
use crate::key::Components;
use crate::schema::{Collection, Key, Record};
use crate::store::{Batch, KeyPrefix, Limits, Revision, StoredKey};
use crate::{Error, ErrorKind, Limit, Result, Timestamp};

/// The changes of one batch: what the log will say of it.
#[derive(Default)]
pub(crate) struct ChangeList {
    /// The last of each record, by collection and key.
    changes: BTreeMap<(u16, Components), ChangeKind>,
    /// Bytes of the row's value, at most.
    bytes: usize,
}

/// Bytes of a row's value without its changes, and of a change without its components, at most.
const ROW_BYTES: usize = 32;
const CHANGE_BYTES: usize = 8;
/// Bytes in front of each component, at most: a key has less than 64 KiB.
const COMPONENT_BYTES: usize = 3;

impl ChangeList {
    /// Lists a record, if its collection is followed.
    pub(crate) fn add<R: Record>(&mut self, record: &R, kind: ChangeKind) {
        if R::COLLECTION.changes {
            self.push(R::COLLECTION.id, Key::of(record).components, kind);
        }
    }

    /// As [`add`](ChangeList::add), where the record's type is known to the schema only.
    pub(crate) fn list(&mut self, collection: &Collection, key: Components, kind: ChangeKind) {
        if collection.changes {
            self.push(collection.id, key, kind);
        }
    }

    /// Lists that a collection is followed from here on.
    pub(crate) fn begin(&mut self, collection: u16) {
        self.push(collection, Components::new(), ChangeKind::Begun);
    }

    fn push(&mut self, collection: u16, key: Components, kind: ChangeKind) {
        let bytes = CHANGE_BYTES + key.len() * COMPONENT_BYTES + key.as_bytes().len();
        if self.changes.insert((collection, key), kind).is_none() {
            self.bytes += bytes;
        }
    }

    /// Rows that it adds to a batch.
    pub(crate) fn rows(&self) -> usize {
        usize::from(!self.changes.is_empty())
    }

    /// Bytes that it adds to a batch, at most.
    pub(crate) fn bytes(&self) -> usize {
        self.rows() * (ROW_BYTES + PREFIX_BYTES) + self.bytes
    }

    /// Checks it against what a value may hold: it is one.
    pub(crate) fn check(&self, limits: &Limits) -> Result<()> {
        if self.bytes() <= limits.value_bytes_max {
            return Ok(());
        }
        let error = Error::limit(Limit::ValueBytes, limits.value_bytes_max as u64, self.bytes() as u64);
        Err(error.at("the list of changes for the change log"))
    }

    /// Adds the row to the batch whose changes these are.
    pub(crate) fn stamp(self, at: Timestamp, batch: &mut Batch) -> Result<()> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let changes = self.changes.iter().map(|((collection, key), kind)| {
            let components = key.iter().map(serde_bytes::Bytes::new).collect();
            (*collection, Code::of(*kind), components)
        });
        let row = Row { at, changes: changes.collect::<Vec<(u16, Code, Vec<&serde_bytes::Bytes>)>>() };
        batch.stamped.push((KeyPrefix(StoredKey::from(CHANGE_LOG.bytes().to_vec())), value::encode(&row)?));
        Ok(())
    }
}

/// A row's value: when it was written, and the changes by collection and key.
#[derive(Serialize, Deserialize)]
struct Row<C> {
    at: Timestamp,
    changes: C,
}

/// What became of a record, as a row says it.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
struct Code(ChangeKind);

impl Code {
    fn of(kind: ChangeKind) -> Self {
        Code(kind)
    }
}

impl From<Code> for u8 {
    fn from(Code(kind): Code) -> u8 {
        match kind {
            ChangeKind::Put => 0,
            ChangeKind::Delete => 1,
            ChangeKind::Begun => 2,
        }
    }
}

impl TryFrom<u8> for Code {
    type Error = &'static str;

    fn try_from(code: u8) -> Result<Self, Self::Error> {
        match code {
            0 => Ok(Code(ChangeKind::Put)),
            1 => Ok(Code(ChangeKind::Delete)),
            2 => Ok(Code(ChangeKind::Begun)),
            _ => Err("an unknown kind of change"),
        }
    }
}

/// A row of the log, read.
pub(crate) struct Logged {
    /// When it was written.
    pub(super) at: Timestamp,
    /// Its changes, by collection and key: always in the same order.
    pub(super) changes: Vec<Listed>,
}

/// One change of a row.
pub(super) struct Listed {
    pub(super) collection: u16,
    pub(super) kind: ChangeKind,
    pub(super) key: Components,
}

/// Reads a row's value.
pub(super) fn decode(bytes: &[u8]) -> Result<Logged> {
    type Changes = Vec<(u16, Code, Vec<ByteBuf>)>;
    // No program writes a row without one of its fields.
    let damaged = |error: Error| match error.kind() {
        ErrorKind::SchemaMismatch => Error::new(ErrorKind::Corrupt, "the change log: a field is missing"),
        _ => error,
    };
    let row: Row<Changes> = value::decode(bytes, "the change log").map_err(damaged)?;
    let changes = row.changes.into_iter().map(|(collection, Code(kind), components)| {
        let mut key = Components::new();
        components.iter().for_each(|component| key.push_encoded(component));
        Listed { collection, kind, key }
    });
    Ok(Logged { at: row.at, changes: changes.collect() })
}

/// Bytes of a row's key.
const PREFIX_BYTES: usize = 11;

/// The key of the row of a revision.
pub(super) fn key(revision: Revision) -> StoredKey {
    KeyPrefix(StoredKey::from(CHANGE_LOG.bytes().to_vec())).stamp(revision)
}

/// The revision that a row's key ends in. It is that of the transaction; the row's own may be a later one, if a layer wrote it
/// again.
pub(super) fn revision(key: &StoredKey) -> Result<Revision> {
    let bytes = key.as_bytes().strip_prefix(&CHANGE_LOG.bytes());
    match bytes.and_then(|bytes| bytes.try_into().ok()) {
        Some(bytes) => Ok(Revision(u64::from_be_bytes(bytes))),
        None => Err(Error::new(ErrorKind::Corrupt, "the change log: a row's key does not end in a revision")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_no_longer_than_was_reckoned() {
        let mut list = ChangeList::default();
        for number in 0..70_000_u32 {
            let mut key = Components::new();
            key.push::<u32>(&number);
            key.push::<String>("x");
            list.push(60_000, key, ChangeKind::Delete);
        }
        let mut long = Components::new();
        long.push::<String>(&"x".repeat(60_000));
        list.push(1, long, ChangeKind::Put);
        let (reckoned, mut batch) = (list.bytes(), Batch::default());
        list.stamp(Timestamp::MIN, &mut batch).unwrap();
        let row = &batch.stamped[0].1;
        assert!(row.len() <= reckoned && reckoned < row.len() * 3 / 2, "{reckoned} for {}", row.len());
        let logged = decode(row).unwrap();
        assert_eq!((logged.at, logged.changes.len()), (Timestamp::MIN, 70_001));
    }
}
