//! The records that a batch works on: read in few calls, changed in memory, written at its end.

use std::collections::{BTreeMap, BTreeSet};

use crate::matrix::{
    AccountData, EventId, Invitation, Message, Presence, ReadReceipt, Room, RoomAlias, RoomAliasId, RoomId, RoomMember,
    RoomState, Typing, UserId,
};
use crate::{Key, Merge, Record, Result, Transaction};

/// Keys in one read.
const READ_MAX: usize = 1_000;

/// A record with its key as plain values.
pub(super) trait Row: Record + Clone + PartialEq {
    /// The key.
    type Id: Clone + Ord + Send + Sync;
    fn id(&self) -> Self::Id;
    fn key_of(id: &Self::Id) -> Key<Self>;
}

macro_rules! rows {
    ($($record:ident: ($($field:ident: $type:ty),+);)+) => {$(
        impl Row for $record {
            type Id = ($($type,)+);

            fn id(&self) -> Self::Id {
                ($(self.$field.clone(),)+)
            }

            fn key_of(($($field,)+): &Self::Id) -> Key<Self> {
                $record::key($($field),+)
            }
        }
    )+};
}

rows! {
    Message: (room_id: RoomId, message_id: EventId);
    Room: (room_id: RoomId);
    RoomState: (room_id: RoomId, r#type: String, state_key: String);
    RoomMember: (room_id: RoomId, user_id: UserId);
    Invitation: (room_id: RoomId, user_id: UserId);
    RoomAlias: (alias: RoomAliasId);
    Presence: (user_id: UserId);
    AccountData: (user_id: UserId, r#type: String);
    ReadReceipt: (room_id: RoomId, user_id: UserId, event_id: EventId);
    Typing: (room_id: RoomId, user_id: UserId);
}

/// The records of one collection that a batch works on.
pub(super) struct Table<R: Row>(BTreeMap<R::Id, Slot<R>>);

struct Slot<R> {
    record: Option<R>,
    changed: bool,
}

impl<R: Row> Default for Table<R> {
    fn default() -> Self {
        Table(BTreeMap::new())
    }
}

impl<R: Row> Table<R> {
    /// Reads what was not read yet.
    pub(super) async fn load(&mut self, tx: &Transaction, ids: impl IntoIterator<Item = R::Id>) -> Result<()> {
        let missing: BTreeSet<R::Id> = ids.into_iter().filter(|id| !self.0.contains_key(id)).collect();
        let missing: Vec<R::Id> = missing.into_iter().collect();
        for ids in missing.chunks(READ_MAX) {
            let keys: Vec<Key<R>> = ids.iter().map(R::key_of).collect();
            let records = tx.get_many(&keys).await?;
            let slots = records.into_iter().map(|record| Slot { record, changed: false });
            self.0.extend(ids.iter().cloned().zip(slots));
        }
        Ok(())
    }

    /// Takes records that a query found; what is here already may have been changed and stays.
    pub(super) fn adopt(&mut self, records: impl IntoIterator<Item = R>) {
        for record in records {
            self.0.entry(record.id()).or_insert(Slot { record: Some(record), changed: false });
        }
    }

    pub(super) fn get(&self, id: &R::Id) -> Option<&R> {
        self.0.get(id)?.record.as_ref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &R> {
        self.0.values().filter_map(|slot| slot.record.as_ref())
    }

    /// Sets a record; whether that changes anything.
    pub(super) fn put(&mut self, record: R) -> bool {
        let slot = self.0.entry(record.id()).or_insert(Slot { record: None, changed: false });
        let changes = slot.record.as_ref() != Some(&record);
        if changes {
            *slot = Slot { record: Some(record), changed: true };
        }
        changes
    }

    /// Merges a version of a record; whether that changes anything.
    pub(super) fn merge(&mut self, version: R) -> bool
    where
        R: Merge,
    {
        let merged = match self.get(&version.id()) {
            Some(record) => record.clone().merge(version),
            None => version,
        };
        self.put(merged)
    }

    /// Removes a record; whether it was there.
    pub(super) fn remove(&mut self, id: &R::Id) -> bool {
        match self.0.get_mut(id) {
            Some(slot) if slot.record.is_some() => {
                *slot = Slot { record: None, changed: true };
                true
            }
            _ => false,
        }
    }

    /// Writes what changed.
    pub(super) async fn flush(&self, tx: &Transaction) -> Result<()> {
        for (id, slot) in self.0.iter().filter(|(_, slot)| slot.changed) {
            match &slot.record {
                Some(record) => tx.put(record).await?,
                None => drop(tx.delete(&R::key_of(id)).await?),
            }
        }
        Ok(())
    }
}
